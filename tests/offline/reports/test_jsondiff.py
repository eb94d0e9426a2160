import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gatewatch.offline.reports.jsondiff import JsonLine, json_diff, value_diff

values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


def lines(before: Any, after: Any) -> list[tuple[str, str, str, str]]:
    return [(each.kind, each.path, each.before, each.after) for each in value_diff(before, after).lines]


def test_the_order_of_keys_is_no_difference() -> None:
    assert value_diff({"a": 1, "b": 2}, {"b": 2, "a": 1}).lines == [JsonLine("alike", "$", count=1)]


def test_keys_that_are_gone_new_and_changed() -> None:
    assert lines({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 5, "d": 4}) == [
        ("node", "$", "", "{}"),
        ("change", "$.b", "2", "5"),
        ("del", "$.c", "3", ""),
        ("ins", "$.d", "", "4"),
        ("alike", "$", "", ""),
    ]


def test_a_list_is_aligned() -> None:
    found = lines({"x": [1, 2, 3, 4]}, {"x": [1, 3, 4, {"y": 1}]})
    assert ("del", "$.x[1]", "2", "") in found and ("ins", "$.x[3]", "", '{"y":1}') in found
    assert [each for each in found if each[0] == "change"] == []


def test_true_is_not_one() -> None:
    assert lines({"a": True}, {"a": 1})[1] == ("change", "$.a", "true", "1")


def test_what_is_no_json_object_or_list_is_not_compared() -> None:
    assert json_diff("{}", "text") is None and json_diff("1", "2") is None and json_diff("{", "{}") is None
    assert json_diff('{"a":1}', '{"a":2}') is not None


def test_much_is_cut_and_said() -> None:
    found = value_diff({str(each): each for each in range(5000)}, {})
    assert len(found.lines) == 2000 and found.notes


@given(values, values)
def test_nothing_but_alike_if_and_only_if_the_same(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert all(line.kind == "alike" for line in value_diff(one, other).lines) == same


def test_deep_values_end() -> None:
    one: Any = 1
    other: Any = 2
    for _ in range(60):
        one, other = [one], [other]
    assert value_diff(one, other).lines[-1].kind == "change"
