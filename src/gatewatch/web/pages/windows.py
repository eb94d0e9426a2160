"""Windows of time that pages show: a range that ends now, or two moments, in UTC."""

from datetime import UTC, datetime

from msgspec import Struct

from gatewatch.core.clock import wall
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.numbers import duration

RANGES = {"1h": 3600.0, "24h": 86_400.0, "7d": 7 * 86_400.0, "30d": 30 * 86_400.0}
"""Ranges by what they are called, in seconds."""
CUSTOM = "custom"
_LONGEST_S = 3650 * 86_400.0


class Span(Struct, frozen=True):
    """A window, in seconds since the epoch. `name` is a range's, or "custom"; `begins` and `ends` are as a field of a
    form has them, "" for a range."""

    name: str
    since: float
    until: float
    begins: str = ""
    ends: str = ""

    @property
    def length(self) -> float:
        """How long it is, in seconds."""
        return self.until - self.since


def span_of(asked: Asked, default: str = "7d") -> Span:
    """The window that a page is asked for: `since` and `until` ("2026-11-27T08:00", UTC), or a `range`."""
    now = wall()
    begins, ends = asked.get("since", longest=20), asked.get("until", longest=20)
    since, until = _moment(begins), _moment(ends)
    if since is not None and (until is None or since < until):
        until = min(until or now, now + 60)
        if 60 <= until - since <= _LONGEST_S:
            return Span(CUSTOM, since, until, begins, ends)
    name = asked.get("range", default, among=tuple(RANGES))
    return Span(name, now - RANGES[name], now)


def stretch_of(asked: Asked) -> tuple[float, float] | None:
    """The part of a window that was chosen in a chart: `from` and `to`, in whole seconds since the epoch."""
    begin, end = asked.number("from", most=10**11), asked.number("to", most=10**11)
    return (float(begin), float(end)) if 0 < begin < end else None


def lasting(seconds: float) -> str:
    """How long something lasts, in days where it is two or more."""
    return f"{seconds / 86_400:.3g} days" if seconds >= 2 * 86_400 else duration(max(0.0, seconds))


def _moment(text: str) -> float | None:
    try:
        found = datetime.strptime(text[:16], "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
    except ValueError:
        return None
    return found.timestamp() if found.year >= 1971 else None
