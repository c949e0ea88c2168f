"""The local model's server, a process of its own: `python -m segue.activities.llm.local_server [KEY_FILE] [PORT] ...`.

It prints its address, and runs until its standard input ends, which the death of whoever started it sees to.
"""

from __future__ import annotations

import importlib
import os
import secrets
import sys
from pathlib import Path
from typing import Any

from segue.activities.llm._local import (
    CONTEXT_TOKENS,
    MAXIMUM_ANSWER_TOKENS,
    SERVER_PACKAGE,
    local_model_file,
    local_model_problem,
    threads,
)

__all__ = ["main"]


def main(key_file: str = "", port: str = "0", context_tokens: str = str(CONTEXT_TOKENS), processors: str = "") -> None:
    """Serve until standard input ends. Without a key file there is a key that nobody knows."""
    if (problem := local_model_problem()) is not None:
        sys.exit(problem)
    # It comes without types.
    xllamacpp: Any = importlib.import_module(SERVER_PACKAGE)
    params = xllamacpp.CommonParams()
    params.model.path = str(local_model_file())
    params.model_alias = {"SmolLM2-135M-Instruct"}
    params.hostnames = ["127.0.0.1"]
    params.port = int(port)
    params.api_keys = [Path(key_file).read_text() if key_file else secrets.token_urlsafe(32)]
    # An origin that no page has: a page of another site may not read what is answered.
    params.cors_origins = "http://127.0.0.1:0"
    params.cors_origins_explicit = True
    params.cors_credentials = False
    params.ui = False
    params.endpoint_slots = False
    params.n_ctx = int(context_tokens)
    params.n_parallel = 1
    params.n_predict = MAXIMUM_ANSWER_TOKENS
    params.cache_ram_mib = 64
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = int(processors) if processors else threads()
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.buffer.read()
    # The server's own threads would keep the process.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
