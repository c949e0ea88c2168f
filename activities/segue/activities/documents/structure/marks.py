"""What blocks are besides text: headers and footers, page numbers, entries of a table of contents, titles, speakers.

marks.mark_repeated(text, blocks)       # for sources that have no pages of their own
marks.mark(text, blocks)                # for all
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from typing import Final

from segue.activities.documents.structure import headings, labels
from segue.activities.documents.structure.blocks import Block, Kind
from segue.activities.documents.structure.labels import ATTACHMENT

__all__ = ["SPEAKER", "is_page_number", "mark", "mark_repeated", "shape"]

SPEAKER: Final = re.compile(
    r"(?P<name>Speaker\s+\d{1,3}|[A-Z][\w.'\u2019-]*(?:\s+[A-Z][\w.'\u2019-]*){0,4}(?:\s+[-\u2013\u2014]{1,2}\s+[^:\n]{2,60})?)"
    r":\s+(?=\S)"
)

_REPEATED: Final = 200
_COPIES: Final = 3
_PAGE: Final = 600
_TITLE: Final = 80
_ENTRY: Final = 200
_RUN: Final = 4
_ASKED: Final = 40

_PAGE_NUMBER: Final = re.compile(
    r"[-\u2013\u2014\[(\s]*(?:page\s*)?(?:[A-Z]{1,2}-)?(?:\d{1,4}|[ivxl]{1,7})(?:\s*(?:of|/)\s*\d{1,4})?"
    r"[-\u2013\u2014\])\s]*",
    re.IGNORECASE,
)
_WIDE: Final = re.compile(r"\s{2,}")
_DIGITS: Final = re.compile(r"\d+")
_SIGNED: Final = re.compile(r"(?:by|name|title|date|its|signature)\b\s*:?|.*__", re.IGNORECASE)
_LEADER: Final = re.compile(r"(?:\.\s?){4,}\s*(?:[A-Z]{0,2}-?\d{1,4}|[ivxl]+)?\s*$")
_CONTENTS: Final = re.compile(r"(?:table of )?contents|index of (?:exhibits|schedules)", re.IGNORECASE)
_LAST_NUMBER: Final = re.compile(r"[\s.](?P<page>\d{1,3}|[ivxl]{1,6})$")
_NUMBER_WORD: Final = re.compile(r"(?<=\s)\d{1,3}(?=\s|$)")
_ENTRIES: Final = re.compile(
    r"(?:(?:ARTICLE|SECTION)\s+)?(?:\d{1,3}(?:\.\d{1,3})*\.?|[IVXL]+\.?|\([a-z]\))\s+(?P<title>[A-Z][^\d]{2,120}?)[\s.]+"
    r"(?P<page>\d{1,3})(?=\s|$)",
    re.IGNORECASE,
)
_SENTENCE_END: Final = re.compile(r"[.:;?!][\"\u201d\u2019')\]]*$")


def mark(text: str, found: list[Block]) -> None:
    """Mark contents, titles and speakers."""
    _mark_contents(text, found)
    _mark_speakers(text, found)
    _mark_titles(text, found)


def mark_repeated(text: str, found: list[Block]) -> None:
    """Mark what is repeated as headers and footers are, and the numbers of pages."""
    same: dict[str, list[Block]] = defaultdict(list)
    shapes: dict[str, list[Block]] = defaultdict(list)
    for block in found:
        if block.end - block.start > _REPEATED:
            continue
        content = " ".join(text[block.start : block.end].split())
        # "3." and "(a)" are numbers of clauses.
        if is_page_number(content) and not content.strip("()-\u2013\u2014[] ").endswith((".", ")")):
            block.kind = "furniture"
        elif _repeats(content):
            same[content].append(block)
            shapes[shape(content)].append(block)
    for blocks in same.values():
        if len(blocks) >= _COPIES:
            _set(blocks, "furniture")
    for blocks in shapes.values():
        if len(blocks) >= _COPIES and _counts_pages(text, blocks):
            _set(blocks, "furniture")


def _counts_pages(text: str, blocks: list[Block]) -> bool:
    """Return whether lines that differ in their numbers alone count pages: one by one, and far apart."""
    if (blocks[-1].start - blocks[0].start) / (len(blocks) - 1) < _PAGE:
        return False
    numbers = [[int(digits) for digits in _DIGITS.findall(text[block.start : block.end])[:9]] for block in blocks]
    return any(
        sum(after == before + 1 for before, after in itertools.pairwise(column)) >= 0.6 * (len(blocks) - 1)
        for column in zip(*numbers, strict=True)
    )


def _set(blocks: list[Block], kind: Kind) -> None:
    for block in blocks:
        block.kind = kind


def shape(text: str) -> str:
    """Return a line as running headers and footers are compared: without its numbers and its spacing."""
    return _DIGITS.sub("#", " ".join(text.split())).lower()


def is_page_number(text: str) -> bool:
    """Return whether a line is nothing but the number of a page, which may stand there twice."""
    parts = _WIDE.split(text.strip())
    return len(parts) <= 2 and all(
        any(letter.isalnum() for letter in part) and _PAGE_NUMBER.fullmatch(part) is not None for part in parts
    )


def _repeats(content: str) -> bool:
    # What is signed, filled in, redacted or numbered repeats itself too.
    letters = sum(letter.isalpha() for letter in content)
    return letters > 5 and labels.at(content, 0) is None and _SIGNED.match(content) is None


def _mark_contents(text: str, found: list[Block]) -> None:
    """Mark the entries of a table of contents: by the dots that lead to a number, or as a run of lines that end in
    rising numbers and whose titles come again."""
    lower = text.lower()
    run: list[tuple[Block, str, int]] = []
    gap: list[Block] = []
    titled = False

    def close() -> None:
        nonlocal titled
        pages = [page for _, _, page in run]
        # Some of them tell for all: each is looked for in the whole text.
        asked = run[:: 1 + len(run) // _ASKED]
        again = sum(lower.find(title, run[-1][0].end) >= 0 for _, title, _ in asked)
        falls = sum(after < before for before, after in itertools.pairwise(pages))
        if len(run) >= (2 if titled else _RUN) and falls <= len(run) // 8 and again >= 0.4 * len(asked):
            for block in (*(block for block, _, _ in run), *gap_taken):
                block.kind = "contents"
        run.clear()
        gap.clear()
        gap_taken.clear()
        titled = False

    gap_taken: list[Block] = []
    for block in found:
        content = text[block.start : block.end]
        if block.kind == "furniture":
            continue
        if _CONTENTS.fullmatch(content.strip(" .:")):
            close()
            titled = True
            block.kind = "contents"
        elif len(content) < 2 * _ENTRY and _LEADER.search(content):
            block.kind = "contents"
        elif entries := _flat_entries(content):
            if len(entries) >= _RUN:
                block.kind = "contents"
            run.append((block, entries[0]["title"].lower(), int(entries[-1]["page"])))
            gap_taken.extend(gap)
            gap.clear()
        elif len(content) <= _ENTRY and (label := labels.at(content, 0)) is not None and label.word in ATTACHMENT:
            run.append((block, content[label.end :].strip(" .:-\u2013").lower(), run[-1][2] if run else 0))
            gap_taken.extend(gap)
            gap.clear()
        elif len(content) <= _ENTRY and (entry := _LAST_NUMBER.search(content, max(0, len(content) - 8))) is not None:
            label = labels.at(content, 0)
            title = content[label.end if label is not None else 0 : entry.start()].strip(" .\t-\u2013").lower()
            run.append((block, title, int(entry["page"]) if entry["page"].isdigit() else 0))
            gap_taken.extend(gap)
            gap.clear()
        elif run and len(content) <= 120 and len(gap) < 2:
            gap.append(block)
        else:
            close()
    close()


def _flat_entries(content: str) -> list[re.Match[str]]:
    """Return the entries of a table of contents in one line; none for a line of anything else."""
    # Most text is told from one by how few numbers it has.
    if len(_NUMBER_WORD.findall(content)) < max(2, len(content) / 150):
        return []
    entries = list(_ENTRIES.finditer(content))
    covered = sum(entry.end() - entry.start() for entry in entries)
    pages = [int(entry["page"]) for entry in entries]
    falls = sum(after < before for before, after in itertools.pairwise(pages))
    many = len(entries) >= _RUN and covered >= 0.7 * len(content)
    return (
        entries
        if (many or (len(entries) >= 2 and covered >= 0.9 * len(content))) and falls <= len(entries) // 8
        else []
    )


def _mark_titles(text: str, found: list[Block]) -> None:
    """Mark short lines in the manner of titles that stand between the end of one text and the beginning of another."""
    seen = [block for block in found if block.kind not in ("furniture", "contents")]
    for index, block in enumerate(seen):
        content = text[block.start : block.end]
        if block.kind != "text" or block.level or block.depth or block.speaker or len(content) > _TITLE:
            continue
        if not headings.is_title(content) or labels.at(content, 0) is not None or content[-1] in ".:" or "," in content:
            continue
        before = seen[index - 1] if index else None
        after = seen[index + 1] if index + 1 < len(seen) else None
        if after is None or any(character.isdigit() for character in content):
            continue
        ended = (
            before is None or before.kind == "heading" or _SENTENCE_END.search(text, max(0, before.end - 5), before.end)
        )
        if ended and (after.end - after.start >= 100 or labels.at(text, after.start, after.end) is not None):
            block.kind = "heading"


def _mark_speakers(text: str, found: list[Block]) -> None:
    """Set who speaks, if the text is a transcript: if many of its blocks begin with one of a few names and a colon."""
    matches = [(block, SPEAKER.match(text, block.start, block.end)) for block in found if block.kind == "text"]
    speaking = [match for _, match in matches if match is not None]
    names = Counter(match["name"] for match in speaking)
    if len(speaking) < 4 or len(speaking) < 0.3 * len(matches) or len(names) > 0.6 * len(speaking):
        return
    speaker = ""
    for block, match in matches:
        if match is not None:
            speaker = match["name"]
        block.speaker = speaker
