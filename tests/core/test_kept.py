import enum
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core import codec
from gatewatch.core.kept import MOST_FLAWS, copied, kept, sound
from gatewatch.core.trace import Usage


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Text(str):
    __slots__ = ()


@dataclass
class Point:
    x: float
    label: Any = None


class Model:
    def model_dump(self, *, mode: str) -> dict[str, Any]:
        return {"mode": mode}


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError


BIG = 1 << 20_000
CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ({"a": [1, 2.5, None, True, "x"]}, {"a": [1, 2.5, None, True, "x"]}),
        (Text("x"), "x"),
        (Level.LOW, 1),
        (Colour.RED, "red"),
        (np.float64(1.5), 1.5),
        (np.int64(2), 2),
        (np.array([1, 2]), [1, 2]),
        (Point(1.0, (2,)), {"x": 1.0, "label": [2]}),
        (Usage(1, 2).__class__(1), {name: (1 if name == "input_tokens" else None) for name in Usage.__struct_fields__}),
        (Model(), {"mode": "json"}),
        (date(2026, 1, 2), "2026-01-02"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"abc", "YWJj"),
        ({2, 1}, [1, 2]),
        (10**30, 10**30),
    ],
)
def test_what_has_a_form_in_json_takes_it(value: Any, made: Any) -> None:
    flaws: list[str] = []
    assert kept(value, flaws) == made
    assert flaws == []


@pytest.mark.parametrize(
    ("value", "made", "flaw"),
    [
        ({"score": float("nan")}, {"score": "nan"}, "NaN at $.score"),
        ([float("-inf")], ["-inf"], "infinity at $[0]"),
        ({1: "a", "1": "b"}, {"1 2": "a", "1": "b"}, "the key 1 at $ is not text"),
        ("a\ud800", "a\ud800", "a lone surrogate at $"),
        pytest.param(BIG, hex(BIG), "a number of 20001 bits at $", id="big"),
        (len, "<built-in function len>", "builtin_function_or_method at $ has no place in JSON"),
        pytest.param(Hostile(), "(Hostile)", "Hostile at $ could not be read: RuntimeError", id="hostile"),
        (Point(1.0, {"k": float("nan")}), {"x": 1.0, "label": {"k": "nan"}}, "NaN at $.label.k"),
    ],
)
def test_what_has_none_is_kept_as_well_as_can_be_and_told_of(value: Any, made: Any, flaw: str) -> None:
    flaws: list[str] = []
    assert kept(value, flaws) == made
    assert flaws == [flaw]


def test_a_cycle_ends() -> None:
    flaws: list[str] = []
    made = kept({"a": CYCLE}, flaws)
    assert (made, flaws) == ({"a": ["[[...]]"]}, ["a cycle at $.a[0]"])
    assert codec.encode(made)


def test_there_are_only_so_many_flaws_of_only_so_much() -> None:
    flaws: list[str] = []
    kept([float("nan")] * 1000 + [{"k" * 10_000: float("nan")}], flaws)
    assert len(flaws) == MOST_FLAWS
    flaws = []
    kept({"k" * 10_000: float("nan")}, flaws)
    assert len(flaws[0]) == 200


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.none(), inner) | st.tuples(inner),
    max_leaves=20,
)


@given(ANYTHING)
def test_whatever_it_is_it_can_be_written_and_read_back(value: Any) -> None:
    made = kept(value, [])
    assert codec.decode(codec.encode(made), object) == made


@given(ANYTHING)
def test_what_is_sound_is_kept_as_it_is(value: Any) -> None:
    flaws: list[str] = []
    made = kept(value, flaws)
    if sound(value):
        assert [flaw for flaw in flaws if "surrogate" not in flaw] == []
        try:
            assert msgspec.json.encode(value) == msgspec.json.encode(made)
        except UnicodeEncodeError:
            assert flaws


@given(ANYTHING)
def test_a_copy_is_the_same_as_what_is_kept(value: Any) -> None:
    assert copied(value, [], "$") == kept(value, [])


@pytest.mark.parametrize(
    "value",
    [
        {1: 2},
        float("nan"),
        [float("inf")],
        Text("x"),
        {2},
        pytest.param(Hostile(), id="hostile"),
        pytest.param(BIG, id="big"),
        CYCLE,
        b"",
    ],
)
def test_what_is_not_sound(value: Any) -> None:
    assert not sound(value)


def test_json_that_is_written_already_is_sound() -> None:
    assert sound([msgspec.Raw(b"1")])
