import math
from collections.abc import Callable, Sequence
from random import Random

import pytest
from scipy import stats as scipy_stats

from gatewatch.stats.multiple import benjamini_hochberg, holm
from stats.vectors import hold

Adjusting = Callable[[Sequence[float]], list[float]]


@pytest.mark.parametrize(("method", "ours"), [("adjusted_p_holm", holm), ("adjusted_p_bh", benjamini_hochberg)])
def test_the_reference_vectors(method: str, ours: Adjusting) -> None:
    hold(method, lambda given: ours(given["p"]))


def test_the_order_is_that_of_the_input() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert benjamini_hochberg([0.04, 0.01, 0.03]) == pytest.approx([0.04, 0.03, 0.04])


def test_the_false_discovery_rate_agrees_with_scipy() -> None:
    draw = Random(2)
    p = [draw.random() ** 3 for _ in range(200)] + [0.5, 0.5, 0.0, 1.0]
    assert benjamini_hochberg(p) == pytest.approx(list(scipy_stats.false_discovery_control(p)), rel=1e-12)


@pytest.mark.parametrize("ours", [holm, benjamini_hochberg])
def test_none_one_and_equal_ones(ours: Adjusting) -> None:
    assert ours([]) == []
    assert ours([0.03]) == [0.03]
    assert ours([1.0, 1.0]) == [1.0, 1.0]


@pytest.mark.parametrize("ours", [holm, benjamini_hochberg])
@pytest.mark.parametrize("wrong", [-0.1, 1.01, math.nan])
def test_what_is_no_probability_is_refused(ours: Adjusting, wrong: float) -> None:
    with pytest.raises(ValueError, match=r"a p-value is in 0\.\.1, got"):
        ours([0.5, wrong])
