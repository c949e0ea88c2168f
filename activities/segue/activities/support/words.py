"""A sentence as what it turns on: words by their stems, figures, denials, modals, limits, conditions.

    [token.value for token in tokens("The Tenant may not pay before May.")]   # tenant, <may>, <not>, pay, <before>, may

The words between angle brackets stand for all that say the same: `cannot` is `<can> <not>`, `rose` is `<up>`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from segue.activities.support.figures import Figure, figures

__all__ = ["Kind", "Token", "folded", "is_english", "is_function_word", "number", "stem", "tokens"]

Kind = Literal["word", "figure", "denial", "modal", "limit", "condition", "mark"]


class Token(NamedTuple):
    """One thing that a sentence says.

    Attributes:
        kind: What it is; a `mark` only parts what stands before it from what stands behind.
        value: The same for the same thing, however it is written.
        start: Where it begins.
        end: Where it ends.
        figure: The figure, if it is one.
        after: The last word between it and the one before that joins them.
    """

    kind: Kind
    value: str
    start: int
    end: int
    figure: Figure | None = None
    after: str = ""


_JOINING = (
    "a an the and or but of to in on at by for from with as is are was were be been being am it its this "
    "that these those there here he she they them their his her him we our us you your i my me do does "
    "did done has have had having so than then such which who whom whose what how into upon out about "
    "during also own very per via thus hence therefore however moreover while whereas either any other "
    "same under over up down through throughout between among within according because since if when "
    "where why although though yet still even both each every all some no not only unless until after "
    "before"
)
_COMMON = "the of and to in is are was for that by with be on as a an it has will shall may not"
_BARE = "a an the this that these those its their our your his her my such"
# Of other languages, none of them an English word.
_OTHERS = (
    "der das und nicht ist ein eine einer einem einen dem des mit von für auf wird zu kein keine sind bei "
    "nach oder sich les des une et du pas ne que dans pour est sont par qui aux ou le la un il à el los "
    "las y con para del una por lo gli di che della sono het een van niet om uma não com och att det "
    "är inte og ikke de em na się nie"
)
_FUNCTION: Final = frozenset(_JOINING.split())
_ARTICLES: Final = frozenset(_COMMON.split())
_POINTING: Final = frozenset(_BARE.split())
_FOREIGN: Final = frozenset(_OTHERS.split())

# So few words may do without a small one.
_SHORT: Final = 4

# Longest first: what says one thing in several words, and what each stands for.
_PHRASES: Final[tuple[tuple[Kind, str, str], ...]] = (
    ("limit", "<at least>", r"at\s+least|(?:no|not)\s+(?:less|fewer|lower|earlier)\s+than|(?:a\s+)?minimum(?:\s+of)?"),
    (
        "limit",
        "<at most>",
        r"at\s+most|(?:no|not)\s+(?:more|greater|higher|later)\s+than|(?:a\s+)?maximum(?:\s+of)?|up\s+to",
    ),
    (
        "limit",
        "<more>",
        r"(?:more|greater|higher|later)\s+than|in\s+excess\s+of|(?:over|above)(?=\s+(?:[A-Z]{3}\s)?[$€£¥]?\d)|exceed\w*",
    ),
    ("limit", "<less>", r"(?:less|fewer|lower|earlier|smaller)\s+than|(?:under|below)(?=\s+(?:[A-Z]{3}\s)?[$€£¥]?\d)"),
    (
        "condition",
        "<if>",
        r"only\s+(?:if|when|where)|if|provided(?:\s+(?:that|however))?(?=[\s,])(?!\s+(?:by|to|in|with|for)\b)"
        r"|(?:as|so)\s+long\s+as|in\s+(?:the\s+)?(?:case|event)\s+(?:of|that)|on\s+condition|conditional\w*"
        r"|subject\s+to",
    ),
    (
        "condition",
        "<unless>",
        r"unless|except\w*|exclud\w*|other\s+than|save\s+(?:for|that|where|as)|(?:but|and)\s+not|but\s+never"
        r"|apart\s+from|with\s+the\s+exception\s+of",
    ),
    (
        "modal",
        "<may>",
        r"(?:is|are|be|was|were)\s+(?:entitled|permitted|allowed|free)\s+to|ha(?:s|ve)\s+the\s+right\s+to",
    ),
    (
        "modal",
        "<must>",
        r"(?:is|are|be|was|were)\s+(?:required|obliged|obligated|bound)\s+to|(?:has|have|had|needs?)\s+to(?=\s)",
    ),
    ("limit", "<before>", r"before|prior\s+to"),
    ("limit", "<after>", r"after|following"),
    ("limit", "<until>", r"until|till"),
    ("limit", "<only>", r"only|solely|exclusively|merely"),
    (
        "limit",
        "<about>",
        r"(?:about|around)(?=\s+(?:[A-Z]{3}\s)?[$€£¥]?\d)|approximately|approx\.?|roughly|nearly|almost",
    ),
    ("limit", "<all>", r"all|every|each|both|always"),
    ("limit", "<some>", r"some|several|sometimes"),
    ("limit", "<most>", r"most|mostly|mainly"),
    ("limit", "<more>", r"more"),
    ("limit", "<less>", r"less|fewer"),
    ("limit", "<many>", r"many|often"),
    ("limit", "<few>", r"few"),
    (
        "denial",
        "<not>",
        r"not|non(?=-)|no(?!\.\s*\d)|none|nobody|nothing|nowhere|never|neither|without|hardly|barely|scarcely|seldom"
        r"|rarely|fail(?:s|ed|ing|ure)?|refus\w+|den(?:y|ies|ied|ial)|prohibit\w*|forbid\w*|forbade|lack(?:s|ed|ing)?"
        r"|untrue|false\w*|incorrect\w*|reject\w*|disput\w+|doubt\w*|void|avoid\w*|ceas\w+|instead\s+of|rather\s+than",
    ),
    ("modal", "<must>", r"shall|must"),
    ("modal", "<may>", r"may(?!\s+\d)|can"),
    ("modal", "<would>", r"would|could|might|should|possibly|perhaps|probably|likely"),
    ("modal", "<will>", r"will"),
)
_UP: Final = (
    r"rose|ris(?:es?|en|ing)|increas(?:e[sd]?|ing)|gr(?:ew|ows?|own|owing|owth)|climb(?:s|ed|ing)?|higher"
    r"|up(?=\s+(?:by\s+)?[$€£¥]?\d)"
)
_DOWN: Final = (
    r"fell|fall(?:s|en|ing)?|decreas(?:e[sd]?|ing)|declin(?:e[sd]?|ing)|drop(?:s|ped|ping)?|shr(?:ank|inks?|unk|inking)"
    r"|reduc(?:e[sd]?|ing|tion|tions)|lower|down(?=\s+(?:by\s+)?[$€£¥]?\d)"
)
_TOKEN: Final = re.compile(
    rf"(?P<short>[^\W\d_]+)n['\u2019]t\b|(?P<cannot>cannot)\b|(?P<up>\b(?:{_UP})\b)|(?P<down>\b(?:{_DOWN})\b)|"
    + "|".join(rf"(?P<p{number}>\b(?:{pattern})(?!\w))" for number, (_, _, pattern) in enumerate(_PHRASES))
    + r"|(?P<word>\w+(?:['\u2019]\w+)?)|(?P<part>,\s*(?:and|but)\b(?!\s+(?:not|never)\b)|;(?!\s*(?:and|or)\b))"
    r"|(?P<mark>[.;:,!?()\u2013\u2014]|\n[ \t]*\n)",
    re.IGNORECASE,
)
_SHORTENED: Final = {
    "ca": "<may>",
    "sha": "<must>",
    "must": "<must>",
    "wo": "<will>",
    "would": "<would>",
    "could": "<would>",
}

_IRREGULAR: Final[dict[str, str]] = {
    "paid": "pay",
    "made": "make",
    "given": "give",
    "gave": "give",
    "held": "hold",
    "sold": "sell",
    "bought": "buy",
    "began": "begin",
    "begun": "begin",
    "sent": "send",
    "lent": "lend",
    "spent": "spend",
    "kept": "keep",
    "known": "know",
    "shown": "show",
    "written": "write",
    "wrote": "write",
    "rose": "rise",
    "risen": "rise",
    "fell": "fall",
    "fallen": "fall",
    "grew": "grow",
    "grown": "grow",
}
_ENDINGS: Final = ("ations", "ation", "ments", "ment", "ings", "ing", "ies", "ied", "ers", "ed", "es", "er", "ly", "s")


def tokens(text: str) -> list[Token]:
    """Return what a text says, in order, without the words that only join it."""
    found: list[Token] = []
    after = ""
    for start, end, figure in _pieces(text):
        if figure is not None:
            found.append(Token("figure", figure.text, start, end, figure, after))
            after = ""
            continue
        for match in _TOKEN.finditer(text, start):  # what looks ahead sees the figure
            if match.start() >= end:
                break
            made = _token(match)
            for one in made:
                found.append(one._replace(after=after))
                after = "" if one.kind == "word" else after
            if not made and match[0].lower() not in _POINTING:
                after = match[0].lower()
    return found


def stem(word: str) -> str:
    """Return what a word has in common with its other forms: folded, without its ending; a number without its zeros."""
    word = _IRREGULAR.get(word, word)
    if word[0].isdigit():
        return number(word)
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    # "terminate" and "terminating", "notice" and "noticed".
    return word[:-1] if len(word) > 4 and word[-1] in "ey" else word


def number(digits: str) -> str:
    """Return digits without grouping and without zeros that say nothing."""
    whole, point, fraction = digits.replace(",", "").partition(".")
    return whole + (point + fraction.rstrip("0") if fraction.rstrip("0") else "")


def folded(text: str) -> str:
    """Return a text in small letters without accents."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def is_function_word(word: str) -> bool:
    """Return whether a word only joins others, or points at them."""
    return word.lower() in _FUNCTION


def is_english(text: str) -> bool:
    """Return whether the rules can read a text, as far as its small words and letters tell."""
    words = re.findall(r"[^\W\d_]+", text)
    if not words:
        return True
    small = [word.lower() for word in words]
    english = sum(word in _ARTICLES or word in _FUNCTION for word in small)
    foreign = sum(word in _FOREIGN for word in small)
    if foreign > english:
        return False
    letters = "".join(words)
    latin = sum(character < "\u0250" or "\u1e00" <= character < "\u1f00" for character in letters)
    if latin < 0.7 * len(letters):
        return False
    known = english or any(_TOKEN.match(word) and not _is_plain(word) for word in small)
    return bool(known) or (len(words) < _SHORT and letters.isascii())


def _is_plain(word: str) -> bool:
    match = _TOKEN.match(word)
    return match is not None and match["word"] is not None


def _pieces(text: str) -> Sequence[tuple[int, int, Figure | None]]:
    found: list[tuple[int, int, Figure | None]] = []
    at = 0
    for figure in figures(text):
        found += [(at, figure.start, None), (figure.start, figure.end, figure)]
        at = figure.end
    return [*found, (at, len(text), None)]


def _token(match: re.Match[str]) -> list[Token]:
    start, end = match.span()
    if match["part"]:
        # Both the comma and the end of what was said before.
        return [Token("mark", match["part"][0], start, start + 1), Token("mark", "<part>", start, end)]
    if match["mark"]:
        return [Token("mark", match["mark"].strip() or "\n", start, end)]
    if match["short"] or match["cannot"]:
        value = "<may>" if match["cannot"] else _SHORTENED.get(match["short"].lower(), "")
        modal = [Token("modal", value, start, end)] if value else []
        return [*modal, Token("denial", "<not>", start, end)]
    if match["up"] or match["down"]:
        return [Token("word", "<up>" if match["up"] else "<down>", start, end)]
    if word := match["word"]:
        plain = re.sub(r"['\u2019].*", "", folded(word))
        if not plain or plain in _FUNCTION:
            return []
        return [Token("word", stem(plain), start, end)]
    index = next(number for number in range(len(_PHRASES)) if match[f"p{number}"])
    kind, value, _ = _PHRASES[index]
    if value == "<may>" and match[0] == "May":
        before = match.string[:start].rstrip()
        if before and before[-1] not in ".!?":
            return [Token("word", "may", start, end)]  # the month
    return [Token(kind, value, start, end)]
