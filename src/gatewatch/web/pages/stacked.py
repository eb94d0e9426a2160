"""Stacked bars by day: their geometry in a frame of 100 units' height, ten units a day, that the template draws."""

from collections.abc import Iterable
from datetime import UTC, datetime
from math import floor, log10

from msgspec import Struct

from gatewatch.config.costs import KINDS, Line, Spend

DAY_S = 86_400.0
HEIGHT, STEP, WIDE = 100.0, 10.0, 7.0
_FEWEST = 0.4


class Piece(Struct, frozen=True):
    """A part of a bar: of which kind, where it begins and how high it is."""

    kind: str
    y: float
    height: float


class Bar(Struct, frozen=True, kw_only=True):
    """A day: its pieces from the bottom up, and its sums."""

    day: float
    x: float
    pieces: tuple[Piece, ...]
    line: Line


class Stacked(Struct, frozen=True, kw_only=True):
    """Bars of some days on one scale, from 0 to `top` US dollars; `budget` is where the line of a day's budget lies."""

    bars: tuple[Bar, ...]
    width: float
    top: float
    budget: float | None
    limit: float | None
    ticks: tuple[float, ...]
    days: tuple[str, ...]


def stacked(spends: Iterable[Spend], since: float, until: float, limit: float | None) -> Stacked:
    """Bars of each day of a window, days without any money among them.

    Args:
        spends: the money.
        since: the beginning of the first day.
        until: the end of the window.
        limit: what a day may cost, drawn as a line; None for none.
    """
    by_day: dict[float, Line] = {}
    day = since
    while day < until:
        by_day[day] = Line(key=f"{datetime.fromtimestamp(day, UTC):%Y-%m-%d}", by_kind={})
        day += DAY_S
    for each in spends:
        if each.day in by_day:
            by_day[each.day].add(each)
    most = max((line.cost + line.saved for line in by_day.values()), default=0.0)
    if limit is not None and limit <= 4 * most:
        most = max(most, limit)
    top = _round_up(most)
    found = [_bar(day, place, line, top) for place, (day, line) in enumerate(by_day.items())]
    seen = limit if limit is not None and limit <= top else None
    marks = [found[0], found[len(found) // 2], found[-1]] if len(found) > 2 else found
    return Stacked(
        bars=tuple(found),
        width=len(found) * STEP,
        top=top,
        budget=None if seen is None else round(HEIGHT - seen / top * HEIGHT, 2),
        limit=limit,
        ticks=(top, top * 3 / 4, top / 2, top / 4, 0.0),
        days=tuple(f"{datetime.fromtimestamp(each.day, UTC):%d %b}" for each in marks),
    )


def _bar(day: float, place: int, line: Line, top: float) -> Bar:
    pieces, y = [], HEIGHT
    for kind, amount in (*((kind, line.by_kind.get(kind, 0.0)) for kind in KINDS), ("saved", line.saved)):
        height = amount / top * HEIGHT
        if height >= _FEWEST:
            y -= height
            pieces.append(Piece(kind, round(y, 2), round(height, 2)))
    return Bar(day=day, x=place * STEP + (STEP - WIDE) / 2, pieces=tuple(pieces), line=line)


def _round_up(most: float) -> float:
    """The next number above whose quarters are round."""
    if most <= 0:
        return 1.0
    power = 10.0 ** floor(log10(most))
    return next(step * power for step in (1.0, 2.0, 4.0, 6.0, 8.0, 10.0) if step * power >= most * 0.999)
