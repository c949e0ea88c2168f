"""Two versions of a document compared: which clause is which, which words changed, and what of it matters.

    from segue.activities import comparison, documents

    before, after = documents.parse(signed, "2024.docx"), documents.parse(proposed, "2025.docx")
    found = comparison.compare(before, after)
    for finding in found.material:                # the weightiest first
        print(finding.kind, [flag.reason for flag in finding.flags], before.quote(finding.before[0]))
    page = comparison.to_html(found, before, after)

Rules find, and every finding has its place in both versions. A model may explain findings and put them in order; it
finds nothing. `docs/analysis.md` says more. As a workflow: `segue.workflows.analysis.CompareDocuments`.

Needs `pip install "segue[documents]"`.
"""

from __future__ import annotations

from segue.activities.comparison._align import Link, align
from segue.activities.comparison._compare import compare
from segue.activities.comparison._explanations import Explanation, Explanations
from segue.activities.comparison._findings import Change, Comparison, Finding, Flag, Kind, Version
from segue.activities.comparison._html import to_html
from segue.activities.comparison._markdown import to_markdown
from segue.activities.comparison._steps import (
    Compared,
    CompareVersions,
    Explained,
    ExplainFinding,
    MaterialFinding,
    Report,
    WriteReport,
    compare_versions,
    explain_finding,
    explaining,
    system,
    write_report,
)
from segue.activities.comparison._words import Unit, units_of
from segue.activities.comparison.values import Rule

__all__ = [
    # findings
    "Comparison",
    "Version",
    "Finding",
    "Kind",
    "Change",
    "Flag",
    "Rule",
    # how clauses belong together
    "Unit",
    "Link",
    "units_of",
    "align",
    # for the code of activities
    "compare",
    "to_html",
    "to_markdown",
    # what a model says
    "Explanation",
    "Explanations",
    # steps of workflows
    "system",
    "explaining",
    "CompareVersions",
    "Compared",
    "MaterialFinding",
    "compare_versions",
    "ExplainFinding",
    "Explained",
    "explain_finding",
    "WriteReport",
    "Report",
    "write_report",
]
