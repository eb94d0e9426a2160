from collections.abc import Mapping
from typing import Any

import pytest

from gatewatch.offline.compare import Comparison
from gatewatch.offline.figures import figures
from gatewatch.offline.verdict import Figures
from gatewatch.stats.paired import difference, mid_p, paired_t, sign_flip, tango
from gatewatch.stats.power import cases_to_decide, smallest_detectable
from offline.pairs import LOST, SKIPPED, Values, baseline, numbered, side, with_last


def found(
    before: Mapping[str, Values],
    after: Mapping[str, Values],
    *,
    alpha: float = 0.05,
    max_drop: float = 0.05,
    seed: int = 0,
    **about: Any,
) -> Figures:
    comparison = Comparison(baseline(before), side(after, **about))
    return figures(comparison, comparison.pairs("exact"), alpha=alpha, max_drop=max_drop, seed=seed)


def test_right_and_wrong() -> None:
    before = with_last(numbered(40), 1, 0.0)
    after = {**numbered(40), "c000": 0.0, "c001": 0.0, "c002": 0.0}
    each = found(before, after)
    expected = tango(1, 3, 40)
    assert (each.n, each.wins, each.losses, each.ties, each.fixed, each.broke) == (40, 1, 3, 36, 1, 3)
    assert (each.baseline, each.candidate) == (0.975, 0.925)
    assert each.delta == pytest.approx(-0.05)
    assert (each.interval, each.method) == ((expected.low, expected.high), "tango")
    assert each.lower == tango(1, 3, 40, confidence=0.9).low
    assert each.p == mid_p(1, 3)
    assert each.sd is not None
    assert each.mde == smallest_detectable(each.sd, 40, alpha=0.05)
    assert each.needed == cases_to_decide(each.sd, 0.05)
    assert each.verdict == "UNDECIDED", "it is for the gate to say"


def test_graded_values() -> None:
    before = {f"c{n}": 0.5 for n in range(12)}
    after = {f"c{n}": 0.5 + n / 40 - 0.1 for n in range(12)}
    each = found(before, after)
    expected = difference([n / 40 - 0.1 for n in range(12)])
    assert expected.interval is not None
    assert each.interval == pytest.approx((expected.interval.low, expected.interval.high))
    assert (each.method, each.wins, each.losses, each.ties) == ("t", 7, 4, 1)
    assert (each.fixed, each.broke) == (0, 0), "without a pass mark nothing is called broken"
    assert found(before, after, pass_at=0.5).broke == 4


def test_trials_of_right_and_wrong_break_where_the_larger_part_fails() -> None:
    before: dict[str, Values] = {name: [1.0, 1.0, 1.0] for name in "abcd"}
    after: dict[str, Values] = {"a": [1.0, 0.0, 1.0], "b": [0.0, 0.0, 1.0], "c": [1.0, 0.0], "d": [0.0, 0.0, 0.0]}
    each = found(before, after)
    assert (each.losses, each.broke) == (4, 3), "half is not the larger part"


def test_the_level_and_the_drop_decide_what_is_to_be_seen() -> None:
    after = with_last(numbered(40), 2, 0.0)
    full, half = found(numbered(40), after, alpha=0.05), found(numbered(40), after, alpha=0.025)
    assert full.mde is not None
    assert half.mde is not None
    assert half.mde > full.mde
    assert half.needed == full.needed
    assert found(numbered(40), after, max_drop=0.0).needed is None


def test_that_nothing_moved_does_not_say_that_nothing_ever_will() -> None:
    each = found(numbered(40), numbered(40))
    assert (each.delta, each.ties) == (0.0, 40)
    assert each.p == pytest.approx(0.5)
    assert each.sd is not None
    assert each.mde is not None
    assert each.needed is not None
    assert each.sd > 0.1
    assert each.mde > 0.05
    assert each.needed > 40
    assert each.lower is not None
    assert each.lower < -0.05, "of forty ties a fall of five points cannot be ruled out"
    one = found(with_last(numbered(40), 1, 0.0), numbered(40))
    assert one.lower is not None
    assert one.lower < paired_t([0.0] * 39 + [1.0], confidence=0.9).low, "a t would claim to know more"


def test_differences_that_are_all_equal_claim_no_certainty() -> None:
    each = found({f"c{n}": 0.5 for n in range(10)}, {f"c{n}": 0.75 for n in range(10)})
    assert each.method == "all equal"
    assert each.interval is not None
    assert each.interval[0] < 0.25 < each.interval[1]


def test_one_pair_has_no_interval_and_none_has_nothing() -> None:
    one = found({"a": 1.0}, {"a": 0.0})
    assert (one.delta, one.interval, one.lower, one.method) == (-1.0, None, None, "")
    assert one.p == pytest.approx(0.25)
    assert (one.sd, one.mde, one.needed) == (None, None, None)
    none = found({"a": 1.0, "b": 1.0}, {"a": LOST, "b": SKIPPED})
    assert none == Figures(verdict="UNDECIDED", errors=1, lost_share=1.0, skipped=1, dropped=1)


def test_cases_that_share_an_origin_count_as_one() -> None:
    before, after = numbered(40), {**numbered(40), **{f"c{n:03}": 0.0 for n in range(6)}}
    alone = found(before, after)
    clusters = {f"c{n:03}": f"doc{n // 6}" for n in range(36)}
    each = found(before, after, clusters=clusters)
    assert (each.method, alone.method) == ("cluster t", "tango")
    assert (each.p, alone.p) == (mid_p(0, 1), mid_p(0, 6))
    assert each.sd is not None
    assert alone.sd is not None
    assert each.sd > alone.sd, "what is to be seen is what so many clusters show"
    assert each.mde is not None
    assert alone.mde is not None
    assert each.mde > alone.mde
    together = found(before, after, clusters=dict.fromkeys(before, "doc"))
    assert (together.interval, together.lower, together.mde) == (None, None, None)


def test_the_seed_is_of_the_sign_flips() -> None:
    before = {f"c{n:02}": 0.5 for n in range(30)}
    after = {f"c{n:02}": 0.5 + ((n * 7) % 13 - 7) / 50 for n in range(30)}
    differences = [each - 0.5 for each in after.values()]
    for seed in (0, 5):
        assert found(before, after, seed=seed).p == pytest.approx(sign_flip(differences, seed=seed))
    assert found(before, after, seed=0).p != found(before, after, seed=5).p
