"""Where the demo writes: lines that stay, and on a terminal one line below them that is redrawn in place."""

from __future__ import annotations

import os
import sys
import time
from typing import Final, TextIO

__all__ = ["Screen"]

_CODES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_BAR: Final = 16


class Screen:
    """Prints to a terminal or a pipe. Colours are left out in a pipe, and where NO_COLOR asks for it."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self.live = out.isatty() and os.environ.get("TERM") != "dumb"
        self.coloured = self.live and not os.environ.get("NO_COLOR")
        self._drawn = ""
        self._began = time.monotonic()

    def line(self, text: str = "") -> None:
        """Print a line, above the live one if there is one."""
        self._out.write(f"{self._erased()}{text}\n{self._drawn}")
        self._out.flush()

    def heading(self, text: str, more: str = "") -> None:
        """Print a heading between empty lines."""
        self.line(f"\n{self.paint(text, 'bold')}{self.paint(more, 'dim')}\n")

    def event(self, text: str, *styles: str) -> None:
        """Print what has just happened, with the time since the start."""
        self.line(f"  {self._clock()}  {self.paint(text, *styles)}")

    def bar(self, done: int, of: int, text: str) -> None:
        """Redraw the live line: how many of how many, and what there is to say of it. A pipe has none."""
        if not self.live:
            return
        full = _BAR * done // of
        bar = self.paint("━" * full, "green") + self.paint("━" * (_BAR - full), "dim")
        text = f"  {self._clock()}  {bar}  {done:2} of {of}  {self.paint(text, 'dim')}"
        if text != self._drawn:
            self._out.write(self._erased() + text)
            self._out.flush()
            self._drawn = text

    def clear(self) -> None:
        """Remove the live line."""
        self._out.write(self._erased())
        self._out.flush()
        self._drawn = ""

    def paint(self, text: str, *styles: str) -> str:
        """Return the text in these styles, where colours are wanted."""
        if not self.coloured or not styles:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"

    def _clock(self) -> str:
        return self.paint(f"{time.monotonic() - self._began:4.1f} s", "dim")

    def _erased(self) -> str:
        return "\r\x1b[2K" if self._drawn else ""
