"""What is done to the characters of sources whose text is put together anew: all but plain text.

characters.cleaned("con\\ufb01\\u00adden\\u200btial")       # "confidential"
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["cleaned", "line"]

# Shapes of letters, not letters; and marks that a reader does not see.
_SHAPES: Final = str.maketrans(
    {
        "\ufb00": "ff",
        "\ufb01": "fi",
        "\ufb02": "fl",
        "\ufb03": "ffi",
        "\ufb04": "ffl",
        "\ufb05": "st",
        "\ufb06": "st",
        "\u00ad": None,
        "\u200b": None,
        "\u200c": None,
        "\u200d": None,
        "\u2060": None,
        "\ufeff": None,
        # Bullets of the fonts Symbol and Wingdings.
        "\uf0b7": "•",
        "\uf0a7": "▪",
        "\uf0d8": "➢",
        "\uf0fc": "✓",
        "\uf06f": "○",
    }
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SPACES: Final = re.compile(r"[^\S\n]+")


def cleaned(text: str) -> str:
    """Return a text with ligatures as letters, without soft hyphens, invisible marks and control characters."""
    return _CONTROL.sub("", text.translate(_SHAPES))


def line(text: str) -> str:
    """Return a cleaned text with single spaces, its line ends kept, without white space around them."""
    text = _SPACES.sub(" ", cleaned(text))
    return "\n".join(part.strip() for part in text.split("\n")).strip("\n")
