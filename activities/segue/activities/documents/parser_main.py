"""The program of a parser's process: documents come in on standard input, their texts go out on standard output.

Each message is a header, as JSON, and a body; before each stands its length in eight bytes. `parsers` is the other end.
"""

from __future__ import annotations

import json
import os
import select
import sys
from typing import Any, BinaryIO, Final

from segue.activities.documents.errors import DocumentRefused, DocumentTooLarge
from segue.activities.documents.limits import Limits
from segue.activities.documents.parsing import parse

__all__ = ["main", "receive", "send"]

IDLE_SECONDS: Final = 120.0
"""A process that nobody gives anything to do ends itself after this, and what its libraries hold goes with it."""

# What a library has once taken it seldom gives back.
_MOST_BYTES: Final = 700_000_000

_LENGTH: Final = 8


def main() -> None:
    """Parse what comes, until nothing does."""
    source = sys.stdin.buffer
    # What a library prints must not stand among the messages.
    target = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while select.select([source], [], [], IDLE_SECONDS)[0]:
        message = receive(source)
        if message is None:
            return
        header, data = message
        answer, body = _answer(header, data)
        answer["last"] = _is_grown()
        send(target, answer, body)
        if answer["last"]:
            return


def send(target: BinaryIO, header: dict[str, Any], body: bytes) -> None:
    """Write a message."""
    head = json.dumps(header).encode()
    for part in (head, body):
        target.write(len(part).to_bytes(_LENGTH, "big"))
        target.write(part)
    target.flush()


def receive(source: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """Return the next message; None if the other end is gone."""
    parts: list[bytes] = []
    for _ in range(2):
        length = source.read(_LENGTH)
        if len(length) < _LENGTH:
            return None
        size = int.from_bytes(length, "big")
        part = source.read(size)
        if len(part) < size:
            return None
        parts.append(part)
    return json.loads(parts[0]), parts[1]


def _answer(header: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    name = header["name"]
    limits = Limits.model_validate(header["limits"])
    try:
        _limit_memory(limits.memory_bytes)
        parsed = parse(data, name, header["media_type"], limits=limits)
        body = parsed.model_dump_json().encode()
    except DocumentRefused as error:
        return {"refusal": type(error).__name__, "message": error.message}, b""
    except MemoryError:
        message = f"Document {name!r} takes over {limits.memory_bytes:,} bytes of memory to parse: split it, or raise "
        return {"refusal": DocumentTooLarge.__name__, "message": f"{message}Limits.memory_bytes"}, b""
    except ImportError as error:
        return {"missing": str(error), "module": error.name}, b""
    except Exception as error:
        return {"refusal": "ParserFailed", "message": f"Document {name!r} made its parser fail: {error!r}"[:500]}, b""
    counts = {
        "digest": parsed.digest,
        "media_type": parsed.media_type,
        "characters": len(parsed.text),
        "pages": len(parsed.pages),
        "clauses": len(parsed.clauses),
        "warnings": len(parsed.warnings),
    }
    return {"counts": counts}, body


def _limit_memory(size_bytes: int) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = size_bytes if hard == resource.RLIM_INFINITY else min(size_bytes, hard)
    # macOS has the limit's name, and does not keep it.
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _is_grown() -> bool:
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used * (1 if sys.platform == "darwin" else 1024) > _MOST_BYTES
