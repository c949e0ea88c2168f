"""Clauses as they are compared: their words, each with the place where it stands in the document.

Two words are the same where a reader sees no difference: quotes are quotes and dashes are dashes, whichever character
a converter chose, and a line's end is a space. A clause's number is no part of its words, so that renumbering is no
change of text.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property
from typing import Final, Generic, NamedTuple, TypeVar

from segue.activities.documents.parsed import Clause, ParsedDocument

__all__ = ["Unit", "Vocabulary", "Word", "number_of", "units_of", "words_of"]

H = TypeVar("H", bound=Hashable)

# A number in words with its figure stands as one word, `thirty (30)`: one thing to a reader, and one change. Scripts
# that put no space between words are compared by character.
_WORD: Final = re.compile(
    r"[A-Za-z]+\s\(\d+(?:[.,]\d+)*%?\)"
    r"|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
    r"|\d+(?:[.,:/]\d+)*"
    r"|[^\W\d_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+(?:['\u2019\u2010\u2011-][^\W\d_]+)*"
    r"|_+|\*+|=+|-{2,}|\.{2,}"
    r"|[^\w\s]"
)
_ALIKE: Final = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201a": "'",
        "\u201b": "'",
        "\u2032": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u201e": '"',
        "\u201f": '"',
        "\u2033": '"',
        "\u2010": "-",
        "\u2011": "-",
        "\u2012": "-",
        "\u2013": "-",
        "\u2014": "-",
        "\u2015": "-",
        "\u2212": "-",
        "\u00ad": "",
    }
)
# What a clause's text may begin with that numbers it. A lone capital with a dot may be somebody's initial, unless it is
# a Roman numeral.
_ENUMERATOR: Final = re.compile(
    r"\s*(?:(?:article|section|clause|paragraph|§+)\s+)?"
    r"(\((?:\d{1,3}|[ivxlc]{1,6}|[a-z]{1,2})\)|\d{1,3}(?:\.\d{1,3})+[.):]?|\d{1,3}[.)]|[ivxlc]{1,6}[.)]|[a-z][.)])\s+",
    re.IGNORECASE,
)
_INITIAL: Final = re.compile(r"\s*[A-HJ-UWYZ]\.\s+")


class Word(NamedTuple):
    """One word of a document.

    Attributes:
        text: As it is compared.
        start: Offset of its first character in the document's text.
        end: Offset after its last.
    """

    text: str
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Unit:
    """One clause, as it is compared.

    Attributes:
        index: Its place among those that are compared.
        clause: Its place among the document's clauses.
        kind: What kind of clause it is, as the document says.
        start: Where its text begins, its number not among it.
        end: Where it ends.
        number: As printed, without the dots and parentheses around it.
        section: Titles of the sections around it.
        words: Its words and punctuation.
    """

    index: int
    clause: int
    kind: str
    start: int
    end: int
    number: str
    section: tuple[str, ...]
    words: tuple[Word, ...]

    @cached_property
    def key(self) -> tuple[str, ...]:
        """Its text, by which equal clauses are found."""
        return tuple(word.text for word in self.words)

    @cached_property
    def bare(self) -> tuple[str, ...]:
        """Its words alone, small, without punctuation: by which similar clauses are found."""
        return tuple(_bare(self.key))


class Vocabulary(Generic[H]):
    """Each word as one character, so that a clause is a short string, and strings are what compares fast."""

    def __init__(self) -> None:
        self._letters: dict[H, str] = {}

    def encode(self, words: Iterable[H]) -> str:
        """Return words as a string with one character each: the same character for the same word."""
        letters = self._letters
        return "".join([letters.get(word) or self._add(word) for word in words])

    def _add(self, word: H) -> str:
        # Past the surrogates, which are no characters. There is room for a million words.
        number = len(self._letters) + 1
        letter = self._letters[word] = chr(number if number < 0xD800 else number + 0x800)
        return letter


def units_of(document: ParsedDocument) -> list[Unit]:
    """Return a document's clauses as they are compared: all but what its pages repeat, and its table of contents."""
    compared = [(place, one) for place, one in enumerate(document.clauses) if one.kind not in ("furniture", "contents")]
    return [_unit(document, index, place, clause) for index, (place, clause) in enumerate(compared)]


def words_of(text: str, start: int, end: int) -> list[Word]:
    """Return the words of `text[start:end]`, with their places in the text."""
    return [
        Word(_alike(match[0]), match.start(), match.end())
        for match in _WORD.finditer(text, start, end)
        # A soft hyphen is no word.
        if match[0] != "\u00ad"
    ]


def number_of(printed: str) -> str:
    """Return a clause's number without what surrounds it: `4.2` for `4.2.`, `a` for `(a)`."""
    return printed.strip().strip("().:§ ")


def _unit(document: ParsedDocument, index: int, place: int, clause: Clause) -> Unit:
    text = document.text
    number, start = clause.number, clause.start
    stated = _stated(text, clause) if number else None
    if stated is not None:
        start = stated
    elif (
        not number
        and (found := _ENUMERATOR.match(text, clause.start, clause.end))
        and not _INITIAL.match(text, clause.start, clause.end)
    ):
        number, start = found[1], found.end()
    words = words_of(text, start, clause.end)
    if not words:
        # A number and nothing else, such as `Schedule 2`, is what the clause says.
        number, start, words = "", clause.start, words_of(text, clause.start, clause.end)
    return Unit(index, place, clause.kind, start, clause.end, number_of(number), clause.section, tuple(words))


def _stated(text: str, clause: Clause) -> int | None:
    """Return where a clause's text begins after its number, if it begins with it."""
    printed = r"\s*(?:[A-Za-z]+\s+|#+\s*|[*_]+)?[(]?" + re.escape(number_of(clause.number)) + r"[.):]*(?=\s|$)\s*"
    found = re.compile(printed).match(text, clause.start, clause.end)
    return found.end() if found else None


def _alike(word: str) -> str:
    return " ".join(word.translate(_ALIKE).split()) if not word.isalnum() else word


def _bare(words: Sequence[str]) -> Iterable[str]:
    for word in words:
        if " (" in word:
            # `thirty (30)`: as similar to `thirty days` as to `30 days`.
            written, _, figure = word.partition(" (")
            yield written.casefold()
            yield figure.strip(")%")
        elif word[0].isalnum():
            # `out-of-pocket` is as similar to `out of pocket`.
            yield from word.casefold().split("-")
