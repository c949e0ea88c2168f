"""HTML and Markdown: as a reader sees them, with their numbers and without their marks."""

from __future__ import annotations

from tests.documents.texts import check, shown, titles

from segue.activities.documents import parse

HTML = """<!DOCTYPE html>
<html><head><title>Not shown</title><style>p { color: red }</style></head><body>
<h1>Lamp &amp; Log</h1>
<p>The <b>Keeper</b> keeps&nbsp;&nbsp;the&shy;
   Lamp<span hidden>secretly</span>.<br>Every night.</p>
<ol type="a" start="3"><li>Light it.<li>Clean it:<ol type="i"><li>glass</li><li>brass</li></ol></li></ol>
<ul><li>A gull<p>and its nest</p></li></ul>
<table><tr><td>(a)</td><td><p>Beside its number.</p><p>And more.</p></td></tr></table>
<table><tr><th>Ship</th><th>Fee</th></tr><tr><td>Gannet</td><td>USD 10</td></tr></table>
<p style="font-weight: bold">Governing Law</p><div>The law of Saltmarsh.<br><br>And of the sea.</div>
<pre>
1. FEES.  None.

2. TERM.  One
   year.
</pre><script>alert("not shown")</script><!-- nor this -->
</body></html>"""


def test_html_is_read_as_it_is_shown() -> None:
    """White space collapses, lists are numbered, tables become rows, and what is not shown is left out."""
    parsed = parse(HTML.encode(), "lamp.html")
    check(parsed)
    assert [(clause.kind, clause.number, parsed.quote(clause)) for clause in parsed.clauses] == [
        ("heading", "", "Lamp & Log"),
        ("text", "", "The Keeper keeps the Lamp.\nEvery night."),
        ("text", "c", "c. Light it."),
        ("text", "d", "d. Clean it:"),
        ("text", "i", "i. glass"),
        ("text", "ii", "ii. brass"),
        ("text", "", "• A gull"),
        ("text", "", "and its nest"),
        ("text", "(a)", "(a) Beside its number."),
        ("text", "", "And more."),
        ("row", "", "Ship\tFee"),
        ("row", "", "Gannet\tUSD 10"),
        ("heading", "", "Governing Law"),
        ("text", "", "The law of Saltmarsh."),
        ("text", "", "And of the sea."),
        ("text", "1", "1. FEES.  None."),
        ("text", "2", "2. TERM.  One\n   year."),
    ]
    assert titles(parsed) == [
        (1, "", "Lamp & Log"),
        (2, "", "Governing Law"),
        (2, "1", "FEES"),
        (2, "2", "TERM"),
    ]


def test_broken_html_is_read_as_far_as_browsers_would() -> None:
    """Elements that are not closed, or closed twice, lose no text."""
    parsed = parse(b"<html><p>One<p>Two</b></p></p><table><tr><td>Three<td>Four<div>Five", "broken.html")
    check(parsed)
    assert [parsed.quote(clause) for clause in parsed.clauses] == ["One", "Two", "Three\tFour Five"]


def test_html_says_its_charset() -> None:
    """The charset of the declaration, else of the head, decides."""
    page = '<html><head><meta charset="iso-8859-1"></head><body><p>Gebühr</p></body></html>'
    assert parse(page.encode("iso-8859-1"), "a.html").text == "Gebühr"
    assert parse(page.encode(), "a.html", "text/html; charset=utf-8").text == "Gebühr"


MARKDOWN = """---
title: The Deed
redirect: /deed
---

Effective **3 March 2026**, see [the log](https://example.org/log).

## Duties

1. ## Lamp

    1.1 <span class="x">Light.</span>  Keep it
    lit.

    (a) at night; and

    (b) in fog.

2. Log
   - one line a night
   - with `ships`

| Ship | Fee |
|------|-----|
| Gannet | USD 10 |

```
code  stays
```
"""


def test_markdown_is_read_as_it_is_rendered() -> None:
    """Marks, links and tags leave their text; the numbers of lists are written; the head leaves its title."""
    parsed = parse(MARKDOWN.encode(), "deed.md")
    check(parsed)
    assert [(clause.kind, clause.number, parsed.quote(clause)) for clause in parsed.clauses] == [
        ("heading", "", "The Deed"),
        ("text", "", "Effective 3 March 2026, see the log."),
        ("heading", "", "Duties"),
        ("heading", "1", "1. Lamp"),
        ("text", "1.1", "1.1 Light. Keep it lit."),
        ("text", "(a)", "(a) at night; and"),
        ("text", "(b)", "(b) in fog."),
        ("text", "2", "2. Log"),
        ("text", "", "• one line a night"),
        ("text", "", "• with ships"),
        ("row", "", "Ship\tFee"),
        ("row", "", "Gannet\tUSD 10"),
        ("text", "", "code  stays"),
    ]
    assert [section.title for section in parsed.sections] == ["The Deed", "Duties", "Lamp", "Light"]
    assert shown(parse(MARKDOWN.encode(), "deed", "text/markdown")) == shown(parsed)
