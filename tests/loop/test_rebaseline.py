from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core.case import Case, Open
from gatewatch.loop.rebaseline import (
    confirmed,
    failure_of,
    failures_fixed,
    locked,
    marks_of,
    refusal,
    stated,
    still_open,
    to_confirm,
)
from gatewatch.offline.outcomes import CaseOutcome, Mark
from gatewatch.offline.verdict import Verdict, Word
from offline.pairs import FAILED, LOST, SKIPPED, Values, side

UNTIL = Open(date(2999, 1, 1), "mia")
DAY = date(2026, 6, 1)
MARKS = {"exact": 1.0}


def outcome(values: Values, case: str = "x1") -> CaseOutcome:
    return side({case: values}).cases[case]


def states(values: Values) -> tuple[list[str], list[str], list[str]]:
    """Which of to be confirmed, confirmed and still open a case is."""
    run = side({"c1": 1.0, "x1": values}, open_cases={"x1": UNTIL})
    fixed = confirmed(run, MARKS)
    return to_confirm(run, MARKS), fixed, still_open(run, fixed)


def test_three_of_three_confirm_a_fix() -> None:
    assert states(1.0) == (["x1"], [], ["x1"])
    assert states([1.0, 1.0]) == (["x1"], [], ["x1"])
    assert states([1.0, 1.0, 1.0]) == ([], ["x1"], [])


@pytest.mark.parametrize("values", [0.0, [1.0, 0.0], [1.0, 1.0, 0.0], FAILED, LOST, SKIPPED])
def test_anything_else_stays_open(values: Values) -> None:
    assert states(values) == ([], [], ["x1"])


def test_a_scorer_with_fewer_values_decides() -> None:
    once: list[float | Mark] = [1.0, SKIPPED, SKIPPED]
    run = side({"x1": [1.0, 1.0, 1.0]}, more={"kind": {"x1": once}}, open_cases={"x1": UNTIL})
    assert to_confirm(run, {"exact": 1.0, "kind": 1.0}) == ["x1"]
    assert confirmed(run, {"exact": 1.0}) == ["x1"]


def test_the_marks_of_a_run() -> None:
    run = side({"a": 1.0, "b": 0.0}, more={"graded": {"a": 0.5}})
    assert marks_of(run) == {"exact": 1.0}


def test_a_case_is_locked_once() -> None:
    case = Case(id="x1", input="q", open=UNTIL, provenance={"failure": "F3"})
    found = locked(case, "run-1", DAY)
    assert (found.open, found.must_pass) == (None, True)
    assert found.provenance == {"failure": "F3", "fixed": "2026-06-01", "run": "run-1"}
    assert locked(found, "run-2", DAY) == found
    assert locked(Case(id="c", input="q"), "run-1", DAY) == Case(id="c", input="q")
    assert case.provenance == {"failure": "F3"}


@given(st.dictionaries(st.text(), st.none() | st.text() | st.integers() | st.lists(st.integers())))
def test_whatever_provenance_says_it_is_no_error(provenance: dict[str, object]) -> None:
    assert failure_of(Case(input="q", provenance=provenance)) in (
        None,
        failure_of(Case(input="q", provenance=provenance)),
    )


def test_which_failure() -> None:
    assert failure_of(Case(input="q", provenance={"failure": "F12"})) == 12
    assert failure_of(Case(input="q", provenance={"failure": "12"})) is None
    assert failure_of(Case(input="q")) is None


class TestFailures:
    def case(self, name: str, **fields: object) -> Case:
        found = {"must_pass": True, **fields}
        return Case(id=name, input=name, **found)  # type: ignore[arg-type]

    def fixed(
        self, guards: dict[int, set[str]], *cases: Case, also: tuple[str, ...] = (), **values: Values
    ) -> list[int]:
        run = side({case.id: values.get(case.id, 1.0) for case in cases}, hashes={each.id: each.hash for each in cases})
        return failures_fixed(guards, {case.id: case for case in cases}, run.cases, MARKS, also)

    def test_all_have_to_pass(self) -> None:
        cases, guards = [self.case("a"), self.case("b"), self.case("c")], {1: {"a", "b"}, 2: {"c"}}
        assert self.fixed(guards, *cases) == [1, 2]
        assert self.fixed(guards, *cases, b=0.0) == [2]
        assert self.fixed(guards, *cases, b=[1.0, 0.0], c=SKIPPED) == []

    def test_one_case_may_guard_several(self) -> None:
        assert self.fixed({1: {"a"}, 2: {"a"}}, self.case("a")) == [1, 2]

    def test_open_ones_have_to_be_confirmed(self) -> None:
        case = self.case("a", open=UNTIL)
        assert self.fixed({1: {"a"}}, case) == []
        assert self.fixed({1: {"a"}}, case, also=("a",)) == [1]

    def test_what_guards_nothing(self) -> None:
        assert self.fixed({1: {"a"}}, self.case("a", must_pass=False)) == []
        assert self.fixed({1: {"a"}}, self.case("a", retired="old")) == []
        assert self.fixed({1: {"a", "b"}}, self.case("a"), self.case("b", retired="old"), b=0.0) == [1]
        assert self.fixed({1: {"gone"}}, self.case("a")) == []

    def test_what_was_not_run_or_is_another_by_now(self) -> None:
        case = self.case("a")
        assert failures_fixed({1: {"a"}}, {"a": case}, {}, MARKS, ()) == []
        assert failures_fixed({1: {"a"}}, {"a": case}, {"a": outcome(1.0, "a")}, MARKS, ()) == []


@pytest.mark.parametrize(
    ("word", "fields", "said"),
    [
        ("PASS", {}, ""),
        ("UNDECIDED", {}, ""),
        ("UNDECIDED", {"refused": True}, "there is no verdict on it"),
        ("REGRESSED", {}, "it is worse than the baseline so far"),
        ("NOT_COMPARABLE", {}, "it cannot be compared with the baseline so far"),
        ("NOT_COMPARABLE", {"broken": True}, "its run broke"),
    ],
)
def test_what_is_refused(word: Word, fields: dict[str, bool], said: str) -> None:
    verdict = Verdict(verdict=word, reasons=("a", "b", "c", "d"), rule="", **fields)  # type: ignore[arg-type]
    assert refusal(verdict) == said
    assert stated("why", verdict, said) == (f"why (even so: {word}, a; b; c)" if said else "why")
    assert stated("why", None, "") == "why"
