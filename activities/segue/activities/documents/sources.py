"""What documents a folder or bucket holds, a page at a time, so that a workflow can fan out over thousands.

page = await workflow.execute_activity(documents.list_sources, ListSources(prefix="s3://deals/2026"))
loads = [LoadDocument(url=source, store="s3://work/parsed") for source in page.sources]
"""

from __future__ import annotations

import fnmatch
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from segue.activities.documents.kinds import EXTENSIONS
from segue.activities.objects import ListObjects, ObjectPrefix, ObjectRef, ObjectUrl, list_objects

__all__ = ["ListSources", "Sources", "list_page"]

PATTERNS: Final = tuple(f"*.{extension}" for extension in EXTENSIONS)
"""Names of what a reader takes."""

_MOST_PAGES: Final = 50


class ListSources(BaseModel):
    """List what can be loaded of a folder and its subfolders, sorted by key.

    Attributes:
        prefix: The folder.
        patterns: Names to take, as a shell matches them, in any case; by default those of the kinds that are read. A
            pattern with a slash is matched against the key below the folder, any other against the name alone.
        start_after: Take only what sorts after this URL: `next_start_after` of the page before.
        limit: Most sources to return.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    prefix: ObjectPrefix
    patterns: tuple[str, ...] = Field(default=PATTERNS, min_length=1)
    start_after: ObjectUrl | None = None
    limit: int = Field(default=1000, ge=1, le=1000)


class Sources(BaseModel):
    """Some of what a folder holds.

    Attributes:
        sources: References, without digests: `LoadDocument` takes them as they are.
        next_start_after: Where the next page starts; None at the end.
        others: How many objects were passed over, because no pattern matches them or no URL of ours names them.
    """

    model_config = ConfigDict(frozen=True)

    sources: tuple[ObjectRef, ...]
    next_start_after: str | None = None
    others: int = 0


async def list_page(request: ListSources) -> Sources:
    """Return a page of the sources in a folder. It may hold fewer than asked for, and not be the last."""
    found: list[ObjectRef] = []
    others, start_after = 0, request.start_after
    for _ in range(_MOST_PAGES):
        page = await list_objects(ListObjects(prefix=request.prefix, start_after=start_after, limit=request.limit))
        others += page.skipped
        for index, ref in enumerate(page.objects):
            if _matches(ref.url, request):
                found.append(ref)
            else:
                others += 1
            if len(found) == request.limit:
                more = index + 1 < len(page.objects) or page.next_start_after is not None
                return Sources(sources=tuple(found), next_start_after=ref.url if more else None, others=others)
        start_after = page.next_start_after
        if start_after is None:
            break
    return Sources(sources=tuple(found), next_start_after=start_after, others=others)


def _matches(url: str, request: ListSources) -> bool:
    folder = request.prefix.rstrip("/")
    _, found, below = url.partition(f"{folder}/") if folder else ("", "", "")
    key = (below if found else url).lower()
    name = url.rpartition("/")[2].lower()
    return any(fnmatch.fnmatchcase(key if "/" in pattern else name, pattern.lower()) for pattern in request.patterns)
