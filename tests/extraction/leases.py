"""What the tests of extraction share: a form, leases that fill it, and what they say."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator

from segue.activities.extraction import Duration, Kind, Money


class Lease(BaseModel):
    """What is to be known of each lease."""

    parties: list[str] = Field(description="Who signs the lease")
    signed: date = Field(description="The date of the agreement")
    begins: date | None = Field(None, description="The date on which the lease commences")
    rent: Money = Field(description="The monthly rent")
    term: Duration | None = Field(None, description="How long the lease runs")
    notice: Duration | None = Field(None, description="Notice period for termination")
    interest: float | None = Field(None, description="Interest rate on late payments, in percent")
    law: Annotated[str | None, Kind("jurisdiction")] = None
    reference: str | None = Field(None, description="Our reference number")
    heating: Literal["gas", "oil", "district heating"] | None = Field(None, description="How the premises are heated")

    @field_validator("rent")
    @classmethod
    def _affordable(cls, rent: Money) -> Money:
        if rent.amount > 10_000:
            raise ValueError("a rent over 10,000 is a mistake")
        return rent


def lease(number: int, *, rent: str = "$1,250.00", signed: str = "March 3, 2021", extra: str = "") -> str:
    """A lease that says all that the form asks for."""
    return f"""\
RESIDENTIAL LEASE

Reference No.: RL-{1000 + number}

This Lease Agreement (this "Agreement") is made and entered into as of {signed}, by and between Willow Court Holdings
LLC, a Delaware limited liability company ("Landlord"), and Tenant Number {number} Ltd. ("Tenant").

1. Premises

1.1 The Landlord lets to the Tenant flat {number} at 12 Quay Street. The premises are heated by district heating.

2. Term

2.1 The lease shall commence on April 1, 2021 and shall continue for a period of two (2) years, unless it is ended
earlier.

2.2 Either party may terminate this Agreement at any time upon ninety (90) days' prior written notice to the other.

3. Rent

3.1 The Tenant pays a monthly rent of {rent}, due on the first day of each month.

3.2 Late payments bear interest at a rate of 4.5% per annum.

4. Governing Law

4.1 This Agreement shall be governed by the laws of the State of Oregon, without regard to conflicts of laws.
{extra}
IN WITNESS WHEREOF the parties have signed.
"""


EXPECTED = {
    "parties": [
        ("Willow Court Holdings LLC", "Willow Court Holdings\nLLC"),
        ("Tenant Number 7 Ltd.", "Tenant Number 7 Ltd."),
    ],
    "signed": [("2021-03-03", "March 3, 2021")],
    "begins": [("2021-04-01", "April 1, 2021")],
    "rent": [("1250.00", "$1,250.00")],
    "term": [("P2Y", "two (2) years")],
    "notice": [("P90D", "ninety (90) days")],
    "interest": [("4.5", "4.5%")],
    "law": [("Oregon", "Oregon")],
    "reference": [("RL-1007", "RL-1007")],
    "heating": [("district heating", "district heating")],
}


def written(folder: Path, count: int) -> None:
    """Write so many leases into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"lease-{number:04}.txt").write_text(lease(number))
