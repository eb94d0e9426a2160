"""How numbers are written: three significant digits, signs that are read, units, and a dash for what is not known."""

import math
from datetime import UTC, datetime
from typing import Literal

from gatewatch.core.clock import wall

MISSING = "—"
MINUS = "\u2212"
Direction = Literal["better", "worse", "same", "unsure", "missing"]
WAYS: dict[str, Direction] = {
    "fell": "worse",
    "rose": "better",
    "none": "missing",
    **dict.fromkeys(("slid", "maybe", "noise"), "unsure"),
}
"""How the ways that a verdict has for a change (`offline.reports.words.direction`) are shown."""
_SPANS = ((86_400 * 365, "y"), (86_400 * 30, "mo"), (86_400, "d"), (3600, "h"), (60, "min"))
_SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits; thousands are grouped."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    rounded = round(value, places)
    if rounded == 0:
        return "0"
    # 0.9996 has become 1.000, which has a digit too many.
    places = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:,.{places}f}".replace("-", MINUS)


def count(value: int | None) -> str:
    """A whole number, grouped by thousands."""
    return MISSING if value is None else f"{value:,}".replace("-", MINUS)


def percent(value: float | None) -> str:
    """A share of 1, as percent."""
    return MISSING if value is None or not math.isfinite(value) else f"{_points(value)}%"


def delta(value: float | None, unit: str = "pp") -> str:
    """A difference with its sign: of shares in percentage points ("pp"); "%", "s", "$" or "" for others."""
    if value is None or not math.isfinite(value):
        return MISSING
    size = {"pp": _points, "s": duration, "$": money, "%": _points}.get(unit, number)(abs(value))
    sign = "" if not any(digit in size for digit in "123456789") else "+" if value > 0 else MINUS
    return f"{sign}{size}" + {"pp": " pp", "%": "%"}.get(unit, "")


def interval(pair: tuple[float | None, float | None] | None, unit: str = "pp") -> str:
    """An interval in brackets, in the unit of the number before it; of differences for "pp", of shares for "share"."""
    low, high = pair or (None, None)
    if low is None or high is None:
        return ""
    if unit == "pp":
        return f"[{_signed(low)}, {_signed(high)}]"
    ends = [{"share": percent, "s": duration, "$": money}.get(unit, number)(each) for each in (low, high)]
    return f"[{ends[0]}, {ends[1]}]"


def direction(value: float | None, pair: tuple[float | None, float | None] | None = None) -> Direction:
    """Which way a difference goes, where more is better: what its interval does not tell from nothing is unsure."""
    if value is None or not math.isfinite(value):
        return "missing"
    low, high = pair or (None, None)
    if low is not None and high is not None:
        if low == high == 0:
            return "same"
        return "better" if low > 0 else "worse" if high < 0 else "unsure"
    return "better" if value > 0 else "worse" if value < 0 else "same"


def money(value: float | None) -> str:
    """US dollars."""
    return MISSING if value is None or not math.isfinite(value) else f"{MINUS * (value < 0)}${number(abs(value))}"


def duration(seconds: float | None) -> str:
    """A duration: milliseconds under a second, then seconds, minutes, hours."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    size, sign = abs(seconds), MINUS * (seconds < 0)
    if size < 0.9995:
        return f"{sign}{number(size * 1000)} ms"
    if size < 119.5:
        return f"{sign}{number(size)} s"
    if size < 7200:
        return f"{sign}{number(size / 60)} min"
    return f"{sign}{number(size / 3600)} h"


def size(number_of_bytes: float | None) -> str:
    """An amount of bytes."""
    if number_of_bytes is None:
        return MISSING
    for unit, name in _SIZES:
        if number_of_bytes >= unit:
            return f"{number(number_of_bytes / unit)} {name}"
    return f"{number_of_bytes:.0f} B"


def age(at: float | None, now: float | None = None) -> str:
    """How long ago a time was, in seconds since the epoch."""
    if not at:
        return MISSING
    passed = (wall() if now is None else now) - at
    before = "in " if passed < -5 else ""
    for span, unit in _SPANS:
        if abs(passed) >= span:
            return f"{before}{abs(passed) // span:.0f} {unit}" + ("" if before else " ago")
    return "now" if not before else f"in {-passed:.0f} s"


def moment(at: float | None) -> str:
    """A time in UTC, to be read."""
    return MISSING if not at else f"{_utc(at):%Y-%m-%d %H:%M:%S} UTC"


def stamp(at: float | None) -> str:
    """A time in UTC, for machines."""
    return "" if not at else f"{_utc(at):%Y-%m-%dT%H:%M:%SZ}"


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(min(max(at, 0.0), 253_402_300_799.0), UTC)


def _points(value: float) -> str:
    """Hundredths, with one place behind the point where that is no fourth digit."""
    points = value * 100
    text = f"{points:.1f}" if abs(points) < 99.95 else f"{points:.0f}"
    return text.replace("-", MINUS) if text not in ("-0.0", "0.0") else "0"


def _signed(value: float) -> str:
    text = _points(value)
    return text if value <= 0 or text == "0" else f"+{text}"
