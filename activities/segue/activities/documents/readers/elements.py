"""The elements of lxml, as far as they are used here: it comes without types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

__all__ = ["Element"]


class Element(Protocol):
    """An element of an XML document."""

    tag: str
    text: str | None

    def get(self, key: str, default: str = "", /) -> str:
        """Return an attribute."""
        ...

    def find(self, path: str, /) -> Element | None:
        """Return the first element at a path."""
        ...

    def iter(self, tag: str, /) -> Iterator[Element]:
        """Yield the elements of a tag, at any depth."""
        ...

    def __iter__(self) -> Iterator[Element]: ...
