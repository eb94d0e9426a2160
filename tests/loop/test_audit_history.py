"""Cases that always pass, and cases that pass and fail by turns."""

from typing import Any

import pytest
from msgspec.structs import replace

from gatewatch.loop.audit import Audit, audit
from loop.auditing import ALONE, dataset, outcomes

ALWAYS = [1.0] * 10


def looked_at(values: dict[str, dict[str, list[float]]], *cases: dict[str, Any]) -> Audit:
    """An audit of cases with a baseline that has these outcomes of them."""
    of = dataset(*cases)
    return audit(of, replace(ALONE, baseline=outcomes(of, values, baseline=True)))


def of_check(result: Audit, check: str) -> list[str]:
    return [each.cases[0] for each in result.findings if each.check == check]


def test_what_always_passed_is_a_candidate_for_the_nightly_tier() -> None:
    result = looked_at({"c1": {"exact": ALWAYS, "pii": ALWAYS}}, {"input": "one"})
    (one,) = result.findings
    assert one.check == "saturated"
    assert one.why == "passed 10 of 10 times under 2 scorers: it fails at most 31% of the time"
    (figure,) = one.figures
    assert (figure.value, figure.low, figure.high, figure.n) == (0.0, 0.0, 0.3085, 10)  # Clopper and Pearson, 0 of 10
    assert result.proposed["c1"].tier == "nightly"


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"exact": [1.0] * 9}, {}),
        ({"exact": ALWAYS, "pii": [1.0] * 9 + [0.0]}, {}),
        ({"exact": ALWAYS, "pii": [1.0] * 5}, {}),
        ({"exact": ALWAYS}, {"must_pass": True}),
        ({"exact": ALWAYS}, {"tier": "nightly"}),
        ({"exact": ALWAYS}, {"open": {"until": "2027-06-01"}}),
    ],
)
def test_what_is_not_saturated(values: dict[str, list[float]], fields: dict[str, Any]) -> None:
    assert of_check(looked_at({"c1": values}, {"input": "one", **fields}), "saturated") == []


def test_only_the_last_ten_outcomes_count() -> None:
    assert of_check(looked_at({"c1": {"exact": [0.0, *ALWAYS]}}, {"input": "one"}), "saturated") == ["c1"]


def test_outcomes_of_the_case_as_it_was_do_not_count() -> None:
    before, now = dataset({"input": "one", "expected": "1"}), dataset({"input": "one", "expected": "2"})
    result = audit(now, replace(ALONE, baseline=outcomes(before, {"c1": {"exact": ALWAYS}}, baseline=True)))
    assert result.findings == ()
    assert "no outcome of a case as it is now" in result.unchecked["saturated"]


def test_a_case_that_passes_and_fails_by_turns_is_flaky() -> None:
    (one,) = looked_at({"c1": {"exact": [1.0, 0.0] * 5}}, {"input": "one"}).findings
    assert one.check == "flaky"
    assert one.why == "passed 5 of 10 times under exact [19%, 81%]"
    assert one.proposed == ()


def test_one_that_passes_since_it_first_did_may_have_been_fixed() -> None:
    result = looked_at(
        {"c1": {"exact": [0.0] * 5 + [1.0] * 5}, "c2": {"exact": [1.0, 0.0] * 5}}, {"input": "one"}, {"input": "two"}
    )
    assert of_check(result, "flaky") == ["c2", "c1"], "the worst comes first"
    assert "may have been fixed" in result.findings[1].why


def test_what_must_pass_and_is_flaky_blocks_for_nothing() -> None:
    (one,) = looked_at({"c1": {"exact": [1.0] * 9 + [0.0]}}, {"input": "one", "must_pass": True}).findings
    assert one.check == "must_pass_flaky"
    assert (
        one.why == "passed 9 of 10 times under exact [55%, 100%]: tried 3 times, it blocks 0% to 9% of the changes"
        " that change nothing"
    )


def test_never_is_not_by_turns() -> None:
    assert looked_at({"c1": {"exact": [0.0] * 10}}, {"input": "one"}).findings == ()


def test_a_scorer_without_a_pass_mark_says_nothing() -> None:
    of = dataset({"input": "one"})
    graded = outcomes(of, {"c1": {"helpful": [0.3, 0.9] * 5}}, baseline=True)
    graded.scorers = {name: replace(ref, pass_at=None) for name, ref in graded.scorers.items()}
    assert audit(of, replace(ALONE, baseline=graded)).findings == ()
