"""What a run spent on models, read out of the results and errors of its steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from segue.activities.llm._json import fields, items
from segue.activities.llm._usage import Usage

__all__ = ["accounts"]


def accounts(value: Any) -> Iterator[tuple[str, Usage]]:
    """Yield each engine and what it took, of a step's result or the details of its error, as JSON has them.

    An account is what has an `engine` beside a `usage`, as completions and embeddings do, or beside what an error
    `spent`. What lies within one is not looked at: it is the same again. Where nobody was asked, as by rules, there is
    none.
    """
    told = fields(value)
    engine = told.get("engine")
    if isinstance(engine, str):
        for name in ("usage", "spent"):
            try:
                usage = Usage.model_validate(told[name])
            except (KeyError, ValidationError):
                continue
            if usage.calls or usage.tokens:
                yield engine, usage
            return
    for inner in told.values() if told else items(value):
        yield from accounts(inner)
