"""The numbers that Word works out: from a paragraph's list, the list's levels, and the numbers before it.

    numbering = Numbering(numbering_xml, styles)
    label, depth = numbering.next(paragraph_properties, style)      # "4.2", 2

ECMA-376 part 1, 17.9 says how: a list has an abstract definition that other lists may share, and then they go on
counting from one another; a level's text such as `%1.%2` has the numbers of the levels above in it.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from segue.activities.documents.readers.elements import Element
from segue.activities.documents.structure.numerals import numeral

__all__ = ["Numbering", "Styles", "W"]

W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"

_PLACE: Final = re.compile(r"%([1-9])")
_HEADING: Final = re.compile(r"heading ([1-9])", re.IGNORECASE)
_LONGEST_CHAIN: Final = 30


class Styles:
    """The styles of a document, each with what it takes from the one that it is based on."""

    def __init__(self, root: Element | None) -> None:
        found = root.iter(f"{W}style") if root is not None else ()
        self._styles: dict[str, Element] = {style.get(f"{W}styleId", ""): style for style in found}
        self._default = next(
            (
                name
                for name, style in self._styles.items()
                if style.get(f"{W}type") == "paragraph" and style.get(f"{W}default") in ("1", "true")
            ),
            "",
        )
        self._levels: dict[str, int] = {}
        self._bold: dict[str, bool] = {}

    def of(self, properties: Element | None) -> str:
        """Return the id of a paragraph's style."""
        style = _value(properties, "pStyle")
        return style if style else self._default

    def name(self, style: str) -> str:
        """Return the name of a style; empty if there is no such style."""
        return _value(self._styles.get(style), "name") or ""

    def level(self, properties: Element | None, style: str) -> int:
        """Return the level of a heading, from 1; 0 for a paragraph that is none."""
        own = _value(properties, "outlineLvl")
        if own is not None and own.isdigit():
            return int(own) + 1 if int(own) < 9 else 0
        if style not in self._levels:
            self._levels[style] = self._level_of(style)
        return self._levels[style]

    def is_bold(self, style: str) -> bool:
        """Return whether a style sets its paragraphs in bold."""
        if style not in self._bold:
            runs = (self._styles[one].find(f"{W}rPr") for one in self.chain(style))
            bold = next((b for rpr in runs if rpr is not None and (b := rpr.find(f"{W}b")) is not None), None)
            self._bold[style] = bold is not None and bold.get(f"{W}val", "true") not in ("0", "false", "off")
        return self._bold[style]

    def chain(self, style: str) -> list[str]:
        """Return a style and those that it is based on, the nearest first."""
        found: list[str] = []
        while style in self._styles and style not in found and len(found) < _LONGEST_CHAIN:
            found.append(style)
            style = _value(self._styles[style], "basedOn") or ""
        return found

    def numbered(self, style: str) -> tuple[str | None, str | None]:
        """Return the list and the level that a style puts its paragraphs in; None where it does not say."""
        for one in self.chain(style):
            properties = self._styles[one].find(f"{W}pPr")
            numbers = properties.find(f"{W}numPr") if properties is not None else None
            if numbers is not None:
                return _value(numbers, "numId"), _value(numbers, "ilvl")
        return None, None

    def _level_of(self, style: str) -> int:
        for one in self.chain(style):
            level = _value(self._styles[one].find(f"{W}pPr"), "outlineLvl")
            if level is not None and level.isdigit():
                return int(level) + 1 if int(level) < 9 else 0
            name = self.name(one)
            if (heading := _HEADING.fullmatch(name)) is not None:
                return int(heading[1])
            if name.lower() == "title":
                return 1
        return 0


@dataclasses.dataclass(slots=True)
class _Level:
    start: int = 1
    format: str = "decimal"
    text: str = ""
    legal: bool = False
    restart: int | None = None
    style: str = ""


class Numbering:
    """The lists of a document, and how far each has counted."""

    def __init__(self, root: Element | None, styles: Styles) -> None:
        self._styles = styles
        self._abstract: dict[str, dict[int, _Level]] = {}
        self._of: dict[str, str] = {}
        self._overrides: dict[str, dict[int, int]] = {}
        self._counts: dict[str, dict[int, int]] = {}
        self._started: set[tuple[str, int]] = set()
        if root is not None:
            self._read(root)

    def next(self, properties: Element | None, style: str) -> tuple[str, int]:
        """Count the next paragraph, and return its number as printed and how deep it is; ("", 0) if it has none."""
        numbers = properties.find(f"{W}numPr") if properties is not None else None
        identifier, level = self._styles.numbered(style)
        if numbers is not None:
            identifier = _value(numbers, "numId") or identifier
            level = _value(numbers, "ilvl") or (level if identifier is not None else None)
        if identifier is None or identifier == "0" or identifier not in self._of:
            return "", 0
        levels = self._abstract.get(self._of[identifier], {})
        depth = int(level) if level is not None and level.isdigit() else self._level_of_style(levels, style)
        if depth not in levels:
            return "", 0
        return self._counted(identifier, levels, depth), depth + 1

    def _counted(self, identifier: str, levels: dict[int, _Level], depth: int) -> str:
        counts = self._counts.setdefault(self._of[identifier], {})
        override = self._overrides.get(identifier, {})
        if depth in override and (identifier, depth) not in self._started:
            self._started.add((identifier, depth))
            counts[depth] = override[depth]
        elif depth in counts:
            counts[depth] += 1
        else:
            counts[depth] = levels[depth].start
        for deeper in [other for other in counts if other > depth]:
            # A level begins again after any level above it, or after the one that it names.
            restart = levels[deeper].restart if deeper in levels else None
            if restart is None or depth < restart:
                del counts[deeper]
        for above in range(depth):
            if above in levels and above not in counts:
                counts[above] = levels[above].start
        own = levels[depth]
        if own.format == "bullet":
            return "•"
        if own.format == "none" and not _PLACE.search(own.text):
            return own.text.strip()

        def number(match: re.Match[str]) -> str:
            at = int(match[1]) - 1
            if at not in levels or at > depth:
                return ""
            return numeral(counts.get(at, levels[at].start), "decimal" if own.legal else levels[at].format)

        return _PLACE.sub(number, own.text).strip()

    def _read(self, root: Element) -> None:
        links: dict[str, str] = {}
        named: dict[str, str] = {}
        for abstract in root.iter(f"{W}abstractNum"):
            identifier = abstract.get(f"{W}abstractNumId", "")
            self._abstract[identifier] = dict(_levels(abstract))
            if link := _value(abstract, "numStyleLink"):
                links[identifier] = link
            if name := _value(abstract, "styleLink"):
                named[name] = identifier
        for identifier, link in links.items():
            # A list that is defined by the style of another.
            self._abstract[identifier] = self._abstract.get(named.get(link, ""), {})
        for number in root.iter(f"{W}num"):
            identifier = number.get(f"{W}numId", "")
            self._of[identifier] = _value(number, "abstractNumId") or ""
            for override in number.iter(f"{W}lvlOverride"):
                level = override.get(f"{W}ilvl", "")
                start = _value(override, "startOverride")
                if level.isdigit() and start is not None and start.isdigit():
                    self._overrides.setdefault(identifier, {})[int(level)] = int(start)

    @staticmethod
    def _level_of_style(levels: dict[int, _Level], style: str) -> int:
        return next((depth for depth, level in levels.items() if level.style == style), 0)


def _levels(element: Element) -> list[tuple[int, _Level]]:
    found: list[tuple[int, _Level]] = []
    for level in element.iter(f"{W}lvl"):
        depth = level.get(f"{W}ilvl", "")
        if not depth.isdigit():
            continue
        start, restart, legal = _value(level, "start"), _value(level, "lvlRestart"), level.find(f"{W}isLgl")
        found.append(
            (
                int(depth),
                _Level(
                    start=int(start) if start is not None and start.isdigit() else 1,
                    format=_value(level, "numFmt") or "decimal",
                    text=_value(level, "lvlText") or "",
                    legal=legal is not None and legal.get(f"{W}val", "true") not in ("0", "false"),
                    restart=int(restart) if restart is not None and restart.isdigit() else None,
                    style=_value(level, "pStyle") or "",
                ),
            )
        )
    return found


def _value(element: Element | None, child: str) -> str | None:
    """Return the value of a child element; None if there is none."""
    if element is None:
        return None
    found = element.find(f"{W}{child}")
    return found.get(f"{W}val") if found is not None else None
