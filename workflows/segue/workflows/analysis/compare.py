"""Compare two versions of a document, and write the reports: deterministic workflow code.

report = await client.execute_workflow(
    CompareDocuments.run,
    Compare(before="contracts/2024.docx", after="contracts/2025.docx", store="s3://work/comparisons"),
    id="supply-2025", task_queue="documents",
)
report.html.url, report.matter, report.material[0].rules
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field
from temporalio import workflow

from segue.activities import comparison, llm
from segue.activities.comparison import Kind, MaterialFinding
from segue.activities.documents import Document
from segue.activities.objects import ObjectPrefix, ObjectRef
from segue.workflows.analysis.loading import Source, loaded
from segue.workflows.fanout import fan_out

__all__ = ["Compare", "CompareDocuments", "ComparisonReport"]

# Of one model, whose server says how much it takes.
_AT_ONCE = 4


class Compare(BaseModel):
    """What to compare.

    Attributes:
        before: The earlier version.
        after: The later version.
        store: Folder under which parsed documents, the comparison and its reports are written.
        model: Who explains the findings and puts them in order; without one, the rules' order stands.
        explained: How many findings are explained, the weightiest first.
        listed: How many of the findings that matter the result lists itself; the report has them all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    before: Source
    after: Source
    store: ObjectPrefix
    model: llm.Model | None = None
    explained: int = Field(default=20, ge=0, le=200)
    listed: int = Field(default=50, ge=0, le=500)


class ComparisonReport(BaseModel):
    """What was found, and where the reports lie. It holds no text of the documents.

    Attributes:
        before: The earlier version.
        after: The later version.
        html: The report as a page, both texts side by side.
        markdown: The report as Markdown.
        data: The report as JSON.
        kinds: How many findings there are of each kind.
        unchanged: How many clauses did not change.
        findings: How many findings there are.
        matter: How many of them matter.
        unjudged: How many of them no rule can read, because they are not in English.
        material: Those that matter, the weightiest first, as spans of both versions.
        engine: What found them.
        explained_by: The model that explained findings; empty if none did.
        explained: How many it explained.
        unexplained: How many it was asked about in vain.
        usage: What that took.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    before: Document
    after: Document
    html: ObjectRef
    markdown: ObjectRef
    data: ObjectRef
    kinds: dict[Kind, int]
    unchanged: int
    findings: int
    matter: int
    material: tuple[MaterialFinding, ...]
    engine: str
    explained_by: str = ""
    explained: int = 0
    unexplained: int = 0
    usage: llm.Usage = llm.Usage()
    unjudged: int = 0


@workflow.defn
class CompareDocuments:
    """Compares two versions of a document. Rules find; a model, where one is configured, explains and ranks."""

    @workflow.run
    async def run(self, request: Compare) -> ComparisonReport:
        """Return what was found, and where the reports lie."""
        before, after = await asyncio.gather(
            loaded(request.before, request.store, "the earlier version"),
            loaded(request.after, request.store, "the later version"),
        )
        found = await workflow.execute_activity(
            comparison.compare_versions,
            comparison.CompareVersions(
                before=before, after=after, store=request.store, listed=max(request.listed, request.explained)
            ),
            summary=f"{before.name} → {after.name}",
        )
        explained = await self._explained(request, found, before, after)
        report = await workflow.execute_activity(
            comparison.write_report,
            comparison.WriteReport(
                comparison=found.comparison,
                before=before,
                after=after,
                store=request.store,
                explanations=tuple(one.explanation for one in explained),
                engine=explained[0].engine if explained else "",
            ),
            summary=f"{found.matter} of {found.findings} findings matter",
        )
        asked = min(len(found.material), request.explained) if request.model is not None else 0
        return ComparisonReport(
            before=before,
            after=after,
            html=report.html,
            markdown=report.markdown,
            data=report.data,
            kinds=found.kinds,
            unchanged=found.unchanged,
            findings=found.findings,
            matter=found.matter,
            material=_ranked(found.material, explained)[: request.listed],
            engine=found.engine,
            explained_by=explained[0].engine if explained else "",
            explained=len(explained),
            unexplained=asked - len(explained),
            usage=sum((one.usage for one in explained), llm.Usage()),
            unjudged=found.unjudged,
        )

    async def _explained(
        self, request: Compare, found: comparison.Compared, before: Document, after: Document
    ) -> Sequence[comparison.Explained]:
        """Return what the model says of the weightiest findings. What it does not answer is left unexplained."""
        if request.model is None or not request.explained or not found.material:
            return ()
        questions = [
            comparison.ExplainFinding(
                finding=finding.id,
                comparison=found.comparison,
                before=before,
                after=after,
                model=request.model,
                store=request.store,
            )
            for finding in found.material[: request.explained]
        ]
        answers = await fan_out(comparison.explain_finding, questions, concurrency=_AT_ONCE, tolerate=1.0)
        return answers.results


def _ranked(
    findings: Sequence[MaterialFinding], explained: Sequence[comparison.Explained]
) -> tuple[MaterialFinding, ...]:
    """Return findings in the order in which the model puts them, and else as they are."""
    importance = {one.finding: one.importance for one in explained}
    return tuple(sorted(findings, key=lambda finding: -importance.get(finding.id, 0)))
