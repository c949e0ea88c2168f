"""Summaries of a document's own sentences, and of a model's that its sources bear out."""

from __future__ import annotations

import json
import sys

import pytest
from tests.analysis.calls import call
from tests.analysis.test_reports import Page
from tests.analysis.versions import before

from segue.activities.comparison.values import figures_of
from segue.activities.documents import ParsedDocument, parse
from segue.activities.summary import Part, Summary, Topic, summarise, to_html, to_markdown
from segue.activities.summary._plan import planned  # pyright: ignore[reportPrivateUsage]
from segue.activities.summary._sentences import sentences_of  # pyright: ignore[reportPrivateUsage]
from segue.activities.summary._writing import (  # pyright: ignore[reportPrivateUsage]
    Source,
    is_borne_out,
    sources_of,
    written,
)


def texts(summary: Summary) -> dict[str, list[str]]:
    return {part.title: [one.text for one in part.statements] for part in summary.parts}


def document(text: str) -> ParsedDocument:
    return parse(text.encode(), "document.md")


def test_a_call_is_read_for_results_outlook_and_answers() -> None:
    """Its parts tell the figures, what is expected, and what was answered; ceremony and questions are left out."""
    found = summarise(call(), words=110)

    assert found.kind == "call"
    assert texts(found) == {
        "Results": [
            "Revenue in the third quarter was $84.2 million, which increased 12% year over year.",
            "Gross margin was 41.5%, compared to 39.8% in the same quarter last year.",
            "Net income was $9.1 million, or $0.61 per diluted share.",
        ],
        "Outlook": [
            "We now expect full year revenue in the range of $330 million to $336 million.",
        ],
        "Business": [
            "Our kettles are sold in 2,300 stores, and we opened a second warehouse in Rotterdam to serve customers "
            "in the north."
        ],
        "Questions and answers": [
            "Pricing was four points of the growth, and volume was eight points.",
            "Orders in October were up 9%, which is in line with our guidance.",
        ],
    }
    assert found.parts[0].statements[0].speaker == "Ben Okafor"
    assert found.words <= 110
    assert found.engines == ("extractive",)


@pytest.mark.parametrize("words", [20, 60, 150, 1000])
def test_every_sentence_is_the_document_s_own(words: int) -> None:
    """Each is within the words, cites the place where it stands word for word, and so has no figure of its own."""
    for source in (call(), before()):
        found = summarise(source, words=words)

        assert found.words <= words
        for part in found.parts:
            for one in part.statements:
                [citation] = one.citations
                assert citation.document == source.digest
                assert " ".join(source.quote(citation).split()) == one.text
                assert {value.canonical for value in figures_of(one.text)} <= {
                    value.canonical for value in figures_of(source.text)
                }
        said = [one.text for part in found.parts for one in part.statements]
        assert len(said) == len(set(said))


def test_a_contract_is_read_for_who_owes_what() -> None:
    """Its parts are those that a contract is read for."""
    found = summarise(before(), words=120)

    assert found.kind == "contract"
    assert [part.title for part in found.parts] == ["Parties", "Subject", "Money", "Term and end", "Risk"]
    assert "The liability of each party is limited to £100,000 in each year of this Agreement." in texts(found)["Risk"]


def test_any_other_document_is_read_by_its_sections() -> None:
    """Sections that are central to it have a part each; those that it has no room for are named."""
    sections = {
        "Bees": "Bees dance to tell where flowers are. The dance of bees gives the direction of the flowers.",
        "Hives": "A hive holds the bees of one queen. In winter the hive is closed. Bees keep warm by their dance.",
        "Weather": "It rained on Monday.",
    }
    source = document("# Keeping bees\n\n" + "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items()))
    found = summarise(source, words=75)

    assert found.kind == "document"
    assert [part.title for part in found.parts] == ["Bees", "Hives"]
    assert found.left_out == ("Weather",)


def test_topics_may_be_one_s_own() -> None:
    """A reader who wants to know of one thing is told of it."""
    found = summarise(call(), words=60, topics=[Topic(title="Shareholders", cues=("repurchased", "dividend"))])

    assert texts(found)["Shareholders"] == [
        "Free cash flow was $11.4 million, and we repurchased shares for $5 million."
    ]


def test_a_document_that_says_nothing_has_an_empty_summary() -> None:
    """There is nothing to cite, and so nothing is said."""
    found = summarise(document("# Title\n\n## Another\n"), words=50)

    assert (found.parts, found.words, found.sentences) == ((), 0, 0)


def test_too_short_a_summary_is_refused() -> None:
    """It would say nothing."""
    with pytest.raises(ValueError, match=r"^a summary of 5 words says nothing: give words=20 or more$"):
        summarise(call(), words=5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It grew. It shrank! Did it? Yes.", ["It grew.", "It shrank!", "Did it?", "Yes."]),
        ("Acme Inc. pays J. Doe $3.5 million. So it is.", ["Acme Inc. pays J. Doe $3.5 million.", "So it is."]),
        ("See No. 5 (cf. Art. 7. above). It says so.", ["See No. 5 (cf. Art. 7. above).", "It says so."]),
        ('He said "stop." Then he went.', ['He said "stop."', "Then he went."]),
        ("It was up, e.g. in the U.S. by 5%. Costs fell.", ["It was up, e.g. in the U.S. by 5%.", "Costs fell."]),
        ("• One thing is here.", ["One thing is here."]),
    ],
)  # fmt: skip
def test_where_sentences_end(text: str, expected: list[str]) -> None:
    """A dot after an abbreviation, an initial, or within parentheses ends no sentence."""
    assert [one.text for one in sentences_of(parse(text.encode(), "a.txt"))] == expected


SOURCE = "Revenue in the third quarter was $84.2 million, which increased 12% year over year at Larkspur Kettles."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Revenue increased 12% to $84.2 million in the third quarter.", True),
        ("Revenue rose 12 percent, to 84.2 million dollars, in the third quarter.", True),
        ("Revenue increased 21% to $84.2 million in the third quarter.", False),
        ("Revenue increased 12% to $84.2 billion in the third quarter.", False),
        ("Revenue at Primrose increased 12% in the third quarter.", False),
        ("Investors were delighted by what management achieved.", False),
        ("In the third quarter, Larkspur revenue increased.", True),
    ],
)
def test_what_a_source_bears_out(text: str, expected: bool) -> None:
    """A sentence is borne out if its figures and names are the source's, and enough of its words."""
    assert is_borne_out(text, [SOURCE]) == expected


def results() -> tuple[ParsedDocument, tuple[Source, ...]]:
    source = call()
    part = next(one for one in planned(source, words=110).parts if one.title == "Results")
    return source, sources_of(part)


def test_a_model_s_sentences_are_kept_if_they_are_borne_out() -> None:
    """What cites nothing, or something else, is removed; what is kept cites its sources."""
    source, sources = results()
    quotes = [" ".join(source.quote(one.span).split()) for one in sources]
    revenue = next(number for number, text in enumerate(quotes, 1) if text.startswith("Revenue"))
    margin = next(number for number, text in enumerate(quotes, 1) if text.startswith("Gross"))
    answer = json.dumps(
        {
            "sentences": [
                {"text": "Revenue increased 12% to $84.2 million.", "sources": [revenue]},
                {"text": "Gross margin was 41.5% on revenue of $84.2 million.", "sources": [margin, revenue]},
                {"text": "Gross margin was 41.5% on revenue of $84.2 million, too.", "sources": [margin]},
                {"text": "Revenue increased 12%.", "sources": []},
                {"text": "Revenue increased 12%.", "sources": [99]},
                {"text": "Revenue doubled to $168 million.", "sources": [revenue]},
            ]
        }
    )
    part = written(answer, source, "Results", sources, engine="small", words=60)

    assert [(one.text, len(one.citations), one.verbatim, one.supported) for one in part.statements] == [
        ("Revenue increased 12% to $84.2 million.", 1, False, True),
        ("Gross margin was 41.5% on revenue of $84.2 million.", 2, False, True),
    ]
    assert source.quote(part.statements[0].citations[0]) == quotes[revenue - 1]
    assert (part.engine, part.removed) == ("small", 4)


def test_what_is_not_borne_out_is_marked_if_that_is_asked_for() -> None:
    """It stays, and says that it is not supported; what cites nothing is removed all the same."""
    source, sources = results()
    answer = json.dumps(
        {
            "sentences": [
                {"text": "Revenue doubled to $168 million.", "sources": [1]},
                {"text": "It rains.", "sources": []},
            ]
        }
    )
    part = written(answer, source, "Results", sources, engine="small", words=60, unsupported="mark")

    assert [(one.text, one.supported) for one in part.statements] == [("Revenue doubled to $168 million.", False)]
    assert part.removed == 1


@pytest.mark.parametrize("answer", ["no JSON", "{}", '{"sentences": [{"text": "x"}]}', '{"sentences": "x"}'])
def test_an_answer_of_another_form_says_nothing(answer: str) -> None:
    """It becomes no part of the summary."""
    source, sources = results()

    assert written(answer, source, "Results", sources, engine="small", words=60) == Part(
        title="Results", statements=(), engine="small"
    )


def test_a_part_keeps_to_its_words() -> None:
    """Sentences beyond them are left out, and are no fault of the model's."""
    source, sources = results()
    sentence = {
        "text": "Revenue increased 12% to $84.2 million in the third quarter.",
        "sources": list(range(1, len(sources) + 1)),
    }
    part = written(json.dumps({"sentences": [sentence] * 3}), source, "Results", sources, engine="small", words=21)

    assert (len(part.statements), part.removed) == (2, 0)


def test_the_page_stands_by_itself_and_each_sentence_links_to_its_source() -> None:
    """Every link leads to a source, which shows the sentence within its paragraph; nothing is loaded."""
    source = call()
    found = summarise(source, words=110)
    html = to_html(found, source)
    page = Page(html)

    assert len(page.links) == sum(len(part.statements) for part in found.parts)
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert page.addresses == []
    assert found.parts[0].statements[0].text in " ".join(page.text["s1"].split())
    assert "No model took part." in html


def test_what_a_document_says_is_no_markup() -> None:
    """Names and sentences that look like markup are shown as they stand."""
    source = parse(b"The <b>dance</b> of bees & flowers tells the way to <script>fields</script> of clover.", "<i>.txt")
    html = to_html(summarise(source, words=50), source)

    assert "<script" not in html
    assert "The &lt;b&gt;dance&lt;/b&gt; of bees &amp; flowers" in html


def test_the_markdown_summary() -> None:
    """It has a note for each sentence, with its place and its words."""
    source = parse(b"# Bees\n\nBees dance to tell where the flowers are.\n", "bees_1.md")

    assert to_markdown(summarise(source, words=30), source) == (
        "# bees\\_1.md\n"
        "\n"
        f"8 words of 1 sentence, document `{source.digest}`. Sentences of the document, word for word. "
        "No model took part.\n"
        "\n"
        "## Bees\n"
        "\n"
        "- Bees dance to tell where the flowers are.[^1]\n"
        "\n"
        "[^1]: 6-47: “Bees dance to tell where the flowers are.”\n"
    )


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the error says what to install."""
    monkeypatch.setitem(sys.modules, "numpy", None)

    with pytest.raises(ImportError, match=r'^Summarising documents needs numpy: pip install "segue\[documents\]"$'):
        summarise(call())


def test_a_document_in_a_script_without_spaces_is_summarised() -> None:
    """Its words are counted by their characters, and it has no empty heading."""
    sentences = "承租人应在三十日内支付租金。出租人应修理屋顶。任何一方可以提前九十日书面通知终止合同。"
    source = parse(f"租赁合同\n\n{sentences}\n".encode(), "lease.txt")
    found = summarise(source, words=40)

    assert "".join(one.text for part in found.parts for one in part.statements) == sentences
    assert found.words == 21
    assert [part.title for part in found.parts] == [""]
    assert "##  \n" not in to_markdown(found, source)
    assert "## \n" not in to_markdown(found, source)


def test_a_summary_that_tells_nothing_says_so() -> None:
    """A document of headings alone leaves nothing to choose, and both reports say that."""
    source = parse(b"# Title\n", "title.md")
    found = summarise(source, words=40)
    told = "No sentence of the document could be chosen: this summary tells nothing of it."

    assert found.parts == ()
    assert told in to_markdown(found, source)
    assert told in to_html(found, source)
