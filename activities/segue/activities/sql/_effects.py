"""Effects that happen once: the idempotency key is stored in the transaction that makes the effect.

    @inventory.activity
    @sql.transaction("env:INVENTORY_DATABASE_URL")
    async def reserve(connection: sql.Connection, order: Order) -> Reservation:
        taken = await connection.execute(TAKE_FROM_STOCK, {"sku": order.sku, "quantity": order.quantity})
        if taken.rowcount == 0:
            raise OutOfStock(order.sku)
        ...
        return Reservation(...)

A worker may die after the transaction is committed and before Temporal hears of it. The next attempt finds the key, and
returns what the first one returned without making the effect again. Of two attempts at once, the second waits for the
first. An attempt that fails leaves neither effect nor key. The table, `segue_effects`, is made when it is first needed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import inspect
import json
import typing
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextvars import ContextVar
from types import NoneType
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, TypeVar, cast, overload

import pydantic_core
from pydantic import BaseModel

from segue.activities import faithful
from segue.activities.errors import PayloadError
from segue.activities.idempotency import idempotency_key
from segue.activities.sql._errors import (
    DatabaseRefused,
    EffectConflict,
    IntegrityError,
    StatementError,
    TransactionConflict,
)
from segue.activities.sql._pools import pool_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from segue.activities.sql._transactions import Pool

__all__ = ["TABLE", "Effect", "fingerprint", "once", "transaction"]

P = ParamSpec("P")
R = TypeVar("R")

TABLE: Final = """\
CREATE TABLE IF NOT EXISTS segue_effects (
    key TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    result TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP
)"""
"""The table of effects, in the SQL of SQLite and PostgreSQL both, for databases whose role may create none."""

MAXIMUM_RESULT_SIZE: Final = 2 * 1024 * 1024
"""Characters of an effect's result as JSON; a larger one is refused before the effect is committed."""

# The databases in which the running task is making an effect.
_open: ContextVar[frozenset[str]] = ContextVar("_open", default=frozenset())

_INSUFFICIENT_PRIVILEGE: Final = "42501"
_UNSET: Final = object()


class Effect(Generic[R]):
    """One effect, made now or found made.

    Attributes:
        key: Its idempotency key.
        connection: Makes the effect: SQLAlchemy's AsyncConnection, in a transaction.
        done: Whether it was made before, so that nothing is left to do.
    """

    def __init__(self, key: str, connection: AsyncConnection, stored: Any = _UNSET) -> None:
        self.key = key
        self.connection = connection
        self.done = stored is not _UNSET
        self._result = stored

    @property
    def result(self) -> R:
        """What the effect resulted in: given by the block that made it, or stored by an earlier attempt.

        Raises:
            LookupError: The block has not set it.
        """
        if self._result is _UNSET:
            raise LookupError("The effect has no result yet: set effect.result in the block that makes it")
        return cast("R", self._result)

    @result.setter
    def result(self, value: R) -> None:
        if self.done:
            raise LookupError("The effect was made before, and its result is stored: look at effect.done first")
        self._result = value


@overload
def once(
    database: str, *, key: str | None = None, request: object = None
) -> contextlib.AbstractAsyncContextManager[Effect[None]]: ...


@overload
def once(
    database: str, result: type[R], *, key: str | None = None, request: object = None
) -> contextlib.AbstractAsyncContextManager[Effect[R]]: ...


@contextlib.asynccontextmanager
async def once(
    database: str, result: Any = NoneType, *, key: str | None = None, request: object = None
) -> AsyncGenerator[Effect[Any]]:
    """An effect for the length of the block: committed at its end with its key, rolled back if the block raises.

        async with sql.once(DATABASE, Reservation, request=order) as effect:
            if not effect.done:
                await effect.connection.execute(...)
                effect.result = Reservation(...)
        return effect.result

    Args:
        database: `env:NAME`, `file:/path`, a registered name, or a URL without a password.
        result: Type of the result, which the next attempt may need; None if there is none.
        key: Names the effect; by default `idempotency_key()`. A step with several effects tells them apart:
            `idempotency_key("reserve")`.
        request: What the effect is made for. The same key with another request is an error rather than a replay.

    Raises:
        EffectConflict: The key was used for another request.
        PayloadError: The result cannot be stored faithfully.
        IntegrityError, StatementError, DatabaseUnavailable and others: As their docstrings say.
    """
    key = key if key is not None else idempotency_key()
    digest = fingerprint(request)
    outer = _open.get()
    if database in outer:
        raise StatementError(
            database,
            "an effect within an effect would wait for the outer one, which waits for it: pass the outer connection "
            "on, or begin when the outer one has ended",
        )
    pool = await pool_of(database)
    await _ensure_table(pool)
    async with pool.transaction(write=True) as connection:
        stored = await _claim(connection, database, key, digest)
        effect = Effect[Any](key, connection)
        if stored is not None:
            effect = Effect[Any](key, connection, faithful.adapter(result).validate_json(stored))
        elif result is NoneType:
            effect.result = None
        _open.set(outer | {database})
        try:
            yield effect
        finally:
            _open.set(outer)
        if not effect.done:
            await _store(connection, key, effect.result, result)


def transaction(
    database: str, *, part: str = ""
) -> Callable[[Callable[Concatenate[AsyncConnection, P], Awaitable[R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Make a function one transaction that takes effect once for each step, and returns the same to each attempt.

    The function's first parameter is the connection, which its callers leave out; its other arguments are what it is
    asked. It may be an activity (below `@system.activity`) or be called by one. A method uses `once`.

    Args:
        database: `env:NAME`, `file:/path`, a registered name, or a URL without a password.
        part: Tells the transactions of one step apart when it makes several in the same database.

    Raises:
        TypeError: The function is not async, has no parameter for the connection, or does not say what it returns.
    """

    def decorate(
        fn: Callable[Concatenate[AsyncConnection, P], Awaitable[R]],
    ) -> Callable[P, Coroutine[Any, Any, R]]:
        signature = inspect.signature(fn)
        parameters = list(signature.parameters.values())
        name = fn.__qualname__
        if not parameters or parameters[0].name == "self":
            raise TypeError(f"Transaction {name!r} needs a function whose first parameter is the connection")
        if not inspect.iscoroutinefunction(fn):
            raise TypeError(f"Transaction {name!r} must be an async function")
        if "return" not in fn.__annotations__:
            raise TypeError(f"Transaction {name!r} does not say what it returns, which the next attempt must know")

        @functools.cache
        def result_hint() -> Any:
            # Resolved at the first call: a hint may name what its module defines further down.
            resolved = typing.get_type_hints(wrapper, include_extras=True)["return"]
            return NoneType if resolved is None else resolved

        @functools.wraps(fn)
        async def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            request = (name, args, kwargs)
            effect: Effect[R]
            async with once(database, result_hint(), key=idempotency_key(part), request=request) as effect:
                if not effect.done:
                    effect.result = await fn(effect.connection, *args, **kwargs)
            return effect.result

        # What Temporal reads: the callers' signature and hints, which need not import SQLAlchemy.
        setattr(wrapper, "__signature__", signature.replace(parameters=parameters[1:]))  # noqa: B010 - not declared
        wrapper.__annotations__ = {key: hint for key, hint in fn.__annotations__.items() if key != parameters[0].name}
        return wrapper

    return decorate


def fingerprint(request: object) -> str:
    """Return a digest that is the same for equal requests, in every process, and differs for others."""
    return hashlib.sha256(json.dumps(_canonical(request), separators=(",", ":")).encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """Return JSON that depends neither on the order of a set or dict, nor on a field that was added with a default."""
    if isinstance(value, BaseModel):
        return _canonical({name: getattr(value, name) for name in sorted(value.model_fields_set)})
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _canonical({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        fields = {str(key): item for key, item in cast("Mapping[object, Any]", value).items()}
        return {key: _canonical(fields[key]) for key in sorted(fields)}
    if isinstance(value, (list, tuple, set, frozenset)):
        parts = [_canonical(item) for item in cast("Iterable[Any]", value)]
        return sorted(parts, key=json.dumps) if isinstance(value, (set, frozenset)) else parts
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    try:
        return pydantic_core.to_jsonable_python(value)
    except pydantic_core.PydanticSerializationError:
        raise PayloadError(
            f"The request of an effect holds a {type(value).__qualname__}, which cannot be compared with the next "
            "attempt's: pass data only"
        ) from None


async def _claim(connection: AsyncConnection, database: str, key: str, digest: str) -> str | None:
    """Return the stored result of a key as JSON; None if the key is new, and now this transaction's.

    The insert waits for any other transaction that holds the key, and then sees whether it was committed.
    """
    from sqlalchemy import text

    claimed = await connection.execute(
        text("INSERT INTO segue_effects (key, fingerprint) VALUES (:key, :digest) ON CONFLICT (key) DO NOTHING"),
        {"key": key, "digest": digest},
    )
    if claimed.rowcount == 1:
        return None
    found = await connection.execute(
        text("SELECT fingerprint, result FROM segue_effects WHERE key = :key"), {"key": key}
    )
    row = found.one_or_none()
    if row is None:
        # Committed after this transaction's snapshot was taken, where the isolation level is a stricter one.
        raise TransactionConflict(database, f"the effect {key!r} was made at the same time by another attempt")
    if row.fingerprint != digest or row.result is None:
        raise EffectConflict(
            database,
            f"the effect {key!r} was made for another request: give each effect of a step a key of its own, with "
            "idempotency_key(part), and a changed request a new key",
        )
    return cast("str", row.result)


async def _store(connection: AsyncConnection, key: str, value: Any, hint: Any) -> None:
    from sqlalchemy import text

    faithful.check(value, hint)
    result = faithful.adapter(hint).dump_json(value).decode()
    if len(result) > MAXIMUM_RESULT_SIZE:
        raise PayloadError(
            f"The result of the effect {key!r} is {len(result):,} characters as JSON, at most {MAXIMUM_RESULT_SIZE:,} "
            "are stored: write it to an object and return a reference to it"
        )
    await connection.execute(
        text("UPDATE segue_effects SET result = :result WHERE key = :key"), {"key": key, "result": result}
    )


async def _ensure_table(pool: Pool) -> None:
    """Make the table of effects unless it is there. A role that may not create tables is fine if somebody else has."""
    from sqlalchemy import inspect as inspected
    from sqlalchemy import text

    attempts = 0
    while not pool.has_effects:
        attempts += 1
        try:
            async with pool.transaction(write=True) as connection:
                if not await connection.run_sync(lambda sync: inspected(sync).has_table("segue_effects")):
                    await connection.execute(text(TABLE))
            pool.has_effects = True
        except DatabaseRefused as error:
            if error.code != _INSUFFICIENT_PRIVILEGE:
                raise
            raise DatabaseRefused(
                pool.reference, f"its role cannot make the table of effects: make it once with\n{TABLE}", error.code
            ) from None
        except (IntegrityError, StatementError):
            # PostgreSQL's IF NOT EXISTS does not wait for another session that makes the table just now.
            if attempts == 2:
                raise
