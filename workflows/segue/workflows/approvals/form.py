"""The form of an approval: what a decider is to send with a choice, such as a corrected amount."""

from __future__ import annotations

from typing import Any

import pydantic
import pydantic_core

from segue.activities import faithful
from segue.activities.errors import describe
from segue.workflows.approvals.errors import InvalidApproval, InvalidDecision

__all__ = ["Form"]


class Form:
    """Validates the input of a decision against a type.

    Attributes:
        name: Name of the type.
    """

    def __init__(self, hint: Any) -> None:
        self.name = getattr(hint, "__name__", None) or str(hint)
        try:
            self._adapter = faithful.adapter(hint)
        except pydantic.errors.PydanticUserError as error:
            raise InvalidApproval(f"form={self.name} is nothing that pydantic can validate: {error.message}") from None

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of the type."""
        return self._adapter.json_schema()

    def value(self, choice: str, given: Any, *, needed: bool) -> Any:
        """Return the value that a decider gives with a choice; None if there is none and none is needed.

        Raises:
            InvalidDecision: It does not fit the type. What was sent is not repeated: it may be secret.
        """
        if given is None and not needed:
            return None
        try:
            # A form whose fields all have defaults may be left out.
            return self._adapter.validate_json(pydantic_core.to_json({} if given is None else given))
        except pydantic.ValidationError as error:
            wrong = describe(error)
        raise InvalidDecision(f"{choice!r} needs an input: {wrong}" if given is None else f"the input of {wrong}")
