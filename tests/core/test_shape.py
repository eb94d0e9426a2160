from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from gatewatch.core.shape import convert


class Wheel(Struct, frozen=True):
    spokes: int
    brand: str = ""


class Bike(Struct, frozen=True):
    name: str
    wheels: tuple[Wheel, ...] = ()
    spare: Wheel | str | None = None
    gears: dict[str, Wheel] = {}
    kind: Literal["road", "town"] = "road"
    price: Annotated[float, Meta(gt=0)] = 1.0
    meta: dict[str, Any] = {}


def test_a_good_value_becomes_the_struct() -> None:
    value = {"name": "b", "wheels": [{"spokes": 3}], "spare": {"spokes": 1}, "gears": {"low": {"spokes": 2}}}
    assert convert(value, Bike) == Bike("b", (Wheel(3),), Wheel(1), {"low": Wheel(2)})
    assert convert({"name": "b", "spare": "none"}, Bike) == Bike("b", spare="none")
    assert convert({"name": "b", "spare": None}, Bike) == Bike("b")


# value, everything that is wrong with it
TABLE: dict[str, tuple[Any, list[tuple[str, str, str]]]] = {
    "missing": ({}, [("name", "missing", "")]),
    "not a table": ([1], [("", "expected a table, got a list", "")]),
    "wrong type": ({"name": 5}, [("name", "expected text, got a whole number", "")]),
    "unknown": ({"name": "b", "wheel": []}, [("wheel", "unknown field", 'did you mean "wheels"?')]),
    "unknown and far from all": (
        {"name": "b", "zzz": 1},
        [("zzz", "unknown field", "known: gears, kind, meta, name, price, spare, wheels")],
    ),
    "inside a list": (
        {"name": "b", "wheels": [{"spokes": 1}, {"spoke": 2}, "x"]},
        [
            ("wheels[1].spoke", "unknown field", 'did you mean "spokes"?'),
            ("wheels[1].spokes", "missing", ""),
            ("wheels[2]", "expected a table, got text", ""),
        ],
    ),
    "inside a union": (
        {"name": "b", "spare": {"spokes": "many", "brnd": "x"}},
        [
            ("spare.brnd", "unknown field", 'did you mean "brand"?'),
            ("spare.spokes", "expected a whole number, got text", ""),
        ],
    ),
    "none of a union": (
        {"name": "b", "spare": 5},
        [("spare", "expected text or a table, got a whole number", "")],
    ),
    "inside a table of tables": (
        {"name": "b", "gears": {"low": {"spokes": 1.5}, "high": []}},
        [
            ("gears.low.spokes", "expected a whole number, got a number", ""),
            ("gears.high", "expected a table, got a list", ""),
        ],
    ),
    "not one of the words": ({"name": "b", "kind": "race"}, [("kind", "'race' is not known", "one of road, town")]),
    "a word of another type": ({"name": "b", "kind": []}, [("kind", "[] is not known", "one of road, town")]),
    "out of bounds": ({"name": "b", "price": 0}, [("price", "expected a number > 0.0", "")]),
    "several": (
        {"wheels": 3, "kind": 1, "name": None},
        [
            ("name", "expected text, got nothing", ""),
            ("wheels", "expected a list, got a whole number", ""),
            ("kind", "1 is not known", "one of road, town"),
        ],
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_everything_that_is_wrong_is_told_with_its_path(name: str) -> None:
    value, flaws = TABLE[name]
    assert convert(value, Bike) == flaws


def test_the_path_begins_where_it_is_told_to() -> None:
    assert convert({"name": 1}, Bike, "suites.main") == [("suites.main.name", "expected text, got a whole number", "")]
    assert convert(5, Bike, "suites.main") == [("suites.main", "expected a table, got a whole number", "")]
