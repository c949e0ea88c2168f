"""`segue.toml`: every override, and every mistake with its file, line and field."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.activities import Capacity, Policy, System
from segue.activities.duration import format_duration, parse_duration
from segue.activities.settings import Effective, Settings, SettingsError

bank = System(
    "bank",
    policy=Policy(start_to_close_timeout=timedelta(seconds=10), heartbeat_timeout=timedelta(seconds=8)),
    capacity=Capacity(per_second=50),
)
dotted = System("bank.eu-1")


Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a settings file and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "segue.toml"
        path.write_bytes(text.encode())
        return path

    return write


def effective(path: Path, system: System = bank) -> Effective:
    settings = Settings.load(path)
    settings.check([bank, dotted])
    return settings.resolve(system)


def refused(path: Path) -> str:
    """Return what a file is refused with, after its path, which the message must begin with."""
    with pytest.raises(SettingsError) as raised:
        effective(path)
    error = raised.value
    place = f"{path}:{error.line}" if error.line else str(path)
    field = f": {error.field}" if error.field else ""
    assert error.path == path
    assert str(error).startswith(f"{place}{field}: ")
    return str(error).removeprefix(str(path))


OVERRIDES: list[tuple[str, str, Any]] = [
    ('start_to_close_timeout = "20s"', "start_to_close_timeout", timedelta(seconds=20)),
    ('schedule_to_close_timeout = "1h30m"', "schedule_to_close_timeout", timedelta(hours=1, minutes=30)),
    ('schedule_to_start_timeout = "2d"', "schedule_to_start_timeout", timedelta(days=2)),
    ('heartbeat_timeout = "500ms"', "heartbeat_timeout", timedelta(milliseconds=500)),
    ('heartbeat_timeout = "0s"', "heartbeat_timeout", timedelta(0)),
    ('heartbeat_timeout = "none"', "heartbeat_timeout", None),
    ('initial_interval = "0.25s"', "initial_interval", timedelta(milliseconds=250)),
    ("backoff_coefficient = 1", "backoff_coefficient", 1),
    ("backoff_coefficient = 1.5", "backoff_coefficient", 1.5),
    ('maximum_interval = "1m 30s"', "maximum_interval", timedelta(seconds=90)),
    ('maximum_interval = "none"', "maximum_interval", None),
    ("maximum_attempts = 0", "maximum_attempts", 0),
    ('on_exhausted = "fail"', "on_exhausted", "fail"),
    ('on_exhausted = "park"', "on_exhausted", "park"),
    ('on_exhausted = "none"', "on_exhausted", None),
]


def test_every_field_has_an_override_here() -> None:
    """No field of a policy is left out of these tests."""
    assert {field for _, field, _ in OVERRIDES} == {field.name for field in dataclasses.fields(Policy)}


@pytest.mark.parametrize(("line", "field", "value"), OVERRIDES)
def test_an_override_of_the_policy(write: Write, line: str, field: str, value: Any) -> None:
    """A field of the policy takes the file's value, and every other stays as it was declared."""
    found = effective(write(f"[systems.bank]\n{line}\n"))
    assert found.policy == dataclasses.replace(bank.policy, **{field: value})
    assert (found.capacity, found.task_queue) == (Capacity(per_second=50), "bank")


@pytest.mark.parametrize(
    ("lines", "capacity", "task_queue"),
    [
        ("capacity = { per_second = 20 }", Capacity(per_second=20), "bank"),
        ("capacity = { per_second = 0.5, concurrent = 4 }", Capacity(per_second=0.5, concurrent=4), "bank"),
        ("capacity.concurrent = 4", Capacity(per_second=50, concurrent=4), "bank"),
        ('capacity.per_second = "none"', Capacity(), "bank"),
        ('capacity.per_second = "none"\ntask_queue = "none"', Capacity(), None),
        ('task_queue = "bank-eu"', Capacity(per_second=50), "bank-eu"),
        ("capacity = {}", Capacity(per_second=50), "bank"),
    ],
)
def test_an_override_of_capacity_and_queue(
    write: Write, lines: str, capacity: Capacity, task_queue: str | None
) -> None:
    """The capacity is overridden field by field, and the task queue by name or away."""
    found = effective(write(f"[systems.bank]\n{lines}\n"))
    assert (found.policy, found.capacity, found.task_queue) == (bank.policy, capacity, task_queue)


def test_a_capacity_given_at_deployment_brings_a_queue(write: Write) -> None:
    """A system that declares no capacity gets its own queue when the file gives it one."""
    found = effective(write('[systems."bank.eu-1"]\ncapacity = { concurrent = 2 }\n'), dotted)
    assert (found.capacity, found.task_queue) == (Capacity(concurrent=2), "bank.eu-1")


@pytest.mark.parametrize(
    "text",
    [
        "[systems.bank]\nmaximum_attempts = 3",
        "systems.bank.maximum_attempts = 3",
        "[systems]\nbank.maximum_attempts = 3",
        "[systems]\nbank = { maximum_attempts = 3 }",
        "systems = { bank = { maximum_attempts = 3 } }",
        "[ systems . bank ]\n'maximum_attempts' = 3 # tries",
        '\n# what operations changed\n[systems."bank"] # at night\n\n  maximum_attempts = 3\n',
        "[systems.bank]\r\nmaximum_attempts = 3\r\n",
        "\ufeff[systems.bank]\nmaximum_attempts = 3\n",
    ],
)
def test_every_spelling_of_a_table(write: Write, text: str) -> None:
    """Tables may be headed, dotted, inline, quoted and commented, with any line ends, and after a byte order mark."""
    path = write(text)
    [line] = [number for number, line in enumerate(text.splitlines(), 1) if "maximum_attempts" in line]
    found = effective(path)
    assert (found.policy.maximum_attempts, found.origins["maximum_attempts"]) == (3, f"{path}:{line}")


def test_a_name_with_a_dot(write: Write) -> None:
    """A system whose name has a dot is named in quotes, and the error of an unquoted one names what TOML made of it."""
    found = effective(write('[systems."bank.eu-1"]\nmaximum_attempts = 3\n'), dotted)
    assert found.policy.maximum_attempts == 3
    assert refused(write("[systems.bank.eu-1]\nmaximum_attempts = 3\n")) == (
        ":1: systems.bank.eu-1: unknown field 'eu-1': known are backoff_coefficient, capacity, heartbeat_timeout, "
        "initial_interval, maximum_attempts, maximum_interval, on_exhausted, schedule_to_close_timeout, "
        "schedule_to_start_timeout, start_to_close_timeout, task_queue"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[sistems.bank]\n", ":1: sistems: unknown table 'sistems': did you mean 'systems'?"),
        ("\n\nlevel = 3\n", ":3: level: unknown table 'level': known are systems"),
        ("systems = 3\n", ":1: systems: must be a table of systems"),
        ("[[systems]]\nname = 'bank'\n", ":1: systems: must be a table of systems"),
        ("[systems]\nbank = 3\n", ":2: systems.bank: must be a table: [systems.bank]"),
        ("[systems.bnak]\nmaximum_attempts = 3\n", ":2: systems.bnak: unknown system 'bnak': did you mean 'bank'?"),
        ("[systems.bnak]\n", ":1: systems.bnak: unknown system 'bnak': did you mean 'bank'?"),
        (
            "[systems.bank]\nmaximum_attemps = 3\n",
            ":2: systems.bank.maximum_attemps: unknown field 'maximum_attemps': did you mean 'maximum_attempts'?",
        ),
        (
            "[systems.bank]\ncapacity = { per_minute = 3 }\n",
            ":2: systems.bank.capacity.per_minute: unknown field 'per_minute': known are concurrent, per_second",
        ),
        (
            "[systems.bank.capacity]\nper_secnod = 3\n",
            ":2: systems.bank.capacity.per_secnod: unknown field 'per_secnod': did you mean 'per_second'?",
        ),
        (
            "[systems.bank]\ncapacity = 3\n",
            ":2: systems.bank.capacity: must be a table, such as { per_second = 20, concurrent = 4 }",
        ),
        (
            "[systems.bank]\nstart_to_close_timeout = 20\n",
            ":2: systems.bank.start_to_close_timeout: must be a text with a unit, such as '20s' or '1h30m', not 20",
        ),
        (
            "[systems.bank]\nstart_to_close_timeout = true\n",
            ":2: systems.bank.start_to_close_timeout: must be a text with a unit, such as '20s' or '1h30m', not True",
        ),
        (
            "[systems.bank]\nstart_to_close_timeout = 07:32:00\n",
            ":2: systems.bank.start_to_close_timeout: must be a text with a unit, such as '20s' or '1h30m', "
            "not datetime.time(7, 32)",
        ),
        *(
            (
                f"[systems.bank]\nstart_to_close_timeout = '{text}'\n",
                f":2: systems.bank.start_to_close_timeout: {text!r} is not a duration: write a number with its unit, "
                "such as '500ms', '20s', '1h30m'",
            )
            for text in ("20", "20 seconds", "-20s", "20S", "s", "", "none", "1e3s", "20s!", "2 0s", "1.s", "PT20S")
        ),
        (
            "[systems.bank]\nstart_to_close_timeout = '99999999999999d'\n",
            ":2: systems.bank.start_to_close_timeout: '99999999999999d' is longer than a duration can be",
        ),
        (
            "[systems.bank]\nstart_to_close_timeout = '0s'\n",
            ":2: systems.bank.start_to_close_timeout: must be longer than zero, not 0:00:00",
        ),
        (
            "[systems.bank]\nmaximum_attempts = '3'\n",
            ":2: systems.bank.maximum_attempts: must be a whole number, not '3'",
        ),
        (
            "[systems.bank]\nmaximum_attempts = 3.0\n",
            ":2: systems.bank.maximum_attempts: must be a whole number, not 3.0",
        ),
        (
            "[systems.bank]\nmaximum_attempts = -1\n",
            ":2: systems.bank.maximum_attempts: must be 0 (no bound) or more, not -1",
        ),
        (
            "[systems.bank]\nmaximum_attempts = 'none'\n",
            ":2: systems.bank.maximum_attempts: must be a whole number, not 'none'",
        ),
        (
            "[systems.bank]\nbackoff_coefficient = nan\n",
            ":2: systems.bank.backoff_coefficient: must be at least 1 and finite, not nan",
        ),
        (
            "[systems.bank]\nbackoff_coefficient = [2]\n",
            ":2: systems.bank.backoff_coefficient: must be a number, not [2]",
        ),
        (
            "[systems.bank]\ncapacity = { per_second = 0 }\n",
            ":2: systems.bank.capacity.per_second: must be greater than zero and finite, not 0",
        ),
        (
            "[systems.bank]\ncapacity = { per_second = '20' }\n",
            ":2: systems.bank.capacity.per_second: must be a number, not '20'",
        ),
        (
            "[systems.bank]\ncapacity = { concurrent = 1.5 }\n",
            ":2: systems.bank.capacity.concurrent: must be a whole number, not 1.5",
        ),
        (
            "[systems.bank]\ntask_queue = ''\n",
            ":2: systems.bank.task_queue: must be the name of a task queue, or 'none', not ''",
        ),
        (
            "[systems.bank]\ntask_queue = 4\n",
            ":2: systems.bank.task_queue: must be the name of a task queue, or 'none', not 4",
        ),
        (
            "[systems.bank]\n\ntask_queue = 'none'\n",
            ":3: systems.bank.task_queue: 'none' leaves the capacity without a queue to hold it in: clear the capacity "
            "too",
        ),
    ],
)
def test_a_mistake_is_placed(write: Write, text: str, message: str) -> None:
    """What the file may not say is refused with the file, the line, the field, and what to write."""
    assert refused(write(text)) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[systems.bank]\nstart_to_close_timeout = '5s'\n",
            ":2: systems.bank.heartbeat_timeout: (0:00:08) is longer than start_to_close_timeout (0:00:05)",
        ),
        (
            "[systems.bank]\nmaximum_attempts = 3\nschedule_to_close_timeout = '5s'\n",
            ":3: systems.bank.schedule_to_close_timeout: (0:00:05) is shorter than start_to_close_timeout (0:00:10)",
        ),
        (
            "[systems.bank]\nmaximum_attempts = 3\ninitial_interval = '2m'\n",
            ":3: systems.bank.maximum_interval: (0:01:00) is shorter than initial_interval (0:02:00)",
        ),
    ],
)
def test_a_combination_with_what_is_declared(write: Write, text: str, message: str) -> None:
    """A value that is sound alone and impossible beside a declared one is refused at the line that brings it."""
    assert refused(write(text)) == message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[systems.bank]\nmaximum_attempts = \n", 2),
        ("[systems.bank\n", 1),
        ("[systems.bank]\nmaximum_attempts = 3\nmaximum_attempts = 4\n", 3),
        ("[systems.bank]\nmaximum_attempts = 3\n[systems.bank]\ntask_queue = 'x'\n", 3),
        ("[systems.bank]\ncapacity = { per_second = 1 }\ncapacity.concurrent = 2\n", 3),
        ("[systems.bank]\nstart_to_close_timeout = 20s\n", 2),
        ("[systems.bank]\ntask_queue = 'a\n", 2),
    ],
)
def test_what_is_not_toml(write: Write, text: str, line: int) -> None:
    """A file that is not TOML, duplicate keys and tables included, is refused at the line where it ceases to be."""
    message = refused(write(text))
    assert message.startswith(f":{line}: is not TOML: ")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A named file that is missing, a folder, or not UTF-8 is an error that says which and why."""
    missing = tmp_path / "missing.toml"
    assert refused(missing) == ": cannot be read: No such file or directory"
    assert refused(tmp_path) == ": cannot be read: Is a directory"
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"# \xff\n")
    assert refused(binary) == (
        ": cannot be read: 'utf-8' codec can't decode byte 0xff in position 2: invalid start byte"
    )


def test_where_the_file_is_looked_for(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A given path wins over `$SEGUE_CONFIG`, which wins over `segue.toml` here, which may be missing."""
    here = write("[systems.bank]\nmaximum_attempts = 1\n")
    named = tmp_path / "named.toml"
    named.write_text("[systems.bank]\nmaximum_attempts = 2\n")
    given = tmp_path / "given.toml"
    given.write_text("[systems.bank]\nmaximum_attempts = 3\n")

    def attempts(path: Path | None = None) -> int:
        return Settings.load(path).resolve(bank).policy.maximum_attempts

    monkeypatch.delenv("SEGUE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    assert attempts() == 1
    monkeypatch.setenv("SEGUE_CONFIG", str(named))
    assert (attempts(), attempts(given)) == (2, 3)
    monkeypatch.setenv("SEGUE_CONFIG", "")
    assert attempts() == 1
    here.unlink()
    assert attempts() == bank.policy.maximum_attempts
    monkeypatch.setenv("SEGUE_CONFIG", str(here))
    with pytest.raises(SettingsError, match="cannot be read: No such file or directory"):
        Settings.load()


def test_where_each_value_comes_from(write: Write) -> None:
    """Each value of a system says whether it is the default, declared in code, or a line of the file."""
    path = write("[systems.bank]\nmaximum_attempts = 3\ncapacity = { concurrent = 4 }\n")
    assert effective(path).origins == {
        "start_to_close_timeout": "declared",
        "schedule_to_close_timeout": "default",
        "schedule_to_start_timeout": "default",
        "heartbeat_timeout": "declared",
        "initial_interval": "default",
        "backoff_coefficient": "default",
        "maximum_interval": "default",
        "maximum_attempts": f"{path}:2",
        "on_exhausted": "default",
        "capacity.per_second": "declared",
        "capacity.concurrent": f"{path}:3",
        "task_queue": "declared",
    }
    origins = effective(write('[systems."bank.eu-1"]\ncapacity = { concurrent = 2 }\n'), dotted).origins
    assert (origins["capacity.concurrent"], origins["task_queue"]) == (f"{path}:2", f"{path}:2")


def test_a_multi_line_text_does_not_shift_the_lines(write: Write) -> None:
    """What looks like a table inside a text of several lines is not taken for one."""
    text = '[systems.bank]\ntask_queue = """\n[systems.other]\nmaximum_attempts = 7"""\nmaximum_attempts = -1\n'
    assert refused(write(text)) == ":5: systems.bank.maximum_attempts: must be 0 (no bound) or more, not -1"


def test_shipped_systems_need_no_import(write: Write) -> None:
    """The file may name the systems of Segue's own connectors although this process uses none of them."""
    Settings.load(write("[systems.http]\nmaximum_attempts = 3\n[systems.sql]\nmaximum_attempts = 3\n")).check([])


@settings(deadline=None)
@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta.max))
def test_a_duration_reads_back_as_it_was_written(duration: timedelta) -> None:
    """Every duration, to the microsecond, is written in a form that reads back as the same."""
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(milliseconds=500), "500ms"),
        (timedelta(microseconds=1), "0.001ms"),
        (timedelta(seconds=20), "20s"),
        (timedelta(seconds=1, milliseconds=234), "1.234s"),
        (timedelta(seconds=1, microseconds=234567), "1.234567s"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(seconds=90, milliseconds=500), "1m30.5s"),
        (timedelta(hours=1, minutes=30), "1h30m"),
        (timedelta(days=2, seconds=1), "2d1s"),
        (timedelta(seconds=-90), "-1m30s"),
    ],
)
def test_how_durations_are_written(duration: timedelta, text: str) -> None:
    """A duration is written in its largest units."""
    assert format_duration(duration) == text
