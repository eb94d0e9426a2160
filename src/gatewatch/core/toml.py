"""TOML as it comes from users: read, or refused with a reason."""

import tomllib
from typing import Any

MAX_DEPTH = 100


def parse(text: str) -> dict[str, Any]:
    """The table that a text of TOML is.

    Raises:
        tomllib.TOMLDecodeError: not TOML; the message ends with the line and column.
        ValueError: a number of thousands of digits, or nesting deeper than 100, which what walks through values would
            stumble over.
    """
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    level: list[Any] = [table]
    for _ in range(MAX_DEPTH + 1):
        level = [item for value in level if isinstance(value, dict | list) for item in _items(value)]
        if not level:
            return table
    raise ValueError(f"it is nested deeper than {MAX_DEPTH}")


def _items(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value
