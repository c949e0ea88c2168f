"""Why a document was not read: what is wrong with it, and what to do. Another attempt reads the same bytes, so all are
terminal.

Terminal
└── DocumentRefused
    ├── UnknownKind            no reader takes what this is
    ├── PasswordProtected      encrypted, and nobody gave the password
    ├── CorruptDocument        says what it is, and is not
    ├── EmptyDocument          nothing to read in it
    │   └── NoTextLayer        pages of images: it must be recognised (OCR) first
    ├── DocumentTooLarge       over a limit of `Limits`, or made to unfold into more
    └── ParserFailed           its parser crashed, or did not come to an end
"""

from __future__ import annotations

from typing import Final

from segue.activities.errors import Terminal

__all__ = [
    "REFUSALS",
    "CorruptDocument",
    "DocumentRefused",
    "DocumentTooLarge",
    "EmptyDocument",
    "NoTextLayer",
    "ParserFailed",
    "PasswordProtected",
    "UnknownKind",
]


class DocumentRefused(Terminal):
    """A document that cannot be read as it is.

    Attributes:
        name: The document's name.
    """

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


class UnknownKind(DocumentRefused):
    """No reader takes what the document is."""


class PasswordProtected(DocumentRefused):
    """The document is encrypted, and cannot be read without its password."""


class CorruptDocument(DocumentRefused):
    """The document is not what its own first bytes, or its declared kind, say."""


class EmptyDocument(DocumentRefused):
    """There is no text in the document."""


class NoTextLayer(EmptyDocument):
    """The document's pages are images, and nobody has recognised their text."""


class DocumentTooLarge(DocumentRefused):
    """The document is over a limit, or would unfold into more than a limit."""


class ParserFailed(DocumentRefused):
    """The parser's process crashed on the document, or did not come to an end in time."""


REFUSALS: Final[dict[str, type[DocumentRefused]]] = {
    cls.__name__: cls
    for cls in (
        UnknownKind,
        PasswordProtected,
        CorruptDocument,
        EmptyDocument,
        NoTextLayer,
        DocumentTooLarge,
        ParserFailed,
    )
}
"""By their names, as the parser's process reports them."""
