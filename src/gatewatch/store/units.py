"""Whole numbers for what the outside has as floats: microseconds, and billionths of a dollar or of a score."""

from math import ceil, isfinite

MICRO = 1_000_000
NANO = 1_000_000_000
# What is added up stays so far below a column's 2**63 that sums do too.
_MOST_TIME = 2**62
_MOST_AMOUNT = 2**53
_MOST_TOKENS = 2**40


def micros(seconds: float) -> int:
    """A time or duration in microseconds."""
    return _whole(seconds, MICRO, _MOST_TIME)


def maybe_micros(seconds: float | None) -> int | None:
    """A duration in microseconds, None where it is unknown: NaN and infinity are that too."""
    return None if seconds is None or not isfinite(seconds) else _whole(seconds, MICRO, _MOST_TIME)


def from_micros(amount: int) -> float:
    """Back to seconds."""
    return amount / MICRO


def nano(amount: float) -> int:
    """An amount in billionths."""
    return _whole(amount, NANO, _MOST_AMOUNT)


def maybe_nano(amount: float | None) -> int | None:
    """An amount in billionths, None where it is unknown: NaN and infinity are that too."""
    return None if amount is None or not isfinite(amount) else _whole(amount, NANO, _MOST_AMOUNT)


def from_nano(amount: int) -> float:
    """Back to whole ones."""
    return amount / NANO


def count(tokens: int | None) -> int | None:
    """A count that a column has room for."""
    return None if tokens is None else max(min(tokens, _MOST_TOKENS), 0)


def up(amount: float) -> int:
    """The smallest whole number that is not below an amount: what is below it is below the amount. A column of whole
    numbers is to be looked up by a whole number, or PostgreSQL does not use its index."""
    return ceil(max(min(amount, _MOST_TIME), -_MOST_TIME))


def down(amount: float, step: int) -> int:
    """The largest multiple of a step that is not above an amount."""
    return int(max(min(amount, _MOST_TIME), -_MOST_TIME) // step) * step


def _whole(amount: float, unit: int, most: int) -> int:
    return round(max(min(amount * unit, most), -most))
