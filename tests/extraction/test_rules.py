"""Rules: values of every kind, found where they stand, in any document."""

from __future__ import annotations

import time
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.extraction.leases import EXPECTED, Lease, lease

from segue.activities.documents import ParsedDocument, parse
from segue.activities.extraction import Duration, FieldKind, FormField, Money, fields_of
from segue.activities.extraction.rules.amounts import money_of, number_of, percentage_of
from segue.activities.extraction.rules.dates import date_of
from segue.activities.extraction.rules.durations import duration_of
from segue.activities.extraction.rules.finding import find
from segue.activities.extraction.rules.ground import squeezed
from segue.activities.extraction.rules.places import place_of

FIELDS = fields_of(Lease)


def document(text: str) -> ParsedDocument:
    return parse(text.encode(), "contract.txt")


def values(text: str, name: str, kind: FieldKind, *, many: bool = False, description: str = "") -> list[str]:
    """What rules find for one field, and that each stands where it is said to stand."""
    form = {"date": "date", "duration": "duration", "money": "money"}.get(
        kind, "decimal" if kind == "number" else "text"
    )
    field = FormField(name=name, kind=kind, description=description, many=many, form=form)
    parsed = document(text)
    found = find(parsed, [field])
    assert all(parsed.text[one.start : one.end].strip() == parsed.text[one.start : one.end] for one in found)
    return [str(one.value) for one in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("October 1, 1999", date(1999, 10, 1)),
        ("on the 12th day of November, 2019", date(2019, 11, 12)),
        ("1 August 2019", date(2019, 8, 1)),
        ("effective as of1 August 2019", date(2019, 8, 1)),
        ("14-Mar-2016", date(2016, 3, 14)),
        ("Sept. 3, 2010", date(2010, 9, 3)),
        ("first day of May, 2003", date(2003, 5, 1)),
        ("20t h day of December 2018", date(2018, 12, 20)),
        ("May 3,2006", date(2006, 5, 3)),
        ("2019-11-20", date(2019, 11, 20)),
        ("31/12/2020", date(2020, 12, 31)),
        ("3-14-18", date(2018, 3, 14)),
        ("1/2/73", date(1973, 1, 2)),
        ("June 31, 2010", None),
        ("the 1st or the 2nd of May", None),
        ("version 1.2.03", None),
        ("May 2010", None),
    ],
)
def test_dates(text: str, expected: date | None) -> None:
    """Dates as people and programs write them; impossible ones, versions and months are none."""
    assert date_of(text) == expected


def test_which_of_two_numbers_is_the_day() -> None:
    """Where one date of a document tells that the day comes first, it does so in all of them."""
    assert values("Agreement date: 3/4/2020\n\nDelivered on 25/4/2020", "agreement_date", "date") == ["2020-04-03"]
    assert values("Agreement date: 3/4/2020\n\nDelivered on 4/25/2020", "agreement_date", "date") == ["2020-03-04"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("three (3) years", "P3Y"),
        ("30 days", "P30D"),
        ("an eighteen-month period", "P18M"),
        ("one (I) year", "P1Y"),
        ("one hundred eighty (180) days", "P180D"),
        ("one hundred and twenty calendar days", "P120D"),
        ("twelve (12) consecutive months", "P12M"),
        ("10 (ten) years", "P10Y"),
        ("two years and six months", "P2Y6M"),
        ("30 days and 2 years", None),
        ("the fifth (5th) anniversary", "P5Y"),
        ("five (5) year anniversary", "P5Y"),
        ("two quarters", "P6M"),
        ("once a year", None),
        ("the year 2010", None),
    ],
)
def test_durations(text: str, expected: str | None) -> None:
    """Lengths of time in words, digits and both; a rate is none."""
    found = duration_of(text)
    assert (None if found is None else str(found)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$1,250.00", "USD 1250.00"),
        ("US$ 5 million", "USD 5000000"),
        ("EUR 1.234,56", "EUR 1234.56"),
        ("1'500 CHF", "CHF 1500"),
        ("£5k", "GBP 5000"),
        ("100 euros", "EUR 100"),
        ("ten thousand Canadian dollars", "CAD 10000"),
        ("RMB 1,000,000", "CNY 1000000"),
        ("$1.5 million", "USD 1500000"),
        ("1,000", None),
        ("$5 or $6", None),
    ],
)
def test_money(text: str, expected: str | None) -> None:
    """Amounts with symbols, codes and words, exactly; a number without a currency is none."""
    found = money_of(text)
    assert (None if found is None else str(found)) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("7.5%", "7.5"), ("seven percent (7%)", "7"), ("25 basis points", "0.25"), ("1,5 %", "1.5")]
)
def test_percentages(text: str, expected: str) -> None:
    """Percentages in digits, in words, and as basis points."""
    assert percentage_of(text) == Decimal(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1,500", "1500"), ("1.500,5", "1500.5"), ("0.123", "0.123"), ("twenty-four", "24"), ("", None)],
)
def test_numbers(text: str, expected: str | None) -> None:
    """Thousands and decimals in either style, and numbers in words."""
    assert number_of(text) == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("New York", "New York"),
        ("the State of  Oregon", "Oregon"),
        ("People\u2019s Republic of China", "China"),
        ("English law", "England"),
        ("Washington, D.C.", "District of Columbia"),
        ("Atlantis", None),
    ],
)
def test_places(text: str, expected: str | None) -> None:
    """A place has one name, however it is written."""
    assert place_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "This Agreement is governed by the laws of the State of New York, U.S.A., without regard to conflicts.",
            ["New York"],
        ),
        ("It shall be construed under English law.", ["England"]),
        (
            "Governed by the laws of England and Wales. Actions at law or in equity are brought in Texas.",
            ["England and Wales"],
        ),
        ("governed by the laws of Virginia and of Texas", ["Virginia", "Texas"]),
        ("Acme is a corporation organized and existing under the laws of Delaware.", []),
        ("It was made in the State of Ohio, and shall be construed by the laws of that State.", ["Ohio"]),
        ("The turkey law of nature governs.", []),
    ],
)
def test_jurisdictions(text: str, expected: list[str]) -> None:
    """The place whose law governs, and not one where a party was founded, a court sits, or a state lies."""
    assert values(text, "governing_law", "jurisdiction", many=True) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'by and between ACME WIDGETS, INC., a Texas corporation ("Acme"), and Jane Q. Public, residing in Ohio '
            '(the "Consultant").',
            ["ACME WIDGETS, INC.", "Jane Q. Public"],
        ),
        (
            "between Smith and Sons, Inc., a company of Ohio, and Nordwind GmbH, Hauptstrasse 12, Berlin",
            ["Smith and Sons, Inc.", "Nordwind GmbH"],
        ),
        (
            'by and among (1) Alpha AB, a Swedish company ("Alpha"), (2) Beta Holdings, L.P. and Gamma Fund, L.P. '
            '(together "Beta") as an amendment to that certain Agreement by and among Omega Ltd. ("Omega") and others',
            ["Alpha AB", "Beta Holdings, L.P.", "Gamma Fund, L.P."],
        ),
        (
            "Party A: Harbour Trading Co., Ltd.\n\nAddress: 1 Road\n\nParty B: Peak Foods Limited\n",
            ["Harbour Trading Co., Ltd.", "Peak Foods Limited"],
        ),
        (
            'Larch Systems, Inc., with offices in Oslo ("Larch") and Fir B.V., having an address in Delft ("Fir"), '
            "agree as follows:",
            ["Larch Systems, Inc.", "Fir B.V."],
        ),
        (
            'BETWEEN\n\n(1)  Elm Estates plc (the "Landlord"); and\n\n(2)  Oak Works Ltd (the "Tenant").\n',
            ["Elm Estates plc", "Oak Works Ltd"],
        ),
        ("Nothing is said here about anybody at all.", []),
    ],
)
def test_parties(text: str, expected: list[str]) -> None:
    """The names in a preamble, each whole and without what describes it, however they are told apart."""
    preamble = f"This Agreement is made {text}" if text[0].islower() else text
    assert (
        values(f"SUPPLY AGREEMENT\n\n{preamble}\n\n1. Supply. Goods are supplied.", "parties", "party", many=True)
        == expected
    )


def test_a_party_of_one_role() -> None:
    """A field named after a role takes the party that the contract calls so."""
    text = 'This Lease is made by and between Oak Ltd., a company ("Landlord"), and Ash Inc., a corporation ("Tenant").'
    assert (values(text, "tenant", "party"), values(text, "landlord", "party")) == (["Ash Inc."], ["Oak Ltd."])


def test_every_field_of_a_lease() -> None:
    """A lease that says everything fills the form: normalised, each with the text that says so, letter for letter."""
    parsed = document(lease(7))
    found = find(parsed, FIELDS)
    told: dict[str, list[tuple[str, str]]] = {}
    for one in found:
        value = one.value.amount if isinstance(one.value, Money) else one.value
        told.setdefault(one.field, []).append((str(value), parsed.text[one.start : one.end]))
    assert told == EXPECTED
    assert all(0.6 <= one.confidence <= 1 for one in found)


@pytest.mark.parametrize(
    ("sentence", "name", "expected"),
    [
        ("The term of this Agreement is five (5) years. It survives for two years after termination.", "term", ["P5Y"]),
        ("This agreement remains in force for two years.", "term", ["P2Y"]),
        ("During the term of this Agreement and for a period of two (2) years thereafter nobody competes.", "term", []),
        (
            "It renews automatically for successive one (1) year periods unless notice is given at least 60 days "
            "prior to its end.",
            "renewal_term",
            ["P1Y"],
        ),
        (
            "It renews automatically for successive one (1) year periods unless notice is given at least 60 days "
            "prior to its end.",
            "notice_of_non_renewal",
            ["P60D"],
        ),
        (
            "A breach is to be cured within 30 days; either party may terminate upon 90 days' notice for convenience.",
            "notice_period",
            ["P90D"],
        ),
        ("Invoices are payable within thirty (30) days of receipt.", "payment_term", ["P30D"]),
        ("The goods are warranted for a period of 24 months from delivery.", "warranty", ["P24M"]),
    ],
)
def test_durations_are_told_apart_by_what_they_are_for(sentence: str, name: str, expected: list[str]) -> None:
    """Of several lengths of time each field takes the one that is meant, and none where none is."""
    assert values(f"1. {sentence}", name, "duration") == expected


def test_dates_are_told_apart_by_what_they_are_for() -> None:
    """A contract's own date, its beginning and its end are three; dates of other contracts are none of them."""
    text = (
        "This Agreement is dated March 3, 2021. WHEREAS the parties to a loan agreement dated as of May 5, 2015 agree; "
        "the services commence on April 1, 2021 and this Agreement shall remain in effect until December 31, 2023."
    )
    found = [values(text, name, "date") for name in ("agreement_date", "effective_date", "expiration_date")]
    assert found == [["2021-03-03"], ["2021-04-01"], ["2023-12-31"]]


def test_a_label_says_what_stands_after_it() -> None:
    """On a form, what stands after a field's own name is its value; a date after any other label is not."""
    text = (
        "INVOICE\n\nInvoice No.: 2021-17\n\nInvoice date: 2 May 2021\n\nTotal amount: EUR 99.50\n\nDate "
        "printed: 9 June 2021\n"
    )
    assert values(text, "invoice_no", "text") == ["2021-17"]
    assert values(text, "invoice_date", "date") == ["2021-05-02"]
    assert values(text, "total_amount", "money") == ["EUR 99.50"]
    assert values(text, "delivery_date", "date") == []


def test_what_pages_repeat_is_no_value() -> None:
    """A footer's date is not the contract's."""
    pages = "\n".join(
        f"Clause {n} says something of its own.\nFiled by ACME, 10-Q, 11/20/2019 Page {n}\n\f" for n in range(1, 9)
    )
    assert values(
        f"SUPPLY AGREEMENT dated May 2, 2018 between A Ltd. and B Ltd.\n{pages}", "agreement_date", "date"
    ) == ["2018-05-02"]


@given(st.text(max_size=400) | st.text('aA1 ,.()"$%\n-and between of the laws May 2020 years', max_size=400))
def test_whatever_a_document_is(text: str) -> None:
    """No text makes a rule fail, and every value that is found is a stretch of it."""
    parsed = ParsedDocument(digest="0" * 64, name="a", media_type="text/plain", text=text)
    for found in find(parsed, FIELDS):
        assert 0 <= found.start < found.end <= len(text)
        assert text[found.start : found.end].strip()


@given(st.lists(st.sampled_from(["a", "bc", " ", "\n", " " * 13, "\n" * 13, " \n" * 9, "\t" * 20])))
def test_long_white_space_is_left_out_and_put_back(parts: list[str]) -> None:
    """Places in a text without long runs of white space are told in the text that has them."""
    text = "".join(parts)
    shorter, back = squeezed(ParsedDocument(digest="0" * 64, name="a", media_type="text/plain", text=text))
    assert "".join(shorter.text.split()) == "".join(text.split())
    assert all(text[back(at)] == letter for at, letter in enumerate(shorter.text) if not letter.isspace())


@pytest.mark.parametrize(
    "piece",
    [
        "(",
        "between A and ",
        "Ab ",
        "1",
        "1,",
        " ",
        "one hundred ",
        '("',
        "laws of the State of ",
        "1st day of ",
        "A a a: ",
        "$ 1,000 ",
    ],
)
def test_hostile_text_takes_no_more_time_than_other(piece: str) -> None:
    """No repetition makes a rule look at a text again and again."""
    text = "by and between " + piece * (30_000 // len(piece)) + " the end"
    began = time.process_time()
    find(ParsedDocument(digest="0" * 64, name="a", media_type="text/plain", text=text), FIELDS)
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("duration", "unit", "expected"),
    [
        (Duration(years=2), "months", 24),
        (Duration(months=24), "years", 2),
        (Duration(days=14), "weeks", 2),
        (Duration(months=1), "days", None),
        (Duration(weeks=1, days=1), "hours", 192),
        (Duration(days=30), "months", None),
    ],
)
def test_durations_in_units(duration: Duration, unit: str, expected: int | None) -> None:
    """A length is counted in another unit only where that is exact."""
    assert duration.in_units(unit) == expected  # type: ignore[arg-type]


def test_durations_on_the_calendar() -> None:
    """So many months after a day is the same day of the month, or the month's last."""
    assert Duration(months=1).after(date(2020, 1, 31)) == date(2020, 2, 29)
    assert Duration(years=1, days=1).after(date(2020, 2, 29)) == date(2021, 3, 1)
    assert Duration.model_validate("P1Y2M") == Duration(years=1, months=2)
    with pytest.raises(
        ValueError, match="'a while' is no duration: write it as ISO 8601 does, such as 'P3Y' or 'P30D'"
    ):
        Duration.model_validate("a while")
