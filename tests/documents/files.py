"""Files of other kinds than text, made for the tests: DOCX by its parts, PDF by fpdf2, mail by the standard library."""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage
from typing import Any

from fpdf import FPDF

__all__ = ["Pages", "docx", "mail", "paragraph", "pdf"]

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="'
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONSHIPS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
)


def paragraph(text: str, *, style: str = "", numbers: tuple[int, int] | None = None, bold: bool = False) -> str:
    """The XML of a paragraph: its text, its style, and the list and the level that it is in."""
    properties = f'<w:pStyle w:val="{style}"/>' if style else ""
    if numbers is not None:
        properties += f'<w:numPr><w:ilvl w:val="{numbers[1]}"/><w:numId w:val="{numbers[0]}"/></w:numPr>'
    run = "<w:rPr><w:b/></w:rPr>" if bold else ""
    return f'<w:p><w:pPr>{properties}</w:pPr><w:r>{run}<w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def docx(body: str, **parts: str) -> bytes:
    """A Word document of a body's XML, and of further parts by their names: styles, numbering, footnotes."""
    relationships = "".join(
        f'<Relationship Id="r{number}" Type="{_OFFICE}/{name}" Target="{name}.xml"/>'
        for number, name in enumerate(parts)
    )
    files = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": f'{_RELATIONSHIPS}<Relationship Id="r1" Type="{_OFFICE}/officeDocument" '
        'Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f"{_RELATIONSHIPS}{relationships}</Relationships>",
        "word/document.xml": f'<?xml version="1.0"?><w:document {W}><w:body>{body}</w:body></w:document>',
        **{f"word/{name}.xml": f'<?xml version="1.0"?><w:{name} {W}>{xml}</w:{name}>' for name, xml in parts.items()},
    }
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


class Pages(FPDF):
    """Pages with a header and a footer, as reports have."""

    head = ""
    foot = ""

    def header(self) -> None:
        if self.head:
            self.set_font("Helvetica", "I", 9)
            self.cell(0, 8, self.head.format(self.page_no()), align="C")
            self.ln(12)

    def footer(self) -> None:
        if self.foot:
            self.set_y(-15)
            self.set_font("Helvetica", "", 8)
            self.cell(0, 8, self.foot.format(self.page_no()), align="C")


def pdf(*blocks: tuple[str, str, int] | None, head: str = "", foot: str = "", **options: Any) -> bytes:
    """A PDF of paragraphs, each with its style and size; None begins a page."""
    pages = Pages(**options)
    pages.head, pages.foot = head, foot
    pages.add_page()
    for block in blocks:
        if block is None:
            pages.add_page()
            continue
        text, style, size = block
        pages.set_font("Helvetica", style, size)
        pages.multi_cell(0, size * 0.5, text, align="L")
        pages.ln(4)
    return bytes(pages.output())


def mail(text: str | None = None, html: str | None = None, subject: str = "The lamp", **headers: str) -> EmailMessage:
    """A mail; attach to it what a test needs."""
    message = EmailMessage()
    message["From"] = "Ann Lee <ann@saltmarsh.example>"
    message["To"] = "keeper@northpier.example"
    message["Subject"] = subject
    message["Date"] = "Tue, 03 Mar 2026 09:00:00 +0000"
    message["Message-ID"] = "<1@saltmarsh.example>"
    for name, value in headers.items():
        message[name] = value
    if text is not None:
        message.set_content(text)
    if html is not None:
        if text is None:
            message.set_content(html, subtype="html")
        else:
            message.add_alternative(html, subtype="html")
    return message
