"""Where an object lives: a URL taken apart and checked, before anything is touched.

    s3://bucket/invoices/17.pdf       Amazon S3, and what speaks its protocol
    gs://bucket/invoices/17.pdf       Google Cloud Storage
    az://container/invoices/17.pdf    Azure Blob Storage
    file:///data/invoices/17.pdf      this machine; percent-encoded, as a URL is
    /data/invoices/17.pdf             the same as a path, taken as it is
    invoices/17.pdf                   a key under the worker's root: SEGUE_OBJECTS_ROOT, by default .segue/objects

A URL never carries a credential: the stores take theirs from the worker's environment.
"""

from __future__ import annotations

import dataclasses
import os
import re
import urllib.parse
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator

from segue.activities.errors import Terminal

__all__ = [
    "ROOT_VARIABLE",
    "Address",
    "InvalidObjectUrl",
    "ObjectPrefix",
    "ObjectUrl",
    "Scheme",
    "is_in_progress",
    "join",
]

ROOT_VARIABLE: Final = "SEGUE_OBJECTS_ROOT"
"""Environment variable of a worker: the URL or folder under which plain keys live."""

MAXIMUM_KEY_BYTES: Final = 1024
"""Longest key, in UTF-8: that of S3."""

Scheme = Literal["file", "s3", "gs", "az"]

_DEFAULT_ROOT = ".segue/objects"
_SCHEMES: dict[str, Scheme] = {"file": "file", "s3": "s3", "gs": "gs", "az": "az"}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]{0,254}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Names of this form belong to writes in progress; obstore's local store hides and refuses them too.
_IN_PROGRESS = re.compile(r".*#[0-9]+", re.DOTALL)


class InvalidObjectUrl(Terminal, ValueError):
    """A URL or key that names no object. Its message repeats no part of a URL that may be a credential."""


@dataclasses.dataclass(frozen=True)
class Address:
    """One object, or one folder of objects, in one store.

    Attributes:
        scheme: Which kind of store.
        bucket: Its bucket or container; empty for a local folder.
        key: The object's key in the bucket. For a local folder the absolute path, without its first slash.
        root: Folder that a plain key must not leave, not even by a symbolic link; None for a URL, which says itself
            where to go.
    """

    scheme: Scheme
    bucket: str
    key: str
    root: Path | None = None

    @classmethod
    def parse(cls, url: str, *, prefix: bool = False) -> Address:
        """Return the address of an object or, with `prefix`, of a folder of objects, whose key may be empty.

        Raises:
            InvalidObjectUrl: It names no object, holds a credential, or tries to leave its root.
        """
        address = _stated(url, prefix)
        if isinstance(address, Address):
            return address
        root = cls.parse(os.environ.get(ROOT_VARIABLE) or str(Path.cwd() / _DEFAULT_ROOT), prefix=True)
        return dataclasses.replace(
            root,
            key="/".join(filter(None, (root.key, address))),
            root=root.path if root.scheme == "file" else None,
        )

    @property
    def path(self) -> Path:
        """The file, for a local folder."""
        return Path("/" + self.key)

    @property
    def url(self) -> str:
        """The full URL, the same on every machine that sees the same store."""
        return self.path.as_uri() if self.scheme == "file" else f"{self.scheme}://{self.bucket}/{self.key}"

    def at(self, key: str) -> Address:
        """Return the address of another key in the same bucket."""
        return dataclasses.replace(self, key=key)


def join(root: str, *keys: str) -> str:
    """Return the URL of a key below a folder's URL. The keys cannot climb out of it, so they may come from outside.

    Raises:
        InvalidObjectUrl: A key is empty, absolute, or holds `..`.
    """
    for key in keys:
        _checked(key, key, prefix=False)
    if not _SCHEME.fullmatch(root):
        return "/".join((root.removesuffix("/"), *keys)) if root else "/".join(keys)
    quoted = (urllib.parse.quote(key) for key in keys) if root.lower().startswith("file:") else keys
    return "/".join((root.removesuffix("/"), *quoted))


def is_in_progress(key: str) -> bool:
    """Return whether a key is that of a write that has not been published."""
    return _IN_PROGRESS.fullmatch(key) is not None


def _stated(url: str, prefix: bool) -> Address | str:
    """Return the address that a URL states, or a plain key as it is. Reads nothing, so workflows may check requests."""
    match = _SCHEME.fullmatch(url)
    if match is None:
        return Address("file", "", _checked(url[1:], url, prefix)) if url[:1] == "/" else _checked(url, url, prefix)
    scheme, rest = match[1].lower(), match[2]
    # Nothing of the URL is repeated before it is known to hold no credential.
    if scheme not in _SCHEMES:
        raise InvalidObjectUrl(f"Objects cannot be kept at {scheme!r} URLs: use s3, gs, az, file, or a plain path")
    host, slash, key = rest.partition("/")
    if "@" in host:
        raise InvalidObjectUrl(
            f"The {scheme!r} URL of an object holds a user name or password: leave it out, a store's credentials come "
            "from the environment of the worker"
        )
    if "?" in rest:
        raise InvalidObjectUrl(
            f"The {scheme!r} URL of an object holds a '?': leave the query out, a store's credentials come from the "
            "environment of the worker"
        )
    if scheme == "file":
        if host not in ("", "localhost") or not slash:
            raise InvalidObjectUrl("The 'file' URL of an object is not absolute: write file:///path")
        try:
            key = urllib.parse.unquote(key, errors="strict")
        except UnicodeDecodeError:
            raise InvalidObjectUrl(f"Object {url!r} is not percent-encoded UTF-8") from None
    elif not _BUCKET.fullmatch(host):
        raise InvalidObjectUrl(f"The {scheme!r} URL of an object names no bucket: write {scheme}://bucket/key")
    return Address(_SCHEMES[scheme], "" if scheme == "file" else host, _checked(key, url, prefix))


def _checked(key: str, shown: str, prefix: bool) -> str:
    """Return a key that stays below its root in every store, without the final slash of a folder."""
    if prefix:
        key = key.removesuffix("/")
        if not key:
            return key
    if not key:
        raise InvalidObjectUrl(f"Object {shown!r} has no key")
    parts = key.split("/")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise InvalidObjectUrl(f"Object {shown!r} is not valid Unicode") from None
    if _CONTROL.search(key):
        problem = "holds a control character"
    elif "\\" in key:
        problem = "holds a backslash, which some systems take for a slash"
    elif ".." in parts:
        problem = "climbs out of its folder with '..'"
    elif "." in parts:
        problem = "holds '.' as a part"
    elif "" in parts:
        problem = "has an empty part: a slash at its start or end, or two in a row"
    elif size > MAXIMUM_KEY_BYTES:
        problem = f"is longer than {MAXIMUM_KEY_BYTES:,} bytes"
    elif is_in_progress(key):
        problem = "ends in '#' and digits, as writes in progress do"
    else:
        return key
    raise InvalidObjectUrl(f"Object {shown[:200]!r} {problem}")


def _checked_url(url: str) -> str:
    _stated(url, prefix=False)
    return url


def _checked_prefix(url: str) -> str:
    _stated(url, prefix=True)
    return url


ObjectUrl = Annotated[str, AfterValidator(_checked_url)]
"""A field of a request that names an object; what is wrong with it is found before anything is scheduled."""

ObjectPrefix = Annotated[str, AfterValidator(_checked_prefix)]
"""The same for a folder of objects; empty for the worker's root."""
