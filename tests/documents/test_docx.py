"""Word documents: headings, the numbers that Word works out, tables, notes, and what a reader does not see."""

from __future__ import annotations

import io

import docx
from tests.documents.files import docx as made
from tests.documents.files import paragraph
from tests.documents.texts import check, shown, titles

from segue.activities.documents import parse

STYLES = """
<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="Clause1"><w:name w:val="heading 1"/>
  <w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Clause2"><w:name w:val="Clause 2"/><w:basedOn w:val="Normal"/>
  <w:pPr><w:numPr><w:ilvl w:val="1"/><w:numId w:val="1"/></w:numPr></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Outlined"><w:name w:val="Part"/>
  <w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="TOC1"><w:name w:val="toc 1"/></w:style>
"""


def level(depth: int, format_: str, text: str, more: str = "") -> str:
    kind = f'<w:start w:val="1"/><w:numFmt w:val="{format_}"/>{more}<w:lvlText w:val="{text}"/>'
    return f'<w:lvl w:ilvl="{depth}">{kind}</w:lvl>'


NUMBERING = (
    '<w:abstractNum w:abstractNumId="0">'
    + level(0, "decimal", "%1.")
    + level(1, "decimal", "%1.%2")
    + level(2, "lowerLetter", "(%3)")
    + level(3, "lowerRoman", "(%4)")
    + "</w:abstractNum>"
    + '<w:abstractNum w:abstractNumId="1">'
    + level(0, "upperRoman", "Article %1")
    + level(1, "decimal", "%1.%2", "<w:isLgl/>")
    + "</w:abstractNum>"
    + '<w:abstractNum w:abstractNumId="2">'
    + level(0, "bullet", "\uf0b7")
    + "</w:abstractNum>"
    + '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    + '<w:num w:numId="2"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/>'
    + "</w:lvlOverride></w:num>"
    + '<w:num w:numId="3"><w:abstractNumId w:val="1"/></w:num>'
    + '<w:num w:numId="4"><w:abstractNumId w:val="2"/></w:num>'
)


def test_the_numbers_that_word_works_out_are_in_the_text() -> None:
    """Numbers of styles and lists, on several levels, restarted and overridden, are those that Word prints."""
    body = (
        paragraph("Services", style="Clause1")
        + paragraph("Keeper keeps the Lamp:", style="Clause2")
        + paragraph("lit;", numbers=(1, 2))
        + paragraph("at night:", numbers=(1, 3))
        + paragraph("every night.", numbers=(1, 3))
        + paragraph("clean.", numbers=(1, 2))
        + paragraph("Board pays.", style="Clause2")
        + paragraph("Fees", style="Clause1")
        + paragraph("None.", style="Clause2")
        + paragraph("A list of its own begins", numbers=(2, 0))
        + paragraph("and goes on", numbers=(2, 0))
        + paragraph("Term", numbers=(3, 0))
        + paragraph("One year.", numbers=(3, 1))
        + paragraph("a gull", numbers=(4, 0))
        + paragraph("no number", style="Clause2", numbers=(0, 0))
    )
    parsed = parse(made(body, styles=STYLES, numbering=NUMBERING), "numbers.docx")
    check(parsed)
    assert [parsed.quote(clause) for clause in parsed.clauses] == [
        "1. Services",
        "1.1 Keeper keeps the Lamp:",
        "(a) lit;",
        "(i) at night:",
        "(ii) every night.",
        "(b) clean.",
        "1.2 Board pays.",
        "2. Fees",
        "2.1 None.",
        "1. A list of its own begins",
        "2. and goes on",
        "Article I Term",
        "1.1 One year.",
        "• a gull",
        "no number",
    ]
    assert [clause.number for clause in parsed.clauses] == [
        *("1", "1.1", "(a)", "(i)", "(ii)", "(b)", "1.2", "2", "2.1", "1", "2", "I", "1.1", "", "")
    ]
    assert titles(parsed)[:2] == [(1, "1", "Services"), (1, "2", "Fees")]


def test_headings_by_style_by_outline_and_by_look() -> None:
    """A heading is what its style's name or outline level says, or, where nothing does, what is set in bold."""
    body = (
        paragraph("THE DEED", style="Outlined")
        + paragraph("Between us.")
        + paragraph("Governing Law", bold=True)
        + paragraph("The law of Saltmarsh.")
        + paragraph("1 Introduction 3", style="TOC1")
    )
    parsed = parse(made(body, styles=STYLES), "headings.docx")
    check(parsed)
    assert shown(parsed) == [
        ("heading", "", "THE DEED"),
        ("text", "", "Between us."),
        ("heading", "", "Governing Law"),
        ("text", "", "The law of Saltmarsh."),
        ("contents", "", "1 Introduction 3"),
    ]
    assert titles(parsed) == [(1, "", "THE DEED"), (2, "", "Governing Law")]


def test_tables_of_data_and_of_layout() -> None:
    """A table of data becomes rows; a number beside its text, as layouts have them, becomes a clause."""

    def table(*rows: list[str]) -> str:
        return (
            "<w:tbl>"
            + "".join("<w:tr>" + "".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) + "</w:tr>" for row in rows)
            + "</w:tbl>"
        )

    body = table(["Ship", "Fee"], ["Gannet", "USD 10"]) + table(["(a)", "Keep the Lamp lit."]) + table(["Alone."])
    parsed = parse(made(body), "tables.docx")
    check(parsed)
    assert [(clause.kind, clause.number, parsed.quote(clause)) for clause in parsed.clauses] == [
        ("row", "", "Ship\tFee"),
        ("row", "", "Gannet\tUSD 10"),
        ("text", "(a)", "(a) Keep the Lamp lit."),
        ("text", "", "Alone."),
    ]


def test_changes_notes_and_what_is_hidden() -> None:
    """Insertions are in, deletions and hidden text are out; notes stand at the end; a warning says what was taken."""
    body = (
        "<w:p><w:r><w:t>Fee: </w:t></w:r><w:del><w:r><w:delText>10</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>12</w:t></w:r></w:ins><w:r><w:rPr><w:vanish/></w:rPr><w:t> secret</w:t></w:r>"
        '<w:r><w:footnoteReference w:id="2"/></w:r><w:r><w:t> a night</w:t><w:noBreakHyphen/><w:t>time</w:t><w:br/>'
        "<w:t>or day</w:t></w:r><w:r><w:t>con</w:t><w:softHyphen/><w:t>\ufb01rmed</w:t></w:r></w:p>"
        "<w:sdt><w:sdtContent>" + paragraph("In a form field.") + "</w:sdtContent></w:sdt>"
    )
    notes = "".join(
        f'<w:footnote w:id="{number}">{paragraph(text)}</w:footnote>'
        for number, text in ((1, "separator"), (2, "Or so."))
    )
    parsed = parse(made(body, footnotes=notes), "changes.docx")
    check(parsed)
    assert [parsed.quote(clause) for clause in parsed.clauses] == [
        "Fee: 12 a night-time\nor dayconfirmed",
        "In a form field.",
        "[1] Or so.",
    ]
    assert parsed.warnings == ("It has tracked changes, and was read as if all were accepted.",)


def test_what_python_docx_writes_is_read() -> None:
    """A document of the library's own template, with its styles, reads as it was written."""
    document = docx.Document()
    document.add_heading("Lighthouse Deed", 0)
    document.add_heading("Duties", 1)
    document.add_paragraph("Keep the Lamp lit.", style="List Number")
    document.add_paragraph("Keep it clean.", style="List Number")
    document.add_paragraph("Gulls are welcome.", style="List Bullet")
    data = io.BytesIO()
    document.save(data)
    parsed = parse(data.getvalue(), "deed.docx")
    check(parsed)
    assert shown(parsed) == [
        ("heading", "", "Lighthouse Deed"),
        ("heading", "", "Duties"),
        ("text", "1", "1. Keep the Lamp lit."),
        ("text", "2", "2. Keep it clean."),
        ("text", "", "• Gulls are welcome."),
    ]
    assert parsed.media_type == "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
