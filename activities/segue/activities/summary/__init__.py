"""A long document summarised: what matters in it, part by part, each sentence with the place that it rests on.

    from segue.activities import documents, summary

    call = documents.parse(transcript, "q3.txt")
    found = summary.summarise(call, words=250)
    for part in found.parts:
        print(part.title, [one.text for one in part.statements])

Without a model it is made of the document's own sentences. A model writes parts in its own words; what code cannot bear
out by what a sentence cites is removed or marked. `docs/analysis.md` says more. As a workflow:
`segue.workflows.analysis.SummariseDocument`.

Needs `pip install "segue[documents]"`.
"""

from __future__ import annotations

from segue.activities.summary._extract import summarise
from segue.activities.summary._html import to_html
from segue.activities.summary._markdown import to_markdown
from segue.activities.summary._steps import (
    Drawn,
    DrawSummary,
    SummaryReport,
    WritePart,
    WriteSummary,
    WrittenPart,
    draw_summary,
    system,
    write_part,
    write_summary,
    writing,
)
from segue.activities.summary._summary import Part, Statement, Summary
from segue.activities.summary._topics import CALL, CONTRACT, Kind, Topic
from segue.activities.summary._writing import Unsupported

__all__ = [
    # summaries
    "Summary",
    "Part",
    "Statement",
    # what is told
    "Kind",
    "Topic",
    "CALL",
    "CONTRACT",
    # for the code of activities
    "summarise",
    "to_html",
    "to_markdown",
    # steps of workflows
    "system",
    "writing",
    "DrawSummary",
    "Drawn",
    "draw_summary",
    "WritePart",
    "WrittenPart",
    "Unsupported",
    "write_part",
    "WriteSummary",
    "SummaryReport",
    "write_summary",
]
