"""Alignment of clauses: real contracts, edited by a program that knows what it did, parsed, aligned, and counted.

    rows = measure(Path("data"))

The editor rewords, deletes, inserts, moves, renumbers, splits and merges clauses of public contracts. What it inserts
are clauses of other contracts, so that a wrong counterpart is always at hand. The edited text is parsed as any other,
and which clause came of which is told by the characters. `difflib`, given the same clauses, stands beside.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from segue.activities.comparison import Unit, align, units_of
from segue.activities.documents import ParsedDocument, parse

__all__ = ["Edited", "contracts", "edited", "measure"]

_SEEDS: Final = (1, 2, 3)
_CLAUSES: Final = (12, 3000)

Links = Counter[tuple[tuple[str, ...], tuple[str, ...]]]


Piece = tuple[str, int | None]
"""Text, and the clause that it is of; None for what was inserted."""


@dataclasses.dataclass(frozen=True)
class Block:
    """A paragraph of the edited version.

    Attributes:
        pieces: Its text, in pieces of one origin each.
        changed: What was done to it.
    """

    pieces: tuple[Piece, ...]
    changed: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Edited:
    """Two versions of a contract, and which clause of the later is which of the earlier.

    Attributes:
        before: The earlier version.
        after: The later version.
        links: The clauses that belong together, by their places.
        touched: For each link that an edit touched, what was done.
    """

    before: ParsedDocument
    after: ParsedDocument
    links: tuple[tuple[int, int], ...]
    touched: dict[tuple[int, int], frozenset[str]]


def contracts(data: Path) -> Iterator[ParsedDocument]:
    """Yield the contracts and policies of a folder of public data, parsed."""
    paths = [
        *sorted((data / "cuad" / "full_contract_txt").glob("*.txt")),
        *sorted((data / "site-policy").glob("*.md"))[::6],
        *sorted((data / "commonpaper-csa").glob("CSA*.md")),
    ]
    for path in paths:
        document = parse(path.read_bytes(), path.name)
        if _CLAUSES[0] <= len(document.clauses) <= _CLAUSES[1]:
            yield document


def measure(data: Path, *, seeds: Sequence[int] = _SEEDS) -> list[dict[str, Any]]:
    """Return a row for each method and edit: precision and recall of the links between clauses."""
    documents = list(contracts(data))
    pools = [_pool(document, documents) for document in documents]
    methods: dict[str, Callable[[ParsedDocument, ParsedDocument], Iterable[tuple[int, int]]]] = {
        "segue": _aligned,
        "difflib": _by_difflib,
    }
    counts = {name: Counter[str]() for name in methods}
    seconds = dict.fromkeys(methods, 0.0)
    for seed in seeds:
        chance = random.Random(seed)
        for document, pool in zip(documents, pools, strict=True):
            versions = edited(document, pool, chance)
            for name, method in methods.items():
                began = time.perf_counter()
                found = list(method(versions.before, versions.after))
                seconds[name] += time.perf_counter() - began
                counts[name] += _counted(versions, found)
    return [
        {
            "eval": "alignment",
            "method": name,
            "edit": kind,
            "precision": round(count[f"right {kind}"] / max(count[f"found {kind}"], 1), 4),
            "recall": round(count[f"recalled {kind}"] / max(count[f"true {kind}"], 1), 4),
            "links": count[f"true {kind}"],
            "seconds": round(seconds[name], 2),
        }
        for name, count in counts.items()
        for kind in ("all", "touched", *_EDITS)
    ]


def edited(document: ParsedDocument, pool: Sequence[str], chance: random.Random) -> Edited:
    """Return a document and an edited version of it."""
    texts = [document.quote(clause) for clause in document.clauses]
    blocks = _renumbered(_moved(list(_edits(texts, pool, chance)), chance), chance)
    text, places = "", list[tuple[int, int, int, frozenset[str]]]()
    for block in blocks:
        for piece, origin in block.pieces:
            if origin is not None:
                places.append((len(text), len(text) + len(piece), origin, block.changed))
            text += piece + " "
        text = text[:-1] + "\n\n"
    # As plain text: what was Markdown has lost its marks already.
    after = parse(text.encode(), "edited.txt")
    touched = dict(_links(after, places))
    return Edited(document, after, tuple(touched), touched)


def _links(
    after: ParsedDocument, places: Iterable[tuple[int, int, int, frozenset[str]]]
) -> Iterator[tuple[tuple[int, int], frozenset[str]]]:
    """Yield the clauses that hold the same text, with what was done to it. A few characters of another do not count."""
    first = 0
    for start, end, origin, changed in places:
        while first < len(after.clauses) and after.clauses[first].end <= start:
            first += 1
        for j in range(first, len(after.clauses)):
            clause = after.clauses[j]
            if clause.start >= end:
                break
            shared = min(end, clause.end) - max(start, clause.start)
            if shared >= 0.2 * min(end - start, clause.end - clause.start):
                yield (origin, j), changed


def _pool(document: ParsedDocument, documents: Iterable[ParsedDocument]) -> list[str]:
    """Return the clauses of the other documents, but those that this one has too."""
    own = {" ".join(document.quote(clause).split()) for clause in document.clauses}
    others = (one.quote(clause) for one in documents if one is not document for clause in one.clauses)
    return [text for text in others if " ".join(text.split()) not in own]


_EDITS: Final = ("light", "medium", "heavy", "move", "split", "merge")


def _edits(texts: Sequence[str], pool: Sequence[str], chance: random.Random) -> Iterator[Block]:
    index = 0
    while index < len(texts):
        text, draw = texts[index], chance.random()
        here = frozenset[str]()
        if draw < 0.04:
            pass  # deleted
        elif draw < 0.08 and (parts := _split(text, chance)):
            for part in parts:
                yield Block(((part, index),), frozenset({"split"}))
        elif draw < 0.11 and index + 1 < len(texts):
            yield Block(((text, index), (texts[index + 1], index + 1)), frozenset({"merge"}))
            index += 1
        else:
            if draw < 0.26:
                severity = ("light", "light", "medium", "heavy")[chance.randrange(4)]
                changed = _reworded(text, severity, pool, chance)
                here = frozenset({severity}) if changed != text else here
                text = changed
            if chance.random() < 0.03:
                here |= {"move"}
            yield Block(((text, index),), here)
        if chance.random() < 0.05:
            yield Block(((chance.choice(pool), None),))
        index += 1


def _split(text: str, chance: random.Random) -> list[str]:
    """Return the parts that a clause falls into at the end of some sentences, or of some parts of one."""
    for pattern in (r"(?<=[a-z)][.])\s+(?=[A-Z(])", r"(?<=;)\s+"):
        pieces = re.split(pattern, text)
        if len(pieces) > 1 and min(len(piece.split()) for piece in pieces) >= 4:
            cuts = sorted(chance.sample(range(1, len(pieces)), min(len(pieces) - 1, chance.choice((1, 1, 2)))))
            bounds = [0, *cuts, len(pieces)]
            return [" ".join(pieces[low:high]) for low, high in itertools.pairwise(bounds)]
    return []


_SWAPS: Final = {
    "shall": "may",
    "may": "shall",
    "must": "should",
    "will": "may",
    "not": "",
    "and": "or",
    "or": "and",
    "days": "weeks",
    "month": "year",
    "thirty": "sixty",
}
_SHARES: Final = {"light": 0.04, "medium": 0.2, "heavy": 0.4}


def _reworded(text: str, severity: str, pool: Sequence[str], chance: random.Random) -> str:
    """Return a text of which some words were swapped, dropped, added or replaced."""
    pieces = re.split(r"(\s+)", text)
    places = [index for index, piece in enumerate(pieces) if piece.strip()]
    if severity != "light" and len(places) < 8:
        severity = "light"
    others = chance.choice(pool).split() or ["other"]
    for index in chance.sample(places, min(len(places), max(1, round(len(places) * _SHARES[severity])))):
        word = pieces[index]
        if re.search(r"\d", word) and index > 0:
            pieces[index] = re.sub(r"\d", lambda _: str(chance.randrange(10)), word)
        elif word in _SWAPS and chance.random() < 0.7:
            pieces[index] = _SWAPS[word]
        else:
            draw = chance.random()
            other = chance.choice(others)
            pieces[index] = other if draw < 0.5 else "" if draw < 0.75 else f"{word} {other}"
    return re.sub(r"\s{2,}", " ", "".join(pieces)).strip() or text


def _moved(blocks: list[Block], chance: random.Random) -> list[Block]:
    """Return the blocks with those that are to move put elsewhere."""
    staying = [block for block in blocks if "move" not in block.changed]
    for block in blocks:
        if "move" in block.changed:
            staying.insert(chance.randrange(len(staying) + 1), block)
    return staying


_NUMBER: Final = re.compile(r"^(\s*(?:Section |SECTION |ARTICLE |Article )?)(\d{1,2})((?:\.\d+)*[.)]?\s)")


def _renumbered(blocks: list[Block], chance: random.Random) -> list[Block]:
    """Return the blocks with the numbers before their texts counted on from some place."""
    start, more = chance.randrange(max(len(blocks), 1)), chance.choice((1, 1, 2))

    def counted(match: re.Match[str]) -> str:
        return f"{match[1]}{int(match[2]) + more}{match[3]}"

    def renumbered(block: Block) -> Block:
        (text, origin), *rest = block.pieces
        return dataclasses.replace(block, pieces=((_NUMBER.sub(counted, text), origin), *rest))

    return [*blocks[:start], *map(renumbered, blocks[start:])]


def _aligned(before: ParsedDocument, after: ParsedDocument) -> Iterator[tuple[int, int]]:
    here, there = units_of(before), units_of(after)
    for link in align(here, there):
        yield from ((here[i].clause, there[j].clause) for i in link.before for j in link.after)


def _by_difflib(before: ParsedDocument, after: ParsedDocument) -> Iterator[tuple[int, int]]:
    here, there = units_of(before), units_of(after)
    some, others = _texts(before, here), _texts(after, there)
    matcher = difflib.SequenceMatcher(None, some, others, autojunk=False)
    for tag, low, high, start, end in matcher.get_opcodes():
        if tag in ("equal", "replace"):
            pairs = zip(here[low:high], there[start:end], strict=False)
            yield from ((one.clause, other.clause) for one, other in pairs)


def _texts(document: ParsedDocument, units: Iterable[Unit]) -> list[str]:
    return [" ".join(document.quote(document.clauses[unit.clause]).split()) for unit in units]


_WORD: Final = re.compile(r"[^\W\d_]{2}")


def _counted(versions: Edited, found: Sequence[tuple[int, int]]) -> Counter[str]:
    """Return how many links are true, found, and both.

    Clauses with the same text stand for each other. Those without a word, such as a page's number, count for nothing,
    nor does what is not compared, such as a page's footer.
    """
    before = [" ".join(versions.before.quote(clause).split()) for clause in versions.before.clauses]
    after = [" ".join(versions.after.quote(clause).split()) for clause in versions.after.clauses]

    compared = [{unit.clause for unit in units_of(one)} for one in (versions.before, versions.after)]

    def texts(links: Iterable[tuple[int, int]]) -> Counter[tuple[str, str]]:
        pairs = ((before[i], after[j]) for i, j in links if i in compared[0] and j in compared[1])
        return Counter((a, b) for a, b in pairs if _WORD.search(a) and _WORD.search(b))

    counts = Counter[str]()
    true, got = texts(versions.links), texts(found)
    both = true & got
    counts.update({"true all": true.total(), "found all": got.total(), "right all": both.total()})
    counts["recalled all"] = both.total()
    touched = {before[i] for (i, _), what in versions.touched.items() if what}
    touched |= set(before) - {before[i] for i, _ in versions.links}
    inserted = set(after) - {after[j] for _, j in versions.links}
    changed = {after[j] for (_, j), what in versions.touched.items() if what} | inserted
    for name, links in (("true", true), ("found", got), ("right", both), ("recalled", both)):
        counts[f"{name} touched"] = sum(n for (a, b), n in links.items() if a in touched or b in changed)
    for kind in _EDITS:
        one = texts(link for link, what in versions.touched.items() if kind in what)
        counts[f"true {kind}"] = one.total()
        counts[f"recalled {kind}"] = (one & got).total()
        sides = {a for a, _ in one}
        mine = Counter({link: n for link, n in got.items() if link[0] in sides})
        counts[f"found {kind}"] = mine.total()
        counts[f"right {kind}"] = (mine & true).total()
    return counts
