"""The documents that are to be read, as a list in an object: thousands of them are more than a history has room for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

from segue.activities import objects
from segue.activities.documents import Document
from segue.activities.errors import Terminal
from segue.activities.extraction.requests import ListTargets, Target, Targets
from segue.activities.objects import ObjectRef

__all__ = ["listed"]

_PAGE = 1000


async def listed(request: ListTargets) -> Targets:
    """Write the list, and return where it is. The same documents are the same list.

    Raises:
        Terminal: There are none, or a line of a list is no document.
        InvalidForm: This worker does not have the form as the caller does, or it cannot serve.
    """
    form = request.form.pinned()
    targets: dict[str, Target] = {}
    async for target in _targets(request):
        # A file that is named twice, by its path and by its URL too, is read once.
        targets.setdefault(_place(target), target)
    if not targets:
        where = f" below {request.prefix!r}" if request.prefix is not None else ""
        raise Terminal(f"There are no documents to read{where}", type="NoDocuments")
    content = "".join(f"{target.model_dump_json(exclude_defaults=True)}\n" for target in targets.values())
    digest = hashlib.sha256(content.encode()).hexdigest()
    ref = await objects.write(objects.join(request.store, "targets", f"{digest}.jsonl"), content)
    return Targets(form=form, ref=ref, count=len(targets))


async def _targets(request: ListTargets) -> AsyncIterator[Target]:
    if request.prefix is not None:
        own = await _folder(request.store)
        after: str | None = None
        while True:
            page = await objects.list_objects(
                objects.ListObjects(prefix=request.prefix, start_after=after, limit=_PAGE)
            )
            for ref in page.objects:
                # What the extraction itself writes may lie below what it reads.
                if not ref.url.startswith(own) and not ref.url.endswith("/"):
                    yield Target(url=ref.url)
            if (after := page.next_start_after) is None:
                break
    for url in request.urls:
        yield Target(url=url)
    for document in request.documents:
        yield Target(document=document)
    for ref in request.lists:
        async for target in _of_list(ref):
            yield target


def _place(target: Target) -> str:
    from segue.activities.objects._address import Address

    return f"{target.document}" if target.url is None else Address.parse(target.url).url


async def _folder(store: str) -> str:
    from segue.activities.objects._address import Address

    return Address.parse(store, prefix=True).url.rstrip("/") + "/"


async def _of_list(ref: ObjectRef) -> AsyncIterator[Target]:
    for number, line in enumerate((await objects.read(ref)).splitlines(), 1):
        if not line.strip():
            continue
        try:
            record: dict[str, Any] = json.loads(line)
            record = record.get("result", record)
            yield (
                Target(document=Document.model_validate(record))
                if "digest" in record
                else Target.model_validate(record)
            )
        except (ValueError, AttributeError) as error:
            raise Terminal(f"Object {ref.url!r}: line {number} is no document: {error}") from error
