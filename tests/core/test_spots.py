from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from gatewatch.core.spots import apart, leaves


class Place(Struct, frozen=True):
    start: int
    end: int


places = st.builds(lambda start, length: Place(start, start + length), st.integers(0, 30), st.integers(1, 9))


@given(st.lists(places, max_size=20))
def test_places_are_kept_apart_and_nothing_is_left_out_without_reason(given: list[Place]) -> None:
    found = apart(given)
    assert all(one.end <= other.start for one, other in pairwise(found))
    for each in given:
        assert any(kept.start < each.end and each.start < kept.end for kept in found)


def test_the_first_stands_and_of_those_the_longer() -> None:
    assert apart([Place(4, 9), Place(2, 5), Place(2, 6), Place(6, 7)]) == [Place(2, 6), Place(6, 7)]


def test_leaves_are_keys_and_scalars_however_deep() -> None:
    deep: Any = "end"
    for _ in range(5_000):
        deep = [deep]
    assert list(leaves(deep)) == ["end"]
    held = leaves({"a": [1, None], "b": {"c": ("d", True)}})
    assert {str(each) for each in held} == {"a", "1", "None", "b", "c", "d", "True"}
    assert list(leaves("one")) == ["one"]
