"""What is asked of a database and what it answers: typed, checked before it is sent, and small enough to travel."""

from __future__ import annotations

import re
from typing import Annotated, Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from segue.activities.sql._databases import DatabaseReference
from segue.activities.sql._values import Cell, Value

__all__ = ["MAXIMUM_BYTES", "MAXIMUM_ROWS", "Query", "Rows", "Statement", "Write", "Written", "placeholders"]

MAXIMUM_ROWS: Final = 10_000
"""Rows that a query returns unless it asks for more or fewer."""

MAXIMUM_BYTES: Final = 1_000_000
"""Size of a result as JSON unless asked otherwise: half of what Temporal takes, for encryption needs room too."""

T = TypeVar("T")

# As SQLAlchemy's text() reads it: `::` is PostgreSQL's cast, and `\:` a colon.
_PLACEHOLDER = re.compile(r"(?<![:\w\\]):(\w+)(?![:\w])")
_CAST_PLACEHOLDER = re.compile(r"(?<![:\w\\]):(\w+)::")

# Requests are shown in errors without what they hold, which may be secret.
_CONFIG = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

_Limit = Annotated[int, Field(ge=1)]
_Text = Annotated[str, Field(pattern=r"\S")]


def placeholders(statement: str) -> list[str]:
    """Return the names of a statement's parameters, in the order in which they first stand there."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(statement)))


class _Parameterised(BaseModel):
    model_config = _CONFIG

    statement: _Text
    parameters: dict[str, Value] = {}

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        _check(self.statement, self.parameters)
        return self


class Statement(_Parameterised):
    """One SQL statement with its parameters, which are sent beside it and never become part of its text.

    Attributes:
        statement: SQL of the database at hand. A parameter stands as `:name`; a literal colon before a letter is
            written `\\:`.
        parameters: A value for each name. A list stands for as many values, as in `WHERE sku IN :skus`.
    """


class Query(_Parameterised):
    """A question to a database, in a transaction that cannot write.

    Attributes:
        database: `env:NAME`, `file:/path`, a registered name, or a URL without a password.
        statement: One statement that returns rows, as in `Statement`.
        parameters: Its parameters, as in `Statement`.
        maximum_rows: Rows at which the query is refused rather than cut short.
        maximum_bytes: Size of the rows as JSON at which it is refused. Temporal takes 2 MB, unless the data
            converter compresses or stores payloads elsewhere.
    """

    database: DatabaseReference
    maximum_rows: _Limit = MAXIMUM_ROWS
    maximum_bytes: _Limit = MAXIMUM_BYTES


class Write(BaseModel):
    """Changes to a database in one transaction, made once for each key.

    Attributes:
        database: `env:NAME`, `file:/path`, a registered name, or a URL without a password.
        statements: Executed in this order; all take effect, or none.
        key: Names the effect: of all writes with the same key one takes effect, whoever sends them. None stands for
            the key of the step, the same for every attempt.
        maximum_rows: Rows that the statements together may return; more, and nothing is written.
        maximum_bytes: Their size as JSON; larger, and nothing is written.
    """

    model_config = _CONFIG

    database: DatabaseReference
    statements: Annotated[list[Statement], Field(min_length=1)]
    key: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    maximum_rows: _Limit = MAXIMUM_ROWS
    maximum_bytes: _Limit = MAXIMUM_BYTES


class Rows(BaseModel):
    """The rows of a result.

    Attributes:
        columns: Their names, as the database gives them.
        rows: One tuple a row, with a value a column.
    """

    model_config = ConfigDict(frozen=True)

    columns: list[str]
    rows: list[tuple[Value, ...]]

    def __len__(self) -> int:
        return len(self.rows)

    def dicts(self) -> list[dict[str, Cell]]:
        """Return each row by column name.

        Raises:
            ValueError: Two columns have the same name.
        """
        names = self.columns
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"Two columns are named {twice!r}: rename one with AS")
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def into(self, model: type[T]) -> list[T]:
        """Return each row as a model, its columns being the model's fields.

        SQLite keeps dates, decimals and the like as text; the model's types bring them back.

        Raises:
            pydantic.ValidationError: A row does not fit the model.
            ValueError: Two columns have the same name.
        """
        adapter = TypeAdapter(model)
        return [adapter.validate_python(row) for row in self.dicts()]

    def scalar(self) -> Cell:
        """Return the only value of the only row.

        Raises:
            ValueError: There are more rows or columns, or none.
        """
        if len(self.rows) != 1 or len(self.columns) != 1:
            raise ValueError(f"Expected one row of one column, not {len(self.rows)} of {len(self.columns)}")
        return self.rows[0][0]


class Written(BaseModel):
    """What a write did.

    Attributes:
        rowcounts: Number of rows that each statement changed or returned; 0 where the database does not say.
        returned: The rows of each statement that returns any (`RETURNING`), None for the others.
        replayed: Whether the effect was there already, and this is what was answered then.
    """

    model_config = ConfigDict(frozen=True)

    rowcounts: list[int]
    returned: list[Rows | None]
    replayed: bool = False


def _check(statement: str, parameters: dict[str, Cell]) -> None:
    """Refuse parameters that do not fit the statement: those missing, those unused, and lists with no SQL form."""
    if cast := _CAST_PLACEHOLDER.search(statement):
        raise ValueError(f":{cast[1]}:: is no parameter with a cast: write CAST(:{cast[1]} AS …)")
    named = placeholders(statement)
    if missing := [name for name in named if name not in parameters]:
        raise ValueError(
            f"{_listed(missing)} in the statement but not in parameters (a colon that names none is written \\:)"
        )
    if unused := [name for name in parameters if name not in named]:
        raise ValueError(f"{_listed(unused)} in parameters but not in the statement: write it there as :{unused[0]}")
    for name, value in parameters.items():
        if isinstance(value, list):
            if not value:
                # IN () is no SQL, and what stands in its place needs a type that no value gives.
                raise ValueError(f"{name!r} is an empty list, and no SQL stands for that: leave the statement out")
            if any(isinstance(item, (list, dict)) for item in value):
                raise ValueError(
                    f"{name!r} is a list of lists or objects: a list stands for several values, as in IN :{name}; "
                    "send JSON as text, from json.dumps"
                )


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names)) + (" is" if len(names) == 1 else " are")
