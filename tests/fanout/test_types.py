"""What a type checker knows of a fan-out's result. Both type checkers of this repository read this file."""

from __future__ import annotations

from typing import assert_type

from tests.fanout.pages import Page, Printed, double, print_in_thread, print_page

from segue.activities import ObjectRef
from segue.workflows import Batch, Failure, FanOut, StoredResults, fan_out


async def results(ref: ObjectRef) -> None:
    """Never run: the results have the type of what the activity returns."""
    assert_type(await fan_out(print_page, [Page(1)], "test"), list[Printed])
    assert_type(await fan_out(print_in_thread, [1], "test", batch=Batch(10)), list[int])
    tolerated = await fan_out(double, range(3), tolerate=1)
    assert_type(tolerated, FanOut[int])
    assert_type(tolerated.results, list[int])
    assert_type(tolerated[0], int | Failure)
    assert_type(await fan_out(double, ref, batch=10, results_to="results"), StoredResults)


def test_a_fan_out_holds_results_and_failures() -> None:
    """It is a sequence in the items' order; results and failures are also told apart."""
    failure = Failure(1, "Terminal", "no", 2)
    outcome: FanOut[str | None] = FanOut(["a", None, None], {1: failure})
    assert list(outcome) == ["a", failure, None]
    assert (outcome[1], outcome[-1], outcome[:2]) == (failure, None, ["a", failure])
    assert outcome.results == ["a", None]
    assert outcome.failures == (failure,)
    assert str(failure) == "item 1: Terminal: no"
    assert repr(outcome) == "FanOut(3 items, 1 failed)"
