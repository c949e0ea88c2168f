"""What a comparison finds: each difference with the place where it stands in both versions.

A place in a version that does not have the text, as the later one has not what was deleted, is an empty span: there it
would stand.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from segue.activities.comparison.values import Rule
from segue.activities.documents.spans import Citation, Digest

__all__ = ["Change", "Comparison", "Finding", "Flag", "Kind", "Version"]

Kind = Literal["edited", "inserted", "deleted", "split", "merged", "redivided", "moved", "renumbered", "unchanged"]
"""What became of a clause, the most telling first. `redivided`: the text of several falls into clauses elsewhere."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Change(_Model):
    """Words that became others.

    Attributes:
        before: The words in the earlier version; empty where words were inserted.
        after: The words in the later version; empty where words were deleted.
    """

    before: Citation
    after: Citation


class Flag(_Model):
    """Why a difference matters.

    Attributes:
        rule: The rule that says so.
        before: What it is about, in the earlier version.
        after: What it is about, in the later version.
        reason: What changed, in words.
    """

    rule: Rule
    before: Citation
    after: Citation
    reason: str


class Finding(_Model):
    """One difference: a clause that was edited, inserted, deleted, split, merged, moved or renumbered.

    Attributes:
        id: Its name in the reports, such as `F7`, in the later version's order.
        kind: What became of the clause.
        before: The clause, or clauses, in the earlier version.
        after: The clause, or clauses, in the later version.
        number_before: Its number in the earlier version, as printed.
        number_after: Its number in the later version.
        section: The sections around it, outermost first.
        moved: Whether it stands elsewhere among its neighbours.
        similarity: How alike the two are, from 0 to 1.
        changes: The words that changed.
        flags: Why it matters; empty if no rule says that it does.
        weight: How much it matters, by the rules, from 0 to 10.
        judged: Whether the rules can read it. They are English: what no rule flags in another language is not judged.
    """

    id: str
    kind: Kind
    before: tuple[Citation, ...] = Field(min_length=1)
    after: tuple[Citation, ...] = Field(min_length=1)
    number_before: str = ""
    number_after: str = ""
    section: tuple[str, ...] = ()
    moved: bool = False
    similarity: float = 0.0
    changes: tuple[Change, ...] = ()
    flags: tuple[Flag, ...] = ()
    weight: int = 0
    judged: bool = True

    @property
    def material(self) -> bool:
        """Whether a rule says that it matters."""
        return bool(self.flags)


class Version(_Model):
    """One of the two versions.

    Attributes:
        name: The document's name, or what of its path tells it from the other version.
        document: Digest of its source.
        clauses: How many clauses were compared.
    """

    name: str
    document: Digest
    clauses: int


class Comparison(_Model):
    """What differs between two versions of a document.

    Attributes:
        before: The earlier version.
        after: The later version.
        findings: What differs, in the later version's order.
        unchanged: How many clauses of the earlier version stand in the later one as they were.
        engine: What found it.
    """

    before: Version
    after: Version
    findings: tuple[Finding, ...]
    unchanged: int
    engine: Literal["rules"] = "rules"

    @property
    def material(self) -> tuple[Finding, ...]:
        """The findings that matter, what matters most first."""
        flagged = [finding for finding in self.findings if finding.flags]
        return tuple(sorted(flagged, key=lambda finding: (-finding.weight, int(finding.id[1:]))))

    @property
    def unjudged(self) -> tuple[Finding, ...]:
        """The findings of which no rule can say whether they matter, in order."""
        return tuple(finding for finding in self.findings if not finding.judged)

    @property
    def immaterial(self) -> tuple[Finding, ...]:
        """The findings that matter to no rule, in order."""
        return tuple(finding for finding in self.findings if finding.judged and not finding.flags)

    def counts(self) -> dict[Kind, int]:
        """Return how many findings there are of each kind."""
        counts: dict[Kind, int] = {}
        for finding in self.findings:
            counts[finding.kind] = counts.get(finding.kind, 0) + 1
        return counts
