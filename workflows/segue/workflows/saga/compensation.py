"""What undoes one step: registered, and carried out if it must be.

It is a step like any other, with `undo` in its summary, and does not give up. Where its system's policy lets it park,
it has the policy's attempts, and waits for repair if it has failed for good. Where the policy says
`on_exhausted="fail"`, the bounds that it sets for ordinary steps do not hold: a compensation is tried again, at the
policy's intervals, until it succeeds or meets an error that is terminal. `segue.workflows.prepared` sees to that, for
each step that is taken to undo something.
"""

from __future__ import annotations

from typing import Any, Literal

from segue.workflows.calls import Call, execute
from segue.workflows.compensating import compensating
from segue.workflows.graph.errors import told
from segue.workflows.interruption import ENDS, is_evicted, is_of_the_worker
from segue.workflows.summary import summarize

__all__ = ["Compensation", "CompensationState"]

CompensationState = Literal["registered", "withdrawn", "running", "done", "failed"]
"""Where a compensation is."""


class Compensation:
    """What undoes one step, as `Saga.compensate` returns it.

    Attributes:
        call: What it calls.
        state: Where it is.
        error: Why it failed.
    """

    def __init__(self, call: Call[Any]) -> None:
        self.call = call
        self.state: CompensationState = "registered"
        self.error: BaseException | None = None

    def __str__(self) -> str:
        return str(self.call)

    def __repr__(self) -> str:
        return f"<Compensation {self}: {self.state}>"

    def withdraw(self) -> None:
        """Take it back: there is nothing to undo any more. It does nothing to one that runs or has run."""
        if self.state == "registered":
            self.state = "withdrawn"

    async def run(self) -> None:
        """Carry it out. What it fails with is kept, not raised: the others are to run all the same."""
        self.state = "running"
        try:
            with compensating():
                await execute(self.call, **_defaults(self.call))
        except ENDS as error:
            if is_evicted() or is_of_the_worker(error):
                raise
            self.state, self.error = "failed", error
        else:
            self.state = "done"

    @property
    def failure(self) -> tuple[str, BaseException] | None:
        """What it is with why it failed; None if it did not."""
        return (str(self), self.error) if self.error is not None else None

    @property
    def told_error(self) -> str | None:
        """Why it failed, on one line."""
        return told(self.error) if self.error is not None else None


def _defaults(call: Call[Any]) -> dict[str, Any]:
    """Return the options by which a compensation differs from another call of the same."""
    told = summarize(call.args)
    summary = "undo" if told is None else f"undo {told}"
    if call.kind == "function":
        return {}
    if call.kind == "child_workflow":
        return {"static_summary": summary}
    return {"summary": summary}
