"""What a worker logs: a line an event, readable in a terminal and in a container's log.

    17:42:05  WARNING  charge-1 • order-17, attempt 2: RuntimeError: card terminal busy

A step that fails shows its traceback once, at its first attempt, without the frames of the SDK.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

_QUIET: Final = ("temporalio", "httpx", "httpcore", "watchfiles", "asyncio", "opentelemetry")
_COLOURS: Final = {"DEBUG": "bright_black", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}

# Frames that are no part of what the step's author wrote.
_FOREIGN: Final = ("temporalio", "segue/workflows", "segue/workers", "concurrent/futures", "asyncio")


def configure() -> None:
    """Log to stderr: everything from INFO of the project's own code, warnings of the libraries."""
    from temporalio import activity, workflow

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(terminal=sys.stderr.isatty()))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for adapter in (activity.logger, workflow.logger):
        adapter.base_logger.setLevel(logging.INFO)
    # The line tells which step it is about in fewer words than a printed dictionary.
    activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_message = False


class LineFormatter(logging.Formatter):
    """Time, level if it is not INFO, the step it is about, the message."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__(datefmt="%H:%M:%S" if terminal else "%Y-%m-%dT%H:%M:%S%z")
        self._terminal = terminal

    def format(self, record: logging.LogRecord) -> str:
        """See base class."""
        time = self.formatTime(record, self.datefmt)
        message = record.getMessage()
        about = _about(getattr(record, "temporal_activity", None), getattr(record, "temporal_workflow", None))
        error = record.exc_info[1] if record.exc_info else None
        trace = ""
        if getattr(record, "__temporal_error_identifier", None) == "ActivityFailure" and error is not None:
            message = _said(error)
            first = getattr(record, "temporal_activity", {}).get("attempt", 1) == 1
            trace = _trace(error) if first else ""
        elif error is not None:
            trace = _trace(error)
        level = f"{record.levelname:<8} " if record.levelno != logging.INFO else ""
        if self._terminal:
            time = click.style(time, dim=True)
            level = click.style(level, fg=_COLOURS.get(record.levelname))
        line = f"{time}  {level}{about}{': ' if about else ''}{message}"
        return f"{line}\n{trace}" if trace else line


def _about(step: Mapping[str, Any] | None, run: Mapping[str, Any] | None) -> str:
    if step is not None:
        attempt = f", attempt {step['attempt']}" if step.get("attempt", 1) > 1 else ""
        name, number = str(step.get("activity_type")), str(step.get("activity_id"))
        # Segue's ids are made of the name; plain Temporal's are mere numbers, and a caller's may be anything.
        return f"{number if number.startswith(name) else name} • {step.get('workflow_id')}{attempt}"
    if run is not None:
        return f"{run.get('workflow_type')} • {run.get('workflow_id')}"
    return ""


def _said(error: BaseException) -> str:
    # What the interceptor raises carries the class of the original error as its type.
    kind = getattr(error, "type", None) or type(error).__name__
    message = str(getattr(error, "message", None) or error)
    final = " (no further attempt)" if getattr(error, "non_retryable", False) else ""
    return f"{kind}: {message}{final}" if message != kind else f"{kind}{final}"


def _trace(error: BaseException) -> str:
    """Return the traceback of an error and its causes: only the frames of the project, and of libraries it uses."""
    summary = traceback.TracebackException.from_exception(error)
    own = [frame for frame in summary.stack if not _foreign(frame.filename)]
    if not own:
        return ""
    return "".join(traceback.StackSummary.from_list(own).format()).rstrip()


def _foreign(filename: str) -> bool:
    path = Path(filename).as_posix()
    return any(f"/{part}/" in path for part in _FOREIGN)
