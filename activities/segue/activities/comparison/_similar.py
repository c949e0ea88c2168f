"""How alike two texts are, and which texts of the other version come into question for each clause.

Alike means: the share of words that both have in the same order. Function words and the words that half of the
document's clauses have say little of what a clause is about, so what is left without them counts for more.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from segue.activities.comparison._words import Unit, Vocabulary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Shares = NDArray[np.float32]

__all__ = ["Candidate", "Text", "Texts", "candidates", "kernels"]

# Below this share two clauses are not the same one, whatever stands around them.
_LEAST: Final = 0.2
# So many counterparts are looked at for each clause.
_KEPT: Final = 8
# A part of a clause that was split holds little else than words of the clause.
_CONTAINED: Final = 0.6
_PART_WORDS: Final = 3
# Rows of the matrix that are held at once.
_ROWS: Final = 256
# How much the telling words count against all words.
_TELLING: Final = 0.65

_FUNCTION_WORDS: Final = frozenset(
    re.findall(
        r"\w+",
        "a an the this that these those such any all each every of in on at to for from by with within under upon into "
        "as and or nor but if then than so it its is are was were be been being has have had do does did shall will "
        "may must can could would should might not no other which who whom whose what when where there here hereof "
        "herein hereby hereto hereunder thereof therein thereto",
    )
)


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """The words of one or several clauses, encoded.

    Attributes:
        all: Every word.
        telling: Those that say what the text is about.
    """

    all: str
    telling: str

    def __add__(self, other: Text) -> Text:
        return Text(self.all + other.all, self.telling + other.telling)


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A pair that comes into question.

    Attributes:
        before: Place in the earlier version.
        after: Place in the later version.
        similarity: How alike they are.
        contained: "before" or "after" if that one seems to be a part of the other.
    """

    before: int
    after: int
    similarity: float
    contained: str = ""


class Texts:
    """The clauses of both versions, encoded with one vocabulary."""

    def __init__(self, before: Sequence[Unit], after: Sequence[Unit]) -> None:
        frequency = Counter(word for unit in (*before, *after) for word in set(unit.bare))
        common = max(12, (len(before) + len(after)) // 6)
        dull = {word for word, count in frequency.items() if count > common} | _FUNCTION_WORDS
        vocabulary = Vocabulary[str]()

        def encoded(unit: Unit) -> Text:
            return Text(vocabulary.encode(unit.bare), vocabulary.encode(word for word in unit.bare if word not in dull))

        self.before = [encoded(unit) for unit in before]
        self.after = [encoded(unit) for unit in after]
        self._kernels = kernels()

    def similarity(self, one: Text, other: Text) -> float:
        """Return how alike two texts are, from 0 to 1."""
        ratio = self._kernels.ratio
        whole = ratio(one.all, other.all)
        if len(one.telling) < 2 or len(other.telling) < 2:
            return whole
        return (1 - _TELLING) * whole + _TELLING * ratio(one.telling, other.telling)

    def shared(self, one: Text, other: Text) -> tuple[int, int]:
        """Return how many words two texts share in order: of all, and of the telling ones."""
        lcs = self._kernels.lcs
        return lcs(one.all, other.all), lcs(one.telling, other.telling)


@dataclasses.dataclass(frozen=True, slots=True)
class Kernels:
    """What rapidfuzz does, on strings of which each character stands for a word.

    Attributes:
        ratio: How alike two are, from 0 to 1.
        lcs: How many characters two share in order.
        matrix: The same of each of some with each of others.
        equal: Where two are equal: a range of each, and the next.
    """

    ratio: Callable[[str, str], float]
    lcs: Callable[[str, str], int]
    matrix: Callable[[Sequence[str], Sequence[str]], NDArray[np.int32]]
    equal: Callable[[str, str], list[tuple[int, int, int, int]]]


def kernels() -> Kernels:
    """Return rapidfuzz's functions, which are imported when they are first needed.

    Raises:
        ImportError: rapidfuzz or numpy is not installed.
    """
    try:
        import numpy as np
        from rapidfuzz.distance import Indel, LCSseq
        from rapidfuzz.process import cdist
    except ImportError as error:
        raise ImportError(
            'Comparing documents needs rapidfuzz and numpy: pip install "segue[documents]"', name=error.name
        ) from error

    def matrix(some: Sequence[str], others: Sequence[str]) -> NDArray[np.int32]:
        return cdist(some, others, scorer=LCSseq.similarity, dtype=np.int32, workers=1)

    def equal(one: str, other: str) -> list[tuple[int, int, int, int]]:
        return [
            (code.src_start, code.src_end, code.dest_start, code.dest_end)
            for code in Indel.opcodes(one, other)
            if code.tag == "equal"
        ]

    return Kernels(Indel.normalized_similarity, LCSseq.similarity, matrix, equal)


def candidates(texts: Texts, before: Sequence[int], after: Sequence[int]) -> Iterator[Candidate]:
    """Yield the pairs of clauses that come into question, of those that are given by their places."""
    if not before or not after:
        return
    import numpy as np

    others = [texts.after[j] for j in after]
    for start in range(0, len(before), _ROWS):
        rows = before[start : start + _ROWS]
        yield from _found(np, rows, after, *_compared(np, [texts.before[i] for i in rows], others))


def _compared(np: Any, some: list[Text], others: list[Text]) -> tuple[Shares, Shares, Shares]:
    """Return how alike each of some is to each of others, and which share of each is contained in the other."""
    lcs = kernels().matrix
    alls = lcs([one.all for one in some], [one.all for one in others])
    telling = lcs([one.telling for one in some], [one.telling for one in others])
    rows, columns = _lengths(np, [one.all for one in some])[:, None], _lengths(np, [one.all for one in others])[None, :]
    whole = 2 * alls / np.maximum(rows + columns, 1)
    rows, columns = (
        _lengths(np, [one.telling for one in some])[:, None],
        _lengths(np, [one.telling for one in others])[None, :],
    )
    part = 2 * telling / np.maximum(rows + columns, 1)
    mixed = np.where(np.minimum(rows, columns) < 2, whole, (1 - _TELLING) * whole + _TELLING * part)
    enough = telling >= _PART_WORDS
    contained = np.where(enough & (rows < columns), telling / np.maximum(rows, 1), 0)
    containing = np.where(enough & (columns < rows), telling / np.maximum(columns, 1), 0)
    return mixed.astype(np.float32), contained.astype(np.float32), containing.astype(np.float32)


def _lengths(np: Any, texts: list[str]) -> Any:
    return np.fromiter((len(text) for text in texts), dtype=np.int32, count=len(texts))


def _found(
    np: Any, rows: Sequence[int], columns: Sequence[int], mixed: Shares, contained: Shares, containing: Shares
) -> Iterator[Candidate]:
    chosen = np.zeros(mixed.shape, dtype=bool)
    for shares, least in ((mixed, _LEAST), (contained, _CONTAINED), (containing, _CONTAINED)):
        for axis in (0, 1):
            chosen |= _largest(np, shares, least, axis)
    places: list[tuple[int, int]] = np.argwhere(chosen).tolist()
    for row, column in places:
        part = "before" if contained[row, column] >= _CONTAINED else ""
        part = "after" if containing[row, column] >= _CONTAINED else part
        yield Candidate(rows[row], columns[column], float(mixed[row, column]), part)


def _largest(np: Any, shares: Shares, least: float, axis: int) -> Any:
    """Return where the largest shares along an axis are, of those that are large enough."""
    count = shares.shape[axis]
    if count <= _KEPT:
        return shares >= least
    bound = np.partition(shares, count - _KEPT, axis=axis).take(count - _KEPT, axis=axis)
    return shares >= np.maximum(np.expand_dims(bound, axis), least)
