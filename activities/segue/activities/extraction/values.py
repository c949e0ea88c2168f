"""Types of values that Python has no type for: money with its currency, and durations in calendar units.

    Money(amount=Decimal("1500.00"), currency="EUR")        # {"amount": "1500.00", "currency": "EUR"}
    Duration(years=3)                                       # "P3Y", as ISO 8601 writes it

A duration of months is no number of days, so `timedelta` cannot hold it. Both are fields of a form like any other type.
"""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

__all__ = ["Duration", "Money", "Unit"]

Unit = Literal["years", "months", "weeks", "days", "hours"]

_ISO: Final = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?)?"
)
_UNITS: Final[tuple[Unit, ...]] = ("years", "months", "weeks", "days", "hours")
_EXACT: Final[dict[Unit, tuple[Unit, int]]] = {
    "years": ("months", 12),
    "weeks": ("days", 7),
    "days": ("hours", 24),
}


class Money(BaseModel):
    """An amount in a currency.

    Attributes:
        amount: The amount, exactly as it was written.
        currency: By ISO 4217, such as `EUR`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: Decimal = Field(allow_inf_nan=False)
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

    def __str__(self) -> str:
        return f"{self.currency} {self.amount}"


class Duration(BaseModel):
    """A length of time in the units in which it was written. As JSON it is ISO 8601: `P3Y`, `P18M`, `P30D`.

    Attributes:
        years: Calendar years.
        months: Calendar months.
        weeks: Weeks.
        days: Days.
        hours: Hours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    years: int = Field(default=0, ge=0)
    months: int = Field(default=0, ge=0)
    weeks: int = Field(default=0, ge=0)
    days: int = Field(default=0, ge=0)
    hours: int = Field(default=0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _of_iso(cls, given: Any) -> Any:
        if isinstance(given, timedelta):
            return {"days": given.days, "hours": given.seconds // 3600}
        if not isinstance(given, str):
            return given
        match = _ISO.fullmatch(given.strip())
        if match is None or not any(match.groups()):
            raise ValueError(f"{given!r} is no duration: write it as ISO 8601 does, such as 'P3Y' or 'P30D'")
        return {unit: int(count) for unit, count in match.groupdict().items() if count}

    @model_serializer(mode="plain")
    def _to_iso(self) -> str:
        return str(self)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": "duration"}

    def __str__(self) -> str:
        days = "".join(f"{count}{unit}" for count, unit in zip(self._counts()[:4], "YMWD", strict=True) if count)
        return f"P{days}" + (f"T{self.hours}H" if self.hours else "") if days or self.hours else "P0D"

    def in_units(self, unit: Unit) -> int | None:
        """Return how many of a unit it is; None where that is no whole number, or depends on the calendar."""
        total = 0
        for own, count in zip(_UNITS, self._counts(), strict=True):
            at = own
            while count and at != unit and at in _EXACT:
                at, times = _EXACT[at]
                count *= times
            if count and at != unit:
                return self._divided(unit)
            total += count
        return total

    def after(self, day: date) -> date:
        """Return the day that is so long after another: the same day of the month, or the month's last."""
        months = day.month - 1 + self.months + 12 * self.years
        year, month = day.year + months // 12, months % 12 + 1
        shifted = date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
        return shifted + timedelta(days=self.days + 7 * self.weeks + self.hours // 24)

    def _counts(self) -> tuple[int, int, int, int, int]:
        return self.years, self.months, self.weeks, self.days, self.hours

    def _divided(self, unit: Unit) -> int | None:
        """The same the other way: 24 months are 2 years, 14 days are 2 weeks."""
        if unit not in _EXACT:
            return None
        small, times = _EXACT[unit]
        count = self.in_units(small)
        return count // times if count is not None and count % times == 0 else None
