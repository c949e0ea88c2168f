"""PDF: paragraphs across lines and pages, words mended, headers once, page numbers out, pages as spans."""

from __future__ import annotations

import pytest
from tests.documents.files import pdf
from tests.documents.texts import check, shown, titles

from segue.activities.documents import locate, parse

LONG = (
    "The Keeper shall keep the lamp of the lighthouse lit from sunset to sunrise, and shall note in the log each ship "
    "that passes, the state of the sea, and whatever else a careful keeper of a lamp would note."
)


def test_lines_become_paragraphs_and_pages_stay_known() -> None:
    """Broken lines are joined, headers stay once, page numbers go, and each page knows its part of the text."""
    data = pdf(
        ("LIGHTHOUSE DEED", "B", 16),
        ("1. Duties", "B", 12),
        (f"1.1 Lamp. {LONG}", "", 11),
        ("(a) the lamp;", "", 11),
        ("(b) the log.", "", 11),
        None,
        ("2. Governing law", "B", 12),
        ("The law of Saltmarsh.", "", 11),
        None,
        ("3. Fees and costs of the keeper", "B", 12),
        ("None.", "", 11),
        head="Saltmarsh Harbour Board - Confidential",
        foot="Page {} of 3",
    )
    parsed = parse(data, "deed.pdf")
    check(parsed)
    assert shown(parsed) == [
        ("furniture", "", "Saltmarsh Harbour Board - Confidential"),
        ("heading", "", "LIGHTHOUSE DEED"),
        ("heading", "1", "1. Duties"),
        ("text", "1.1", f"1.1 Lamp. {LONG}"),
        ("text", "(a)", "(a) the lamp;"),
        ("text", "(b)", "(b) the log."),
        ("heading", "2", "2. Governing law"),
        ("text", "", "The law of Saltmarsh."),
        ("heading", "3", "3. Fees and costs of the keeper"),
        ("text", "", "None."),
    ]
    assert titles(parsed) == [
        (1, "", "LIGHTHOUSE DEED"),
        (1, "1", "Duties"),
        (2, "1.1", "Lamp"),
        (1, "2", "Governing law"),
        (1, "3", "Fees and costs of the keeper"),
    ]
    assert [parsed.quote(page).split("\n")[0] for page in parsed.pages] == [
        "Saltmarsh Harbour Board - Confidential",
        "2. Governing law",
        "3. Fees and costs of the keeper",
    ]
    # Nothing in the text breaks its lines.
    assert "\n" not in parsed.text.replace("\n\n", "")


def test_a_paragraph_goes_on_across_a_page() -> None:
    """A sentence that the end of a page interrupts is one clause, and both pages have their part of it."""
    data = pdf(
        (f"{LONG} The keeper is paid in", "", 11),
        None,
        ("coal and in kind, as the custom is.", "", 11),
        head="Deed",
        foot="- {} -",
    )
    parsed = parse(data, "deed.pdf")
    check(parsed)
    span = locate("The keeper is paid in coal and in kind", parsed)
    assert span is not None
    assert [parsed.quote(page).endswith("paid in ") for page in parsed.pages] == [True, False]
    assert sum(span.within(clause) for clause in parsed.clauses) == 1


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("The light-\nhouse is lit.", "The lighthouse is lit."),
        ("A non-\nexclusive right.", "A non-exclusive right."),
        ("A sea-worthy and a sea-\nworthy ship.", "A sea-worthy and a sea-worthy ship."),
        ("Pay 10-\n12 coins.", "Pay 10-12 coins."),
        ("THE LIGHT-\nHOUSE DEED IS HERE", "THE LIGHTHOUSE DEED IS HERE"),
    ],
)
def test_words_that_lines_break_are_mended(text: str, mended: str) -> None:
    """A hyphen at a line's end goes, unless the word has one of its own."""
    parsed = parse(pdf((text, "", 11)), "words.pdf")
    check(parsed)
    assert parsed.text == mended


def test_a_page_without_text_is_a_warning() -> None:
    """Pages of images among pages of text are named, and stay in their place."""
    from PIL import Image
    from tests.documents.files import Pages

    pages = Pages()
    for number in (1, 2, 3):
        pages.add_page()
        if number == 2:
            pages.image(Image.new("RGB", (10, 10), "red"), 10, 10, 50)
        else:
            pages.set_font("Helvetica", "", 11)
            pages.cell(0, 10, f"Text of page {number}.")
    parsed = parse(bytes(pages.output()), "scan.pdf")
    check(parsed)
    assert [parsed.quote(page) for page in parsed.pages] == ["Text of page 1.\n\n", "", "Text of page 3."]
    assert parsed.warnings == ("Page 2 held images and no text, and nothing of them was read.",)


def test_a_document_that_only_its_owner_may_change_is_read() -> None:
    """A password for changes keeps nobody from reading."""
    from tests.documents.files import Pages

    pages = Pages()
    pages.set_encryption(owner_password="owner")
    pages.add_page()
    pages.set_font("Helvetica", "", 11)
    pages.cell(0, 10, "Read me.")
    assert parse(bytes(pages.output()), "owner.pdf").text == "Read me."
