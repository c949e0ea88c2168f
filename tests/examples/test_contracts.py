"""The demo's second act: contracts, with no model."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_quote_of_the_report_stands_in_its_document(tmp_path: Path) -> None:
    """The demo ends with 0, says what matters between the two versions, and leaves a report that can be opened."""
    done = subprocess.run(
        [sys.executable, "-m", "examples.contracts.demo", "--folder", tmp_path / "demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "6.2  edited    the amount changes from EUR 500,000 to EUR 250,000 (-50 %)" in done.stdout
    (count,) = re.findall(r"✓ (\d+ of \d+) quotes stand in their documents", done.stdout)
    assert count.split(" of ")[0] == count.split(" of ")[1] != "0"
    (page,) = re.findall(r"side by side: (\S+)", done.stdout)
    assert Path(page).read_text().startswith("<!doctype html>")
