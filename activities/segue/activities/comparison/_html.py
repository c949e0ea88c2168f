"""The report as one HTML file: what was found, beside both texts. It needs nothing but a browser, not even scripts.

Each finding links to its place in both versions: `#F7` is its row, `#F7-before` and `#F7-after` the text on either
side, `#F7-before-2` what its second flag is about.
"""

from __future__ import annotations

import functools
import html
import importlib.resources
import re
from collections.abc import Iterator, Sequence
from typing import Final

from segue.activities.comparison._explanations import UNSUPPORTED, Explanation, Explanations
from segue.activities.comparison._findings import Comparison, Finding, Flag
from segue.activities.comparison._rows import Row, rows_of
from segue.activities.comparison._text import pieces, title
from segue.activities.documents.parsed import Clause, ParsedDocument
from segue.activities.documents.spans import Span

__all__ = ["to_html"]

# More clauses in a row that did not change are folded away.
_SHOWN: Final = 3

_KINDS: Final = {
    "edited": "edited",
    "inserted": "inserted",
    "deleted": "deleted",
    "split": "split",
    "merged": "merged",
    "redivided": "redivided",
    "moved": "moved",
    "renumbered": "renumbered",
    "unchanged": "reference",
}


def to_html(
    comparison: Comparison, before: ParsedDocument, after: ParsedDocument, explanations: Explanations | None = None
) -> str:
    """Return the report as a page that holds all it needs.

    Args:
        comparison: What was found.
        before: The earlier version, of which it was found.
        after: The later version.
        explanations: What a model says of the findings, if one was asked.
    """
    ordered = [*comparison.material, *comparison.unjudged, *comparison.immaterial]
    if explanations is not None:
        ordered.sort(key=lambda finding: -_importance(explanations.of(finding.id)))
    texts = before.text, after.text
    return "".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_text(comparison.before.name)} and {_text(comparison.after.name)}: comparison</title>",
            f"<style>{_style()}</style></head><body>",
            '<input type="radio" name="shown" id="show-material" checked>',
            '<input type="radio" name="shown" id="show-all">',
            _header(comparison, explanations),
            '<div class="page"><nav aria-label="Findings">',
            _choice(comparison),
            *(_entry(finding, explanations) for finding in ordered),
            _nothing(comparison),
            '</nav><main><div class="row names"><div>',
            f"<b>{_text(comparison.before.name)}</b></div><div><b>{_text(comparison.after.name)}</b></div></div>",
            *_rows(rows_of(comparison, before, after), texts),
            "</main></div></body></html>\n",
        )
    )


@functools.cache
def _style() -> str:
    style = importlib.resources.files("segue.activities.comparison").joinpath("report.css").read_text(encoding="utf-8")
    return re.sub(r"\s*\n\s*", "\n", re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)).strip()


def _header(comparison: Comparison, explanations: Explanations | None) -> str:
    count, material = len(comparison.findings), len(comparison.material)
    kinds = "".join(
        f'<span class="kind {kind}">{number} {_KINDS[kind]}</span>' for kind, number in comparison.counts().items()
    )
    told = (
        f"Found by rules; explained and put in order by <b>{_text(explanations.engine)}</b>."
        if explanations is not None
        else "Found by rules. No model took part."
    )
    return (
        f"<header><p class='eyebrow'>Comparison</p><h1><span>{_text(comparison.before.name)}</span>"
        f"<i>→</i><span>{_text(comparison.after.name)}</span></h1>"
        f"<p class='lead'><b>{material}</b> of {count} {_plural(count, 'difference')} matter. {_unjudged(comparison)}"
        f"{comparison.unchanged} {_plural(comparison.unchanged, 'clause')} did not change.</p>"
        f"<p class='kinds'>{kinds}</p><p class='engine'>{told}</p></header>"
    )


def _unjudged(comparison: Comparison) -> str:
    count = len(comparison.unjudged)
    if not count:
        return ""
    what = "is in another language and is" if count == 1 else "are in another language and are"
    return f"The rules are English: {count} {_plural(count, 'difference')} {what} not judged. "


def _choice(comparison: Comparison) -> str:
    return (
        '<div class="choice">'
        f'<label for="show-material">What matters <b>{len(comparison.material)}</b></label>'
        f'<label for="show-all">Everything <b>{len(comparison.findings)}</b></label></div>'
    )


def _nothing(comparison: Comparison) -> str:
    if not comparison.findings:
        return '<p class="nothing">The two versions say the same.</p>'
    return (
        ""
        if comparison.material or comparison.unjudged
        else '<p class="nothing if-material">No rule says that a difference matters.</p>'
    )


def _entry(finding: Finding, explanations: Explanations | None) -> str:
    reasons = "".join(f"<li>{_reason(finding, number, flag)}</li>" for number, flag in enumerate(finding.flags, 1))
    if not finding.judged:
        reasons = "<li>Not judged: the rules are English, and this is another language.</li>"
    said = _said(explanations.of(finding.id), explanations.engine) if explanations is not None else ""
    return (
        f'<article class="entry{_minor(finding)}"><a class="to" href="#{finding.id}">'
        f"<span class='kind {finding.kind}'>{_kind(finding)}</span>"
        f"<b>{_text(title(finding))}</b></a>"
        f"{f'<ul>{reasons}</ul>' if reasons else ''}{said}"
        f"<p class='sides'><a href='#{finding.id}-before'>before</a><a href='#{finding.id}-after'>after</a></p>"
        "</article>"
    )


def _minor(finding: Finding) -> str:
    return "" if finding.flags or not finding.judged else " minor"


def _reason(finding: Finding, number: int, flag: Flag) -> str:
    side = "after" if len(flag.after) or not len(flag.before) else "before"
    reason = _text(flag.reason)
    return f"<span class='rule'>{flag.rule}</span><a href='#{finding.id}-{side}-{number}'>{reason}</a>"


def _said(explanation: Explanation | None, engine: str) -> str:
    if explanation is None:
        return ""
    removed = (
        f" <small>{explanation.removed} {_plural(explanation.removed, 'sentence')} removed: {UNSUPPORTED}.</small>"
        if explanation.removed
        else ""
    )
    told = f"{_text(explanation.text)} <small>In the words of {_text(engine)}.</small>" if explanation.text else ""
    return f"<p class='said'>{told}{removed}</p>" if told or removed else ""


def _rows(rows: Sequence[Row], texts: tuple[str, str]) -> Iterator[str]:
    quiet: list[Row] = []
    for row in [*rows, None]:
        if row is not None and row.finding is None:
            quiet.append(row)
            continue
        yield from _folded(quiet, texts)
        quiet = []
        if row is not None and row.finding is not None:
            yield _departed(row.finding) if row.departed else _differing(row.finding, texts)


def _folded(rows: Sequence[Row], texts: tuple[str, str]) -> Iterator[str]:
    shown = [_quiet(row, texts) for row in rows]
    if len(rows) <= _SHOWN:
        yield from shown
        return
    yield shown[0]
    yield f"<details><summary>{len(rows) - 2} clauses that did not change</summary>"
    yield from shown[1:-1]
    yield "</details>"
    yield shown[-1]


def _quiet(row: Row, texts: tuple[str, str]) -> str:
    assert row.before is not None
    assert row.after is not None
    heading = " heading" if row.after.kind == "heading" else ""
    return f'<div class="row quiet{heading}">{_plain(texts[0], row.before)}{_plain(texts[1], row.after)}</div>'


def _plain(text: str, clause: Clause) -> str:
    return f"<div>{_text(text[clause.start : clause.end])}</div>"


def _departed(finding: Finding) -> str:
    return (
        f'<div class="row departed"><div><a href="#{finding.id}">{_text(title(finding))} stands elsewhere now ↘</a>'
        "</div><div></div></div>"
    )


def _differing(finding: Finding, texts: tuple[str, str]) -> str:
    sides = "".join(
        f'<div id="{finding.id}-{"after" if after else "before"}">{_side(finding, texts[after], after)}</div>'
        for after in (False, True)
    )
    badges = "".join(f"<span class='rule'>{rule}</span>" for rule in dict.fromkeys(one.rule for one in finding.flags))
    return (
        f'<section class="row finding {finding.kind}{_minor(finding)}" id="{finding.id}">'
        f"<h2><a href='#{finding.id}'>{finding.id}</a><span class='kind {finding.kind}'>{_kind(finding)}</span>"
        f"{_text(title(finding))}{badges}</h2>{sides}</section>"
    )


def _side(finding: Finding, text: str, after: bool) -> str:
    places: Sequence[Span] = finding.after if after else finding.before
    if finding.kind == ("deleted" if after else "inserted"):
        return "<p class='none'>not in this version</p>"
    return "".join(f"<p>{''.join(_marked(finding, text, place, after))}</p>" for place in places)


def _marked(finding: Finding, text: str, place: Span, after: bool) -> Iterator[str]:
    tag, side = ("ins", "after") if after else ("del", "before")
    for piece in pieces(text, place, finding, after=after):
        yield from (f'<a class="mark" id="{finding.id}-{side}-{number}"></a>' for number in piece.anchors)
        shown = _text(piece.text)
        shown = f"<mark>{shown}</mark>" if piece.flagged else shown
        yield f"<{tag}>{shown}</{tag}>" if piece.changed else shown


def _kind(finding: Finding) -> str:
    kind = _KINDS[finding.kind]
    return f"{kind}, moved" if finding.moved and finding.kind != "moved" else kind


def _importance(explanation: Explanation | None) -> int:
    return explanation.importance if explanation is not None else 0


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"


def _text(text: str) -> str:
    return html.escape(text, quote=True)
