"""How often quiet traffic is called worse, and how soon worse traffic is: simulated, with diurnal volume and mix."""

import random
from statistics import fmean, median

import pytest

from gatewatch.stats.drift import Detector, Reference, effect, onset, threshold
from stats.traffic import traffic

SEEDS = 20
AT_A_THOUSAND_A_DAY = threshold(90, per_day=1000, monitors=1)
WEEK = 7 * 24


def alarms(seed: int, *, later_legal: float = 0.5) -> int:
    """How many alarms there are in 30 quiet days, in the middle of which the mix changes for good."""
    rng = random.Random(seed)
    detector, found = Detector(Reference.of(traffic(rng, 7)), threshold=AT_A_THOUSAND_A_DAY), 0
    for legal in (0.15, later_legal):
        for stratum, x in traffic(rng, 15, start=WEEK, legal=legal):
            if detector.update(stratum, x):
                found += 1
                detector.restart()
    return found


def test_thirty_quiet_days_of_twenty_flows_have_one_alarm_at_most() -> None:
    assert sum(alarms(seed) for seed in range(SEEDS)) <= 1


@pytest.mark.slow
def test_quiet_days_have_far_fewer_alarms_than_the_threshold_allows() -> None:
    assert sum(alarms(seed) for seed in range(100, 300)) <= 0.1 * 200, "the threshold allows 0.33 of each"


def test_without_strata_another_mix_would_be_called_another_quality() -> None:
    raw = 0
    for seed in range(3):
        rng = random.Random(seed)
        reference = Reference.of(("", x) for _, x in traffic(rng, 7))
        detector = Detector(reference, threshold=AT_A_THOUSAND_A_DAY)
        raw += any(detector.update("", x) for _, x in traffic(rng, 15, start=WEEK, legal=0.5))
    assert raw == 3


@pytest.mark.parametrize(("drop", "most"), [(0.05, 700), (0.10, 200)])
def test_a_drop_is_found_within_a_median_of_so_many_values(drop: float, most: int) -> None:
    delays, begun, after = [], [], []
    for seed in range(100):
        rng = random.Random(seed)
        reference = Reference.of(traffic(rng, 7))
        detector = Detector(reference, threshold=AT_A_THOUSAND_A_DAY)
        quiet = rng.randrange(1, 72)
        values = list(traffic(rng, quiet / 24, start=WEEK))
        assert sum(detector.update(stratum, x) for stratum, x in values) == 0
        at, stream = len(values), traffic(rng, 20, start=WEEK + quiet, drop=drop)
        for stratum, x in stream:
            values.append((stratum, x))
            if detector.update(stratum, x):
                break
        delays.append(len(values) - at)
        begun.append(onset(values, reference) - at)
        fresh = [next(stream) for _ in range(500)]
        after.append(effect(fresh, reference))
    assert median(delays) <= most
    assert abs(median(begun)) <= 0.1 * most, "the onset is found about where it was"
    assert fmean(each.effect or 0.0 for each in after) == pytest.approx(-drop, abs=0.01)
    covered = [each.interval is not None and each.interval.low <= -drop <= each.interval.high for each in after]
    assert sum(covered) >= 90, "what comes after the alarm is not chosen by it"


@pytest.mark.slow
def test_what_was_chosen_by_the_alarm_looks_worse_than_it_is() -> None:
    """By how much, as the docstring of `effect` says."""
    found, covered = [], 0
    for seed in range(150):
        rng = random.Random(seed)
        reference = Reference.of(traffic(rng, 7))
        detector = Detector(reference, threshold=AT_A_THOUSAND_A_DAY)
        values = list(traffic(rng, 1, start=WEEK))
        for stratum, x in values:
            detector.update(stratum, x)
        for stratum, x in traffic(rng, 20, start=WEEK + 24, drop=0.05):
            values.append((stratum, x))
            if detector.update(stratum, x):
                break
        change = effect(values[onset(values, reference) :], reference)
        assert change.effect is not None and change.interval is not None
        found.append(change.effect)
        covered += change.interval.low <= -0.05 <= change.interval.high
    assert -0.085 < fmean(found) < -0.05
    assert covered >= 0.7 * 150
