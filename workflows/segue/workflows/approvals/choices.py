"""The choices of an approval: approve and reject, or an author's own, as an enum, a `Literal` or a list of texts."""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from segue.workflows.approvals.errors import InvalidApproval
from segue.workflows.features import Feature, has

__all__ = ["Choices"]


@dataclasses.dataclass(frozen=True)
class Choices:
    """What can be chosen.

    Attributes:
        values: What the run gets of each choice, by its text.
        approving: The texts of those that approve.
    """

    values: Mapping[str, Any]
    approving: tuple[str, ...]

    @classmethod
    def of(cls, given: Any, approving: Collection[Any] | None) -> Choices:
        """Return the choices that an author gives.

        Raises:
            InvalidApproval: They are not choices, or fewer than two.
        """
        values = dict(_pairs(("approve", "reject") if given is None else given))
        if len(values) < 2:
            raise InvalidApproval(f"An approval needs two choices or more, and {given!r} has {len(values)}")
        if approving is None:
            return cls(values, (next(iter(values)),))
        texts = tuple(text for text, value in values.items() if value in approving)
        if len(texts) != len(approving):
            raise InvalidApproval(f"approving={approving!r} must be among the choices {', '.join(map(repr, values))}")
        return cls(values, texts)

    def text(self, value: Any) -> str | None:
        """Return the text of a choice that is given as the author has it; None if it is none."""
        return next((text for text, choice in self.values.items() if choice == value), None)

    def told(self) -> str:
        """Return the choices for a message."""
        return ", ".join(map(repr, self.values))


def _pairs(given: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(given, type) and issubclass(given, enum.Enum):
        members: list[enum.Enum] = list(given)
        pairs = [(member.value if isinstance(member.value, str) else member.name, member) for member in members]
        _refuse_same(given, pairs)
        return pairs
    items: tuple[Any, ...] = ()
    if typing.get_origin(given) is typing.Literal:
        items = typing.get_args(given)
    elif isinstance(given, Collection) and not isinstance(given, (str, bytes, set, frozenset)):
        items = tuple(given)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if not items or not all(isinstance(item, str) and item for item in items):
        raise InvalidApproval(f"choices={given!r} must be an enum, a Literal of texts, or a list of texts")
    if len(set(items)) < len(items):
        raise InvalidApproval(f"choices={given!r} holds a choice twice")
    return [(item, item) for item in items]


def _refuse_same(given: type[enum.Enum], pairs: Sequence[tuple[str, enum.Enum]]) -> None:
    """Refuse an enum of which the text of one choice is the name of another: only one of the two could be chosen."""
    by_text: dict[str, list[str]] = {}
    for text, member in pairs:
        by_text.setdefault(text, []).append(member.name)
    for text, names in by_text.items():
        if len(names) > 1 and has(Feature.REFUSED_EARLY):
            raise InvalidApproval(
                f"choices={given!r} holds the choice {text!r} twice: it is the text of {' and of '.join(names)}, for a "
                "member's text is its value, or its name where the value is none: give each a text as its value"
            )
