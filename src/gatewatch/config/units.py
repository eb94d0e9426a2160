"""Amounts as people write them in gatewatch.toml: "24h", "20 GB", "300/day", "5.00 USD/day"."""

import re

from gatewatch.core.money import parse_budget

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*")
_BYTES = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_MOST_BYTES = 1e18
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]B)\s*")
_PER_DAY = re.compile(r"\s*(\d+)\s*/\s*day\s*")


def seconds(text: str) -> float:
    """A duration such as "30m", "24h" or "7d".

    Raises:
        ValueError: for anything else, or nothing.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not float(match[1]):
        raise ValueError(f'expected a duration such as "30m", "24h" or "7d", got {text!r}')
    return float(match[1]) * _SECONDS[match[2]]


def size(text: str) -> int:
    """An amount of bytes such as "20 GB".

    Raises:
        ValueError: for anything else.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f'expected an amount such as "500 MB" or "20 GB", got {text!r}')
    found = float(match[1]) * _BYTES[match[2]]
    if not found < _MOST_BYTES:
        raise ValueError(f"expected an amount below {_MOST_BYTES:g} bytes, got {text[:40]!r}")
    return int(found)


def per_day(text: str) -> int:
    """A number a day, such as "300/day".

    Raises:
        ValueError: for anything else, or none.
    """
    match = _PER_DAY.fullmatch(text)
    if match is None or not int(match[1]):
        raise ValueError(f'expected a share from 0 to 1, or a number such as "300/day", got {text!r}')
    return int(match[1])


def dollars_per_day(text: str) -> float:
    """An amount a day, such as "5.00 USD/day".

    Raises:
        ValueError: for anything else.
    """
    amount, slash, unit = text.partition("/")
    if not slash or unit.strip() != "day":
        raise ValueError(f'expected an amount such as "5.00 USD/day", got {text!r}')
    return parse_budget(amount)
