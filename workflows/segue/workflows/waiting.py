"""What a run waits for that somebody has to do, told to the server, so that such runs are found among all others.

    waiting_for("approval", [{"id": "approval-1", "question": "Pay 12,000 EUR?"}])
    ...
    waiting_for("approval", [])

What it is goes into the run's memo, which every namespace has, and which is there whether or not a worker is alive.
That it is so goes into the search attribute `SegueWaitingFor` too, where the namespace has it: then the server finds
these runs, where otherwise whoever looks reads through the open ones.

    temporal operator search-attribute create --name SegueWaitingFor --type KeywordList
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, cast

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.worker import Interceptor, WorkflowInboundInterceptor, WorkflowInterceptorClassInput

from segue.workflows.features import Feature, has

__all__ = ["ATTRIBUTE", "MEMO", "SHOWN", "Kind", "WaitingInterceptor", "waiting_for"]

Kind = Literal["approval", "parked", "paused"]
"""What a run may wait for: the values of the search attribute."""

ATTRIBUTE: Final = SearchAttributeKey.for_keyword_list("SegueWaitingFor")
"""The search attribute. A namespace has room for few: this is the only one that Segue asks for."""

MEMO: Final[Mapping[Kind, str]] = {
    "approval": "segue_approvals",
    "parked": "segue_parked",
    "paused": "segue_paused",
}
"""The memo's key for each of them, which holds a list."""

_INDEXED_FUNCTION: Final = "segue_waits_are_indexed"
_STATE: Final = "__segue_waiting"

SHOWN: Final = 20
"""So many of a kind are in the memo: the server keeps it whole in each run's record, and a list of runs carries it."""


def waiting_for(kind: Kind, what: Sequence[Mapping[str, Any]]) -> None:
    """Show what of a kind this run waits for from now on, in place of what it did; an empty list for nothing.

    Args:
        kind: The kind.
        what: An entry for each of them, of a few short JSON values. The first 20 are shown.
    """
    state = _of_this_run()
    key = MEMO[kind]
    shown = [dict(entry) for entry in what[:SHOWN]]
    if shown == state.shown.get(kind, []):
        return
    workflow.upsert_memo({key: shown or None})
    kinds_before = sorted(state.shown)
    if shown:
        state.shown[kind] = shown
    else:
        del state.shown[kind]
    if state.indexed and (kinds := sorted(state.shown)) != kinds_before:
        update = ATTRIBUTE.value_set(kinds) if kinds else ATTRIBUTE.value_unset()
        workflow.upsert_search_attributes([update])  # pyright: ignore[reportUnknownMemberType]


class _Waiting:
    """One run's waits.

    Attributes:
        shown: What is shown of each kind.
        indexed: Whether they are in the search attribute.
    """

    def __init__(self) -> None:
        self.shown: dict[Kind, list[dict[str, Any]]] = {}
        self.indexed = _is_indexed()


def _of_this_run() -> _Waiting:
    # Each run has an event loop of its own, where the SDK too keeps what belongs to it. A module's state would be
    # shared by all runs, for this one is passed through the sandbox.
    loop = asyncio.get_running_loop()
    state: _Waiting | None = getattr(loop, _STATE, None)
    if state is None:
        state = _Waiting()
        setattr(loop, _STATE, state)
    return state


def _is_indexed() -> bool:
    """Return whether this run uses the search attribute, decided once, at its first wait, and kept in its history.

    A workflow task that sets an attribute which the namespace lacks fails, and is tried again for ever. So it is set
    only where the worker has seen it when it started, and a replay does what the run did, whatever its worker sees.
    """
    external = cast("Mapping[str, Callable[[], bool]]", workflow.extern_functions())  # pyright: ignore[reportUnknownMemberType]
    seen = external.get(_INDEXED_FUNCTION)
    if seen is None or not (workflow.unsafe.is_replaying() or seen()):
        return False
    return has(Feature.INDEXED_WAITS)


class WaitingInterceptor(Interceptor):
    """Tells the workflows of a client's workers whether its namespace has the search attribute.

    Attributes:
        namespaces: For each namespace that was looked at, whether it has.
    """

    def __init__(self) -> None:
        self.namespaces: dict[str, bool] = {}

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """See base class."""
        functions = cast("dict[str, Any]", input.unsafe_extern_functions)  # pyright: ignore[reportUnknownMemberType]
        functions[_INDEXED_FUNCTION] = self._is_indexed
        return None

    def _is_indexed(self) -> bool:
        return bool(self.namespaces) and all(self.namespaces.values())
