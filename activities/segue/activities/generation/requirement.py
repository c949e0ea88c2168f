"""Requirements: named conditions on a model's output, each scored from 0 to 1 with a reason.

Requirement(name="short", description="At most 120 words", validator=validators.length(words_at_most=120))
Requirement(name="polite", description="A customer would find it polite", mandatory=True)    # for the judge
Requirement(name="dated", description="Names the date of delivery", validator=checks.names_a_date)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from segue.activities.errors import Terminal
from segue.activities.generation.functions import FUNCTION_PATH, named

__all__ = ["InvalidRequirement", "Requirement", "Stage", "Validator"]

Stage = Literal["code", "evidence", "judge"]
"""When a requirement is scored: by code first, then by evidence in the sources, and what both leave by a model."""


class InvalidRequirement(Terminal, ValueError):
    """A requirement that no worker could score as it is declared. Nothing was paid for."""


class Validator(BaseModel):
    """A function that scores a draft, as it travels: by name.

    The function takes a `Draft`, and the arguments by their names. It returns whether the draft passes, a score from 0
    to 1, or a `Verdict`, which also says why. It may raise ValueError or AssertionError, whose message is then why the
    draft does not pass.

    Attributes:
        path: The function, as `module:name`.
        arguments: What it is given beside the draft.
        stage: `evidence` for what looks into the sources, which is done after all other code.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(pattern=FUNCTION_PATH)
    arguments: dict[str, JsonValue] = {}
    stage: Literal["code", "evidence"] = "code"

    @classmethod
    def of(cls, fn: Callable[..., Any], *, stage: Literal["code", "evidence"] = "code", **arguments: Any) -> Validator:
        """Return a function as it travels, with arguments.

        Raises:
            InvalidRequirement: Other processes would not find it, or it does not take what it is given.
        """
        try:
            path = named(fn)
        except ValueError as problem:
            raise InvalidRequirement(
                f"A validator is carried to the worker by its name, and this one cannot be: {problem}"
            ) from None
        try:
            inspect.signature(fn).bind(None, **arguments)
        except TypeError as problem:
            raise InvalidRequirement(
                f"Validator {path!r} is called with a draft and {sorted(arguments) or 'nothing else'}, which it does "
                f"not take: {problem}"
            ) from None
        except ValueError:  # some functions made in C
            pass
        return cls(path=path, arguments=arguments, stage=stage)


class Requirement(BaseModel):
    """A condition on what is generated.

    Attributes:
        name: What it is called; unique among those of a generation.
        description: What is asked for, in words that the writer and the judge are given.
        mandatory: Whether the total is 0 unless it is met.
        weight: How much it counts in the total, beside the others.
        target: The score from which it is met.
        validator: A function at the top of a module, or a `Validator`, that scores it; without one a judge does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=80)
    description: str = Field(min_length=1, max_length=2000)
    mandatory: bool = False
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    target: float = Field(default=0.8, gt=0, le=1)
    validator: Validator | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            name: str,
            description: str,
            mandatory: bool = False,
            weight: float = 1.0,
            target: float = 0.8,
            validator: Validator | Callable[..., Any] | None = None,
        ) -> None: ...

    @field_validator("validator", mode="before")
    @classmethod
    def _carried(cls, given: Any) -> Any:
        return Validator.of(given) if callable(given) else given

    @property
    def stage(self) -> Stage:
        """When it is scored."""
        return "judge" if self.validator is None else self.validator.stage
