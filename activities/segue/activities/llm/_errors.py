"""What can be wrong with an answer, or with asking for it: each in a class of its own, so that callers can act on it.

Terminal
├── Refused                the model refuses to answer
│   └── Filtered           its server withheld the answer, or did not pass the prompt on
├── Truncated              the answer ends at the bound on its tokens
├── InvalidOutput          the answer is not JSON of the schema
├── ContextTooLong         prompt and answer are more than the model takes
├── SchemaUnsupported      the server does not take a schema in any of the ways that were allowed
├── ModelNotFound          the server does not have the model
├── WrongModel             another model answered than was asked
├── UsageMissing           the answer does not say what it cost
├── QuotaExceeded          the account's money or quota is used up
├── RequestRejected        the server rejects the request for any other reason
├── InvalidSchema          an output schema, or a tool's, says what cannot be checked here
└── NotRecorded            a replay met a prompt that was not recorded
Retryable
└── ModelUnavailable       no answer now: 429, 5xx, no connection, silence, an answer that broke off

An error whose answer was paid for says so: `spent`, which is also the error's detail in a history. None holds a prompt,
an answer, or a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from segue.activities.errors import Retryable, Terminal
from segue.activities.llm._usage import Usage

__all__ = [
    "MODEL_ERRORS",
    "ContextTooLong",
    "Filtered",
    "InvalidOutput",
    "InvalidSchema",
    "ModelError",
    "ModelNotFound",
    "ModelUnavailable",
    "NotRecorded",
    "QuotaExceeded",
    "Refused",
    "RequestRejected",
    "SchemaUnsupported",
    "Truncated",
    "UsageMissing",
    "WrongModel",
]


class ModelError(Terminal):
    """What a model answers, or cannot be asked, whatever is tried.

    Attributes:
        engine: Which model.
        spent: What the answer cost; None if there was none.
    """

    def __init__(self, message: str, *, engine: str = "", spent: Usage | None = None) -> None:
        super().__init__(message)
        self.engine = engine
        self.spent = spent

    @property
    def details(self) -> Sequence[Any]:
        """What a history holds of it beside its message: the engine, and what was spent."""
        return _account(self.engine, self.spent)


class Refused(ModelError):
    """The model refuses to answer."""


class Filtered(Refused):
    """The model's server withheld the answer, or did not pass the prompt on."""


class Truncated(ModelError):
    """The answer ends at the bound on its tokens: raise `maximum_tokens`, or ask for less."""


class InvalidOutput(ModelError):
    """The answer is not JSON of the schema. Its message says where it is wrong, without repeating it.

    Attributes:
        problems: What is wrong, and where: `claims[0].quote: is missing`.
    """

    def __init__(
        self, message: str, *, problems: tuple[str, ...] = (), engine: str = "", spent: Usage | None = None
    ) -> None:
        super().__init__(message, engine=engine, spent=spent)
        self.problems = problems


class ContextTooLong(ModelError):
    """Prompt and answer are more than the model takes."""


class SchemaUnsupported(ModelError):
    """The server does not take a schema in any of the ways that were allowed (`Model.structured`)."""


class ModelNotFound(ModelError):
    """The server does not have the model."""


class WrongModel(ModelError):
    """Another model answered than was asked."""


class UsageMissing(ModelError):
    """The answer does not say how many tokens it took, and the model's declaration requires it."""


class QuotaExceeded(ModelError):
    """The account's money or quota is used up: somebody has to raise it."""


class RequestRejected(ModelError):
    """The server rejects the request.

    Attributes:
        status: With which HTTP status; 0 where it said so within an answer.
        code: The server's own name for it, empty if it gives none.
    """

    def __init__(self, message: str, *, status: int = 0, code: str = "", engine: str = "") -> None:
        super().__init__(message, engine=engine)
        self.status = status
        self.code = code


class InvalidSchema(Terminal, ValueError):
    """A JSON schema says what cannot be checked here."""


class NotRecorded(ModelError):
    """A replay met a prompt that was not recorded."""


class ModelUnavailable(Retryable):
    """The model cannot answer now.

    Attributes:
        engine: Which model.
        spent: What other models took that were asked in its place, and failed too; None if nothing was.
    """

    def __init__(
        self, message: str, *, engine: str = "", after: timedelta | None = None, spent: Usage | None = None
    ) -> None:
        super().__init__(message, after=after)
        self.engine = engine
        self.spent = spent

    @property
    def details(self) -> Sequence[Any]:
        """What a history holds of it beside its message: the engine, and what was spent."""
        return _account(self.engine, self.spent)


def _account(engine: str, spent: Usage | None) -> Sequence[Any]:
    return () if spent is None else ({"engine": engine, "spent": spent.model_dump(mode="json")},)


MODEL_ERRORS: Final[frozenset[str]] = frozenset(
    cls.__name__
    for cls in (
        ModelError,
        Refused,
        Filtered,
        Truncated,
        InvalidOutput,
        ContextTooLong,
        SchemaUnsupported,
        ModelNotFound,
        WrongModel,
        UsageMissing,
        QuotaExceeded,
        RequestRejected,
        NotRecorded,
        ModelUnavailable,
    )
)
"""What errors are called by which another model may be asked."""
