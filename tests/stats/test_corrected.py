import random
from statistics import mean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.stats.corrected import post_stratified, prediction_powered, rogan_gladen
from gatewatch.stats.intervals import wilson
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
    found = prediction_powered(inputs["Y"], inputs["Yhat"], [1.0] * ones + [0.0] * (n - ones), tuning=inputs["lam"])
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
