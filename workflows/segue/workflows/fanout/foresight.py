"""What the results of a fan-out will come to in the history of the run that called it, foreseen from the first of them.

However items travel, results by value come back to the calling run, so children are no way out. A fan-out whose results
will not fit fails while little of it is done, and says that they may be written to objects instead.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from segue.workflows.fanout.job import Job
from segue.workflows.history_room import HISTORY_BYTES, ROOM, SAMPLE, SHARE, HistoryFull, weight_of

__all__ = ["Foresight", "overfull"]


class Foresight:
    """Foresees how much one fan-out adds.

    Args:
        planned: How many bytes of items and further arguments the calling run sends, if none is sent again.
    """

    def __init__(self, planned: int) -> None:
        self._planned = planned
        self._ended = 0
        self._results = 0
        self._latest = 0.0

    def took(self, result: Any, ended: int) -> None:
        """Take note of what came back, with which so many items have ended."""
        size = result.payload.ByteSize() if isinstance(result, RawValue) else weight_of(result)
        self._results += size
        self._ended += ended
        if ended:
            self._latest = size / ended

    def check(self, left: int, sent: int) -> None:
        """Do nothing if the history is not known to be too small.

        Args:
            left: How many items have not ended.
            sent: How many bytes were sent.

        Raises:
            HistoryFull: It is.
        """
        if not left or self._ended < SAMPLE:
            return
        # Items may stand in an order, the largest first: the latest say more of those to come than all before.
        each = min(self._results / self._ended, self._latest)
        used = workflow.info().get_current_history_size() + max(self._planned - sent, 0)
        # What has ended speaks for so many times as many.
        if used + each * min(left, self._ended / SHARE) > ROOM:
            so_far, expected = self._results / 2**20, (used + each * left) / 2**20
            raise HistoryFull(
                f"Their results are {so_far:,.1f} MB, and with those to come this run's history would hold about "
                f"{expected:,.1f} MB: Temporal ends a run at {HISTORY_BYTES // 2**20} MB",
                "Let results be written to objects",
                of_bytes=True,
            )


def overfull(job: Job, done: int, total: int, error: HistoryFull, *, stored: bool) -> HistoryFull:
    """Return the error of a fan-out for which the history has no room, with the ways out that a fan-out has.

    Args:
        job: What is done.
        done: How many items are done.
        total: How many there are.
        error: What does not fit.
        stored: Whether results are written to objects.
    """
    if error.of_bytes and not stored:
        give = "results_to=" if job.batch is not None else "batch= and results_to="
        advice = (
            f"Give {give}, so that the workers write the results to objects and return references, or have "
            f"{job.activity!r} store what is large itself"
        )
    else:
        give = "batch=" if job.batch is None else "larger batches"
        advice = f"Give {give}, or continue as new when workflow.info().is_continue_as_new_suggested()"
    fact = f"Fan-out {job.id!r}: {done:,} of {total:,} items are done. {error.fact}"
    return HistoryFull(fact, advice, of_bytes=error.of_bytes)
