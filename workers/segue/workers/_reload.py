"""Watch a project's sources: yields what changed, whenever something that a worker imports or reads did.

    async for files in changes(Path.cwd()):
        ...

Needs the package watchfiles, of the extra `segue[dev]`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

__all__ = ["ReloadError", "changes"]

_SUFFIXES: Final = (".py", ".toml")  # segue.toml changes what a worker does as much as its code
_IGNORED: Final = frozenset({"__pycache__", "node_modules", "site-packages", "build", "dist"})
_MAXIMUM_FOLDERS: Final = 5000


class ReloadError(RuntimeError):
    """Sources cannot be watched; the message says why, and what to do."""


async def changes(directory: Path) -> AsyncIterator[list[Path]]:
    """Yield the Python and TOML files that changed below a folder, sorted, each time that any did.

    Hidden folders, virtual environments and what builds leave are not looked at.

    Raises:
        ReloadError: The package watchfiles is not installed, or the folder holds too many others.
    """
    try:
        import watchfiles
    except ModuleNotFoundError as error:
        raise ReloadError('restart on change needs watchfiles: pip install "segue[dev]"') from error

    def relevant(_: watchfiles.Change, path: str) -> bool:
        # A new folder has no suffix, and is watched from then on.
        return path.endswith(_SUFFIXES) or os.path.isdir(path)

    watch: Any = watchfiles.awatch  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    folders = await asyncio.to_thread(_folders, directory)
    while True:
        # Each folder by itself: a recursive watch would take in .venv and node_modules, tens of thousands of them.
        batches: Any = watch(*folders, watch_filter=relevant, recursive=False, raise_interrupt=False)
        async for batch in batches:
            now = await asyncio.to_thread(_folders, directory)
            grown = [Path(folder) for folder in now if folder not in folders]
            files = {Path(path) for _, path in batch if path.endswith(_SUFFIXES)}
            # Files that came together with their folder were there before the watch on it.
            files.update(file for folder in grown for file in folder.iterdir() if file.suffix in _SUFFIXES)
            if files:
                yield sorted(files)
            if now != folders:
                folders = now
                break
        else:
            return


def _folders(directory: Path) -> list[str]:
    found = sorted(_below(directory))
    if len(found) > _MAXIMUM_FOLDERS:
        raise ReloadError(
            f"{directory} holds more than {_MAXIMUM_FOLDERS:,} folders: run it in the project's own folder, "
            "or with --no-reload"
        )
    return found


def _below(directory: Path) -> Iterator[str]:
    count = 0
    for folder, inner, files in os.walk(directory):
        if "pyvenv.cfg" in files:
            inner.clear()
            continue
        inner[:] = [name for name in inner if not name.startswith(".") and name not in _IGNORED]
        yield folder
        if (count := count + 1) > _MAXIMUM_FOLDERS:
            return
