"""Cases by what they state: what nothing can score, and what may fail until a day."""

from typing import Any

import pytest
from msgspec.structs import replace

from gatewatch.loop.audit import audit
from gatewatch.loop.finding import Finding
from gatewatch.scorers.library import make
from loop.auditing import ALONE, dataset


def unlabelled(names: list[str], *cases: object) -> list[Finding]:
    beside = replace(ALONE, scorers=[make(name, {}) for name in names])
    return [each for each in audit(dataset(*cases), beside).findings if each.check == "unlabelled"]  # type: ignore[arg-type]


def test_a_case_without_a_label_that_every_scorer_needs_is_found() -> None:
    (one,) = unlabelled(["exact", "contains"], "one", {"input": "two", "expected": "2"})
    assert one.cases == ("c1",)
    assert one.why == "expects nothing, and none of 2 scorers can do without what it lacks"


def test_a_scorer_that_does_without_is_enough() -> None:
    assert unlabelled(["exact", "pii"], "one") == []


def test_a_case_that_names_its_own_scorers_goes_by_these() -> None:
    (one,) = unlabelled(["exact", "pii"], {"input": "one", "scorers": ["exact"]}, {"input": "two", "scorers": ["pii"]})
    assert one.cases == ("c1",)
    (other,) = unlabelled(["exact"], {"input": "one", "scorers": ["gone"]})
    assert other.why == "names no scorer of the suite"


def test_calls_are_no_text() -> None:
    case = {"input": "one", "expected": {"tool_calls": []}}
    assert unlabelled(["tool_calls"], case) == []
    (one,) = unlabelled(["contains"], case)
    assert one.why == "none of 1 scorers can do without what it lacks"


@pytest.mark.parametrize(
    ("until", "why"),
    [
        ("2026-11-10", "might fail until 2026-11-10 (mia), 10 days ago"),
        ("2026-11-19", "might fail until 2026-11-19 (mia), 1 day ago"),
        ("2026-11-20", "may fail until 2026-11-20 (mia): 0 days are left"),
        ("2026-11-21", "may fail until 2026-11-21 (mia): 1 day is left"),
        ("2026-11-27", "may fail until 2026-11-27 (mia): 7 days are left"),
    ],
)
def test_an_open_case_whose_day_has_come_or_is_near_is_found(until: str, why: str) -> None:
    (one,) = audit(dataset({"input": "one", "open": {"until": until, "owner": "mia"}}), ALONE).findings
    assert one.check == "open"
    assert one.why == why


def test_an_open_case_with_time_left_is_none() -> None:
    case: dict[str, Any] = {"input": "one", "open": {"until": "2026-11-28"}}
    assert audit(dataset(case), ALONE).findings == ()
