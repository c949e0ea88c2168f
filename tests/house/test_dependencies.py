"""What Segue depends on: five packages in the core, the rest in extras, and every version here pinned."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
ROOTS = ("activities", "workflows", "client", "workers")
CORE = {"temporalio", "pydantic", "opentelemetry-sdk", "httpx", "click"}

# What the five bring and expose in their own interfaces: payloads are protobuf messages, the sdk implements the api.
BROUGHT = {"google", "opentelemetry", "pydantic_core", "typing_extensions"}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def requirements() -> list[Requirement]:
    """Every requirement that pyproject.toml names, Segue's own extras left out."""
    file = project()
    named: list[str] = [*file["build-system"]["requires"], *file["project"]["dependencies"]]
    for group in [*file["project"]["optional-dependencies"].values(), *file["dependency-groups"].values()]:
        named += group
    return [requirement for text in named if (requirement := Requirement(text)).name != "segue"]


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def imported_on_import(body: list[ast.stmt]) -> list[tuple[int, str]]:
    """The line and top-level name of each import that runs when the module does, so not those in functions."""
    found: list[tuple[int, str]] = []
    for statement in body:
        match statement:
            case ast.Import(names=names):
                found += [(statement.lineno, alias.name.partition(".")[0]) for alias in names]
            case ast.ImportFrom(module=str(module), level=0):
                found.append((statement.lineno, module.partition(".")[0]))
            case ast.If(test=ast.Name("TYPE_CHECKING")):
                found += imported_on_import(statement.orelse)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                pass
            case _:
                for block in ("body", "orelse", "finalbody"):
                    found += imported_on_import(getattr(statement, block, []))
                for handler in getattr(statement, "handlers", []):
                    found += imported_on_import(handler.body)
    return found


def test_the_core_is_five_packages() -> None:
    """Installing `segue` with no extra brings exactly five direct dependencies."""
    named = [Requirement(text).name for text in project()["project"]["dependencies"]]

    assert sorted(named) == sorted(CORE)


def test_importing_segue_needs_no_extra() -> None:
    """Every module of Segue can be imported with the core alone: what an extra brings is imported where it is used."""
    allowed = {"segue", *sys.stdlib_module_names, *BROUGHT, *(CORE - {"opentelemetry-sdk"})}
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for root in ROOTS
        for path in sorted((ROOT / root).rglob("*.py"))
        for line, name in imported_on_import(ast.parse(path.read_text()).body)
        if name not in allowed
    ]

    assert found == []


def test_the_extra_called_all_has_every_extra() -> None:
    """`segue[all]` names each of the other extras."""
    extras = project()["project"]["optional-dependencies"]
    (every,) = (Requirement(text) for text in extras["all"])

    assert sorted(every.extras) == sorted(set(extras) - {"all"})


def test_a_constraint_is_a_name_and_a_version() -> None:
    """Each line of constraints.txt is `name==version`, no address, path or editable install; in order, named once."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    names = [line.partition("==")[0].lower() for line in pinned]

    assert [line for line in pinned if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.+!]*", line)] == []
    assert names == sorted(set(names))


def test_every_requirement_is_pinned_within_its_range() -> None:
    """Whatever pyproject.toml asks for, constraints.txt pins, at a version that the asked range admits."""
    pinned = pins()
    wrong = [
        f"{requirement}: pinned {pinned.get(canonicalize_name(requirement.name))}"
        for requirement in requirements()
        if not requirement.specifier.contains(pinned.get(canonicalize_name(requirement.name), "0"))
    ]

    assert wrong == []
    assert "pip" in pinned
