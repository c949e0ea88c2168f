"""References to secrets: what travels and is stored in a history is the reference, never the value.

    headers = {"Authorization": SecretRef("env:PAYMENTS_TOKEN", prefix="Bearer ")}

A reference names where the worker finds the value, and is resolved there, when a connector needs it:

    env:NAME        an environment variable of the worker
    file:/path      a file on the worker, such as those that Docker and Kubernetes mount; one final newline is dropped

Whoever may start a workflow with references of their own choosing may so use any secret that its workers hold. Take
references from code or settings, not from a workflow's input.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from pydantic import ConfigDict, field_validator
from pydantic.dataclasses import dataclass
from temporalio import workflow

from segue.activities.errors import Terminal

__all__ = ["MAXIMUM_SECRET_BYTES", "SecretError", "SecretRef"]

MAXIMUM_SECRET_BYTES: Final = 64 * 1024
"""A secret's file that is larger than this is refused: it is some other file."""

_ENV = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
_FILE = re.compile(r"file:(?://)?(/(?!/)[^\0]+)")


class SecretError(Terminal):
    """A secret that the worker does not hold. Terminal: somebody has to provide it.

    Attributes:
        ref: The reference, such as `env:PAYMENTS_TOKEN`.
    """

    def __init__(self, ref: str, problem: str) -> None:
        super().__init__(f"Secret {ref!r} {problem}")
        self.ref = ref


@dataclass(frozen=True, config=ConfigDict(hide_input_in_errors=True))
class SecretRef:
    """Where a worker finds a secret. It may travel and be stored; its `repr` shows the reference.

    Attributes:
        ref: `env:NAME` or `file:/path`.
        prefix: Put before the value, such as `"Bearer "`.

    Raises:
        pydantic.ValidationError: The reference has another form.
    """

    ref: str
    prefix: str = ""

    @field_validator("ref")
    @classmethod
    def _known_form(cls, ref: str) -> str:
        if not _ENV.fullmatch(ref) and not _FILE.fullmatch(ref):
            # The text is not repeated, here or by pydantic: it may be the secret itself, given by mistake.
            raise ValueError("a secret is referred to as 'env:NAME' or 'file:/absolute/path'")
        return ref

    def resolve(self) -> str:
        """Return the secret's value, with the prefix. Read anew every time, so that a rotated secret is taken up.

        Raises:
            SecretError: The worker does not hold it, or it is empty, too large or not text.
            RuntimeError: Called in a workflow, whose code must neither read the machine nor hold secrets.
        """
        if workflow.in_workflow():
            raise RuntimeError(f"Secret {self.ref!r} cannot be resolved in a workflow: pass it to an activity")
        if match := _FILE.fullmatch(self.ref):
            value = self._read(Path(match[1]))
        else:
            name = self.ref.removeprefix("env:")
            if name not in os.environ:
                raise SecretError(self.ref, f"is not set: set the variable {name} in the environment of the worker")
            value = os.environ[name]
        if not value:
            raise SecretError(self.ref, "is empty")
        return self.prefix + value

    def _read(self, path: Path) -> str:
        try:
            with path.open("rb") as file:
                data = file.read(MAXIMUM_SECRET_BYTES + 1)
        except OSError as error:
            raise SecretError(self.ref, f"cannot be read: {error.strerror}") from None
        if len(data) > MAXIMUM_SECRET_BYTES:
            raise SecretError(self.ref, f"is larger than {MAXIMUM_SECRET_BYTES:,} bytes, so it is no secret's file")
        try:
            text = data.decode()
        except UnicodeDecodeError:
            # The decoder's error holds the bytes, and must not be carried along as the cause.
            raise SecretError(self.ref, "is not UTF-8 text") from None
        return text.removesuffix("\n").removesuffix("\r")
