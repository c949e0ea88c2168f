"""The Compose file, the Dockerfile and the server's settings, as far as a machine without a container engine can tell.

The schema is the Compose Specification's own, as the package check-jsonschema carries it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import mmap
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from segue.workers.run import GRACE

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
TEMPORAL = Path(sys.executable).with_name("temporal")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Give the Compose file as Compose reads it: YAML with its anchors and merges resolved."""
    return cast("dict[str, Any]", yaml.safe_load(COMPOSE.read_text()))


def schema_errors(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    return subprocess.run([*command, "--output-format", "json", str(file)], capture_output=True, text=True, check=False)


def test_the_compose_file_follows_the_compose_specification() -> None:
    """The file is valid under the Compose Specification's JSON schema."""
    checked = schema_errors(COMPOSE)

    assert (checked.returncode, json.loads(checked.stdout)["errors"]) == (0, [])


def test_the_schema_refuses_what_compose_would(tmp_path: Path) -> None:
    """The schema check has teeth: a misspelled key is found."""
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(COMPOSE.read_text().replace("stop_grace_period", "stop_grace_periode"))

    checked = schema_errors(wrong)

    errors = json.loads(checked.stdout)["errors"]
    assert checked.returncode == 1
    assert sorted(error["path"] for error in errors) == ["$.services.worker", "$.services['worker-payments']"]
    assert all("'stop_grace_periode' was unexpected" in error["message"] for error in errors)


def compose_command() -> list[str] | None:
    for command in (["docker", "compose"], ["docker-compose"]):
        if (found := shutil.which(command[0])) is not None:
            command = [found, *command[1:]]
            if subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0:
                return command
    return None


def test_docker_compose_accepts_the_file() -> None:
    """Where Docker Compose is installed, its own parser accepts the file; it needs no engine for that."""
    command = compose_command()
    if command is None:
        pytest.skip("this machine has no Docker Compose")

    checked = subprocess.run(
        [*command, "--file", str(COMPOSE), "config", "--quiet"],
        env={**os.environ, "POSTGRES_PASSWORD": "secret"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (checked.returncode, checked.stderr) == (0, "")


def test_services_wait_for_what_can_happen(compose: dict[str, Any]) -> None:
    """A service waits only for services here: for health where there is a check, for completion where it ends."""
    services = compose["services"]
    impossible = [
        f"{name} waits for {other}: {wait['condition']}"
        for name, service in services.items()
        for other, wait in service.get("depends_on", {}).items()
        if not {
            "service_healthy": "healthcheck" in services.get(other, {}),
            "service_completed_successfully": services.get(other, {}).get("restart", "no").split(":")[0]
            in ("no", "on-failure"),
        }.get(wait["condition"], False)
    ]

    assert impossible == []


def test_what_is_mounted_exists(compose: dict[str, Any]) -> None:
    """Each volume is declared in the file, and each mounted folder is in the repository."""
    sources = [
        volume.split(":")[0] for service in compose["services"].values() for volume in service.get("volumes", [])
    ]

    assert [
        source
        for source in sources
        if not ((ROOT / source).exists() if source.startswith(".") else source in compose["volumes"])
    ] == []


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    """Each image that is not built here is an official one, at one exact version."""
    images = {service["image"] for service in compose["services"].values() if "build" not in service}

    assert {image.split(":")[0] for image in images} == {
        "postgres",
        "temporalio/admin-tools",
        "temporalio/server",
        "temporalio/ui",
    }
    assert [image for image in images if not re.fullmatch(r"[a-z/-]+:[0-9]+(\.[0-9]+)+", image)] == []


def test_the_cluster_runs_the_server_that_the_tests_run(compose: dict[str, Any]) -> None:
    """Server, schema tool and Web UI are of the versions in the embedded development server."""
    said = subprocess.run([TEMPORAL, "--version"], capture_output=True, text=True, check=True).stdout
    versions = re.search(r"Server ([0-9.]+), UI ([0-9.]+)", said)
    assert versions is not None
    server, ui = versions.groups()

    assert {name: compose["services"][name]["image"] for name in ("schema", "temporal", "namespace", "web")} == {
        "schema": f"temporalio/admin-tools:{server}",
        "temporal": f"temporalio/server:{server}",
        "namespace": f"temporalio/admin-tools:{server}",
        "web": f"temporalio/ui:{ui}",
    }


def test_ports_are_published_on_loopback_alone(compose: dict[str, Any]) -> None:
    """Nothing here asks for a password, so nothing is published beyond this machine."""
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]

    assert ports == ["127.0.0.1:7233:7233", "127.0.0.1:8080:8080"]


def test_the_file_holds_no_password(compose: dict[str, Any]) -> None:
    """The database's password comes from outside, and without it nothing starts."""
    passwords = {
        value
        for service in compose["services"].values()
        for name, value in service.get("environment", {}).items()
        if "PASSWORD" in name or "PWD" in name
    }

    assert passwords == {"${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD in the environment or in .env}"}


@pytest.mark.parametrize("service", ["schema", "namespace"])
def test_scripts_are_sound_shell(compose: dict[str, Any], service: str) -> None:
    """Each script in the file is accepted by a POSIX shell."""
    checked = subprocess.run(
        ["sh", "-n", "-c", script_of(compose, service)], capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stderr) == (0, "")


def script_of(compose: dict[str, Any], service: str) -> str:
    """The service's script as its shell gets it: Compose turns `$$` into `$`."""
    (script,) = compose["services"][service]["command"]
    return cast("str", script).replace("$$", "$")


def test_the_namespace_script_makes_the_namespace_once(
    compose: dict[str, Any], server: WorkflowEnvironment, temporal: str
) -> None:
    """Run against a real server, the script makes the namespace with its retention, and then leaves it be."""
    script = script_of(compose, "namespace").replace("default", "made-by-compose")
    environment = {
        **os.environ,
        "PATH": f"{Path(temporal).parent}:{os.environ['PATH']}",
        "TEMPORAL_ADDRESS": server.client.service_client.config.target_host,
    }

    runs = [subprocess.run(["sh", "-euc", script], env=environment, capture_output=True, text=True) for _ in range(2)]
    described = subprocess.run(
        [temporal, "operator", "namespace", "describe", "--namespace", "made-by-compose", "--output", "json"],
        env=environment,
        capture_output=True,
        check=True,
    )

    assert [run.stdout for run in runs] == [
        "SERVING\nNamespace made-by-compose successfully registered.\n",
        "SERVING\n",
    ]
    assert json.loads(described.stdout)["config"]["workflowExecutionRetentionTtl"] == "2592000s"


def test_every_dynamic_setting_is_one_of_the_servers() -> None:
    """The server ignores a setting it does not know, so each name here is looked for in the real server's binary."""
    settings = cast(
        "dict[str, list[dict[str, Any]]]", yaml.safe_load((ROOT / "deploy/dynamicconfig/segue.yaml").read_text())
    )
    with TEMPORAL.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as binary:
        unknown = [name for name in settings if binary.find(name.encode()) == -1]

    assert unknown == []
    assert [
        name for name, entries in settings.items() if not all(set(e) <= {"value", "constraints"} for e in entries)
    ] == []


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions: `(name, argument)`, comments dropped and continued lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(name, argument) for line in joined.splitlines() if line for name, argument in [line.split(maxsplit=1)]]


def test_the_image_copies_what_the_build_context_has() -> None:
    """Every path that the Dockerfile copies from the repository is there, and .dockerignore lets it in."""
    copied = {
        source
        for name, argument in instructions()
        if name == "COPY" and not argument.startswith("--from")
        for source in argument.split()[:-1]
    }
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert [source for source in sorted(copied) if not (ROOT / source).exists()] == []
    assert copied == let_in


def test_the_image_runs_segue_without_root_on_a_supported_python() -> None:
    """The image is built on a supported Python, starts the `segue` command, and its user is a number that is not 0."""
    last = dict(instructions())
    python = re.fullmatch(r"PYTHON=3\.(1[123])\.[0-9]+-slim", last["ARG"])

    assert python is not None
    assert (json.loads(last["ENTRYPOINT"]), last["USER"]) == (["segue"], "10001:10001")


def test_the_image_has_every_extra_that_a_worker_can_use() -> None:
    """The image installs all of Segue's extras but `dev`, which brings the embedded server, and `local`, a model."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extras,) = re.findall(r'"\$1\[([a-z,]+)\]"', (ROOT / "Dockerfile").read_text())

    assert sorted(extras.split(",")) == sorted(set(project["optional-dependencies"]) - {"all", "dev", "local"})


def test_the_worker_may_drain_before_it_is_killed(compose: dict[str, Any]) -> None:
    """The container's grace period is longer than the worker's own by ten seconds or more."""
    graces = [
        int(service["stop_grace_period"].removesuffix("s"))
        for service in compose["services"].values()
        if "build" in service
    ]

    assert graces != []
    assert min(graces) >= GRACE.total_seconds() + 10


@pytest.mark.parametrize(
    ("service", "queues"), [("worker", ["orders", "payments", "notices"]), ("worker-payments", ["payments"])]
)
async def test_a_workers_command_serves_and_drains(
    compose: dict[str, Any], service: str, queues: list[str], plain: Client
) -> None:
    """The command of a worker's container, run against a real server, polls its queues, and SIGTERM ends it with 0."""
    given = compose["services"][service]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "segue.workers.cli", *given["command"]),
        cwd=ROOT,
        env={**os.environ, **given["environment"], "TEMPORAL_ADDRESS": plain.service_client.config.target_host},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = asyncio.create_task(process.stdout.read())
    try:
        for queue in queues:
            while not await polled(plain, queue, process.pid):
                assert process.returncode is None, (await said).decode()
                await asyncio.sleep(0.1)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    everywhere = [queue for queue in ("orders", "payments", "notices") if await polled(plain, queue, process.pid)]

    assert (await process.wait(), everywhere) == (0, queues), (await said).decode()


async def polled(client: Client, queue: str, pid: int) -> bool:
    """Whether that process polls the queue for activities."""
    described = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace="default",
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        )
    )
    return any(poller.identity.startswith(f"{pid}@") for poller in described.pollers)
