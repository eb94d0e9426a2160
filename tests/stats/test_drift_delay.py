"""How long a drop takes to be seen: what is foretold is what happens."""

import random
from statistics import median

import pytest

from gatewatch.stats.drift import Detector, Reference, delay
from stats.traffic import traffic


def test_what_is_foretold_is_what_a_detector_does() -> None:
    past = list(traffic(random.Random(1), 7))
    reference = Reference.of(past)
    for drop in (0.05, 0.10):
        found = []
        for seed in range(60):
            detector = Detector(reference, threshold=90_000)
            later = traffic(random.Random(seed), 5, start=168 + seed * 7 % 120, drop=drop)
            found.append(next(n for n, (stratum, x) in enumerate(later, 1) if detector.update(stratum, x)))
        told = delay(past, reference, drop=drop, threshold=90_000)
        assert told.median is not None and told.most is not None and told.median < told.most
        assert 0.75 < median(found) / told.median < 1.33
        assert told.after == pytest.approx(sum(x for _, x in past) / len(past) - drop)


def test_a_rate_falls_by_turning_some_of_what_was_good() -> None:
    past = [("", float(number % 20 > 0)) for number in range(4000)]
    told = delay(past, Reference.of(past), drop=0.05, threshold=90_000)
    assert told.after == pytest.approx(0.9) and told.median is not None and 100 < told.median < 600


def test_a_larger_drop_is_seen_sooner_and_one_within_the_tolerance_is_not_foretold() -> None:
    past = list(traffic(random.Random(2), 2))
    reference = Reference.of(past, tolerance=0.02)
    first, second = (delay(past, reference, drop=drop, threshold=5000, seed=3).median for drop in (0.3, 0.1))
    assert first is not None and second is not None and first < second
    assert delay(past, reference, drop=0.01, threshold=1e7, longest=2000).median is None
    assert delay(past, reference, drop=0.1, threshold=5000) == delay(past, reference, drop=0.1, threshold=5000)


@pytest.mark.parametrize("drop", [0.0, -0.1, 0.9, float("nan")])
def test_a_drop_that_cannot_be_is_refused(drop: float) -> None:
    past = [("", 0.5)] * 50
    with pytest.raises(ValueError, match="a drop above 0 and up to their mean"):
        delay(past, Reference.of(past), drop=drop, threshold=1000)
    with pytest.raises(ValueError, match="needs values of strata that are known"):
        delay([("new", 0.5)], Reference.of(past), drop=0.1, threshold=1000)


def test_values_that_were_all_good_can_be_lowered_too() -> None:
    told = delay([("", 1.0)] * 200, Reference.of([("", 1.0)] * 200), drop=0.1, threshold=1000)
    assert told.after == pytest.approx(0.9, abs=1e-6) and told.median is not None and told.median < 100
