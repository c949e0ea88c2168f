"""The distribution as a user gets it: what is in the wheel and the sdist, and a workflow run with the wheel installed.

`make wheel-test` runs this file. `make test` does not: its name is not one that pytest collects, because it builds the
distribution and fills an environment for each supported Python that is here.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOTS = ("activities", "workflows", "client", "workers")
PROJECT = Path(__file__).with_name("own_project")
PYTHONS = ("3.11", "3.12", "3.13")


def run(*command: str | Path, cwd: Path | None = None, variables: Mapping[str, str] | None = None) -> str:
    """Run a command to its end and give what it printed; fail with all of it if it failed."""
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))} exited with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from the sdist, so that neither gets by with what only the other has."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return folder


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    """Give the wheel."""
    (path,) = built.glob("segue-*-py3-none-any.whl")
    return path


def sources() -> list[str]:
    """The files of the four packages, as paths in the wheel."""
    return sorted(
        str(path.relative_to(ROOT / root))
        for root in ROOTS
        for path in (ROOT / root).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )


def test_the_wheel_holds_the_four_packages_and_nothing_else(wheel: Path) -> None:
    """The wheel has every file of the four packages, `py.typed` in each, and besides them only its own metadata."""
    with zipfile.ZipFile(wheel) as archive:
        names = sorted(archive.namelist())

    packages = [name for name in names if ".dist-info/" not in name]
    assert packages == sources()
    assert [name for name in packages if name.endswith("py.typed")] == [
        f"segue/{root}/py.typed" for root in sorted(ROOTS)
    ]
    assert [name.split("/", 1)[1] for name in names if ".dist-info/" in name] == [
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    ]


def test_the_wheels_metadata_says_what_it_needs(wheel: Path) -> None:
    """The metadata names the licence, the Pythons, and five dependencies outside the extras."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    needed = [text for text in metadata.get_all("Requires-Dist", []) if "extra ==" not in text]

    assert (metadata["Name"], metadata["License-Expression"], metadata["Requires-Python"]) == (
        "segue",
        "Apache-2.0",
        "<3.14,>=3.11",
    )
    assert sorted(re.split(r"[<>=]", text)[0] for text in needed) == [
        "click",
        "httpx",
        "opentelemetry-sdk",
        "pydantic",
        "temporalio",
    ]


def test_the_sdist_holds_the_sources_and_what_a_reader_needs(built: Path) -> None:
    """The sdist has the four roots, the licence, the readme and the changelog: no tests, no CI, no environment."""
    (path,) = built.glob("segue-*.tar.gz")
    with tarfile.open(path) as archive:
        names = sorted(name.split("/", 1)[1] for name in archive.getnames())

    assert [name for name in names if name.split("/")[0] not in ROOTS] == [
        ".gitignore",
        "CHANGELOG.md",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "pyproject.toml",
    ]
    assert sorted(name.split("/", 1)[1] for name in names if name.split("/")[0] in ROOTS) == sources()


def interpreter(version: str) -> str | None:
    """A Python of this version with its venv module: the running one, one on the path, or one that pyenv has."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [
        sys.executable,
        shutil.which(f"python{version}"),
        *(str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)),
    ]
    code = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    for candidate in filter(None, candidates):
        said = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False)
        if said.stdout.strip() == version:
            return candidate
    return None


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give what makes an environment of a Python version with nothing in it but `segue[dev]` from the wheel."""

    @functools.cache
    def make(version: str) -> Path:
        python = interpreter(version)
        if python is None:
            pytest.skip(f"this machine has no Python {version} with the venv module: the wheel was not tried on it")
        folder = tmp_path_factory.mktemp(f"python{version}")
        run(python, "-m", "venv", folder)
        pip: list[str | Path] = [folder / "bin/python", "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
        run(*pip, "--constraint", ROOT / "constraints.txt", f"{wheel}[dev]")
        return folder

    return make


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a copy of the user's project, away from this repository."""
    return Path(shutil.copytree(PROJECT, tmp_path / "shop", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", PYTHONS)
def test_a_project_with_packages_of_the_same_names_runs_a_workflow(
    version: str, environment: Callable[[str], Path], project: Path
) -> None:
    """With the wheel installed, a project with its own `workflows/` and `activities.py` runs a workflow by it."""
    folder = environment(version)
    # The variables of a shell with that environment activated, and nothing that points at this repository.
    variables = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(Path.home()), "PYTHONWARNINGS": "error"}

    said = run(folder / "bin/python", "main.py", cwd=project, variables=variables)

    # The embedded server may introduce itself first.
    assert json.loads(said.splitlines()[-1]) == {
        "receipt": ["17", 4200],
        "own": [True, True],
        "installed": [True, True, True, True],
    }


@pytest.mark.timeout(300)
def test_the_wheels_types_reach_a_users_type_checker(environment: Callable[[str], Path], project: Path) -> None:
    """mypy, strict, sees the installed package's types: the project is clean, and a wrong argument is an error."""
    python = environment(f"{sys.version_info[0]}.{sys.version_info[1]}") / "bin/python"
    (project / "wrong.py").write_text("from segue.activities import System\n\nSystem(17)\n")

    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "main.py", "wrong.py"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.stdout == (
        'wrong.py:3: error: Argument 1 to "System" has incompatible type "int"; expected "str"  [arg-type]\n'
        "Found 1 error in 1 file (checked 2 source files)\n"
    )
