"""Durations as people write them: `"20s"`, `"1h30m"`, `"500ms"`."""

from __future__ import annotations

import re
from datetime import timedelta

__all__ = ["format_duration", "parse_duration"]

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration(text: str) -> timedelta:
    """Return the duration that a text such as `"90s"`, `"1h30m"` or `"0.5s"` names.

    Raises:
        ValueError: The text is not a sequence of numbers with the units ms, s, m, h, d.
    """
    compact = text.replace(" ", "")
    if not _WHOLE.fullmatch(compact):
        raise ValueError(f"{text!r} is not a duration: write a number with its unit, such as '500ms', '20s', '1h30m'")
    try:
        return sum((float(number) * _UNITS[unit] for number, unit in _PART.findall(compact)), timedelta())
    except OverflowError:
        raise ValueError(f"{text!r} is longer than a duration can be") from None


def format_duration(duration: timedelta) -> str:
    """Return a duration as `parse_duration` reads it, in its largest units: `"1h30m"`."""
    microseconds = duration // timedelta(microseconds=1)
    if microseconds < 0:
        return f"-{format_duration(-duration)}"
    if microseconds % 1_000_000:
        milliseconds = microseconds / 1000
        return f"{milliseconds:g}ms" if microseconds < 1_000_000 else f"{microseconds / 1_000_000:g}s"
    seconds = microseconds // 1_000_000
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if seconds >= size:
            parts.append(f"{seconds // size}{unit}")
            seconds %= size
    return "".join(parts) or "0s"
