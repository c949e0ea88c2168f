"""`segue systems`: what holds for each connected system in this deployment, and where each value comes from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from segue.workers.cli import options, output, project
from segue.workers.cli.exits import Exit, Failure
from segue.workers.cli.worker import load_known

if TYPE_CHECKING:
    from segue.activities.effect import Effect
    from segue.activities.settings import Effective
    from segue.activities.system import System

# What None means, by field.
_NONE: Final = {
    "maximum_interval": "100 times initial_interval",
    "on_exhausted": "none",
    "task_queue": "the workflow's",
}


@click.command("systems", short_help="Each system's policy, capacity and queue, and where they come from")
@click.argument("modules", metavar="[MODULE]...", nargs=-1)
@options.machine_readable
def systems_command(*, modules: tuple[str, ...], as_json: bool) -> int:
    """Show the policy, capacity and queue of each system, and where each value comes from.

    MODULE as for `segue worker`; by default the modules of the running `segue dev`, or of pyproject.toml. A value comes
    from Segue's defaults, from the declaration in code, or from a line of segue.toml.
    """
    from segue.activities.settings import Settings, SettingsError

    found = load_known(project.find(), modules)
    try:
        settings = Settings.load()
        settings.check(found.systems)
        effective = [(system, settings.resolve(system)) for system in found.systems]
    except SettingsError as error:
        raise Failure(str(error), Exit.USAGE) from error
    if as_json:
        output.print_json([_as_object(system, held) for system, held in effective])
        return Exit.OK
    blocks = ["\n".join(_block(system, held)) for system, held in effective]
    click.echo("\n\n".join(blocks) or "No systems: no activity here belongs to one.")
    return Exit.OK


def _values(effective: Effective) -> dict[str, Any]:
    """Return every value that holds, by the name under which segue.toml may give it."""
    policy = {field.name: getattr(effective.policy, field.name) for field in dataclasses.fields(effective.policy)}
    capacity = {
        f"capacity.{field.name}": getattr(effective.capacity, field.name)
        for field in dataclasses.fields(effective.capacity)
    }
    return {"task_queue": effective.task_queue, **capacity, **policy}


def _as_object(system: System, effective: Effective) -> dict[str, Any]:
    return {
        "name": system.name,
        "declared_at": system.declared_at,
        "activities": system.activities,
        "effects": {name: _effect(system.effects[name]) for name in system.activities},
        "values": {
            name: {"value": value, "from": effective.origins[name]} for name, value in _values(effective).items()
        },
    }


def _block(system: System, effective: Effective) -> list[str]:
    rows = [
        (f"  {name}", _said(name, value, effective), effective.origins[name])
        for name, value in _values(effective).items()
    ]
    lines = output.table(
        ("", "", ""), rows, paint=lambda _, text, cell: click.style(cell, dim=True) if text == "default" else cell
    )
    steps = ", ".join(_steps(system)) or "no activities"
    return [f"{click.style(system.name, bold=True)}  {steps}", *lines[1:]]


def _effect(effect: Effect) -> dict[str, str | None]:
    return {"effect": effect.kind, "reconcile": effect.reconcile, "compensate": effect.compensate}


def _steps(system: System) -> Iterator[str]:
    """Yield the activities of a system, those with what their effects ask for that are not merely idempotent."""
    for name in system.activities:
        effect = system.effects[name]
        further = [f"reconcile: {effect.reconcile}"] if effect.reconcile is not None else []
        further += [f"undo: {effect.compensate}"] if effect.compensate is not None else []
        told = [] if effect.kind == "idempotent" else [effect.kind.replace("_", "-"), *further]
        yield f"{name} ({', '.join(told)})" if told else name


def _said(name: str, value: Any, effective: Effective) -> str:
    from segue.activities.duration import format_duration

    if name == "heartbeat_timeout" and value is None:
        derived = effective.policy.effective_heartbeat_timeout
        return f"derived: {format_duration(derived)}" if derived is not None else "derived: none"
    if value is None:
        return _NONE.get(name, "none")
    if isinstance(value, timedelta):
        return format_duration(value)
    if name == "maximum_attempts" and value == 0:
        return "0 (no bound)"
    return f"{value:g}" if isinstance(value, float) else str(value)
