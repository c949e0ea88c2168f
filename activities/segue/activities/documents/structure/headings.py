"""What looks like a heading: by its letters, words and length, for sources that do not say which lines are headings.

headings.is_title("TERM AND TERMINATION")                       # True
headings.run_in("Fees. Customer pays monthly.", 0)              # 4: the title ends there, the text goes on
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_caps", "is_title", "run_in"]

_LONGEST_CHARACTERS: Final = 110
_LONGEST_WORDS: Final = 14
_RUN_IN_CHARACTERS: Final = 90
_RUN_IN_WORDS: Final = 10

_WORD: Final = re.compile(r"[^\W_]+(?:[-'\u2019./&][^\W_]+)*")
_MINOR: Final = frozenset(
    (
        "a an and as at by de for from in into is its not of on or other per than that the this to under upon with within "
        "without your our their vs re via which we you how what when who why do does are be no"
    ).split()
)
# Names of parties and lines to sign on stand alone in capitals too, and head nothing.
_NO_TITLE: Final = re.compile(
    r"_{3}|\.{4}|\b(?:INC|LLC|L\.L\.C|LTD|LIMITED|CORP|CORPORATION|GMBH|L\.?P|LLP|N\.?A|PLC|S\.A|AG|CO)\.?,?$"
    r"|^(?:BY|NAME|TITLE|DATE|ITS|ADDRESS|ATTN|ATTENTION|SIGNED?|SIGNATURE|TEL|TELEPHONE|FAX|FACSIMILE|EMAIL|E-MAIL|AND"
    r"|BETWEEN|TO|FROM|CC|RE|PRINTED NAME|PRINT NAME|PHONE)\s*(?::.*)?$"
    r"|^[\W\d_]*$|@|\bwww\.|://|\*\*\*|\[\s*\*|\[●",
    re.IGNORECASE,
)
# A title before the text that it heads ends with one of these. An abbreviation's point ends none.
_RUN_IN_END: Final = re.compile(
    r"(?<!\b[A-Z])(?<!\bNo)(?<!\bInc)(?<!\bCo)[.:](?=\s|$)|\s[-\u2013\u2014]{1,2}\s|(?<=\w)[\u2014\u2013](?=\s?[A-Z])|\s{3,}"
)
_CAPITALS: Final = re.compile(
    r"(?:[A-Z0-9][A-Z0-9'\u2019&/,;()-]*|&|-)(?:\s+(?:[A-Z0-9(][A-Z0-9'\u2019&/,;()-]*|&|-))*"
)
_OPENERS: Final = frozenset(
    (
        "The This These That Each Any All If In For Upon Subject Except No Unless During Either Both Neither Nothing Such "
        "Notwithstanding Where When At As It To Within Without On From By Every Other There With An"
    ).split()
)


def is_title(text: str, *, strong: bool = False) -> bool:
    """Return whether a whole block looks like a heading. `strong` says that it is set in bold or in larger type."""
    text = text.strip()
    stripped = text.rstrip(".:").rstrip()
    if not 2 < len(stripped) <= _LONGEST_CHARACTERS or text[-1] in ",;-\u2013\u2014" or _NO_TITLE.search(stripped):
        return False
    if text.endswith(".") and len(text) > 60:
        return False
    words = _WORD.findall(stripped)
    if not 0 < len(words) <= _LONGEST_WORDS:
        return False
    if is_caps(stripped):
        return True
    if re.search(r"[.;?!]\s", stripped):
        return False
    return _capitalised(words) and (strong or len(words) <= 9)


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
    match = _CAPITALS.match(text, start, stop)
    if match is None:
        return None
    # In "TERM The term begins", the last letter taken is the first of the next word.
    words = match[0].split()
    following = text[match.end() : stop][:1]
    if following.isalpha() and words:
        words.pop()
    rest = " ".join(words)
    length = len(match[0][: match[0].rfind(match[0].split()[-1])].rstrip()) if following.isalpha() else len(match[0])
    next_word = _WORD.match(text, _skip(text, start + length, stop), stop)
    if len(rest) < 4 or not is_caps(rest) or len(words) > _RUN_IN_WORDS or next_word is None:
        return None
    opens = next_word[0] in _OPENERS or (len(words) > 1 and next_word[0][0].isupper() and not next_word[0].isupper())
    return start + length if opens and not _NO_TITLE.search(rest) else None


def _is_run_in(title: str) -> bool:
    words = _WORD.findall(title)
    if not 0 < len(words) <= _RUN_IN_WORDS or _NO_TITLE.search(title.strip()) or title[:1] in "\"\u201c'\u2018(":
        return False
    if re.search(r"[,;]\s+(?:shall|will|is|are|means)\b", title):
        return False
    return (is_caps(title) or _capitalised(words)) and any(len(word) > 2 for word in words)


def _capitalised(words: list[str]) -> bool:
    """Return whether words are capitalised as those of a title are."""
    if not words[0][0].isupper():
        return False
    major = [word for word in words if word.lower() not in _MINOR and word[0].isalpha()]
    return bool(major) and all(word[0].isupper() for word in major)


def _skip(text: str, position: int, end: int) -> int:
    while position < end and text[position].isspace():
        position += 1
    return position
