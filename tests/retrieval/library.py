"""What the tests of retrieval share: leases and licences that differ in their words, and a workflow over them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from segue.activities import documents, retrieval
    from segue.activities.documents import Document, LoadDocument
    from segue.activities.retrieval import BuildIndex, Hits, Index, Search
    from segue.workflows import fan_out

# Each says who may hand the contract on, and each in words of its own; filler keeps the passages apart.
TRANSFERS = (
    "The tenant may not assign this lease, nor transfer it, without the landlord's consent.",
    "No assignment or transfer of this licence is allowed unless the licensor consents in writing.",
    "Neither party may transfer or assign its rights to others without prior written consent.",
    "The buyer shall not assign this order; any transfer without consent is void.",
    "A transfer of the contract to another company needs the consent of the bank.",
)
FILLER = (
    "The premises are kept clean and dry. Heating is provided from October to April on every day of the week. ",
    "Invoices are due within thirty days. Interest on arrears is charged at two percent above the base rate. ",
    "Notices are sent by registered mail to the address that stands above, or by fax if a fax is agreed. ",
)


def text(number: int) -> str:
    """A contract of four sections, a passage each."""
    return "\n\n".join(
        [
            f"CONTRACT NUMBER {number}",
            "1. Care",
            f"1.1 {FILLER[0] * 4}",
            "2. Money",
            f"2.1 The price is {100 + number} dollars. {FILLER[1] * 4}",
            "3. Succession",
            f"3.1 {TRANSFERS[number % len(TRANSFERS)]} {FILLER[2] * 3}",
            "4. Notices",
            f"4.1 {FILLER[2] * 4}",
        ]
    )


def written(folder: Path, count: int) -> list[str]:
    """Write contracts into a folder, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"contract-{number}.txt" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_text(text(number))
    return [str(path) for path in paths]


async def loaded(folder: Path, count: int) -> list[Document]:
    """Write contracts into a folder, and load them: the even ones are labelled `kind=even`, all of them `year=2020`."""
    return [
        await documents.load_document(
            LoadDocument(
                url=url, store=str(folder / "store"), labels={"kind": ("even", "odd")[number % 2], "year": "2020"}
            )
        )
        for number, url in enumerate(written(folder / "sources", count))
    ]


class Asked(BaseModel):
    urls: list[str]
    store: str
    query: str
    limit: int = 3


class Answered(BaseModel):
    index: Index
    hits: Hits


@workflow.defn
class AskLibrary:
    """Loads documents by a fan-out whose results are objects, indexes them, and asks."""

    @workflow.run
    async def run(self, asked: Asked) -> Answered:
        loading = [LoadDocument(url=url, store=asked.store) for url in asked.urls]
        stored = await fan_out(documents.load_document, loading, batch=2, results_to=f"{asked.store}/loaded")
        index = await workflow.execute_activity(
            retrieval.build_index, BuildIndex(index=f"{asked.store}/index", lists=tuple(stored.parts))
        )
        hits = await workflow.execute_activity(
            retrieval.search, Search(index=index, query=asked.query, limit=asked.limit, neighbours=1)
        )
        return Answered(index=index, hits=hits)


ACTIVITIES: list[Callable[..., Any]] = [documents.load_document, retrieval.build_index, retrieval.search]
