"""Parsers in processes of their own: they crash, hang, outgrow their memory and are let go, and the worker goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.documents.files import docx, paragraph

from segue.activities.documents import DocumentTooLarge, Limits, ParsedDocument, ParserFailed, UnknownKind, parse
from segue.activities.documents.parsers import parsed_apart

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the parsers' processes in /proc")

LONG = b"1. Keeper keeps the lamp. (a) Lit; (b) clean. " * 60_000


def children(pid: int | None = None) -> set[int]:
    """The processes that a process has started and not yet seen end."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid or os.getpid()}/task").iterdir():
        found.update(int(child) for child in (task / "children").read_text().split())
    return found


def at_work(pid: int) -> bool:
    """Whether a process is a parser that has used processor time in the last moment; a process that is gone has not."""

    def used() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    try:
        before = used()
        time.sleep(0.05)
        return b"parser_main" in Path(f"/proc/{pid}/cmdline").read_bytes() and used() > before
    except (FileNotFoundError, ProcessLookupError):
        return False


async def parser_at_work(*, other_than: int = 0) -> int:
    """Wait until one of this process's parsers parses, and return its process id."""
    while True:
        for pid in children() - {other_than}:
            if await asyncio.to_thread(at_work, pid):
                return pid
        await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
async def warm() -> AsyncIterator[None]:
    """A parser that has started, so that what is at work in a test is the test's document."""
    await parsed_apart(b"text", "warm.txt", None, Limits())
    yield
    await parsed_apart(b"text", "still.txt", None, Limits())


async def test_what_a_parser_returns_is_what_parse_returns() -> None:
    """The process adds nothing and takes nothing away."""
    data = docx(paragraph("1. Keep the Lamp lit."))
    outcome = await parsed_apart(data, "a.docx", None, Limits())
    parsed = parse(data, "a.docx")
    assert ParsedDocument.model_validate_json(outcome.content) == parsed
    assert outcome.counts.model_dump() == {
        "digest": parsed.digest,
        "media_type": parsed.media_type,
        "characters": len(parsed.text),
        "pages": 0,
        "clauses": 1,
        "warnings": 0,
    }


async def test_a_refusal_comes_through_as_it_is() -> None:
    """The error that a document is refused with is the same from a process."""
    with pytest.raises(UnknownKind) as caught:
        await parsed_apart(b"\x89PNG\r\n\x1a\n", "a.png", None, Limits())
    assert caught.value.message == (
        "Document 'a.png' is an image: have its text recognised (OCR), and load the PDF or text that comes of it"
    )
    assert caught.value.name == "a.png"


async def test_a_parser_that_is_killed_is_replaced_once() -> None:
    """One crash may be the machine's; two are the document's."""
    parsing = asyncio.create_task(parsed_apart(LONG, "long.txt", None, Limits()))
    os.kill(await parser_at_work(), signal.SIGSEGV)
    assert (await parsing).counts.characters == len(LONG.rstrip()) + 1

    parsing = asyncio.create_task(parsed_apart(LONG, "long.txt", None, Limits()))
    first = await parser_at_work()
    os.kill(first, signal.SIGSEGV)
    # Whether it still loads its libraries or is at the document: it is the document's parser.
    os.kill(await parser_at_work(other_than=first), signal.SIGSEGV)
    with pytest.raises(ParserFailed) as caught:
        await parsing
    assert caught.value.message == "Document 'long.txt' crashed its parser twice: it is broken or hostile"


async def test_a_parser_is_stopped_after_its_time() -> None:
    """A document that does not come to an end is refused, and the next one is parsed."""
    started = time.monotonic()
    with pytest.raises(ParserFailed) as caught:
        await parsed_apart(LONG, "long.txt", None, Limits(seconds=0.2))
    assert time.monotonic() - started < 5
    assert caught.value.message == (
        "Document 'long.txt' was not parsed within 0.2 seconds: split it, or raise Limits.seconds"
    )


async def test_a_document_that_takes_too_much_memory_is_refused() -> None:
    """The memory of a parser is bounded, and the worker's is not touched."""
    with pytest.raises(DocumentTooLarge) as caught:
        await parsed_apart(LONG * 4, "long.txt", None, Limits(memory_bytes=300_000_000))
    assert caught.value.message == (
        "Document 'long.txt' takes over 300,000,000 bytes of memory to parse: split it, or raise Limits.memory_bytes"
    )


async def test_whoever_stops_waiting_stops_the_parser() -> None:
    """A cancelled step leaves no parser behind that works for nobody."""
    parsing = asyncio.create_task(parsed_apart(LONG, "long.txt", None, Limits()))
    pid = await parser_at_work()
    parsing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await parsing
    while pid in children():
        await asyncio.sleep(0.01)


async def test_the_event_loop_turns_meanwhile() -> None:
    """While documents are parsed, the worker's event loop is free for heartbeats."""
    parsing = asyncio.gather(*(parsed_apart(LONG, f"{number}.txt", None, Limits()) for number in range(3)))
    longest, last = 0.0, time.monotonic()
    while not parsing.done():
        await asyncio.sleep(0.01)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    assert len(await parsing) == 3
    assert longest < 2


@pytest.fixture
def program(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that parses without end, in the way of a worker."""
    script = tmp_path / "worker.py"
    script.write_text(
        "import asyncio\n"
        "from segue.activities.documents import Limits\n"
        "from segue.activities.documents.parsers import parsed_apart\n"
        "async def main():\n"
        "    while True:\n"
        "        await parsed_apart(b'1. Lamp. ' * 200_000, 'a.txt', None, Limits())\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen([sys.executable, str(script)])
    yield process
    process.kill()
    process.wait()


def test_parsers_end_with_a_worker_that_is_killed(program: subprocess.Popen[bytes]) -> None:
    """A worker that is killed leaves no parser running."""
    deadline = time.monotonic() + 60
    while not (parsers := children(program.pid)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    program.kill()
    while any(Path(f"/proc/{pid}").exists() for pid in parsers):
        assert time.monotonic() < deadline
        time.sleep(0.05)
