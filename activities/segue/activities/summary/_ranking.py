"""How central each sentence is: one is that says what many others say too.

Sentences are compared by the words that tell them apart, and each gives weight to those that are alike to it, as pages
do by linking (TextRank, Mihalcea and Tarau 2004).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["centrality", "stems", "vectors_of"]

# Sentences that are compared with one another at once; a longer document is ranked by stretches of so many.
_AT_ONCE: Final = 2_500
_WORDS: Final = 6_000
_DAMPING: Final = 0.85
_ROUNDS: Final = 40
# Below this two sentences have nothing to do with each other.
_LEAST: Final = 0.05

_FUNCTION_WORDS: Final = frozenset(
    re.findall(
        r"\w+",
        "a an the this that these those such any all each every of in on at to for from by with within under upon into "
        "as and or nor but if then than so it its is are was were be been being has have had do does did shall will "
        "may must can could would should might not no other which who whom whose what when where there here we our us "
        "you your i my me they their them he she his her also just very more most some about over up down out think "
        "going really well yeah uh um know mean kind sort lot thing",
    )
)


def vectors_of(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return a vector of length one for each text, by which alike texts are near each other.

    Raises:
        ImportError: numpy is not installed.
    """
    numpy = _numpy()
    words = [Counter(stems(text)) for text in texts]
    frequency = Counter(word for counts in words for word in counts)
    known = [word for word, count in frequency.most_common(_WORDS) if count > 1] or list(frequency)[:_WORDS]
    columns = {word: column for column, word in enumerate(known)}
    vectors = numpy.zeros((len(texts), max(len(columns), 1)), dtype=numpy.float32)
    for row, counts in enumerate(words):
        for word, count in counts.items():
            if (column := columns.get(word)) is not None:
                vectors[row, column] = (1 + math.log(count)) * math.log(1 + len(texts) / frequency[word])
    lengths = numpy.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / numpy.maximum(lengths, 1e-9)
    return unit


def centrality(vectors: NDArray[np.float32]) -> list[float]:
    """Return how central each text is, from 0 to 1, by the vectors of all."""
    np = _numpy()
    ranks: list[float] = []
    for start in range(0, len(vectors), _AT_ONCE):
        some = vectors[start : start + _AT_ONCE]
        alike = some @ some.T
        np.fill_diagonal(alike, 0)
        alike[alike < _LEAST] = 0
        alike /= np.maximum(alike.sum(axis=0, keepdims=True), 1e-9)
        rank = np.full(len(some), 1 / len(some), dtype=np.float32)
        for _ in range(_ROUNDS):
            rank = (1 - _DAMPING) / len(some) + _DAMPING * (alike @ rank)
        ranks += (rank / max(float(rank.max()), 1e-9)).tolist()
    return ranks


def stems(text: str) -> Iterator[str]:
    """Yield the words that say what a text is about, without their endings."""
    for word in re.findall(r"[^\W_]+", text.casefold()):
        if word not in _FUNCTION_WORDS and len(word) > 1:
            yield re.sub(r"(?<=\w{3})(?:ings?|ed|es|s)$", "", word)


def _numpy() -> Any:
    try:
        import numpy
    except ImportError as error:
        raise ImportError('Summarising documents needs numpy: pip install "segue[documents]"', name="numpy") from error
    return numpy
