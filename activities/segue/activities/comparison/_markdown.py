"""The report as Markdown: what matters first, then the rest, each difference with its words and both its places."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

from segue.activities.comparison._explanations import UNSUPPORTED, Explanations
from segue.activities.comparison._findings import Comparison, Finding
from segue.activities.comparison._text import location, pieces, title
from segue.activities.documents.parsed import ParsedDocument
from segue.activities.documents.spans import Span

__all__ = ["to_markdown"]

# So much of what did not change is shown around what did.
_CONTEXT: Final = 120
_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>#|~])")


def to_markdown(
    comparison: Comparison, before: ParsedDocument, after: ParsedDocument, explanations: Explanations | None = None
) -> str:
    """Return the report as Markdown. `before` and `after` are the versions that were compared."""
    return "\n".join(_lines(comparison, (before.text, after.text), explanations)) + "\n"


def _lines(comparison: Comparison, texts: tuple[str, str], explanations: Explanations | None) -> Iterator[str]:
    versions = comparison.before, comparison.after
    yield f"# {_plain(versions[0].name)} → {_plain(versions[1].name)}"
    yield ""
    count = len(comparison.findings)
    yield (
        f"{len(comparison.material)} of {count} {'difference' if count == 1 else 'differences'} matter; "
        f"{comparison.unchanged} {'clause' if comparison.unchanged == 1 else 'clauses'} did not change. "
        + (
            f"Found by rules, explained by {_plain(explanations.engine)}."
            if explanations is not None
            else "Found by rules; no model took part."
        )
    )
    yield ""
    if unjudged := len(comparison.unjudged):
        what = "difference is" if unjudged == 1 else "differences are"
        yield f"The rules are English: {unjudged} {what} in another language, and not judged."
        yield ""
    yield "| version | clauses | document |"
    yield "|---|---:|---|"
    for name, version in zip(("before", "after"), versions, strict=True):
        yield f"| {name}: {_plain(version.name)} | {version.clauses} | `{version.document}` |"
    for heading, findings in (
        ("What matters", comparison.material),
        ("Not judged", comparison.unjudged),
        ("What else differs", comparison.immaterial),
    ):
        if findings:
            yield ""
            yield f"## {heading}"
            for finding in findings:
                yield ""
                yield from _told(finding, texts, explanations)


def _told(finding: Finding, texts: tuple[str, str], explanations: Explanations | None) -> Iterator[str]:
    moved = ", moved" if finding.moved and finding.kind != "moved" else ""
    yield f"### {finding.id}: {_plain(title(finding))} ({finding.kind}{moved})"
    yield ""
    for flag in finding.flags:
        yield f"- **{flag.rule}**: {_plain(flag.reason)}"
    if finding.flags:
        yield ""
    said = explanations.of(finding.id) if explanations is not None else None
    if said is not None and explanations is not None:
        if said.text:
            yield f"*{_plain(said.text)}* (in the words of {_plain(explanations.engine)})"
            yield ""
        if said.removed:
            noun = "sentence" if said.removed == 1 else "sentences"
            yield f"{said.removed} {noun} of {_plain(explanations.engine)} removed: {UNSUPPORTED}."
            yield ""
    if finding.kind not in ("moved", "renumbered", "unchanged"):
        for after, places in enumerate((finding.before, finding.after)):
            yield from _quoted(finding, texts[after], places, after=bool(after))
    yield f"before {location(finding.before)} · after {location(finding.after)}"


def _quoted(finding: Finding, text: str, places: Sequence[Span], *, after: bool) -> Iterator[str]:
    for place in places:
        if not len(place):
            continue
        shown = [
            (changed, "".join(piece.text for piece in group))
            for changed, group in itertools.groupby(
                pieces(text, place, finding, after=after), key=lambda piece: piece.changed
            )
        ]
        mark = "**" if after else "~~"
        parts = [
            _marked(part, mark) if changed else _shortened(part, index > 0, index < len(shown) - 1)
            for index, (changed, part) in enumerate(shown)
        ]
        yield f"> {'after' if after else 'before'}: {' '.join(''.join(parts).split())}"
        yield ""


def _marked(text: str, mark: str) -> str:
    """Return changed text between marks, which must touch it."""
    inner = text.strip()
    if not inner:
        return text
    start = text.index(inner[0])
    return f"{text[:start]}{mark}{_plain(inner)}{mark}{text[start + len(inner) :]}"


def _shortened(text: str, follows: bool, leads: bool) -> str:
    """Return unchanged text, or its ends beside what changed."""
    if len(text) <= 2 * _CONTEXT:
        return _plain(text)
    start = text[:_CONTEXT].rpartition(" ")[0] if follows else ""
    end = text[-_CONTEXT:].partition(" ")[2] if leads else ""
    return f"{_plain(start)} … {_plain(end)}"


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()) if "\n" in text else text)
