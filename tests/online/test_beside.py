"""The offline baseline beside live scores: at the mix of production, of the same scorer, and what is too thin."""

from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from gatewatch.online.beside import Beside, Golden, beside
from gatewatch.online.signals import Signals, Total
from gatewatch.online.trends import PartFigure, PartSignals, ScorerTrend, Trend
from gatewatch.online.window import Figure
from gatewatch.stats.intervals import Estimate, Interval, MeanEstimate, wilson
from gatewatch.stats.weighting import weighted_mean

SHARES = {"refund": 0.6, "search": 0.3, "other": 0.1}
QUALITY = {"refund": 0.7, "search": 0.9, "other": 0.95}
GOLDEN = {"refund": 0.2, "search": 0.3, "other": 0.5}


def rate(k: int, n: int) -> Estimate:
    return Estimate(k / n if n else None, n, wilson(k, n) if n > 1 else None)


def live(slices: dict[str, tuple[int, Estimate]], **given: Any) -> tuple[Trend, ScorerTrend]:
    """A trend with so many requests of each slice, and what a scorer says of it."""
    parts = tuple(PartFigure("slice", name, Figure(each)) for name, (_, each) in slices.items())
    total = Figure(Estimate(0.5, 9), **given)
    scorer = ScorerTrend("good", "f1", "judge", total, (), parts)
    signals = tuple(PartSignals("slice", name, Signals(n)) for name, (n, _) in slices.items())
    return Trend("flow", 0.0, 1.0, "day", Signals(), (), (scorer,), parts=signals), scorer


def compared(found: tuple[Trend, ScorerTrend], golden: Golden) -> Beside:
    return beside(*found, golden)


def test_slices_are_weighed_by_their_share_of_live_traffic() -> None:
    found = live({"a": (900, rate(450, 500)), "b": (100, rate(250, 500))})
    golden = Golden("main", "2026-11-01", "f1", {"a": rate(90, 100), "b": rate(50, 100)})
    told = compared(found, golden)
    assert told.live == pytest.approx(0.86) and told.golden.mean == pytest.approx(0.86)
    assert told.difference == pytest.approx(0.0) and told.thin == ()
    assert told.interval is not None and -0.06 < told.interval.low < -0.04 < 0.06 < told.interval.high < 0.08
    assert (told.golden.n, told.suite, told.pinned) == (200, "main", "2026-11-01")


def test_what_is_too_thin_is_named_with_its_share_and_left_out() -> None:
    found = live(
        {"a": (600, rate(300, 400)), "few": (300, rate(30, 40)), "new": (80, rate(1, 40)), "x": (20, rate(1, 2))}
    )
    golden = Golden("main", "", "f1", {"a": rate(80, 100), "few": rate(4, 4), "x": rate(9, 9), "gone": rate(9, 9)})
    told = compared(found, golden)
    assert [(each.slice, each.cases, each.scores) for each in told.thin] == [
        ("few", 4, 40),
        ("new", 0, 40),
        ("x", 9, 2),
    ]
    assert told.left_out == pytest.approx(0.4)
    assert told.difference == pytest.approx(-0.05)


def test_another_version_of_the_scorer_is_never_a_number() -> None:
    found = live({"a": (10, rate(5, 10))})
    told = compared(found, Golden("main", "", "f2", {"a": rate(5, 10)}))
    assert (told.difference, told.why) == (None, "not comparable: another version of the scorer")


def test_what_has_no_estimate_is_not_compared() -> None:
    golden = Golden("main", "", "f1", {"a": rate(5, 10)})
    found = live({"a": (10, rate(5, 10))}, incomplete="50 failed")
    assert compared(found, golden).why == "not comparable: 50 failed"
    assert (
        compared(live({"a": (10, rate(2, 4))}), golden).why == "not comparable: no slice has 5 cases and 5 live scores"
    )
    assert compared(live({}), golden).why.startswith("not comparable")
    assert compared(found, Golden("main", flaw="it cannot be read")).why == "it cannot be read"


def test_requests_that_were_not_sent_count_in_the_mix() -> None:
    trend, scorer = live({"a": (100, rate(50, 100)), "b": (100, rate(100, 100))})
    one, other = trend.parts
    sent = replace(other, signals=Signals(100, requests=Total(300.0, Interval(250, 350, ""))))
    golden = Golden("main", "", "f1", {"a": rate(50, 100), "b": rate(100, 100)})
    assert beside(replace(trend, parts=(one, sent)), scorer, golden).live == pytest.approx(0.875)


def simulated(seed: int, drop: float = 0.0) -> Beside:
    """The same system seen live (1,000 scores by two probabilities) and offline (200 cases), with another mix."""
    random = Random(seed)
    golden, slices = {}, {}
    for name, share in SHARES.items():
        cases = MeanEstimate()
        for _ in range(round(200 * GOLDEN[name])):
            cases.add(float(random.random() < QUALITY[name]))
        golden[name] = cases.result()
        n = round(1000 * share)
        values = [float(random.random() < QUALITY[name] - drop) for _ in range(n)]
        slices[name] = (n * 20, weighted_mean(values, [0.05 if random.random() < 0.8 else 0.1 for _ in range(n)]))
    return compared(live(slices), Golden("main", "", "f1", golden))


def test_the_same_system_with_another_mix_is_found_to_differ_as_often_as_it_says() -> None:
    """Plain means would differ by 8 points, and be found to in most."""
    differ = 0
    for seed in range(400):
        ends = simulated(seed).interval
        assert ends is not None
        differ += not ends.low <= 0.0 <= ends.high
    assert 6 <= differ <= 34, differ


def test_the_difference_is_without_bias_and_a_large_one_is_found() -> None:
    found = [simulated(seed, 0.15) for seed in range(200)]
    assert sum(each.difference or 0.0 for each in found) / 200 == pytest.approx(-0.15, abs=0.01)
    assert sum(each.interval is not None and each.interval.high < 0 for each in found) > 120
