"""The reports of a comparison: a page that needs nothing but a browser, and Markdown."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from tests.analysis.test_alignment import document
from tests.analysis.versions import after, before

from segue.activities.comparison import Explanation, Explanations, compare, to_html, to_markdown
from segue.activities.documents import ParsedDocument, parse


class Page(HTMLParser):
    """A page's anchors, links, and text, and whether its elements are nested as they should be."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.addresses: list[str] = []
        self.text: dict[str, str] = {}
        self._open: list[tuple[str, str]] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if id := given.get("id"):
            self.ids.append(id)
        if tag == "a" and (href := given.get("href")):
            self.links.append(href)
        self.addresses += [value for name, value in attrs if name in ("src", "srcset", "href") and value and tag != "a"]
        if tag not in ("meta", "input", "br"):
            self._open.append((tag, id or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for _, id in self._open:
            if id:
                self.text[id] = self.text.get(id, "") + data


def page_of(one: ParsedDocument, other: ParsedDocument, explanations: Explanations | None = None) -> str:
    return to_html(compare(one, other), one, other, explanations)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_each_finding_links_to_its_place_in_both_texts() -> None:
    """A finding's row has an anchor, so has the text on either side, and every link leads to one."""
    one, other = before(), after()
    found = compare(one, other)
    page = Page(to_html(found, one, other))

    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    for finding in found.findings:
        links = {f"#{finding.id}", f"#{finding.id}-before", f"#{finding.id}-after"}
        assert links <= set(page.links)
        if finding.kind != "inserted":
            quotes = "".join(one.quote(place) for place in finding.before)
            assert flat(page.text[f"{finding.id}-before"]) == flat(quotes)
        if finding.kind != "deleted":
            quotes = "".join(other.quote(place) for place in finding.after)
            assert flat(page.text[f"{finding.id}-after"]) == flat(quotes)


def test_what_changed_is_marked() -> None:
    """Deleted and inserted words are marked as such, and what a rule flags within them too."""
    page = page_of(before(), after())

    assert 'The Supplier <a class="mark" id="F2-before-1"></a><del><mark>shall</mark></del> deliver' in page
    assert 'The Supplier <a class="mark" id="F2-after-1"></a><ins><mark>may</mark></ins> deliver' in page
    assert "<mark>10 </mark><ins><mark>business</mark></ins><mark> days</mark>" in page


def test_the_page_needs_nothing_else() -> None:
    """It loads no file, no font and no script, from nowhere."""
    page = page_of(before(), after())

    assert Page(page).addresses == []
    assert re.findall(r"https?:|url\(|@import|<script", page) == []


def test_the_whole_of_both_texts_is_there() -> None:
    """What did not change is folded away, and still there, on both sides."""
    clauses = [
        f"{number}. The lot {number} is kept in the store of that number, dry and cold." for number in range(1, 12)
    ]
    one = parse("\n\n".join(clauses).encode(), "one.txt")
    other = parse("\n\n".join([*clauses[:-1], "11. The lot 11 is sold."]).encode(), "other.txt")
    page = page_of(one, other)

    assert "<summary>8 clauses that did not change</summary>" in page
    assert [page.count(clause) for clause in clauses[:-1]] == [2] * 10


def test_what_a_document_says_is_no_markup() -> None:
    """Text that looks like markup is shown as it stands, in names, numbers and clauses."""
    evil = "<script>alert('x')</script> & <b id=\"F1\">bold</b> is what the clause of this contract says today."
    one = parse(f"{evil}\n\nThe fee is $5.".encode(), "<i>one</i>.txt")
    other = parse(f"{evil}\n\nThe fee is $6.".encode(), "a&b.txt")
    page = page_of(one, other)

    assert "<script" not in page
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &lt;b id=&quot;F1&quot;&gt;bold" in page
    assert "&lt;i&gt;one&lt;/i&gt;.txt" in page
    assert len(Page(page).ids) == len(set(Page(page).ids))


def test_what_a_model_says_is_told_as_such() -> None:
    """A model's words stand beside the rules', under its name, and put the findings in order."""
    said = Explanations(
        engine="small-model",
        explanations=(
            Explanation(finding="F3", text="More flours count as <flour>.", importance=5),
            Explanation(finding="F6", text="", importance=2, removed=1),
        ),
    )
    page = page_of(before(), after(), said)

    assert "Found by rules; explained and put in order by <b>small-model</b>." in page
    assert "<p class='said'>More flours count as &lt;flour&gt;. <small>In the words of small-model.</small></p>" in page
    assert "<p class='said'> <small>1 sentence removed: neither version bears it out.</small></p>" in page
    assert re.findall(r'class="to" href="#(F\d+)"', page)[:3] == ["F3", "F6", "F10"]

    notes = to_markdown(compare(before(), after()), before(), after(), said)
    assert "*More flours count as \\<flour\\>.* (in the words of small-model)\n" in notes
    assert "1 sentence of small-model removed: neither version bears it out.\n" in notes


def test_what_is_in_another_language_is_not_judged() -> None:
    """Reports say that the rules are English, and list what they cannot read by itself, not as of no matter."""
    one, other = (
        parse(text.encode(), "vertrag.txt")
        for text in (
            "Der Mieter darf das Objekt nicht an andere untervermieten.\n\nDie Miete beträgt 900 Euro im Monat.",
            "Der Mieter darf das Objekt an andere untervermieten.\n\nDie Miete beträgt 950 Euro im Monat.",
        )
    )
    found = compare(one, other)
    page, notes = page_of(one, other), to_markdown(found, one, other)

    assert ([f.id for f in found.material], [f.id for f in found.unjudged], found.immaterial) == (["F2"], ["F1"], ())
    told = "The rules are English: 1 difference is in another language and is not judged."
    assert told in page
    assert '<article class="entry"><a class="to" href="#F1">' in page
    assert "The rules are English: 1 difference is in another language, and not judged.\n" in notes
    assert "## Not judged\n\n### F1" in notes
    assert "What else differs" not in notes


def test_versions_that_say_the_same_have_a_page_too() -> None:
    """It says that they do."""
    page = page_of(before(), before())

    assert "The two versions say the same." in page
    assert "<b>0</b> of 0 differences matter. 18 clauses did not change." in page


def test_the_markdown_report() -> None:
    """It tells what matters first, each difference with its words and both its places."""
    fees = [
        [f"1.|The fee is ${fee} a month.", f"2.|It is paid on the first day of {which} month.", f"{last}.|Post it."]
        for fee, which, last in ((500, "each", 3), (750, "the", 4))
    ]
    one, other = (
        document(clauses).model_copy(update={"name": f"a_{number}.txt"}) for number, clauses in enumerate(fees, 1)
    )

    assert to_markdown(compare(one, other), one, other) == (
        "# a\\_1.txt → a\\_2.txt\n"
        "\n"
        "1 of 3 differences matter; 0 clauses did not change. Found by rules; no model took part.\n"
        "\n"
        "| version | clauses | document |\n"
        "|---|---:|---|\n"
        f"| before: a\\_1.txt | 3 | `{one.digest}` |\n"
        f"| after: a\\_2.txt | 3 | `{other.digest}` |\n"
        "\n"
        "## What matters\n"
        "\n"
        "### F1: 1 (edited)\n"
        "\n"
        "- **money**: the amount changes from $500 to $750 (+50 %)\n"
        "\n"
        "> before: 1. The fee is $~~500~~ a month.\n"
        "\n"
        "> after: 1. The fee is $**750** a month.\n"
        "\n"
        "before 0-27 · after 0-27\n"
        "\n"
        "## What else differs\n"
        "\n"
        "### F2: 2 (edited)\n"
        "\n"
        "> before: 2. It is paid on the first day of ~~each~~ month.\n"
        "\n"
        "> after: 2. It is paid on the first day of **the** month.\n"
        "\n"
        "before 29-74 · after 29-73\n"
        "\n"
        "### F3: 3 → 4 (renumbered)\n"
        "\n"
        "before 76-87 · after 75-86\n"
    )
