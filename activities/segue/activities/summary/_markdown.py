"""A summary as Markdown: its parts, with a note for each sentence that it rests on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from segue.activities.documents.parsed import ParsedDocument
from segue.activities.documents.spans import Citation
from segue.activities.summary._summary import Summary
from segue.activities.summary._told import counted, of_part, of_summary

__all__ = ["to_markdown"]

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>#|~])")


def to_markdown(summary: Summary, document: ParsedDocument) -> str:
    """Return the summary as Markdown, with what it cites as footnotes."""
    return "\n".join(_lines(summary, document)) + "\n"


def _lines(summary: Summary, document: ParsedDocument) -> Iterator[str]:
    cited = (citation for part in summary.parts for one in part.statements for citation in one.citations)
    numbers = {citation: number for number, citation in enumerate(dict.fromkeys(cited), 1)}
    yield f"# {_plain(summary.name)}"
    yield ""
    yield (
        f"{counted(summary.words, 'word')} of {counted(summary.sentences, 'sentence')}, "
        f"document `{summary.document}`. {_plain(of_summary(summary))}"
    )
    for part in summary.parts:
        yield ""
        if part.title:
            yield f"## {_plain(part.title)}"
            yield ""
        if told := of_part(summary, part):
            yield f"*{_plain(told)}*"
            yield ""
        for one in part.statements:
            notes = "".join(f"[^{numbers[citation]}]" for citation in one.citations)
            yield f"- {'' if one.supported else '**unsupported:** '}{_plain(one.text)}{notes}"
    if summary.left_out:
        yield ""
        yield f"Not in this summary: {_plain('; '.join(summary.left_out))}."
    yield ""
    for citation, number in numbers.items():
        yield f"[^{number}]: {citation.start}-{citation.end}: {_quoted(document, citation)}"


def _quoted(document: ParsedDocument, citation: Citation) -> str:
    return f"“{_plain(' '.join(document.quote(citation).split()))}”"


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
