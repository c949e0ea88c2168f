"""Markdown (CommonMark with tables): as a reader sees it rendered, with the numbers of lists, without its marks.

Links and images leave their text; HTML within it leaves what stands between its tags; a YAML head is left out, but for
its title.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from segue.activities.documents.errors import DocumentTooLarge
from segue.activities.documents.limits import Limits
from segue.activities.documents.readers import characters, libraries
from segue.activities.documents.readers.plain import verbatim
from segue.activities.documents.structure.blocks import Reading, Writer

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["read"]

_FRONT: Final = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE: Final = re.compile(r"^title:\s*(['\"]?)(.+?)\1\s*$", re.MULTILINE)
_TAG: Final = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]*>", re.DOTALL)
_BREAK: Final = re.compile(r"<br\s*/?>", re.IGNORECASE)


def read(text: str, name: str, limits: Limits, warnings: list[str]) -> Reading:
    """Return the rendered text and its blocks.

    Raises:
        DocumentTooLarge: Its quotes and lists are nested too deep.
        ImportError: markdown-it-py is not installed.
    """
    libraries.imported("markdown_it", "Markdown needs markdown-it-py")
    from markdown_it import MarkdownIt

    source = verbatim(text).replace("\f", "\n")
    writer = Writer()
    writer.warnings = warnings
    if front := _FRONT.match(source):
        source = source[front.end() :]
        if title := _TITLE.search(front[1]):
            writer.block(title[2], level=1)
    # What lies deeper than that markdown-it leaves out without a word, and most of its callers let it have 20.
    rendering = MarkdownIt("commonmark", {"maxNesting": limits.nesting + 1}).enable(["table", "strikethrough"])
    tokens = rendering.parse(source)
    if any(token.nesting == 1 and token.level >= limits.nesting for token in tokens):
        raise DocumentTooLarge(
            f"Document {name!r} nests quotes and lists over {limits.nesting} deep: it is broken or hostile, or raise "
            "Limits.nesting",
            name,
        )
    _Rendering(writer).take(tokens)
    return writer.reading()


class _Rendering:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._lists: list[int | None] = []
        self._label = ""
        self._level = 0
        self._cells: list[str] | None = None

    def take(self, tokens: list[Token]) -> None:
        for token in tokens:
            match token.type:
                case "heading_open":
                    self._level = int(token.tag[1:])
                case "heading_close":
                    self._level = 0
                case "ordered_list_open":
                    self._lists.append(int(token.attrGet("start") or 1))
                case "bullet_list_open":
                    self._lists.append(None)
                case "ordered_list_close" | "bullet_list_close":
                    self._lists.pop()
                case "list_item_open":
                    self._item(token)
                case "list_item_close":
                    self._label = ""
                case "tr_open":
                    self._cells = []
                case "tr_close":
                    self._writer.block("\t".join(self._cells or []), kind="row", separator="\n")
                    self._cells = None
                case "inline":
                    self._inline(token)
                case "fence" | "code_block":
                    self._block(token.content, code=True)
                case "html_block":
                    self._block(_TAG.sub("", _BREAK.sub("\n", token.content)))
                case _:
                    pass

    def _item(self, token: Token) -> None:
        number = self._lists[-1]
        if number is None:
            self._label = "•"
        else:
            self._label = f"{token.info or number}{token.markup or '.'}"
            self._lists[-1] = number + 1

    def _inline(self, token: Token) -> None:
        text, strong = _rendered(token.children or [])
        if self._cells is not None:
            self._cells.append(" ".join(characters.cleaned(text).split()))
        else:
            self._block(text, strong=strong)

    def _block(self, text: str, *, strong: bool = False, code: bool = False) -> None:
        text = characters.cleaned(text) if code else characters.line(text)
        if text.strip():
            label, self._label = self._label, ""
            # A heading in a list's item is a heading with a number.
            depth = 0 if self._level else len(self._lists)
            self._writer.block(text, level=self._level, label=label, depth=depth if label else 0, strong=strong)


def _rendered(children: list[Token]) -> tuple[str, bool]:
    """Return the text of inline content, and whether all of it is strong."""
    parts: list[str] = []
    nesting = plain = 0
    for child in children:
        match child.type:
            case "strong_open":
                nesting += 1
            case "strong_close":
                nesting -= 1
            case "text" | "code_inline":
                parts.append(child.content)
                plain += nesting == 0 and bool(child.content.strip())
            case "softbreak":
                parts.append(" ")
            case "hardbreak":
                parts.append("\n")
            case "image":
                parts.append(_rendered(child.children or [])[0])
            case "html_inline":
                parts.append("\n" if _BREAK.fullmatch(child.content) else "")
            case _:
                pass
    return "".join(parts), bool(parts) and plain == 0
