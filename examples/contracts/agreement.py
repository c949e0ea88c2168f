"""The form of the demo: what is to be known of each agreement of a folder."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, Field

from segue.activities.extraction import Duration


class Agreement(BaseModel):
    """What the legal department asks of every agreement. What each field takes is told by its type and its name."""

    parties: list[str] = Field(description="Who signs the agreement")
    signed: date = Field(description="The date of the agreement")
    ends: date | None = Field(None, description="The date on which the agreement expires")
    term: Duration | None = Field(None, description="How long the initial term of the agreement is")
    notice: Duration | None = Field(None, description="Notice period for termination")
    governing_law: str = Field(description="Which state's or country's law governs the agreement")
