"""How much of what an audit finds is too much."""

import pytest

from config.building import problems
from gatewatch.config.audit_limits import Limit, checks_named, limits, tripped
from gatewatch.loop.audit import audit
from loop.auditing import ALONE, dataset


def test_limits_as_people_write_them() -> None:
    assert limits(["duplicate", "near-duplicate:5", " stale:2.5% ", "missing_slice:0"]) == [
        Limit("duplicate"),
        Limit("near_duplicate", 5),
        Limit("stale", share=0.025),
        Limit("missing_slice"),
    ]


@pytest.mark.parametrize("text", ["stale:", "stale:x", "stale:-1", "stale:1.5", "stale:101%", "stale:1:2"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    (said,) = problems(lambda: limits([text]))
    assert said == f"--fail-on: expected CHECK, CHECK:N or CHECK:P%, got {text!r} (such as stale:2%)"


def test_a_check_that_there_is_not_is_refused_with_the_nearest() -> None:
    assert problems(lambda: limits(["satured", "dup:x", "flakey:3"])) == [
        "--fail-on: there is no check 'satured' (did you mean \"saturated\"?)",
        "--fail-on: expected CHECK, CHECK:N or CHECK:P%, got 'dup:x' (such as stale:2%)",
        "--fail-on: there is no check 'flakey' (did you mean \"flaky\"?)",
    ]
    assert problems(lambda: checks_named("--only", ["leaks"])) == [
        "--only: there is no check 'leaks' (did you mean \"leaked\"?)"
    ]


def test_what_is_found_is_held_against_each() -> None:
    found = audit(dataset("How long?", "how long", "How long!", "Where?"), ALONE)

    def said(*texts: str) -> tuple[list[str], list[str]]:
        over, unknown = tripped(limits(texts), found)
        return [each.said for each in over], [each.said for each in unknown]

    assert said("duplicate", "duplicate:1") == (
        ["duplicate: 2 found (50.0% of cases), and 0 may be", "duplicate: 2 found (50.0% of cases), and 1 may be"],
        [],
    )
    assert said("duplicate:2", "duplicate:50%", "contradictory") == ([], [])
    assert said("duplicate:49%")[0] == ["duplicate: 2 found (50.0% of cases), and 49% may be"]
    assert said("stale") == ([], ["stale: not checked: it is not there"])
