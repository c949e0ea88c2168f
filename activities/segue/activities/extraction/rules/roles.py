"""What speaks for a value being the one that a field is for: the words around it.

Each role is known by the words of a field's name and description, and lists what stands before a value, after it, in
its sentence, and in the titles above it. A field of no known role is judged by its own words, wherever they stand near.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Final

from segue.activities.extraction.form import FieldKind, FormField
from segue.activities.extraction.rules.ground import Candidate, Ground

__all__ = ["ROLES", "Cue", "Role", "role_of"]


@dataclasses.dataclass(frozen=True)
class Cue:
    """Words that speak for a value, or with a negative weight against it.

    Attributes:
        where: "before" and "after" it, in its "sentence", or in the "titles" above it.
        pattern: The words.
        weight: How much they say.
    """

    where: str
    pattern: re.Pattern[str]
    weight: float


def _cue(where: str, pattern: str, weight: float) -> Cue:
    return Cue(where, re.compile(pattern, re.IGNORECASE), weight)


@dataclasses.dataclass(frozen=True)
class Role:
    """What a field is for, where that is often asked.

    Attributes:
        name: What it is called.
        kinds: The kinds of value it is of.
        asked: Words by which a field says that it is for this.
        cues: What speaks for a value.
        least: How much must speak for a value at least.
        preamble: How much it says that a value is in a contract's beginning.
        signatures: How much it says that a value is where a contract is signed.
        refines: The role of which this is a special case, which a field's description may tell.
        needs: What a value's sentence, or the titles above it, must say.
    """

    name: str
    kinds: frozenset[FieldKind]
    asked: re.Pattern[str]
    cues: Sequence[Cue]
    least: float = 1.0
    preamble: float = 0.0
    signatures: float = 0.0
    refines: str = ""
    needs: re.Pattern[str] | None = None

    def score(self, ground: Ground, candidate: Candidate) -> float:
        """Return how much speaks for a value."""
        start, end = candidate.start, candidate.end
        around = {
            "before": ground.before(start),
            "after": ground.after(end),
            "sentence": ground.said(ground.sentence(start)),
            "titles": ground.titles(start),
        }
        if self.needs is not None and not self.needs.search(f"{around['titles']}. {around['sentence']}"):
            return candidate.score - 5.0
        score = candidate.score + sum(cue.weight for cue in self.cues if cue.pattern.search(around[cue.where]))
        if self.preamble and start < ground.preamble.end:
            score += self.preamble
        if self.signatures and ground.signatures.start <= start:
            score += self.signatures
        return score


_DATE: Final[frozenset[FieldKind]] = frozenset({"date"})
_DURATION: Final[frozenset[FieldKind]] = frozenset({"duration"})
_AMOUNT: Final[frozenset[FieldKind]] = frozenset({"money"})


def _asked(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)


# A date of another contract, which this one speaks of.
_OF_ANOTHER: Final = (
    _cue("before", r"(?:that certain|pursuant to|under the|prior to|amend\w*|supersede\w*)[^.;]{0,120}$", -3.0),
    _cue(
        "before",
        r"(?:\b(?:an?|certain|such|prior|original|existing|separate|parties to)\s+(?!effective)(?:[\w-]+\s+){0,6}?"
        r"(?:agreement|contract|lease|plan|letter)|\bthe\s+(?-i:(?:[A-Z][\w-]+\s+){1,5}(?:Agreement|Contract|Lease|Plan)))\b"
        r"(?![^.;]{0,80}\bthis\b)[^.;]{0,60}$",
        -3.0,
    ),
    _cue("sentence", r"^\W*whereas\b|(?:are|were) parties to|previously entered", -1.5),
)

ROLES: Final = (
    Role(
        "expiration",
        _DATE,
        _asked(
            r"expir(?:y|es?|ed|ation)|end(?:s|ing)? date|end of (?:the )?(?:\w+ )?term|terminat(?:ion|es) date|"
            r"valid until|until when"
        ),
        (
            _cue(
                "before",
                r"(?:expir\w*|terminat\w*|end(?:s|ing)?|conclud\w*)\s+(?:\w+\s+){0,4}?(?:on|at|as of|upon|by)"
                r"?\s*(?:midnight\s+)?(?:\w+\s+){0,3}$",
                3.0,
            ),
            _cue(
                "before",
                r"(?:until|through|thru|to|till|up to(?: and including)?|and ending(?: on)?|no later than)"
                r"\s+(?:and including\s+)?(?:midnight\s+(?:on|of)\s+)?(?:the\s+)?$",
                2.0,
            ),
            _cue(
                "before",
                r"(?:remain|continue|stay|be)\w*\s+(?:in\s+(?:full\s+)?(?:force|effect)(?:\s+and\s+effect)?\s+|effective\s+|"
                r"valid\s+)(?:until|through|up\s+to)\s+(?:the\s+)?$",
                1.0,
            ),
            _cue("before", r"until\s+the\s+(?:earlie\w*|later|first)[^.;]{0,60}$", 2.0),
            _cue("sentence", r"\b(?:term|period)\W{1,3}(?:shall\s+|will\s+)?mean", 1.0),
            _cue("before", r"expiration date\W{0,4}(?:\s*(?:means|shall mean|is|shall be|of))?\s*$", 3.0),
            _cue("after", r"^\W{0,3}\(?\s*(?:the\s+)?[\"“']?(?:expiration|expiry|termination|end) date", 3.0),
            _cue("sentence", r"\bterm\b|in (?:full force and )?effect|effective until|initial term", 1.5),
            _cue(
                "sentence",
                r"terms? of (?:this|the) (?:agreement|contract|lease)|this agreement (?:shall|will)|initial term",
                1.0,
            ),
            _cue("titles", r"\bterm\b|duration|expir", 1.0),
            _cue(
                "before",
                r"(?:effective|dated|commenc\w+|beginning|begin\w*|start\w*|made|entered into)\s+(?:\w+\s+)"
                r"{0,3}?(?:on|as of|from)?\s*(?:the\s+)?$",
                -4.0,
            ),
            _cue("sentence", r"\bpay(?:ment|able)?\b|invoice|notice|delivery|report", -1.0),
        ),
        least=4.0,
    ),
    Role(
        "effective",
        _DATE,
        _asked(
            r"effective|commenc(?:es?|ement|ing)|start(?:s|ing)? date|begin(?:s|ning)?|in(?:to)? force|go(?:es)? "
            r"into effect|takes effect"
        ),
        (
            _cue(
                "before", r"effective\s+(?:date\s*)?(?:as\s+of|on|from|as\s+from|this|is|:|date:)?\s*(?:the\s+)?$", 3.5
            ),
            _cue(
                "before",
                r"effective date[\"”']?\)?\s*(?:means|shall mean|is|shall be|of this agreement (?:is|shall be))"
                r"?[\s:,]*(?:the\s+)?$",
                4.0,
            ),
            _cue(
                "before",
                r"(?:commenc\w+|begin\w*|start\w*|in effect|take effect)\s+(?:on|as of|from|with)?\s*(?:the\s+)?$",
                3.0,
            ),
            _cue(
                "after",
                r"^[\s,)]{0,3}\(?\s*(?:the\s+|hereinafter\s+)?[\"“'\u2018]?\s*(?:effective|commencement|start) date",
                4.0,
            ),
            _cue("before", r"(?:as of|dated|made|entered into|this|on)\s*(?:the\s+)?$", 0.5),
            _cue(
                "sentence",
                r"this (?:\w+ ){0,4}(?:agreement|contract|lease|amendment|addendum)|hereinafter|by and "
                r"(?:between|among)",
                0.5,
            ),
            _cue("sentence", r"commence|begin|start|term\b", 0.5),
            _cue("sentence", r"\bpay\w*|invoice|instal|renew|extension|phase|milestone", -1.5),
            *_OF_ANOTHER,
            _cue(
                "before",
                r"(?:expir\w*|until|through|terminat\w*|ending|prior to|after|before)\s+(?:on\s+)?(?:the\s+)?$",
                -4.0,
            ),
        ),
        least=3.0,
        preamble=1.0,
    ),
    Role(
        "agreement date",
        _DATE,
        _asked(
            r"(?:agreement|contract|execution|signing|signature|document|lease|order|letter|issue|invoice|policy)"
            r" date|date of (?:the |this |its )?"
            r"(?:\w+ )?(?:agreement|contract|execution|signing|signature|document|lease|order|letter|issue|"
            r"invoice|policy)|dated|"
            r"(?:was|were|is) (?:signed|executed|made|concluded|issued)|signed on"
        ),
        (
            _cue(
                "before",
                r"(?:dated|made|entered into|executed|signed|concluded)\b(?:\s+(?:and\s+)?(?:\w+\s+){0,4}?)"
                r"(?:effective\s+)?(?:as\s+of|on|this|as\s+from)?\s*(?:the\s+)?$",
                3.0,
            ),
            _cue("before", r"\b(?:as of|dated|date\s*:?|this)\s*(?:the\s+)?$", 1.5),
            _cue("before", r"date of (?:this )?(?:agreement|contract)[\s:]*$", 4.0),
            _cue(
                "after",
                r"^[\s,)]{0,3}\(?\s*(?:the\s+|hereinafter\s+)?[\"“'\u2018]?\s*(?:agreement|execution|signing|"
                r"effective|contract) date",
                1.5,
            ),
            _cue("after", r"^[\s,]*(?:\([^)]{0,60}\)\s*,?\s*)?(?:is\s+)?(?:by and )?(?:between|among|by)\b", 2.0),
            _cue("sentence", r"this (?:\w+ ){0,6}(?:agreement|contract|lease|amendment|addendum|guaranty)", 1.0),
            *_OF_ANOTHER,
            _cue(
                "before",
                r"(?:expir\w*|until|through|terminat\w*|ending|after|before|commenc\w+|begin\w*)\s+(?:on\s+)"
                r"?(?:the\s+)?$",
                -3.5,
            ),
            _cue("sentence", r"securities and exchange commission|as amended|filed with", -1.0),
        ),
        least=2.5,
        preamble=2.5,
        signatures=0.5,
    ),
    Role(
        "notice of renewal",
        _DURATION,
        _asked(r"notice[\w ]{0,40}(?:renew\w*|non-?renewal)|(?:renew\w*|non-?renewal)[\w ]{0,30}notice"),
        (
            _cue("sentence", r"renew\w*|extend\w*", 2.0),
            _cue("after", r"^[^.;]{0,60}(?:prior to|before|in advance|preceding)", 2.0),
            _cue("after", r"^[^.;]{0,80}(?:expir|end of|renewal|anniversary|terminat)", 1.5),
            _cue(
                "before",
                r"(?:at least|not less than|no (?:less|later|fewer) than|minimum of|within|upon)\s+(?:\w+\s+){0,3}$",
                1.5,
            ),
            _cue("sentence", r"notice|notif\w*|written", 1.5),
            _cue("sentence", r"breach|default|cure|insolven|bankrupt|insurance|coverage", -2.5),
            _cue("before", r"(?:for|extend\w*)\s+(?:an?\s+)?period\s+of\s+(?:up\s+to\s+)?$", -4.0),
            _cue(
                "before",
                r"(?:additional|successive|further|renewal|consecutive)\s+(?:\w+\s+){0,3}(?:terms?|periods?)"
                r"?\s*(?:of|for)?\s*$",
                -4.0,
            ),
            _cue("after", r"^[\s-]*(?:renewal|terms?\b|periods?\b(?! (?:prior|before)))", -3.0),
        ),
        least=4.5,
        refines="notice",
        needs=re.compile(r"renew|exten[ds]|\bterms?\b[^.]{0,200}continue", re.IGNORECASE),
    ),
    Role(
        "renewal",
        _DURATION,
        _asked(r"renew(?:s|al|als|ed)?|extension|extended|successive"),
        (
            _cue("before", r"renew\w*[^.]{0,140}$", 2.5),
            _cue(
                "before",
                r"(?:additional|successive|further|subsequent|consecutive|renewal)\s+(?:and\s+)?(?:\w+\s+)"
                r"{0,3}(?:terms?|periods?)?\s*(?:of|for)?\s*(?:up to\s+)?(?:an?\s+)?$",
                2.0,
            ),
            _cue("before", r"(?:extend\w*|extension)[^.]{0,80}$", 1.5),
            _cue("after", r"^[\s-]*(?:renewal|extension|successive|additional|terms?|periods?)", 2.0),
            _cue("sentence", r"automatic\w*|successive|renewal term|option to renew", 1.0),
            _cue("titles", r"renew|term\b", 0.5),
            _cue("after", r"^[^.]{0,40}(?:prior to|before|advance|notice|in advance)", -4.0),
            _cue(
                "before",
                r"(?:at least|not less than|no (?:less|later) than|within|prior|notice of|upon|by giving)"
                r"\s+(?:\w+\s+){0,2}$",
                -4.0,
            ),
        ),
        least=3.0,
    ),
    Role(
        "cure",
        _DURATION,
        _asked(r"cure|remedy|remed(?:y|ied|iation)|breach"),
        (
            _cue("sentence", r"\bcure\w*|remed(?:y|ied)|rectif", 3.0),
            _cue("sentence", r"breach|default", 1.5),
            _cue("before", r"within\s+(?:\w+\s+){0,3}$", 1.0),
        ),
        least=3.0,
    ),
    Role(
        "payment",
        _DURATION,
        _asked(r"payment (?:term|period|deadline)s?|due (?:within|date)|days to pay|net days"),
        (
            _cue("sentence", r"\bpay(?:able|ment|ments)?\b|invoice|remit", 2.5),
            _cue("before", r"(?:within|net|in)\s+(?:\w+\s+){0,2}$", 1.5),
            _cue("after", r"^[^.;]{0,50}(?:invoice|receipt|end of (?:each|the) (?:month|quarter)|date of)", 2.0),
            _cue("titles", r"pay|invoic|fees|compensation", 1.0),
            _cue("sentence", r"terminat|renew", -1.5),
        ),
        least=3.0,
    ),
    Role(
        "warranty",
        _DURATION,
        _asked(r"warrant(?:y|ies|ed)|guarantee"),
        (
            _cue("sentence", r"warrant", 3.0),
            _cue("before", r"(?:period of|for)\s+(?:\w+\s+){0,2}$", 1.0),
            _cue("after", r"^[^.;]{0,50}(?:delivery|acceptance|shipment|installation|purchase)", 1.0),
            _cue("titles", r"warrant", 1.0),
        ),
        least=3.0,
    ),
    Role(
        "notice",
        _DURATION,
        _asked(r"notice(?: period)?|terminat\w+ (?:for convenience|without cause)"),
        (
            _cue("after", r"^['\u2019]?\s*(?:prior\s+|advance\s+|written\s+|days['\u2019]?\s+)*notice", 4.0),
            _cue("sentence", r"terminat\w*", 1.5),
            _cue("sentence", r"convenience|without cause|for any reason|at any time|either party may terminate", 1.5),
            _cue("before", r"(?:at least|not less than|no less than|upon|with|giving)\s+(?:\w+\s+){0,4}$", 1.0),
            _cue("titles", r"terminat", 0.5),
            _cue("sentence", r"breach|default|cure|insolven|renew", -1.5),
        ),
        least=3.5,
    ),
    Role(
        "survival",
        _DURATION,
        _asked(r"surviv\w*|confidentialit\w+ (?:period|term|obligation)|after termination|how long .*confidential"),
        (
            _cue("sentence", r"confidential|surviv|non-?disclosure", 2.0),
            _cue("after", r"^[^.;]{0,60}(?:after|following|from|thereafter)", 1.5),
            _cue("before", r"(?:period of|for)\s+(?:\w+\s+){0,2}$", 1.0),
            _cue("titles", r"confidential|surviv", 1.0),
        ),
        least=3.0,
    ),
    Role(
        "term",
        _DURATION,
        _asked(
            r"(?:initial |original |contract |agreement |lease )?(?:term|duration)|how long|period of (?:the |"
            r"this )?(?:agreement|contract|lease)|runs? for"
        ),
        (
            _cue("sentence", r"\bterms?\b[^.;]{0,60}\b(?:agreement|contract|lease|shall|will|is|commence)", 2.0),
            _cue("sentence", r"initial\s+term|[\"“](?:initial\s+)?term[\"”]", 1.5),
            _cue(
                "before",
                r"(?:(?:continue|remain|run|last|extend)s?|be|valid)\s+(?:in\s+(?:full\s+force\s+and\s+)?(?:effect|"
                r"force)\s+)?(?:\w+\s+){0,3}?(?:for|until|to|through)\s+(?:an?\s+|the\s+)?(?:initial\s+|"
                r"minimum\s+)?(?:period|term)?\s*(?:of\s+)?(?:the\s+)?$",
                3.0,
            ),
            _cue(
                "before",
                r"(?:\bterms?|duration|period\s+of\s+(?:this|the)\s+\w+)[\"”'\u2019)]{0,3}\s+(?:of\s+(?:this|the)"
                r"\s+(?:\w+\s+){0,3})?(?:shall\s+(?:be|commence|begin)|will\s+be|is|of)\s+(?:[^.;]{0,100}?(?:for|"
                r"of|until|and|on)\s+)?(?:an?\s+|the\s+)?(?:(?:initial\s+)?(?:period|term)\s+of\s+)?$",
                3.0,
            ),
            _cue(
                "after",
                r"^[\s,]*(?:period\s+)?(?:from|after|following|commencing|beginning|starting|of)"
                r"\s+(?:and\s+\w+\s+)?(?:the\s+)?(?:effective|commencement|date|execution|signing|first|closing|"
                r"launch|\w+ date)",
                2.0,
            ),
            _cue(
                "after",
                r"^[\s,]*(?:thereafter|\(the\s+[\"“]?(?:initial\s+)?term|(?:unless|and\s+shall)"
                r"\b[^.;]{0,40}(?:terminat|renew))",
                1.5,
            ),
            _cue("after", r"^[\s-]*(?:initial\s+)?term\b", 1.5),
            _cue("titles", r"\bterms?\b(?!s and conditions)|duration", 1.5),
            _cue("before", r"(?:renew\w*|extend\w*|additional|successive|further|extension|renewal)[^.;]{0,60}$", -4.0),
            _cue(
                "before",
                r"(?:at least|not less than|no (?:less|later) than|within|upon|prior|every|each|preceding|per|"
                r"last|previous|notice of)\s+(?:\w+\s+){0,3}$",
                -3.0,
            ),
            _cue(
                "after", r"^['\u2019]?[\s-]*(?:\w+\s+){0,2}(?:notice|prior|advance|before|in\s+advance|written)\b", -4.0
            ),
            _cue(
                "sentence",
                r"\bcure\b|breach|invoice|payment|warrant|confidential|surviv|non-?compet|insur|audit|records|"
                r"deliver|force majeure|arbitrat",
                -1.5,
            ),
            _cue(
                "after",
                r"^[^.;]{0,30}(?:after|following)\s+(?:the\s+|its\s+|any\s+|such\s+)?(?:expir|terminat|end)",
                -4.0,
            ),
            _cue(
                "before", r"(?:during|after|throughout|beyond)\s+(?:the\s+|such\s+)?(?:\w+\s+)?term\b[^.;]{0,60}$", -4.0
            ),
            _cue("before", r"\band\s+(?:for\s+)?(?:an?\s+|the\s+)?(?:further\s+)?(?:period\s+of\s+)?$", -3.0),
            _cue(
                "sentence",
                r"solicit|competi|transfer its|sell or|phase[\s-]?out|exclusiv|anniversary of the .{0,40}upon "
                r"(?:written )?notice|right to terminate",
                -2.0,
            ),
            _cue("sentence", r"duration|in (?:full )?force|in effect|remain effective|shall (?:commence|begin)", 0.5),
        ),
        least=3.5,
    ),
    Role(
        "liability cap",
        _AMOUNT,
        _asked(
            r"(?:cap|limit\w*|maximum)[\w ]{0,20}liabilit\w+|liabilit\w+[\w ]{0,20}(?:cap|limit\w*)|aggregate liability"
        ),
        (
            _cue("sentence", r"liabilit\w+", 2.5),
            _cue("sentence", r"exceed|limited to|aggregate|in no event", 1.5),
            _cue("titles", r"liab", 1.0),
        ),
        least=3.0,
    ),
)
"""Roles that fields often have, the more special before the more general."""


def role_of(field: FormField) -> Role | None:
    """Return the role of a field; None if it has none that is known. The name tells more than the description."""
    name = re.sub(r"[_\W]+", " ", field.name).lower()
    whole = f"{name} {field.description}".lower()
    by_name = next((role for role in ROLES if field.kind in role.kinds and role.asked.search(name)), None)
    for role in ROLES:
        if field.kind in role.kinds and role.asked.search(whole) and (by_name is None or role.refines == by_name.name):
            return role
    return by_name
