"""Client scripts end with their own exit code."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

RUNS = 15


def test_a_short_client_script_never_aborts_at_exit(server: WorkflowEnvironment, tmp_path: Path) -> None:
    """A script that connects, makes one call and ends exits with 0, every time."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import asyncio
            import segue.client

            async def main():
                client = await segue.client.connect()
                await client.service_client.check_health()

            asyncio.run(main())
            """
        )
    )
    environment = {"TEMPORAL_ADDRESS": server.client.service_client.config.target_host}
    codes = [
        subprocess.run([sys.executable, str(script)], env=environment, cwd=tmp_path, check=False).returncode
        for _ in range(RUNS)
    ]
    assert codes == [0] * RUNS
