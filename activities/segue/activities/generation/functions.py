"""Functions that travel by name: a history holds `module:name`, and the worker that needs the function imports it.

    named(checks.polite)                  # 'app.checks:polite'
    function("app.checks:polite")         # the function itself

Only what every worker finds under that name can travel so: a function at the top of a module, or one of a class's own.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any, Final, cast

__all__ = ["FUNCTION_PATH", "NotFound", "function", "named"]

FUNCTION_PATH: Final = r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$"
"""What a function's name looks like."""

# Temporal's sandbox imports the program that was started under this name.
_SANDBOXED_MAIN: Final = "__temporal_main__"


class NotFound(LookupError):
    """A name under which this process has no function."""


def named(fn: Any) -> str:
    """Return the name under which other processes find a function.

    Raises:
        ValueError: They would not find it. The message says why, and what to do.
    """
    if isinstance(fn, functools.partial):
        raise ValueError(
            "it is a functools.partial, which has no name: give the function itself, and its arguments beside it"
        )
    if inspect.ismethod(fn) and not inspect.isclass(fn.__self__):
        raise ValueError(
            f"{fn.__qualname__!r} is a method of an object, and an object does not travel: give a function at the top "
            "of a module"
        )
    if not inspect.isroutine(fn):
        raise ValueError(f"{fn!r} is not a function: give a function at the top of a module")
    module, name = str(fn.__module__), str(fn.__qualname__)
    if "<lambda>" in name:
        raise ValueError("it is a lambda, which has no name: define a function at the top of a module")
    if "<locals>" in name:
        outer, _, inner = name.rpartition(".<locals>.")
        raise ValueError(
            f"{inner!r} is defined within {outer!r}, where no other process finds it: define it at the top of a module"
        )
    return f"{'__main__' if module == _SANDBOXED_MAIN else module}:{name}"


def function(path: str) -> Callable[..., Any]:
    """Return the function of a name, importing its module.

    Raises:
        NotFound: There is none. The message says what is missing where.
    """
    module, _, name = path.partition(":")
    found: Any
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise NotFound(f"{path!r} cannot be imported in this worker: {error}") from error
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise NotFound(f"{path!r} is not there: module {module!r} of this worker has no function {name!r}")
    return cast("Callable[..., Any]", found)
