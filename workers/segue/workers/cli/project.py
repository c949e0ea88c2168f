"""What a project says of itself, so that nobody types it twice: its modules, its task queue, its running `segue dev`.

    [tool.segue]                                # in pyproject.toml
    modules = ["app.workflows", "app.activities"]
    task-queue = "orders"

`segue dev` leaves the same in `.segue/dev.json` for as long as it runs, with its address. Both are looked for in the
working directory and the folders above it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from segue.workers import ports
from segue.workers.cli.exits import Exit, Failure

DEV_FILE: Final = Path(".segue/dev.json")
TASK_QUEUE_VARIABLE: Final = "SEGUE_TASK_QUEUE"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Running:
    """A `segue dev` that runs.

    Attributes:
        pid: Its process id.
        address: Where its server listens.
        namespace: The namespace.
        ui: Address of its Web UI, None without one.
        modules: The modules that it serves.
        task_queue: Its workflow queue.
    """

    pid: int
    address: str
    namespace: str
    ui: str | None
    modules: tuple[str, ...]
    task_queue: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Project:
    """The project around the working directory.

    Attributes:
        directory: Where its module names start.
        modules: Those that pyproject.toml names.
        task_queue: The one that pyproject.toml names, None if it names none.
        running: The `segue dev` that serves it now, None if none does.
    """

    directory: Path
    modules: tuple[str, ...] = ()
    task_queue: str | None = None
    running: Running | None = None

    def modules_or(self, given: Sequence[str]) -> tuple[str, ...]:
        """Return the given modules, else those that the running `segue dev` serves, else those of pyproject.toml."""
        return tuple(given) or (self.running.modules if self.running is not None else ()) or self.modules

    def task_queue_or(self, given: str | None, modules: Sequence[str]) -> str | None:
        """Return the task queue for modules: given, else `$SEGUE_TASK_QUEUE`, else the project's, else by the modules.

        The running `segue dev` decides for the modules that it serves. None if there are no modules to go by.
        """
        if named := given or os.environ.get(TASK_QUEUE_VARIABLE):
            return named
        from segue.workers.discover import default_task_queue, module_name

        if self.running is not None:
            served = [module_name(module, self.directory) for module in self.running.modules]
            names = [module_name(module, self.directory) for module in modules]
            # A package stands for all its modules.
            if all(any(f"{name}.".startswith(f"{one}.") for one in served) for name in names):
                return self.running.task_queue
        if self.task_queue is not None:
            return self.task_queue
        return default_task_queue(modules, self.directory) if modules else None


def find() -> Project:
    """Return the project around the working directory: the nearest folder with either file, else that directory alone.

    Raises:
        Failure: pyproject.toml has a `[tool.segue]` that cannot be used.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        running = _running(folder / DEV_FILE)
        settings = _settings(folder / "pyproject.toml")
        if running is not None or settings is not None:
            modules, task_queue = settings or ((), None)
            return Project(directory=folder, modules=modules, task_queue=task_queue, running=running)
    return Project(directory=here)


def write(path: Path, running: Running) -> None:
    """Leave word of a running `segue dev`."""
    whole = path.with_suffix(".new")
    whole.write_text(json.dumps(dataclasses.asdict(running), indent=2) + "\n")
    whole.replace(path)


def _running(path: Path) -> Running | None:
    # A file that is half there, or of another version, is as good as none.
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        content: dict[str, Any] = json.loads(path.read_text())
        content["modules"] = tuple(content["modules"])
        running = Running(**content)
        return running if _alive(running.pid) else None
    return None


def _alive(pid: int) -> bool:
    # The number alone may meanwhile be another process's.
    command = ports.command(pid)
    return "segue" in command and " dev" in command


def _settings(path: Path) -> tuple[tuple[str, ...], str | None] | None:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return None
    except ValueError as error:
        raise Failure(f"{path} is not TOML: {error}", Exit.USAGE) from error
    table: object = document.get("tool", {}).get("segue")
    if table is None:
        return None
    if not isinstance(table, dict):
        raise Failure(f"{path}: [tool.segue] must be a table", Exit.USAGE)
    found: dict[str, Any] = dict(table)  # pyright: ignore[reportUnknownArgumentType]
    modules: Any = found.pop("modules", [])
    task_queue: Any = found.pop("task-queue", None)
    for name in found:
        raise Failure(f"{path}: [tool.segue] has an unknown field {name!r}: known are modules, task-queue", Exit.USAGE)
    if not isinstance(modules, list):
        raise _bad_modules(path, modules)
    names: list[Any] = modules  # pyright: ignore[reportUnknownVariableType]
    if not all(isinstance(name, str) for name in names):
        raise _bad_modules(path, names)
    if task_queue is not None and (not isinstance(task_queue, str) or not task_queue):
        raise Failure(f"{path}: task-queue in [tool.segue] must be a text, not {task_queue!r}", Exit.USAGE)
    return tuple(names), task_queue


def _bad_modules(path: Path, modules: Any) -> Failure:
    return Failure(f"{path}: modules in [tool.segue] must be a list of module names, not {modules!r}", Exit.USAGE)
