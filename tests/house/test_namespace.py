"""The four source roots of one namespace, `segue` (PEP 420).

An `__init__.py` above one of the four packages would make that root the whole of `segue`, and hide the other three.
"""

from __future__ import annotations

from importlib.machinery import PathFinder
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOTS = ("activities", "workflows", "client", "workers")


@pytest.mark.parametrize("root", ROOTS)
def test_a_root_holds_one_package_of_the_namespace(root: str) -> None:
    """A source root holds `segue/<its package>` and nothing else, so that no name but `segue` is claimed."""
    above = [ROOT / root, ROOT / root / "segue"]
    inside = [sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") for folder in above]

    assert inside == [["segue"], [root]]


@pytest.mark.parametrize("root", ROOTS)
def test_a_package_is_regular_and_typed(root: str) -> None:
    """Each of the four packages has an `__init__.py` and an empty `py.typed` (PEP 561)."""
    package = ROOT / root / "segue" / root

    assert (package / "__init__.py").is_file()
    assert (package / "py.typed").read_bytes() == b""


def test_no_subfolder_lacks_its_init() -> None:
    """Below the four packages every folder with code is a regular package, so that a wheel and type checkers see it."""
    folders = {path.parent for root in ROOTS for path in (ROOT / root / "segue" / root).rglob("*.py")}

    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_the_installed_namespace_has_all_four_portions() -> None:
    """What is installed here, editable or as a wheel, offers all four packages under a `segue` that has no code."""
    namespace = PathFinder.find_spec("segue")
    assert namespace is not None
    portions = list(namespace.submodule_search_locations or [])

    assert namespace.origin is None
    assert sorted(package for package in ROOTS if PathFinder.find_spec(f"segue.{package}", portions)) == sorted(ROOTS)


def test_the_tests_are_no_package() -> None:
    """No `__init__.py` under tests and benchmarks, which pytest imports by path and nothing installs."""
    found = [path.relative_to(ROOT) for top in ("tests", "benchmarks") for path in (ROOT / top).rglob("__init__.py")]

    # The project that uses the wheel has a `workflows` package on purpose: it must not collide with Segue's.
    assert [path for path in found if "own_project" not in path.parts] == []
