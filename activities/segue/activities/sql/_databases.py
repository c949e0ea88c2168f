"""Which database: a reference in requests and histories, which only a worker turns into a URL.

    env:INVENTORY_DATABASE_URL       the URL stands in this environment variable of the worker
    file:/run/secrets/inventory-url  the URL stands in this file on the worker
    inventory                        a name that the worker's code has registered
    sqlite:///inventory.db           a SQLite file; with four slashes an absolute path
    postgresql://db.internal/stock   PostgreSQL, without a password: one never enters a history

A URL may be any that libpq takes (`sslmode`, several hosts, a Unix socket as `?host=/run/postgresql`); the driver is
asyncpg.
"""

from __future__ import annotations

import dataclasses
import os
import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator

from segue.activities.secrets import SecretRef
from segue.activities.sql._errors import DatabaseRefused

__all__ = ["Address", "DatabaseReference", "register", "resolve"]

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
# Wide on purpose: in a password that is not percent-encoded, '/' and '?' end the authority for a strict parser.
_PASSWORD: Final = re.compile(r"[^@]*:[^@]*@|.*[?&][a-z]*password=", re.DOTALL | re.IGNORECASE)
_DRIVERS: Final[dict[str, Literal["sqlite", "postgresql"]]] = {
    "sqlite": "sqlite",
    "sqlite+aiosqlite": "sqlite",
    "postgresql": "postgresql",
    "postgresql+asyncpg": "postgresql",
    "postgres": "postgresql",
}

_registered: dict[str, str] = {}


@dataclasses.dataclass(frozen=True)
class Address:
    """Where a database is.

    Attributes:
        kind: Which database system.
        target: For SQLite the absolute path of the file, for PostgreSQL the URL. It may hold a password.
    """

    kind: Literal["sqlite", "postgresql"]
    target: str = dataclasses.field(repr=False)


def register(name: str, reference: str) -> None:
    """Give a database a name in this process. Worker code calls it at import, as it declares its systems.

    Args:
        name: Letters, digits, `_`, `.` and `-`, starting with a letter.
        reference: `env:`, `file:`, or a URL. A URL may hold a password here, for it stays in this process.

    Raises:
        ValueError: The name or reference has no form of this module, or the name stands for another database.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"A database cannot be named {name!r}: use a letter, then letters, digits, '_', '.', '-'")
    problem = "it stands for another name" if _NAME.fullmatch(reference) else _problem(reference, password=True)
    if problem is not None:
        raise ValueError(f"Database {name!r} cannot be registered: {problem}")
    if _registered.setdefault(name, reference) != reference:
        raise ValueError(f"Database {name!r} is registered already, with another reference")


def resolve(reference: str) -> Address:
    """Return where the database is that a reference names. Variables and files are read anew every time.

    Raises:
        DatabaseRefused: The worker knows no such name, or what it finds is no URL of a supported database.
        SecretError: The environment variable or file is not there.
    """
    if (problem := _problem(reference, password=False)) is not None:
        raise DatabaseRefused(None, problem)
    named = _registered.get(reference, reference)
    url = SecretRef(named).resolve().strip() if named.startswith(("env:", "file:")) else named
    match = _URL.fullmatch(url)
    if match is None:
        if url == reference:
            known = ", ".join(map(repr, sorted(_registered))) or "none"
            raise DatabaseRefused(reference, f"is not registered on this worker, which knows {known}: see sql.register")
        raise DatabaseRefused(reference, "does not hold a URL, such as postgresql://user:password@host/name")
    if (problem := _url_problem(match, password=True)) is not None:
        raise DatabaseRefused(reference, problem)
    kind = _DRIVERS[match[1].lower()]
    if kind == "sqlite":
        return Address(kind, os.path.abspath(match[2].removeprefix("/")))
    return Address(kind, f"postgresql://{match[2]}")


def _problem(reference: str, *, password: bool) -> str | None:
    """Say what is wrong with a reference, without repeating it: it may hold a password. None if nothing is."""
    if reference.startswith(("env:", "file:")):
        try:
            SecretRef(reference)
        except ValueError:
            return "a reference is written 'env:NAME' or 'file:/absolute/path'"
        return None
    if match := _URL.fullmatch(reference):
        return _url_problem(match, password=password)
    if _NAME.fullmatch(reference):
        return None
    return (
        "a database is named by 'env:NAME', 'file:/path', a registered name, or a URL without a password "
        "('sqlite:///path', 'postgresql://host/name')"
    )


def _url_problem(match: re.Match[str], *, password: bool) -> str | None:
    scheme, rest = match[1].lower(), match[2]
    kind = _DRIVERS.get(scheme)
    if kind is None:
        return f"databases of the kind {match[1]!r} are not supported: use sqlite:///path or postgresql://host/name"
    if kind == "sqlite":
        path = rest.removeprefix("/")
        if not rest.startswith("/"):
            return "a SQLite URL has three slashes before a relative path and four before an absolute one"
        if not path or path == ":memory:" or path.startswith("file:"):
            return "SQLite in memory would vanish with its worker: name a file, as in sqlite:///inventory.db"
        if "?" in path or "\0" in path:
            return "a SQLite URL takes no options: Segue sets what it needs"
        return None
    if not password and _PASSWORD.match(rest):
        return (
            "a URL with a password would be stored in the history: set the URL as an environment variable of the "
            "worker, such as INVENTORY_DATABASE_URL, and pass 'env:INVENTORY_DATABASE_URL'"
        )
    return None


def _checked(reference: str) -> str:
    if (problem := _problem(reference, password=False)) is not None:
        raise ValueError(problem)
    return reference


DatabaseReference = Annotated[str, AfterValidator(_checked)]
"""The type of a database in a request: a reference of this module, checked before it enters a history."""
