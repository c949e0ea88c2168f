"""A step's effect that contradicts itself is refused when it is declared, before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from segue.activities import EffectError, System


class Slip: ...


system = System("effect-test-declaration")


@system.activity
async def look_up_slip(order: str) -> Slip | None: ...


@system.activity
async def look_up_number(order: int) -> Slip | None: ...


@system.activity
async def was_printed(order: str) -> bool:
    return True


@system.activity
async def shred_slip(slip: Slip) -> None: ...


async def nothing_declared(order: str) -> Slip | None: ...


async def print_slip(order: str) -> Slip:
    return Slip()


async def print_maybe(order: str) -> Slip | None: ...


async def print_silently(order: str) -> None: ...


def declared(fn: Any, **options: Any) -> str:
    """What is said of a declaration, which is made of a system of its own."""
    with pytest.raises(EffectError) as refused:
        System("effect-test-refused").activity(**options)(fn)
    return str(refused.value)


@pytest.mark.parametrize(
    ("fn", "options", "message"),
    [
        (
            print_slip,
            {"effect": "once"},
            "Activity 'print_slip': effect must be 'idempotent', 'at_most_once', 'compensable', not 'once'",
        ),
        (
            print_slip,
            {"reconcile": look_up_slip},
            "Activity 'print_slip': reconcile= asks whether a step happened that must not happen twice: declare "
            'effect="at_most_once", or leave it out, for one that is idempotent is simply tried again',
        ),
        (
            print_slip,
            {"effect": "at_most_once", "compensate": shred_slip},
            "Activity 'print_slip': compensate= needs effect=\"compensable\", and this is at_most_once",
        ),
        (
            print_slip,
            {"effect": "compensable"},
            "Activity 'print_slip': effect=\"compensable\" needs compensate=, the activity that undoes it",
        ),
        (
            print_slip,
            {"effect": "at_most_once", "reconcile": look_up_number},
            "Activity 'print_slip': reconcile=look_up_number must take what it takes, (str), and takes (int)",
        ),
        (
            print_slip,
            {"effect": "at_most_once", "reconcile": was_printed},
            "Activity 'print_slip': reconcile=was_printed must return Slip | None, its result or that it did not "
            "happen, and returns bool",
        ),
        (
            print_maybe,
            {"effect": "at_most_once", "reconcile": look_up_slip},
            "Activity 'print_maybe': it returns tests.effects.test_declaration.Slip | None, and None from "
            "reconcile=look_up_slip would mean that it did not happen: let it return something when it has happened",
        ),
        (
            print_silently,
            {"effect": "at_most_once", "reconcile": look_up_slip},
            "Activity 'print_silently': it returns nothing, so reconcile=look_up_slip must return a bool, whether it "
            "happened, and returns tests.effects.test_declaration.Slip | None",
        ),
        (
            print_silently,
            {"effect": "compensable", "compensate": shred_slip},
            "Activity 'print_silently': compensate=shred_slip must take one argument, what it returns (None), and "
            "takes (Slip)",
        ),
    ],
)
def test_a_declaration_that_contradicts_itself(fn: Any, options: dict[str, Any], message: str) -> None:
    """The message says which activity, what is wrong, and what to do."""
    assert declared(fn, **options) == message


def test_what_asks_must_be_an_activity() -> None:
    """A function that nobody has declared an activity is refused."""
    message = declared(print_slip, effect="at_most_once", reconcile=nothing_declared)
    assert message.startswith("Activity 'print_slip': reconcile= must be an activity that is declared before it, not ")


def test_what_is_declared_is_known() -> None:
    """A system tells the effect of each of its activities; one that says nothing is idempotent."""
    books = System("effect-test-known")
    books.activity(effect="at_most_once", reconcile=look_up_slip, name="print-a")(print_slip)
    assert (books.effects["print-a"].kind, books.effects["print-a"].reconcile) == ("at_most_once", "look_up_slip")
    assert system.effects["look_up_slip"].kind == "idempotent"
