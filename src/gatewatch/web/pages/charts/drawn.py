"""A chart as the server draws it, for a first look, without JavaScript, and without the extra `charts`.

It is geometry in a frame of fixed size, which the template `macros/chart.html` writes as SVG; colours are the
stylesheet's.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import isfinite

from msgspec import Struct

from gatewatch.web.pages.charts.series import Point, Series, Shape, stretches, ticks, time_step
from gatewatch.web.pages.charts.units import amount, label

LEFT, RIGHT, TOP, BOTTOM = 44.0, 8.0, 22.0, 24.0
_DOT, _HOLLOW = 2.0, 3.0
_MOST_DOTS = 120


class Tick(Struct, frozen=True):
    """A mark on an axis: where, and what stands beside it."""

    place: float
    text: str


class Dot(Struct, frozen=True):
    """A bucket's mean; `hollow` where few values tell."""

    x: float
    y: float
    r: float
    hollow: bool
    title: str


class Placed(Struct, frozen=True):
    """A deploy or an alert: where, and what it says."""

    x: float
    text: str
    shape: Shape | str = ""
    path: str = ""
    link: str = ""


class Drawn(Struct, frozen=True, kw_only=True):
    """The geometry of a chart in a frame `width` by `height`; `lines` are of parts, by their number."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    band: str
    line: str
    before: str
    lines: tuple[str, ...]
    dots: tuple[Dot, ...]
    reference: float | None
    reference_band: tuple[float, float] | None
    flags: tuple[Placed, ...]
    signs: tuple[Placed, ...]


def drawn(series: Series, *, width: float = 1180.0, height: float = 304.0, small: bool = False) -> Drawn:
    """The geometry of a series; a `small` one has two ticks on each axis, and no dots of buckets that are no news."""
    low, high = series.axis
    left, right = LEFT, width - RIGHT
    top, bottom = (8.0 if small else TOP), height - (18.0 if small else BOTTOM)
    length = max(series.until - series.since, 1.0)

    def x(at: float) -> float:
        return round(left + (at - series.since) / length * (right - left), 1)

    def centre(at: float) -> float:
        return x(series.centre(at))

    def y(value: float) -> float:
        part = (value - low) / (high - low) if high > low else 0.5
        return round(bottom - min(1.0, max(0.0, part)) * (bottom - top), 1)

    def level(shape: Shape) -> float:
        return bottom - 8.0 if shape == "promoted" else top - 8.0

    reference = series.reference
    band = None
    if reference is not None and reference.low is not None and reference.high is not None:
        band = (y(reference.high), y(reference.low))
    return Drawn(
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        across=_across(series, x, 3 if small else 8),
        up=tuple(Tick(y(each), label(each, series.unit)) for each in ticks(low, high, 2 if small else 5)),
        band=_band(series.points, series.step, centre, y),
        line=_line(series.points, series.step, centre, y),
        before=_line(series.before, series.step, centre, y),
        lines=tuple(_line(each.points, series.step, centre, y) for each in series.parts),
        dots=_dots(series, centre, y, few_only=small),
        reference=None if reference is None else y(reference.mean),
        reference_band=band,
        flags=tuple(Placed(x(each.at), each.text) for each in series.flags if series.since <= each.at <= series.until),
        signs=tuple(
            Placed(x(each.at), each.text, each.shape, outline(each.shape, x(each.at), level(each.shape)), each.link)
            for each in series.signs
            if series.since <= each.at <= series.until
        ),
    )


def outline(shape: Shape, x: float, y: float, size: float = 5.0) -> str:
    """The path of a sign: a triangle for a warning, a diamond where it is critical, a ring once resolved; a cross for
    what was promoted."""
    if shape == "warn":
        return f"M{x:.1f} {y - size:.1f}L{x + size:.1f} {y + size:.1f}H{x - size:.1f}Z"
    if shape == "critical":
        return f"M{x:.1f} {y - size:.1f}L{x + size:.1f} {y:.1f}L{x:.1f} {y + size:.1f}L{x - size:.1f} {y:.1f}Z"
    if shape == "promoted":
        return f"M{x - size:.1f} {y:.1f}h{2 * size:.1f}M{x:.1f} {y - size:.1f}v{2 * size:.1f}"
    half = size * 0.8
    return f"M{x - half:.1f} {y:.1f}a{half} {half} 0 1 0 {2 * half} 0a{half} {half} 0 1 0 {-2 * half} 0Z"


_Place = Callable[[float], float]


def _line(points: Sequence[Point], step: float, x: _Place, y: _Place) -> str:
    parts = []
    for run in stretches(points, step):
        places = [f"{x(each.at):g} {y(each.mean):g}" for each in run if each.mean is not None]
        parts.append("M" + "L".join(places if len(places) > 1 else [*places, *places]))
    return "".join(parts)


def _band(points: Sequence[Point], step: float, x: _Place, y: _Place) -> str:
    """The area between the ends of the intervals, of buckets of which enough values tell; one alone is a stroke."""
    parts = []
    for run in stretches([each for each in points if not each.few], step):
        ends = [(x(each.at), each.low, each.high) for each in run]
        if len(ends) == 1:
            ends = [(ends[0][0] + by, *ends[0][1:]) for by in (-1.0, 1.0)]
        over = [f"{at:g} {y(high):g}" for at, _, high in ends if high is not None]
        under = [f"{at:g} {y(low):g}" for at, low, _ in reversed(ends) if low is not None]
        parts.append("M" + "L".join([*over, *under]) + "Z")
    return "".join(parts)


def _dots(series: Series, x: _Place, y: _Place, *, few_only: bool) -> tuple[Dot, ...]:
    found = []
    alone = {run[0].at for run in stretches(series.points, series.step) if len(run) == 1}
    many = few_only or len(series.points) > _MOST_DOTS
    for each in series.points:
        if each.mean is None or not isfinite(each.mean) or (many and not (each.few or each.at in alone)):
            continue
        r = (1.5 if few_only else _HOLLOW) if each.few else _DOT
        found.append(Dot(x(each.at), y(each.mean), r, each.few, said(each, series.unit)))
    return tuple(found)


def said(point: Point, unit: str) -> str:
    """A bucket in words: when, what, within which bounds, of how many."""
    bounds = ""
    if point.low is not None and point.high is not None:
        bounds = f" [{amount(point.low, unit)}, {amount(point.high, unit)}]"
    return f"{moment(point.at)}: {amount(point.mean, unit)}{bounds}, n {point.n:,}"


def moment(at: float) -> str:
    """A time, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def _across(series: Series, x: _Place, about: int) -> tuple[Tick, ...]:
    length = series.until - series.since
    step = time_step(length, about)
    form = "%H:%M" if length <= 2 * 86_400 else "%d %b"
    first = -(-series.since // step) * step
    found = []
    while first <= series.until:
        found.append(Tick(x(first), datetime.fromtimestamp(first, UTC).strftime(form)))
        first += step
    return tuple(found)
