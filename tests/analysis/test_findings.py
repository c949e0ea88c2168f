"""What a comparison finds in two versions of a contract, and why it says that it matters."""

from __future__ import annotations

import pytest
from tests.analysis.versions import after, before

from segue.activities.comparison import Change, Comparison, Finding, Flag, Version, compare
from segue.activities.documents import Citation, ParsedDocument, parse


def versions(*texts: str) -> tuple[ParsedDocument, ParsedDocument]:
    """Two versions of a document, each given by its paragraphs."""
    one, other = (parse(text.encode(), "contract.txt") for text in texts)
    return one, other


def compared(one: str, other: str) -> tuple[Comparison, ParsedDocument, ParsedDocument]:
    documents = versions(one, other)
    return compare(*documents), *documents


def reasons(one: str, other: str) -> list[str]:
    """Why the differences between two texts matter."""
    found, _, _ = compared(one, other)
    return [flag.reason for finding in found.findings for flag in finding.flags]


def parts(finding: Finding) -> list[Finding | Change | Flag]:
    return [finding, *finding.changes, *finding.flags]


def cited(one: Finding | Change | Flag, side: str) -> tuple[Citation, ...]:
    places: Citation | tuple[Citation, ...] = getattr(one, side)
    return places if isinstance(places, tuple) else (places,)


def told(finding: Finding) -> tuple[str, str, str, list[str]]:
    return finding.kind, finding.number_before, finding.number_after, [flag.reason for flag in finding.flags]


def test_what_is_found_in_two_versions_of_a_contract() -> None:
    """Each difference is found once, in the later version's order, with why it matters."""
    found = compare(before(), after())

    assert [told(finding) for finding in found.findings] == [
        ("edited", "", "", ["the date changes from 1 March 2024 to 1 March 2025"]),
        (
            "edited",
            "1.1",
            "1.1",
            [
                "an obligation (shall) becomes a permission (may)",
                "the period changes from 10 days to 10 business days",
            ],
        ),
        ("edited", "1.2", "1.2", ["the definition of Flour changes"]),
        ("split", "1.3", "1.3", ["the negation “not” is added: what is said may now be its opposite"]),
        ("inserted", "", "2.1", ["a clause is inserted"]),
        ("edited", "2.1", "2.2", ["the amount changes from £480 to £520 (+8 %)"]),
        ("edited", "2.2", "2.3", ["the percentage changes from 4% to 4.5% (+0.5 points)"]),
        ("renumbered", "2.3", "2.4", ["the reference still says 2.1, but that clause is now 2.2"]),
        ("deleted", "3.1", "", ["the deleted clause holds a negation (Neither)"]),
        ("edited", "3.2", "3.1", ["the amount changes from £100,000 to £1,000,000 (+900 %)"]),
        # The reference in it follows its clause.
        ("edited", "3.3", "3.2", []),
        ("moved", "4.3", "4.1", []),
        ("merged", "4.1", "4.2", ["the party changes from Buyer to Supplier"]),
    ]
    assert found.unchanged == 5
    assert found.before == Version(name="2024.md", document=before().digest, clauses=18)
    assert found.engine == "rules"


def test_every_finding_has_its_place_in_both_versions() -> None:
    """Clauses, changes and flags cite both documents; what a version does not have is an empty place in it."""
    documents = before(), after()
    found = compare(*documents)
    places = [
        (finding.id, side, citation, document)
        for finding in found.findings
        for one in parts(finding)
        for side, document in zip(("before", "after"), documents, strict=True)
        for citation in cited(one, side)
    ]

    assert len(places) == 74
    assert {citation.document for _, side, citation, _ in places if side == "before"} == {documents[0].digest}
    assert {citation.document for _, side, citation, _ in places if side == "after"} == {documents[1].digest}
    assert [place for place in places if place[2].end > len(place[3].text)] == []
    inserted = next(finding for finding in found.findings if finding.kind == "inserted")
    # It would stand behind the heading before it.
    assert documents[0].text[: inserted.before[0].start].endswith("2. Price")
    assert len(inserted.before[0]) == 0
    assert documents[1].quote(inserted.after[0]).startswith("2.1 The Buyer is told")


def test_changes_are_the_words_that_changed() -> None:
    """Each change says which words became which, in both texts."""
    found, one, other = compared(
        "The Seller shall deliver the goods within ten days, and the Buyer pays on delivery.",
        "The Seller delivers the goods within ten days, and the Buyer pays on or before delivery.",
    )

    [finding] = found.findings
    assert [(one.quote(change.before), other.quote(change.after)) for change in finding.changes] == [
        ("shall deliver", "delivers"),
        ("", "or before"),
    ]


def test_a_rewritten_sentence_is_one_change() -> None:
    """Words that two sentences share by chance do not take a change apart."""
    found, one, other = compared(
        "The Buyer pays first. Title to the goods passes on the date of payment of the invoice. Losses are shared.",
        "The Buyer pays first. A carrier of the Buyer's choice fetches the goods from our dock. Losses are shared.",
    )

    [finding] = found.findings
    assert [(one.quote(change.before), other.quote(change.after)) for change in finding.changes] == [
        (
            "Title to the goods passes on the date of payment of the invoice",
            "A carrier of the Buyer's choice fetches the goods from our dock",
        )
    ]


def test_an_inserted_sentence_begins_where_it_begins() -> None:
    """An insertion that may stand in several places stands where it reads as a sentence."""
    found, _, other = compared(
        "The fee is fixed. The fee is due in May. Payment is by transfer.",
        "The fee is fixed. The fee is due in June. The fee is due in May. Payment is by transfer.",
    )

    [finding] = found.findings
    assert [other.quote(change.after) for change in finding.changes] == ["The fee is due in June."]


def test_layout_is_no_difference() -> None:
    """Line ends, spaces, kinds of quotes and dashes, and how a number is written say the same."""
    found, _, _ = compared(
        'The "Term" is five years - no\nmore. It begins at once.',
        "The \u201cTerm\u201d is five   years \u2013 no more. It begins at once.",
    )

    assert (found.findings, found.unchanged) == ((), 1)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("The fee is $500 a month.", "The fee is $750 a month.", ["the amount changes from $500 to $750 (+50 %)"]),
        ("The fee is $1,000 a month.", "The fee is $1,000.00 a month.", []),
        ("The fee is $2.5 million.", "The fee is $2,500,000.", []),
        ("A fee of EUR 500 is due.", "A fee of $500 is due.", ["the amount changes from EUR 500 to $500"]),
        ("Interest is five percent (5%).", "Interest is 5 %.", []),
        ("Interest is 5%.", "Interest is 50 basis points.", ["the percentage changes from 5% to 50 basis points"]),
        ("Within thirty (30) days.", "Within 30 days.", []),
        (
            "Within thirty (30) days.",
            "Within sixty (60) days.",
            ["the period changes from thirty (30) days to sixty (60) days (+100 %)"],
        ),
        ("Within 30 days.", "Within 30 weeks.", ["the period changes from 30 days to 30 weeks"]),
        ("It ends on 1 June 2025.", "It ends on June 1, 2025.", []),
        ("It ends on 1 June 2025.", "It ends on 1 July 2025.", ["the date changes from 1 June 2025 to 1 July 2025"]),
        ("It ends on 2025-06-01 at noon.", "It ends on 1 June 2025 at noon.", []),
        (
            "There are two copies of it.",
            "There are three copies of it.",
            ["the number changes from two to three (+50 %)"],
        ),
        (
            "The Seller shall pay costs.",
            "The Seller may pay costs.",
            ["an obligation (shall) becomes a permission (may)"],
        ),
        (
            "The Seller shall pay costs.",
            "The Seller will pay costs.",
            ["an obligation is worded otherwise: shall becomes will"],
        ),
        (
            "The Seller shall pay costs.",
            "The Seller should pay costs.",
            ["an obligation (shall) becomes a recommendation (should)"],
        ),
        (
            "The Seller is required to pay costs.",
            "The Seller is entitled to pay costs.",
            ["an obligation (is required to) becomes a permission (is entitled to)"],
        ),
        (
            "The Seller pays for costs.",
            "The Seller never pays for costs.",
            ["the negation “never” is added: what is said may now be its opposite"],
        ),
        (
            "A licence that is exclusive.",
            "A licence that is non-exclusive.",
            ["the qualifier changes from exclusive to non-exclusive"],
        ),
        ("Costs are borne by the Seller.", "The costs are borne by the seller.", []),
        (
            "The fee is $100 for a bolt and $900 for a nut.",
            "The fee is $900 for a bolt and $100 for a nut.",
            ["the amount changes from $100 to $900 (+800 %)", "the amount changes from $900 to $100 (-89 %)"],
        ),
        (
            "The Seller is not liable for loss of profit but is liable for fraud.",
            "The Seller is liable for loss of profit but is not liable for fraud.",
            ["the negation “not” stands elsewhere: what it denies may now be something else"],
        ),
        (
            "Only the Seller may inspect the goods in the warehouse.",
            "The Seller may inspect the goods only in the warehouse.",
            ["the qualifier Only stands elsewhere in the clause"],
        ),
        (
            "It is due within thirty (30) days.",
            "It is due within sixty (30) days.",
            ["sixty (30) days says 60 in words and 30 in figures"],
        ),
        ("The Seller delivers and installs it.", "The Seller delivers or installs it.", ["and becomes or"]),
        ("It is due before delivery.", "It is due after delivery.", ["before becomes after"]),
        ("Prices increase with the index.", "Prices decrease with the index.", ["increase becomes decrease"]),
        (
            "The laws of the State of New York apply to it.",
            "The laws of the State of Delaware apply to it.",
            ["the law or court changes from New York to Delaware"],
        ),
        ("English law applies to it.", "Irish law applies to it.", ["the law or court changes from English to Irish"]),
        (
            "Das Entgelt ist 1.000,50 Euro im Monat.",
            "Das Entgelt ist 1.900,50 Euro im Monat.",
            ["the amount changes from 1.000,50 Euro to 1.900,50 Euro (+90 %)"],
        ),
        ("The fee is EUR 1.000.", "The fee is EUR 1,000.", ["the amount changes from EUR 1.000 to EUR 1,000"]),
        ("The fee is EUR 1.000,00.", "The fee is EUR 1,000.00.", []),
        (
            "THE SELLER SHALL PAY COSTS.",
            "THE SELLER MAY PAY COSTS.",
            ["an obligation (SHALL) becomes a permission (MAY)"],
        ),
        ("The Seller shall pay costs.", "THE SELLER SHALL PAY COSTS.", []),
    ],
)
def test_why_a_change_matters(one: str, other: str, expected: list[str]) -> None:
    """Values are compared as what they mean; what means the same is no change that matters."""
    assert reasons(one, other) == expected


def test_what_moves_within_a_clause_is_no_change_that_matters() -> None:
    """A value that stands on both sides of a clause's changes was neither removed nor added."""
    assert (
        reasons(
            "The Supplier repairs the machine within 10 days, and it must then be tested.",
            "Within 10 days the machine is repaired by the Supplier, and it must then be tested.",
        )
        == []
    )


def test_a_sentence_that_moves_within_its_clause_takes_what_it_holds_along() -> None:
    """Neither its negation nor its amount has come to say something else."""
    first, second = "The Seller is not liable for storms at sea.", "The Buyer owes $500 for each day of delay."

    assert reasons(f"{first} {second} It is so.", f"{second} {first} It is so.") == []


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (
            "The Aspen works deliver the goods to the warehouse of Birch at their own cost.",
            "The Birch works deliver the goods to the warehouse of Aspen at their own cost.",
            ["the party changes from Aspen to Birch", "the party changes from Birch to Aspen"],
        ),
        (
            "Aspen owes Birch a fee.",
            "Birch owes Aspen a fee.",
            ["the parties change places: Aspen, Birch becomes Birch, Aspen"],
        ),
        ("Aspen keeps it secret.", "ASPEN KEEPS IT SECRET.", []),
        ("Aspen keeps it secret.", "aspen keeps it secret.", []),
        ("ASPEN KEEPS IT SECRET.", "BIRCH KEEPS IT SECRET.", ["the party changes from ASPEN to BIRCH"]),
    ],
)
def test_parties_that_change_places_are_told(one: str, other: str, expected: list[str]) -> None:
    """Parties are compared in their order, whatever the case of their letters."""
    assert reasons(PREAMBLE + one, PREAMBLE + other) == expected


def test_a_clause_in_another_language_is_not_judged() -> None:
    """Also in an English contract; names, which have no language, are judged by their document's."""
    english = "The Seller delivers the goods to the Buyer at the port of Genoa.\n\n"
    clauses = ("Der Mieter darf das Objekt nicht an andere untervermieten.", "承租人应在三十日内支付租金。")
    changed = ("Der Mieter darf das Objekt an andere untervermieten.", "承租人应在六十日内支付租金。")
    names = "Munich, Berlin, Hamburg, Cologne, Bremen, {}."
    found, _, _ = compared(
        english + "\n\n".join((*clauses, names.format("Dresden"))),
        english + "\n\n".join((*changed, names.format("Leipzig"))),
    )

    assert [(one.kind, one.flags, one.judged) for one in found.findings] == [
        ("edited", (), False),
        ("edited", (), False),
        ("edited", (), True),
    ]


PREAMBLE = 'This agreement is made between Aspen Tools Inc. ("Aspen") and Birch Parts LLC ("Birch").\n\n'


def test_parties_and_terms_are_those_that_the_document_defines() -> None:
    """Parties are known from the preamble, terms from their quotes, and both are told where they come and go."""
    terms = '"Affiliate" means a company under common control.\n\n'

    assert reasons(
        PREAMBLE + terms + "The parts are insured by Aspen at all times until they arrive.",
        PREAMBLE + terms + "The parts are insured by Birch at all times until they arrive.",
    ) == ["the party changes from Aspen to Birch"]
    assert reasons(
        PREAMBLE + terms + "Birch keeps the drawings secret until they are published.",
        PREAMBLE + terms + "Birch and each Affiliate keeps the drawings secret until they are published.",
    ) == ["the defined term Affiliate is added"]
    assert reasons(
        PREAMBLE + terms + "Birch keeps the drawings secret until they are published.",
        PREAMBLE + "Birch keeps the drawings secret until they are published.",
    ) == ["the definition of Affiliate is deleted", "a clause is deleted"]


def test_references_follow_their_clauses_or_are_left_behind() -> None:
    """A reference that follows a renumbered clause does not matter; one that leads elsewhere now does."""
    one = "\n\n".join(
        (
            "1. The Seller delivers the goods to the port of Genoa.",
            "2. The Buyer pays for the goods on the day of their arrival.",
            "3. Late payment under Section 2 bears interest at the legal rate.",
            "4. The port named in Section 1 may be changed by the Seller.",
            "5. Section 9 of the Sale Act does not apply to this contract.",
        )
    )
    other = "\n\n".join(
        (
            "1. The Buyer gives the Seller a forecast of what it needs.",
            "2. The Seller delivers the goods to the port of Genoa.",
            "3. The Buyer pays for the goods on the day of their arrival.",
            "4. Late payment under Section 3 bears interest at the legal rate.",
            "5. The port named in Section 1 may be changed by the Seller.",
            "6. Section 9 of the Sale Act does not apply to this contract.",
        )
    )

    assert reasons(one, other) == ["a clause is inserted", "the reference still says 1, but that clause is now 2"]


def test_a_reference_to_a_deleted_clause_is_told() -> None:
    """A reference that stayed while the clause that it names was deleted leads nowhere."""
    one = (
        "1. The Seller delivers to Genoa.\n\n2. Storms excuse a delay of the ships.\n\n3. Section 2 applies to trucks."
    )
    other = "1. The Seller delivers to Genoa.\n\n3. Section 2 applies to trucks."

    assert reasons(one, other) == ["a clause is deleted", "the reference leads to 2, which is deleted"]


def test_what_matters_most_comes_first() -> None:
    """Findings that matter are put in order by the weight of their rules."""
    found = compare(before(), after())

    assert [finding.id for finding in found.material] == [
        "F6", "F10", "F2", "F4", "F7", "F9", "F13", "F1", "F3", "F8", "F5",
    ]  # fmt: skip
    assert found.counts() == {
        "edited": 7,
        "split": 1,
        "inserted": 1,
        "renumbered": 1,
        "deleted": 1,
        "moved": 1,
        "merged": 1,
    }


def test_what_pages_repeat_is_not_compared() -> None:
    """Page numbers and headers that differ are no findings, and a paragraph that a page breaks is one paragraph."""
    pages = [
        f"{number}. The supplier of lot {letter} delivers to the store in the street.\n\nPage {number} of 9\n"
        for number, letter in enumerate("ABCDEFGHI", 1)
    ]
    found, _, _ = compared("\n".join(pages), "\n".join(page.replace("of 9", "of 10") for page in pages))

    assert found.findings == ()


def test_versions_that_say_the_same_have_no_findings() -> None:
    """A document compared with itself has no findings."""
    found = compare(before(), before())

    assert (found.findings, found.unchanged, found.material) == ((), 18, ())
