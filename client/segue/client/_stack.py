"""Where a run's own code waits, and what may end the wait: asked of a worker, by queries that the SDK answers.

A wait for a condition leaves no event in the history, so this is the one thing that only a worker can tell.
"""

from __future__ import annotations

import ast
import asyncio
import dataclasses
from datetime import timedelta
from typing import Any, Final

from temporalio.api.sdk.v1 import EnhancedStackTrace, StackTraceFileLocation, WorkflowMetadata
from temporalio.client import WorkflowHandle, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError

from segue.client.records import Step
from segue.workflows.pausing.pause import PAUSE, RESUME

__all__ = ["located", "places"]

# Code that is not the workflow's: installed packages, the standard library, Segue where it is run from its source, and
# what is no file. The paths are those of the worker's machine.
_FOREIGN: Final = (
    "/site-packages/",
    "/dist-packages/",
    "/lib/python3",
    "/Lib/asyncio/",
    "/workflows/segue/workflows/",
    "/client/segue/client/",
    "<",
)


async def located(handle: WorkflowHandle[Any, Any], wait: Step, timeout: timedelta) -> Step:
    """Return a wait with its place in the code and with what may end it, as far as a worker says so in time."""

    async def ask(query: str, result_type: type[Any]) -> Any:
        try:
            return await handle.query(query, result_type=result_type, rpc_timeout=timeout)
        except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
            return None

    stack, metadata = await asyncio.gather(
        ask("__enhanced_stack_trace", EnhancedStackTrace), ask("__temporal_workflow_metadata", WorkflowMetadata)
    )
    found = places(stack) if stack is not None else []
    waiting_for = wait.waiting_for
    if metadata is not None:
        # A handler without a name takes every signal or update that has no handler of its own.
        # Every run can be paused, but no code waits for that.
        ends = [
            f"signal {signal.name!r}"
            for signal in metadata.definition.signal_definitions
            if signal.name and signal.name not in (PAUSE, RESUME)
        ]
        ends += [f"update {update.name!r}" for update in metadata.definition.update_definitions if update.name]
        waiting_for = " or ".join([*ends, "a condition"])
    if found:
        waiting_for = f"{waiting_for}, in {'; '.join(found)}"
    return dataclasses.replace(wait, summary=found[0] if found else None, waiting_for=waiting_for)


def places(trace: EnhancedStackTrace) -> list[str]:
    """Return where the workflow's own code waits, once for each of its tasks: `FulfilOrder.run, workflows.py:31`."""
    found: dict[str, None] = {}
    for stack in trace.stacks:
        # A task that waits has one frame, its outermost; the task that answers the query has the whole worker below it.
        location = stack.locations[-1] if stack.locations else StackTraceFileLocation()
        path = location.file_path.replace("\\", "/")
        if path and not any(part in path for part in _FOREIGN):
            source = trace.sources[location.file_path].content if location.file_path in trace.sources else ""
            function = _qualified(source, location.line) or location.function_name
            found.setdefault(f"{function}, {path.rpartition('/')[2]}:{location.line}")
    return list(found)


def _qualified(source: str, line: int) -> str | None:
    """Return the name of the function that a line of source is in, with the class around it."""
    try:
        node: ast.AST = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    names: list[str] = []
    while True:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt) and child.lineno <= line <= (child.end_lineno or child.lineno):
                if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                    names.append(child.name)
                node = child
                break
        else:
            return ".".join(names) or None
