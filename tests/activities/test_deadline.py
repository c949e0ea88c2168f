"""The time that an attempt has left."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from segue.activities.deadline import time_left


def left(*, started: float, scheduled: float, start_to_close: float | None, schedule_to_close: float | None) -> float:
    """What is left to an attempt that started, and was scheduled, so many seconds ago; rounded to half a second."""
    environment = ActivityEnvironment()
    now = datetime.now(UTC)
    environment.info = dataclasses.replace(
        environment.info,
        started_time=now - timedelta(seconds=started),
        scheduled_time=now - timedelta(seconds=scheduled),
        start_to_close_timeout=None if start_to_close is None else timedelta(seconds=start_to_close),
        schedule_to_close_timeout=None if schedule_to_close is None else timedelta(seconds=schedule_to_close),
    )
    found = environment.run(time_left)
    assert found is not None
    return round(found.total_seconds() * 2) / 2


@pytest.mark.parametrize(
    ("started", "scheduled", "start_to_close", "schedule_to_close", "expected"),
    [
        (0, 0, 100, None, 98),  # two seconds are kept back at most
        (0, 0, 20, None, 19),  # and a twentieth of less
        (30, 300, 100, None, 68),  # counted from the attempt's start, not from the step's
        (30, 300, None, 400, 98),  # and this one from the step's
        (30, 300, 100, 1000, 68),
        (30, 300, 100, 340, 38),  # what is left of the whole step is less
        (-30, -30, 100, None, 98),  # a clock that disagrees costs no time
        (500, 500, 100, None, 98),
        (99, 99, 100, None, 0.5),  # the reserve takes half of what is left, not all
    ],
)
def test_time_left(
    started: float, scheduled: float, start_to_close: float | None, schedule_to_close: float | None, expected: float
) -> None:
    """An attempt may use what is left of its own time or of the whole step's, whichever is less, but for a reserve."""
    assert expected == left(
        started=started, scheduled=scheduled, start_to_close=start_to_close, schedule_to_close=schedule_to_close
    )


def test_without_a_bound() -> None:
    """Where nothing bounds the time, as outside an activity, none is given."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(
        environment.info, start_to_close_timeout=None, schedule_to_close_timeout=None
    )
    assert environment.run(time_left) is None
    assert time_left() is None
