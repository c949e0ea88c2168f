"""The embedded server: what it keeps, what it refuses, and what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from segue.client.waiting import has_attribute
from segue.workers import DevServerError, dev_server, ports


async def test_what_it_is(tmp_path: Path) -> None:
    """The server is ready when the block begins: its namespace, its retention, its Web UI; and gone after it."""
    data = tmp_path / ".segue" / "temporal.db"
    async with dev_server(data, port=0, ui_port=0) as server:
        client = await Client.connect(server.address, namespace=server.namespace)
        described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
        assert described.config.workflow_execution_retention_ttl.ToTimedelta() == timedelta(days=30)
        assert server.ui is not None
        reader, writer = await asyncio.open_connection("localhost", int(server.ui.rpartition(":")[2]))
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.0 200")
        writer.close()
        os.kill(server.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)
    assert (data.parent / ".gitignore").read_text() == "*\n"


async def test_what_it_keeps(tmp_path: Path) -> None:
    """A run that was started before goes on after the server has been killed and started again on the same file."""
    data = tmp_path / "temporal.db"
    workflow_id = str(uuid.uuid4())
    async with dev_server(data, port=0, ui_port=None) as server:
        client = await Client.connect(server.address)
        started = await client.start_workflow("Anything", id=workflow_id, task_queue="nobody")
        os.kill(server.pid, signal.SIGKILL)
        await server.process.wait()
    async with dev_server(data, port=0, ui_port=None) as server:
        client = await Client.connect(server.address)
        found = await client.get_workflow_handle(workflow_id).describe()
        assert (found.run_id, found.status and found.status.name) == (started.first_execution_run_id, "RUNNING")


async def test_its_data_are_for_one_server(tmp_path: Path) -> None:
    """A second server on the same file is refused, naming the process that has it."""
    data = tmp_path / "temporal.db"
    async with dev_server(data, port=0, ui_port=None) as first:
        with pytest.raises(DevServerError) as refused:
            async with dev_server(data, port=0, ui_port=None):
                pass
    assert str(refused.value) == (
        f"A development server already runs on the data in {data} (process {os.getpid()}, on {first.address}): use "
        f"that one, stop it (kill {os.getpid()}), or start another beside it with --port and --data"
    )


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """A port that another process has is refused, naming the process and a port that is free."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DevServerError) as refused:
            async with dev_server(tmp_path / "temporal.db", port=port, ui_port=None):
                pass
        found = re.fullmatch(
            rf"Port {port} is taken by process {os.getpid()} \(.+\): stop it \(kill {os.getpid()}\), or choose another "
            r"port, such as --port (\d+)",
            str(refused.value),
        )
        assert found is not None
        assert port < int(found[1]) < port + 100
        with pytest.raises(DevServerError, match=rf"^Port {port} is taken by .* such as --ui-port \d+$"):
            async with dev_server(tmp_path / "temporal.db", port=0, ui_port=port):
                pass


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
async def test_damaged_data(tmp_path: Path, content: bytes) -> None:
    """A file that is no database, or a damaged one, is refused with what to do about it."""
    data = tmp_path / "temporal.db"
    data.write_bytes(content)
    with pytest.raises(DevServerError) as refused:
        async with dev_server(data, port=0, ui_port=None):
            pass
    start = f"The data in {data} are damaged: move the file away to start afresh (mv {data} {data}.damaged). It says: "
    assert str(refused.value).startswith(start)


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A folder for the data that cannot be made is refused, naming it."""
    (tmp_path / "file").touch()
    with pytest.raises(DevServerError) as refused:
        async with dev_server(tmp_path / "file" / "temporal.db", port=0, ui_port=None):
            pass
    assert str(refused.value) == f"The folder {tmp_path / 'file'} cannot be made: File exists"


async def test_a_server_whose_starter_was_killed(tmp_path: Path) -> None:
    """A server that outlived the process that started it is stopped by the next one on its file."""
    data = tmp_path / "temporal.db"
    script = (
        "import asyncio, sys\n"
        "from segue.workers import dev_server\n"
        "async def main():\n"
        "    async with dev_server(sys.argv[1], port=0, ui_port=None) as server:\n"
        "        print(server.pid, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(data), stdout=asyncio.subprocess.PIPE
    )
    assert starter.stdout is not None
    orphan = int(await starter.stdout.readline())
    starter.kill()
    await starter.wait()
    assert str(data) in ports.command(orphan)
    async with dev_server(data, port=0, ui_port=None) as server:
        # Nobody may have asked for its exit code, so its number may still be taken.
        assert ports.command(orphan) == ""
        assert str(data) in ports.command(server.pid)


async def test_in_memory_with_search_attributes() -> None:
    """Without a file it keeps its data in memory; search attributes are there from the start."""
    async with dev_server(None, port=0, ui_port=None, search_attributes={"Customer": "Keyword"}) as server:
        client = await Client.connect(server.address)
        assert (server.path, server.ui) == (None, None)
        found = [one async for one in client.list_workflows('Customer = "ann"')]
        assert found == []


async def test_what_waits_is_indexed(tmp_path: Path) -> None:
    """The attribute of runs that wait for somebody is there from the start, also on data of before there was one."""
    data = tmp_path / "temporal.db"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("segue.workers.server._SEARCH_ATTRIBUTES", {})
        async with dev_server(data, port=0, ui_port=None) as server:
            assert not await has_attribute(await Client.connect(server.address))
    async with dev_server(data, port=0, ui_port=None) as server:
        assert await has_attribute(await Client.connect(server.address))
