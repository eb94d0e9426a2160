import enum
import json
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from unittest.mock import MagicMock

import msgspec
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core import codec
from gatewatch.core.case import Case
from gatewatch.core.score import Score

NAN, INFINITY = float("nan"), float("inf")


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Kind(enum.Enum):
    A = "a"


class Point(msgspec.Struct):
    x: Any
    y: Any = None


@dataclass
class Node:
    name: str
    inner: Any = None
    lock: Any = field(default_factory=Lock)


class Model:
    """As pydantic's models do."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        return {"mode": mode}


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1,
        2**70,
        0.1,
        -0.0,
        1e308,
        "",
        "text",
        "\u00e9\u202e\u200b\x00\n",
        "\ud800",
        ["\udfff", {"\ud800": 1}],
        {},
        [],
    ],
)
def test_what_goes_in_comes_back(value: Any) -> None:
    assert codec.decode(codec.encode(value), Any) == value
    assert codec.decode(codec.canonical(value), Any) == value
    assert b"\n" not in codec.encode(value)
    assert codec.parse(codec.encode(value)) == value


def test_a_struct_comes_back() -> None:
    case = Case(id="a", input={"q": "\ud800"}, tags=("x",), meta={"n": [1, 2.5, None]})
    assert codec.decode(codec.encode(case), Case) == case
    assert codec.decode(codec.encode(Score(0.5)), Score) == Score(0.5)


def test_canonical_bytes_do_not_depend_on_the_order_of_keys() -> None:
    assert codec.canonical({"b": [1, {"d": 1, "c": 2}], "a": 1}) == b'{"a":1,"b":[1,{"c":2,"d":1}]}'
    assert codec.canonical({"b": "\ud800", "a": 1}) == codec.canonical({"a": 1, "b": "\ud800"})
    assert codec.encode({"b": 1, "a": 2}) == b'{"b":1,"a":2}'


def test_digest() -> None:
    assert codec.digest({"a": 1, "b": 2}) == codec.digest({"b": 2, "a": 1})
    assert len(codec.digest(1)) == 64
    assert codec.digest("x", 12) == codec.digest("x")[:12]
    assert codec.digest(1) != codec.digest("1") != codec.digest(True)


@pytest.mark.parametrize(
    "data",
    [b"NaN", b"[Infinity]", b'{"a": -Infinity}', b"1e999", b"{", b"{'a':1}", b"", b"1 2", b"\xff", b"\xef\xbb\xbf{}"],
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        codec.decode(data, Any)
    with pytest.raises(ValueError, match=r"."):
        codec.parse(data)


def test_errors_say_where() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"Expected `str`, got `int` - at `\$\.tags\[1\]`"):
        codec.decode(b'{"input": "?", "tags": ["a", 5]}', Case)
    with pytest.raises(ValueError, match="line 1 column 10"):
        codec.decode(b'{"input" "?"}', Case)
    with pytest.raises(UnicodeDecodeError) as caught:
        codec.decode(b'{"input": "\xff"}', Case)
    assert caught.value.start == 11


def test_json_of_another_shape_is_refused_also_where_half_a_surrogate_pair_stands() -> None:
    with pytest.raises(msgspec.ValidationError, match="tags"):
        codec.decode(b'{"input": "\\ud800", "tags": 5}', Case)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"a": 1, "a": 2}', "a"),
        ('{"a": 1, "\\u0061": 2}', "a"),
        ('{"a": [{"b": 1, "c": "", "b": "\\""}]}', "b"),
        ('{"": 1, "": 1}', ""),
        ('{"a": "\\u0022", "a": "x\\""}', "a"),
        ('{"a": {"b": 1}, "b": {"a": 1}}', None),
        ('{"a": "\\"a\\"", "b": "a"}', None),
        ('{"a": "\\ud800"}', None),
        ("[]", None),
    ],
)
def test_a_repeated_key_is_found(text: str, key: str | None) -> None:
    assert codec.repeated_key(text.encode(), codec.decode(text.encode(), Any)) == key


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, (2,)), [1, [2]]),
        ({"b", "a"}, ["a", "b"]),
        (frozenset({2, 1}), [1, 2]),
        (Point(1, (2, Point(3))), {"x": 1, "y": [2, {"x": 3, "y": None}]}),
        (Model(), {"mode": "json"}),
        ([Colour.RED, Level.LOW, {Colour.RED: 1}], ["red", 1, {"red": 1}]),
        ({"x" * 900: {"." * 120: ["["]}}, {"x" * 900: {"." * 120: ["["]}}),
        (2**70, 2**70),
    ],
)
def test_plain(value: Any, expected: Any) -> None:
    found = codec.plain(value)
    assert found == expected
    assert codec.decode(codec.encode(found), Any) == expected


def test_plain_makes_plain_types_of_what_derives_from_them() -> None:
    assert [type(each) for each in codec.plain([Colour.RED, Level.LOW, True])] == [str, int, bool]
    assert type(codec.plain(numpy.float64(0.5))) is float


def test_plain_opens_dataclasses_without_copying() -> None:
    assert codec.plain(Node("a", Node("b", None, None), None)) == {
        "name": "a",
        "inner": {"name": "b", "inner": None, "lock": None},
        "lock": None,
    }


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (NAN, r"nan at \$ "),
        ({"a": [1, INFINITY]}, r"inf at \$\.a\[1\]"),
        (Point(NAN), r"nan at \$\.x"),
        ({"a": {1: 2}}, r"key 1 at \$\.a is not text"),
        ({"a": object()}, r"type object at \$\.a"),
        (Kind.A, "type Kind"),
        (b"bytes", "type bytes"),
        (Node("a"), r"type lock at \$\.lock"),
        (Point(Lock()), "Point at"),
        (Node, "type type"),
        (Model, "type type"),
    ],
)
def test_plain_refuses_by_name_and_path(value: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        codec.plain(value)


def test_plain_refuses_cycles_and_what_has_no_end() -> None:
    cycle: list[Any] = []
    cycle += [cycle, cycle]
    table: dict[str, Any] = {}
    table["me"] = [table]
    node = Node("a", lock=None)
    node.inner = node
    values: list[Any] = [cycle, table, node, MagicMock()]
    for value in values:
        with pytest.raises(ValueError, match="a cycle"):
            codec.plain(value)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_nesting_has_a_limit() -> None:
    deep = nested(101)
    assert codec.plain(deep) == deep
    with pytest.raises(ValueError, match="nested more than 100 deep"):
        codec.plain(nested(102))
    data = codec.encode(deep)
    codec.check_depth(data, codec.decode(data, list))
    data = codec.encode(nested(102))
    with pytest.raises(ValueError, match="nested more than 100 deep"):
        codec.check_depth(data, codec.decode(data, list))
    with pytest.raises(RecursionError):
        codec.decode(b"[" * 100_000, list)


def test_text_of() -> None:
    assert codec.text_of("as it is") == "as it is"
    assert codec.text_of(None) == ""
    assert codec.text_of({"b": 1, "a": "\u00e9"}) == '{"a":"\u00e9","b":1}'
    assert codec.text_of(1.0) == "1.0"


def test_a_framed_record_is_one_line_of_json_and_comes_back() -> None:
    payload = codec.encode({"a": 'b":', "c": "}\n"})
    line = codec.frame("row", payload)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line)["row"] == {"a": 'b":', "c": "}\n"}
    assert codec.unframe(line) == ("row", payload)
    assert codec.unframe(codec.frame("end", b"{}")) == ("end", b"{}")


def test_a_torn_line_is_none() -> None:
    line = codec.frame("row", b'{"a":[1,2,3],"b":"text"}')
    for length in range(len(line)):
        assert codec.unframe(line[:length]) is None
        assert codec.unframe(line[length + 1 :]) is None
    assert codec.unframe(line + line) is None
    assert codec.unframe(b"\n") is None


def test_a_flipped_bit_in_the_check_sum_or_the_payload_is_none() -> None:
    line = codec.frame("row", b'{"a":[1,2,3],"b":"text"}')
    payload = line.index(b'":{') + 2
    for place in (*range(17), *range(payload, len(line))):
        for bit in range(8):
            damaged = bytearray(line)
            damaged[place] ^= 1 << bit
            assert codec.unframe(bytes(damaged)) is None, (place, bit)


def test_a_flipped_bit_in_the_kind_is_none() -> None:
    line = codec.frame("row", b"{}")
    for place in range(17, line.index(b'":{') + 2):
        for bit in range(8):
            damaged = bytearray(line)
            damaged[place] ^= 1 << bit
            assert codec.unframe(bytes(damaged)) is None, (place, bit)


@pytest.mark.parametrize("text", ["x", "\u00e9", "\ud800"])
def test_what_is_for_people_reads_the_same(text: str) -> None:
    value = {"a": [1, text], "b": {}}
    assert json.loads(codec.indented(value)) == value
    assert codec.indented({"a": text}).startswith('{\n  "a": "')


@pytest.mark.parametrize("value", [{"a": NAN}, {"a": NAN, "b": "\ud800"}, {"a": INFINITY}])
def test_nan_is_never_written(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        codec.encode(value)


TEXT = st.text(alphabet='a"{[\\\n', max_size=4)


@given(st.recursive(st.none() | TEXT, lambda each: st.lists(each) | st.dictionaries(TEXT, each), max_leaves=20))
def test_brackets_are_counted_that_are_not_inside_of_texts(value: Any) -> None:
    number = 0
    left = [value]
    while left:
        found = left.pop()
        if isinstance(found, list | dict):
            number += 1
            left += found if isinstance(found, list) else found.values()
    data = codec.encode(value)
    assert not codec.crowded(data, number)
    assert number == 0 or codec.crowded(data, number - 1)


@pytest.mark.parametrize("data", [b'"[[', b'"\\', b'"[\\"[[', b"", b'"' + b'{\\"' * 300_000])
def test_brackets_of_what_is_cut_off_are_counted_as_far_as_it_goes(data: bytes) -> None:
    assert not codec.crowded(data, 0) and codec.crowded(b"[" + data, 0)
