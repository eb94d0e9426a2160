"""What goes in comes back the same, whatever it is."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gatewatch.core import codec
from gatewatch.core.case import Case, Expected, ToolCall

calm = settings(deadline=None)  # this is no place to judge by the clock
text = st.text(st.characters(exclude_categories=()), max_size=20)
numbers = st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | text
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=20
)
tables = st.dictionaries(text, json_values, max_size=4)
calls = st.builds(ToolCall, text, tables, st.dictionaries(text, st.lists(json_values, max_size=2), max_size=2))
cases = st.builds(
    Case,
    id=text,
    input=text | tables,
    expected=st.none()
    | text
    | st.builds(Expected, st.none() | text, st.none() | st.lists(calls, max_size=2).map(tuple)),
    tags=st.lists(text, max_size=2).map(tuple),
    must_pass=st.booleans(),
    meta=tables,
)


def typed(value: Any) -> Any:
    """A value that equals another only when all its parts are of the same type: 1 is not 1.0, nor True."""
    if isinstance(value, list):
        return [typed(item) for item in value]
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    return type(value), repr(value)


@calm
@given(json_values)
def test_any_value_comes_back(value: Any) -> None:
    for data in (codec.encode(value), codec.canonical(value)):
        assert b"\n" not in data
        assert typed(codec.decode(data, Any)) == typed(value)
        assert typed(codec.parse(data)) == typed(value)


@calm
@given(cases)
def test_any_case_comes_back_with_the_same_hash(case: Case) -> None:
    again = codec.decode(codec.encode(case), Case)
    assert again == case
    assert again.hash == case.hash


@calm
@given(json_values)
def test_plain_values_are_plain(value: Any) -> None:
    assert typed(codec.plain(value)) == typed(value)


@calm
@given(tables)
def test_the_order_of_keys_does_not_count(table: dict[str, Any]) -> None:
    turned = dict(reversed(table.items()))
    assert codec.canonical(turned) == codec.canonical(table)
    assert codec.digest(turned) == codec.digest(table)


@calm
@given(json_values)
def test_no_repeated_key_is_found_where_there_is_none(value: Any) -> None:
    data = codec.encode(value)
    assert codec.repeated_key(data, codec.decode(data, Any)) is None


@calm
@given(tables.filter(bool), json_values, st.data())
def test_a_repeated_key_is_found_wherever_it_stands(table: dict[str, Any], value: Any, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(list(table)))
    twice = b"%s,%s:%s}" % (codec.encode(table)[:-1], codec.encode(key), codec.encode(value))
    inside = b'[{"deep":%s}]' % twice
    for text_of_it in (twice, inside):
        assert codec.repeated_key(text_of_it, codec.parse(text_of_it)) == key


@calm
@given(st.sampled_from(["head", "row", "end"]), json_values)
def test_a_record_comes_back_from_its_line(kind: str, value: Any) -> None:
    payload = codec.encode(value)
    assert codec.unframe(codec.frame(kind, payload)) == (kind, payload)


@calm
@given(json_values, st.data())
def test_a_damaged_payload_is_never_taken_for_a_whole_one(value: Any, data: st.DataObject) -> None:
    line = codec.frame("row", codec.encode(value))
    start = line.index(b'":', 19) + 2
    place = data.draw(st.integers(start, len(line) - 1))
    damaged = bytearray(line)
    damaged[place] ^= data.draw(st.integers(1, 255))
    assert codec.unframe(bytes(damaged)) is None
    assert codec.unframe(line[:place]) is None


@calm
@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert codec.unframe(data) is None or data.startswith(b'{"crc":"')
    try:
        codec.decode(data, Any)
    except ValueError:
        return
    codec.parse(data)
