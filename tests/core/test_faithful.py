"""What arrives is what was sent, or it is refused with its path."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import math
import pathlib
import uuid
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar, Union
from zoneinfo import ZoneInfo

import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import (
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PrivateAttr,
    RootModel,
    SecretBytes,
    SecretStr,
    SerializeAsAny,
    computed_field,
    field_serializer,
    field_validator,
)

from segue.activities import PayloadError, faithful
from segue.client.converter import SeguePayloadConverter

T = TypeVar("T")
NAN, INF = math.nan, math.inf


class Base(BaseModel):
    a: int


class Sub(Base):
    b: int = 2


class OneBase(BaseModel):
    field: Base


class ListOfBase(BaseModel):
    items: list[Base]


class DictOfBase(BaseModel):
    items: dict[str, Base] | None = None


class UnionWithBase(BaseModel):
    field: Base | int


class AnyBase(BaseModel):
    field: SerializeAsAny[Base]


class Box(BaseModel, Generic[T]):
    item: T


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    lives: int = 1


class Pets(BaseModel):
    first: Annotated[Cat | Dog, Field(discriminator="kind")]
    rest: list[Annotated[Cat | Dog, Field(discriminator="kind")]] = []


class UntaggedPets(BaseModel):
    first: Cat | Dog


class Metres(BaseModel):
    value: float


class Miles(BaseModel):
    value: float


class Distance(BaseModel):
    length: Metres | Miles


class Node(BaseModel):
    value: int
    children: list[Node] = []


@dataclasses.dataclass
class Plain:
    a: int
    note: str | None = None


@dataclasses.dataclass
class MorePlain(Plain):
    b: int = 2


@dataclasses.dataclass
class Derived:
    a: int
    b: int = dataclasses.field(init=False, default=3)


class Credentials(BaseModel):
    token: SecretStr
    key: SecretBytes = SecretBytes(b"")


class Account(BaseModel):
    credentials: Credentials


class SecretDate(pydantic.Secret[dt.date]):
    """Shows itself in its own way."""

    def _display(self) -> str:
        return "****/**/**"


class WrittenOtherwise(BaseModel):
    count: int = Field(default=0, serialization_alias="n")


class Aliased(BaseModel):
    count: int = Field(default=0, alias="n")


class Rounded(BaseModel):
    price: float

    @field_serializer("price")
    def _round(self, price: float) -> float:
        return round(price)


class Taxed(BaseModel):
    price: float

    @field_validator("price")
    @classmethod
    def _tax(cls, price: float) -> float:
        return price * 2


class Stripped(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def _strip(cls, name: str) -> str:
        return name.strip()


class Area(BaseModel):
    side: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def area(self) -> int:
        return self.side**2


class StrictArea(Area):
    model_config = ConfigDict(extra="forbid")


class Spelled(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="strings")
    value: float


class Cached(BaseModel):
    a: int
    _cache: dict[str, int] = PrivateAttr(default_factory=dict)


class LeftOut(BaseModel):
    a: int
    note: str = Field(default="", exclude=True)


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2


class Number(enum.IntEnum):
    ONE = 1


class Page(RootModel[list[Base]]):
    pass


class Blob(BaseModel):
    data: Base64Bytes


def cached() -> Cached:
    value = Cached(a=1)
    value._cache["x"] = 1  # pyright: ignore[reportPrivateUsage]
    return value


def derived() -> Derived:
    value = Derived(1)
    value.b = 9
    return value


SECRET = (
    "which would arrive as asterisks and must not enter a history: send a reference to the secret and resolve it in "
    "the activity"
)
NOT_READ_BACK = "its class does not read back what it writes"
NO_NUMBER = "which JSON cannot carry: send None or a string"
DROPS = (
    "is a Sub, but the receiver expects Base and would drop what Sub adds: declare Sub, or a discriminated union of "
    "the classes"
)

REFUSED: list[tuple[Any, Any, str, str]] = [
    # Secrets, wherever they are and whatever the receiver expects.
    (SecretStr("x"), None, "", f"the value is a SecretStr, {SECRET}"),
    (SecretStr("x"), SecretStr, "", f"the value is a SecretStr, {SECRET}"),
    (
        Account(credentials=Credentials(token=SecretStr("x"))),
        Account,
        "credentials.token",
        f"credentials.token is a SecretStr, {SECRET}",
    ),
    (Credentials(token=SecretStr("")), None, "token", f"token is a SecretStr, {SECRET}"),
    ([{"a": (1, SecretBytes(b"x"))}], None, "[0].a[1]", f"[0].a[1] is a SecretBytes, {SECRET}"),
    ({"day": SecretDate(dt.date(2024, 1, 1))}, None, "day", f"day is a SecretDate, {SECRET}"),
    (
        {SecretStr("x"): 1},
        None,
        "the key SecretStr('**********')",
        f"the key SecretStr('**********') is a SecretStr, {SECRET}",
    ),
    (Plain(a=SecretStr("x")), Plain, "a", f"a is a SecretStr, {SECRET}"),  # type: ignore[arg-type]
    (Loose(a=1, token=SecretStr("x")), Loose, "token", f"token is a SecretStr, {SECRET}"),  # type: ignore[call-arg]
    (["a"] * 99 + [SecretStr("x")], list[str], "[99]", f"[99] is a SecretStr, {SECRET}"),
    (collections.deque([SecretStr("x")]), None, "[0]", f"[0] is a SecretStr, {SECRET}"),
    # Numbers that are none.
    (NAN, float, "", f"the value is nan, {NO_NUMBER}"),
    (-INF, None, "", f"the value is -inf, {NO_NUMBER}"),
    (decimal.Decimal("NaN"), decimal.Decimal, "", f"the value is Decimal('NaN'), {NO_NUMBER}"),
    ({"rates": [1.0, decimal.Decimal("Infinity")]}, None, "rates[1]", f"rates[1] is Decimal('Infinity'), {NO_NUMBER}"),
    ([0.5] * 999 + [NAN], list[float], "[999]", f"[999] is nan, {NO_NUMBER}"),
    ([1, 2, INF], list[int], "[2]", f"[2] is inf, {NO_NUMBER}"),
    (Metres(value=NAN), Metres, "value", f"value is nan, {NO_NUMBER}"),
    ([Metres(value=1.0), Metres(value=INF)], list[Metres], "[1].value", f"[1].value is inf, {NO_NUMBER}"),
    (Plain(a=NAN), Plain, "a", f"a is nan, {NO_NUMBER}"),  # type: ignore[arg-type]
    (Box[float](item=NAN), Box[float], "item", f"item is nan, {NO_NUMBER}"),
    ({NAN: 1}, dict[float, int], "the key nan", f"the key nan is nan, {NO_NUMBER}"),
    # A subclass behind its base class.
    (Sub(a=1), Base, "", f"the value {DROPS}"),
    ([Base(a=1), Sub(a=1)], list[Base], "[1]", f"[1] {DROPS}"),
    ({"k": Sub(a=1)}, dict[str, Base], "k", f"k {DROPS}"),
    ((1, Sub(a=1)), tuple[int, Base], "[1]", f"[1] {DROPS}"),
    ((Sub(a=1),), tuple[Base, ...], "[0]", f"[0] {DROPS}"),
    (Sub(a=1), Optional[Base], "", f"the value {DROPS}"),  # noqa: UP045
    (Sub(a=1), Base | None, "", f"the value {DROPS}"),
    (Sub(a=1), Union[str, Base], "", f"the value {DROPS}"),  # noqa: UP007
    ({"k": [Sub(a=1)]}, dict[str, list[Base]] | None, "k[0]", f"k[0] {DROPS}"),
    (OneBase(field=Sub(a=1)), OneBase, "field", f"field {DROPS}"),
    (OneBase(field=Sub(a=1)), None, "field", f"field {DROPS}"),
    ([[OneBase(field=Sub(a=1))]], None, "[0][0].field", f"[0][0].field {DROPS}"),
    (ListOfBase(items=[Base(a=1), Sub(a=1)]), ListOfBase, "items[1]", f"items[1] {DROPS}"),
    (DictOfBase(items={"x": Sub(a=1)}), DictOfBase, "items.x", f"items.x {DROPS}"),
    (UnionWithBase(field=Sub(a=1)), UnionWithBase, "field", f"field {DROPS}"),
    (AnyBase(field=Sub(a=1)), AnyBase, "field", f"field {DROPS}"),
    (Box[Base](item=Sub(a=1)), Box[Base], "item", f"item {DROPS}"),
    (Page([Sub(a=1)]), Page, "root[0]", f"root[0] {DROPS}"),
    (
        Box[Sub](item=Sub(a=1)),
        Box[Base],
        "",
        "the value is a Box[Sub], but the receiver would take it for Box[Base]: declare Box[Sub], or a discriminated "
        "union of the classes",
    ),
    (
        MorePlain(1),
        Plain,
        "",
        "the value is a MorePlain, but the receiver expects Plain and would drop what MorePlain adds: declare "
        "MorePlain, or a discriminated union of the classes",
    ),
    # One class taken for another.
    (
        Distance(length=Miles(value=1)),
        Distance,
        "length",
        "length is a Miles, but the receiver would take it for Metres: declare Miles, or a discriminated union of the "
        "classes",
    ),
    (
        "2024-01-01",
        dt.date | str,
        "",
        "the value is str '2024-01-01' and would arrive as date datetime.date(2024, 1, 1): declare one type, or a "
        "discriminated union",
    ),
    (
        dt.datetime(2024, 1, 1),
        str | dt.datetime,
        "",
        "the value is datetime datetime.datetime(2024, 1, 1, 0, 0) and would arrive as str '2024-01-01T00:00:00': "
        "declare one type, or a discriminated union",
    ),
    # Classes that do not read back what they write.
    (derived(), Derived, "b", "b is int 9 and would arrive as int 3: " + NOT_READ_BACK),
    (
        WrittenOtherwise(count=5),
        WrittenOtherwise,
        "count",
        "count is int 5 and would arrive as int 0: " + NOT_READ_BACK,
    ),
    (Rounded(price=1.5), Rounded, "price", "price is float 1.5 and would arrive as float 2.0: " + NOT_READ_BACK),
    (Taxed(price=1), Taxed, "price", "price is float 2.0 and would arrive as float 4.0: " + NOT_READ_BACK),
    # Times that JSON rounds.
    (
        dt.datetime(1890, 1, 1, tzinfo=dt.timezone(dt.timedelta(minutes=19, seconds=32))),
        dt.datetime,
        "",
        "the value is 1890-01-01T00:00:00+00:19:32, whose offset from UTC is no whole number of minutes: send it in "
        "UTC",
    ),
]


@pytest.mark.parametrize(("value", "hint", "path", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_would_arrive_altered_is_refused(value: Any, hint: Any, path: str, message: str) -> None:
    """A value that its receiver would get as another is refused with its path, what is there, and what to do."""
    with pytest.raises(PayloadError) as raised:
        faithful.check(value, hint)
    assert (raised.value.message, raised.value.path) == (message, path)
    if hint is not None:
        with pytest.raises(PayloadError):
            faithful.accept(value, hint)


@dataclasses.dataclass
class Generic_(Generic[T]):
    item: T


class Unknown:
    """Pydantic knows nothing of it."""


ACCEPTED: list[tuple[Any, Any]] = [
    (Base(a=1), Base),
    (Sub(a=1), Sub),
    (Sub(a=1), Sub | Base),
    ([Sub(a=1), Base(a=2)], list[Base | Sub]),
    (Sub(a=1), None),
    (Sub(a=1), Any),
    (Sub(a=1), object),
    (OneBase(field=Base(a=1)), OneBase),
    (Page([Base(a=1)]), Page),
    (Box[int](item=1), Box[int]),
    (Box(item=1), Box[int]),
    (Box[Base](item=Base(a=1)), Box[Base]),
    (Generic_(Base(a=1)), Generic_[Base]),
    (Pets(first=Dog(), rest=[Cat(), Dog()]), Pets),
    (UntaggedPets(first=Dog()), UntaggedPets),
    (Distance(length=Metres(value=1)), Distance),
    (Node(value=1, children=[Node(value=2, children=[Node(value=3)])]), Node),
    (Plain(1), Plain),
    (Derived(1), Derived),
    (WrittenOtherwise(), WrittenOtherwise),
    (Aliased(n=3), Aliased),
    (Rounded(price=2.0), Rounded),
    (Stripped(name=" a "), Stripped),
    (Area(side=2), Area),
    (Spelled(value=INF), Spelled),
    (cached(), Cached),
    (LeftOut(a=1, note="kept here"), LeftOut),
    (Loose(a=1, b=[1, "x"]), Loose),  # type: ignore[call-arg]
    (Blob(data=b"aGVsbG8="), Blob),
    (Colour.RED, Colour),
    (Number.ONE, Number),
    (Number.ONE, int),
    (None, None),
    (None, type(None)),
    (None, int | None),
    (1, float),
    (1.0, float),
    (True, bool),
    (10**30, int),
    ("2024-01-01", dt.date),
    ("not a date", dt.date | str),
    (dt.datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC")), dt.datetime),
    (dt.timedelta(days=400, microseconds=7), dt.timedelta),
    (uuid.UUID(int=7), uuid.UUID),
    (decimal.Decimal("1.10"), decimal.Decimal),
    (pathlib.Path("/a/b"), pathlib.Path),
    (b"\xff", bytes),
    ((1, "a"), tuple[int, str]),
    ((1, 2), list[int]),
    ([1, 2], tuple[int, ...]),
    ({1, 2}, set[int]),
    ({"a": [1, None, {"b": True}]}, JsonValue),
    ({"a": 1}, dict[str, int]),
    ({1: "a"}, dict[int, str]),
    ({"a": 1}, Base),
    ([{"a": 1}, Base(a=2)], list[Base]),
    (collections.OrderedDict(a=1), dict[str, int]),
    (Unknown(), Unknown),
]


@pytest.mark.parametrize(("value", "hint"), ACCEPTED, ids=lambda value: str(value)[:40])
def test_what_arrives_as_it_is_is_accepted(value: Any, hint: Any) -> None:
    """A value of the declared class, or one that is good for it, is let pass."""
    faithful.check(value, hint)
    if hint is not None:
        faithful.accept(value, hint)


@pytest.mark.parametrize(
    ("value", "hint", "title"),
    [
        ({"b": 1}, Base, "Base"),
        (5, str, "str"),
        ("x", int, "int"),
        ([1, "x"], list[int], "list[int]"),
        ("x", Annotated[str, Field(min_length=2)], "constrained-str"),
        (Plain("x"), Plain, "Plain"),  # type: ignore[arg-type]
        ([Plain(1), Plain("x")], list[Plain], "list[Plain]"),  # type: ignore[arg-type]
        (StrictArea(side=2), StrictArea, "StrictArea"),
        ("green", Colour, "enum[Colour]"),
        ((1, 2, 3), tuple[int, int], "tuple[int, int]"),
        (None, int, "int"),
        ({"a": "x"}, dict[str, int], "dict[str,int]"),
    ],
)
def test_what_the_receiver_would_refuse(value: Any, hint: Any, title: str) -> None:
    """A value that its receiver's type refuses is refused before it is sent, with the receiver's own error."""
    with pytest.raises(pydantic.ValidationError) as raised:
        faithful.accept(value, hint)
    assert raised.value.title == title
    faithful.check(value, hint)


def cyclic() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


UNWRITABLE: list[tuple[Any, str]] = [
    ({"a": ["\ud800"]}, "a[0] is a text with lone surrogates, which is not Unicode: decode it with errors='replace'"),
    ([b"\xff"], "[0] is bytes that are not UTF-8: declare the field as pydantic.Base64Bytes"),
    ({"a": Unknown()}, "a is a " + f"{__name__}.Unknown, which has no JSON form"),
    (Plain(a=Unknown()), "a is a " + f"{__name__}.Unknown, which has no JSON form"),  # type: ignore[arg-type]
    ([lambda: 1], "[0] is a builtins.function, which has no JSON form"),
    (cyclic(), "the value is nested more than 190 levels deep, or holds itself"),
    (deep(100_000), "the value is nested more than 190 levels deep, or holds itself"),
]


@pytest.mark.parametrize(("value", "message"), UNWRITABLE, ids=range(len(UNWRITABLE)))
def test_what_has_no_json_form(value: Any, message: str) -> None:
    """A value that cannot be written at all is refused with the path of what cannot."""
    with pytest.raises(PayloadError) as raised:
        SeguePayloadConverter().to_payloads([value])
    assert raised.value.message == message


def test_what_is_written_is_read() -> None:
    """A value is nested as deeply as can be written only if it can be read, too."""
    converter = SeguePayloadConverter()
    written: list[int] = []
    for levels in range(180, 270):
        try:
            payloads = converter.to_payloads([deep(levels)])
        except PayloadError:
            continue
        assert converter.from_payloads(payloads) == [deep(levels)]
        written.append(levels)
    assert written == list(range(180, 192))


# Any value of these, whatever it holds, arrives equal or is refused.
times = st.datetimes(
    timezones=st.none()
    | st.timezones()
    | st.builds(dt.timezone, st.timedeltas(-dt.timedelta(hours=23), dt.timedelta(hours=23)))
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
    | st.decimals()
    | times
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.sampled_from([*Colour, *Number])
    | st.builds(SecretStr, st.text())
)
bases = st.builds(Base, a=st.integers()) | st.builds(Sub, a=st.integers(), b=st.integers())


class Everything(BaseModel):
    flag: bool
    count: int
    ratio: float
    text: str
    data: bytes
    amount: decimal.Decimal
    when: dt.datetime
    day: dt.date
    clock: dt.time
    length: dt.timedelta
    id: uuid.UUID
    colour: Colour
    base: Base
    either: int | float | str | None
    muddled: dt.date | dt.datetime | str | int | decimal.Decimal | None
    cats: Cat | Dog
    lengths: list[Metres | Miles]
    maps: dict[str, list[Base]]
    numbers: dict[int, float]
    pair: tuple[int, Base]
    unique: frozenset[str]
    plain: Plain
    deeper: Everything | None = None
    model_config = ConfigDict(arbitrary_types_allowed=False)


def everythings(deeper: st.SearchStrategy[Any]) -> st.SearchStrategy[Everything]:
    return st.builds(
        Everything,
        flag=st.booleans(),
        count=st.integers(),
        ratio=st.floats(),
        text=st.text(),
        data=st.binary(),
        amount=st.decimals(allow_nan=False, allow_infinity=False),
        when=times,
        day=st.dates(),
        clock=st.times(),
        length=st.timedeltas(),
        id=st.uuids(),
        colour=st.sampled_from(Colour),
        base=bases,
        either=st.none() | st.integers() | st.floats() | st.text(),
        muddled=st.none()
        | st.dates()
        | times
        | st.text()
        | st.integers()
        | st.decimals(allow_nan=False, allow_infinity=False),
        cats=st.builds(Cat) | st.builds(Dog),
        lengths=st.lists(st.builds(Metres, value=st.floats()) | st.builds(Miles, value=st.floats()), max_size=3),
        maps=st.dictionaries(st.text(), st.lists(bases, max_size=2), max_size=2),
        numbers=st.dictionaries(st.integers(), st.floats(), max_size=2),
        pair=st.tuples(st.integers(), bases),
        unique=st.frozensets(st.text(), max_size=2),
        plain=st.builds(Plain, a=st.integers(), note=st.none() | st.text()),
        deeper=deeper,
    )


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(everythings(st.none() | everythings(st.none())))
def test_a_model_arrives_equal_or_is_refused(value: Everything) -> None:
    """Whatever a model of many fields holds, its receiver gets an equal one, or it is refused."""
    converter = SeguePayloadConverter()
    try:
        payloads = converter.to_payloads([value])
    except PayloadError:
        return
    [arrived] = converter.from_payloads(payloads, [Everything])
    assert arrived == value


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    scalars,
    st.sampled_from(
        [
            None,
            *(
                bool,
                int,
                float,
                str,
                bytes,
                decimal.Decimal,
                dt.datetime,
                dt.date,
                dt.time,
                dt.timedelta,
                uuid.UUID,
                Colour,
                int | str,
                float | None,
                dt.datetime | str,
                bool | int,
                Colour | str,
                decimal.Decimal | float,
                Base | int,
            ),
        ]
    ),
)
def test_a_scalar_arrives_equal_or_is_refused(value: Any, hint: Any) -> None:
    """Whatever single value is sent to a receiver of its own type gets there equal, or is refused."""
    try:
        faithful.accept(value, hint) if hint is not None else faithful.check(value)
        payloads = SeguePayloadConverter().to_payloads([value])
    except (PayloadError, pydantic.ValidationError):
        return
    [arrived] = SeguePayloadConverter().from_payloads(payloads, [hint] if hint is not None else None)
    if hint is not None and (type(value) is hint or type(value) in getattr(hint, "__args__", ())):
        assert (type(arrived), arrived) == (type(value), value)
