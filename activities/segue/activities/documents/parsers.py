"""Parsers in processes of their own, so that a hostile file ends a parser and not the worker.

    outcome = await parsed_apart(data, "contract.pdf", None, Limits())
    outcome.counts.clauses, outcome.content         # the ParsedDocument, as JSON

A worker has as many as it has processors, started when they are first needed; other documents wait.
A parser that is over its time is killed, one that crashes is replaced, and the worker's event loop turns all the while.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, cast

from pydantic import BaseModel

from segue.activities.documents.errors import REFUSALS, ParserFailed
from segue.activities.documents.limits import Limits
from segue.activities.documents.parser_main import receive, send

__all__ = ["Counts", "Outcome", "parsed_apart"]

_MOST_PARSERS: Final = 8


class Counts(BaseModel):
    """What a document's reference says of its text."""

    digest: str
    media_type: str
    characters: int
    pages: int
    clauses: int
    warnings: int


class Outcome(NamedTuple):
    """A parsed document.

    Attributes:
        counts: What its reference says of it.
        content: The `ParsedDocument`, as JSON.
    """

    counts: Counts
    content: bytes


async def parsed_apart(data: bytes, name: str, media_type: str | None, limits: Limits) -> Outcome:
    """Parse a document in a process of its own. A caller that is cancelled takes its parser with it.

    Raises:
        DocumentRefused: The document cannot be read as it is, or its parser crashed twice or was over its time.
        ImportError: The reader's library is not installed.
    """
    job = _Job(data, name, media_type, limits)
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads(), job.run)
    except asyncio.CancelledError:
        job.stop()
        raise


class _Job:
    """One document to parse: a thread waits for it, and the event loop may stop it."""

    def __init__(self, data: bytes, name: str, media_type: str | None, limits: Limits) -> None:
        self._data = data
        self._name = name
        self._limits = limits
        self._header = {"name": name, "media_type": media_type, "limits": limits.model_dump()}
        self._lock = threading.Lock()
        self._parser: _Parser | None = None
        self._stopped = False
        self._late = False

    def run(self) -> Outcome:
        """Parse the document, a second time if the parser crashes: it may have been killed for want of memory."""
        for attempt in (1, 2):
            answer = self._asked()
            if answer is not None:
                return self._read(*answer)
            if self._late:
                raise ParserFailed(
                    f"Document {self._name!r} was not parsed within {self._limits.seconds:g} seconds: split it, or "
                    "raise Limits.seconds",
                    self._name,
                )
            if self._stopped or attempt == 2:
                break
        raise ParserFailed(f"Document {self._name!r} crashed its parser twice: it is broken or hostile", self._name)

    def stop(self) -> None:
        """Let go of the document, whether or not its parser has begun."""
        with self._lock:
            self._stopped = True
            if self._parser is not None:
                self._parser.kill()

    def _asked(self) -> tuple[dict[str, Any], bytes] | None:
        """Return a parser's answer; None if it died."""
        with self._lock:
            if self._stopped:
                return None
            self._parser = parser = _Parser.idle() or _Parser()
        timer = threading.Timer(self._limits.seconds, self._is_late)
        timer.daemon = True
        timer.start()
        try:
            answer = parser.ask(self._header, self._data)
        finally:
            timer.cancel()
            with self._lock:
                self._parser = None
        if answer is None or answer[0]["last"]:
            parser.end()
        else:
            parser.leave()
        return answer

    def _is_late(self) -> None:
        with self._lock:
            if self._parser is not None:
                self._late = True
                self._parser.kill()

    def _read(self, header: dict[str, Any], body: bytes) -> Outcome:
        if "counts" in header:
            return Outcome(Counts.model_validate(header["counts"]), body)
        if "missing" in header:
            raise ImportError(header["missing"], name=header["module"])
        raise REFUSALS[header["refusal"]](header["message"], self._name)


class _Parser:
    """One process that parses documents, one after another."""

    _idle: list[_Parser] = []  # noqa: RUF012 - the parsers of this process
    _idle_lock = threading.Lock()

    def __init__(self) -> None:
        # It finds what this process finds, wherever that was started.
        program = (
            f"import sys; sys.path[:] = {sys.path!r}; from segue.activities.documents.parser_main import main; main()"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=True
        )
        _end_at_exit()

    @classmethod
    def idle(cls) -> _Parser | None:
        """Return a parser that has nothing to do; None if all are at work."""
        with cls._idle_lock:
            while cls._idle:
                parser = cls._idle.pop()
                if parser._process.poll() is None:
                    return parser
                parser.end()
        return None

    @classmethod
    def end_all(cls) -> None:
        """End the parsers that have nothing to do."""
        with cls._idle_lock:
            for parser in cls._idle:
                parser.end()
            cls._idle.clear()

    def ask(self, header: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes] | None:
        """Return the answer to a document; None if the process died."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            send(cast("Any", process.stdin), header, data)
            return receive(cast("Any", process.stdout))
        except (BrokenPipeError, OSError, ValueError):
            return None

    def leave(self) -> None:
        """Be there for the next document."""
        with self._idle_lock:
            self._idle.append(self)

    def kill(self) -> None:
        """Make the process end at once; whoever waits for it finds it dead."""
        self._process.kill()

    def end(self) -> None:
        """End the process, and let go of it."""
        process = self._process
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()


@functools.cache
def _threads() -> ThreadPoolExecutor:
    # Each waits for one parser. What is more waits here, not in the threads that the worker has for other things.
    count = max(1, min(os.cpu_count() or 1, _MOST_PARSERS))
    return ThreadPoolExecutor(max_workers=count, thread_name_prefix="segue-documents")


@functools.cache
def _end_at_exit() -> None:
    atexit.register(_Parser.end_all)
