"""A report as Markdown, HTML and JSON: each claim leads to its words in their document, and what made it is said.

Pure text out of pure values. The HTML is one file that needs nothing else, and whatever stands in it was escaped.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
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


_NO_MODELS: Final = ("bm25", "hybrid", "rules")


class Unread(BaseModel):
    """A source that could not be read.

    Attributes:
        name: Which: its path below the folder that was read.
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
        doubtful: The questions whose answers are extracts that lack most of their words.
        removed: How many sentences were removed because nothing supports them.
        tokens: What the models read and wrote.
        cost_usd: What that cost; None where a model has no price.
        stopped: The bound of the budget at which no model was asked any more; empty if none was reached.
        failures: Types of the errors of models for which rules stood in, and of searches that failed.
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
    doubtful: tuple[str, ...] = ()
    removed: int = 0
    tokens: int = 0
    cost_usd: float | None = 0.0
    stopped: str = ""
    failures: tuple[str, ...] = ()

    @property
    def writers(self) -> tuple[str, ...]:
        """The models that wrote some of its sentences."""
        wrote = [sentence.engine for section in self.sections for sentence in section.sentences]
        return tuple(dict.fromkeys(engine for engine in wrote if engine not in _NO_MODELS))

    @property
    def asked_models(self) -> bool:
        """Whether a model was asked at all, or would have been."""
        models = any(engine not in _NO_MODELS for engine in (*self.engines, *self.writers))
        return bool(models or self.tokens or self.stopped or any(":" not in one for one in self.failures))

    def names(self) -> dict[str, str]:
        """Return what each source of a quote is called: its name, and its path where several have the name."""
        sources: dict[str, list[str]] = {}
        for quote in self.quotes:
            if quote.source not in sources.setdefault(quote.name, []):
                sources[quote.name].append(quote.source)
        return {
            source: name if len(alike) == 1 else _apart(source, alike)
            for name, alike in sources.items()
            for source in alike
        }

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
        lines += [part for note in _section_notes(report, section) for part in (f"*{_escaped(note)}*", "")]
        for sentence in section.sentences:
            cites = "".join(f" [[{number}]](#quote-{number})" for number in report.numbers(sentence.quotes))
            text = _escaped(sentence.text)
            lines.append(f"- {text}{cites}" if sentence.supported else f"- ⚠ **unsupported:** ~~{text}~~{cites}")
        lines.append("")
    lines += [part for note in _notes(report) for part in (f"*{_escaped(note)}*", "")]
    if report.scores:
        lines += ["## Requirements", "", "| Requirement | Score | Reason | By |", "|---|---|---|---|"]
        lines += [
            f"| {_cell(one.requirement)} | {one.score:.2f}{' ✓' if one.met else ''} | {_cell(one.reason)} | "
            f"{_cell(one.engine)} |"
            for one in report.scores
        ]
        lines += ["", f"Total: {report.total:.2f}", ""]
    lines += ["## Quotes", ""]
    names = report.names()
    for number, quote in enumerate(report.quotes, 1):
        at = _escaped(_where(quote, names))
        lines.append(f'{number}. <a id="quote-{number}"></a>“{_escaped(" ".join(quote.text.split()))}” {at}')
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
        body += [f'<p class="note">{e(note)}</p>' for note in _section_notes(report, section)]
        said: list[str] = []
        for sentence in section.sentences:
            cites = "".join(f'<a href="#quote-{n}">[{n}]</a>' for n in report.numbers(sentence.quotes))
            text = e(sentence.text)
            if not sentence.supported:
                text = f'<mark title="{e(sentence.problem, quote=True)}"><s>{text}</s> (unsupported)</mark>'
            said.append(f"<li>{text}<sup>{cites}</sup></li>")
        body.append(f"<ul>{''.join(said)}</ul>")
    body += [f'<p class="note">{e(note)}</p>' for note in _notes(report)]
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
    names = report.names()
    for number, quote in enumerate(report.quotes, 1):
        at = quote.citation
        body.append(
            f'<li id="quote-{number}" data-document="{at.document}" data-start="{at.start}" data-end="{at.end}">'
            f"<blockquote>{e(quote.text)}</blockquote><cite>{e(_where(quote, names))}</cite></li>"
        )
    body.append("</ol>")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{e(report.question)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _made_by(report: Report) -> str:
    searched = f"{report.documents:,} document{'' if report.documents == 1 else 's'} searched"
    cost = "" if report.cost_usd is None else f", ${report.cost_usd:.4f}"
    took = f"{report.tokens:,} tokens{cost}"
    if not report.writers:
        said = f"{searched}. Extractive: sentences of the documents, found by {report.engines[0]}; no model wrote this."
        return said if not report.tokens else f"{said} Models were asked: {took}."
    return f"{searched}. Made by {', '.join(report.engines)}; {took}."


def _section_notes(report: Report, section: Section) -> list[str]:
    """Return what made a section, where that is not said of the whole report, and what speaks against it."""
    notes: list[str] = []
    if section.sentences and report.asked_models:
        if section.engine in _NO_MODELS:
            notes.append("Extracted by rules, word for word: a model wrote nothing here that its quotes support.")
        elif section.judged:
            by = section.judge or "a model"
            notes.append(f"Written by {section.engine}; {by} looked whether the quotes support it.")
        else:
            notes.append(f"Written by {section.engine}; no model judged it, only rules, which are stricter then.")
    if section.question.text in report.doubtful and section.lacking:
        notes.append(f"This may be no answer: none of its quotes has the words {', '.join(section.lacking)}.")
    return notes


def _notes(report: Report) -> list[str]:
    """Return what is to be said of the report as a whole."""
    lines: list[str] = []
    if report.removed:
        sentences = "sentence was" if report.removed == 1 else "sentences were"
        lines.append(f"{report.removed} {sentences} removed: nothing in the documents supports them.")
    lines += [f"Nothing was found on: {one}" for one in report.unanswered]
    if report.stopped:
        lines.append(f"The budget was used up ({report.stopped}): no model was asked from then on.")
    if report.failures:
        lines.append(f"What failed, and rules stood in for: {'; '.join(report.failures)}")
    if report.unread:
        named = "; ".join(f"{one.name} ({one.problem})" for one in report.unread[:10])
        more = f"; and {len(report.unread) - 10:,} more" if len(report.unread) > 10 else ""
        lines.append(f"Could not be read: {named}{more}")
    return lines


def _apart(source: str, alike: Sequence[str]) -> str:
    """Return the end of a source's path from where it differs from others of the same name."""
    parts = [one.split("/") for one in alike]
    same = next(
        (at for at, level in enumerate(zip(*parts, strict=False)) if len(set(level)) > 1), min(map(len, parts)) - 1
    )
    return "/".join(source.split("/")[same:])


def _where(quote: Quote, names: Mapping[str, str]) -> str:
    page = f", page {quote.page}" if quote.page else ""
    return f"{names[quote.source]}{page}, characters {quote.citation.start:,} to {quote.citation.end:,}"


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
