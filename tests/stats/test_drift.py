"""The drift detector: it moves as its rule says, keeps its state, and is not moved by what it does not know."""

import random
from math import isfinite

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.stats.drift import (
    BETS,
    LEAST_THRESHOLD,
    WEIGHTS,
    Change,
    Detector,
    Reference,
    State,
    effect,
    onset,
    threshold,
)

shares = st.floats(0, 1)
strata = st.sampled_from(["a", "b", "c"])
entries = st.lists(st.tuples(strata, shares), min_size=1, max_size=80)
KNOWN = Reference.of([("a", 0.9), ("a", 0.7), ("b", 0.4), ("b", 0.2)] * 10)


def fold(values: list[tuple[str, float]], *, reference: Reference = KNOWN, state: State | None = None) -> Detector:
    detector = Detector(reference, threshold=1000, state=state)
    for stratum, x in values:
        detector.update(stratum, x)
    return detector


def test_each_bet_moves_by_the_rule() -> None:
    reference = Reference({"": (1000, 0.8, 90.0)}, 0.02)
    detector, wealth, alarms = Detector(reference, threshold=1000), [0.0] * 6, []
    for x in (1.0, 0.2, 0.5, 0.1, 0.8, 0.0):
        alarms.append(detector.update("", x))
        wealth = [
            (m + w) * (1 + min(b, 0.95 / 0.22) * (0.78 - x)) for m, w, b in zip(wealth, WEIGHTS, BETS, strict=True)
        ]
        assert detector.state.wealth == pytest.approx(wealth)
        assert alarms[-1] == (sum(wealth) >= 1000) and detector.level == pytest.approx(sum(wealth))
    assert detector.state.n == 6


@given(st.lists(shares, min_size=5, max_size=50), st.integers(1, 200))
def test_what_is_at_the_edge_moves_it_by_one_at_most(before: list[float], n: int) -> None:
    reference = Reference.of([("a", x) for x in before])
    edge = reference.edge("a")
    if 0 <= edge <= 1:
        assert fold([("a", edge)] * n, reference=reference).level <= n * (1 + 1e-9)


@given(entries, st.integers(0, 80), st.booleans())
def test_the_state_is_bitwise_the_same_wherever_it_is_cut(values: list[tuple[str, float]], at: int, text: bool) -> None:
    codec = msgspec.json if text else msgspec.msgpack
    saved = codec.decode(codec.encode(fold(values[:at]).state), type=State)
    reference = codec.decode(codec.encode(KNOWN), type=Reference)
    assert fold(values[at:], reference=reference, state=saved).state == fold(values).state


@given(entries, st.randoms(use_true_random=False))
def test_the_order_of_what_was_before_is_irrelevant(values: list[tuple[str, float]], order: random.Random) -> None:
    mixed = order.sample(values, len(values))
    assert Reference.of(mixed) == Reference.of(values)
    assert list(Reference.of(mixed).strata) == list(Reference.of(values).strata)


@given(entries, st.lists(st.sampled_from([0.0, 0.01, 0.5, 1.0]), min_size=1, max_size=60), st.booleans())
def test_wealth_is_above_0_and_finite_whatever_was_before(
    before: list[tuple[str, float]], values: list[float], back: bool
) -> None:
    known = Reference.of([("a", 1.0)] * 5 + before)
    detector = fold([("a", x) for x in values], reference=known.flipped(0.3) if back else known)
    assert all(isfinite(m) and m > 0 for m in detector.state.wealth)
    assert detector.state.n == len(values)


def test_it_stays_finite_when_nobody_stops_it_and_comes_down_again() -> None:
    detector = fold([("a", 0.0)] * 3000)
    assert all(isfinite(m) and m > 0 for m in detector.state.wealth)
    assert detector.update("a", 0.0) and detector.level >= 1000
    for _ in range(20_000):
        alarm = detector.update("a", 1.0)
    assert not alarm and detector.level < 20
    detector.restart()
    assert detector.state == State() and detector.level == 0


@given(shares)
def test_a_stratum_that_is_not_known_moves_nothing(x: float) -> None:
    detector = Detector(Reference.of([("a", 0.5)] * 9 + [("b", 0.5)] * 4), threshold=1)
    assert not detector.update("new", x) and not detector.update("b", x)
    assert detector.state == State()


def test_a_reference_knows_what_it_was_made_of() -> None:
    reference = Reference.of([("a", 1.0), ("a", 0.5)] * 50 + [("b", 0.0)] * 4)
    assert reference.n == 104 and reference.mean == pytest.approx(75 / 104)
    assert reference.sd == pytest.approx((100 * 0.0625 / 102) ** 0.5)
    assert reference.knows("a") and not reference.knows("b") and not reference.knows("c")
    assert reference.expected("a") == 0.75 and reference.expected("b") == reference.mean == reference.expected("c")
    assert reference.tolerance == pytest.approx(1.5 * reference.sd / 104**0.5)
    assert Reference.of([("a", 0.5)] * 9).tolerance == 0.01
    assert Reference.of([("a", 0.5)] * 9, tolerance=0.0).tolerance == 0.0
    assert Reference.of_sums(reference.strata) == reference
    assert Reference.of([]).n == 0 and not Reference.of([]).knows("")


def test_a_thin_stratum_has_a_tolerance_of_its_own() -> None:
    reference = Reference.of([("many", 1.0), ("many", 0.0)] * 2000 + [("few", 1.0), ("few", 0.0)] * 10)
    assert reference.edge("many") == pytest.approx(0.5 - reference.tolerance)
    assert reference.edge("few") == pytest.approx(0.5 - reference.sd / 20**0.5 / 2, abs=1e-12)


def test_a_floor_holds_every_stratum_against_itself() -> None:
    reference = Reference.fixed(0.9)
    assert reference.knows("any") and reference.edge("any") == reference.expected("any") == reference.mean == 0.9
    one, other = Detector(reference, threshold=1000), Detector(reference, threshold=1000)
    alarms = [(one.update("a", 0.5), other.update(f"{number}", 0.5)) for number in range(20)]
    assert alarms[-1] == (True, True) and one.state == other.state
    always = Detector(Reference.fixed(1.0), threshold=1000)
    assert not any(always.update("", 1.0) for _ in range(900)), "at the floor it grows by one at a time"


@pytest.mark.parametrize("x", [-0.1, 1.1, float("nan"), float("inf")])
def test_what_is_no_share_is_refused(x: float) -> None:
    with pytest.raises(ValueError, match=r"in 0\.\.1"):
        fold([("a", x)])
    with pytest.raises(ValueError, match=r"in 0\.\.1"):
        Reference.of([("a", x)])
    with pytest.raises(ValueError, match=r"in 0\.\.1"):
        Reference.fixed(x)


def test_the_threshold_is_what_comes_in_between_two_false_alarms() -> None:
    assert threshold(90, per_day=1000, monitors=3) == 270_000
    assert threshold(90, per_day=2, monitors=1) == 1000
    with pytest.raises(ValueError, match="got 90, -1 and 1"):
        threshold(90, per_day=-1, monitors=1)


def test_what_is_back_is_told() -> None:
    rng = random.Random(5)
    reference = Reference.of([("", float(rng.random() < 0.9)) for _ in range(2000)])
    for mean, back in ((0.7, False), (0.9, True)):
        detector = Detector(reference.flipped(0.2), threshold=LEAST_THRESHOLD)
        assert any(detector.update("", 1.0 - float(rng.random() < mean)) for _ in range(400)) is back
    floor = Detector(Reference.fixed(0.9).flipped(0.2), threshold=LEAST_THRESHOLD)
    assert any(floor.update("", 0.0) for _ in range(400))


def test_an_onset_is_found_where_it_was_put() -> None:
    rng = random.Random(7)
    before = [("a" if rng.random() < 0.5 else "b", rng.random()) for _ in range(2000)]
    reference = Reference.of(before)
    after = [("a", 0.5 * rng.random()) for _ in range(150)]
    assert abs(onset([*before, *after], reference) - 2000) < 20
    assert onset([("new", 0.0)] * 30, reference) == 30
    assert onset([], reference) == 0


def test_an_effect_is_the_difference_within_strata() -> None:
    reference = Reference.of([("a", 0.9), ("a", 0.7)] * 100 + [("b", 0.3), ("b", 0.1)] * 100)
    found = effect([("b", 0.3), ("b", 0.1)] * 50 + [("new", 1.0)], reference)
    assert found.n == 100 and found.effect == pytest.approx(0) and found.before == pytest.approx(0.2)
    assert found.interval is not None and found.interval.low < 0 < found.interval.high
    fell = effect([("a", 0.6)] * 10 + [("b", 0.0)] * 10, reference)
    assert fell.effect == pytest.approx(-0.2) and fell.interval is not None
    assert fell.interval.low < -0.2 < fell.interval.high < 0, "values that do not vary are no certainty"
    chosen = effect([("a", 0.6)] * 10 + [("b", 0.0)] * 10, reference, chosen=True)
    assert chosen.effect == fell.effect and chosen.interval is not None
    assert chosen.interval.high - chosen.interval.low == pytest.approx(1.5 * (fell.interval.high - fell.interval.low))
    assert effect([("new", 0.5)], reference) == Change(0) and effect([("new", 0.5)], reference).effect is None
    assert effect([("a", 0.5)], reference).interval is None


@given(entries)
def test_an_interval_is_about_its_effect(values: list[tuple[str, float]]) -> None:
    found = effect(values, KNOWN)
    if found.interval is not None and found.effect is not None:
        assert -1 <= found.interval.low <= found.effect + 1e-12
        assert found.effect - 1e-12 <= found.interval.high <= 1
