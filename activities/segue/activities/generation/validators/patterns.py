"""Regular expressions on texts that nobody has seen before, each in a process of its own.

    count(r"^- ", text)      # 3

On some texts some expressions take longer than anybody waits, `^(a+)+$` on forty letters for one. Python's `re` cannot
be interrupted, and lets nothing else in its process run meanwhile: no heartbeat, no step. A process can be killed.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from segue.activities.generation.requirement import InvalidRequirement

__all__ = ["LIMIT_SECONDS", "count"]

LIMIT_SECONDS: Final = 10.0
"""How long an expression may take for one text."""

# Bytes in and out, so that no locale has a say; what is imported is Python's own, so that it starts in milliseconds.
_COUNT: Final = """
import re, sys
pattern, text = sys.stdin.buffer.read().decode("utf-8", "surrogatepass").split("\\0", 1)
print(sum(1 for _ in re.finditer(pattern, text, re.MULTILINE)))
"""


def count(pattern: str, text: str) -> int:
    """Return how many times a regular expression matches in a text, over several lines.

    Raises:
        InvalidRequirement: It has not ended after `LIMIT_SECONDS`.
    """
    # A pattern that looks for the null character may spell it.
    given = "\0".join((pattern.replace("\0", r"\x00"), text)).encode("utf-8", "surrogatepass")
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _COUNT],
            input=given,
            capture_output=True,
            timeout=LIMIT_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise InvalidRequirement(
            f"matches({pattern!r}) has not ended after {LIMIT_SECONDS:g} s on {len(text):,} characters: write it "
            "without a repetition inside of a repetition"
        ) from None
    return int(done.stdout)
