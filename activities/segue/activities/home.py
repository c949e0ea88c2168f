"""Annotations looked up in the modules of the process, where a sandbox has others by the same names, or none.

An annotation that is a text, as all are under `from __future__ import annotations`, is looked up in the module of its
class, which is found by its name in `sys.modules`. The sandbox has a `sys.modules` of its own. A class of the process,
such as an activity's declaration names one, finds there a module that was imported anew for the run, whose classes are
others, or no module at all:

    hints = at_home((Page,), lambda: typing.get_type_hints(Page))

What comes of it is kept for the whole process, so that it must not matter who asks first.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeVar

from temporalio import workflow

__all__ = ["at_home"]

T = TypeVar("T")


def at_home(classes: Iterable[type], make: Callable[[], T]) -> T:
    """Return what a function returns, called where the modules are those that the classes come from."""
    if not workflow.unsafe.in_sandbox():
        return make()
    strangers = [cls for cls in classes if not _known_here(cls)]
    # A class that neither knows by name, as one within a function, is taken for one of the run.
    if not strangers or not _outside(lambda: all(map(_known_here, strangers))):
        return make()
    return _outside(make)


def _known_here(cls: type) -> bool:
    found: object = sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is cls


def _outside(make: Callable[[], T]) -> T:
    """Call a function in a thread of its own, for the sandbox is one of the thread's."""
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(make())
        except BaseException as error:
            outcome.set_exception(error)

    thread = threading.Thread(target=run, name="segue-at-home", daemon=True)
    thread.start()
    thread.join()
    return outcome.result()
