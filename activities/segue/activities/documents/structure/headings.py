"""What looks like a heading: by its letters, words and length, for sources that do not say which lines are headings.

headings.is_title("TERM AND TERMINATION")                       # True
headings.run_in("Fees. Customer pays monthly.", 0)              # 4: the title ends there, the text goes on
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from segue.activities.documents.structure.words import words

__all__ = ["before_sentence", "is_caps", "is_title", "run_in", "within"]

_LONGEST_CHARACTERS: Final = 110
_LONGEST_WORDS: Final = 14
_UNNUMBERED_WORDS: Final = 9
_RUN_IN_CHARACTERS: Final = 110
_RUN_IN_WORDS: Final = 12

_WORD: Final = re.compile(r"[^\W_]+(?:[-'\u2019./&][^\W_]+)*")
_ENDS_NO_TITLE: Final = words("a an and as at by for from if in into is of on or the to under upon with")
_MINOR: Final = _ENDS_NO_TITLE | words(
    "de its not other per than that this within without your our their vs re via which we you how what when who why do "
    "does are be no"
)
# Names of parties and lines to sign on stand alone in capitals too, and head nothing; neither do redactions.
_NO_TITLE: Final = re.compile(
    r"[_{}<>|]|\.{4}|[$€£=]|@|\bwww\.|:\S|\*\*|\[\s*\*|\[●|^[●•▪◦‣■□◆❖➢✓*]|\b(?:shall|hereby|hereto|hereunder)\b"
    r"|\bsignature page|\bpage follows|left blank|\bremainder of|\bsignatures? (?:on )?follow"
    r"|\b(?:INC|LLC|L\.L\.C|LTD|LIMITED|CORP|CORPORATION|GMBH|L\.?P|LLP|N\.?A|PLC|S\.A|AG|CO)\.?,?$"
    r"|^(?:NAME|TITLE|DATE|ADDRESS|ATTN|ATTENTION|SIGNED?|SIGNATURE|TEL|TELEPHONE|FAX|FACSIMILE|EMAIL|E-MAIL|PHONE"
    r"|PRINTED NAME|PRINT NAME|BY|ITS|TO|FROM|CC|RE)\s*:"
    r"|^(?:BY|ITS|AND|BETWEEN|TO|FROM|CC|RE|SIGNED?|PAGE|OR)$"
    r"|^[\W\d_]*$|^\([^()]*\)$",
    re.IGNORECASE,
)
# A title before the text that it heads ends with one of these. An abbreviation's point ends none.
_RUN_IN_END: Final = re.compile(
    r"(?<!\b[A-Z])(?<!\bNo)(?<!\bInc)(?<!\bCo)(?<!\bvs)[.:](?=\s|$)|\s[-\u2013\u2014]{1,2}\s|(?<=\w)[\u2014\u2013](?=\s?[A-Z])"
    r"|\s{3,}(?=[A-Z\"\u201c])"
)
_CAPITALS_WORD: Final = r"(?:[A-Z(][A-Z0-9'\u2019&/,;()-]{0,40}[A-Z0-9'\u2019&/,;)]|&|-|\u2013|A)(?=\s)"
_CAPITALS: Final = re.compile(rf"{_CAPITALS_WORD}(?:\s+{_CAPITALS_WORD}){{0,{_LONGEST_WORDS}}}")
_OPENERS: Final = words(
    "The This These That Each Any All If In For Upon Subject Except No Unless During Either Both Neither Nothing Such "
    "Notwithstanding Where When At As It To Within Without On From By Every Other There With An A Whereas"
)
# A heading in capitals between two sentences of running text, where the source's lines have been lost. The "A" of
# "EXHIBIT A" begins no sentence.
_WITHIN: Final = re.compile(
    rf"(?<=[.;:!?\"\u201d)])(?<![\dIVX][.)])\s+"
    rf"(?P<title>{_CAPITALS_WORD}(?:\s+{_CAPITALS_WORD}){{0,{_LONGEST_WORDS}}})\s+"
    rf"(?=(?:{'|'.join(sorted(_OPENERS - {'A'}))})\s)"
)
_SENTENCE: Final = re.compile(rf"\s+(?=(?:{'|'.join(sorted(_OPENERS))})\s+[\w\"\u201c]+)")


def is_title(text: str, *, strong: bool = False, numbered: bool = False) -> bool:
    """Return whether a whole block looks like a heading.

    Args:
        text: The block, without its number.
        strong: Whether it is set in bold or in larger type.
        numbered: Whether it has a number.
    """
    text = text.strip()
    stripped = text.rstrip(".:").rstrip()
    if (
        not 2 < len(stripped) <= _LONGEST_CHARACTERS
        or text[0] in '"\u201c'
        or text[-1] in ",;-\u2013\u2014"
        or _NO_TITLE.search(stripped)
    ):
        return False
    if text.endswith(".") and len(text) > 60:
        return False
    words = _WORD.findall(stripped)
    if not 0 < len(words) <= _LONGEST_WORDS or words[-1].lower() in _ENDS_NO_TITLE:
        return False
    if sum(character.isdigit() for character in stripped) > 0.25 * len(stripped):
        return False
    if is_caps(stripped):
        return True
    if re.search(r"[.;:?!]\s", stripped):
        return False
    # What is set apart by its type need not be capitalised as titles are.
    return strong or (_capitalised(words) and (numbered or len(words) <= _UNNUMBERED_WORDS))


def is_caps(text: str) -> bool:
    """Return whether all letters are capitals, and there are some."""
    return text.upper() == text and sum(letter.isalpha() for letter in text) >= 3


def run_in(text: str, start: int, end: int | None = None) -> int | None:
    """Return where the title ends that text begins with, on the same line as what it heads; None if it has none.

    The punctuation that closes the title is not counted in.
    """
    stop = len(text) if end is None else end
    match = _RUN_IN_END.search(text, start, min(stop, start + _RUN_IN_CHARACTERS))
    if match is not None and _is_run_in(text[start : match.start()]):
        return match.start()
    # "TERM The term begins ..."
    match = _CAPITALS.match(text, start, stop)
    if match is None or not 4 <= len(match[0]) <= _RUN_IN_CHARACTERS or not is_title(match[0]):
        return None
    following = _WORD.search(text, match.end(), stop)
    if following is None or text[match.end() : following.start()].strip(' \t\n"\u201c('):
        return None
    many = len(match[0].split()) > 1
    opens = following[0] in _OPENERS or (many and following[0][0].isupper() and not following[0].isupper())
    return match.end() if opens else None


def before_sentence(text: str, start: int, end: int) -> int | None:
    """Return where the title ends that runs into a sentence with nothing between: "Prices The prices are ..."."""
    for match in _SENTENCE.finditer(text, start, min(end, start + _RUN_IN_CHARACTERS)):
        if is_title(text[start : match.start()]):
            return match.start()
    return None


def within(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of each heading in capitals that stands between two sentences."""
    for match in _WITHIN.finditer(text, start, end):
        title = match["title"]
        if (" " in title or len(title) >= 6) and is_title(title) and title[-1] not in ".,;" and not title[0].isdigit():
            yield match.span("title")


def _is_run_in(title: str) -> bool:
    title = title.strip()
    words = _WORD.findall(title)
    if not 0 < len(words) <= _RUN_IN_WORDS or words[-1].lower() in _ENDS_NO_TITLE or _NO_TITLE.search(title):
        return False
    if title[0] in "\"\u201c'\u2018(" or title[-1] in ",;":
        return False
    return (is_caps(title) or _capitalised(words)) and any(len(word) > 2 for word in words)


def _capitalised(words: list[str]) -> bool:
    """Return whether words are capitalised as those of a title are."""
    if not words[0][0].isupper():
        return False
    major = [word for word in words if word.lower() not in _MINOR and word[0].isalpha()]
    return bool(major) and all(word[0].isupper() for word in major)
