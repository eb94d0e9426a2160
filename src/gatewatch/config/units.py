"""Amounts as people write them in gatewatch.toml: "24h", "20 GB", "300/day", "5.00 USD/day"."""

import re
from contextlib import suppress

from gatewatch.core.money import parse_budget

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*")
_BYTES = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_MOST_BYTES = 1e18
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]B)\s*")
_OFTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s+per\s+(\S.*)")
_LEARN = re.compile(r"learn(?:\s+(\d+(?:\.\d+)?[smhdw]))?(?:\s+(\d+))?")
_DAY_S = 86_400.0
_LEARNT = 1000
_MOST_LEARNT, _MOST_LEARNT_DAYS = 10_000_000, 366.0
_LONGEST_S = 36_500 * _DAY_S
_PER_DAY = re.compile(r"\s*(\d+)\s*/\s*day\s*")


def seconds(text: str) -> float:
    """A duration such as "30m", "24h" or "7d".

    Raises:
        ValueError: for anything else, nothing, or more than 100 years.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not float(match[1]):
        raise ValueError(f'expected a duration such as "30m", "24h" or "7d", got {text!r}')
    found = float(match[1]) * _SECONDS[match[2]]
    if found > _LONGEST_S:
        raise ValueError(f"expected a duration of 100 years at most, got {text[:40]!r}")
    return found


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


def days_between(text: str) -> float:
    """How many days lie between two of what may happen so often: "1 per 90d" is 90, "2 per 30d" is 15.

    Raises:
        ValueError: for anything else, none at all, more than one a day, or fewer than one in 100 years.
    """
    match = _OFTEN.fullmatch(text)
    if match is None or not float(match[1]):
        raise ValueError(f'expected how often, such as "1 per 90d", got {text!r}')
    found = seconds(match[2]) / _DAY_S / float(match[1])
    if found < 1:
        raise ValueError(f"must be one a day or fewer, got {text!r}")
    if found > _LONGEST_S / _DAY_S:
        raise ValueError(f"must be one in 100 years or more, got {text!r}")
    return found


def learning(text: str) -> tuple[float, int]:
    """From how many days, and from how many conversations at least, a reference is learnt: "learn 7d" is (7, 1000),
    "learn 500" is (0, 500), "learn 7d 500" both.

    Raises:
        ValueError: for anything else, less than 100 conversations, or more than anybody waits for: over a year, over
            ten million conversations.
    """
    match = _LEARN.fullmatch(text.strip())
    if match is None or not (match[1] or match[2]):
        raise ValueError(f'expected "learn 7d", "learn 1000" or "learn 7d 1000", got {text!r}')
    days = seconds(match[1]) / _DAY_S if match[1] else 0.0
    number = int(match[2]) if match[2] else _LEARNT
    if number < 100:
        raise ValueError(f"a reference takes 100 conversations at least, got {text!r}")
    if days > _MOST_LEARNT_DAYS or number > _MOST_LEARNT:
        raise ValueError(f"a reference takes a year and {_MOST_LEARNT:,} conversations at most, got {text[:60]!r}")
    return days, number


def moment(text: str, now: float) -> float:
    """A time, from how long ago it is or from a date (UTC unless it says otherwise).

    Raises:
        ValueError: for anything else.
    """
    from datetime import UTC, datetime

    with suppress(ValueError):
        return now - seconds(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        what = f'expected how long ago, such as "30d", or a date such as "2026-11-01", got {text!r}'
        raise ValueError(what) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
