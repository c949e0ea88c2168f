"""Plain text: what a reader sees as headings, clauses and furniture is read as that, and not a letter is changed."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.documents.texts import CONTRACT, check, shown, titles

from segue.activities.documents import EmptyDocument, UnknownKind, parse


def test_a_hard_wrapped_contract_becomes_its_clauses() -> None:
    """Headings, numbers, items, wrapped lines and page numbers of a typed contract are told apart."""
    parsed = parse(CONTRACT.encode(), "lighthouse.txt")
    check(parsed)
    assert parsed.text == CONTRACT
    assert shown(parsed) == [
        ("heading", "", "LIGHTHOUSE SERVICES AGREEMENT"),
        (
            "text",
            "",
            'This Agreement is made on 3 March 2026 between Northpier Ltd ("Keeper") and Saltmarsh Harbour Board '
            '("Board").',
        ),
        ("heading", "", "RECITALS"),
        ("text", "A", "A. The Board owns the lighthouse at Saltmarsh."),
        ("text", "B", "B. Keeper is willing to keep it lit, as set out in 4.2 below."),
        ("text", "1", "1. DEFINITIONS. In this Agreement:"),
        ("text", "(a)", '(a) "Lamp" means the lamp of the lighthouse;'),
        ("text", "(b)", '(b) "Night" means the time from sunset to sunrise; and'),
        (
            "text",
            "(c)",
            '(c) "Keeper\'s Log" means the book in which the Keeper notes each Night, in the form of Exhibit A.',
        ),
        ("heading", "2", "2. Services"),
        ("text", "2.1", "2.1 Keeping the Lamp. Keeper shall keep the Lamp lit each Night."),
        (
            "text",
            "2.2",
            "2.2 Keeper shall (i) clean the Lamp weekly; and (ii) report each failure under Section 2.1 within "
            "twenty-four (24) hours.",
        ),
        ("furniture", "", "-1-"),
        ("text", "3", "3. Fees. The Board shall pay USD 1,200 a month."),
        ("heading", "IV", "ARTICLE IV"),
        ("heading", "", "TERM AND TERMINATION"),
        ("text", "4.1", "4.1 Term. This Agreement is for two years."),
        ("text", "4.2", "4.2 Termination. Either party may end it on thirty (30) days' notice."),
        ("furniture", "", "-2-"),
        ("heading", "A", "EXHIBIT A"),
        ("heading", "", "KEEPER'S LOG"),
        ("text", "", "Date, weather, ships."),
    ]
    assert titles(parsed) == [
        (1, "", "LIGHTHOUSE SERVICES AGREEMENT"),
        (1, "", "RECITALS"),
        (1, "1", "DEFINITIONS"),
        (1, "2", "Services"),
        (2, "2.1", "Keeping the Lamp"),
        (1, "3", "Fees"),
        (1, "IV", "TERM AND TERMINATION"),
        (2, "4.1", "Term"),
        (2, "4.2", "Termination"),
        (1, "A", "KEEPER'S LOG"),
    ]
    assert parsed.clauses[-1].section == ("KEEPER'S LOG",)
    assert parsed.warnings == ()


def test_a_contract_without_its_line_ends_has_the_same_clauses() -> None:
    """The same contract in one line, as texts out of PDF files come, is cut at the same numbers."""
    flat = " ".join(word for word in CONTRACT.split() if word not in ("-1-", "-2-"))
    parsed = parse(flat.encode(), "lighthouse.txt")
    check(parsed)
    wrapped = parse(CONTRACT.encode(), "lighthouse.txt")
    numbers = [clause.number for clause in wrapped.clauses if clause.number]
    assert [clause.number for clause in parsed.clauses if clause.number] == numbers
    assert titles(parsed) == [(level, number, title) for level, number, title in titles(wrapped)[1:-1]] + [
        (1, "A", "EXHIBIT A KEEPER'S LOG")
    ]


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        (
            "ARTICLE 1. TERMS 1.1 The Keeper keeps. 1.2 The Board pays under Article 1.1 of this deed. 1.2.1 Monthly. "
            "1.2.2 In advance. ARTICLE 2. LAW 2.1 The law of Saltmarsh.",
            ["1", "1.1", "1.2", "1.2.1", "1.2.2", "2", "2.1"],
        ),
        ("2. Fees. (a) (i) one fee, and (ii) another;\n\n(b) none.", ["2", "(a)(i)", "(b)"]),
        ("(h) first;\n\n(i) second;\n\n(j) third.", ["(h)", "(i)", "(j)"]),
        ("(h) the following:\n\n(i) one;\n\n(ii) two;\n\n(i) three.", ["(h)", "(i)", "(ii)", "(i)"]),
        ("7.1 One.\n\n7.2 Two.\n\n7.4 Four.\n\n8.1 Five.", ["7.1", "7.2", "7.4", "8.1"]),
        ("1. One.\n\n2.\n\nTwo is here.\n\n3. Three.", ["1", "2", "3"]),
        ("Section 3. The Keeper sleeps by day.\n\nSection 3.1 of this deed does not apply at sea.", ["3", ""]),
        ("1. One.\n2. Two.\n3. Three.", ["1", "2", "3"]),
        ("The fee is\n1.5 million a year,\nor 30 a day.", [""]),
        ("l.1 Misread numbers count on.\n\n1 .2 So does this.\n\n1.3 And this.", ["l.1", "1 .2", "1.3"]),
        ("§ 1 Scope\n\n§ 2 Law of the sea", ["1", "2"]),
        ("J. Smith keeps the lamp.\n\nK. Jones does not.", ["", ""]),
    ],
)
def test_numbers_count_on_from_one_another(text: str, clauses: list[str]) -> None:
    """A number begins a clause where it may be one: not as a reference, an amount or an initial."""
    parsed = parse(text.encode(), "numbers.txt")
    check(parsed)
    assert [number for _, number, _ in shown(parsed)] == clauses


def test_letters_and_romans_stand_below_their_numbers() -> None:
    """The sections around a clause are those that a reader would name, also after a list within it."""
    text = "1. Duties\n\n1.1 Lamp. Keep it:\n\n(a) lit;\n\n(i) at night;\n\n(b) clean.\n\nAlways.\n\n2. Fees\n\nNone."
    parsed = parse(text.encode(), "duties.txt")
    check(parsed)
    assert [(parsed.quote(clause), clause.section) for clause in parsed.clauses] == [
        ("1. Duties", ("Duties",)),
        ("1.1 Lamp. Keep it:", ("Duties", "Lamp")),
        ("(a) lit;", ("Duties", "Lamp")),
        ("(i) at night;", ("Duties", "Lamp")),
        ("(b) clean.", ("Duties", "Lamp")),
        ("Always.", ("Duties", "Lamp")),
        ("2. Fees", ("Fees",)),
        ("None.", ("Fees",)),
    ]


def test_a_table_of_contents_makes_no_sections() -> None:
    """Entries of a table of contents, with dots or without, are told from the headings that they name."""
    text = (
        "TABLE OF CONTENTS\n\n1. Duties of the Keeper 1\n\n2. Fees and Costs 3\n\n3. Law of the Sea 4\n\n"
        "4. Notices 9\n\n"
        "Index . . . . . . . . . 12\n\n1. Duties of the Keeper\n\nTo keep.\n\n2. Fees and Costs\n\nTo pay.\n\n"
        "3. Law of the Sea\n\nNone.\n\n4. Notices\n\nBy gull."
    )
    parsed = parse(text.encode(), "contents.txt")
    check(parsed)
    assert [kind for kind, _, _ in shown(parsed)][:6] == ["contents"] * 6
    assert titles(parsed) == [
        (1, "1", "Duties of the Keeper"),
        (1, "2", "Fees and Costs"),
        (1, "3", "Law of the Sea"),
        (1, "4", "Notices"),
    ]


def test_what_pages_repeat_is_furniture() -> None:
    """A line that comes on every page is no heading, however it looks."""
    lamp = "The Keeper keeps the Lamp lit. " * 25
    page = "Lamp {0}\n\nLamp {1}\n\n" + lamp + "\n\nSALTMARSH BOARD - CONFIDENTIAL\n\nDeed, sheet {2}\n\n{2}\n\n"
    numbers = [(1, 2, 1), (3, 5, 2), (6, 7, 3), (9, 8, 4)]
    parsed = parse("".join(page.format(*each) for each in numbers).encode(), "pages.txt")
    check(parsed)
    assert [kind for kind, _, _ in shown(parsed)] == [*["text"] * 3, *["furniture"] * 3] * 4
    assert parsed.sections == ()


def test_form_feeds_end_pages() -> None:
    """Pages cover the text, from 1, and a page of nothing belongs to the one before."""
    parsed = parse(b"First page.\n\fSecond page.\f\f", "pages.txt")
    check(parsed)
    assert [(page.number, parsed.quote(page)) for page in parsed.pages] == [
        (1, "First page.\n\n"),
        (2, "Second page.\n\n"),
    ]


def test_a_transcript_has_speakers() -> None:
    """Each turn, and each piece of a long one, says who speaks."""
    turn = "The lamp was lit each night of the quarter, and no ship was lost. " * 30
    text = (
        f"Ann Lee: Welcome.\n\nBo -- Chief Keeper: {turn}\n\nAnn Lee: Thank you.\n\nBo -- Chief Keeper: Good night.\n"
    )
    parsed = parse(text.encode(), "call.txt")
    check(parsed)
    speakers = [clause.speaker for clause in parsed.clauses]
    assert speakers == ["Ann Lee", *["Bo -- Chief Keeper"] * (len(speakers) - 3), "Ann Lee", "Bo -- Chief Keeper"]
    assert len(speakers) > 4
    assert parsed.sections == ()


def test_a_long_paragraph_is_cut_at_sentences_that_edits_do_not_move() -> None:
    """A sentence put into a paragraph of many moves the cuts beside it, and no others."""
    lines = [f"Keeper number {number} keeps lamp number {number * 7} of the coast lit." for number in range(120)]
    before = parse(" ".join(lines).encode(), "coast.txt")
    after = parse(" ".join([*lines[:10], "The sea rises.", *lines[10:]]).encode(), "coast.txt")
    check(before)
    texts = {before.quote(clause) for clause in before.clauses}
    assert all(len(text) <= 1600 for text in texts)
    assert len(texts - {after.quote(clause) for clause in after.clauses}) <= 2


@pytest.mark.parametrize(
    ("data", "text", "warnings"),
    [
        ("Gebühr".encode(), "Gebühr", ()),
        ("\ufeffGebühr".encode(), "Gebühr", ()),
        ("Gebühr und mehr".encode("utf-16"), "Gebühr und mehr", ()),
        ("Gebuehr und mehr".encode("utf-16-be"), "Gebuehr und mehr", ()),
        (
            "Gebühr".encode("cp1252"),
            "Gebühr",
            ("The text is not UTF-8 and was read as Windows-1252: accented letters and signs may be wrong.",),
        ),
        (b"one\r\ntwo\rthree\x07", "one\ntwo\nthree ", ()),
        ("soft\u00adhyphen, \ufb01gure, no\u00a0break".encode(), "soft\u00adhyphen, \ufb01gure, no\u00a0break", ()),
    ],
)
def test_the_text_is_the_one_that_was_written(data: bytes, text: str, warnings: tuple[str, ...]) -> None:
    """Only line ends and control characters are changed, whatever the encoding."""
    parsed = parse(data, "a.txt")
    assert (parsed.text, parsed.warnings) == (text, warnings)


PIECES = st.sampled_from(
    [
        *(
            "1. ",
            "2.1 ",
            "(a) ",
            "(i) ",
            "ARTICLE I",
            "ARTICLE II ",
            "EXHIBIT A",
            "Section 4. ",
            "• ",
            "A. ",
            "12",
            "...... 4",
        ),
        *("TERM", "Term and Fees", "The Keeper shall pay. ", "as set out in ", "Ann: ", "and ", "; ", ": ", "     "),
        *(
            "\n",
            "\n\n",
            "\n      ",
            "\f",
            "\t",
            '"Lamp" means ',
            "-2-",
            "x" * 70 + " ",
            ". ",
            "\u00a7 3 ",
            "\u201c",
            "é",
        ),
    ]
)


@given(st.lists(PIECES, max_size=60))
@settings(max_examples=300, deadline=None)
def test_whatever_comes_is_read_whole(pieces: list[str]) -> None:
    """Clauses cover any text, in order and without overlap; sections nest; pages cover it too."""
    text = "".join(pieces)
    if text.strip():
        check(parse(text.encode(), "any.txt"))


@given(st.text(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_characters_are_read(text: str) -> None:
    """Text of any characters is read, or refused as what it is not."""
    with contextlib.suppress(UnknownKind, EmptyDocument):
        check(parse(text.encode(errors="replace"), "any.txt"))
