"""Durations as people write them: `"20s"`, `"1h30m"`, `"500ms"`."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

__all__ = ["format_duration", "parse_duration"]

# In microseconds, which is what a timedelta counts in.
_UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_WHOLE = re.compile(rf"\s*(?:{_PART.pattern}\s*)+", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """Return the duration that a text such as `"90s"`, `"1h30m"` or `"0.5s"` names, to the microsecond.

    Raises:
        ValueError: The text is not a sequence of numbers with the units ms, s, m, h, d.
    """
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration: write a number with its unit, such as '500ms', '20s', '1h30m'")
    microseconds = sum(Decimal(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    try:
        return timedelta(microseconds=round(microseconds))
    except OverflowError:
        raise ValueError(f"{text!r} is longer than a duration can be") from None


def format_duration(duration: timedelta) -> str:
    """Return a duration as `parse_duration` reads it, exactly, in its largest units: `"1h30m"`."""
    microseconds = duration // timedelta(microseconds=1)
    if microseconds < 0:
        return f"-{format_duration(-duration)}"
    if 0 < microseconds < _UNITS["s"]:
        return f"{_decimal(microseconds, _UNITS['ms'])}ms"
    parts: list[str] = []
    for unit in ("d", "h", "m"):
        count, microseconds = divmod(microseconds, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    if microseconds or not parts:
        parts.append(f"{_decimal(microseconds, _UNITS['s'])}s")
    return "".join(parts)


def _decimal(number: int, unit: int) -> str:
    whole, rest = divmod(number, unit)
    digits = f"{rest / unit:.6f}".partition(".")[2].rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
