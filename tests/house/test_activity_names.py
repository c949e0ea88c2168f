"""The tests share a process, and a process knows an activity by its name: no two modules may declare the same one.

Otherwise a replay in one module fails because of what another module declares, and only when both are collected.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# A plugin that says, once every test module is imported, which names several modules claim.
PLUGIN = """
def pytest_collection_finish(session):
    from segue.activities import system
    for name in system._claims:
        claiming = system.claims(name)
        if len({one.declared_at.rpartition(":")[0] for one in claiming}) > 1:
            print("claimed:", name, *(f"{one.name} ({one.declared_at})" for one in claiming))
"""


def test_no_two_modules_declare_the_same_activity(tmp_path: Path) -> None:
    """Across all tests and examples, each activity's name belongs to one system."""
    (tmp_path / "claims_plugin.py").write_text(PLUGIN)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import pytest; "
        "sys.exit(pytest.main(['--collect-only', '-qq', '-p', 'claims_plugin', '-p', 'no:cacheprovider']))"
    )

    collected = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert collected.returncode == 0, collected.stdout + collected.stderr
    claimed = [line for line in collected.stdout.splitlines() if line.startswith("claimed:")]
    # What its own test declares twice, to see it refused.
    assert [line for line in claimed if not line.startswith("claimed: ambiguous ")] == []
