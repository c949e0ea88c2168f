"""Segue's public names and their signatures, frozen: what users call changes only on purpose.

The record is `public_names.txt` beside this file. When a change is meant, `make public-names` writes it anew; review
the difference as you review code, and say in CHANGELOG.md what users have to change.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

PACKAGES = ("segue.activities", "segue.workflows", "segue.client", "segue.workers")
RECORD = Path(__file__).with_name("public_names.txt")


def public_modules() -> Iterator[ModuleType]:
    """Every module of the four packages with an `__all__` and without a leading underscore anywhere in its name."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        below = (found.name for found in pkgutil.walk_packages(package.__path__, f"{name}."))
        for module in [package, *map(importlib.import_module, sorted(n for n in below if "._" not in n))]:
            if hasattr(module, "__all__"):
                yield module


def described(name: str, value: object) -> list[str]:
    """The lines that record one public name: itself, and below a class each of its own public attributes."""
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return [f"{name}: {type(value).__qualname__}"]
    lines = called(name, value)
    if inspect.isclass(value):
        for attribute, found in sorted(vars(value).items()):
            if attribute.startswith(("_", "model_")):
                continue
            function: object = getattr(found, "__func__", found)  # what a classmethod or staticmethod wraps
            if inspect.isfunction(function):
                lines += [f"    {line}" for line in called(f".{attribute}", function)]
            elif isinstance(found, property):
                lines.append(f"    .{attribute}: property")
    return lines


class _Abridged:
    """A long default, such as another class's defaults, which have a line of their own."""

    def __init__(self, value: object) -> None:
        self.text = f"{type(value).__qualname__}(...)"

    def __repr__(self) -> str:
        return self.text


def _annotations(base: object) -> dict[str, str]:
    return {name: hint for name, hint in vars(base).get("__annotations__", {}).items() if isinstance(hint, str)}


def called(name: str, value: object) -> list[str]:
    """The name and its signature as written, a parameter a line if it is long."""
    try:
        whole = inspect.signature(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return [name]
    # As the source has them: a pydantic model's signature holds types, whose text differs between Pythons.
    written = {name: hint for base in getattr(value, "__mro__", ()) for name, hint in _annotations(base).items()}
    parameters = [
        given.replace(
            annotation=written.get(given.name, given.annotation),
            # The text of a function holds its address.
            default=_Abridged(given.default)
            if len(repr(given.default)) > 60 or inspect.isfunction(given.default)
            else given.default,
        )
        for given in whole.parameters.values()
    ]
    line = name + str(whole.replace(parameters=parameters))
    if len(line) <= 120:
        return [line]
    lines = [f"    {given}" for given in parameters]
    kinds = [given.kind for given in parameters]
    if inspect.Parameter.KEYWORD_ONLY in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
        lines.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "    *")
    if inspect.Parameter.POSITIONAL_ONLY in kinds:
        lines.insert(kinds.count(inspect.Parameter.POSITIONAL_ONLY), "    /")
    return [f"{name}(", *lines, line[line.rindex(")") :]]


def public_names() -> str:
    """The record as it is now: modules in order, names in order; a name that a module passes on says whose it is."""
    lines: list[str] = []
    for module in public_modules():
        lines.append(f"# {module.__name__}")
        for name in sorted(module.__all__):
            value = getattr(module, name)
            home = getattr(value, "__module__", module.__name__)
            if home != module.__name__ and home.startswith("segue.") and hasattr(value, "__qualname__"):
                lines.append(f"{name} = {home}.{value.__qualname__}")
            else:
                lines += described(name, value)
        lines.append("")
    return "\n".join(lines)


def test_public_names_are_those_recorded() -> None:
    """Every public name has the signature on record, and no name has come or gone unrecorded."""
    assert public_names() == RECORD.read_text(), "a public name changed; if that is meant, run: make public-names"


if __name__ == "__main__":
    RECORD.write_text(public_names())
