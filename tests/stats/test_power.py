import math
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from scipy import stats as scipy_stats

from gatewatch.stats.power import cases_to_decide, components, sd_of_difference, smallest_detectable
from stats.vectors import hold, vectors


def _varcomp(given: dict[str, Any]) -> dict[str, Any]:
    found = components(given["scores"])
    return {"F": found.F, "var_within": found.within, "var_between": found.between, "icc1": found.icc}


def test_the_reference_vectors_of_the_smallest_detectable_drop() -> None:
    hold(
        "minimal_detectable_effect_paired_t",
        lambda given: {
            "mde_z": smallest_detectable(given["sd_d"], given["n"], alpha=given["alpha"], power=given["power"])
        },
    )


def test_the_reference_vectors_of_the_cases_needed() -> None:
    for vector in vectors("cases_needed_paired"):
        given = vector["inputs"]
        got = cases_to_decide(given["sd_d"], given["delta"], alpha=given["alpha"], power=given["power"])
        assert got == math.ceil(vector["expected"]["n"]), vector["id"]


def test_the_reference_vectors_of_the_variance_components() -> None:
    hold("one_way_variance_components", _varcomp)


def test_so_many_cases_find_the_drop_with_that_power() -> None:
    for sd, margin, alpha, power in ((0.36, 0.05, 0.05, 0.8), (0.17, 0.1, 0.025, 0.9), (0.5, 0.2, 0.05, 0.8)):
        n = cases_to_decide(sd, margin, alpha=alpha, power=power)
        for cases, enough in ((n, True), (n - 2, False)):
            critical = scipy_stats.t.isf(alpha, cases - 1)
            reached = scipy_stats.nct.sf(critical, cases - 1, margin / sd * math.sqrt(cases))
            assert bool(reached >= power - 1e-3) == enough


def test_more_cases_show_smaller_drops() -> None:
    drops = [smallest_detectable(0.3, n) for n in (10, 40, 160, 640)]
    assert drops == pytest.approx([drops[0] / 2**i for i in range(4)])
    assert smallest_detectable(0.3, 40, alpha=0.025) > smallest_detectable(0.3, 40)
    assert smallest_detectable(0.0, 40) == 0.0


def test_the_ratio_of_unequal_rows_agrees_with_scipy() -> None:
    draw = Random(4)
    scores = [[draw.gauss(draw.random(), 0.2) for _ in range(1 + case % 4)] for case in range(30)]
    ratio = components(scores).F
    assert ratio == pytest.approx(scipy_stats.f_oneway(*scores).statistic, rel=1e-9)


def test_unequal_rows_give_back_what_made_them() -> None:
    draw = Random(6)
    rows = []
    for case in range(4000):
        mean = draw.gauss(0.7, 0.2)
        rows.append([draw.gauss(mean, 0.1) for _ in range(1 + case % 5)])
    found = components(rows)
    assert found.within == pytest.approx(0.01, rel=0.05)
    assert found.between == pytest.approx(0.04, rel=0.05)
    assert found.icc == pytest.approx(0.8, abs=0.02)


def test_cases_that_differ_less_than_their_trials_have_no_variance_of_their_own() -> None:
    found = components([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    assert (found.within, found.between, found.icc, found.F) == (0.5, 0.0, 0.0, 0.0)


def test_without_noise_the_cases_are_all_there_is() -> None:
    assert components([[1.0, 1.0], [0.0, 0.0], [0.5], []]).icc == 1.0
    assert math.isinf(components([[1.0, 1.0], [0.0, 0.0]]).F)
    same = components([[0.1, 0.1, 0.1], [0.1, 0.1, 0.1]])
    assert (same.within, same.between, same.icc, same.F) == (0.0, 0.0, 0.0, 0.0)


def test_trials_average_the_noise_out_and_not_the_spread() -> None:
    assert sd_of_difference(0.02, trials_before=1, trials_after=1) == pytest.approx(0.2)
    assert sd_of_difference(0.02, trials_before=4, trials_after=4) == pytest.approx(0.1)
    assert sd_of_difference(0.02, trials_before=1, trials_after=3, spread=0.1) == pytest.approx(
        math.sqrt(0.01 + 0.02 * (1 + 1 / 3))
    )
    assert sd_of_difference(0.0, trials_before=1, trials_after=1, spread=0.3) == 0.3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: smallest_detectable(0.1, 0), "n must be at least 1, got 0"),
        (lambda: smallest_detectable(-0.1, 5), "needs sd >= 0"),
        (lambda: smallest_detectable(0.1, 5, alpha=1.0), "alpha and power in"),
        (lambda: cases_to_decide(0.1, 0.0), "the margin must be above 0, got 0.0"),
        (lambda: cases_to_decide(0.1, 0.1, power=0.0), "alpha and power in"),
        (lambda: components([[0.5], [0.4]]), "two trials of one of them"),
        (lambda: components([[0.5, 0.4], []]), "at least 2 cases"),
        (lambda: sd_of_difference(-1.0, trials_before=1, trials_after=1), "needs a variance and trials"),
        (lambda: sd_of_difference(1.0, trials_before=1, trials_after=0), "needs a variance and trials"),
    ],
)
def test_what_has_no_answer_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
