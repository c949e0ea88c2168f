"""Whether quotes bear a sentence out, as far as rules can tell. They can only refuse; what they let pass may be judged.

    problem("The fee is 12 % from 2027.", ["The fee is 10 %."])     # "its quotes do not say 12 %, 2027"

With a judge or without one, a sentence fails that states a figure or a name that its quotes do not have, that denies
what they do not deny or the other way round, or that leaves out a condition or an exception, also one that was cut
away from the quote. Without a judge it has to be nearly a sentence of its source: all its words in that sentence's
order, and none left out that turns it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from segue.activities.support.evidence import Evidence
from segue.activities.support.figures import Figure, figures, states
from segue.activities.support.prose import sentences
from segue.activities.support.words import Token, folded, is_english, is_function_word, stem, tokens

__all__ = ["problem"]

_SHOWN: Final = 3
# How much of a judged sentence's words its quotes must have.
_JUDGED: Final = 0.65
_LONGEST: Final = 400

_NAME: Final = re.compile(r"\b[A-Z][\w&]*(?:[.\-'\u2019]\w+)*")
# A first word that is a name as little as any: it says what is done or how.
_ORDINARY: Final = re.compile(r"\w+(?:ing|ly|tion|tions|sion|sions|ment|ments|ness|ity|ance|ence)$")
_CLAUSE: Final = re.compile(r"[.;:,!?\n(]\s|\b(?:and|but|or|provided|if)\b", re.IGNORECASE)
# What is said of a whole statement, wherever it stands: that it is not so, or only somebody's word.
_DISTANCED: Final = re.compile(
    r"\b(?:untrue|false|incorrect|wrong|myth|mistaken|not\s+(?:true|correct|the\s+case|so\b)|den(?:y|ies|ied)\s+that|disput\w+|alleg\w+"
    r"|purport\w*|(?:claim|argue|assert)(?:s|ed)?\s+that|no\s+(?:evidence|proof)|far\s+from|hypothetical\w*|rumou?r\w*)",
    re.IGNORECASE,
)
# What makes a statement less than a fact.
_HEDGES: Final = re.compile(
    r"\b(?:expect|anticipat|believ|hop(?:e|ing)|plan(?:s|ned|ning)?\b|intend|aim(?:s|ed)?\b|target|forecast|estimat|propos|assum|suggest|suppos)"
    r"\w*",
    re.IGNORECASE,
)
_ADJUNCT: Final = frozenset({"in", "at", "of", "on", "during", "throughout"})
_PREFIXES: Final = ("un", "in", "im", "il", "ir", "non", "dis", "mis", "ab")
_OPPOSITE: Final = {"<up>": "<down>", "<down>": "<up>", "<before>": "<after>", "<after>": "<before>"}
_OR: Final = re.compile(r"\bor\b", re.IGNORECASE)
_AND: Final = re.compile(r"\band\b|[,;&]", re.IGNORECASE)
_MARKS: Final = frozenset(".;:,!?()\u2013\u2014")
_JOINTS: Final = re.compile(r"[,;]?\s+(?:and|while|whereas|but|on)\s+", re.IGNORECASE)


class _Side(NamedTuple):
    """One sentence of a source, and which part of it is quoted."""

    text: str
    start: int
    end: int
    source: str

    @property
    def quote(self) -> str:
        return self.text[self.start : self.end]


def problem(sentence: str, quotes: Sequence[Evidence | str], *, judged: bool = False) -> str:
    """Return why quotes do not bear a sentence out; empty if rules find nothing.

    Args:
        sentence: The sentence.
        quotes: What it cites: each of them verbatim, or with what stands around it.
        judged: Whether a judge looks at it too: then it may be in other words, and put together from several quotes of
            one source.
    """
    if not quotes:
        return "it cites nothing"
    cited = [one if isinstance(one, Evidence) else Evidence(one) for one in quotes]
    said = "\n".join(one.text for one in cited)
    if not is_english(sentence) or not all(is_english(one.before + one.text + one.after) for one in cited):
        if any(_letters(sentence) == _letters(side.text) for one in cited for side in _sides(one)):
            return ""
        return "it is not in English, the language of the rules, and no whole sentence of its source"
    if why := _strange(sentence, said):
        return why
    if not (wanted := [one for one in tokens(sentence) if one.kind in ("word", "figure")]):
        return "it says nothing"
    if len(wanted) > _LONGEST:
        return "it is too long"
    sides = [side for one in cited for side in _sides(one)]
    whys = [_strictly(sentence, side) for side in sides]
    if judged:
        by_source = {
            source: [side for side in sides if side.source == source]
            for source in dict.fromkeys(side.source for side in sides)
        }
        # What is nearly its quote needs no judge, and so passes with one.
        whys = [*([""] if "" in whys else []), *(_loosely(sentence, group) for group in by_source.values())]
    if "" in whys:
        return ""
    if any(all(_borne(part, sides, judged=judged) for part in parts) for parts in _divided(sentence)):
        return ""
    # The one that came furthest says best what is wrong.
    return max(whys, key=_RANKS.index)


_UNSAID: Final = "no single quote says all of it"
_MORE: Final = "it says more than its quotes"
_DENIES: Final = "it denies what its quotes do not"
_DENIED: Final = "it leaves out that its quotes deny it"
_CONDITION: Final = "it leaves out a condition or an exception of its source"
_DISTANT: Final = "its source does not say that it is so"
_TURNED: Final = "it says the opposite of its quotes"
_ORDER: Final = "it puts the words of its quotes in another order"
_LEFT: Final = "it leaves out what limits its source"
_RANKS: Final = (_UNSAID, _MORE, _ORDER, _LEFT, _CONDITION, _DISTANT, _TURNED, _DENIES, _DENIED, "")


def _strange(sentence: str, said: str) -> str:
    """Return which figures and names of a sentence its quotes do not have."""
    there = figures(said)
    if strange := [one.text for one in figures(sentence) if not states(there, one)]:
        return f"its quotes do not say {_listed(strange)}"
    known = _stems(said)
    if strange := [name for name in _names(sentence, known) if not _named(name, known)]:
        return f"its quotes do not name {_listed(strange)}"
    return ""


def _loosely(sentence: str, sides: Sequence[_Side]) -> str:
    """Return what speaks against a sentence that a judge looks at too."""
    quotes = "\n".join(side.quote for side in sides)
    if _strange(sentence, quotes):
        return _UNSAID
    wanted = {one.value for one in tokens(sentence) if one.kind == "word"}
    there = {one.value for one in tokens(quotes) if one.kind == "word"}
    near = [side for side in sides if wanted & {one.value for one in tokens(side.text)}] or list(sides)
    whole = "\n".join(side.text for side in near)
    # A denial counts in the clauses that say something of the sentence which no other does.
    clauses = list(dict.fromkeys(clause for side in near for clause in (*_leads(side), *_clauses(side, wanted))))
    denied, denying = sum(map(_denials, clauses)), _denials(sentence)
    if denying and not denied:
        return _DENIES
    if denied != denying:
        return _DENIED if denied else _DENIES
    if _distanced(sentence, whole):
        return _DISTANT
    if _conditions(whole) and not _conditions(sentence):
        return _CONDITION
    if _opposed(sentence, quotes):
        return _TURNED
    # A figure is as much as its number and its unit, and is there.
    figured = sum(2 if one.figure.unit else 1 for one in tokens(sentence) if one.figure is not None)
    if len(wanted & there) + figured < _JUDGED * (len(wanted) + figured):
        return _MORE
    return ""


def _strictly(sentence: str, side: _Side) -> str:
    """Return what speaks against a sentence that nobody else looks at."""
    if _strange(sentence, side.quote):
        return _UNSAID
    said = [one for one in tokens(sentence) if one.kind not in ("mark",)]
    source = tokens(side.text)
    there = [one for one in source if side.start <= one.start and one.end <= side.end and one.kind != "mark"]
    if _denials(sentence) > _denials(side.text):
        return _DENIES
    if _opposed(sentence, side.quote):
        return _TURNED
    for one in said:
        if not any(_same(one, other) for other in there):
            return _DENIES if one.kind == "denial" else _MORE
    if _joined(sentence, side.quote):
        return _MORE
    if _distanced(sentence, side.text) or (_hedged(side.text) and not _hedged(sentence)):
        return _DISTANT
    if _conditions(side.text) > _conditions(sentence):
        return _CONDITION
    movable = _movable(source)
    fixed = [
        one
        for one in said
        if (_kind_of(one), one.value) not in movable and not (one.figure and _sole(one.figure, source))
    ]
    return _aligned(fixed or said, said, there, source)


def _aligned(fixed: Sequence[Token], said: Sequence[Token], there: Sequence[Token], source: Sequence[Token]) -> str:
    """Return what speaks against a sentence whose words are all there: their order, and what is left out of them."""
    why = _ORDER
    for at, first in enumerate(there):
        if not _same(fixed[0], first):
            continue
        matched, position = [first], at + 1
        for one in fixed[1:]:
            following = next((k for k in range(position, len(there)) if _same(one, there[k])), None)
            if following is None:
                matched = []
                break
            matched.append(there[following])
            position = following + 1
        if not matched:
            continue
        found = _omitted(matched, said, source)
        if not found:
            return ""
        why = max(why, found, key=_RANKS.index)
    return why


def _omitted(matched: Sequence[Token], said: Sequence[Token], source: Sequence[Token]) -> str:
    """Return what a sentence leaves out of the words among which its own stand."""
    used = {one.start for one in matched}
    rest = list(said)
    for one in matched:
        rest.remove(next(other for other in rest if _same(other, one)))
    for one in rest:  # what may move stands somewhere
        used.add(next(other.start for other in source if _same(one, other) and other.start not in used))
    low, high = min(used), max(used)
    marks = [one for one in source if one.kind == "mark" and one.value in _MARKS]
    opened = max((one.end for one in marks if one.end <= low), default=0)
    closed = min((one.start for one in marks if one.start >= high), default=source[-1].end)
    part = max(
        (one.end for one in source if one.kind == "mark" and one.value == "<part>" and one.end <= low), default=0
    )
    previous: Token | None = None
    for one in source:
        left = one.kind != "mark" and one.start not in used
        within, before = low < one.start < high, opened <= one.start < low
        if left and one.kind == "denial" and (within or part <= one.start < low or high < one.start < closed):
            return _DENIED
        if left and within and _limits(one, previous, used, said):
            return _LEFT
        # What a limit stands before belongs to it, and so does what the subject was part of.
        if left and before and one.kind in ("limit", "word", "modal") and not _is_adverbial(one, source):
            return _LEFT
        previous = one
    return ""


def _limits(one: Token, previous: Token | None, used: set[int], said: Sequence[Token]) -> bool:
    """Whether a word that is left out makes less, or another thing, of what is said."""
    if one.kind == "modal":
        return one.value != "<must>"
    if one.kind == "figure":
        return any(other.figure is not None and _alike(other.figure, one.figure) for other in said)
    if one.kind == "word":
        return one.after == "of" and previous is not None and previous.start in used
    return one.kind in ("limit", "condition")


def _is_adverbial(one: Token, source: Sequence[Token]) -> bool:
    """Whether a word before those that are used only says where or when: `In October`, `At Larkspur`."""
    before = [other for other in source if other.start <= one.start and other.kind != "mark"]
    return any(other.after in ("in", "at", "on", "during") for other in before[-3:])


def _same(one: Token, other: Token) -> bool:
    if one.figure is not None:
        return other.figure is not None and states([other.figure], one.figure)
    # Who is sued by whom, and what goes to whom and from whom, stands in these alone.
    ways = [each.after if each.after in ("by", "to", "from") else "" for each in (one, other)]
    return one.value == other.value and one.kind == other.kind and (one.kind != "word" or ways[0] == ways[1])


def _kind_of(one: Token) -> str:
    return one.kind


def _movable(source: Sequence[Token]) -> set[tuple[str, str]]:
    """Return the words that say where, when or of what, by a preposition that stands there once: they may move."""
    counted: dict[str, int] = {}
    for one in source:
        if one.after in _ADJUNCT:
            counted[one.after] = counted.get(one.after, 0) + 1
    found: set[tuple[str, str]] = set()
    once = False
    for one in source:
        if one.kind in ("mark", "denial", "modal", "condition", "limit"):
            once = False
            continue
        if one.after:
            once = counted.get(one.after) == 1 if one.after != "the" or not once else once
        if once:
            found.add((one.kind, one.value))
    return found


def _sole(figure: Figure, source: Sequence[Token]) -> bool:
    """Whether no other figure of a source could be meant."""
    return sum(_alike(figure, one.figure) for one in source if one.figure is not None) <= 1


def _alike(one: Figure, other: Figure | None) -> bool:
    return other is not None and (one.unit == other.unit or not one.unit or not other.unit)


def _borne(part: str, sides: Sequence[_Side], *, judged: bool) -> bool:
    said = [one for one in tokens(part) if one.kind in ("word", "figure")]
    if len(said) < 2:
        return False
    return any((_loosely(part, [side]) if judged else _strictly(part, side)) == "" for side in sides)


def _divided(sentence: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to make two statements of a sentence that each say something by themselves."""
    for match in _JOINTS.finditer(sentence):
        one, other = sentence[: match.start()], sentence[match.end() :]
        if match[0].strip(" ,;").lower() == "on" and not (figures(one) and figures(other)):
            continue
        yield one, other


def _sides(one: Evidence) -> list[_Side]:
    """Return the sentences of a quote, whole, and all of them together."""
    whole = one.before + one.text + one.after
    low, high = len(one.before), len(one.before) + len(one.text)
    found = [
        _Side(whole[start:end], max(low - start, 0), min(high, end) - start, one.source)
        for start, end in sentences(whole)
        if start < high and low < end
    ]
    return found if len(found) == 1 else [*found, _Side(whole, low, high, one.source)]


def _clauses(side: _Side, wanted: set[str]) -> list[str]:
    """Return the clauses of a sentence that have a part in another: words of it that no other clause has."""
    clauses = [one for one in _CLAUSE.split(side.text) if one.strip()]
    has = [wanted & {one.value for one in tokens(clause)} for clause in clauses]
    chosen = [
        clause
        for at, clause in enumerate(clauses)
        if has[at] - set().union(*(other for k, other in enumerate(has) if k != at))
    ]
    return chosen or clauses


def _leads(side: _Side) -> list[str]:
    """Return what a list's item belongs to: `The Supplier is not liable for:`."""
    return [one for one in _CLAUSE.split(side.text[: side.text.rfind(":", 0, side.start) + 1]) if one.strip()]


def _denials(text: str) -> int:
    return sum(one.kind == "denial" for one in tokens(text))


def _conditions(text: str) -> int:
    return sum(one.kind == "condition" for one in tokens(text))


def _distanced(sentence: str, source: str) -> bool:
    return _DISTANCED.search(source) is not None and _DISTANCED.search(sentence) is None


def _hedged(text: str) -> bool:
    return _HEDGES.search(text) is not None


def _opposed(sentence: str, quotes: str) -> bool:
    """Return whether a sentence has the opposite of a word of its quotes, and that word is not there."""
    said, there = {one.value for one in tokens(sentence)}, {one.value for one in tokens(quotes)}
    if any(one in _OPPOSITE and one not in there and _OPPOSITE[one] in there for one in said):
        return True
    return any(
        (
            prefix + one in there
            or (one.startswith(prefix) and len(one) > len(prefix) + 2 and one[len(prefix) :] in there)
        )
        for one in said - there
        for prefix in _PREFIXES
    )


def _joined(sentence: str, quote: str) -> bool:
    """Return whether a sentence joins by `or` what its quote joins by `and`, or the other way round."""
    has_or, has_and = _OR.search(quote) is not None, _AND.search(quote) is not None
    if _OR.search(sentence) and not has_or:
        return True
    return re.search(r"\band\b", sentence, re.IGNORECASE) is not None and not has_and


def _names(sentence: str, known: Sequence[str]) -> list[str]:
    """Return the names in a sentence: what has a capital. A first word is one unless it may be any word."""
    found: list[str] = []
    end = -1
    for match in _NAME.finditer(sentence):
        name = re.sub(r"['\u2019]s?$", "", match[0])
        if is_function_word(name) and (not sentence[: match.start()].strip() or name != name.upper() or len(name) == 1):
            continue
        first = not re.search(r"\w", sentence[: match.start()])
        if first and not _is_name(name, known):
            continue
        if figures(match[0]):
            continue
        if found and not first and sentence[end : match.start()] == " ":
            found[-1] += f" {name}"
        else:
            found.append(name)
        end = match.end() if name == match[0] else -1
    return found


def _is_name(word: str, known: Sequence[str]) -> bool:
    """Whether a first word may be a name that the quotes do not have."""
    return not (
        stem(folded(word)) in known
        or _ORDINARY.fullmatch(word.lower())
        or any(one.kind != "word" or one.value[0] == "<" for one in tokens(word))
    )


def _named(name: str, known: Sequence[str]) -> bool:
    """Whether the words of a name stand together in a text."""
    words = _stems(name)
    return any(list(known[at : at + len(words)]) == words for at in range(len(known) - len(words) + 1))


def _stems(text: str) -> list[str]:
    return [stem(re.sub(r"['\u2019].*", "", folded(word)) or "-") for word in re.findall(r"\w+(?:['\u2019]\w+)?", text)]


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:_SHOWN]) + (f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else "")
