"""Weighted means: the reference vector, no bias under tail sampling, covering intervals, sums that agree with rows."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.stats.weighting import (
    Cell,
    effective_size,
    hajek,
    spread_by,
    total_of,
    weighted_mean,
    weighted_mean_of_cells,
    weighted_rate,
)
from stats.vectors import hold

shares = st.floats(0.01, 1)
rows = st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.05, 0.2, 1.0])), min_size=1, max_size=60)


def test_it_is_the_reference_within_rounding() -> None:
    def ours(inputs: dict[str, Any]) -> dict[str, Any]:
        mean, se, effective = hajek(inputs["x"], inputs["pi"])
        return {"mean": mean, "se": se, "kish_neff": effective}

    hold("hajek_mean_linearised_ci95_z", ours)


@given(rows)
def test_sums_say_what_rows_say(found: list[tuple[float, float]]) -> None:
    values, pis = [x for x, _ in found], [pi for _, pi in found]
    cells = [
        Cell(
            pi, sum(p == pi for p in pis), sum(x for x, p in found if p == pi), sum(x * x for x, p in found if p == pi)
        )
        for pi in (0.05, 0.2, 1.0)
    ]
    one, other = weighted_mean(values, pis), weighted_mean_of_cells(cells)
    assert one.n == other.n and one.mean == pytest.approx(other.mean)
    assert (one.interval is None) == (other.interval is None)
    if one.interval is not None and other.interval is not None:
        assert one.interval.low == pytest.approx(other.interval.low, abs=1e-5)
        assert one.interval.high == pytest.approx(other.interval.high, abs=1e-5)


@given(rows)
def test_the_interval_is_about_the_mean_and_within_the_scale(found: list[tuple[float, float]]) -> None:
    each = weighted_mean([x for x, _ in found], [pi for _, pi in found])
    assert each.mean is not None
    if each.interval is not None:
        assert 0 <= each.interval.low <= each.mean + 1e-9 and each.mean - 1e-9 <= each.interval.high <= 1


def test_clusters_widen_and_their_absence_changes_nothing() -> None:
    values, pis = [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0], [0.1] * 8
    alone, together = weighted_mean(values, pis), weighted_mean(values, pis, "aabbccdd")
    assert alone == weighted_mean(values, pis, range(8))
    assert alone.mean == together.mean and alone.interval is not None and together.interval is not None
    assert together.interval.high - together.interval.low > alone.interval.high - alone.interval.low
    assert spread_by(values, pis, "aabbccdd") == pytest.approx(2, rel=0.2)


def test_values_that_all_agree_are_no_certainty() -> None:
    each = weighted_mean([1.0] * 20, [0.05] * 20)
    assert each.mean == 1.0 and each.interval is not None and each.interval.low < 0.9


def test_what_could_not_be_sampled_is_refused() -> None:
    with pytest.raises(ValueError, match="not estimated"):
        weighted_mean([1.0], [0.0])
    with pytest.raises(ValueError, match="not estimated"):
        weighted_mean_of_cells([Cell(0.0, 1, 1.0, 1.0)])
    assert weighted_mean([], []).mean is None
    assert weighted_mean_of_cells([Cell(0.0, 0, 0.0, 0.0)]).mean is None


@given(st.integers(1, 500), st.integers(0, 500), st.sampled_from([0.05, 0.2, 1.0]))
def test_values_of_one_weight_are_worth_as_many_as_they_are(n: int, k: int, pi: float) -> None:
    assert effective_size([Cell(pi, n, min(k, n), min(k, n))]) == pytest.approx(n)


def test_a_rate_of_a_rare_kind_that_was_all_kept_is_worth_more_than_was_kept() -> None:
    assert effective_size([Cell(1.0, 100, 100, 100), Cell(0.1, 990, 0, 0)]) == pytest.approx(9167, abs=20)
    assert effective_size([Cell(0.1, 10, 10, 10), Cell(1.0, 9900, 0, 0)]) == pytest.approx(1000, rel=0.02)


@pytest.mark.slow
def test_a_rate_is_covered_though_hardly_any_of_what_weighs_most_is_seen() -> None:
    random_ = random.Random(11)
    strata = ((2000, 0.02, 0.03), (2000, 0.1, 0.03), (2000, 1.0, 0.01))  # of the first some forty, of which one fails
    covered = plain = 0
    for _ in range(400):
        cells, failed = [], 0
        for number, pi, rate in strata:
            drawn = [(random_.random() < rate, random_.random() < pi) for _ in range(number)]
            failed += sum(bad for bad, _ in drawn)
            kept = [bad for bad, sent in drawn if sent]
            cells.append(Cell(pi, len(kept), sum(kept), sum(kept)))
        for found, counts in ((weighted_rate(cells), True), (weighted_mean_of_cells(cells), False)):
            assert found.interval is not None
            hit = found.interval.low <= failed / 6000 <= found.interval.high
            covered, plain = covered + (hit and counts), plain + (hit and not counts)
    assert covered >= 0.95 * 400, covered
    assert plain < 0.90 * 400, plain


def test_a_rate_has_the_mean_of_its_values_and_a_wider_interval() -> None:
    cells = [Cell(1.0, 30, 20, 20), Cell(0.1, 40, 1, 1)]
    rate, plain = weighted_rate(cells), weighted_mean_of_cells(cells)
    assert (rate.mean, rate.n) == (plain.mean, plain.n)
    assert rate.interval is not None and plain.interval is not None
    assert rate.interval.low < plain.interval.low and plain.interval.high < rate.interval.high
    assert weighted_rate([]).mean is None and weighted_rate([Cell(0.5, 1, 1, 1)]).interval is None


def test_a_total_is_known_where_all_was_kept_and_bounded_where_not() -> None:
    value, ends = total_of({1.0: 70})
    assert (value, ends.low, ends.high) == (70, 70, 70)
    value, ends = total_of({0.1: 1})  # exactly: where 1 in N has a probability of 0.025 on either side is 1 and 55
    assert value == 10 and 1 <= ends.low < 3 and 45 < ends.high < 60
    both, wide = total_of({1.0: 70, 0.1: 1})
    assert (both, wide.low, wide.high) == pytest.approx((80, 70 + ends.low, 70 + ends.high))
    assert total_of({})[0] == 0.0
    with pytest.raises(ValueError, match="not estimated"):
        total_of({0.0: 1})


@given(st.dictionaries(st.sampled_from([2.0**-40, 0.01, 0.1, 0.9, 1.0]), st.integers(0, 10**6), max_size=5))
def test_the_bounds_of_a_total_are_about_it_and_never_below_what_was_seen(counts: dict[float, int]) -> None:
    value, ends = total_of(counts)
    assert sum(counts.values()) <= ends.low * (1 + 1e-9) and ends.low <= value * (1 + 1e-9)
    assert value <= ends.high * (1 + 1e-9)


@pytest.mark.slow
def test_bounds_of_totals_cover_them_however_few_are_kept() -> None:
    random_ = random.Random(3)
    for every, pi in ((20, 0.1), (100, 0.05), (1000, 0.25), (300, 0.9)):
        covered = 0
        for _ in range(1000):
            kept = sum(random_.random() < pi for _ in range(every))
            ends = total_of({pi: kept})[1]
            covered += ends.low <= every <= ends.high or not kept  # of nothing nothing is told
        assert covered >= 930, (every, pi, covered)


@pytest.mark.slow
def test_tail_sampling_is_unbiased_and_covers_where_the_naive_mean_does_neither() -> None:
    """The simulation of the design: truth 0.85, users put a thumb down on 40 % of what failed and 1.5 % of the rest."""
    random_ = random.Random(7)
    covered, errors, naive = 0, [], []
    for _ in range(400):
        values, pis = [], []
        for _ in range(2000):
            good = random_.random() < 0.85
            down = random_.random() < (0.015 if good else 0.40)
            pi = 1.0 if down else 0.05
            if random_.random() < pi:
                values.append(float(good))
                pis.append(pi)
        each = weighted_mean(values, pis)
        assert each.mean is not None and each.interval is not None
        covered += each.interval.low <= 0.85 <= each.interval.high
        errors.append(each.mean - 0.85)
        naive.append(sum(values) / len(values) - 0.85)
    assert abs(sum(errors) / len(errors)) < 0.005
    assert sum(naive) / len(naive) < -0.15
    assert 0.92 <= covered / 400 <= 0.98
