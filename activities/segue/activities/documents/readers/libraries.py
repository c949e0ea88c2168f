"""The libraries of the readers, each imported when a document of its kind comes. They come without types.

etree = libraries.imported("lxml.etree", "HTML needs lxml")
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["imported"]


def imported(module: str, need: str) -> ModuleType:
    """Return a module.

    Raises:
        ImportError: It is not installed; the message says what needs it, and what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f'{need}: pip install "segue[documents]"', name=error.name) from error
