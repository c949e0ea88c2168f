"""A report as Markdown, HTML and JSON: each claim leads to its words in their document, and what made it is said.

Pure text out of pure values. The HTML is one file that needs nothing else, and whatever stands in it was escaped.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from segue.activities.generation.score import Score
from segue.activities.research.evidence import Quote, Section

__all__ = ["Report", "Unread", "answer_text", "as_html", "as_markdown"]

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}a{color:#0b57d0;text-decoration:none}"
    "sup a{padding:0 .1em}blockquote{margin:.2rem 0;padding-left:.8rem;border-left:3px solid #ccc;white-space:pre-wrap}"
    "li:target{background:#fff6d6}.note{color:#555;font-size:.9rem}mark{background:#ffe1e1}"
    "table{border-collapse:collapse}td,th{border:1px solid #ddd;padding:.2rem .6rem;text-align:left}"
)


class Unread(BaseModel):
    """A source that could not be read.

    Attributes:
        name: Which.
        problem: Why.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    problem: str


class Report(BaseModel):
    """An answer with all that it stands on.

    Attributes:
        version: Of this form.
        question: What was asked.
        sections: The answer.
        quotes: Each quote once, in the order in which it is cited; a citation's number is its place here, from 1.
        scores: How well the answer meets its requirements.
        total: The same in all.
        engines: What made it.
        documents: How many documents were searched.
        unread: Sources that could not be read.
        unanswered: The questions to which nothing was found.
        removed: How many sentences were removed because nothing supports them.
        tokens: What the models read and wrote.
        cost_usd: What that cost; None where a model has no price.
    """

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    question: str
    sections: tuple[Section, ...]
    quotes: tuple[Quote, ...]
    scores: tuple[Score, ...] = ()
    total: float = 1.0
    engines: tuple[str, ...]
    documents: int
    unread: tuple[Unread, ...] = ()
    unanswered: tuple[str, ...] = ()
    removed: int = 0
    tokens: int = 0
    cost_usd: float | None = 0.0

    def numbers(self, quotes: Sequence[Quote]) -> list[int]:
        """Return the numbers of some quotes."""
        return sorted({self.quotes.index(quote) + 1 for quote in quotes})


def answer_text(sections: Sequence[Section]) -> str:
    """Return an answer as plain text with its quotes, for whoever scores it."""
    parts: list[str] = []
    for section in sections:
        lines = [
            f"{one.text} " + " ".join(f'["{" ".join(quote.text.split())}", {quote.name}]' for quote in one.quotes)
            for one in section.sentences
        ]
        parts.append("\n".join([f"## {section.question.text}", *(lines or ["The documents do not answer this."])]))
    return "\n\n".join(parts)


def as_markdown(report: Report) -> str:
    """Return a report as Markdown, with a numbered list of its quotes."""
    lines = [f"# {_escaped(report.question)}", "", f"*{_escaped(_made_by(report))}*", ""]
    for section in report.sections:
        if len(report.sections) > 1:
            lines += [f"## {'Answer' if section.question.number == 0 else _escaped(section.question.text)}", ""]
        if not section.sentences:
            lines += ["The documents do not answer this.", ""]
        for sentence in section.sentences:
            cites = "".join(f" [[{number}]](#quote-{number})" for number in report.numbers(sentence.quotes))
            text = _escaped(sentence.text)
            lines.append(f"- {text}{cites}" if sentence.supported else f"- ⚠ **unsupported:** ~~{text}~~{cites}")
        lines.append("")
    lines += _notes(report)
    if report.scores:
        lines += ["## Requirements", "", "| Requirement | Score | Reason | By |", "|---|---|---|---|"]
        lines += [
            f"| {_cell(one.requirement)} | {one.score:.2f}{' ✓' if one.met else ''} | {_cell(one.reason)} | "
            f"{_cell(one.engine)} |"
            for one in report.scores
        ]
        lines += ["", f"Total: {report.total:.2f}", ""]
    lines += ["## Quotes", ""]
    for number, quote in enumerate(report.quotes, 1):
        lines.append(
            f'{number}. <a id="quote-{number}"></a>“{_escaped(" ".join(quote.text.split()))}” {_escaped(_where(quote))}'
        )
    return "\n".join(lines).rstrip() + "\n"


def as_html(report: Report) -> str:
    """Return a report as a page of HTML; each citation leads to its quote, which says where it stands."""
    e = html.escape
    body = [f"<h1>{e(report.question)}</h1>", f'<p class="note">{e(_made_by(report))}</p>']
    for section in report.sections:
        if len(report.sections) > 1:
            body.append(f"<h2>{e('Answer' if section.question.number == 0 else section.question.text)}</h2>")
        if not section.sentences:
            body.append('<p class="note">The documents do not answer this.</p>')
            continue
        said: list[str] = []
        for sentence in section.sentences:
            cites = "".join(f'<a href="#quote-{n}">[{n}]</a>' for n in report.numbers(sentence.quotes))
            text = e(sentence.text)
            if not sentence.supported:
                text = f'<mark title="{e(sentence.problem, quote=True)}"><s>{text}</s> (unsupported)</mark>'
            said.append(f"<li>{text}<sup>{cites}</sup></li>")
        body.append(f"<ul>{''.join(said)}</ul>")
    body += [f'<p class="note">{e(line.strip("*"))}</p>' for line in _notes(report) if line]
    if report.scores:
        rows = "".join(
            f"<tr><td>{e(one.requirement)}</td><td>{one.score:.2f}{' ✓' if one.met else ''}</td>"
            f"<td>{e(one.reason)}</td><td>{e(one.engine)}</td></tr>"
            for one in report.scores
        )
        body.append(
            "<h2>Requirements</h2><table><tr><th>Requirement</th><th>Score</th><th>Reason</th><th>By</th></tr>"
            f"{rows}</table><p>Total: {report.total:.2f}</p>"
        )
    body.append("<h2>Quotes</h2><ol>")
    for number, quote in enumerate(report.quotes, 1):
        at = quote.citation
        body.append(
            f'<li id="quote-{number}" data-document="{at.document}" data-start="{at.start}" data-end="{at.end}">'
            f"<blockquote>{e(quote.text)}</blockquote><cite>{e(_where(quote))}</cite></li>"
        )
    body.append("</ol>")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{e(report.question)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _made_by(report: Report) -> str:
    models = [engine for engine in report.engines if engine not in ("bm25", "hybrid", "rules")]
    searched = f"{report.documents:,} document{'' if report.documents == 1 else 's'} searched"
    if not models:
        return f"{searched}. Extractive: sentences of the documents, found by {report.engines[0]}; no model wrote this."
    cost = "" if report.cost_usd is None else f", ${report.cost_usd:.4f}"
    return f"{searched}. Made by {', '.join(report.engines)}; {report.tokens:,} tokens{cost}."


def _notes(report: Report) -> list[str]:
    lines: list[str] = []
    if report.removed:
        sentences = "sentence was" if report.removed == 1 else "sentences were"
        lines.append(f"*{report.removed} {sentences} removed: nothing in the documents supports them.*")
    lines += [f"*Nothing was found on: {_escaped(one)}*" for one in report.unanswered]
    if report.unread:
        named = "; ".join(f"{one.name} ({one.problem})" for one in report.unread[:10])
        more = f"; and {len(report.unread) - 10:,} more" if len(report.unread) > 10 else ""
        lines.append(f"*Could not be read: {_escaped(_line(named))}{more}*")
    return [part for line in lines for part in (line, "")]


def _where(quote: Quote) -> str:
    page = f", page {quote.page}" if quote.page else ""
    return f"{quote.name}{page}, characters {quote.citation.start:,} to {quote.citation.end:,}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, and that no HTML gets through."""
    text = html.escape(_line(text), quote=False)
    for mark in "\\`*_[]|":
        text = text.replace(mark, f"\\{mark}")
    return text


def _cell(text: str) -> str:
    return _escaped(text)
