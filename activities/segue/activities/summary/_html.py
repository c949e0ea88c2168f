"""A summary as one HTML file: what it says, beside what it rests on. It needs nothing but a browser."""

from __future__ import annotations

import functools
import html
import importlib.resources
import re
from collections.abc import Iterator
from typing import Final

from segue.activities.documents.parsed import Clause, ParsedDocument
from segue.activities.documents.spans import Citation
from segue.activities.summary._summary import Part, Statement, Summary
from segue.activities.summary._told import counted, of_part, of_summary

__all__ = ["to_html"]

# So much of the paragraph around a cited sentence is shown.
_CONTEXT: Final = 400

_KINDS: Final = {"call": "an earnings call", "contract": "a contract", "document": "a document"}


def to_html(summary: Summary, document: ParsedDocument) -> str:
    """Return the summary as a page that holds all it needs: `#s3` is its third source."""
    numbers = _numbered(summary)
    return "".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_text(summary.name)}: summary</title><style>{_style()}</style></head><body>",
            _header(summary),
            '<div class="page"><main>',
            *(_part(part, of_part(summary, part), numbers) for part in summary.parts),
            _left_out(summary),
            '</main><aside aria-label="Sources"><h2>Sources</h2><ol>',
            *_sources(numbers, document),
            "</ol></aside></div></body></html>\n",
        )
    )


@functools.cache
def _style() -> str:
    style = importlib.resources.files("segue.activities.summary").joinpath("report.css").read_text(encoding="utf-8")
    return re.sub(r"\s*\n\s*", "\n", re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)).strip()


def _numbered(summary: Summary) -> dict[Citation, int]:
    """Return a number for each source, in the order in which the summary cites them."""
    cited = (citation for part in summary.parts for one in part.statements for citation in one.citations)
    return {citation: number for number, citation in enumerate(dict.fromkeys(cited), 1)}


def _header(summary: Summary) -> str:
    return (
        f"<header><p class='eyebrow'>Summary</p><h1>{_text(summary.name)}</h1>"
        f"<p class='lead'><b>{summary.words}</b> {'word' if summary.words == 1 else 'words'} of "
        f"{counted(summary.sentences, 'sentence')}, read as "
        f"{_KINDS[summary.kind]}.</p><p class='engine'>{_text(of_summary(summary))}</p></header>"
    )


def _part(part: Part, told: str, numbers: dict[Citation, int]) -> str:
    said = " ".join(_said(one, numbers) for one in part.statements)
    heading = f"<h2>{_text(part.title)}</h2>" if part.title else ""
    engine = f"<small>{_text(told)}</small>" if told else ""
    return f"<section>{heading}{engine}<p>{said}</p></section>"


def _said(one: Statement, numbers: dict[Citation, int]) -> str:
    links = "".join(f"<a href='#s{numbers[citation]}'>{numbers[citation]}</a>" for citation in one.citations)
    text = _text(one.text) if one.supported else f"<mark title='not borne out by its source'>{_text(one.text)}</mark>"
    return f"<span>{text}<sup>{links}</sup></span>"


def _left_out(summary: Summary) -> str:
    if not summary.left_out:
        return ""
    return f"<p class='left-out'>Not in this summary: {_text(' · '.join(summary.left_out))}</p>"


def _sources(numbers: dict[Citation, int], document: ParsedDocument) -> Iterator[str]:
    for citation, number in numbers.items():
        clause = next((one for one in document.clauses if citation.within(one)), None)
        around = clause or Clause(start=citation.start, end=citation.end)
        start, end = _window(document.text, around, citation)
        before, after = document.text[start : citation.start], document.text[citation.end : end]
        where = " · ".join(filter(None, (around.speaker, *around.section[-1:], f"{citation.start}-{citation.end}")))
        yield (
            f"<li id='s{number}'><p class='where'>{_text(where)}</p><p>{'… ' if start > around.start else ''}"
            f"{_text(before)}<b>{_text(document.quote(citation))}</b>{_text(after)}"
            f"{' …' if end < around.end else ''}</p></li>"
        )


def _window(text: str, around: Clause, cited: Citation) -> tuple[int, int]:
    """Return from where to where the text around a citation is shown, in whole words."""
    start, end = cited.start - _CONTEXT, cited.end + _CONTEXT
    start = around.start if start <= around.start else text.find(" ", start, cited.start) + 1 or cited.start
    return start, around.end if end >= around.end else max(text.rfind(" ", cited.end, end), cited.end)


def _text(text: str) -> str:
    return html.escape(text, quote=True)
