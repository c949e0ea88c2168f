"""What a database's error means: the request is at fault, which no further attempt changes, or the database is.

    Terminal
    ├── IntegrityError         a constraint forbids the change
    ├── StatementError         the statement or its parameters: syntax, a missing table, a value of the wrong type
    ├── DatabaseRefused        the reference, the credentials or a privilege
    └── EffectConflict         the idempotency key was used before, for another request
    Retryable
    ├── DatabaseUnavailable    connection refused or lost, server starting or shutting down, out of resources
    ├── TransactionConflict    deadlock, serialization failure, lock not available, "database is locked"
    └── StatementTimeout       not done within the time of the attempt

SQLSTATE classes are those of PostgreSQL's documentation (Appendix A), result codes those of SQLite. A database repeats
values in its messages ("Key (email)=(…) already exists", "invalid input syntax for type integer: …"), and drivers do so
in theirs. Those parts are left out, and the original error is no `__cause__`: Temporal stores causes in the history.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from temporalio import activity

from segue.activities.errors import Retryable, Terminal
from segue.activities.system import system_of

if TYPE_CHECKING:
    from sqlalchemy.exc import SQLAlchemyError

__all__ = [
    "DatabaseRefused",
    "DatabaseUnavailable",
    "EffectConflict",
    "IntegrityError",
    "StatementError",
    "StatementTimeout",
    "TransactionConflict",
    "is_busy",
    "translated",
    "unreachable",
]

_SHOWN_SQL: Final = 200


def _told(database: str | None, problem: str) -> str:
    return f"Database {database!r}: {problem}" if database is not None else f"Database: {problem}"


class _Terminal(Terminal):
    """No further attempt can succeed.

    Attributes:
        database: The reference to the database; None if that must not be shown.
        code: SQLSTATE or SQLite's result code; None if the database had no say.
    """

    def __init__(self, database: str | None, problem: str, code: str | None = None) -> None:
        super().__init__(_told(database, problem), {"database": database, "code": code})
        self.database = database
        self.code = code


class _Retryable(Retryable):
    """Another attempt may succeed.

    Attributes:
        database: The reference to the database.
        code: SQLSTATE or SQLite's result code; None if the database had no say.
    """

    def __init__(self, database: str, problem: str, code: str | None = None) -> None:
        super().__init__(_told(database, problem), {"database": database, "code": code})
        self.database = database
        self.code = code


class IntegrityError(_Terminal):
    """A constraint forbids the change: a key, a reference, a check, or NOT NULL."""


class StatementError(_Terminal):
    """The database cannot execute the statement, and could not the next time."""


class DatabaseRefused(_Terminal):
    """The database is not configured on this worker, or does not let it in or do what it asks."""


class EffectConflict(_Terminal):
    """The idempotency key stands for the effect of another request."""


class DatabaseUnavailable(_Retryable):
    """The database cannot be reached, or cannot serve now."""


class TransactionConflict(_Retryable):
    """Another transaction was in the way; this one changed nothing."""


class StatementTimeout(_Retryable):
    """The transaction was not done within the time that the attempt had, and was rolled back."""


_Kind = type[_Terminal] | type[_Retryable]

# The longest prefix decides; what is not listed is the statement's fault.
_BY_SQLSTATE: Final[dict[str, _Kind]] = {
    "08": DatabaseUnavailable,  # connection exception
    "23": IntegrityError,
    "25P03": StatementTimeout,  # idle in transaction for too long
    "25P04": StatementTimeout,  # transaction took too long
    "28": DatabaseRefused,  # invalid authorization
    "3D000": DatabaseRefused,  # no such database
    "40": TransactionConflict,  # serialization failure, deadlock
    "40002": IntegrityError,
    "40003": DatabaseUnavailable,  # statement completion unknown
    "42501": DatabaseRefused,  # insufficient privilege
    "53": DatabaseUnavailable,  # out of connections, memory, disk
    "55006": TransactionConflict,  # object in use
    "55P03": TransactionConflict,  # lock not available
    "57": DatabaseUnavailable,  # shutting down, starting up
    "57014": StatementTimeout,  # cancelled, by statement_timeout or by an administrator
    "58": DatabaseUnavailable,  # error of the operating system
    "XX": DatabaseUnavailable,  # internal error
}
_UNFIT_PARAMETER: Final = re.compile(r"(?:invalid input for query argument \$|Error binding parameter )(\d+)")
_READ_ONLY_TRANSACTION: Final = "25006"
_USE_WRITE: Final = "; a query only reads: use Write"

_BY_SQLITE_CODE: Final[dict[str, _Kind]] = {
    "SQLITE_BUSY": TransactionConflict,
    "SQLITE_LOCKED": TransactionConflict,
    "SQLITE_PROTOCOL": TransactionConflict,
    "SQLITE_INTERRUPT": StatementTimeout,
    "SQLITE_CANTOPEN": DatabaseUnavailable,
    "SQLITE_FULL": DatabaseUnavailable,
    "SQLITE_IOERR": DatabaseUnavailable,
    "SQLITE_NOMEM": DatabaseUnavailable,
    "SQLITE_AUTH": DatabaseRefused,
    "SQLITE_PERM": DatabaseRefused,
    "SQLITE_CONSTRAINT": IntegrityError,
}


@contextlib.contextmanager
def translated(database: str, where: str = "", *, reading: bool = False) -> Generator[None]:
    """Raise SQLAlchemy's errors of the block as those of this module.

    An error whose class the activity's system declares is left to it, without its cause.

    Args:
        database: Reference to the database, for the message.
        where: Which statement of several, for the message.
        reading: The transaction is one that must not write.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except Exception as error:
        if isinstance(error, SQLAlchemyError):
            if _declared(error):
                raise error from None
            raise _translate(error, database, where, reading) from None
        if type(error).__module__.startswith("asyncpg."):
            # SQLAlchemy passes on as they are those that come while rows are fetched.
            kind, problem, code = _of_driver(error, reading)
            raise kind(database, where + problem, code) from None
        raise


def unreachable(error: Exception, database: str) -> DatabaseUnavailable:
    """Return what an error of the network means that came before there was a connection."""
    return DatabaseUnavailable(database, f"cannot be reached: {str(error) or type(error).__name__}")


def is_busy(error: BaseException) -> bool:
    """Return whether SQLite gave up waiting for another process to release the database."""
    return _sqlite_code(getattr(error, "orig", None)) in ("SQLITE_BUSY", "SQLITE_LOCKED")


def _declared(error: Exception) -> bool:
    if not activity.in_activity():
        return False
    system = system_of(activity.info().activity_type)
    return system is not None and isinstance(error, (*system.terminal, *system.retryable))


def _translate(error: SQLAlchemyError, database: str, where: str, reading: bool) -> _Terminal | _Retryable:
    from sqlalchemy import exc

    if isinstance(error, exc.TimeoutError):
        return DatabaseUnavailable(database, "all of this worker's connections were in use for too long")
    if isinstance(error, exc.PendingRollbackError):
        return DatabaseUnavailable(database, "the connection was lost, and the block went on without it")
    if not isinstance(error, exc.StatementError):
        return StatementError(database, where + str(error.args[0] if error.args else type(error).__name__))
    sql = " ".join((error.statement or "").split())
    within = f" [in: {sql if len(sql) <= _SHOWN_SQL else sql[:_SHOWN_SQL] + '…'}]" if sql else ""
    if not isinstance(error, exc.DBAPIError):
        # Raised before the database was asked. What SQLAlchemy says names things; what a type's code says, values.
        known = isinstance(error.orig, exc.SQLAlchemyError)
        problem = str(error.orig) if known else f"a parameter cannot be sent: {type(error.orig).__name__}"
        return StatementError(database, f"{where}{problem}{within}")
    # SQLAlchemy stands an error of its own before one of asyncpg's, and none before those of sqlite3.
    driver = (error.orig and error.orig.__cause__) or error.orig or error
    kind, problem, code = _of_driver(driver, reading)
    if code is None and (error.connection_invalidated or isinstance(driver, OSError)):
        kind, problem = DatabaseUnavailable, "the connection was lost"
    return kind(database, f"{where}{problem}{within}", code)


def _of_driver(error: BaseException, reading: bool) -> tuple[_Kind, str, str | None]:
    """Return what an error of aiosqlite or asyncpg means, its problem in words, and its code."""
    if (code := _sqlite_code(error)) is not None:
        problem = str(error)
        if code == "SQLITE_READONLY" and reading:
            problem += _USE_WRITE
        return _BY_SQLITE_CODE.get(code, StatementError), problem, code
    if (unfit := _UNFIT_PARAMETER.match(str(error))) is not None:
        # Found by the driver, which repeats the value; asyncpg then borrows a SQLSTATE of the server's.
        return (
            StatementError,
            f"parameter {unfit[1]} has a type that does not fit its place: send another or CAST it",
            None,
        )
    if type(error).__name__ in ("InvalidCachedStatementError", "OutdatedSchemaCacheError"):
        return TransactionConflict, "a table was altered since this worker prepared the statement", None
    sqlstate = getattr(error, "sqlstate", None)
    if not isinstance(sqlstate, str):
        if type(error).__name__ == "ClientConfigurationError":
            return DatabaseRefused, "the URL or another setting of the connection is not valid", None
        return StatementError, str(error).partition("\n")[0], None
    kind = next((_BY_SQLSTATE[sqlstate[:n]] for n in (5, 2) if sqlstate[:n] in _BY_SQLSTATE), StatementError)
    problem = str(getattr(error, "message", None) or error.args[0])
    if sqlstate.startswith("22"):
        # The one class of errors in which the server quotes a value.
        problem = re.sub(r'".*"', '"…"', problem, flags=re.DOTALL)
    if sqlstate == _READ_ONLY_TRANSACTION:
        if reading:
            problem += _USE_WRITE
        else:
            # Where a write is meant, the server is a standby, as after a failover: not for long.
            kind = DatabaseUnavailable
    return kind, problem, sqlstate


def _sqlite_code(driver: Any) -> str | None:
    name = getattr(driver, "sqlite_errorname", None)
    if not isinstance(name, str):
        return None
    # An extended code is a primary one with more words: SQLITE_CONSTRAINT_UNIQUE.
    return "_".join(name.split("_")[:2])
