"""A series as a Vega-Lite chart, built by Altair: its shape, made once, and what it is drawn from, by name.

Colours are names of the stylesheet's tokens ("token:live"); `static/js/chart.js` reads them in the theme that is shown.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from gatewatch.web.pages.charts.drawn import outline, said
from gatewatch.web.pages.charts.series import Point, Series, stretches
from gatewatch.web.pages.charts.units import amount

_HEIGHT = 260
_PADDING = {"left": 4, "right": 8, "top": 18, "bottom": 4}
_SHAPES = {name: outline(name, 0.0, 0.0, 1.0) for name in ("warn", "critical", "info", "resolved")}
_COLOURS = {"warn": "token:warning", "critical": "token:worse", "info": "token:dim", "resolved": "token:dim"}
_FILLED = ["token:ground" if name == "resolved" else colour for name, colour in _COLOURS.items()]
_PARTS = tuple(f"token:part-{number}" for number in range(1, 6))


def spec(series: Series) -> dict[str, Any]:
    """The chart of a series, whole: shape, data, and where its axes begin and end."""
    return _shape(series.unit) | {"datasets": data(series)}


def data(series: Series) -> dict[str, list[dict[str, Any]]]:
    """What a chart is drawn from, by name: what is sent anew when it is refreshed. Times are in milliseconds."""
    low, high = series.axis
    return {
        "frame": [{"at": 1000 * series.since, "value": low}, {"at": 1000 * series.until, "value": high}],
        "points": list(_told(series)),
        "before": list(_rows(series.before, series)),
        "parts": [
            row | {"part": each.name, "run": f"{place}.{row['run']}", "colour": place % len(_PARTS)}
            for place, each in enumerate(series.parts)
            for row in _rows(each.points, series)
        ],
        "reference": [] if series.reference is None else [_reference(series)],
        "flags": [{"at": 1000 * each.at, "text": each.text, "late": series.late(each.at)} for each in series.flags],
        "signs": [
            {"at": 1000 * each.at, "shape": each.shape, "text": each.text, "link": each.link} for each in series.signs
        ],
    }


def _reference(series: Series) -> dict[str, Any]:
    found = series.reference
    assert found is not None
    return {"mean": found.mean, "low": found.low, "high": found.high, "name": found.name}


def _rows(points: Sequence[Point], series: Series) -> Iterator[dict[str, Any]]:
    for run, stretch in enumerate(stretches(points, series.step)):
        for each in stretch:
            yield {"at": 1000 * series.centre(each.at), "mean": _short(each.mean), "run": str(run)}


def _told(series: Series) -> Iterator[dict[str, Any]]:
    """The rows of the series itself, which have a band and are told of."""
    known = (point for point in series.points if point.mean is not None)
    for row, each in zip(_rows(series.points, series), known, strict=True):
        ends = {} if each.few else {"low": _short(each.low), "high": _short(each.high)}
        yield row | ends | {"few": each.few, "text": said(each, series.unit)}


def _short(value: float | None) -> float | None:
    """A value as exactly as anybody sees it."""
    return None if value is None else float(f"{value:.5g}")


@lru_cache(maxsize=16)
def _shape(unit: str) -> dict[str, Any]:
    """The chart without its data."""
    import altair as alt

    labels = {"percent": "format(100 * datum.value, '.3~g') + ' %'", "dollars": "'$' + format(datum.value, '.3~g')"}
    x = alt.X("at:T", title=None, scale=alt.Scale(type="utc", nice=False), axis=alt.Axis(grid=False, tickCount=8))
    y = alt.Y(
        "value:Q",
        title=None,
        scale=alt.Scale(zero=False, nice=False),
        axis=alt.Axis(tickCount=5, labelExpr=labels.get(unit, alt.Undefined)),
    )

    def of(name: str) -> Any:
        return alt.Chart(alt.NamedData(name))

    def at(column: str) -> Any:
        return alt.Y(f"{column}:Q", title=None)

    points = of("points")
    known = points.transform_filter("!datum.few")
    layers = [
        of("frame").mark_point(opacity=0).encode(x=x, y=y),
        of("reference").mark_rect(color="token:baseline", opacity=0.12).encode(y=at("low"), y2="high"),
        of("reference").mark_rule(color="token:baseline", strokeWidth=1.5).encode(y=at("mean")),
        of("before")
        .mark_line(color="token:dim", strokeDash=[2, 3], strokeWidth=1)
        .encode(x="at:T", y=at("mean"), detail="run:N"),
        known.mark_area(color="token:live", opacity=0.14).encode(x="at:T", y=at("low"), y2="high", detail="run:N"),
        of("parts")
        .mark_line(strokeWidth=1.5)
        .encode(
            x="at:T",
            y=at("mean"),
            detail="run:N",
            color=alt.Color("colour:N", legend=None, scale=alt.Scale(domain=list(range(5)), range=list(_PARTS))),
            strokeDash=alt.StrokeDash(
                "colour:N",
                legend=None,
                scale=alt.Scale(domain=list(range(5)), range=[[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4]]),
            ),
        ),
        points.mark_line(color="token:live", strokeWidth=1.75).encode(x="at:T", y=at("mean"), detail="run:N"),
        points.mark_point(filled=True, opacity=1, size=22, strokeWidth=1.25, stroke="token:live").encode(
            x="at:T",
            y=at("mean"),
            tooltip="text:N",
            fill=alt.Fill(
                "few:N", legend=None, scale=alt.Scale(domain=[True, False], range=["token:ground", "token:live"])
            ),
        ),
        of("flags").mark_rule(color="token:dim", strokeDash=[4, 3]).encode(x="at:T", tooltip="text:N"),
        *(
            of("flags")
            .transform_filter(f"datum.late === {str(late).lower()}")
            .mark_text(
                align="right" if late else "left",
                dx=-4 if late else 4,
                dy=2,
                baseline="top",
                limit=140,
                color="token:dim",
                fontSize=11,
            )
            .encode(x="at:T", y=alt.value(0), text="text:N")
            for late in (False, True)
        ),
        of("signs")
        .mark_point(opacity=1, size=90, strokeWidth=1.25)
        .encode(
            x="at:T",
            y=alt.value(-8),
            tooltip="text:N",
            href="link:N",
            shape=alt.Shape(
                "shape:N", legend=None, scale=alt.Scale(domain=list(_SHAPES), range=list(_SHAPES.values()))
            ),
            stroke=alt.Stroke(
                "shape:N", legend=None, scale=alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values()))
            ),
            fill=alt.Fill("shape:N", legend=None, scale=alt.Scale(domain=list(_COLOURS), range=_FILLED)),
        ),
    ]
    chart = alt.layer(*layers).resolve_scale(
        color="independent", shape="independent", fill="independent", stroke="independent"
    )
    axes = alt.AxisConfig(
        domainColor="token:line",
        tickColor="token:line",
        gridColor="token:line",
        labelColor="token:dim",
        labelFontSize=11,
    )
    config = alt.Config(font="system-ui, sans-serif", axis=axes, view=alt.ViewConfig(stroke=None), padding=_PADDING)
    made = chart.properties(width="container", height=_HEIGHT, background="transparent", config=config)
    return dict(made.to_dict())


def told(series: Series) -> str:
    """A chart in words: what stands in for it where it cannot be seen."""
    known = [each for each in series.points if each.mean is not None]
    if not known:
        return f"{series.title}: nothing was measured in this time."
    first, last = known[0], known[-1]
    means = [each.mean for each in known if each.mean is not None]
    ends = f"from {amount(first.mean, series.unit)} to {amount(last.mean, series.unit)}"
    parts = [
        f"{series.title}: {len(known)} buckets, {ends}",
        f"lowest {amount(min(means), series.unit)}, highest {amount(max(means), series.unit)}",
    ]
    if series.reference is not None:
        parts.append(f"{series.reference.name} {amount(series.reference.mean, series.unit)}")
    if series.flags:
        parts.append(f"{len(series.flags)} changes")
    if series.signs:
        parts.append(f"{len(series.signs)} alerts")
    return "; ".join(parts) + "."
