"""The demo's second act: contracts, with no model."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_quote_and_every_value_stands_in_its_document(tmp_path: Path) -> None:
    """The demo ends with 0, says what matters between two versions and what a folder says, and leaves both behind."""
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
    assert "27 values of 5 agreements are in agreements.db  found by rules, 0 for a person to look at" in done.stdout
    assert "    term           P5Y                         “five (5) years”" in done.stdout
    assert "not read  Document '06-scan-without-text.txt' is empty: it has 0 bytes, and no text" in done.stdout
    assert "✓ 27 of 27 values stand in their agreements" in done.stdout
    with contextlib.closing(sqlite3.connect(tmp_path / "demo" / "agreements.db")) as database:
        rows = database.execute("SELECT count(*), count(DISTINCT source) FROM extracted_values").fetchall()
    assert rows == [(27, 5)]
    (page,) = re.findall(r"side by side: (\S+)", done.stdout)
    assert Path(page).read_text().startswith("<!doctype html>")
