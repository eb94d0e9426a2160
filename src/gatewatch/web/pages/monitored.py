"""From how a flow stands to what the Monitor page draws: series in their units, tiles, words."""

from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.config.live import Live, Points
from gatewatch.core.watch import Alert, Marker
from gatewatch.online.beside import Beside
from gatewatch.online.pulse import Beat
from gatewatch.online.window import Figure
from gatewatch.stats.intervals import Estimate
from gatewatch.web.pages.charts.series import Flag, Line, Point, Reference, Series, Shape, Sign

_SHAPES: dict[str, Shape] = {"page": "critical", "ticket": "warn", "info": "info"}
_SHARE = (0.0, 1.0)
_KEYS = {
    "latency_s": "latency",
    "cost": "cost",
    "thumbs_down": "thumbs",
    "guardrail": "flags",
    "error": "errors",
    "": "volume",
    "no_data": "volume",
}
"""The small chart that shows a signal."""
_APART = 1 / 80


class Small(Struct, frozen=True):
    """A small chart: what it is called, its series, and the last value's unit."""

    key: str
    title: str
    series: Series
    lines: tuple[str, ...] = ()


def main(found: Live, alert_url: Callable[[int], str]) -> Series:
    """The chart of the scorer, against the offline baseline."""
    asked = found.asked
    return Series(
        title=found.ruler.scorer if found.ruler else "",
        since=asked.since - asked.since % found.step,
        until=asked.until,
        step=float(found.step),
        points=points_of(found.points),
        before=points_of(found.before),
        parts=tuple(Line(each.name or "(none)", points_of(each.points)) for each in found.parts),
        reference=reference_of(found.beside),
        flags=flags_of(found.marks, _near(found)),
        signs=signs_of(found.alerts, alert_url),
        bounds=_SHARE,
        unit="share",
    )


def of_alert(found: Live, alert: Alert) -> Series | None:
    """The chart of an alert's moment: its scorer or signal, with what it was before as the level it is held against."""
    series = _of(found, alert.name)
    if series is None:
        return None
    before = alert.evidence.before
    level = None
    if before is not None and series.unit in ("share", "percent"):
        level = Reference("the limit" if alert.kind == "ceiling" else "before", before)
    return replace(series, reference=level, signs=_signs([alert]), flags=flags_of(found.marks, _near(found)))


def of_rule(found: Live, name: str, alerts: Iterable[Alert]) -> Series | None:
    """The chart of what a rule is about, with when it would have told of something."""
    series = _of(found, name)
    if series is None:
        return None
    return replace(series, signs=_signs(alerts), flags=flags_of(found.marks, _near(found)))


def _of(found: Live, name: str) -> Series | None:
    """The series of a scorer or a signal; of one that is not kept by bucket, none."""
    if found.ruler is not None and found.ruler.scorer == name and found.points:
        return replace(main(found, str), reference=None, before=(), parts=(), signs=(), title=name)
    key = _KEYS.get(name)
    each = next((each for each in smalls(found) if each.key == key), None)
    if each is None or not found.beats:
        return None
    series = each.series
    if name == "latency_s":  # what the slowest take is what such a rule is about
        series = replace(series, points=series.parts[0].points, parts=(), title="Latency p95")
    return series


def _signs(alerts: Iterable[Alert]) -> tuple[Sign, ...]:
    return tuple(Sign(each.opened, _SHAPES[each.severity], each.title) for each in alerts if not each.quiet)


def _near(found: Live) -> float:
    return _APART * (found.asked.until - found.asked.since)


def points_of(points: Points) -> tuple[Point, ...]:
    """Buckets of a scorer; one that cannot be estimated has no mean."""
    return tuple(_point(at, figure.estimate) for at, figure in points)


def _point(at: float, each: Estimate) -> Point:
    ends = each.interval
    return Point(at, each.mean, ends.low if ends else None, ends.high if ends else None, each.n)


def reference_of(beside: Beside | None) -> Reference | None:
    """The baseline's level at the mix of the live traffic, where it can be said."""
    if beside is None or beside.golden.mean is None:
        return None
    ends = beside.golden.interval
    name = f"baseline {beside.suite}"
    return Reference(name, beside.golden.mean, ends.low if ends else None, ends.high if ends else None)


def flags_of(marks: Iterable[Marker], near: float) -> tuple[Flag, ...]:
    """What was changed; what lies less than so many seconds apart is drawn as one."""
    found: list[Flag] = []
    for each in marks:
        if found and each.at - found[-1].at < near:
            if each.what not in found[-1].text.split(", "):
                found[-1] = Flag(found[-1].at, f"{found[-1].text}, {each.what}")
        else:
            found.append(Flag(each.at, each.what))
    return tuple(found)


def signs_of(alerts: Iterable[Alert], url: Callable[[int], str]) -> tuple[Sign, ...]:
    """Alerts, by how grave they are, and whether they are over."""
    return tuple(
        Sign(
            each.opened,
            "resolved" if each.state == "resolved" else _SHAPES[each.severity],
            f"{each.state} {each.severity}: {each.title}",
            url(each.id),
        )
        for each in alerts
        if not each.quiet
    )


def smalls(found: Live) -> list[Small]:
    """The small charts beneath, which share the time axis."""

    def series(title: str, points: Iterable[Point], unit: str, *lines: Line, top: float | None = None) -> Series:
        asked = found.asked
        return Series(
            title=title,
            since=asked.since - asked.since % found.step,
            until=asked.until,
            step=float(found.step),
            points=tuple(points),
            parts=lines,
            bounds=(0.0, top),
            unit=unit,
        )

    def each(value: Callable[[Beat], float | None]) -> tuple[Point, ...]:
        return tuple(Point(beat.at, value(beat), n=round(beat.requests)) for beat in found.beats)

    def share(value: Callable[[Beat], Estimate]) -> tuple[Point, ...]:
        return tuple(_point(beat.at, value(beat)) for beat in found.beats)

    latency = series(
        "Latency",
        each(lambda beat: beat.p50),
        "seconds",
        Line("p95", each(lambda beat: beat.p95)),
        Line("p99", each(lambda beat: beat.p99)),
    )
    whole = [point for point in each(lambda beat: beat.requests) if point.at + found.step <= found.asked.until + 1]
    return [
        Small("latency", "Latency", latency, ("p50", "p95", "p99")),
        Small("cost", "Cost per 1k requests", series("Cost per 1k requests", each(lambda beat: beat.cost), "dollars")),
        Small("thumbs", "Thumbs down", series("Thumbs down", share(lambda b: b.thumbs_down), "percent", top=1.0)),
        Small("flags", "Guardrail flags", series("Guardrail flags", share(lambda b: b.guardrail), "percent", top=1.0)),
        Small("errors", "Errors", series("Errors", share(lambda b: b.errors), "percent", top=1.0)),
        Small("volume", "Requests", series("Requests", whole, "")),
    ]


def why_nothing(found: Live) -> str:
    """Why there is no line to be seen, "" where there is one."""
    if not found.flows:
        return "no request has come in yet"
    if not found.beats:
        return "no request of this flow in this time"
    if found.ruler is None:
        return "no scorer said anything of these requests"
    if all(figure.estimate.mean is None for _, figure in found.points):
        return incomplete(found.total) or "too few values in this time"
    return ""


def incomplete(total: Figure | None) -> str:
    """Why the window cannot be estimated, "" where it can."""
    return f"incomplete: {total.incomplete}" if total is not None and total.incomplete else ""
