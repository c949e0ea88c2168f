"""Which clause of the later version is which of the earlier one."""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.activities.comparison import Link, align, units_of
from segue.activities.documents import Clause, ParsedDocument

PAY = "The Buyer shall pay each invoice within thirty days of the date on which it receives it."
DELIVER = "The Supplier shall deliver the goods to the warehouse of the Buyer at its own risk and expense."
INSPECT = "The Buyer inspects each delivery without delay and gives notice of every defect that it finds."
SECRET = "Each party keeps the other's confidential information secret, and uses it for this agreement alone."
INSURE = "The Supplier keeps itself insured against product liability with an insurer of good standing."
LAW = "This agreement is governed by the laws of Ireland, whose courts have exclusive jurisdiction."
ALL = (PAY, DELIVER, INSPECT, SECRET, INSURE, LAW)


def document(clauses: Sequence[str]) -> ParsedDocument:
    """A document of these clauses, a number before a text split off by a bar: `4.2|The term ...`."""
    text, found = "", list[Clause]()
    for clause in clauses:
        number, _, body = clause.rpartition("|")
        printed = f"{number} {body}" if number else body
        found.append(Clause(start=len(text), end=len(text) + len(printed), number=number))
        text += printed + "\n\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    return ParsedDocument(digest=digest, name="contract", media_type="text/plain", text=text, clauses=tuple(found))


def linked(before: Sequence[str], after: Sequence[str]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return [(link.before, link.after) for link in links(before, after)]


def links(before: Sequence[str], after: Sequence[str]) -> list[Link]:
    return align(units_of(document(before)), units_of(document(after)))


def test_what_did_not_change_is_linked_in_order() -> None:
    """The same clauses are linked one to one, with nothing moved."""
    assert links(ALL, ALL) == [Link((i,), (i,), 1.0) for i in range(len(ALL))]


def test_an_edited_clause_is_the_same_clause() -> None:
    """A clause that lost and won words is linked with what it became."""
    edited = PAY.replace("thirty days of", "sixty days after").replace("shall", "must")

    assert linked(ALL, [edited, *ALL[1:]]) == [((i,), (i,)) for i in range(len(ALL))]


def test_a_move_is_a_move() -> None:
    """A clause that stands elsewhere is linked there, edited or not, and the others have not moved."""
    edited = LAW.replace("Ireland", "Scotland")

    assert links(ALL, [edited, *ALL[:-1]])[0].moved
    assert [(link.before, link.after) for link in links(ALL, [edited, *ALL[:-1]]) if link.moved] == [((5,), (0,))]
    assert [(link.before, link.after) for link in links(ALL, [*ALL[1:], PAY]) if link.moved] == [((0,), (5,))]


def test_of_two_that_changed_places_the_shorter_has_moved() -> None:
    """As little text as may be has moved."""
    short = "Notices are sent by post."

    found = links([short, SECRET], [SECRET, short])

    assert [(link.before, link.moved) for link in found] == [((1,), False), ((0,), True)]


def test_what_was_deleted_and_inserted_stands_alone() -> None:
    """A clause without a counterpart is deleted or inserted, behind what stood before it."""
    new = "Pallets and crates remain the property of the carrier, who collects them every month."

    assert linked(ALL, [PAY, new, *ALL[2:]]) == [
        ((0,), (0,)),
        ((1,), ()),
        ((), (1,)),
        *(((i,), (i,)) for i in range(2, len(ALL))),
    ]


def test_renumbering_is_no_change_of_text() -> None:
    """Clauses are the same whatever their numbers, and however these are printed."""
    before = [f"{number}|{text}" for number, text in enumerate(ALL, 1)]
    after = [f"({number})|{text}" for number, text in enumerate(ALL, 3)]

    assert links(before, after) == [Link((i,), (i,), 1.0) for i in range(len(ALL))]


@pytest.mark.parametrize("heads", [("", "", ""), ("4.2|", "4.2|", "4.3|")])
def test_a_split_is_one_to_several(heads: tuple[str, str, str]) -> None:
    """A clause that falls into several is linked with all of them, also when its words changed a little."""
    whole = f"{heads[0]}{SECRET} {INSURE}"
    edited = SECRET.replace("alone", "only")

    assert linked([PAY, whole, LAW], [PAY, heads[1] + edited, heads[2] + INSURE, LAW]) == [
        ((0,), (0,)),
        ((1,), (1, 2)),
        ((2,), (3,)),
    ]


def test_a_heading_split_off_its_clause_is_a_part_of_it() -> None:
    """A few words at the beginning of a clause that now stand alone belong to it."""
    whole = f"Confidentiality. {SECRET}"

    assert linked([PAY, whole, LAW], [PAY, "Confidentiality.", SECRET, LAW]) == [
        ((0,), (0,)),
        ((1,), (1, 2)),
        ((2,), (3,)),
    ]


def test_parts_need_not_stand_together() -> None:
    """A clause between the parts of another does not hide that they are parts."""
    new = "Pallets and crates remain the property of the carrier, who collects them every month."

    assert linked([PAY, f"{SECRET} {INSURE}", LAW], [PAY, SECRET, new, INSURE, LAW]) == [
        ((0,), (0,)),
        ((1,), (1, 3)),
        ((), (2,)),
        ((2,), (4,)),
    ]


def test_a_merge_is_several_to_one() -> None:
    """Clauses that became one are linked with it."""
    assert linked([PAY, DELIVER, INSPECT, LAW], [PAY, f"{DELIVER} {INSPECT}", LAW]) == [
        ((0,), (0,)),
        ((1, 2), (1,)),
        ((3,), (2,)),
    ]


def test_a_boundary_that_shifted_joins_both_clauses() -> None:
    """Where a paragraph now ends earlier, what it lost is found in the next one."""
    assert linked([PAY, f"{DELIVER} {INSPECT}", SECRET, LAW], [PAY, DELIVER, f"{INSPECT} {SECRET}", LAW]) == [
        ((0,), (0,)),
        ((1, 2), (1, 2)),
        ((3,), (3,)),
    ]


def test_what_stands_often_is_told_by_its_neighbours() -> None:
    """Texts that stand several times are linked in order, and one that was taken away is missing in its place."""
    before = [PAY, "Reserved.", DELIVER, "Reserved.", INSPECT, "Reserved.", LAW]
    after = [PAY, "Reserved.", DELIVER, INSPECT, "Reserved.", LAW]

    assert linked(before, after) == [
        ((0,), (0,)),
        ((1,), (1,)),
        ((2,), (2,)),
        ((3,), ()),
        ((4,), (3,)),
        ((5,), (4,)),
        ((6,), (5,)),
    ]


def test_rows_that_differ_in_their_numbers_are_told_apart() -> None:
    """Of rows that are alike but for their figures one that is deleted is the one that is missing."""
    before = [f"Fee for year {year}: ${1000 + 250 * year}" for year in range(1, 7)]
    after = [row.replace("$", "EUR ") for row in before if "year 3" not in row]

    assert linked(before, after) == [
        ((0,), (0,)),
        ((1,), (1,)),
        ((2,), ()),
        ((3,), (2,)),
        ((4,), (3,)),
        ((5,), (4,)),
    ]


def test_a_short_text_is_told_by_its_place() -> None:
    """An amount that stands alone, between clauses that did not change, is the amount that stood there."""
    assert linked([PAY, "£500", DELIVER], [PAY, "£750", DELIVER]) == [((i,), (i,)) for i in range(3)]


def test_scanned_text_is_linked_with_what_it_says() -> None:
    """Characters that were read wrongly do not make another clause."""
    noise = str.maketrans({"l": "1", "o": "0"})

    assert linked(ALL, [text.translate(noise) for text in ALL]) == [((i,), (i,)) for i in range(len(ALL))]


def test_nothing_is_linked_with_nothing() -> None:
    """Empty versions have no links, and what stands in one only is deleted or inserted."""
    assert links([], []) == []
    assert linked(ALL[:2], []) == [((0,), ()), ((1,), ())]
    assert linked([], ALL[:2]) == [((), (0,)), ((), (1,))]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*ALL, "Reserved.", "--", "4.", ""]), max_size=12), st.randoms(use_true_random=False))
def test_each_clause_is_in_one_link(clauses: list[str], chance: random.Random) -> None:
    """Whatever was done to a document, each clause of both versions is in exactly one link, and always the same one."""
    shuffled = [
        " ".join(chance.sample(text.split(), len(text.split()))) if chance.random() < 0.3 else text for text in clauses
    ]
    chance.shuffle(shuffled)
    pairs = zip(shuffled, [*shuffled[1:], *shuffled[:1]], strict=True)
    merged = [f"{one} {other}" if chance.random() < 0.3 else one for one, other in pairs]
    clauses, after = [text for text in clauses if text], [text for text in merged if text.strip()]

    found = links(clauses, after)

    assert sorted(i for link in found for i in link.before) == list(range(len(clauses)))
    assert sorted(j for link in found for j in link.after) == list(range(len(after)))
    assert found == links(clauses, after)


def test_a_clause_rewritten_in_its_place_is_the_same_clause() -> None:
    """Where the neighbours did not change, a clause may have been rewritten for the most part."""
    rewritten = (
        "Invoices are payable by the Buyer within thirty days; the date of receipt counts, and nothing else does."
    )

    assert linked([DELIVER, PAY, LAW], [DELIVER, rewritten, LAW]) == [((i,), (i,)) for i in range(3)]


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the error says what to install."""
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance", None)

    with pytest.raises(
        ImportError, match=r'^Comparing documents needs rapidfuzz and numpy: pip install "segue\[documents\]"$'
    ):
        linked(ALL, ALL)
