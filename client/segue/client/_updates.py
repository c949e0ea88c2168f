"""One update of a run, and what came of it: one error for each outcome, where the server and the SDK have several.

repaired = await send_update(handle, UPDATE, [request], Repaired)
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from temporalio.client import WorkflowHandle, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

__all__ = ["RunEnded", "send_update"]

R = TypeVar("R")

# A run that had ended before, and one that ended with the update on its way: neither has taken it.
_ENDED: Final = ("already completed", "aborted by closing workflow")
_CROWDED: Final = "in-flight updates"
_TURN_SECONDS: Final = 0.2


class RunEnded(RPCError):
    """The run had ended before it took the update. It is told as the server tells it of one that is sent later."""

    def __init__(self) -> None:
        super().__init__("workflow execution already completed", RPCStatusCode.NOT_FOUND, b"")


async def send_update(handle: WorkflowHandle[Any, Any], name: str, args: Sequence[Any], returns: type[R] | None) -> R:
    """Return what an update returned, once a worker has handled it.

    It waits for its turn where the run has as many updates under way as the server lets it have.

    Args:
        handle: The run.
        name: Name of the update.
        args: Its arguments.
        returns: The type of what it returns; None for plain JSON.

    Raises:
        WorkflowUpdateFailedError: It was refused, or failed.
        RunEnded: The run ended first.
        TimeoutError: The server gave up waiting for a worker. The run may take it yet.
        RPCError: The server does not know the workflow, or cannot be reached.
    """
    while True:
        try:
            answer: R = await handle.execute_update(name, args=args, result_type=returns)  # pyright: ignore[reportUnknownMemberType]
            return answer
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            # The SDK makes one error of both, and so a cancellation would never end an `asyncio.timeout` around this.
            if isinstance(error.__cause__, asyncio.CancelledError):
                raise error.__cause__ from None
            raise TimeoutError(f"No answer to update {name!r}") from error
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND and any(how in error.message for how in _ENDED):
                raise RunEnded() from error
            if error.status != RPCStatusCode.RESOURCE_EXHAUSTED or _CROWDED not in error.message:
                raise
        await asyncio.sleep(_TURN_SECONDS)
