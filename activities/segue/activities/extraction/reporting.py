"""What came of all documents: counts, what failed, what is slow, what people are to see; as JSON and as Markdown."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from segue.activities import objects
from segue.activities.extraction.form import fields_of
from segue.activities.extraction.records import Extraction
from segue.activities.extraction.requests import (
    Extracted,
    ExtractionReport,
    Failed,
    FieldCount,
    OpenQuestion,
    ReportExtraction,
    Target,
)
from segue.activities.llm import Usage
from segue.activities.objects import ObjectRef

__all__ = ["reported"]

_SHOWN: Final = 20


class _Totals:
    """Counts, added up document by document."""

    def __init__(self, fields: Sequence[str]) -> None:
        self.done = 0
        self.values = 0
        self.found = Counter[str]()
        self.counts = Counter[str]()
        self.unsettled = Counter[str]()
        self.engines = Counter[str]()
        self.usage = Usage()
        self.seconds: list[tuple[float, str]] = []
        self.fields = fields

    def add(self, one: Extracted) -> None:
        self.done += 1
        self.values += sum(one.values.values())
        self.found.update(field for field, count in one.values.items() if count)
        self.counts.update(one.values)
        self.unsettled.update(one.unsettled)
        self.engines.update(one.engines)
        self.usage += one.usage
        self.seconds.append((one.seconds, one.document.name))

    def by_field(self) -> dict[str, FieldCount]:
        names = [*self.fields, *(name for name in self.unsettled if name not in self.fields)]
        return {
            name: FieldCount(found=self.found[name], values=self.counts[name], questions=self.unsettled[name])
            for name in names
        }


async def reported(request: ReportExtraction) -> ExtractionReport:
    """Write the reports, and return what they say in short."""
    fields = [field.name for field in fields_of(request.how.form.load())]
    totals = _Totals(fields)
    questions: list[str] = []
    async for one in _results(request.parts):
        totals.add(one)
        if one.unsettled:
            questions += [line async for line in _questions(one)]
    names = await _names(request)
    told = _told(request, totals, names)
    content = json.dumps(told, indent=2, ensure_ascii=False)
    key = hashlib.sha256(content.encode()).hexdigest()[:16]
    folder = objects.join(request.how.store, "reports")
    asked = "".join(f"{line}\n" for line in questions)
    return ExtractionReport(
        form=request.how.form.name,
        documents=request.targets.count,
        done=totals.done,
        failed=request.failed,
        values=totals.values,
        unsettled=len(questions),
        fields=totals.by_field(),
        engines=dict(totals.engines),
        usage=totals.usage,
        seconds=request.seconds,
        report=await objects.write(f"{folder}/{key}.json", content),
        markdown=await objects.write(f"{folder}/{key}.md", _markdown(told)),
        questions=await objects.write(f"{folder}/{key}-questions.jsonl", asked) if questions else None,
    )


async def _results(parts: Sequence[ObjectRef]) -> AsyncIterator[Extracted]:
    for part in parts:
        for line in (await objects.read(part)).splitlines():
            yield Extracted.model_validate(json.loads(line)["result"])


async def _questions(one: Extracted) -> AsyncIterator[str]:
    extraction = Extraction.model_validate_json(await objects.read(one.extraction))
    for question in extraction.questions:
        yield OpenQuestion(document=one.document, extraction=one.extraction, question=question).model_dump_json()


async def _names(request: ReportExtraction) -> dict[int, str]:
    """Return what the documents are called that could not be read."""
    if not request.failures:
        return {}
    wanted = {failure.index for failure in request.failures}
    lines = (await objects.read(request.targets.ref)).splitlines()
    named: dict[int, str] = {}
    for index in wanted:
        target = Target.model_validate_json(lines[index])
        named[index] = target.url or (target.document.name if target.document is not None else "")
    return named


def _told(request: ReportExtraction, totals: _Totals, names: dict[int, str]) -> dict[str, Any]:
    seconds = sorted(totals.seconds)
    return {
        "form": request.how.form.model,
        "documents": request.targets.count,
        "done": totals.done,
        "failed": request.failed,
        "values": totals.values,
        "fields": {name: count.model_dump() for name, count in totals.by_field().items()},
        "engines": dict(totals.engines),
        "usage": totals.usage.model_dump(),
        "throughput": {
            "seconds": round(request.seconds, 3),
            "documents_a_minute": round(totals.done / request.seconds * 60, 1) if request.seconds else None,
            "reading_seconds_a_document": round(sum(one for one, _ in seconds) / len(seconds), 3) if seconds else None,
            "slowest": [{"document": name, "seconds": one} for one, name in reversed(seconds[-5:])],
        },
        "errors": _errors(request.failures, names),
        "errors_not_shown": max(0, request.failed - len(request.failures)),
    }


def _errors(failures: Sequence[Failed], names: dict[int, str]) -> list[dict[str, Any]]:
    kinds = Counter(failure.type for failure in failures)
    return [
        {
            "type": kind,
            "count": count,
            "documents": [
                {"document": names.get(failure.index, str(failure.index)), "message": failure.message}
                for failure in failures
                if failure.type == kind
            ][:_SHOWN],
        }
        for kind, count in kinds.most_common()
    ]


def _markdown(told: dict[str, Any]) -> str:
    throughput: dict[str, Any] = told["throughput"]
    lines = [
        f"# Extraction: {told['form'].rpartition(':')[2]}",
        "",
        f"{told['done']:,} of {told['documents']:,} documents read in {throughput['seconds']:,.1f} s"
        + (f" ({throughput['documents_a_minute']:,} a minute)" if throughput["documents_a_minute"] else "")
        + f", {told['failed']:,} failed. {told['values']:,} values, by "
        + (", ".join(f"{engine} ({count:,})" for engine, count in told["engines"].items()) or "nothing")
        + ".",
        "",
        "| field | documents with a value | values | to look at |",
        "|---|---:|---:|---:|",
        *(
            f"| {name or '(the form as a whole)'} | {count['found']:,} | {count['values']:,} | {count['questions']:,} |"
            for name, count in told["fields"].items()
        ),
        "",
    ]
    if told["errors"]:
        lines += ["## Documents that were not read", ""]
        for kind in told["errors"]:
            lines += [f"**{kind['type']}** ({kind['count']:,})", ""]
            lines += [f"- {_cell(one['document'])}: {_cell(one['message'])}" for one in kind["documents"]]
            lines.append("")
    if throughput["slowest"]:
        lines += ["## Slowest", ""]
        lines += [f"- {_cell(one['document'])}: {one['seconds']:.2f} s" for one in throughput["slowest"]]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
