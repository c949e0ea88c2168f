"""Ground layer: connected systems, their policies and errors, and the connectors that Segue ships.

    from segue.activities import Policy, System, http, sql

The connectors `http`, `llm`, `mail`, `objects` and `sql` are modules of their own; what they take and return can be
imported from here too, and is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from segue.activities.effect import EffectError
from segue.activities.errors import Ambiguous, NotDone, PayloadError, Retryable, Terminal
from segue.activities.heartbeat import last_progress, progress
from segue.activities.idempotency import idempotency_key
from segue.activities.policy import Capacity, Policy, PolicyError
from segue.activities.secrets import SecretRef
from segue.activities.system import System

if TYPE_CHECKING:
    from segue.activities.http import Download, DownloadRequest, HttpConnector, HttpRequest, HttpResponse
    from segue.activities.llm import Chat, Completion, Embed, Message, Model, ModelConnector, Recording, Usage
    from segue.activities.mail import Attachment, Mail, Sent
    from segue.activities.objects import (
        ChecksumObject,
        CopyObject,
        DeleteObject,
        ListObjects,
        ObjectBody,
        ObjectPage,
        ObjectRef,
        ReadObject,
        WriteObject,
    )
    from segue.activities.sql import Query, Rows, Statement, Write, Written

__all__ = [
    # systems
    "Capacity",
    "Policy",
    "PolicyError",
    "System",
    # errors
    "Ambiguous",
    "EffectError",
    "NotDone",
    "PayloadError",
    "Retryable",
    "Terminal",
    # within a step
    "SecretRef",
    "idempotency_key",
    "last_progress",
    "progress",
    # connectors: http
    "Download",
    "DownloadRequest",
    "HttpConnector",
    "HttpRequest",
    "HttpResponse",
    # llm
    "Chat",
    "Completion",
    "Embed",
    "Message",
    "Model",
    "ModelConnector",
    "Recording",
    "Usage",
    # mail
    "Attachment",
    "Mail",
    "Sent",
    # objects
    "ChecksumObject",
    "CopyObject",
    "DeleteObject",
    "ListObjects",
    "ObjectBody",
    "ObjectPage",
    "ObjectRef",
    "ReadObject",
    "WriteObject",
    # sql
    "Query",
    "Rows",
    "Statement",
    "Write",
    "Written",
]

# A worker that never mails should not pay for importing a mail connector, nor need the extras of another.
_CONNECTORS: Final = {
    "http": ("Download", "DownloadRequest", "HttpConnector", "HttpRequest", "HttpResponse"),
    "llm": ("Chat", "Completion", "Embed", "Message", "Model", "ModelConnector", "Recording", "Usage"),
    "mail": ("Attachment", "Mail", "Sent"),
    "objects": (
        "ChecksumObject",
        "CopyObject",
        "DeleteObject",
        "ListObjects",
        "ObjectBody",
        "ObjectPage",
        "ObjectRef",
        "ReadObject",
        "WriteObject",
    ),
    "sql": ("Query", "Rows", "Statement", "Write", "Written"),
}


def __getattr__(name: str) -> Any:
    for connector, names in _CONNECTORS.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{connector}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
