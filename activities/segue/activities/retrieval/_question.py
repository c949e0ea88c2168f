"""A question in plain words as an expression of SQLite's full-text search.

    Question.of("Who may assign the agreement?").expression()     # '"assign" OR "assign" OR "agreement" OR ...'

Any word may match, since BM25 ranks what matches most and rarest first; asking for all words would find nothing for
most questions. Words that every question has are left out, each other word counts twice beside what the index adds of
its own, and words that stand together in the question count once more where they stand together in a passage.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Collection, Iterable
from typing import Final, Self

__all__ = ["STOP_WORDS", "Question", "words_of"]

STOP_WORDS: Final = frozenset(
    re.findall(
        r"\w+",
        """
        a about above after again all also am an and another any are as at be because been before being below between
        both but by can could did do does doing done down during each either else every few for from further had has
        have having he her here hers him his how i if in into is it its itself just may me might more most must my
        neither no nor not of off on once only onto or other our ours out over own per same shall she should so some
        such than that the their them then there these they this those through to too under until up upon us very was we
        were what whatever when where whether which while who whom whose why will with within without would you your
        yours
        """,
    )
)
"""Words that tell nothing of what a text is about, in English; a question that has no others keeps them."""

_NEAR: Final = 5  # words between two that still stand together
_WEIGHT: Final = 2

_WORD: Final = re.compile(r"[^\W_]+(?:[-.'\u2019&/][^\W_]+)*")
_PART: Final = re.compile(r"[^\W_]+")
_POSSESSIVE: Final = re.compile(r"['\u2019]s?(?!\w)")
_QUOTED: Final = re.compile(r"[\"“”]([^\"“”]+)[\"“”]")


def words_of(text: str) -> list[str]:
    """Return the words of a text in their order, as the index tells them apart, in lower case."""
    return _PART.findall(_POSSESSIVE.sub("", text.casefold()))


@dataclasses.dataclass(frozen=True)
class Question:
    """What a question asks for.

    Attributes:
        words: Its words, without those that every question has.
        phrases: What stood in quotation marks or was joined by a hyphen, point or slash: words in this order.
    """

    words: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, text: str) -> Self:
        """Return what a text asks for; without any word, it asks for nothing."""
        found = words_of(text)
        told = [word for word in found if word not in STOP_WORDS] or found
        quoted = (words_of(match) for match in _QUOTED.findall(text))
        joined = (words_of(match) for match in _WORD.findall(_POSSESSIVE.sub("", text)))
        phrases = dict.fromkeys(tuple(words) for words in (*quoted, *joined) if len(words) > 1)
        return cls(tuple(told), tuple(phrases))

    def __bool__(self) -> bool:
        return bool(self.words)

    def expression(self, more: Iterable[str] = (), without: Collection[str] = ()) -> str:
        """Return the expression for FTS5's MATCH.

        Args:
            more: Further words, which count half as much as those of the question.
            without: Words of the question that are left out.
        """
        words = [word for word in self.words if word not in without] or list(self.words)
        terms = [_quoted(word) for word in dict.fromkeys(words)] * _WEIGHT
        terms += [
            f"NEAR({_quoted(one)} {_quoted(other)}, {_NEAR})"
            for one, other in dict.fromkeys(itertools.pairwise(words))
            if one != other
        ]
        terms += [_quoted(" ".join(phrase)) for phrase in self.phrases]
        terms += [_quoted(word) for word in more]
        return " OR ".join(terms)


def _quoted(term: str) -> str:
    # In quotation marks nothing is an operator; a word holds none itself, but whoever passes one on cannot know.
    return '"' + term.replace('"', '""') + '"'
