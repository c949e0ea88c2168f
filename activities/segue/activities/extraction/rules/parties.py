"""Who a contract is between: the names in its preamble, else those that sign it.

A preamble is taken apart at what stands between parties: "and", numbers, and the brackets in which each is given the
name that the contract calls it by. What is left at the beginning of each part, up to what describes it, is a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from segue.activities.documents import Span
from segue.activities.extraction.rules.ground import Candidate, Ground

__all__ = ["alias_of", "parties"]


class _Named(NamedTuple):
    start: int
    end: int
    alias: str


# What a name of an organisation ends with.
_FORM: Final = (
    r"(?:Inc(?:orporated)?|Corp(?:oration)?|Co(?:mpany)?|L\.?\s?L\.?\s?C|Ltd|Limited|L\.?\s?L\.?\s?P|L\.?\s?P|"
    r"P\.?L\.?C|plc|GmbH|A\.?\s?G|"
    r"S\.?\s?A(?:\.?\s?R\.?\s?L)?|S\.?p\.?A|S\.?r\.?l|B\.?\s?V|N\.?\s?V|N\.?\s?A|A/S|A\.?S|AB|Oy|K\.?K|Pty|Pte|Sdn|Bhd|"
    r"Aktiengesellschaft|Bank|Trust|Fund|Foundation|Association|University|Institute|Partnership|Partners|"
    r"Holdings|Group|"
    r"Agency|Authority|Department|Ministry|Society|Chapter|Club|Hospital|Industries|Enterprises)"
)
_ENDS_IN_FORM: Final = re.compile(rf"\b{_FORM}\b\.?\s*$", re.IGNORECASE)
_BETWEEN: Final = re.compile(
    r"\bby\s+and\s+(?:between|among|amongst)\b(?:\s+and\s+among\b)?|\b(?:between|among|amongst)\b(?:\s+and\s+among\b)?"
    r"|\b(?:made|entered\s+into|executed)\s+by\b|\bparties\s+(?:to\s+this\s+\w+\s+)?are\b\s*:?|"
    r"^\s*PARTIES\b\s*:?|\bBETWEEN\b\s*:?",
    re.IGNORECASE | re.MULTILINE,
)
_STOP: Final = re.compile(
    r"\bW\s?I\s?T\s?N\s?E\s?S\s?S\s?E\s?T\s?H\b|\bWHEREAS\b|\bRECITALS?\b|\bBACKGROUND\b|\bNOW,?\s+THEREFORE\b|"
    r"\bPREAMBLE\b|"
    r"\b(?:are|is)\s+(?:sometimes\s+|hereinafter\s+|each\s+)*(?:individually\s+)?(?:collectively\s+)?referred\s+to\b|"
    r"\b(?:the\s+)?parties\s+(?:hereto\s+)?(?:hereby\s+)?(?:agree|have\s+agreed|wish|desire|intend)\b|"
    r"\bIT\s+IS\s+(?:HEREBY\s+)?AGREED\b|"
    r"\bin\s+consideration\s+of\b|\bpursuant\s+to\s+which\b|\bthis\s+agreement\s+(?:sets|shall|is|governs|will)\b|"
    r"\bto\s+set\s+forth\b|\bas\s+an?\s+amendment\b|\bthat\s+certain\b|\bagree\s+(?:to\s+all|as\s+follows)\b|"
    r"^\s*(?:ARTICLE|SECTION)\s+(?:1|I)\b|^\s*1\.(?!\d)\s*(?:DEFINITIONS|Definitions|Scope|Term|Appointment)",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTE: Final = "[\"“”„«»'\u2018\u2019?]"
# ("Company"), (the "Company"), (hereinafter referred to as "Company"), ("Company" or the "Client"), (the Company)
_ALIAS: Final = re.compile(
    rf"\(\s*(?:[^()\"“”]{{0,90}}?)(?:{_QUOTE}{{1,2}}\s*(?P<quoted>[A-Z0-9][^\"“”()]{{0,60}}?)"
    rf"\s*[,.]?{_QUOTE}{{1,2}}[^()]{{0,160}}"
    rf"|(?:hereinafter|herein|the)\s+(?:\w+\s+){{0,4}}(?P<plain>[A-Z]\w+(?:\s[A-Z]\w+)?))\s*\)?",
)
_AS_ALIAS: Final = re.compile(
    rf",?\s*(?:herein(?:after)?|hereafter)[^()\"“”.;]{{0,60}}{_QUOTE}{{1,2}}\s*(?P<quoted>[A-Z0-9][^\"“”()"
    rf"]{{0,60}}?)\s*[,.]?{_QUOTE}{{1,2}}",
)
_LEAD: Final = re.compile(
    r"(?:[\s,;:.\-\u2013\u2014*_|/&]|\band\b|\bbetween\b|\bamong\b|\bby\b|\b(?:the\s+)"
    r"?parties(?:\s+to\s+this\s+agreement)?\b|\b(?:on|of)\s+the\s+(?:one|other)\s+(?:part|hand)\b|"
    r"\(?\b(?:\d{1,2}|[ivx]{1,4}|[A-Ha-h])[.)](?=\s)|\bfirst\s+party\b:?|\bsecond\s+party\b:?|"
    r"\bparty\s+[A-H1-9]\b\s*:?|\bMessrs?\.|\bM/s\.?)+",
    re.IGNORECASE,
)
# What says who somebody is, and is no part of the name.
_DESCRIPTION: Final = re.compile(
    r"\s*(?:"
    r",?\s+(?:(?-i:organi[sz]ed|incorporated|existing|established|formed)|an?|the|its|his|her|whose|which|who|"
    r"with|having|being|acting|"
    r"registered|located|residing|resident|represented|as|for|on\s+behalf|duly|each|both|through|together|"
    r"including|collectively|and\s+its|and\s+all|"
    r"by\s+and\s+through|doing\s+business|d/b/a|f/k/a|formerly|previously|also\s+known|under|of\s+\d|in\s+its|"
    r"operating|company\s+registration|at\s+\d|"
    r"dated|effective|this|that|have|has|agree|hereby|shall|will|is|are|was|to)\b"
    r"|\s[-\u2013\u2014]\s*hereinafter\b|\(|\[|;|:|\n\s*\n|\"|“|,?\s+(?:No|Tax|Reg)\.|,\s*\d|,\s*(?:P\.?\s?O\.?|"
    r"Suite|One|Two)\b|\s+(?:Address|ADDRESS)\b)",
    re.IGNORECASE,
)
_COMMA: Final = re.compile(r",\s*")
_KEEPS_COMMA: Final = re.compile(rf"\s*(?:{_FORM}|Jr|Sr|II|III|M\.?D|Ph\.?D|Esq|de\s+C\.?V)\b\.?", re.IGNORECASE)
_AND: Final = re.compile(
    r"\s*,?\s+(?:and|AND|And)\s+(?:between\s+)?|\s*;\s*(?:and\s+)?|\n\s*(?:and|AND|-and-)\s*\n", re.MULTILINE
)
_SINGLE: Final = frozenset({
    "agreement", "company", "party", "parties", "the", "contract", "this", "effective", "date", "exhibit",
    "section", "article", "undersigned", "following", "and", "between", "consultant", "client", "customer",
    "supplier", "distributor", "licensor", "licensee", "lessor", "lessee", "landlord", "tenant", "buyer",
    "seller", "purchaser", "contractor", "provider", "employer", "employee", "corporation", "whereas", "you",
    "us", "we", "recitals", "witnesseth", "each", "either", "affiliates", "affiliate", "subsidiaries",
    "subsidiary", "successors", "assigns", "confidential", "execution", "version", "page", "draft", "address",
    "both", "name", "attention", "contact", "telephone", "franchisor", "franchisee", "master", "vendor", "borrower",
    "lender", "manufacturer", "publisher", "issuer", "investor", "guarantor", "offering", "subject", "securities",
    "exchange", "commission"
})  # fmt: skip
_WORDS: Final = re.compile(r"[^\W_]+(?:['\u2019.&-][^\W_]+)*")
_LONGEST: Final = 120
_REGION: Final = 3000


def parties(ground: Ground) -> list[Candidate]:
    """Return the names of those who a contract is between, in their order, each once."""
    regions = [_unique(ground, _names(ground, region)) for region in _regions(ground)]
    regions.append(_unique(ground, _labelled(ground)))
    if (opening := _opening(ground)) is not None:
        regions.append(_unique(ground, _names(ground, opening)))
    # A title page names the parties too, and less exactly than the preamble, where each gets a name for the contract.
    # `max` takes the first of those that are alike: what follows refers to other contracts.
    best = max(regions, key=lambda found: _rank(ground, found), default=list[_Named]())
    signed = _unique(ground, _signed(ground)) if len(best) < 2 else []
    candidates = [
        Candidate(one.start, one.end, ground.said(Span(start=one.start, end=one.end)), 4.0 if one.alias else 2.5)
        for one in best
    ]
    known = {_normal(candidate.value) for candidate in candidates}
    for one in signed:
        value = ground.said(Span(start=one.start, end=one.end))
        if _normal(value) not in known:
            candidates.append(Candidate(one.start, one.end, value, 1.5))
    return sorted(candidates, key=lambda one: one.start)


def _rank(ground: Ground, found: list[_Named]) -> int:
    """Return how sure it is that a region names the parties."""
    aliases = sum(bool(one.alias) for one in found)
    forms = sum(_ENDS_IN_FORM.search(ground.text[one.start : one.end]) is not None for one in found)
    if aliases >= 2:
        return 4 if forms else 3
    if aliases and forms:
        return 3 if len(found) >= 2 else 2
    return 2 if forms >= 2 else 1 if len(found) == 2 else 0


def alias_of(ground: Ground, candidate: Candidate) -> str:
    """Return what the contract calls a party; empty if it does not say."""
    match = _ALIAS.search(ground.text, candidate.end, candidate.end + 400)
    return "" if match is None else match["quoted"] or match["plain"] or ""


def _regions(ground: Ground) -> Iterator[Span]:
    """Yield the stretches that may name the parties, in their order."""
    text, head = ground.text, min(len(ground.text), 10_000)
    count = 0
    for match in _BETWEEN.finditer(text, 0, head):
        if ground.is_skipped(match.start()) or count >= 6:
            continue
        count += 1
        stop = next(
            (one for one in _STOP.finditer(text, match.end(), match.end() + _REGION) if one.start() > match.end() + 20),
            None,
        )
        yield Span(start=match.end(), end=stop.start() if stop is not None else min(len(text), match.end() + _REGION))


_ROLE: Final = (
    r"party\s+(?:[A-H]|[1-9]|one|two)|(?:first|second|third)\s+party|licens[oe][re]e?|less(?:or|ee)|landlord|"
    r"tenant|buyer|seller|vendor|"
    r"supplier|purchaser|borrower|lender|employer|employee|customer|client|contractor|consultant|distributor|"
    r"manufacturer|"
    r"provider|publisher|franchis(?:or|ee)|(?:company|supplier|customer|provider|client|vendor|party)\s+name"
)
_LABELLED: Final = re.compile(
    rf"^[ \t]*(?:\([a-h\d]\)\s*)?(?P<role>{_ROLE})\s*(?:\([^()\n]{{0,40}}\)\s*)?[:\uff1a]\s*(?P<name>[^\n]{{2,120}})",
    re.IGNORECASE | re.MULTILINE,
)


def _labelled(ground: Ground) -> Iterator[_Named]:
    """Yield the names that stand after what they are: `Party A: ...`."""
    for match in _LABELLED.finditer(ground.text, 0, 5000):
        for name in _split(ground.text, match.start("name"), match.end("name")):
            yield _Named(*name, match["role"])


def _opening(ground: Ground) -> Span | None:
    """Return the sentence that gives the first alias, for a contract that begins with its parties."""
    for match in _ALIAS.finditer(ground.text, 0, 3000):
        alias = (match["quoted"] or match["plain"] or "").lower().rstrip(".,")
        if alias in _NO_ALIAS or ground.is_skipped(match.start()):
            continue
        sentence = ground.sentence(match.start())
        if _ENDS_IN_FORM.search(_first(ground.text[sentence.start : match.start()])):
            return Span(start=sentence.start, end=min(len(ground.text), sentence.start + _REGION))
    return None


def _names(ground: Ground, region: Span) -> Iterator[_Named]:
    """Yield the names in a region: before each bracket with an alias, and what "and" parts."""
    text = ground.text
    start, count = region.start, 0
    aliases = sorted(
        (match for pattern in (_ALIAS, _AS_ALIAS) for match in pattern.finditer(text, region.start, region.end)),
        key=lambda match: match.start(),
    )
    for match in aliases:
        if match.start() < start:
            continue
        if count >= 2 and _SENTENCE_ENDS.match(text, start):
            return
        alias = match["quoted"] or match.groupdict().get("plain") or ""
        if alias.lower().rstrip(".,") not in _NO_ALIAS:
            for name in _split(text, start, match.start(), bounded=True):
                count += 1
                yield _Named(*name, alias)
        start = match.end()
        if _PARTIES.search(match[0]):
            return
    end = _end(text, start, region.end, after_alias=bool(aliases))
    for name in _split(text, start, end):
        yield _Named(*name, "")


_NO_ALIAS: Final = frozenset({"party", "parties", "agreement", "effective date", "this agreement", "contract"})
_PARTIES: Final = re.compile(r"\bthe\s+[\"“'\u2018]?parties[\"”'\u2019]?", re.IGNORECASE)
_SENTENCE_ENDS: Final = re.compile(r"[\"”]?\s*\.\s+(?!AND\b|and\b)(?=[A-Z])")
_GOES_ON: Final = re.compile(r"[\s,;.\-\u2013\u2014]*(?:and|AND)\b")
_AND_BELOW: Final = re.compile(r"\n\s*(?:-\s*)?(?:and|AND)(?:\s*-)?\s*:?\s*\n")
_PARAGRAPH: Final = re.compile(r"\n\s*\n(?!\s*(?:and|AND|-)\b)")


def _end(text: str, start: int, end: int, *, after_alias: bool) -> int:
    """Return how far names without aliases may reach: to the end of the preamble's own sentence."""
    if after_alias:
        return min(end, start + 400) if _GOES_ON.match(text, start, end) else start
    position = start + 40
    while (paragraph := _PARAGRAPH.search(text, position, end)) is not None:
        # A name at the end of its line goes on with the next party, or with where it lives.
        ends = not re.search(r"(?:\b(?:and|AND)|[-,:])\s*$", text[start : paragraph.start()])
        if ends and not _AND_BELOW.search(text, paragraph.end(), min(end, paragraph.end() + 250)):
            return paragraph.start()
        position = paragraph.end()
    return end


def _split(text: str, start: int, end: int, *, bounded: bool = False) -> Iterator[tuple[int, int]]:
    """Yield the names between two places: one, or several that "and" parts.

    Args:
        text: The document.
        start: Where the first may begin.
        end: Where the last must have ended.
        bounded: Whether an alias stands at the end, which is for one as a rule.
    """
    parts = [start]
    for match in _AND.finditer(text, start, end):
        before, after = text[parts[-1] : match.start()], text[match.end() : end]
        # "Smith and Sons, Inc." is one name, and "A, Inc. and B, Inc." are two.
        if bounded and not _begins_another(text, parts[-1], match.start(), match.end(), end):
            continue
        if _ENDS_IN_FORM.search(_first(before)) or _described(before) or not _looks_joined(before, after):
            parts.append(match.end())
    for begin, stop in zip(parts, [*parts[1:], end], strict=True):
        name = _name(text, begin, stop)
        while name is not None:
            yield name
            # A list: "A, L.P., B, L.P. and C".
            comma = _NEXT.match(text, name[1], stop)
            name = _name(text, comma.end(), stop) if comma is not None else None
            if name is not None and not _ENDS_IN_FORM.search(text[slice(*name)]):
                name = None


_NEXT: Final = re.compile(r"\s*,\s+(?=[A-Z\d])")


def _begins_another(text: str, start: int, stop: int, following: int, end: int) -> bool:
    """Whether another name begins after an "and" that stands before a single alias."""
    one, other = _name(text, start, stop), _name(text, following, end)
    if other is None:
        return False
    # Where the stretch begins with no name, it goes on describing the one before.
    described = one is None or one[1] < stop - 2
    if _ENDS_IN_FORM.search(text[slice(*other)]):
        return described or one is None or _ENDS_IN_FORM.search(text[slice(*one)]) is not None
    # A person: nothing but two to four words up to the alias. A city of an address is mostly one.
    words = text[slice(*other)].split()
    return other[1] >= end - 3 and 2 <= len(words) <= 4 and described


def _first(text: str) -> str:
    lead = _LEAD.match(text)
    rest = text[lead.end() if lead else 0 :]
    found = _DESCRIPTION.search(rest)
    return rest[: found.start()] if found else rest


def _described(text: str) -> bool:
    lead = _LEAD.match(text)
    return _DESCRIPTION.search(text, lead.end() if lead else 0) is not None


def _looks_joined(before: str, after: str) -> bool:
    """Whether both sides of an "and" are one name: a single word or two before, and a form soon after."""
    words = _WORDS.findall(_first(before))
    ahead = re.match(rf"\s*(?:[A-Z][\w'\u2019.-]*,?\s+){{0,4}}{_FORM}\b", after)
    return 0 < len(words) <= 3 and ahead is not None and len(_WORDS.findall(ahead[0])) <= 3


def _name(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return where the name is with which a stretch begins; None if it begins with none."""
    lead = _LEAD.match(text, start, end)
    start = lead.end() if lead is not None else start
    stop = _DESCRIPTION.search(text, start, end)
    last = stop.start() if stop is not None else end
    for comma in _COMMA.finditer(text, start, last):
        if not _KEEPS_COMMA.match(text, comma.end(), last + 12):
            last = comma.start()
            break
    for match in _OF.finditer(text, start, last):
        if _LEGAL.search(text[start : match.start()]):
            last = match.start()
            break
    while (trail := _TRAIL.search(text[start:last])) is not None:
        last = start + trail.start()
    if (the := re.match(r"[Tt]he\s+", text[start:last])) is not None and _DESCRIPTION.match(text, start + the.end()):
        return None
    while last > start and (text[last - 1].isspace() or text[last - 1] in ",;:-*"):
        last -= 1
    return (start, last) if _is_name(text[start:last]) else None


_OF: Final = re.compile(r"\s+of\s+")
_LEGAL: Final = re.compile(r"\b(?:Inc|Corp|Ltd|Limited|LLC|L\.L\.C|LLP|L\.?P|PLC|plc|GmbH|B\.?V|N\.?V|S\.?A)\b\.?$")
_TRAIL: Final = re.compile(r"\s+(?:and|the|or|of|AND|THE|OR|OF)\s*$")
_REFERENCE: Final = re.compile(
    r"\b(?:agreement|hereof|thereof|hereby)\b|\b(?:section|schedule|article|exhibit|annex|clause)\s+\w", re.IGNORECASE
)


def _is_name(text: str) -> bool:
    words = _WORDS.findall(text)
    if not words or not 2 <= len(text) <= _LONGEST or len(words) > 14:
        return False
    if all(word.lower() in _SINGLE or word.isdigit() for word in words):
        return False
    capital = [
        word
        for word in words
        if any(map(str.isupper, word))
        or word[0].isdigit()
        or re.search(r"\.(com|net|org)$", word)
        or re.fullmatch(_FORM, word)
    ]
    small = [
        word
        for word in words
        if word not in capital
        and word.lower()
        not in (
            "of",
            "and",
            "the",
            "for",
            "de",
            "la",
            "van",
            "von",
            "der",
            "in",
            "y",
            "et",
            "di",
            "da",
            "e",
            "to",
            "on",
            "at",
            "a",
        )
    ]
    return (
        bool(capital)
        and len(small) <= len(capital) // 3
        and not _REFERENCE.search(text)
        and not re.match(r"(?:in|to|for|on|of|the|by|at)\b", text)
    )


_SIGNER: Final = re.compile(r"^[ \t]*(?:By|BY|Per|Signed|Signature)\s*:", re.MULTILINE)


def _signed(ground: Ground) -> Iterator[_Named]:
    """Yield the names above the lines that are signed."""
    text, zone = ground.text, ground.signatures
    for match in _SIGNER.finditer(text, zone.start, zone.end):
        above = text[max(zone.start, match.start() - 200) : match.start()].rstrip()
        line = above.rpartition("\n")[2]
        start = (
            match.start() - (len(text[max(zone.start, match.start() - 200) : match.start()]) - len(above)) - len(line)
        )
        for name in _split(text, start, start + len(line)):
            if _ENDS_IN_FORM.search(text[name[0] : name[1]]):
                yield _Named(*name, "")


def _unique(ground: Ground, names: Iterator[_Named]) -> list[_Named]:
    found: dict[str, _Named] = {}
    for one in names:
        if not ground.is_skipped(one.start):
            found.setdefault(_normal(ground.text[one.start : one.end]), one)
    return list(found.values())


def _normal(name: str) -> str:
    return re.sub(r"\W+", "", name).lower()
