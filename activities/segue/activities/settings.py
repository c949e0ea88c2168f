"""`segue.toml`: what operations may change at deployment without touching code.

    [systems.payments]
    start_to_close_timeout = "20s"
    maximum_attempts = 12
    capacity = { per_second = 20, concurrent = 4 }
    task_queue = "payments-eu"

Every field of `Policy` and `Capacity` may be given, and `task_queue`; `"none"` clears one that is optional. What a file
says is applied where steps are scheduled and workers are configured, so a change breaks no replay: Temporal compares
neither timeouts nor retry policies nor task queues.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

from segue.activities.duration import parse_duration
from segue.activities.policy import Capacity, Policy
from segue.activities.system import System

__all__ = ["SETTINGS_FILE", "SETTINGS_VARIABLE", "Effective", "Settings", "SettingsError"]

SETTINGS_FILE: Final = "segue.toml"
SETTINGS_VARIABLE: Final = "SEGUE_CONFIG"

# Systems that Segue's own connectors declare: a file may name them although no module has imported them yet.
SHIPPED: Final = frozenset(
    {
        "comparison",
        "comparison-explanations",
        "documents",
        "extraction",
        "generation",
        "http",
        "http-downloads",
        "llm",
        "mail",
        "objects",
        "research",
        "retrieval",
        "sql",
        "summary",
        "summary-writing",
    }
)

_POLICY_FIELDS: Final = {field.name: field for field in dataclasses.fields(Policy)}
_CAPACITY_FIELDS: Final = {field.name: field for field in dataclasses.fields(Capacity)}
_FIELDS: Final = (*_POLICY_FIELDS, "capacity", "task_queue")


class SettingsError(ValueError):
    """A `segue.toml` that cannot be applied.

    Attributes:
        path: The file.
        line: Number of the line at fault, from 1; 0 if the file as a whole is.
        field: Name of the field at fault, such as `systems.payments.maximum_attempts`; empty if none is.
    """

    def __init__(self, path: Path, line: int, field: str, problem: str) -> None:
        place = f"{path}:{line}" if line else str(path)
        super().__init__(f"{place}: {field}: {problem}" if field else f"{place}: {problem}")
        self.path = path
        self.line = line
        self.field = field


@dataclasses.dataclass(frozen=True, kw_only=True)
class Effective:
    """What holds for one system in this deployment.

    Attributes:
        policy: Its policy, overrides applied.
        capacity: Its capacity, overrides applied.
        task_queue: Queue of its activities; None for the queue of the calling workflow.
        origins: Where each value comes from, by field name: "default", "declared" or `segue.toml:LINE`.
    """

    policy: Policy
    capacity: Capacity
    task_queue: str | None
    origins: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class _Override:
    value: Any
    line: int


@dataclasses.dataclass(frozen=True)
class _Table:
    line: int
    overrides: Mapping[str, _Override]


class Settings:
    """The overrides of one deployment, by system and field. `Settings()` has none."""

    def __init__(self, path: Path | None = None, tables: Mapping[str, _Table] | None = None) -> None:
        self.path = path
        self._tables = dict(tables or {})

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> Settings:
        """Return the settings of a file: the one given, else `$SEGUE_CONFIG`, else `segue.toml` here if there is one.

        Raises:
            SettingsError: The file cannot be read, or holds a table, field, unit or value that Segue does not know.
        """
        named = path or os.environ.get(SETTINGS_VARIABLE)
        file = Path(named) if named else Path(SETTINGS_FILE)
        if not named and not file.exists():
            return cls()
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise SettingsError(file, 0, "", f"cannot be read: {reason}") from error
        return cls(file, _parse(file, text))

    def check(self, systems: Iterable[System]) -> None:
        """Refuse overrides for systems that nobody declared, and combinations that cannot be honoured.

        Raises:
            SettingsError: Names the file, the line and the field.
        """
        declared = {system.name: system for system in systems}
        for name, table in self._tables.items():
            if name not in declared and name not in SHIPPED:
                line = min((override.line for override in table.overrides.values()), default=table.line)
                raise self._error(line, f"systems.{name}", _unknown("system", name, [*declared, *SHIPPED]))
        for system in declared.values():
            self.resolve(system)

    def resolve(self, system: System) -> Effective:
        """Return what holds for a system: its declaration, overridden by this file.

        Raises:
            SettingsError: The override makes a combination that cannot be honoured.
        """
        overrides: Mapping[str, _Override] = self._tables[system.name].overrides if system.name in self._tables else {}
        policy = dataclasses.replace(system.policy, **_values(overrides, _POLICY_FIELDS))
        capacity = dataclasses.replace(
            system.capacity, **_values(overrides, [f"capacity.{name}" for name in _CAPACITY_FIELDS])
        )
        if overrides:
            for field, problem in (*policy.problems(), *capacity.problems()):
                # The field at fault may be the declared side of the combination: name the line that changed it.
                blamed = [override.line for name, override in overrides.items() if name == field or name in problem]
                line = min(blamed or [override.line for override in overrides.values()])
                raise self._error(line, f"systems.{system.name}.{field}", problem)
        queue = overrides.get("task_queue")
        if queue is not None and queue.value is None and capacity:
            raise self._error(
                queue.line,
                f"systems.{system.name}.task_queue",
                "'none' leaves the capacity without a queue to hold it in: clear the capacity too",
            )
        if queue is not None:
            task_queue = cast("str | None", queue.value)
        else:
            task_queue = system.task_queue or (system.name if capacity else None)
        return Effective(
            policy=policy, capacity=capacity, task_queue=task_queue, origins=self._origins(system, overrides)
        )

    def _origins(self, system: System, overrides: Mapping[str, _Override]) -> dict[str, str]:
        defaults = Policy()
        origins = {
            name: "default" if getattr(system.policy, name) == getattr(defaults, name) else "declared"
            for name in _POLICY_FIELDS
        }
        for name in _CAPACITY_FIELDS:
            origins[f"capacity.{name}"] = "default" if getattr(system.capacity, name) is None else "declared"
        origins["task_queue"] = "declared" if system.task_queue else "default"
        for name, override in overrides.items():
            origins[name] = f"{self.path}:{override.line}"
            if name.startswith("capacity.") and override.value is not None and origins["task_queue"] == "default":
                origins["task_queue"] = origins[name]  # a capacity brings a queue with it
        return origins

    def _error(self, line: int, field: str, problem: str) -> SettingsError:
        return SettingsError(self.path or Path(SETTINGS_FILE), line, field, problem)


def _values(overrides: Mapping[str, _Override], names: Iterable[str]) -> dict[str, Any]:
    return {name.rpartition(".")[2]: overrides[name].value for name in names if name in overrides}


def _parse(path: Path, text: str) -> dict[str, _Table]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"at line (\d+)", str(error))
        # What is missing at the end is told without a line.
        line = int(match[1]) if match else len(text.splitlines())
        raise SettingsError(path, line, "", f"is not TOML: {error}") from error
    lines = _Lines(text)
    for name in document:
        if name != "systems":
            raise SettingsError(path, lines.of(name), name, _unknown("table", name, ["systems"]))
    tables: object = document.get("systems", {})
    if not isinstance(tables, dict):
        raise SettingsError(path, lines.of("systems"), "systems", "must be a table of systems")
    found_tables: dict[str, _Table] = {}
    for system, fields in cast("dict[str, object]", tables).items():
        if not isinstance(fields, dict):
            raise SettingsError(
                path, lines.of("systems", system), f"systems.{system}", f"must be a table: [systems.{system}]"
            )
        overrides: dict[str, _Override] = {}
        found_tables[system] = _Table(lines.of("systems", system), overrides)
        for name, value in cast("dict[str, object]", fields).items():
            found = _capacity(value) if name == "capacity" else {name: value}
            for field, raw in found.items():
                full = f"systems.{system}.{field}"
                line = lines.of("systems", system, *field.split("."))
                try:
                    overrides[field] = _Override(_convert(field, raw), line)
                except ValueError as error:
                    raise SettingsError(path, line, full, str(error)) from None
    return found_tables


def _capacity(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        return {"capacity": value}
    return {f"capacity.{name}": inner for name, inner in cast("dict[str, object]", value).items()}


def _convert(field: str, value: object) -> Any:
    """Return a TOML value as the field's type, or raise ValueError saying what it must be."""
    if field == "capacity":
        raise ValueError("must be a table, such as { per_second = 20, concurrent = 4 }")
    if field.startswith("capacity."):
        name = field.removeprefix("capacity.")
        if name not in _CAPACITY_FIELDS:
            raise ValueError(_unknown("field", name, _CAPACITY_FIELDS))
        wanted: tuple[type, ...] = (int, float) if name == "per_second" else (int,)
        return None if value == "none" else _number(value, wanted)
    if field == "task_queue":
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"must be the name of a task queue, or 'none', not {value!r}")
        return None if value == "none" else value
    if field not in _POLICY_FIELDS:
        raise ValueError(_unknown("field", field, _FIELDS))
    if field == "on_exhausted":
        return None if value == "none" else value
    if field == "maximum_attempts":
        return _number(value, (int,))
    if field == "backoff_coefficient":
        return _number(value, (int, float))
    return _duration(field, value)


def _duration(field: str, value: object) -> timedelta | None:
    if value == "none" and "None" in str(_POLICY_FIELDS[field].type):
        return None
    if not isinstance(value, str):
        raise ValueError(f"must be a text with a unit, such as '20s' or '1h30m', not {value!r}")
    return parse_duration(value)


def _number(value: object, wanted: tuple[type, ...]) -> object:
    if isinstance(value, bool) or not isinstance(value, wanted):
        raise ValueError(f"must be a {'whole ' if float not in wanted else ''}number, not {value!r}")
    return value


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names) or 'none'}"
    return f"unknown {kind} {name!r}: {hint}"


class _Lines:
    """Finds the line of a key, which `tomllib` does not tell. Headers, plain and dotted keys are enough here."""

    _HEADER = re.compile(r"\s*\[+\s*([^\[\]]+?)\s*\]")
    _KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str, ...], int] = {}
        table: tuple[str, ...] = ()
        within = ""
        for number, line in enumerate(text.splitlines(), 1):
            # A text of several lines may hold what looks like a table.
            quotes = [quote for quote in ('"""', "'''") if line.count(quote) % 2]
            if within:
                within = "" if within in quotes else within
                continue
            within = quotes[0] if quotes else ""
            if header := self._HEADER.match(line):
                table = self._split(header[1])
                self._remember(table, number)
            elif key := self._KEY.match(line):
                self._remember((*table, *self._split(key[1])), number)

    def of(self, *path: str) -> int:
        """Return the line of a key, or of the nearest table around it; 0 if there is neither."""
        for length in range(len(path), 0, -1):
            if (line := self._lines.get(path[:length])) is not None:
                return line
        return 0

    def _remember(self, path: tuple[str, ...], number: int) -> None:
        for length in range(1, len(path) + 1):
            self._lines.setdefault(path[:length], number)

    @staticmethod
    def _split(key: str) -> tuple[str, ...]:
        return tuple(
            part.strip().strip("\"'") for part in re.split(r"\s*\.\s*(?=(?:[^\"']*[\"'][^\"']*[\"'])*[^\"']*$)", key)
        )
