from collections.abc import Mapping

import pytest

from gatewatch.offline.bounds import Floors, ceilings, floors
from gatewatch.offline.outcomes import Outcomes
from gatewatch.offline.verdict import Ceiling
from gatewatch.stats.intervals import wilson
from gatewatch.stats.special import t_quantile
from offline.pairs import LOST, Values, baseline, decided, numbered, side, with_last

GOOD = numbered(200)


def held(after: Outcomes, **limits: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What floors say: why they block, and what they note."""
    found = floors(after, limits)
    return found.blocks, found.notes


class TestFloors:
    def test_a_mean_under_its_floor_blocks_only_where_chance_is_ruled_out(self) -> None:
        assert held(side(with_last(numbered(40), 4, 0.0)), exact=0.9) == ((), ())
        high = wilson(35, 40, confidence=0.9).high
        assert held(side(with_last(numbered(40), 5, 0.0)), exact=0.9) == (
            (),
            (
                f"exact: the mean is 0.875, its 95 % upper bound {high:.3f}, the floor 0.9: under the floor, but "
                "within what chance does in 40 cases.",
            ),
        )
        blocks, notes = held(side(with_last(numbered(40), 12, 0.0)), exact=0.9)
        assert blocks == ("exact: the mean is 0.700, its 95 % upper bound 0.803, the floor 0.9",)
        assert notes == ()

    def test_one_case_rules_nothing_out(self) -> None:
        blocks, notes = held(side({"a": 0.0}), exact=0.5)
        assert blocks == ()
        assert notes == (
            "exact: the mean is 0.000, its 95 % upper bound 1.000, the floor 0.5: under the floor, but within what "
            "chance does in 1 cases.",
        )

    def test_they_are_held_against_all_cases_and_by_origin(self) -> None:
        cases: dict[str, Values] = {f"c{n}": float(n % 4 != 0) for n in range(40)}
        assert held(side(cases), exact=0.9)[0] != ()
        together = side(cases, clusters={case: "ab"[n % 2] for n, case in enumerate(cases)})
        assert held(together, exact=0.9)[0] == (), "two origins say little"

    def test_without_a_value_there_is_nothing_to_be_looked_at(self) -> None:
        said = "kind: the floor of 0.5 could not be looked at, there is no value"
        after = side({"a": 1.0}, more={"kind": {"a": LOST}})
        assert floors(after, {"kind": 0.5}) == Floors(unseen=(said,))

    def test_of_what_is_mostly_lost_there_is_none_either(self) -> None:
        said = "exact: the floor of 0.5 could not be looked at, too many scores were lost"
        assert floors(side(with_last(numbered(40, 0.0), 3, LOST)), {"exact": 0.5}) == Floors(unseen=(said,))
        assert floors(side(with_last(numbered(40, 0.0), 2, LOST)), {"exact": 0.5}).unseen == ()


def spent(*costs: float, unpriced: int = 0) -> Outcomes:
    found = side({"a": 1.0})
    found.costs.extend(costs)
    found.unpriced = unpriced
    return found


def took(*seconds: float) -> Outcomes:
    found = side({"a": 1.0})
    found.latencies.extend(seconds)
    return found


class TestCost:
    def one(self, after: Outcomes, limit: float) -> Ceiling:
        (found,) = ceilings(after, limit, None)
        return found

    def test_it_blocks_where_the_lower_bound_lies_above(self) -> None:
        costs = [0.01, 0.02, 0.03, 0.02]
        lower = 0.02 - t_quantile(0.95, 3) * 0.00816496580927726 / 2
        found = self.one(spent(*costs), 0.005)
        assert found.lower == pytest.approx(lower)
        assert (found.name, found.value, found.blocks) == ("cost", 0.02, True)
        assert found.said == "cost: $0.0200 a row (95 % lower bound $0.0104), the ceiling is $0.00500"
        assert not self.one(spent(*costs), 0.015).blocks, "above the ceiling, but within what chance does"

    def test_a_price_that_is_not_known_is_not_nothing(self) -> None:
        assert self.one(spent(0.01, 0.02, unpriced=1), 0.001) == Ceiling(
            name="cost", limit=0.001, said="cost: the ceiling could not be looked at, 1 rows do not state it"
        )
        assert self.one(spent(), 0.001).said == "cost: the ceiling could not be looked at, no row states it"

    def test_a_bound_below_nothing_is_nothing(self) -> None:
        assert "(95 % lower bound $0.00)" in self.one(spent(0.0, 0.0, 0.0, 1.0), 0.5).said

    def test_one_row_rules_nothing_out(self) -> None:
        assert not self.one(spent(0.01), 0.005).blocks


class TestLatency:
    def one(self, after: Outcomes, limit: float) -> Ceiling:
        (found,) = ceilings(after, None, limit)
        return found

    def test_it_blocks_where_the_lower_bound_of_the_95th_percentile_lies_above(self) -> None:
        seconds = [n / 100 for n in range(1, 101)]
        found = self.one(took(*seconds), 0.9)
        assert found.value == pytest.approx(0.9505)
        assert (found.lower, found.blocks) == (0.91, True)
        assert found.said == "latency: p95 is 0.95 s (95 % lower bound 0.91 s), the ceiling is 0.9 s"
        assert not self.one(took(*seconds), 0.92).blocks

    def test_what_was_not_timed_is_not_quick(self) -> None:
        assert self.one(took(), 1.0) == Ceiling(
            name="latency",
            limit=1.0,
            said="latency: the ceiling could not be looked at, no answer states its latency",
        )


def test_ceilings_that_were_not_set_are_not_looked_at() -> None:
    assert ceilings(took(1.0), None, None) == []


class TestGate:
    def reasons(
        self, after: Outcomes, before: Mapping[str, Values] = GOOD, **rule: object
    ) -> tuple[str, tuple[str, ...]]:
        verdict = decided(baseline(before), after, **rule)  # type: ignore[arg-type]
        return verdict.verdict, verdict.reasons

    def test_floors_block_and_are_noted(self) -> None:
        poor = numbered(200, 0.0)
        said = "exact: the mean is 0.000, its 95 % upper bound 0.013, the floor 0.9"
        assert self.reasons(side(poor), poor, floors={"exact": 0.9}) == ("REGRESSED", (said,))
        fair = with_last(numbered(200), 25, 0.0)
        verdict = decided(baseline(fair), side(fair), floors={"exact": 0.9})
        assert verdict.verdict == "PASS"
        assert [each.split(",")[0] for each in verdict.remarks] == ["exact: the mean is 0.875"]

    def test_ceilings_block(self) -> None:
        dear = side(GOOD)
        dear.costs.extend([0.5, 0.5, 0.6])
        word, reasons = self.reasons(dear, max_cost=0.1)
        assert (word, reasons) == (
            "REGRESSED",
            ("cost: $0.533 a row (95 % lower bound $0.436), the ceiling is $0.100",),
        )

    def test_what_could_not_be_looked_at_is_no_pass(self) -> None:
        assert self.reasons(side(GOOD), max_cost=0.1, max_latency=1.0) == (
            "UNDECIDED",
            (
                "cost: the ceiling could not be looked at, no row states it",
                "latency: the ceiling could not be looked at, no answer states its latency",
            ),
        )

    def test_a_floor_without_a_value_is_no_pass(self) -> None:
        before = baseline(GOOD, more={"kind": GOOD})
        after = side(GOOD, more={"kind": numbered(200, LOST)})
        verdict = decided(before, after, primary=("exact",), floors={"kind": 0.9})
        assert verdict.verdict == "UNDECIDED"
        assert verdict.reasons == ("kind: the floor of 0.9 could not be looked at, there is no value",)
