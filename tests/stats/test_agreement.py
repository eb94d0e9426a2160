import random
from math import sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.stats.agreement import (
    Confusion,
    auc,
    cohen_kappa,
    design_effect,
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
    return weighted_kappa(inputs["a"], inputs["b"], weights=inputs["weights"]).value


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
    quadratic = weighted_kappa(one, other, weights="quadratic").value
    assert quadratic is None or quadratic <= 1 + 1e-9


def test_where_chance_agrees_always_there_is_no_kappa() -> None:
    assert cohen_kappa(["a", "a"], ["a", "a"]).value is None
    assert weighted_kappa([3, 3], [3, 3]).value is None
    assert fleiss_kappa([["a", "a"], ["a", "a"]]) is None
    assert krippendorff_alpha([["a", "a"], ["a", "a"]]) is None


@given(st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=4), min_size=1, max_size=15))
def test_alpha_is_at_most_1_and_of_two_values_the_same_at_every_level(ratings: list[list[int]]) -> None:
    for level in ("nominal", "ordinal", "interval"):
        alpha = krippendorff_alpha(ratings, level=level)
        assert alpha is None or alpha <= 1 + 1e-9
    halves = [[value > 2 for value in each] for each in ratings]
    nominal, interval = (krippendorff_alpha(halves, level=level) for level in ("nominal", "interval"))
    assert nominal == (None if interval is None else pytest.approx(interval))


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


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.integers(1, 4)), min_size=2, max_size=30))
def test_a_weight_stands_for_as_many_things(rows: list[tuple[int, bool, int]]) -> None:
    scores, good, weights = ([row[place] for row in rows] for place in range(3))
    weighed = auc([float(s) for s in scores], [bool(g) for g in good], weights=[float(w) for w in weights])
    copied = [(float(score), is_good) for score, is_good, weight in rows for _ in range(weight)]
    plain = auc([score for score, _ in copied], [is_good for _, is_good in copied])
    assert (weighed is None) == (plain is None)
    if weighed is not None and plain is not None:
        assert weighed[0] == pytest.approx(plain[0])


def test_agreement_on_everything_is_no_certainty() -> None:
    for kappa in (cohen_kappa([1, 0] * 15, [1, 0] * 15), weighted_kappa([1, 2, 3] * 10, [1, 2, 3] * 10)):
        assert (kappa.value, kappa.interval is not None) == (1.0, True)
        assert kappa.interval is not None
        assert 0.6 < kappa.interval.low < 0.9
        assert kappa.interval.high == 1.0


def test_the_interval_of_weighted_kappa_is_that_of_leaving_one_out() -> None:
    draw = random.Random(3)
    people = [draw.randint(1, 5) for _ in range(400)]
    judge = [min(5, max(1, grade + draw.choice((-2, -1, 0, 0, 0, 1)))) for grade in people]
    found = weighted_kappa(people, judge, weights="quadratic")
    without = [
        weighted_kappa(people[:n] + people[n + 1 :], judge[:n] + judge[n + 1 :], weights="quadratic").value or 0.0
        for n in range(400)
    ]
    mean = sum(without) / 400
    se = sqrt(399 / 400 * sum((value - mean) ** 2 for value in without))
    assert found.interval is not None
    assert (found.interval.high - found.interval.low) / (2 * 1.96) == pytest.approx(se, rel=0.05)


parts = st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 5)), min_size=2, max_size=40)


@given(parts)
def test_a_design_effect_is_no_gain(rows: list[tuple[float, int]]) -> None:
    values, clusters = [value for value, _ in rows], [cluster for _, cluster in rows]
    assert design_effect(values, clusters) >= 1
    assert design_effect(values, range(len(values))) == 1


def test_copies_tell_nothing() -> None:
    values = [0.5, -0.5] * 20
    copies = [value for value in values for _ in range(4)]
    assert design_effect(copies, [n // 4 for n in range(160)]) == pytest.approx(4, rel=0.03)
    assert design_effect([0.0] * 12, [n // 4 for n in range(12)]) == 4
    assert design_effect([0.1, -0.1], ["one", "one"]) == 2


def test_a_confusion_of_copies_is_as_wide_as_of_the_things() -> None:
    good = [True] * 30 + [False] * 30
    passed = [True] * 25 + [False] * 5 + [True] * 8 + [False] * 22
    one = Confusion.of(good, passed)
    thrice = Confusion.of(good * 3, passed * 3, clusters=list(range(60)) * 3)
    assert one.youden is not None
    assert thrice.youden is not None
    assert thrice.youden[0] == pytest.approx(one.youden[0])
    assert thrice.youden[1].low == pytest.approx(one.youden[1].low, abs=0.01)
    assert Confusion.of(good, passed, clusters=list(range(60))) == one
