"""What matters in a kind of document: topics, each known by the words that its sentences use.

    Topic(title="Pricing", cues=("price", "fee", "discount"), share=2.0)

An earnings call is read for its results, its outlook and the answers to analysts; a contract for who owes what, until
when, at what risk. A document of no known kind is read by its sections.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from segue.activities.documents.parsed import ParsedDocument

__all__ = ["CALL", "CONTRACT", "Kind", "Topic", "kind_of", "topics_of"]

Kind = Literal["call", "contract", "document"]
"""What a document is read as."""

# More of a text than this is not looked at to tell what it is.
_LOOKED_AT: Final = 20_000


class Topic(BaseModel):
    """What a summary should tell.

    Attributes:
        title: Heading of its part of the summary.
        cues: Words, or the beginnings of words, by which its sentences are known. A cue may be several words.
        share: How much of the summary it may take, against the other topics.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1)
    cues: tuple[str, ...] = Field(min_length=1)
    share: float = Field(default=1.0, gt=0, allow_inf_nan=False)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What finds its cues."""
        words = "|".join(re.escape(cue).replace(r"\ ", r"\s+") for cue in self.cues)
        return re.compile(rf"\b(?:{words})", re.IGNORECASE)


CALL: Final = (
    Topic(
        title="Results",
        cues=(
            "revenue", "net sales", "sales were", "net income", "net loss", "earnings per share", "EPS",
            "per diluted share", "operating income", "operating margin", "gross margin", "gross profit", "EBITDA",
            "free cash flow", "cash flow", "cash from operations", "compared to", "year over year", "increased",
            "decreased", "grew", "declined", "comparable store", "bookings", "backlog", "net debt", "tax rate",
            "expenses were", "SG&A",
        ),
        share=3.0,
    ),
    Topic(
        title="Outlook",
        cues=(
            "guidance", "outlook", "we expect", "we now expect", "expect to", "is expected", "are expected",
            "anticipate", "we project", "forecast", "we estimate", "full year", "fiscal year", "next quarter",
            "second half", "going forward", "we plan to", "we intend to", "in the range of", "capital expenditures",
        ),
        share=2.5,
    ),
    Topic(
        title="Business",
        cues=(
            "customers", "launch", "strategy", "acquisition", "acquired", "market share", "product", "demand",
            "supply chain", "capacity", "dividend", "repurchase", "initiative", "integration", "contract",
            "approval", "stores", "pricing", "cost reduction", "restructuring", "investment",
        ),
        share=2.0,
    ),
)  # fmt: skip
"""What an earnings call is read for. What is answered to analysts has a part of its own."""

CONTRACT: Final = (
    Topic(
        title="Parties",
        cues=(
            "between", "by and between", "among", "entered into", "is made",
        ),
        share=1.0,
    ),
    Topic(
        title="Subject",
        cues=(
            "appoint", "engage", "grants", "hereby grant", "licens", "shall provide", "will provide",
            "agrees to provide", "services", "purchase", "supply", "distribut", "exclusiv", "territory",
            "deliver", "manufactur", "perform",
        ),
        share=2.0,
    ),
    Topic(
        title="Money",
        cues=(
            "shall pay", "will pay", "fee", "royalt", "price", "compensation", "invoice", "payment", "minimum",
            "commission", "revenue",
        ),
        share=2.0,
    ),
    Topic(
        title="Term and end",
        cues=(
            "initial term", "term of this agreement", "shall commence", "shall continue", "effective date", "renew",
            "expir", "terminat", "for convenience", "in force", "runs for", "prior written notice",
        ),
        share=2.0,
    ),
    Topic(
        title="Risk",
        cues=(
            "liabilit", "liable", "indemnif", "warrant", "insurance", "consequential damages", "in no event",
            "liquidated damages", "shall not exceed",
        ),
        share=1.5,
    ),
    Topic(
        title="Rights and restrictions",
        cues=(
            "intellectual property", "ownership", "shall own", "title to", "confidential", "compete", "non-compet",
            "solicit", "assign", "transfer", "change of control", "audit", "inspect", "most favored",
            "first refusal", "sublicens", "perpetual", "irrevocabl",
        ),
        share=2.0,
    ),
    Topic(
        title="Law",
        cues=(
            "governed by", "governing law", "laws of", "jurisdiction", "arbitrat", "venue",
        ),
        share=1.0,
    ),
)  # fmt: skip
"""What a contract is read for."""

_DUTIES: Final = re.compile(r"\b(?:shall|hereby|herein|hereto|thereof|party|parties)\b", re.IGNORECASE)
_AGREEMENT: Final = re.compile(r"\b(?:agreement|contract|lease|licen[cs]e|amendment)\b", re.IGNORECASE)


def kind_of(document: ParsedDocument) -> Kind:
    """Return what a document should be read as."""
    spoken = sum(len(clause) for clause in document.clauses if clause.speaker)
    if spoken > 0.6 * len(document.text) and len({clause.speaker for clause in document.clauses}) > 2:
        return "call"
    beginning = document.text[:_LOOKED_AT]
    words = max(len(beginning.split()), 1)
    if len(_DUTIES.findall(beginning)) / words > 0.015 and _AGREEMENT.search(beginning[:3_000]):
        return "contract"
    return "document"


def topics_of(kind: Kind) -> Sequence[Topic]:
    """Return what a kind of document is read for; nothing for one that is read by its sections."""
    return {"call": CALL, "contract": CONTRACT, "document": ()}[kind]
