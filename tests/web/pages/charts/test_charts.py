"""Charts: what is drawn by the server, and what Vega draws in its place, of the same series."""

import gzip
import json
import math
from pathlib import Path

import pytest

from gatewatch.web.pages.charts import bundle as bundling
from gatewatch.web.pages.charts.drawn import drawn
from gatewatch.web.pages.charts.series import Flag, Line, Point, Reference, Series, Sign, stretches, ticks, time_step
from gatewatch.web.pages.charts.vega import data, spec, told

HOUR = 3600.0


def point(n: int, *, many: int = 50) -> Point:
    mean = 0.8 + 0.05 * math.sin(n)
    return Point(n * HOUR, mean, mean - 0.04, mean + 0.04, many)


def series(points: list[Point], **more: object) -> Series:
    given = {"title": "helpful", "since": 0.0, "until": 24 * HOUR, "step": HOUR, "bounds": (0.0, 1.0), "unit": "share"}
    return Series(points=tuple(points), **(given | more))  # type: ignore[arg-type]


def test_a_gap_is_drawn_as_a_gap_and_few_as_hollow() -> None:
    points = [point(n, many=5 if n == 3 else 50) for n in range(24) if n not in (10, 11)]
    assert [len(each) for each in stretches(points, HOUR)] == [10, 12]
    found = drawn(series(points))
    assert found.line.count("M") == 2 and found.band.count("Z") == 3  # the band stops at what few tell of, too
    assert [dot.hollow for dot in found.dots].count(True) == 1
    rows = data(series(points))["points"]
    assert len({row["run"] for row in rows}) == 2
    assert "low" not in next(row for row in rows if row["few"])


def test_all_that_is_drawn_lies_within_the_frame() -> None:
    found = drawn(
        series(
            [point(n) for n in range(24)],
            reference=Reference("baseline", 0.9, 0.85, 0.95),
            parts=(Line("de", tuple(Point(n * HOUR, 0.2, n=9) for n in range(24))),),
            flags=(Flag(5 * HOUR, "prompt=7"), Flag(-5.0, "before")),
            signs=(Sign(6 * HOUR, "warn", "x"), Sign(7 * HOUR, "critical", "y"), Sign(8 * HOUR, "resolved", "z")),
        )
    )
    assert all(found.left <= dot.x <= found.right and found.top <= dot.y <= found.bottom for dot in found.dots)
    assert found.reference is not None and found.top <= found.reference <= found.bottom
    assert len(found.flags) == 1 and len({sign.path[-3:] + str(sign.path.count("L")) for sign in found.signs}) == 3
    for text in (found.line, found.band, *found.lines):
        assert "nan" not in text and "inf" not in text


@pytest.mark.parametrize("points", [[], [point(3)], [Point(0.0, None, n=4)], [Point(0.0, 0.5, 0.5, 0.5, 99)]])
def test_little_is_drawn_as_little(points: list[Point]) -> None:
    made = series(points)
    low, high = made.axis
    assert low < high
    drawn(made)
    json.dumps(spec(made), allow_nan=False)
    assert told(made).startswith("helpful: ")


def test_axes_are_round() -> None:
    assert ticks(0.61, 0.93, 5) == [0.65, 0.7, 0.75, 0.8, 0.85, 0.9]
    assert ticks(0.0, 0.0, 5) == [0.0]
    assert [time_step(length, 8) for length in (3600, 86_400, 7 * 86_400, 30 * 86_400)] == [
        600,
        10_800,
        86_400,
        604_800,
    ]


def test_noise_is_not_blown_up() -> None:
    low, high = series([Point(n * HOUR, 0.9 + n * 1e-5, n=5) for n in range(9)]).axis
    assert high - low >= 0.05


def test_vega_takes_it() -> None:
    converter = pytest.importorskip("vl_convert")
    made = spec(series([point(n) for n in range(24)], flags=(Flag(5 * HOUR, "x"),), signs=(Sign(9.0, "warn", "y"),)))
    text = json.dumps(made).replace('"token:', '"#8').replace('"container"', "600")
    assert "<svg" in converter.vegalite_to_svg(json.loads(text), vl_version="6.4")
    assert "token:live" in json.dumps(made) and "#" not in json.dumps(made["config"])


def test_the_bundle_is_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("vl_convert")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made: list[str] = []

    def make(text: str) -> str:
        made.append(text)
        return "window.vegaEmbed = 1;"

    monkeypatch.setattr("vl_convert.javascript_bundle", make)
    for _ in range(2):
        bundling._bundle.cache_clear()
        assert gzip.decompress(bundling.bundle()) == b"window.vegaEmbed = 1;"
    assert len(made) == 1
    (kept,) = (tmp_path / "gatewatch").iterdir()
    kept.write_bytes(b"torn")
    bundling._bundle.cache_clear()
    assert gzip.decompress(bundling.bundle()) == b"window.vegaEmbed = 1;"
    bundling._bundle.cache_clear()
