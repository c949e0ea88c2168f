"""Statements on their way to the database, and rows on their way back: values beside the text, and within limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pydantic_core
from sqlalchemy import bindparam, text

from segue.activities.errors import PayloadError
from segue.activities.sql._values import Cell, carried, encode

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, TextClause

    from segue.activities.sql._requests import Query, Write

__all__ = ["Allowance", "clause"]


def clause(statement: str, parameters: dict[str, Cell]) -> TextClause:
    """Return a statement in which a parameter that is a list stands for as many values."""
    lists: list[BindParameter[Any]] = [
        bindparam(name, expanding=True) for name, value in parameters.items() if isinstance(value, list)
    ]
    return text(statement).bindparams(*lists)


class Allowance:
    """What a request allows to be returned, less what was taken so far."""

    def __init__(self, request: Query | Write) -> None:
        self._request = request
        self._count = 0
        self._size_bytes = 0

    def take(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[tuple[Cell, ...]]:
        """Return rows as they are carried.

        Raises:
            PayloadError: They are more than is allowed, or hold a value that cannot be carried.
        """
        taken: list[tuple[Cell, ...]] = []
        for row in rows:
            self._count += 1
            if self._count > self._request.maximum_rows:
                raise self._too_much(f"more than {self._request.maximum_rows:,} rows", "maximum_rows")
            cells = tuple(map(self._cell, columns, row))
            self._size_bytes += len(pydantic_core.to_json(list(map(encode, cells)))) + 1
            if self._size_bytes > self._request.maximum_bytes:
                raise self._too_much(f"more than {self._request.maximum_bytes:,} bytes of rows", "maximum_bytes")
            taken.append(cells)
        return taken

    def _cell(self, column: str, value: Any) -> Cell:
        try:
            cell: Cell = carried(value)
        except ValueError as error:
            raise PayloadError(
                f"Database {self._request.database!r}: column {column!r} of row {self._count} {error}", column
            ) from None
        return cell

    def _too_much(self, what: str, limit: str) -> PayloadError:
        return PayloadError(
            f"Database {self._request.database!r} returned {what}, the request's {limit}: read page by page (ORDER BY "
            "a unique column, WHERE it is greater than the last one read, LIMIT), or let an activity write the rows to "
            "an object and return a reference to it"
        )
