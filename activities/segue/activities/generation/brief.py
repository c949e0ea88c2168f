"""What is to be generated, kept as one object: the task, the requirements, the schema, and where the sources are.

It is written once, by the first step of a generation, and every later step refers to it. So a task enters a history at
most once, where workflow code gives it as text, and not at all where it is given as an object.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from segue.activities import objects
from segue.activities.documents import Document, ParsedDocument
from segue.activities.generation.functions import NotFound, function
from segue.activities.generation.requirement import InvalidRequirement, Requirement
from segue.activities.objects import ObjectPrefix, ObjectRef

__all__ = ["Assign", "Brief", "Source", "assigned", "opened_brief", "text_of"]

Source = Document | ObjectRef
"""What a draft is made from: a parsed document, or an object of UTF-8 text."""

MAXIMUM_TASK_BYTES: Final = 4 * 1024 * 1024

_TYPES: Final = {"md": "text/markdown", "txt": "text/plain", "json": "application/json", "html": "text/html"}


class Assign(BaseModel):
    """Write down what is to be generated, and look whether it can be scored.

    Attributes:
        task: What is asked for, as text or as the object that holds it.
        requirements: What it is scored by.
        output_schema: JSON schema of the output; None for text.
        sources: What it is made from.
        store: Object URL prefix.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, title="What is asked for")

    task: str | ObjectRef
    requirements: tuple[Requirement, ...] = ()
    output_schema: dict[str, Any] | None = None
    sources: tuple[Source, ...] = ()
    store: ObjectPrefix


class Brief(BaseModel):
    """What is to be generated.

    Attributes:
        version: Of this form.
        task: What is asked for.
        requirements: What it is scored by.
        output_schema: JSON schema of the output; None for text.
        sources: What it is made from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    task: str = Field(min_length=1)
    requirements: tuple[Requirement, ...] = ()
    output_schema: dict[str, Any] | None = None
    sources: tuple[Source, ...] = ()

    async def opened(self) -> tuple[ParsedDocument, ...]:
        """Return the sources with their text."""
        return tuple([await _opened(source) for source in self.sources])


async def assigned(request: Assign) -> ObjectRef:
    """Write a brief, and return its object.

    Raises:
        InvalidRequirement: A validator is none that this worker has.
    """
    for requirement in request.requirements:
        if requirement.validator is None:
            continue
        try:
            function(requirement.validator.path)
        except NotFound as error:
            raise InvalidRequirement(f"Requirement {requirement.name!r}: validator {error}") from error
    task = request.task if isinstance(request.task, str) else await text_of(request.task)
    if not task.strip():
        raise InvalidRequirement("The task is empty: say what is to be generated")
    brief = Brief(
        task=task,
        requirements=request.requirements,
        output_schema=request.output_schema,
        sources=request.sources,
    )
    return await put(request.store, "briefs", brief.model_dump_json(), "json")


async def opened_brief(ref: ObjectRef) -> Brief:
    """Return what is to be generated."""
    return Brief.model_validate_json(await objects.read(ref))


async def text_of(ref: ObjectRef) -> str:
    """Return the text of an object.

    Raises:
        InvalidRequirement: It is not UTF-8.
    """
    try:
        return (await objects.read(ref, maximum_bytes=MAXIMUM_TASK_BYTES)).decode()
    except UnicodeDecodeError as error:
        raise InvalidRequirement(f"Object {ref.url!r} is not UTF-8 text, from byte {error.start:,} on") from None


async def put(store: str, folder: str, text: str, extension: str) -> ObjectRef:
    """Write a text under its own digest, so that a repeated attempt writes the same object, and return it."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    url = objects.join(store, folder, f"{digest}.{extension}")
    return await objects.write(url, text, content_type=_TYPES.get(extension))


async def _opened(source: Source) -> ParsedDocument:
    if isinstance(source, Document):
        from segue.activities import documents

        return await documents.opened(source)
    data = await objects.read(source)
    name = source.url.rpartition("/")[2]
    try:
        return ParsedDocument(
            digest=source.sha256 or hashlib.sha256(data).hexdigest(),
            name=name,
            media_type="text/plain",
            text=data.decode(),
        )
    except UnicodeDecodeError as error:
        raise InvalidRequirement(
            f"Source {source.url!r} is not UTF-8 text, from byte {error.start:,} on: load it with load_document first"
        ) from None
