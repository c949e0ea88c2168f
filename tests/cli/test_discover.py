"""What is found in modules, and what is refused: missing modules, mistakes in them, two things of one name."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.activities.system import activity_name
from segue.workers.discover import DiscoveryError, default_task_queue, discover

MODELS = "from dataclasses import dataclass\n\n@dataclass\nclass Parcel:\n    id: str\n"

ACTIVITIES = """\
from segue.activities import System
from temporalio import activity
from parcels.models import Parcel

depot = System("discover-depot")
idle = System("discover-idle")

@depot.activity
async def weigh_found(parcel: Parcel) -> int:
    return 1

class Printer:
    def __init__(self, name: str) -> None:
        self.name = name

    @activity.defn(name="discovered-label")
    def label(self, parcel: Parcel) -> str:
        return self.name

printer = Printer("front")
"""

WORKFLOWS = """\
from temporalio import workflow
with workflow.unsafe.imports_passed_through():
    from parcels.activities import weigh_found
    from parcels import activities
    from parcels.models import Parcel

@workflow.defn(name="ship-parcel")
class Ship:
    @workflow.run
    async def run(self, parcel: Parcel) -> int:
        return await workflow.execute_activity(weigh_found, parcel)

class NotOne(Ship):
    pass
"""


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Each test imports anew, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("parcels", "hello", "other", "broken"):
            del sys.modules[name]


@pytest.fixture
def parcels(tmp_path: Path) -> Path:
    folder = tmp_path / "parcels"
    folder.mkdir()
    for name, text in {"__init__": "", "models": MODELS, "activities": ACTIVITIES, "workflows": WORKFLOWS}.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def names(given: list[str]) -> tuple[list[str], list[str], list[str], str]:
    found = discover(given)
    return (
        [cls.__name__ for cls in found.workflows],
        [fn.__qualname__ for fn in found.activities],
        [one.name for one in found.systems],
        found.task_queue,
    )


ALL = (["Ship"], ["weigh_found", "Printer.label"], ["discover-depot", "discover-idle"], "parcels")


@pytest.mark.usefixtures("parcels")
@pytest.mark.parametrize(
    "given",
    [
        ["parcels.workflows", "parcels.activities"],
        ["parcels/workflows.py", "parcels.activities", "parcels.workflows"],
        ["parcels"],
        ["parcels.workflows"],
    ],
    ids=["modules", "a file, and one twice", "a package", "what a module imports by name"],
)
def test_what_modules_offer(given: list[str]) -> None:
    """Workflows, activities, methods of module-level objects, and systems are found once each, however named."""
    workflows, activities, systems, task_queue = names(given)
    assert (workflows, sorted(activities), systems, task_queue) == (ALL[0], sorted(ALL[1]), ALL[2], ALL[3])


@pytest.mark.usefixtures("parcels")
def test_methods_are_bound() -> None:
    """An activity that is a method is served with its object."""
    [method] = [fn for fn in discover(["parcels.activities"]).activities if fn.__qualname__ == "Printer.label"]
    assert method(None) == "front"


def test_a_package_leaves_out_what_is_not_served(parcels: Path) -> None:
    """Of a package, its tests and its `__main__` are not imported."""
    for name in ("__main__", "conftest", "test_it"):
        (parcels / f"{name}.py").write_text("raise RuntimeError('imported')\n")
    assert names(["parcels"])[0] == ["Ship"]


def test_the_default_task_queue(parcels: Path) -> None:
    """The task queue is the top name of the first module, also for a file outside any package."""
    assert default_task_queue(["parcels.workflows", "other"]) == "parcels"
    assert default_task_queue([str(parcels / "workflows.py")]) == "parcels"
    assert default_task_queue(["jobs/hello.py"]) == "hello"


def test_a_connector_that_a_module_imports() -> None:
    """What Segue ships is served where a module imports it by name."""
    Path("hello.py").write_text("from segue.activities import http\n")
    found = discover(["hello"])
    assert "http" in [one.name for one in found.systems]
    assert "segue.http.request" in [activity_name(fn) for fn in found.activities]


@pytest.mark.usefixtures("parcels")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("parcels.workflow", r"No module named 'parcels.workflow'\. Did you mean 'parcels.workflows'\? Looked in .+"),
        (
            "parcel.workflows",
            r"No module named 'parcel.workflows' \(there is no 'parcel'\)\. Did you mean 'parcels'\? "
            r"Looked in {cwd}, .+",
        ),
        ("nowhere.py", r"No file 'nowhere.py' in {cwd}"),
        ("two words", r"'two words' is not the name of a module: write app.workflows or app/workflows.py"),
        (
            "parcels.models",
            r"Nothing to serve in 'parcels.models': no class with @workflow.defn, no function with @activity.defn or "
            r"@system.activity",
        ),
    ],
)
def test_what_cannot_be_found(given: str, message: str, tmp_path: Path) -> None:
    """A module that is not there, and one with nothing to serve, are refused by name, with where was looked."""
    with pytest.raises(DiscoveryError) as raised:
        discover([given])
    assert re.fullmatch(message.format(cwd=re.escape(str(tmp_path))), str(raised.value))
    assert raised.value.traceback == ""


def test_a_module_that_cannot_be_imported() -> None:
    """The traceback of an import holds the author's frames only, and an import missing inside is told as such."""
    Path("broken.py").write_text("def go():\n    import not_installed\n\ngo()\n")
    with pytest.raises(DiscoveryError) as raised:
        discover(["broken"])
    message = "No module named 'not_installed'"
    assert str(raised.value) == f"Importing 'broken' failed: ModuleNotFoundError: {message}"
    assert raised.value.module == "broken"
    # Which part of a line is at fault, each Python marks in its own way.
    assert re.sub(r"\n *[~^]+(?=\n)", "", raised.value.traceback) == (
        "Traceback (most recent call last):\n"
        f'  File "{Path.cwd()}/broken.py", line 4, in <module>\n    go()\n'
        f'  File "{Path.cwd()}/broken.py", line 2, in go\n    import not_installed\n'
        f"ModuleNotFoundError: {message}"
    )


@pytest.mark.usefixtures("parcels")
def test_two_of_one_name() -> None:
    """Two workflows, activities or systems with one registered name are refused, and both are named."""
    Path("other.py").write_text(
        "from temporalio import activity\n\n"
        "@activity.defn(name='weigh_found')\nasync def scale() -> int:\n    return 2\n"
    )
    with pytest.raises(DiscoveryError) as raised:
        discover(["parcels.activities", "other"])
    assert str(raised.value) == (
        "Two activities are named 'weigh_found': parcels.activities.weigh_found and other.scale. "
        "Give one of them another name"
    )
    Path("hello.py").write_text(
        "from segue.activities import System\n\nagain = System('discover-depot')\n\n"
        "@again.activity\nasync def x(): ...\n"
    )
    with pytest.raises(DiscoveryError) as raised:
        discover(["parcels.activities", "hello"])
    assert str(raised.value) == (
        f"Two systems are named 'discover-depot': {Path.cwd()}/parcels/activities.py:5 and {Path.cwd()}/hello.py:3. "
        "Give one of them another name"
    )
