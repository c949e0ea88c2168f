"""What a summary should tell, and which sentences of the document tell it.

    plan = planned(document, words=300)
    for part in plan.parts: part.title, part.words, part.candidates        # the worthiest first

A document of a known kind is read for its topics; any other by its sections, of which those count that are central to
the whole. A sentence is worth more if it is central, tells figures, and stands where a paragraph begins; less if it
greets, asks, repeats what every such document says, or begins in the middle of a thought.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from segue.activities.comparison.values import figures_of
from segue.activities.documents.parsed import ParsedDocument
from segue.activities.summary._ranking import centrality, vectors_of
from segue.activities.summary._sentences import Sentence, length_of, sentences_of
from segue.activities.summary._topics import Kind, Topic, kind_of, topics_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Candidate", "Plan", "PlannedPart", "planned"]

_ANSWERS: Final = "Questions and answers"
_ANSWERS_SHARE: Final = 2.0
# A section is worth a part of its own if it gets at least so many words.
_LEAST_WORDS: Final = 35
# Shorter sentences say little, longer ones take the room of others. People who speak end theirs late.
_SHORTEST: Final = 6
_LONGEST: Final[dict[Kind, int]] = {"call": 60, "contract": 120, "document": 120}

_QUESTIONS: Final = re.compile(r"\b(?:first|next) question\b", re.IGNORECASE)
_CEREMONY: Final = re.compile(
    r"\bgood (?:morning|afternoon|evening|day)\b|\bthanks?(?: you)?\b|\bwelcome\b|\bpress (?:star|\*|the|one|pound)\b"
    r"|\b(?:turn|hand) (?:the call|it|things|the conference)\b|\bforward[- ]looking\b|\bsafe harbou?r\b|\bnon-?gaap\b"
    r"|\breconciliation|\bconference call\b|\bwebcast\b|\byour line\b|\bquestions? (?:is|comes|from|at this time)\b"
    r"|\bgreat question\b|\bgood question\b|\bas a reminder\b|\blisten[- ]only\b|\bour website\b|\bfilings? with\b"
    r"|\bslides?\s+\w+\b|\blet me (?:turn|start|begin|now|give|walk|provide|share|take)\b"
    r"|\bi(?:'d| would| will|'ll) (?:now )?(?:like to )?(?:turn|start|review)",
    re.IGNORECASE,
)
_FILLER: Final = re.compile(
    r"\b(?:uh|um|you know|i mean|kinda|sort of|kind of)\b|<\w+>|\b\w-\s|\u2026|\b(\w+),? \1\b", re.IGNORECASE
)
_DANGLING: Final = re.compile(
    r"(?:and|but|so|also|this|that|these|those|it|he|she|they|which|or|yeah|yes|no|again|however|therefore)\b",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that a part may be made of.

    Attributes:
        index: Its place among the document's sentences.
        sentence: The sentence.
        worth: How much it is worth to the summary.
    """

    index: int
    sentence: Sentence
    worth: float


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedPart:
    """What one part should tell.

    Attributes:
        title: Its heading.
        words: How many words it may have.
        candidates: The sentences it may be made of, the worthiest first.
    """

    title: str
    words: int
    candidates: tuple[Candidate, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What a summary should tell.

    Attributes:
        kind: What the document is read as.
        parts: Its parts, in order.
        left_out: Sections that it has no room for.
        sentences: How many sentences the document has.
        vectors: Of each sentence, by which alike ones are told.
    """

    kind: Kind
    parts: tuple[PlannedPart, ...]
    left_out: tuple[str, ...]
    sentences: int
    vectors: NDArray[np.float32]


def planned(document: ParsedDocument, *, words: int, kind: Kind | None = None, topics: Sequence[Topic] = ()) -> Plan:
    """Return what a summary of so many words should tell.

    Args:
        document: The document.
        words: How long the summary may be.
        kind: What it is read as; by default what it seems to be.
        topics: What it is read for; by default what its kind is.
    """
    read_as = kind or kind_of(document)
    wanted = tuple(topics) or tuple(topics_of(read_as))
    sentences = sentences_of(document)
    vectors = vectors_of([one.text for one in sentences])
    worth = [
        _worth(one, rank, bool(wanted), _LONGEST[read_as])
        for one, rank in zip(sentences, centrality(vectors), strict=True)
    ]
    left_out: list[str] = []
    if wanted:
        parts = _by_topics(sentences, worth, wanted, words, read_as == "call")
    else:
        parts, left_out = _by_sections(sentences, worth, words)
    return Plan(read_as, tuple(parts), tuple(left_out), len(sentences), vectors)


def _worth(sentence: Sentence, rank: float, has_topics: bool, longest: int) -> float:
    words = length_of(sentence.text)
    figures = min(len(figures_of(sentence.text)), 3) / 3
    # Where topics say what matters, a sentence need not be about what most of the document is.
    worth = 0.5 * rank + 0.35 * figures if has_topics else 0.8 * rank + 0.1 * figures
    worth += 0.1 if sentence.place == 0 else 0
    worth -= 0.5 if _CEREMONY.search(sentence.text) else 0
    worth -= 0.5 if sentence.text.endswith("?") else 0
    worth -= 0.1 if _DANGLING.match(sentence.text) else 0
    worth -= 0.08 * min(sum(1 for _ in _FILLER.finditer(sentence.text)), 5)
    return worth - (0 if _SHORTEST <= words <= longest else 0.4)


def _by_topics(
    sentences: Sequence[Sentence], worth: Sequence[float], topics: Sequence[Topic], words: int, is_call: bool
) -> list[PlannedPart]:
    asking, answers = _questions(sentences) if is_call else (set[int](), set[int]())
    found: dict[str, list[Candidate]] = {topic.title: [] for topic in topics}
    if is_call:
        found[_ANSWERS] = []
    for index, (sentence, value) in enumerate(zip(sentences, worth, strict=True)):
        if sentence.clause in asking:
            continue
        told = [
            (len({cue.casefold() for cue in topic.pattern.findall(sentence.text)}), topic.title) for topic in topics
        ]
        cues, title = max(told, key=lambda one: one[0])
        if cues:
            candidate = Candidate(index, sentence, value + 0.35 * min(cues, 3) / 3)
            found[_ANSWERS if sentence.clause in answers else title].append(candidate)
    shares = {topic.title: topic.share for topic in topics} | ({_ANSWERS: _ANSWERS_SHARE} if is_call else {})
    told_of = {title: share for title, share in shares.items() if found[title]}
    whole = sum(told_of.values()) or 1
    return [
        PlannedPart(title, round(words * share / whole), _worthiest(found[title])) for title, share in told_of.items()
    ]


def _questions(sentences: Sequence[Sentence]) -> tuple[set[int], set[int]]:
    """Return the clauses in which analysts ask, and those in which the management answers.

    The management are those who speak before the first question, but for who opens the call.
    """
    first = next((one.clause for one in sentences if _QUESTIONS.search(one.text)), None)
    if first is None:
        return set(), set()
    management = {one.speaker for one in sentences if one.clause < first} - {sentences[0].speaker}
    answers = {one.clause for one in sentences if one.clause >= first and one.speaker in management}
    return {one.clause for one in sentences if one.clause >= first} - answers, answers


def _by_sections(
    sentences: Sequence[Sentence], worth: Sequence[float], words: int
) -> tuple[list[PlannedPart], list[str]]:
    level = _level(sentences)
    found: dict[str, list[Candidate]] = {}
    for index, (sentence, value) in enumerate(zip(sentences, worth, strict=True)):
        title = sentence.section[min(level, len(sentence.section) - 1)] if sentence.section else ""
        found.setdefault(title, []).append(Candidate(index, sentence, value))
    # A section counts by what is worth telling in it, and not by its length alone.
    weights = {
        title: sum(sorted((max(one.worth, 0) for one in some), reverse=True)[:8]) for title, some in found.items()
    }
    room = max(words // _LEAST_WORDS, 1)
    chosen = set(sorted(weights, key=lambda title: -weights[title])[:room])
    whole = sum(weights[title] for title in chosen) or 1
    parts = [
        PlannedPart(title, round(words * weights[title] / whole), _worthiest(some))
        for title, some in found.items()
        if title in chosen
    ]
    return parts, [title for title in found if title and title not in chosen]


def _level(sentences: Sequence[Sentence]) -> int:
    """Return which level of sections divides the document: the first with more than one."""
    deepest = max((len(one.section) for one in sentences), default=0)
    for level in range(deepest):
        if len({one.section[level] for one in sentences if len(one.section) > level}) > 1:
            return level
    return 0


def _worthiest(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    return tuple(sorted(candidates, key=lambda one: (-one.worth, one.index)))
