import random
from collections import Counter
from statistics import mean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.stats.corrected import post_stratified, prediction_powered, rogan_gladen
from gatewatch.stats.intervals import Interval, wilson
from stats.vectors import hold


def _rogan_gladen(inputs: dict[str, Any]) -> dict[str, Any]:
    found = rogan_gladen(
        inputs["p"],
        inputs["n"],
        sensitivity=inputs["sens"],
        good=inputs["m1"],
        specificity=inputs["spec"],
        bad=inputs["m0"],
    )
    return {"theta": found.mean, "ci95": [found.interval.low, found.interval.high]}


def _ppi(inputs: dict[str, Any]) -> dict[str, Any]:
    ones, n = inputs["Yhat_unlabeled_sum"], inputs["Yhat_unlabeled_n"]
    others = [1.0] * ones + [0.0] * (n - ones)
    found = prediction_powered(inputs["Y"], inputs["Yhat"], others, tuning=inputs["lam"], logit=False)
    return {"point": found.mean, "ci": [found.interval.low, found.interval.high]}


def test_reference_values() -> None:
    hold("rogan_gladen_lee2025_ci", _rogan_gladen)
    hold("ppi_mean_ci_95", _ppi)


def test_post_stratification_is_ppv_and_npv() -> None:
    verdicts = ["pass"] * 50 + ["fail"] * 50
    values = [1.0] * 45 + [0.0] * 5 + [1.0] * 10 + [0.0] * 40
    found = post_stratified(verdicts, values, {"pass": 900, "fail": 100})
    assert found.mean == pytest.approx(0.9 * 0.9 + 0.1 * 0.2)
    assert found.interval.low < found.mean < found.interval.high


def test_rare_verdicts_are_put_together() -> None:
    verdicts = ["a"] * 30 + ["b"] * 20 + ["invalid"] * 2 + ["tie"] * 4
    values = [1.0, 0.0] * 28
    population = {"a": 300, "b": 200, "invalid": 10, "tie": 40, "never labelled": 1}
    found = post_stratified(verdicts, values, dict(population))
    assert found.mean == pytest.approx(0.5)
    one = post_stratified(["a"] * 30 + ["invalid"] * 2, [1.0] * 30 + [0.0] * 2, {"a": 300, "invalid": 5})
    assert one.mean == pytest.approx(30 / 32)


def test_a_few_labels_that_agree_are_no_certainty() -> None:
    found = post_stratified(["pass"] * 10 + ["fail"] * 10, [1.0] * 10 + [0.0] * 10, {"pass": 500, "fail": 500})
    assert found.interval.high - found.interval.low > 0.15


def test_weights_within_a_verdict() -> None:
    found = post_stratified(["p"] * 6, [1, 1, 1, 0, 0, 0], {"p": 100}, weights=[3, 3, 3, 1, 1, 1])
    assert found.mean == pytest.approx(0.75)


def test_labels_of_one_origin_tell_less() -> None:
    verdicts = ["pass", "pass", "fail"] * 20
    values = [1.0, 1.0, 0.0, 1.0, 0.0, 0.0] * 10
    population = {"pass": 600, "fail": 300}
    one = post_stratified(verdicts, values, population)
    twice = post_stratified(verdicts * 2, values * 2, population, clusters=list(range(60)) * 2)
    naive = post_stratified(verdicts * 2, values * 2, population)
    assert one.mean == twice.mean == naive.mean
    assert twice.interval.low == pytest.approx(one.interval.low, abs=0.01)
    assert naive.interval.low > one.interval.low + 0.01


graded = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=30)


@given(graded, st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_a_mean_grade_is_a_grade(labels: list[tuple[float, float]], others: list[float]) -> None:
    found = prediction_powered([value for value, _ in labels], [judged for _, judged in labels], others)
    assert -1e-9 <= found.interval.low <= found.mean + 1e-9
    assert found.mean - 1e-9 <= found.interval.high <= 1 + 1e-9


labelled = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=60)


@given(labelled, st.tuples(st.integers(1, 500), st.integers(0, 500), st.integers(0, 500)))
def test_the_estimate_lies_in_its_interval(labels: list[tuple[str, bool]], counts: tuple[int, int, int]) -> None:
    found = post_stratified(
        [v for v, _ in labels], [float(good) for _, good in labels], dict(zip("abc", counts, strict=True))
    )
    assert 0 <= found.interval.low <= found.mean + 1e-9
    assert found.mean - 1e-9 <= found.interval.high <= 1


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="there must be labels"):
        post_stratified([], [], {"a": 1})
    with pytest.raises(ValueError, match="no better than chance"):
        rogan_gladen(0.5, 10, sensitivity=0.4, good=10, specificity=0.5, bad=10)
    with pytest.raises(ValueError, match="two labels or more"):
        prediction_powered([1.0], [1.0], [1.0])


@pytest.mark.slow
def test_coverage_and_width_with_labels_drawn_by_verdict() -> None:
    """People's rate .92, 200 labels, half of what passed and half of what failed, of 2,000: the design note's setting.

    A judge with sensitivity .87 and specificity .88; the note has coverage .943 and a width of 5.4 points.
    """
    draw = random.Random(7)
    covered, widths = 0, []
    alone = wilson(184, 200)
    for _ in range(400):
        people = [draw.random() < 0.92 for _ in range(2000)]
        judge = [draw.random() < (0.87 if good else 0.12) for good in people]
        passed = [i for i, verdict in enumerate(judge) if verdict]
        failed = [i for i, verdict in enumerate(judge) if not verdict]
        chosen = draw.sample(passed, 100) + draw.sample(failed, 100)
        found = post_stratified(
            [judge[i] for i in chosen],
            [float(people[i]) for i in chosen],
            {True: len(passed), False: len(failed)},
        )
        covered += found.interval.low <= 0.92 <= found.interval.high
        widths.append(found.interval.high - found.interval.low)
    assert 0.93 <= covered / 400 <= 0.99
    assert mean(widths) < 0.9 * (alone.high - alone.low)


@pytest.mark.slow
def test_coverage_and_width_of_each_estimate_with_labels_drawn_at_random() -> None:
    """People's rate .8, 200 random labels, a judge with sensitivity .85 and specificity .9: the design note's table.

    The note has, as coverage and width in points: labels alone .96 and 11.0, Lee's interval .95 and 14.8, PPI++ with
    the logit interval .951 and 8.7.
    """
    draw = random.Random(11)
    found: dict[str, list[tuple[bool, float]]] = {name: [] for name in ("labels", "Lee", "PPI++", "strata")}

    def keep(name: str, interval: Interval) -> None:
        found[name].append((interval.low <= 0.8 <= interval.high, 100 * (interval.high - interval.low)))

    for _ in range(400):
        people = [draw.random() < 0.8 for _ in range(2200)]
        judge = [draw.random() < (0.85 if good else 0.1) for good in people]
        labelled, rest = list(zip(people[:200], judge[:200], strict=True)), judge[200:]
        goods = [verdict for good, verdict in labelled if good]
        bads = [verdict for good, verdict in labelled if not good]
        keep("labels", wilson(len(goods), 200))
        carried = rogan_gladen(
            sum(rest) / 2000,
            2000,
            sensitivity=sum(goods) / len(goods),
            good=len(goods),
            specificity=1 - sum(bads) / len(bads),
            bad=len(bads),
        )
        keep("Lee", carried.interval)
        values, verdicts = [float(good) for good, _ in labelled], [float(verdict) for _, verdict in labelled]
        keep("PPI++", prediction_powered(values, verdicts, [float(verdict) for verdict in rest]).interval)
        keep("strata", post_stratified(verdicts, values, Counter(map(float, judge))).interval)
    widths = {name: mean(width for _, width in every) for name, every in found.items()}
    for name, every in found.items():
        assert 0.92 <= mean(covered for covered, _ in every) <= 0.985, name
    assert widths["labels"] == pytest.approx(11.0, abs=0.3)
    assert widths["Lee"] == pytest.approx(14.8, abs=0.7)
    assert widths["PPI++"] == pytest.approx(8.7, abs=0.4)
    assert widths["strata"] == pytest.approx(8.7, abs=0.5)
