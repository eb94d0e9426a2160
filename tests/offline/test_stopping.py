from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from statistics import NormalDist
from typing import Any

import pytest

from gatewatch.core.case import Case
from gatewatch.core.run import Row
from gatewatch.core.score import Score
from gatewatch.offline.accept import Entry, Exceptions
from gatewatch.offline.outcomes import Outcomes
from gatewatch.offline.stopping import LEAST_CASES, Look, Stopping, fair_order
from gatewatch.stats.sequential import LOOKS, boundaries, look
from offline.pairs import baseline, numbered

EVEN = (0.2, 0.4, 0.6, 0.8, 1.0)
FELL = "stopped early: exact fell"
CALM = "stopped early: no fall that matters is to be expected"


def cases(count: int, **fields: Any) -> list[Case]:
    return [Case(id=case, input=case, **fields) for case in numbered(count)]


def stored(chosen: Sequence[Case], value: float = 1.0, *, scorers: Sequence[str] = ("exact",)) -> Outcomes:
    """A baseline of these cases."""
    given = {case.id: value for case in chosen}
    return baseline({}, more=dict.fromkeys(scorers, given), hashes={case.id: case.hash for case in chosen})


def watching(chosen: Sequence[Case], **about: Any) -> Stopping:
    alphas = about.pop("alphas", {"exact": 0.05})
    before = about.pop("before", None) or stored(chosen, scorers=list(alphas))
    return Stopping(before, chosen, alphas=alphas, **{"max_drop": 0.05, **about})


def row(case: Case, value: float | None = 1.0, **more: float) -> Row:
    scores = {"exact": Score(value), **{name: Score(other) for name, other in more.items()}}
    return Row(case=case.id, scores=scores)


def ran(stopping: Stopping, rows: Sequence[Row]) -> tuple[int, str]:
    """After how many rows it said to stop, and why."""
    for number, each in enumerate(rows, start=1):
        said = stopping(each)
        if said:
            return number, said
    return len(rows), ""


class TestWatching:
    def test_a_fall_is_seen_at_the_first_look_that_shows_it(self) -> None:
        chosen = cases(200)
        stopping = watching(chosen)
        assert ran(stopping, [row(case, 0.0) for case in chosen]) == (40, FELL)
        assert stopping.said == {"exact": "regressed"}
        assert (stopping.look.number, stopping.look.said) == (4, {"exact": "regressed"})
        assert stopping.look.information == pytest.approx(EVEN)

    def test_that_nothing_fell_too(self) -> None:
        chosen = cases(200)
        stopping = watching(chosen)
        assert ran(stopping, [row(case) for case in chosen]) == (80, CALM), "forty ties are too few to say so"
        assert stopping.said == {"exact": "no drop"}

    def test_it_says_what_the_sequential_test_says(self) -> None:
        chosen = cases(200)
        rows = [row(case, float(n % 12 != 0)) for n, case in enumerate(chosen)]
        stopping = watching(chosen)
        expected = 200
        for number in range(1, LOOKS):
            differences = [-float(n % 12 == 0) for n in range(40 * number)]
            if look(differences, number, alpha=0.05, max_drop=0.05, planned=200) != "go on":
                expected = 40 * number
                break
        assert expected > 40, "this is to be a close one"
        assert ran(stopping, rows)[0] == expected

    def test_it_stops_between_looks_for_nothing(self) -> None:
        chosen = cases(200)
        stopping = watching(chosen)
        assert ran(stopping, [row(case, 0.0) for case in chosen[:39]]) == (39, "")
        assert stopping(row(chosen[39], 0.0)) == FELL
        assert stopping(row(chosen[40], 1.0)) == FELL, "and does not take it back"

    def test_the_last_look_is_the_gates(self) -> None:
        chosen = cases(200)
        stopping = watching(chosen, before=stored(chosen, 0.5), max_drop=0.01)
        assert ran(stopping, [row(case, float(n % 2)) for n, case in enumerate(chosen)]) == (200, "")
        assert (stopping.look.number, stopping.look.said) == (4, {})

    def test_what_must_pass_was_chosen_and_is_not_looked_at(self) -> None:
        must, rest = cases(50, must_pass=True), [Case(id=f"x{n}", input=f"x{n}") for n in range(200)]
        stopping = watching([*must, *rest])
        assert ran(stopping, [row(case, 0.0) for case in must]) == (50, "")
        assert ran(stopping, [row(case) for case in rest]) == (80, CALM)

    def test_what_is_accepted_is_not_looked_at(self) -> None:
        chosen = cases(200)
        entry = {"reason": "r", "owner": "mia", "until": date(2026, 6, 30)}
        listed = [("a.toml:1", Entry(case=case.id, **entry)) for case in chosen[:60]]  # type: ignore[arg-type]
        stopping = watching(chosen, exceptions=Exceptions(listed, today=date(2026, 6, 1)))
        assert ran(stopping, [row(case, 0.0) for case in chosen[:60]]) == (60, "")
        assert ran(stopping, [row(case) for case in chosen[60:]]) == (56, CALM), "two fifths of the 140"

    def test_what_has_nothing_beside_it_is_not_looked_at(self) -> None:
        chosen = cases(200)
        before = stored(chosen[:150])
        before.cases["c000"].hash = "other"
        stopping = watching(chosen, before=before)
        strange = [row(chosen[0], 0.0), *(row(case, 0.0) for case in chosen[150:])]
        assert ran(stopping, strange) == (51, "")
        assert ran(stopping, [row(case, None) for case in chosen[1:20]]) == (19, "")
        assert ran(stopping, [Row(case=case.id) for case in chosen[1:20]]) == (19, "")
        assert ran(stopping, [row(case) for case in chosen[1:]]) == (60, CALM), "of the 149 that pair, two fifths"

    def test_few_pairs_are_not_looked_at_however_many_cases_there_are(self) -> None:
        chosen = cases(200)
        assert ran(watching(chosen, before=stored(chosen[:99])), [row(case) for case in chosen]) == (200, "")

    def test_several_scorers(self) -> None:
        chosen = cases(200)
        alphas = {"exact": 0.025, "kind": 0.025}
        assert ran(watching(chosen, alphas=alphas), [row(case, kind=1.0) for case in chosen]) == (80, CALM)
        fell = watching(chosen, alphas=alphas)
        assert ran(fell, [row(case, kind=0.0) for case in chosen]) == (40, "stopped early: kind fell")
        one = watching(chosen, alphas=alphas)
        rows = [row(case, kind=float(n % 9 != 0)) for n, case in enumerate(chosen)]
        number, _ = ran(one, rows)
        assert one.said["exact"] == "no drop"
        assert number > 80, "for as long as one is open it goes on"

    def test_there_is_too_little_to_be_saved_below_a_hundred(self) -> None:
        assert LEAST_CASES == 100


class TestLook:
    def test_its_level_is_that_of_its_boundary(self) -> None:
        levels = [Look(information=EVEN, number=number).level(0.05) for number in range(5)]
        assert levels == pytest.approx([1 - NormalDist().cdf(z) for z in boundaries(EVEN, alpha=0.05)])
        assert levels == sorted(levels)
        assert levels[-1] < 0.05

    def test_a_pass_spends_its_own_rate_where_trials_are_bought(self) -> None:
        once = Look(information=(0.2, 0.6, 1.0), number=0)
        bought = [Look(information=once.information, number=number, bought=True) for number in range(3)]
        assert once.pass_level(0.05) == 0.05
        levels = [look.pass_level(0.05) for look in bought]
        expected = [1 - NormalDist().cdf(z) for z in boundaries(once.information, alpha=0.05, spending="pocock")]
        assert levels == pytest.approx(expected)
        assert max(levels) < 0.05

    def test_a_level_is_never_nothing(self) -> None:
        assert Look(information=(0.001, 1.0), number=0).level(1e-9) > 0.0

    def test_the_levels_of_trials_that_are_bought(self) -> None:
        spend = (0.2, 0.6, 1.0)
        levels = [Look(information=spend, number=number).level(0.025) for number in range(3)]
        assert levels == sorted(levels)
        assert levels[0] < 1e-5
        assert 0.02 < levels[-1] < 0.025


class TestOrder:
    def order(self, chosen: Sequence[Case], seed: int = 0) -> list[str]:
        return [chosen[place].id for place in fair_order(range(len(chosen)), chosen, seed)]

    def test_every_case_once_what_must_pass_first(self) -> None:
        chosen = [*cases(20), *(Case(id=f"m{n}", input="x", must_pass=True) for n in range(3))]
        found = self.order(chosen)
        assert found[:3] == ["m0", "m1", "m2"]
        assert sorted(found) == sorted(case.id for case in chosen)

    def test_the_seed_decides(self) -> None:
        chosen = cases(50)
        assert self.order(chosen, 1) == self.order(chosen, 1) != self.order(chosen, 2)

    def test_places_are_those_of_the_dataset(self) -> None:
        chosen = cases(3)
        assert sorted(fair_order([5, 7, 9], chosen, 0)) == [5, 7, 9]

    def test_every_slice_comes_in_even_portions(self) -> None:
        sizes: Mapping[str, int] = {"big": 120, "middle": 60, "small": 20}
        chosen = [
            Case(id=f"{name}{n}", input=f"{name}{n}", slice=name) for name, size in sizes.items() for n in range(size)
        ]
        for seed in range(5):
            parts = [chosen[place].slice for place in fair_order(range(200), chosen, seed)]
            for fifth in range(1, 6):
                seen = Counter(parts[: 40 * fifth])
                assert all(abs(seen[name] - size * fifth / 5) <= 1 for name, size in sizes.items())

    def test_within_a_slice_it_is_random(self) -> None:
        chosen = cases(100)
        first = Counter(self.order(chosen, seed)[0] for seed in range(300))
        assert len(first) > 80
        assert max(first.values()) < 15
