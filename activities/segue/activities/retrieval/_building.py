"""From documents to a published index: only what changed is done, and what was done survives the process.

The file is built in the worker's cache under the key of what it is to hold, one transaction a document. An attempt that
follows a crash on the same machine goes on with that file; on another machine it begins with the state that was
published last. Vectors that were paid for are found again either way.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from temporalio import activity

from segue.activities import objects
from segue.activities.documents import Document, opened
from segue.activities.errors import Terminal
from segue.activities.heartbeat import progress
from segue.activities.idempotency import idempotency_key
from segue.activities.llm import Usage
from segue.activities.objects import ObjectNotFound, ObjectRef
from segue.activities.retrieval._errors import InvalidIndex
from segue.activities.retrieval._file import FORMAT, Entry, IndexFile
from segue.activities.retrieval._passages import passages
from segue.activities.retrieval._published import digest_of, fetched, latest, publish, published, working
from segue.activities.retrieval._requests import BuildIndex, BuildProgress, Index
from segue.activities.retrieval._vectors import vectors_of

__all__ = ["built"]


async def built(request: BuildIndex) -> Index:
    """Return the index of the documents, built and published if it is not."""
    wanted = {(entry := Entry.of(document)).key: (entry, document) for document in await _documents(request)}
    model = request.embeddings
    settings = [str(FORMAT), str(request.characters), model.name if model else "", model.base_url if model else ""]
    key = digest_of([*settings, *sorted(wanted)])
    step = idempotency_key() if activity.in_activity() else ""
    if (state := await _complete(request.index, key)) is not None:
        if state.step != step or not step:
            # Another step has built it, so there was nothing left to do.
            return state.model_copy(update={"added": 0, "removed": 0, "unchanged": state.documents, "usage": Usage()})
        return state
    path = working(key)
    await _begun(request, path, settings)
    with await asyncio.to_thread(IndexFile.create, path) as file:
        there = await asyncio.to_thread(file.entries)
        add = [one for key, one in wanted.items() if key not in there]
        remove = sorted(there - wanted.keys())
        total = len(add) + len(remove)
        for done, gone in enumerate(remove, 1):
            await asyncio.to_thread(file.remove, gone)
            _report(done, total)
        for done, (entry, document) in enumerate(add, len(remove) + 1):
            await _add(file, entry, document, request)
            _report(done, total)
        complete = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
        about = await asyncio.to_thread(_settled, file, complete, request, step)
    state = await publish(request.index, key, complete, about)
    await asyncio.to_thread(_removed, path)
    return state


async def _complete(index: str, key: str) -> Index | None:
    state = await published(index, key)
    with contextlib.suppress(ObjectNotFound):
        if state is not None:
            await objects.info(state.ref.url)
            return state
    return None


async def _add(file: IndexFile, entry: Entry, document: Document, request: BuildIndex) -> None:
    parsed = await opened(document)
    found = await asyncio.to_thread(passages, parsed, request.characters)
    vectors = None
    usage = Usage()
    if request.embeddings is not None:
        vectors, usage = await vectors_of(found, request.embeddings, request.index)
    await asyncio.to_thread(file.add, entry, found, vectors, usage)


def _settled(file: IndexFile, path: Path, request: BuildIndex, step: str) -> Index:
    file.settle(path)
    documents, added = len(file.entries()), file.added()
    return Index(
        ref=ObjectRef(url=objects.join(request.index, "unpublished"), size_bytes=0),
        documents=documents,
        passages=file.passages(),
        added=added,
        removed=file.removed(),
        unchanged=documents - added,
        characters=request.characters,
        embeddings=request.embeddings.name if request.embeddings is not None else "",
        usage=file.usage(),
        step=step,
    )


async def _begun(request: BuildIndex, path: Path, settings: list[str]) -> None:
    """See to it that there is a file to build in: that of an attempt before, of the state before, or a new one."""
    if await asyncio.to_thread(_is_usable, path):
        return
    source: Path | None = None
    with contextlib.suppress(ObjectNotFound):  # somebody has deleted what was published last
        if (before := await latest(request.index)) is not None:
            source = await fetched(before.ref)
    await asyncio.to_thread(_copied, source, path, json.dumps(settings))


def _is_usable(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        IndexFile.create(path).connection.close()
    except InvalidIndex:  # a disk that was full, or a power cut
        _removed(path)
        return False
    return True


def _copied(source: Path | None, path: Path, settings: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    try:
        if source is not None:
            shutil.copyfile(source, part)
            if not _is_continued(part, settings):
                part.unlink()
        with IndexFile.create(part) as file:
            file.note("settings", settings)
        # Of two attempts at once, both go on with the file of the one that was first.
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)


def _is_continued(path: Path, settings: str) -> bool:
    """Return whether what a file holds can be kept, and count from there if so."""
    try:
        with IndexFile.create(path) as file:
            if file.about("settings") != settings:  # other passages, or other vectors
                return False
            file.begin()
    except InvalidIndex:  # of another version
        return False
    return True


def _removed(path: Path) -> None:
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


async def _documents(request: BuildIndex) -> Sequence[Document]:
    listed = [document for ref in request.lists async for document in _listed(ref)]
    return [*request.documents, *listed]


async def _listed(ref: ObjectRef) -> AsyncIterator[Document]:
    content = await objects.read(ref)
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record: Any = json.loads(line)
            yield Document.model_validate(record.get("result", record))
        except (ValueError, AttributeError) as error:
            raise Terminal(f"Object {ref.url!r}: line {number} is no document: {error}") from error


def _report(done: int, total: int) -> None:
    if activity.in_activity():
        progress(BuildProgress(done=done, total=total))
