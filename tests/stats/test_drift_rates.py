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


@pytest.mark.parametrize("drop", [0.03, 0.05, 0.10, 0.20])
def test_what_was_chosen_by_an_alarm_is_covered_and_looks_worse_than_it_is(drop: float) -> None:
    found, covered, narrow = [], 0, 0
    for seed in range(60):
        rng = random.Random(seed)
        reference = Reference.of(traffic(rng, 7))
        detector = Detector(reference, threshold=AT_A_THOUSAND_A_DAY)
        values = list(traffic(rng, rng.uniform(0.1, 2), start=WEEK))
        for stratum, x in values:
            detector.update(stratum, x)
        for stratum, x in traffic(rng, 20, start=WEEK + 24, drop=drop):
            values.append((stratum, x))
            if detector.update(stratum, x):
                break
        after = values[onset(values, reference) :]
        plain, chosen = effect(after, reference), effect(after, reference, chosen=True)
        assert chosen.effect is not None and chosen.interval is not None and plain.interval is not None
        found.append(chosen.effect)
        covered += chosen.interval.low <= -drop <= chosen.interval.high
        narrow += plain.interval.low <= -drop <= plain.interval.high
    assert covered >= 0.9 * 60 and narrow < covered
    assert -1.6 * drop < fmean(found) < -drop
    assert -1.3 * drop < median(found) < -0.9 * drop


def test_a_mix_that_changes_for_good_leaves_the_wealth_as_it_is_distributed() -> None:
    """Without an error of the reference, whose strata are known exactly."""
    plain = Reference.of([pair for seed in range(8) for pair in traffic(random.Random(seed), 7)], tolerance=0.01)
    levels: dict[float, list[float]] = {0.15: [], 0.5: []}
    for legal, found in levels.items():
        for seed in range(150):
            detector = Detector(plain, threshold=1e9)
            for stratum, x in traffic(random.Random(seed), 1, start=WEEK, legal=legal):
                detector.update(stratum, x)
            found.append(detector.level)
    before, after = (sorted(found) for found in levels.values())
    assert 0.6 < median(after) / median(before) < 1.6
    assert after[135] < 3 * before[135]
