"""A comparison as rows, both versions side by side: what differs, and what stands between as it was."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Sequence

from segue.activities.comparison._findings import Comparison, Finding
from segue.activities.documents.parsed import Clause, ParsedDocument
from segue.activities.documents.spans import Span

__all__ = ["Row", "rows_of"]


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        before: The clause in the earlier version, of a row without a finding.
        after: The clause in the later version, likewise.
        finding: What differs.
        departed: Whether the finding's clause has moved from here to its row elsewhere.
    """

    before: Clause | None = None
    after: Clause | None = None
    finding: Finding | None = None
    departed: bool = False


def rows_of(comparison: Comparison, before: ParsedDocument, after: ParsedDocument) -> list[Row]:
    """Return the rows in the later version's order.

    What has no finding neither changed nor moved, so it stands in the same order in both versions.
    """
    quiet = list(
        zip(
            _without_finding(before, [one.before for one in comparison.findings]),
            _without_finding(after, [one.after for one in comparison.findings]),
            strict=True,
        )
    )
    placed: list[tuple[tuple[int, int], Row]] = [
        ((there.start, -1), Row(before=here, after=there)) for here, there in quiet
    ]
    placed += [
        ((finding.after[0].start, number), Row(finding=finding)) for number, finding in enumerate(comparison.findings)
    ]
    rows = [row for _, row in sorted(placed, key=lambda one: one[0])]
    return _with_departures(rows)


def _without_finding(document: ParsedDocument, cited: Sequence[Sequence[Span]]) -> list[Clause]:
    spans = {(one.start, one.end) for citations in cited for one in citations}
    return [
        clause
        for clause in document.clauses
        if clause.kind not in ("furniture", "contents") and (clause.start, clause.end) not in spans
    ]


def _with_departures(rows: list[Row]) -> list[Row]:
    """Return the rows, and one at each place that a clause has moved away from."""
    starts: list[int] = []
    places: list[int] = []
    for index, row in enumerate(rows):
        start = _start(row)
        if start is not None and (not starts or start > starts[-1]):
            starts.append(start)
            places.append(index)
    departures: list[tuple[int, Row]] = []
    for row in rows:
        if row.finding is not None and row.finding.moved:
            place = bisect.bisect_left(starts, row.finding.before[0].start) - 1
            departures.append((places[place] if place >= 0 else -1, Row(finding=row.finding, departed=True)))
    for index, departure in sorted(departures, key=lambda one: one[0], reverse=True):
        rows.insert(index + 1, departure)
    return rows


def _start(row: Row) -> int | None:
    """Return where a row that has kept its order stands in the earlier version."""
    if row.before is not None:
        return row.before.start
    if row.finding is None or row.finding.moved or not len(row.finding.before[0]):
        return None
    return row.finding.before[0].start
