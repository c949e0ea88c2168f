"""The steps of workflows that compare documents. Histories hold references, counts and spans, no text."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from segue.activities import llm, objects
from segue.activities.comparison._compare import compare
from segue.activities.comparison._explaining import asked, explained
from segue.activities.comparison._explanations import Explanation, Explanations
from segue.activities.comparison._findings import Comparison, Finding, Kind
from segue.activities.comparison._html import to_html
from segue.activities.comparison._markdown import to_markdown
from segue.activities.comparison.values import Rule
from segue.activities.documents import Citation, Document, opened
from segue.activities.errors import Terminal
from segue.activities.objects import ObjectPrefix, ObjectRef
from segue.activities.policy import Policy
from segue.activities.system import System

__all__ = [
    "Compared",
    "CompareVersions",
    "ExplainFinding",
    "Explained",
    "MaterialFinding",
    "Report",
    "WriteReport",
    "compare_versions",
    "explain_finding",
    "explaining",
    "system",
    "write_report",
]

# Of the rules and the report: what was compared by other ones is another object.
_VERSION: Final = "2"

system = System(
    "comparison",
    policy=Policy(start_to_close_timeout=timedelta(minutes=15), heartbeat_timeout=timedelta(seconds=30)),
)

explaining = System(
    "comparison-explanations",
    # A report without a model's words is still a report.
    policy=Policy(
        start_to_close_timeout=timedelta(minutes=5), heartbeat_timeout=timedelta(seconds=30), maximum_attempts=6
    ),
)
"""The model that explains findings."""


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class CompareVersions(_Request):
    """Compare two versions of a document.

    Attributes:
        before: The earlier version.
        after: The later version.
        store: Folder of the result. The same versions, compared again, are the same object.
        listed: How many findings the result lists itself, the weightiest first; the object holds them all.
    """

    before: Document
    after: Document
    store: ObjectPrefix
    listed: int = Field(default=50, ge=0, le=500)


class MaterialFinding(_Request):
    """A finding that matters, as a history holds it: where it stands, and no text.

    Attributes:
        id: Its name in the reports.
        kind: What became of the clause.
        rules: The rules that say that it matters.
        weight: How much it matters, by the rules, from 0 to 10.
        before: The clause, or clauses, in the earlier version.
        after: The clause, or clauses, in the later version.
    """

    id: str
    kind: Kind
    rules: tuple[Rule, ...]
    weight: int
    before: tuple[Citation, ...]
    after: tuple[Citation, ...]


class Compared(_Request):
    """What a comparison found.

    Attributes:
        comparison: The object that holds it, a `Comparison` as JSON.
        kinds: How many findings there are of each kind.
        unchanged: How many clauses did not change.
        findings: How many findings there are.
        matter: How many of them matter.
        unjudged: How many of them no rule can read, because they are not in English.
        material: Those that matter, the weightiest first, as many as were asked for.
        engine: What found them.
    """

    comparison: ObjectRef
    kinds: dict[Kind, int]
    unchanged: int
    findings: int
    matter: int
    material: tuple[MaterialFinding, ...]
    engine: str
    unjudged: int = 0


class ExplainFinding(_Request):
    """Have a model explain a finding.

    Attributes:
        finding: Its id.
        comparison: The object that holds it.
        before: The earlier version.
        after: The later version.
        model: The model.
        store: Folder of what it says.
    """

    finding: str
    comparison: ObjectRef
    before: Document
    after: Document
    model: llm.Model
    store: ObjectPrefix


class Explained(_Request):
    """What a model said of a finding.

    Attributes:
        finding: The finding's id.
        explanation: The object that holds its words, an `Explanation` as JSON.
        importance: How much the finding matters to it, from 1 to 5.
        removed: How many of its sentences were removed.
        engine: The model.
        usage: What it took.
    """

    finding: str
    explanation: ObjectRef
    importance: int
    removed: int
    engine: str
    usage: llm.Usage


class WriteReport(_Request):
    """Write the reports of a comparison.

    Attributes:
        comparison: The object that holds it.
        before: The earlier version.
        after: The later version.
        store: Folder of the reports.
        explanations: The objects that hold a model's words.
        engine: The model.
    """

    comparison: ObjectRef
    before: Document
    after: Document
    store: ObjectPrefix
    explanations: tuple[ObjectRef, ...] = ()
    engine: str = ""


class Report(_Request):
    """The reports of a comparison.

    Attributes:
        html: As a page, both texts side by side.
        markdown: As Markdown.
        data: As JSON: the `comparison`, and a model's `explanations`, or null.
    """

    html: ObjectRef
    markdown: ObjectRef
    data: ObjectRef


@system.activity(name="segue.comparison.compare")
async def compare_versions(request: CompareVersions) -> Compared:
    """Compare two versions, and return where the result lies.

    Raises:
        ObjectNotFound, ObjectChanged, ObjectRefused, ObjectsUnavailable: As their docstrings say.
    """
    before, after = await opened(request.before), await opened(request.after)
    found = await asyncio.to_thread(compare, before, after, names=_names(request.before, request.after))
    key = objects.join(request.store, "comparisons", _key(request.before, request.after), "comparison.json")
    written = await objects.write(key, found.model_dump_json(), content_type="application/json")
    material = found.material
    return Compared(
        comparison=written,
        kinds=found.counts(),
        unchanged=found.unchanged,
        findings=len(found.findings),
        matter=len(material),
        unjudged=len(found.unjudged),
        material=tuple(_listed(finding) for finding in material[: request.listed]),
        engine=found.engine,
    )


@explaining.activity(name="segue.comparison.explain")
async def explain_finding(request: ExplainFinding) -> Explained:
    """Have a model explain a finding, and return where its words lie.

    Raises:
        ModelError, ModelUnavailable: As `segue.activities.llm` lists them.
    """
    before, after = await opened(request.before), await opened(request.after)
    comparison = await _read(request.comparison)
    finding = next((one for one in comparison.findings if one.id == request.finding), None)
    if finding is None:
        raise Terminal(f"Comparison {request.comparison.url!r} has no finding {request.finding!r}")
    answer = await llm.chat(asked(finding, before, after, request.model, request.store))
    said = explained(answer.text, finding, before, after)
    content = said.model_dump_json()
    digest = hashlib.sha256(content.encode()).hexdigest()
    key = objects.join(request.store, "explanations", digest[:2], f"{digest}.json")
    return Explained(
        finding=finding.id,
        explanation=await objects.write(key, content, content_type="application/json"),
        importance=said.importance,
        removed=said.removed,
        engine=answer.engine,
        usage=answer.usage,
    )


@system.activity(name="segue.comparison.report")
async def write_report(request: WriteReport) -> Report:
    """Write the reports of a comparison, and return where they lie.

    Raises:
        ObjectNotFound, ObjectChanged, ObjectRefused, ObjectsUnavailable: As their docstrings say.
    """
    before, after = await opened(request.before), await opened(request.after)
    comparison = await _read(request.comparison)
    said = await _explanations(request)
    html = await asyncio.to_thread(to_html, comparison, before, after, said)
    markdown = await asyncio.to_thread(to_markdown, comparison, before, after, said)
    spoken = "null" if said is None else said.model_dump_json()
    content = f'{{"comparison":{comparison.model_dump_json()},"explanations":{spoken}}}'
    folder = objects.join(request.store, "comparisons", _key(request.before, request.after, *request.explanations))
    return Report(
        html=await objects.write(objects.join(folder, "report.html"), html, content_type="text/html"),
        markdown=await objects.write(objects.join(folder, "report.md"), markdown, content_type="text/markdown"),
        data=await objects.write(objects.join(folder, "report.json"), content, content_type="application/json"),
    )


def _names(before: Document, after: Document) -> tuple[str, str]:
    """Return what tells two versions apart: their names, or else their paths from where these part."""
    if before.name != after.name:
        return before.name, after.name
    paths = [one.source.url.split("/") for one in (before, after)]
    shared = 0
    while shared < min(map(len, paths)) - 1 and paths[0][shared] == paths[1][shared]:
        shared += 1
    names = ["/".join(path[shared:]) for path in paths]
    return (names[0], names[1]) if names[0] != names[1] else (before.name, after.name)


def _listed(finding: Finding) -> MaterialFinding:
    return MaterialFinding(
        id=finding.id,
        kind=finding.kind,
        rules=tuple(dict.fromkeys(flag.rule for flag in finding.flags)),
        weight=finding.weight,
        before=finding.before,
        after=finding.after,
    )


async def _read(ref: ObjectRef) -> Comparison:
    return Comparison.model_validate_json(await objects.read(ref))


async def _explanations(request: WriteReport) -> Explanations | None:
    if not request.explanations:
        return None
    said = await asyncio.gather(*(objects.read(ref) for ref in request.explanations))
    return Explanations(engine=request.engine, explanations=tuple(Explanation.model_validate_json(one) for one in said))


def _key(before: Document, after: Document, *explanations: ObjectRef) -> str:
    """Return what tells a result from others, short enough for a folder's name."""
    told: Sequence[str | None] = (
        _VERSION,
        before.parsed.sha256,
        after.parsed.sha256,
        *(_names(before, after) if before.name == after.name else ()),
        *(ref.sha256 for ref in explanations),
    )
    return hashlib.sha256("\0".join(map(str, told)).encode()).hexdigest()[:24]
