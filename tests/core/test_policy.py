"""What a system declares is checked where it is declared: every impossible policy, capacity, name and error class."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from datetime import timedelta
from typing import Any

import pytest
from temporalio.common import RetryPolicy

from segue.activities import Capacity, Policy, PolicyError, System
from segue.activities.system import systems

SECOND = timedelta(seconds=1)


def declare(**options: Any) -> System:
    return System("bank-policy-test", **options)


def policy_of(field: str, value: Any) -> Policy:
    options: dict[str, Any] = {field: value}
    return Policy(**options)


def refused(**options: Any) -> str:
    """Return what a declaration is refused with, without the system's name, which it must begin with."""
    with pytest.raises(PolicyError) as raised:
        declare(**options)
    assert raised.value.system == "bank-policy-test"
    assert str(raised.value).startswith(f"System 'bank-policy-test': {raised.value.field} ")
    return str(raised.value).removeprefix("System 'bank-policy-test': ")


REQUIRED = ("start_to_close_timeout", "initial_interval")
OPTIONAL = ("schedule_to_close_timeout", "schedule_to_start_timeout", "heartbeat_timeout", "maximum_interval")


@pytest.mark.parametrize("field", REQUIRED)
@pytest.mark.parametrize("value", [None, 30, 1.5, "30s", True])
def test_a_required_duration_is_a_timedelta(field: str, value: Any) -> None:
    """A duration that Temporal needs is refused unless it is a timedelta."""
    assert refused(policy=policy_of(field, value)) == f"{field} must be a timedelta, not {value!r}"


@pytest.mark.parametrize("field", OPTIONAL)
@pytest.mark.parametrize("value", [30, 1.5, "30s", False])
def test_an_optional_duration_is_a_timedelta_or_none(field: str, value: Any) -> None:
    """A duration that may be left out is refused unless it is a timedelta or None."""
    assert refused(policy=policy_of(field, value)) == f"{field} must be a timedelta or None, not {value!r}"


@pytest.mark.parametrize("field", [*REQUIRED, *OPTIONAL])
def test_a_duration_is_not_negative(field: str) -> None:
    """No duration may be negative."""
    assert refused(policy=policy_of(field, -SECOND)) == f"{field} must be longer than zero, not -1 day, 23:59:59"


@pytest.mark.parametrize("field", [name for name in (*REQUIRED, *OPTIONAL) if name != "heartbeat_timeout"])
def test_a_duration_is_not_zero(field: str) -> None:
    """Zero, which Temporal takes for `not given`, is refused where it would mean something else to a reader."""
    assert refused(policy=policy_of(field, timedelta(0))) == f"{field} must be longer than zero, not 0:00:00"


@pytest.mark.parametrize("field", [*REQUIRED, *OPTIONAL])
def test_a_duration_is_one_that_temporal_keeps(field: str) -> None:
    """Temporal counts in milliseconds and for some centuries: what it could not hold is refused."""
    assert refused(policy=policy_of(field, timedelta(microseconds=999))) == (
        f"{field} must be at least a millisecond, not 0:00:00.000999"
    )
    assert refused(policy=policy_of(field, timedelta.max)) == (
        f"{field} must be at most 36500 days, not 999999999 days, 23:59:59.999999"
    )


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (
            {"start_to_close_timeout": 20 * SECOND, "schedule_to_close_timeout": 10 * SECOND},
            "schedule_to_close_timeout (0:00:10) is shorter than start_to_close_timeout (0:00:20)",
        ),
        (
            {
                "start_to_close_timeout": SECOND,
                "schedule_to_close_timeout": 10 * SECOND,
                "schedule_to_start_timeout": 11 * SECOND,
            },
            "schedule_to_start_timeout (0:00:11) is longer than schedule_to_close_timeout (0:00:10)",
        ),
        (
            {"start_to_close_timeout": 20 * SECOND, "heartbeat_timeout": 21 * SECOND},
            "heartbeat_timeout (0:00:21) is longer than start_to_close_timeout (0:00:20)",
        ),
        (
            {"initial_interval": 5 * SECOND, "maximum_interval": 4 * SECOND},
            "maximum_interval (0:00:04) is shorter than initial_interval (0:00:05)",
        ),
        (
            {"initial_interval": timedelta(minutes=2)},
            "maximum_interval (0:01:00) is shorter than initial_interval (0:02:00)",
        ),
    ],
)
def test_combinations_that_cannot_be_honoured(policy: dict[str, Any], message: str) -> None:
    """Two durations of which one makes the other pointless are refused together."""
    assert refused(policy=Policy(**policy)) == message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2", "must be a number, not '2'"),
        (None, "must be a number, not None"),
        (True, "must be a number, not True"),
        (0.5, "must be at least 1 and finite, not 0.5"),
        (-1, "must be at least 1 and finite, not -1"),
        (math.inf, "must be at least 1 and finite, not inf"),
        (math.nan, "must be at least 1 and finite, not nan"),
    ],
)
def test_the_backoff_coefficient(value: Any, message: str) -> None:
    """A backoff that shrinks, or is no number, is refused."""
    assert refused(policy=Policy(backoff_coefficient=value)) == f"backoff_coefficient {message}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-1, "must be 0 (no bound) or more, not -1"),
        (1.0, "must be a whole number, not 1.0"),
        ("3", "must be a whole number, not '3'"),
        (None, "must be a whole number, not None"),
        (True, "must be a whole number, not True"),
        (2**31, "must be less than 2147483648, not 2147483648"),
    ],
)
def test_the_maximum_attempts(value: Any, message: str) -> None:
    """A number of attempts that is no count is refused."""
    assert refused(policy=Policy(maximum_attempts=value)) == f"maximum_attempts {message}"


@pytest.mark.parametrize("value", ["retry", "", 1, ["fail"]])
def test_what_happens_on_exhaustion(value: Any) -> None:
    """An outcome that does not exist is refused."""
    assert refused(policy=Policy(on_exhausted=value)).startswith("on_exhausted must be ")


@pytest.mark.parametrize(
    ("capacity", "message"),
    [
        ({"per_second": 0}, "capacity.per_second must be greater than zero and finite, not 0"),
        ({"per_second": -1.5}, "capacity.per_second must be greater than zero and finite, not -1.5"),
        ({"per_second": math.inf}, "capacity.per_second must be greater than zero and finite, not inf"),
        ({"per_second": math.nan}, "capacity.per_second must be greater than zero and finite, not nan"),
        ({"per_second": "50"}, "capacity.per_second must be a number or None, not '50'"),
        ({"per_second": True}, "capacity.per_second must be a number or None, not True"),
        ({"per_second": SECOND}, f"capacity.per_second must be a number or None, not {SECOND!r}"),
        ({"concurrent": 0}, "capacity.concurrent must be at least 1, not 0"),
        ({"concurrent": -8}, "capacity.concurrent must be at least 1, not -8"),
        ({"concurrent": 8.0}, "capacity.concurrent must be a whole number or None, not 8.0"),
        ({"concurrent": "8"}, "capacity.concurrent must be a whole number or None, not '8'"),
        ({"concurrent": False}, "capacity.concurrent must be a whole number or None, not False"),
    ],
)
def test_a_capacity_that_no_worker_can_honour(capacity: dict[str, Any], message: str) -> None:
    """A rate or a number of slots that is none is refused."""
    assert refused(capacity=Capacity(**capacity)) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy": None}, "policy must be a Policy, not None"),
        ({"policy": RetryPolicy(maximum_attempts=3)}, "policy must be a Policy, not RetryPolicy("),
        ({"capacity": 8}, "capacity must be a Capacity, not 8"),
        ({"capacity": None}, "capacity must be a Capacity, not None"),
        ({"terminal": ValueError}, "terminal must be a tuple of exception classes, not <class 'ValueError'>"),
        ({"retryable": None}, "retryable must be a tuple of exception classes, not None"),
        ({"terminal": ("ValueError",)}, "terminal must hold exception classes, not 'ValueError'"),
        ({"terminal": (ValueError("x"),)}, "terminal must hold exception classes, not ValueError('x')"),
        ({"retryable": (int,)}, "retryable must hold exception classes, not <class 'int'>"),
        ({"terminal": (KeyError,), "retryable": (KeyError,)}, "retryable holds KeyError, which is also terminal"),
        ({"task_queue": ""}, "task_queue must be the name of a task queue or None, not ''"),
        ({"task_queue": "  "}, "task_queue must be the name of a task queue or None, not '  '"),
        ({"task_queue": 7}, "task_queue must be the name of a task queue or None, not 7"),
    ],
)
def test_a_declaration_of_the_wrong_kind(options: dict[str, Any], message: str) -> None:
    """What is not of the declared kind is refused with the field's name, as what is out of range is."""
    assert refused(**options).startswith(message)


@pytest.mark.parametrize("name", ["", " ", "-a", ".a", "_a", "a b", "a/b", "a\n", "bänk", "a,b", "a:b"])
def test_a_name_that_a_settings_file_could_not_show(name: str) -> None:
    """A system's name holds letters, digits, dots, dashes and underscores, and begins with one of the first two."""
    with pytest.raises(PolicyError) as raised:
        System(name)
    assert str(raised.value) == (
        f"System {name!r}: name must start with a letter or digit and hold only letters, digits, '.', '_', '-'"
    )
    assert (raised.value.system, raised.value.field) == (name, "name")
    assert name not in systems()


@pytest.mark.parametrize("name", ["a", "A1", "payments.eu-1_b", "0"])
def test_sound_names(name: str) -> None:
    """Names that a settings file and a task queue can carry are taken."""
    assert System(f"{name}-policy-test").name == f"{name}-policy-test"


def test_a_refused_system_is_not_declared() -> None:
    """What is refused leaves no trace: the name is free for the mended declaration."""
    with pytest.raises(PolicyError):
        System("refused-policy-test", capacity=Capacity(concurrent=0))
    assert "refused-policy-test" not in systems()


def test_sound_values() -> None:
    """Values at the edges of what is possible are taken as they are."""
    policy = Policy(
        start_to_close_timeout=timedelta(milliseconds=1),
        schedule_to_close_timeout=timedelta(milliseconds=1),
        schedule_to_start_timeout=timedelta(milliseconds=1),
        heartbeat_timeout=timedelta(0),
        initial_interval=SECOND,
        maximum_interval=SECOND,
        backoff_coefficient=1,
        maximum_attempts=0,
    )
    system = declare(
        policy=policy,
        capacity=Capacity(per_second=0.001, concurrent=1),
        terminal=[ValueError],
        retryable={asyncio.TimeoutError},
        task_queue="bank-eu",
    )
    assert (system.policy, system.terminal, system.retryable, system.task_queue) == (
        policy,
        (ValueError,),
        (asyncio.TimeoutError,),
        "bank-eu",
    )
    assert policy.retry_policy() == RetryPolicy(
        initial_interval=SECOND, backoff_coefficient=1, maximum_interval=SECOND, maximum_attempts=0
    )


def test_the_defaults_are_sound() -> None:
    """A system that declares nothing has ten attempts of 30 seconds, no capacity and no queue of its own."""
    system = declare()
    assert dataclasses.asdict(system.policy) == {
        "start_to_close_timeout": timedelta(seconds=30),
        "schedule_to_close_timeout": None,
        "schedule_to_start_timeout": None,
        "heartbeat_timeout": None,
        "initial_interval": SECOND,
        "backoff_coefficient": 2.0,
        "maximum_interval": timedelta(minutes=1),
        "maximum_attempts": 10,
        "on_exhausted": None,
    }
    assert (bool(system.capacity), system.task_queue) == (False, None)


@pytest.mark.parametrize(
    ("attempt", "given", "effective"),
    [
        (timedelta(seconds=60), None, None),
        (timedelta(seconds=61), None, timedelta(seconds=30)),
        (timedelta(hours=1), timedelta(0), None),
        (timedelta(seconds=5), timedelta(seconds=2), timedelta(seconds=2)),
    ],
)
def test_long_steps_heartbeat(attempt: timedelta, given: timedelta | None, effective: timedelta | None) -> None:
    """A step that may take longer than a minute heartbeats, unless that is turned off or said otherwise."""
    policy = Policy(start_to_close_timeout=attempt, heartbeat_timeout=given)
    assert policy.effective_heartbeat_timeout == effective


@pytest.mark.parametrize("capacity", [Capacity(per_second=1), Capacity(concurrent=1)])
def test_a_capacity_brings_a_queue(capacity: Capacity) -> None:
    """A system with any capacity has a task queue of its own, named by the system unless it is given."""
    assert declare(capacity=capacity).task_queue == "bank-policy-test"
    assert declare(capacity=capacity, task_queue="teller").task_queue == "teller"
