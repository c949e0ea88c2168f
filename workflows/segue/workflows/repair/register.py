"""The parked steps of a run: what waits for an operator, and the query and the update that tell and repair.

The update's validator refuses what cannot be done, so that a refused repair leaves nothing in the history. It and the
handler run one after the other without a pause, so of two operators at once one is heard, and the other is told.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import pydantic
from temporalio import workflow
from temporalio.api.common.v1 import Payload

from segue.activities.errors import describe
from segue.workflows.approvals.register import IDENTITY_FUNCTION
from segue.workflows.repair import values
from segue.workflows.repair.records import (
    CHECK,
    MORE,
    QUERY,
    UPDATE,
    Action,
    InvalidRepair,
    NoSuchStep,
    NotParked,
    ParkedStep,
    Repaired,
    RepairRefused,
    Request,
)
from segue.workflows.waiting import SHOWN, waiting_for

__all__ = ["Entry", "Register", "Repair"]

# Repairs that are kept, so that a long run's memory stays bounded.
_KEPT: Final = 100
_STEP: Final = pydantic.TypeAdapter(ParkedStep)


@dataclasses.dataclass(frozen=True)
class Repair:
    """What an operator asks for.

    Attributes:
        action: What to do.
        args: The new arguments, for `retry_with`.
        result: The result, for `result`.
        new_effect: Whether the arguments are others than before.
    """

    action: Action
    args: Sequence[Any] | None = None
    result: Any = None
    new_effect: bool = False


@dataclasses.dataclass(kw_only=True, eq=False)
class Entry:
    """A parked step of a run.

    Attributes:
        parked: The step as it is told in a list.
        names: Names of its parameters, as far as they are known.
        hints: Their types; None if they are not known.
        returns: The type of its result; None if it is not known.
        sent: Its arguments as they were sent.
        repair: What an operator asks for, when somebody does.
    """

    parked: ParkedStep
    names: tuple[str, ...]
    hints: Sequence[Any] | None
    returns: Any
    sent: Sequence[Payload]
    repair: asyncio.Future[Repair]

    def whole(self) -> ParkedStep:
        """Return all that there is to tell of it."""
        hints = self.hints if self.hints is not None else [None] * len(self.names)
        takes = (f"{name}: {values.shown(hint)}" for name, hint in zip(self.names, hints, strict=False))
        return dataclasses.replace(
            self.parked, input=values.as_json(self.sent), takes=tuple(takes), returns=values.shown(self.returns)
        )


class Register:
    """The parked steps of one run.

    Args:
        state_of: Returns the state of a step that is not parked; None if the run does not know it.

    Attributes:
        mending: Steps that have parked and have not ended: they wait, or are tried again.
    """

    def __init__(self, state_of: Callable[[str], str | None]) -> None:
        self.mending: set[asyncio.Future[Any]] = set()
        self._state_of = state_of
        self._entries: dict[str, Entry] = {}
        self._repaired: dict[str, Repaired] = {}
        self._more = 0
        self._handles = False

    def park(self, entry: Entry) -> None:
        """Let a step wait for an operator."""
        id, count = entry.parked.step, 1
        # A local activity may be given the id of another that is open.
        while entry.parked.step in self._entries:
            count += 1
            entry.parked = dataclasses.replace(entry.parked, step=f"{id}#{count}")
        self._entries[entry.parked.step] = entry
        if not self._handles:
            self._handles = True
            workflow.set_query_handler(QUERY, self.query)  # pyright: ignore[reportUnknownMemberType]
            workflow.set_query_handler(CHECK, self.check)  # pyright: ignore[reportUnknownMemberType]
            workflow.set_update_handler(UPDATE, self.repair, validator=self.validate)  # pyright: ignore[reportUnknownMemberType]
        self._show()

    def drop(self, entry: Entry) -> None:
        """Let a step wait no longer; do nothing if it does not."""
        if self._entries.get(entry.parked.step) is entry:
            del self._entries[entry.parked.step]
            self._show()

    def query(self) -> list[ParkedStep]:
        """Return the parked steps of the run, in the order in which they parked."""
        return [entry.whole() for entry in self._entries.values()]

    def check(self, request: Any) -> list[str] | None:
        """Return why a repair would be refused: the type of the error, and its message; None if it would be done."""
        try:
            self._asked(request)
        except RepairRefused as error:
            return [type(error).__name__, error.message]
        return None

    # What arrives is any JSON: the SDK would fail the run's task for ever over an argument that it cannot convert.
    def validate(self, request: Any) -> None:
        """Refuse what cannot be done."""
        self._asked(request)

    def repair(self, request: Any) -> Repaired:
        """Repair a step, and return what was done."""
        entry, sent, repair = self._asked(request, taken=workflow.unsafe.is_replaying())
        identity = _identity()
        repaired = Repaired(
            step=entry.parked.step,
            activity=entry.parked.activity,
            action=sent.action,
            by=sent.by or identity or "somebody",
            at=workflow.now(),
            reason=sent.reason,
            identity=identity,
            new_effect=repair.new_effect,
        )
        self._repaired.pop(repaired.step, None)
        self._repaired[repaired.step] = repaired
        if len(self._repaired) > _KEPT:
            del self._repaired[next(iter(self._repaired))]
        self.drop(entry)
        entry.repair.set_result(repair)
        return repaired

    def _asked(self, request: Any, *, taken: bool = False) -> tuple[Entry, Request, Repair]:
        """Return the step that is meant, and what is to be done about it.

        Args:
            request: What was sent.
            taken: Whether history has taken it.

        Raises:
            RepairRefused: It cannot be done.
        """
        try:
            sent = Request.model_validate(request)
        except pydantic.ValidationError as error:
            raise InvalidRepair(describe(error)) from None
        entry = self._entries.get(sent.step)
        if entry is None:
            raise self._not_parked(sent.step)
        given = {name for name in ("input", "result") if getattr(sent, name) is not None}
        if strange := given - {{"retry_with": "input", "result": "result"}.get(sent.action)}:
            raise InvalidRepair(f"{sent.step!r}: {sent.action} takes no {strange.pop()}")
        if sent.action == "result":
            return entry, sent, Repair(sent.action, result=values.result(sent.step, sent.result, entry.returns))
        if sent.action != "retry_with":
            return entry, sent, Repair(sent.action)
        args = values.arguments(sent.step, sent.input, entry.names, entry.hints, len(entry.sent), taken=taken)
        payloads = workflow.payload_converter().to_payloads(args)
        return entry, sent, Repair(sent.action, args, new_effect=payloads != list(entry.sent))

    def _not_parked(self, step: str) -> RepairRefused:
        state = self._state_of(step)
        if (repaired := self._repaired.get(step)) is not None:
            return NotParked(repaired.told() + (f", and is {state}" if state is not None else ""))
        if state is not None:
            return NotParked(f"{step!r} is not parked: it is {state}")
        known = [repr(one) for one in self._entries]
        more = f" and {len(known) - 10} more" if len(known) > 10 else ""
        are = "is" if len(known) == 1 else "are"
        parked = f"{', '.join(known[:10])}{more} {are} parked" if known else "none is parked"
        return NoSuchStep(f"There is no step {step!r}: {parked}")

    def _show(self) -> None:
        told = [_STEP.dump_python(entry.parked, mode="json", exclude_defaults=True) for entry in self._entries.values()]
        waiting_for("parked", told)
        if (more := max(len(told) - SHOWN, 0)) != self._more:
            # Of more than the memo tells, their number. It leaves an event where the memo alone would leave none, and
            # it must: after a workflow task without any, a worker that has lost the run hands it the updates of the
            # next task before the ends of steps of this one, and a replay hands it those first.
            self._more = more
            workflow.upsert_memo({MORE: more or None})


def _identity() -> str | None:
    """Return the client that sent the update that is being handled, as the history has it."""
    external = cast("Mapping[str, Callable[[str], str | None]]", workflow.extern_functions())  # pyright: ignore[reportUnknownMemberType]
    update, identity = workflow.current_update_info(), external.get(IDENTITY_FUNCTION)
    return identity(update.id) if update is not None and identity is not None else None
