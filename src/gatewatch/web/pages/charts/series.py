"""What a chart of a series over time shows: plain data, in buckets; how it is drawn is another file's.

Times are in seconds since the epoch. Values are on one axis of their own, with its unit.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import floor, log10
from typing import Literal

from msgspec import Struct

MOST = 700
"""Buckets that a chart has at the most: more hide the band, and take long to draw."""
FEW = 20
"""Of fewer values than so many a bucket is drawn hollow, and without its interval."""

_END = 0.14
Shape = Literal["warn", "critical", "info", "resolved", "promoted"]


class Point(Struct, frozen=True):
    """A bucket: when it begins, its mean with the 95 % interval (None: there is none), and of how many values."""

    at: float
    mean: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0

    @property
    def few(self) -> bool:
        """Whether too few values tell to show an interval."""
        return self.n < FEW or self.low is None


class Line(Struct, frozen=True):
    """A part of the traffic, or the period before, as a line without a band."""

    name: str
    points: tuple[Point, ...]


class Reference(Struct, frozen=True):
    """A level that the series is held against, with its 95 % interval where that is known."""

    name: str
    mean: float
    low: float | None = None
    high: float | None = None


class Flag(Struct, frozen=True):
    """Something that was changed at a time, such as a deploy."""

    at: float
    text: str


class Sign(Struct, frozen=True):
    """An alert, by when it was opened, or cases that were promoted; `link` leads to it."""

    at: float
    shape: Shape
    text: str
    link: str = ""


class Series(Struct, frozen=True, kw_only=True):
    """A series over a window in buckets of `step` seconds, and what is laid beside it on the same axis.

    `bounds` are values that the axis never goes beyond (None: none); `unit` is "share", "seconds", "dollars" or "".
    """

    title: str
    since: float
    until: float
    step: float
    points: tuple[Point, ...]
    before: tuple[Point, ...] = ()
    parts: tuple[Line, ...] = ()
    reference: Reference | None = None
    flags: tuple[Flag, ...] = ()
    signs: tuple[Sign, ...] = ()
    bounds: tuple[float | None, float | None] = (None, None)
    unit: str = ""

    def centre(self, at: float) -> float:
        """Where a bucket is drawn: in the middle of what there is of it by now."""
        return (at + min(at + self.step, max(self.until, at))) / 2

    def late(self, at: float) -> bool:
        """Whether a time is so near the end that what is written beside it stands before it."""
        return at > self.until - _END * (self.until - self.since)

    @property
    def axis(self) -> tuple[float, float]:
        """Where the axis of values begins and ends: what is shown, with some room, within the bounds."""
        low, high = _extent(self._shown())
        if self.unit == "share" and high - low < 0.05:  # noise is not to look like a fall
            low, high = (low + high) / 2 - 0.025, (low + high) / 2 + 0.025
        room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
        low, high = low - room, high + room
        least, most = self.bounds
        return (low if least is None else max(low, least)), (high if most is None else min(high, most))

    def _shown(self) -> Iterator[float | None]:
        for point in self.points:
            yield from (point.mean,) if point.few else (point.mean, point.low, point.high)
        for line in (self.before, *(each.points for each in self.parts)):
            yield from (point.mean for point in line)
        if self.reference is not None:
            yield from (self.reference.mean, self.reference.low, self.reference.high)


def _extent(values: Iterable[float | None]) -> tuple[float, float]:
    known = [each for each in values if each is not None]
    return (min(known), max(known)) if known else (0.0, 1.0)


def stretches(points: Sequence[Point], step: float) -> list[list[Point]]:
    """Points with a mean, cut where a bucket is missing: a gap is drawn as a gap."""
    found: list[list[Point]] = []
    for point in points:
        if point.mean is None:
            continue
        if not found or point.at - found[-1][-1].at > step * 1.5:
            found.append([])
        found[-1].append(point)
    return found


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round values between two, about so many."""
    span = high - low
    if span <= 0:
        return [low]
    rough = span / max(1, about)
    unit: float = 10.0 ** floor(log10(rough))
    step = unit * min((1, 2, 5, 10), key=lambda each: abs(each * unit - rough))
    first = -floor(-low / step)
    return [round(n * step, 12) for n in range(first, floor(high / step) + 1)]


def time_step(length: float, about: int) -> float:
    """How far apart ticks on an axis of time are, in seconds: a round time, for about so many."""
    steps = (60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600)
    return next((float(each) for each in steps if length / each <= about), 2_592_000.0)
