"""What a call took: tokens, as the server counts them, and what they cost at the model's price."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from segue.activities.llm._models import Price

__all__ = ["Usage"]

# A token costs a tenth of a millionth of a dollar at the least. What lies below that is the error of adding.
_DIGITS: Final = 12


class Usage(BaseModel):
    """Tokens of one call, or of several added up.

    Attributes:
        input_tokens: What the model read.
        output_tokens: What it wrote, its reasoning included.
        cached_input_tokens: How much of `input_tokens` it had read before, where its server says so.
        cost_usd: What that costs at the model's price; None where a call had no price.
        calls: How many answers were paid for.
        estimated: Whether a server did not count, and the tokens are estimated from the length of the texts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    cached_input_tokens: int = Field(default=0, ge=0)
    cost_usd: float | None = Field(default=0.0, ge=0, allow_inf_nan=False)
    calls: int = Field(default=0, ge=0)
    estimated: bool = False

    @property
    def tokens(self) -> int:
        """All tokens, read and written."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        known = self.cost_usd is not None and other.cost_usd is not None
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_input_tokens=self.cached_input_tokens + other.cached_input_tokens,
            cost_usd=round((self.cost_usd or 0.0) + (other.cost_usd or 0.0), _DIGITS) if known else None,
            calls=self.calls + other.calls,
            estimated=self.estimated or other.estimated,
        )

    def priced(self, price: Price | None) -> Usage:
        """Return the same tokens at a price."""
        if price is None:
            return self.model_copy(update={"cost_usd": None})
        cached = price.input if price.cached_input is None else price.cached_input
        fresh = max(self.input_tokens - self.cached_input_tokens, 0)
        millions = fresh * price.input + self.cached_input_tokens * cached + self.output_tokens * price.output
        return self.model_copy(update={"cost_usd": round(millions / 1_000_000, _DIGITS)})
