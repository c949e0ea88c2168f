"""Find what to serve in modules that are given by name: workflows, activities, and the systems they belong to.

    found = discover(["app.workflows", "app.activities"])
    await run(client, task_queue=found.task_queue, workflows=found.workflows, activities=found.activities)

A module offers what its names reach: classes with `@workflow.defn`, functions with `@activity.defn` or
`@system.activity`, methods of module-level objects, `System`s, and those of modules that it imports by name, so that
`from segue.activities import http` is enough to serve the HTTP steps. A package stands for all its modules. The same
thing found twice counts once; two things under one registered name are refused.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import importlib
import inspect
import keyword
import os
import pkgutil
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from segue.activities.system import System

__all__ = [
    "Discovered",
    "DiscoveryError",
    "check_names",
    "default_task_queue",
    "discover",
    "module_name",
    "workflow_name",
]

# Modules of a package that are not there to be served, and may do things when imported.
_LEFT_OUT: Final = ("__main__", "conftest", "setup", "tests")


class DiscoveryError(ValueError):
    """Modules that cannot be served.

    Attributes:
        module: Name of the module at fault; empty if it is all of them together.
        traceback: The traceback of the error that its import raised, without the frames of the import system; empty
            if the module itself is not to be found, or holds nothing to serve.
    """

    def __init__(self, message: str, module: str = "", traceback: str = "") -> None:
        super().__init__(message)
        self.module = module
        self.traceback = traceback


@dataclasses.dataclass(frozen=True)
class Discovered:
    """What modules offer to a worker.

    Attributes:
        modules: Names of the modules, as imported.
        workflows: Workflow classes, in the order of their appearance.
        activities: Activity functions and bound methods, likewise.
        systems: The systems of those activities, and those that the modules name.
        task_queue: The queue to serve them on if none is given: the top name of the first module.
    """

    modules: tuple[str, ...]
    workflows: tuple[type, ...]
    activities: tuple[Callable[..., Any], ...]
    systems: tuple[System, ...]
    task_queue: str


def discover(modules: Sequence[str], directory: Path | None = None) -> Discovered:
    """Import modules, and return what they offer.

    Args:
        modules: Dotted names (`app.workflows`, `app`), or paths of Python files (`app/workflows.py`).
        directory: Where names and paths start; by default the working directory.

    Raises:
        DiscoveryError: A module cannot be found or imported, holds nothing to serve, or two workflows, activities or
            systems have one name.
    """
    # Imported here, because it takes half a second, and `segue --help` imports this module.
    from segue.activities.system import System, activity_name, system_of

    root = (directory or Path.cwd()).resolve()
    loaded = [module for given in modules for module in _loaded(given, root)]
    workflows: dict[str, type] = {}
    activities: dict[str, Callable[..., Any]] = {}
    systems: dict[str, System] = {}
    for module in dict.fromkeys(loaded):
        for value in _offered(module):
            if inspect.isclass(value):
                _add(workflows, "workflow", workflow_name(value), value)
            elif isinstance(value, System):
                _add(systems, "system", value.name, value)
            else:
                _add(activities, "activity", activity_name(value) or "(dynamic)", value)
                if (system := system_of(value)) is not None:
                    _add(systems, "system", system.name, system)
    if not workflows and not activities:
        named = ", ".join(repr(given) for given in modules)
        raise DiscoveryError(
            f"Nothing to serve in {named}: no class with @workflow.defn, no function with @activity.defn or "
            "@system.activity"
        )
    return Discovered(
        tuple(dict.fromkeys(module.__name__ for module in loaded)),
        tuple(workflows.values()),
        tuple(activities.values()),
        tuple(systems.values()),
        default_task_queue(modules, root),
    )


def default_task_queue(modules: Sequence[str], directory: Path | None = None) -> str:
    """Return the task queue that goes with modules if none is given, without importing them.

    It is the top name of the first: `app` for `app.workflows`, `hello` for `hello.py`.
    """
    return module_name(modules[0], directory).partition(".")[0]


def module_name(given: str, directory: Path | None = None) -> str:
    """Return the dotted name of a module that is given by name or by its file, without importing it."""
    return _resolve(given, (directory or Path.cwd()).resolve())[0]


def check_names(modules: Sequence[str], directory: Path | None = None) -> None:
    """Refuse, without importing anything, what cannot be the name of a module.

    Raises:
        DiscoveryError: A file is not there, or a name is none.
    """
    for given in modules:
        _checked(given, (directory or Path.cwd()).resolve())


def workflow_name(cls: type) -> str:
    """Return the name under which a workflow class is registered; "(dynamic)" for a dynamic workflow."""
    # Temporal's decorator leaves its definition here; there is no public way to ask for the name.
    return getattr(getattr(cls, "__temporal_workflow_definition", None), "name", None) or "(dynamic)"


def _resolve(given: str, directory: Path) -> tuple[str, Path]:
    """Return the dotted name of a module, and the folder that must be on `sys.path` for it.

    A file's name starts at the innermost folder above it that is no package, as when Python runs the file.
    """
    if not _is_path(given):
        return given, directory
    path = (directory / given).resolve()
    folder = path.parent
    parts = [path.stem] if path.stem != "__init__" else []
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts), folder


def _is_path(given: str) -> bool:
    return given.endswith(".py") or "/" in given or "\\" in given


def _checked(given: str, directory: Path) -> tuple[str, Path]:
    name, folder = _resolve(given, directory)
    if _is_path(given) and not (directory / given).exists():
        raise DiscoveryError(f"No file {given!r} in {directory}", given)
    if not all(part.isidentifier() and not keyword.iskeyword(part) for part in name.split(".")):
        raise DiscoveryError(f"{given!r} is not the name of a module: write app.workflows or app/workflows.py", given)
    return name, folder


def _loaded(given: str, directory: Path) -> Iterator[ModuleType]:
    """Import a module, and all those of a package."""
    name, folder = _checked(given, directory)
    for place in dict.fromkeys((str(directory), str(folder))):
        if place not in sys.path:
            sys.path.insert(0, place)
    module = _imported(name, given)
    yield module
    if (paths := getattr(module, "__path__", None)) is not None:
        yield from _below(name, paths, given)


def _below(package: str, paths: Iterable[str], given: str) -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(paths):
        if found.name in _LEFT_OUT or found.name.startswith("test_") or found.name.endswith("_test"):
            continue
        module = _imported(f"{package}.{found.name}", given)
        yield module
        if found.ispkg:
            yield from _below(module.__name__, module.__path__, given)


def _imported(name: str, given: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            # The module is there; it is one of its own imports that is not.
            raise _broken(name, error) from error
        raise DiscoveryError(_not_found(name, error.name), given) from None
    except (Exception, SystemExit) as error:
        raise _broken(name, error) from error


def _not_found(name: str, missing: str) -> str:
    library = sysconfig.get_path("stdlib")
    places = [place for place in sys.path if Path(place).is_dir() and not place.startswith(library + os.sep)]
    places = [place for place in places if place != library]
    parent, _, last = missing.rpartition(".")
    where = getattr(sys.modules.get(parent), "__path__", ()) if parent else places
    close = difflib.get_close_matches(last, [found.name for found in pkgutil.iter_modules(where)], n=1, cutoff=0.7)
    hint = f" Did you mean {f'{parent}.{close[0]}' if parent else close[0]!r}?" if close else ""
    wanted = repr(name) if name == missing else f"{name!r} (there is no {missing!r})"
    return f"No module named {wanted}.{hint} Looked in {', '.join(places)}"


def _broken(name: str, error: BaseException) -> DiscoveryError:
    summary = traceback.TracebackException.from_exception(error)
    for part in _chain(summary):
        own = [frame for frame in part.stack if "importlib" not in frame.filename and frame.filename != __file__]
        part.stack = traceback.StackSummary.from_list(own)
    return DiscoveryError(
        f"Importing {name!r} failed: {type(error).__name__}: {error}", name, "".join(summary.format()).rstrip()
    )


def _chain(summary: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    part: traceback.TracebackException | None = summary
    while part is not None:
        yield part
        part = part.__cause__ or part.__context__


def _offered(module: ModuleType) -> Iterator[Any]:
    """Yield the workflows, activities and systems that a module's names reach."""
    for value in list(vars(module).values()):
        if isinstance(value, ModuleType):
            for inner in list(vars(value).values()):
                yield from _servable(inner)
        else:
            yield from _servable(value)


def _servable(value: Any) -> Iterator[Any]:
    from segue.activities.system import System

    if inspect.isclass(value):
        definition = vars(value).get("__temporal_workflow_definition")
        # A subclass inherits the mark, and is a workflow only if it is decorated itself.
        if definition is not None and getattr(definition, "cls", None) is value:
            yield value
    elif isinstance(value, System):
        yield value
    elif isinstance(value, FunctionType):
        if hasattr(value, _ACTIVITY):
            yield value
    elif type(value).__module__ != "builtins":
        # An object that holds activities, as an HttpConnector does.
        held: dict[str, Any] = getattr(value, "__dict__", {})
        for member in list(held.values()):
            if isinstance(member, FunctionType) and hasattr(member, _ACTIVITY):
                yield member
        # An object whose class has activities for methods: the object is what they work with.
        for cls in type(value).__mro__:
            members: dict[str, Any] = dict(vars(cls))
            for name, member in members.items():
                if isinstance(member, FunctionType) and hasattr(member, _ACTIVITY):
                    with contextlib.suppress(AttributeError):
                        yield getattr(value, name)


_ACTIVITY: Final = "__temporal_activity_definition"


def _add(found: dict[str, Any], kind: str, name: str, value: Any) -> None:
    other = found.setdefault(name, value)
    # Each access to a method of an object makes a new bound method; those of one object are equal.
    if other is not value and other != value:
        raise DiscoveryError(
            f"Two {'activities' if kind == 'activity' else kind + 's'} are named {name!r}: {_place(other)} and "
            f"{_place(value)}. Give one of them another name"
        )


def _place(value: Any) -> str:
    if (declared := getattr(value, "declared_at", None)) is not None:
        return str(declared)
    owner = getattr(value, "__self__", None)
    name = f"{value.__module__}.{value.__qualname__}"
    return f"{name} of {owner!r}" if owner is not None else name
