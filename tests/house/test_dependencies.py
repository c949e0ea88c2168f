"""What Segue depends on: five packages in the core, the rest in extras, and every version here pinned."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CORE = {"temporalio", "pydantic", "opentelemetry-sdk", "httpx", "click"}


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


def test_the_core_is_five_packages() -> None:
    """Installing `segue` with no extra brings exactly five direct dependencies."""
    named = [Requirement(text).name for text in project()["project"]["dependencies"]]

    assert sorted(named) == sorted(CORE)


def needed_by(names: set[str]) -> set[str]:
    """The distributions that these need, and those that they need, themselves included; extras left out."""
    found: set[str] = set()
    waiting = {canonicalize_name(name) for name in names}
    while waiting:
        name = waiting.pop()
        found.add(name)
        for text in metadata.requires(name) or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting |= {canonicalize_name(requirement.name)} - found
    return found


WITHOUT_EXTRAS = """
import importlib, pkgutil, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing or name.startswith("opentelemetry.exporter"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

missing = set(sys.argv[1].split())
sys.meta_path.insert(0, Missing())
for package in ("segue.activities", "segue.workflows", "segue.client", "segue.workers"):
    below = pkgutil.walk_packages(importlib.import_module(package).__path__, package + ".")
    for module in below:
        # A module deeper down may be one connector's own, imported when it is first used.
        if "._" not in module.name and (module.ispkg or module.name.count(".") == 2):
            try:
                importlib.import_module(module.name)
            except Exception as error:
                print(f"{module.name}: {type(error).__name__}: {error}")
"""


def test_importing_segue_needs_no_extra() -> None:
    """With the core alone every package can be imported: what an extra brings is imported where it is used."""
    core = needed_by(CORE)
    missing = [
        package
        for package, distributions in metadata.packages_distributions().items()
        if not core & {canonicalize_name(name) for name in distributions} and package != "segue"
    ]

    said = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS, " ".join(missing)], capture_output=True, text=True, check=True
    )

    assert {"sqlalchemy", "obstore", "watchfiles"} <= set(missing)
    assert said.stdout == ""


def test_the_extra_called_all_has_every_extra() -> None:
    """`segue[all]` names each of the other extras but `local`: a model that few want on the machine of a worker."""
    extras = project()["project"]["optional-dependencies"]
    (every,) = (Requirement(text) for text in extras["all"])

    assert sorted(every.extras) == sorted(set(extras) - {"all", "local"})


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
