"""A run as text for a terminal: whole screens, narrow ones, plain ones, and text that fights the terminal."""

from __future__ import annotations

import dataclasses
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest

from segue.client.records import Error, PendingStep, Run, Step
from segue.client.table import render

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TIMES = "\N{MULTIPLICATION SIGN}"


def step(number: int, name: str, **said: Any) -> Step:
    fields: dict[str, Any] = {
        "kind": "activity",
        "state": "completed",
        "summary": None,
        "duration": timedelta(seconds=1.2),
        "attempts": 1,
        "scheduled_task": number - 1,
        "observed_task": number,
    }
    return Step(id=f"{name}-{number}", name=name, scheduled_time=NOON, scheduled_event_id=number, **{**fields, **said})


def a_run(*steps: Step, **said: Any) -> Run:
    return dataclasses.replace(
        Run(
            workflow_id="order-17",
            run_id="01a2099f-1a92-7659-af45-f3dcf49437b5",
            type="FulfilOrder",
            status="running",
            task_queue="orders",
            start_time=NOON,
            duration=timedelta(seconds=250),
            steps=steps,
            history_length=42,
        ),
        **said,
    )


OPEN: dict[str, Any] = {"observed_task": None}
BUSY = a_run(
    step(5, "reserve", summary="order-17", duration=timedelta(milliseconds=58)),
    step(
        9,
        "wait for approval",
        kind="timer",
        state="cancelled",
        summary="wait for approval",
        attempts=0,
        duration=timedelta(hours=2, minutes=5, seconds=40),
    ),
    step(10, "approve", kind="signal", attempts=0, scheduled_task=None, duration=timedelta()),
    step(12, "notify", summary="ann", parent_event_id=10, duration=timedelta(milliseconds=6)),
    *(step(20 + number, "charge", scheduled_task=19, observed_task=70) for number in range(38)),
    step(
        60,
        "charge",
        summary="order-7",
        state="failed",
        scheduled_task=19,
        error=Error(type="CardDeclined", message="insufficient funds"),
    ),
    step(
        61,
        "charge",
        summary="order-9",
        state="backing_off",
        attempts=2,
        maximum_attempts=6,
        scheduled_task=19,
        waiting_for="attempt 3 in 4 s: HTTPStatusError: POST http://127.0.0.1:8080/charges answered 503 Service "
        "Unavailable",
        **OPEN,
    ),
    step(
        62,
        "ship",
        state="scheduled",
        attempts=0,
        scheduled_task=19,
        waiting_for="a worker on task queue 'shipping' (none polls it)",
        **OPEN,
    ),
    step(
        63,
        "Archive",
        kind="child_workflow",
        state="running",
        attempts=0,
        summary="keep for ten years",
        scheduled_task=19,
        waiting_for="child workflow 'archive-17' to close",
        **OPEN,
    ),
    problems=("no worker polls task queue 'shipping' for activities: ship",),
    waiting_for="3 steps: charge, ship, Archive",
)


def test_a_busy_run_whole() -> None:
    """The whole screen of a run in trouble: what is wrong, what it waits for, and every step, in 80 columns."""
    assert render(BUSY, 80, encoding="utf-8").split("\n") == [
        "FulfilOrder · order-17                                    ▶ running · 4 min 10 s",
        "started 2026-11-23 12:00:00 UTC · task queue orders · 42 events",
        "run 01a2099f-1a92-7659-af45-f3dcf49437b5",
        "problem    no worker polls task queue 'shipping' for activities: ship",
        "waits for  3 steps: charge, ship, Archive",
        "",
        "  state        step                                             tries       time",
        "✓ completed    reserve • order-17                                          58 ms",
        "⊘ ended early  wait for approval · timer                               2 h 6 min",
        "✓ completed    approve · signal",
        "✓ completed    ↳ notify • ann                                               6 ms",
        f"✗ failed       charge {TIMES} 40                                         +1      1.2 s",
        "               38 completed, 1 failed, 1 backing off",
        "               ✗ order-7: CardDeclined: insufficient funds",
        "               ↻ order-9: attempt 3 in 4 s: HTTPStatusError: POST",
        "               http://127.0.0.1:8080/charges answered 503 Service Unavailable",
        "○ scheduled    ship                                                        1.2 s",
        "               a worker on task queue 'shipping' (none polls it)",
        "▶ running      Archive • keep for ten years · child                        1.2 s",
        "               child workflow 'archive-17' to close",
    ]


def test_what_is_still_to_come_stands_last() -> None:
    """Steps of a graph that have not started are rows of their own, with what they wait for, in any width."""
    names = ["label", "a_step_whose_name_is_long", "audit"]
    to_come = [
        PendingStep(name="label", kind="activity", after=("charge",), waiting_for="after charge"),
        PendingStep(name=names[1], kind="branch", after=("label", "charge"), waiting_for="after label, charge"),
        PendingStep(name="audit", kind="child_workflow", after=(names[1],), waiting_for=f"after {names[1]}"),
    ]
    found = a_run(step(5, "charge", state="running", waiting_for="attempt 1", **OPEN), pending=tuple(to_come))
    assert render(found, 72, encoding="utf-8").split("\n")[4:] == [
        "  state    step                                             tries   time",
        "▶ running  charge                                               1  1.2 s",
        "           attempt 1",
        "┄ pending  label · after charge",
        "┄ pending  a_step_whose_name_is_long · branch",
        "           after label, charge",
        "┄ pending  audit · child · after a_step_whose_name_is_long",
    ]
    assert render(found, 40, encoding="ascii").split("\n")[-5:] == [
        "- label - after charge",
        "- a_step_whose_name_is_lo~",
        "  after label, charge",
        "- audit - child",
        "  after a_step_whose_name_is_long",
    ]
    many = a_run(pending=tuple(to_come[:1] * 50))
    assert render(many, 72, encoding="utf-8").split("\n")[-2:] == [
        "┄ pending  label · after charge",
        "and 30 more to come",
    ]
    whole = dataclasses.replace(BUSY, pending=tuple(to_come * 4))
    assert render(whole, 80, encoding="utf-8", most=6).split("\n")[-1] == "and 10 more to come"


def test_a_finished_run_tells_its_result_and_a_failed_one_its_error() -> None:
    """A completed run shows its result, a failed one its error, one without steps says so."""
    done = a_run(status="completed", result='{"receipt": 17}', summary="ann's order")
    assert render(done, 80, encoding="utf-8").split("\n") == [
        "FulfilOrder · order-17                                  ✓ completed · 4 min 10 s",
        "ann's order · started 2026-11-23 12:00:00 UTC · task queue orders · 42 events",
        "run 01a2099f-1a92-7659-af45-f3dcf49437b5",
        'result     {"receipt": 17}',
        "",
        "no steps",
    ]
    failed = a_run(
        status="failed", error=Error(type="ActivityError", message="Activity task failed", cause="CardDeclined: no")
    )
    assert "error      CardDeclined: no" in render(failed, 80, encoding="utf-8").split("\n")
    assert render(a_run(), 80, encoding="utf-8").endswith("\n\nno steps yet")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "no-such-encoding"])
def test_where_the_signs_cannot_be_written_all_is_ascii(encoding: str) -> None:
    """Under an encoding without the signs the same table is told in characters that it has."""
    lines = render(BUSY, 80, encoding=encoding).split("\n")
    assert "\n".join(lines).isascii()
    assert lines[0] == "FulfilOrder - order-17                                    > running - 4 min 10 s"
    assert lines[7] == "+ completed    reserve - order-17                                          58 ms"
    assert lines[11] == "x failed       charge x 40                                         +1      1.2 s"
    named = render(a_run(step(5, "日本", summary="naïve")), 80, encoding="ascii")
    assert "+ completed  ?? - na?ve" in named


@pytest.mark.parametrize("width", [1, 40, 59, 60, 80, 133, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """No line is wider than asked for, whatever the steps are called; below 40 columns nothing is squeezed further."""
    long = "a-very-long-name-without-any-space-in-it-" * 8
    wide = "寿司を注文する" * 20
    both = a_run(
        step(5, long, summary=long, state="failed", error=Error(type=long, message=wide)),
        step(9, wide, summary=wide, state="running", waiting_for=wide, **OPEN),
        workflow_id=wide,
        waiting_for=wide,
        problems=(long, wide),
        error=Error(type="E", message=wide),
    )
    for found in (BUSY, both):
        for line in render(found, width, encoding="utf-8").split("\n"):
            cells = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)
            assert cells <= max(width, 40), line


def test_on_a_narrow_screen_the_sign_stands_for_the_state() -> None:
    """Below 60 columns the words for the states give way to the names."""
    lines = render(BUSY, 50, encoding="utf-8").split("\n")
    assert "✓ reserve • order-17                         58 ms" in lines
    assert not any("completed    " in line for line in lines)


def test_colour_adds_nothing_but_colour() -> None:
    """With colour each state has its own, and without the sequences the text is the same."""
    coloured = render(BUSY, 80, True, encoding="utf-8")
    lines = coloured.split("\n")
    assert lines[7].startswith("\x1b[32m✓ completed")
    assert lines[11].startswith("\x1b[31m✗ failed")
    plain = [line.rstrip() for line in click.unstyle(coloured).split("\n")]
    assert plain == render(BUSY, 80, encoding="utf-8").split("\n")


def test_what_a_failure_says_cannot_take_over_the_terminal() -> None:
    """Escape sequences, newlines and direction marks in names and messages do not reach the terminal."""
    hostile = "\x1b[2J\x1b]0;owned\x07\rcleared\n\u202egnp.exe\x9b31m"
    text = render(
        a_run(
            step(5, hostile, summary=hostile, state="failed", error=Error(type=hostile, message=hostile)),
            workflow_id=hostile,
            type=hostile,
            task_queue=hostile,
            problems=(hostile,),
            result=hostile,
        ),
        80,
        encoding="utf-8",
    )
    assert {char for char in text if unicodedata.category(char) in ("Cc", "Cf")} == {"\n"}


def test_a_small_screen_keeps_what_is_not_done() -> None:
    """With room for few rows, those that are not done stay, then the latest, and the rest are counted."""
    lines = render(BUSY, 80, encoding="utf-8", most=4).split("\n")
    rows = [line.split("  ")[-0] for line in lines[7:] if line[:1] in set("✓✗↻○▶◷⊘")]
    assert rows == ["✓ completed", "✗ failed", "○ scheduled", "▶ running"]
    assert lines[-1] == "and 3 rows more, all done"
