import tomllib
from typing import Any

import pytest

from gatewatch.core.toml import MAX_DEPTH, parse


def test_a_table() -> None:
    assert parse('a = 1\n[b]\nc = ["d", { e = 1.5 }]') == {"a": 1, "b": {"c": ["d", {"e": 1.5}]}}
    assert parse("") == {}


def test_what_is_no_toml() -> None:
    with pytest.raises(tomllib.TOMLDecodeError, match=r"\(at line 2, column 5\)"):
        parse("a = 1\nb = no")


@pytest.mark.parametrize(
    "text",
    [f"x = {'9' * 5000}", "x = " + "[" * 5000, "x = " + "{ a = " * 3000, "a." * 3000 + "a = 1", f"[{'a.' * 101}a]"],
)
def test_what_is_beyond_measure_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"nested|digits"):
        parse(text)


def test_what_is_deep_enough_for_anybody() -> None:
    value: Any = parse("a." * (MAX_DEPTH - 1) + "a = 1")
    for _ in range(MAX_DEPTH):
        value = value["a"]
    assert value == 1
    with pytest.raises(ValueError, match="it is nested deeper than 100"):
        parse("a." * MAX_DEPTH + "a = 1")
