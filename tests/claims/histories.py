"""What a history holds, decoded: each payload, each message of a failure, each summary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent

__all__ = ["held", "phrases"]


def held(events: Iterable[HistoryEvent]) -> str:
    """All that is said in some events, with single spaces, as it was before it became JSON."""
    told = "\n".join(text for event in events for text in _texts(event))
    for escaped, plain in ((r"\n", " "), (r"\t", " "), (r"\"", '"'), (r"\u2019", "\u2019")):
        told = told.replace(escaped, plain)
    return " ".join(told.split())


def phrases(text: str, words: int = 4) -> set[str]:
    """Each row of so many words that a text has."""
    found = re.findall(r"\S+", text)
    return {" ".join(found[at : at + words]) for at in range(len(found) - words + 1)}


def _texts(message: Message) -> Iterator[str]:
    if isinstance(message, Payload):
        yield message.data.decode(errors="replace")
        return
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            values = [value[key] for key in value]
            yield from (str(key) for key in value)
        else:
            values = list(value) if field.is_repeated else [value]
        for one in values:
            if isinstance(one, Message):
                yield from _texts(one)
            elif isinstance(one, bytes):
                yield one.decode(errors="replace")
            elif isinstance(one, str):
                yield one
