from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.stats.agreement import (
    Confusion,
    auc,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    pairwise_agreement,
    weighted_kappa,
)
from stats.vectors import hold


def _kappa(inputs: dict[str, Any]) -> dict[str, Any]:
    found = cohen_kappa(inputs["a"], inputs["b"])
    assert found.interval is not None
    return {"kappa": found.value, "ci95": [found.interval.low, found.interval.high]}


def _weighted(inputs: dict[str, Any]) -> Any:
    if inputs["weights"] is None:
        return cohen_kappa(inputs["a"], inputs["b"]).value
    return weighted_kappa(inputs["a"], inputs["b"], weights=inputs["weights"])


def _krippendorff(inputs: dict[str, Any]) -> Any:
    things = zip(*inputs["raters_by_items"], strict=True)
    return krippendorff_alpha([[v for v in each if v is not None] for each in things], level=inputs["level"])


def test_reference_values() -> None:
    hold("cohen_kappa", _kappa)
    hold("cohen_kappa_weighted", _weighted)
    hold("fleiss_kappa", lambda inputs: fleiss_kappa(inputs["ratings"]))
    hold("krippendorff_alpha", _krippendorff)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=40))
def test_kappa_is_symmetric_and_at_most_1(pairs: list[tuple[int, int]]) -> None:
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    kappa = cohen_kappa(one, other)
    assert kappa.value == pytest.approx(cohen_kappa(other, one).value)
    if kappa.value is not None:
        assert kappa.value <= 1
        assert kappa.interval is not None
        assert kappa.interval.low - 1e-12 <= kappa.value <= kappa.interval.high + 1e-12
    quadratic = weighted_kappa(one, other, weights="quadratic")
    assert quadratic is None or quadratic <= 1


def test_where_chance_agrees_always_there_is_no_kappa() -> None:
    assert cohen_kappa(["a", "a"], ["a", "a"]).value is None
    assert weighted_kappa([3, 3], [3, 3]) is None
    assert fleiss_kappa([["a", "a"], ["a", "a"]]) is None
    assert krippendorff_alpha([["a", "a"], ["a", "a"]]) is None


def test_raters_must_have_rated_the_same() -> None:
    with pytest.raises(ValueError, match="at least one, got 0 and 0"):
        cohen_kappa([], [])
    with pytest.raises(ValueError, match="two or more"):
        fleiss_kappa([["a"], ["a", "b"]])


def test_agreement_among_people() -> None:
    assert pairwise_agreement([["a", "a", "b"], ["a", "a", "a"], ["b"]]) == pytest.approx((1 / 3 + 1) / 2)
    assert pairwise_agreement([["a"]]) is None


def test_the_figures_of_a_confusion() -> None:
    good = [True] * 50 + [False] * 50
    passed = [True] * 45 + [False] * 5 + [True] * 10 + [False] * 40
    table = Confusion.of(good, passed)
    assert table.effective == 100
    assert table.accuracy == 0.85
    for figure, value in (
        (table.sensitivity, 0.9),
        (table.specificity, 0.8),
        (table.ppv, 45 / 55),
        (table.npv, 40 / 45),
        (table.youden, 0.7),
    ):
        assert figure is not None
        assert figure[0] == pytest.approx(value)
        assert figure[1].low < value < figure[1].high


def test_weights_undo_how_labels_were_drawn() -> None:
    # Of 900 passed and 100 failed, 50 of each are labelled: 45 of the passed and 10 of the failed are good.
    good = [True] * 45 + [False] * 5 + [True] * 10 + [False] * 40
    passed = [True] * 50 + [False] * 50
    table = Confusion.of(good, passed, [18.0] * 50 + [2.0] * 50)
    assert table.n == pytest.approx(100)
    assert table.sensitivity is not None
    assert table.sensitivity[0] == pytest.approx(45 * 18 / (45 * 18 + 10 * 2))
    assert table.effective < 100
    assert table.ppv is not None
    assert table.ppv[0] == pytest.approx(0.9)


def test_without_anything_good_there_is_no_sensitivity() -> None:
    table = Confusion.of([False, False], [True, False])
    assert table.sensitivity is None
    assert table.youden is None


scored = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=60)


@given(scored)
def test_auc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[int, bool]]) -> None:
    scores, good = [float(score) for score, _ in rows], [is_good for _, is_good in rows]
    found = auc(scores, good)
    pairs = [(a > b) + (a == b) / 2 for a, p in rows if p for b, q in rows if not q]
    if not pairs:
        assert found is None
        return
    assert found is not None
    assert found[0] == pytest.approx(sum(pairs) / len(pairs))
    assert 0 <= found[1].low <= found[0] + 1e-9
    assert found[0] - 1e-9 <= found[1].high <= 1
    turned = auc([-score for score in scores], good)
    assert turned is not None
    assert turned[0] == pytest.approx(1 - found[0])


def test_auc_of_things_that_hang_together_is_less_certain() -> None:
    # ten documents, each with rows that share its luck
    scores, good, documents = [], [], []
    for document in range(10):
        for row in range(20):
            scores.append(document % 5 + (row % 2) * 0.5)
            good.append(row % 2 == 0 if document % 2 else document % 4 == 0)
            documents.append(document)
    alone, together = auc(scores, good), auc(scores, good, documents)
    assert alone is not None
    assert together is not None
    assert alone[0] == together[0]
    assert together[1].high - together[1].low > 1.5 * (alone[1].high - alone[1].low)
