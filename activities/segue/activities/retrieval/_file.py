"""The file of an index: SQLite, with the passages of each document, their full-text index, and vectors if it has any.

    with IndexFile.create(path) as file:
        file.add(Entry.of(document), passages(parsed))
        file.settle(published)
    with IndexFile.open(published) as file:
        file.passages()

Each document is one transaction, so a killed process loses at most the one it was at. A published file is never changed
again, and is opened so that SQLite needs no locks for it. Everything here blocks: the code of activities calls it in a
thread.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from segue.activities.documents import Document
from segue.activities.llm import Usage
from segue.activities.retrieval._errors import InvalidIndex
from segue.activities.retrieval._passages import Passage

__all__ = ["FORMAT", "Entry", "IndexFile"]

FORMAT: Final = 1
"""Version of the file's tables. A file of another version is built anew."""

# `porter` makes "assigned" and "assignment" one word; `remove_diacritics 2` makes "resume" of "résumé".
_TABLES: Final = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id INTEGER PRIMARY KEY,
    entry TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL,
    name TEXT NOT NULL,
    labels TEXT NOT NULL,
    passages INTEGER NOT NULL,
    added INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX documents_by_digest ON documents (digest);
CREATE TABLE labels (
    name TEXT NOT NULL, value TEXT NOT NULL, document INTEGER NOT NULL, PRIMARY KEY (name, value, document)
) WITHOUT ROWID;
CREATE TABLE passages (
    id INTEGER PRIMARY KEY,
    document INTEGER NOT NULL,
    position INTEGER NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL
);
CREATE UNIQUE INDEX passages_in_order ON passages (document, position);
CREATE TABLE vectors (passage INTEGER PRIMARY KEY, vector BLOB NOT NULL);
CREATE VIRTUAL TABLE texts USING fts5(context, body, tokenize = 'porter unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE terms USING fts5vocab(texts, row);
"""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A document as an index holds it.

    Attributes:
        key: Tells it apart from every other, and from itself as it was parsed or labelled before.
        digest: Of its source.
        name: As a reader knows it.
        labels: What it is filed under.
    """

    key: str
    digest: str
    name: str
    labels: Mapping[str, str]

    @classmethod
    def of(cls, document: Document) -> Self:
        """Return the entry of a document."""
        parts = [document.digest, document.parsed.sha256, document.name, sorted(document.labels.items())]
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return cls(key, document.digest, document.name, dict(document.labels))


class IndexFile:
    """An index as a file, or in memory.

    Attributes:
        connection: SQLite's.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    @classmethod
    def create(cls, path: Path | None = None) -> Self:
        """Return the index at a path, made if it is not there; without a path, one in memory.

        Raises:
            InvalidIndex: The file is something else.
        """
        # Several threads use it, one after another.
        connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=60)
        file = cls(connection)
        with file._closed_on_error(str(path)):
            # What was committed survives the process; a commit need not wait for the disk, as only a copy is published.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            with file._transaction():
                if not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                    for statement in _TABLES.split(";\n"):
                        connection.execute(statement)
                    file.note("format", str(FORMAT))
            file._check(str(path))
        return file

    @classmethod
    def open(cls, path: Path, name: str | None = None) -> Self:
        """Return a published index, to be read only.

        Args:
            path: Where it lies.
            name: What messages call it, by default the path.

        Raises:
            InvalidIndex: The file is something else.
        """
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None, check_same_thread=False
        )
        file = cls(connection)
        with file._closed_on_error(name or str(path)):
            connection.execute("PRAGMA mmap_size = 1073741824")
            file._check(name or str(path))
        return file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def add(
        self,
        entry: Entry,
        passages: Sequence[Passage],
        vectors: Sequence[bytes] | None = None,
        usage: Usage = Usage(),  # noqa: B008 - immutable
    ) -> bool:
        """Add a document in one transaction. Return False if it is there already.

        Args:
            entry: The document as it is to be held.
            passages: Its passages.
            vectors: One for each passage, as `segue.activities.retrieval._vectors` packs them.
            usage: What they took.
        """
        execute = self.connection.execute
        with self._transaction():
            if execute("SELECT 1 FROM documents WHERE entry = ?", (entry.key,)).fetchone():
                return False
            labels = json.dumps(entry.labels, sort_keys=True)
            row = execute(
                "INSERT INTO documents (entry, digest, name, labels, passages) VALUES (?, ?, ?, ?, ?) RETURNING id",
                (entry.key, entry.digest, entry.name, labels, len(passages)),
            ).fetchone()
            number: int = row[0]
            self.connection.executemany(
                "INSERT INTO labels VALUES (?, ?, ?)", [(*label, number) for label in entry.labels.items()]
            )
            for position, passage in enumerate(passages):
                (id,) = execute(
                    'INSERT INTO passages (document, position, start, "end") VALUES (?, ?, ?, ?) RETURNING id',
                    (number, position, passage.start, passage.end),
                ).fetchone()
                execute(
                    "INSERT INTO texts (rowid, context, body) VALUES (?, ?, ?)", (id, passage.context, passage.body)
                )
                if vectors is not None:
                    execute("INSERT INTO vectors VALUES (?, ?)", (id, vectors[position]))
            self._counted("passages", len(passages))
            self.note("usage", (self.usage() + usage).model_dump_json())
        return True

    def remove(self, key: str) -> bool:
        """Remove a document in one transaction. Return False if it is not there."""
        execute = self.connection.execute
        with self._transaction():
            row = execute("DELETE FROM documents WHERE entry = ? RETURNING id, passages", (key,)).fetchone()
            if row is None:
                return False
            number, passages = row
            execute("DELETE FROM labels WHERE document = ?", (number,))
            which = "(SELECT id FROM passages WHERE document = ?)"
            execute(f"DELETE FROM texts WHERE rowid IN {which}", (number,))
            execute(f"DELETE FROM vectors WHERE passage IN {which}", (number,))
            execute("DELETE FROM passages WHERE document = ?", (number,))
            self._counted("removed", 1)
            self._counted("passages", -passages)
        return True

    def begin(self) -> None:
        """Take what is there for the state that additions and removals are counted from."""
        with self._transaction():
            self.connection.execute("UPDATE documents SET added = 0")
            self.connection.execute("DELETE FROM about WHERE name IN ('removed', 'usage')")

    def settle(self, path: Path) -> None:
        """Write what was built to another file, compact and quick to search."""
        self.connection.execute("INSERT INTO texts (texts) VALUES ('optimize')")
        path.unlink(missing_ok=True)
        self.connection.execute("VACUUM INTO ?", (str(path),))

    def entries(self) -> set[str]:
        """Return the keys of the documents that are there."""
        return {key for (key,) in self.connection.execute("SELECT entry FROM documents")}

    def added(self) -> int:
        """Return how many documents were added since `begin`."""
        (count,) = self.connection.execute("SELECT count(*) FROM documents WHERE added = 1").fetchone()
        return int(count)

    def removed(self) -> int:
        """Return how many documents were removed since `begin`."""
        return self._count("removed")

    def passages(self) -> int:
        """Return how many passages there are."""
        return self._count("passages")

    def usage(self) -> Usage:
        """Return what the vectors took that were added since `begin`."""
        return Usage.model_validate_json(self.about("usage") or "{}")

    def about(self, name: str) -> str | None:
        """Return what is noted under a name."""
        row = self.connection.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def note(self, name: str, value: str) -> None:
        """Note something about the index."""
        self.connection.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (name, value))

    def _count(self, name: str) -> int:
        return int(self.about(name) or 0)

    def _counted(self, name: str, more: int) -> None:
        self.note(name, str(self._count(name) + more))

    @contextlib.contextmanager
    def _transaction(self) -> Generator[None]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    @contextlib.contextmanager
    def _closed_on_error(self, name: str) -> Generator[None]:
        try:
            yield
        except BaseException as error:
            self.connection.close()
            # Exactly this class: what can be tried again, such as a locked file or a full disk, is a subclass.
            if type(error) is sqlite3.DatabaseError:
                raise InvalidIndex(f"The file {name!r} is no index: {error}") from error
            raise

    def _check(self, name: str) -> None:
        try:
            found = self.about("format")
        except sqlite3.OperationalError as error:  # a database, but without the table
            raise InvalidIndex(f"The file {name!r} is no index: {error}") from error
        if found != str(FORMAT):
            raise InvalidIndex(
                f"The index {name!r} is of format {found!r}, and this version reads {FORMAT}: build it anew"
            )
