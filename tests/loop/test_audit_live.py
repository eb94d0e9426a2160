"""Cases beside live traffic: stale ones, and slices that no case stands for."""

import pytest
from msgspec.structs import replace

from gatewatch.loop.audit import Audit, audit
from gatewatch.loop.audit_live import Asked, Live, Part
from loop.auditing import ALONE, dataset, live

RETURN = "How long may I return a jacket?"
TRAFFIC = ["how do I return this jacket", "where is my order", "is there a shop in York"]


def looked_at(beside: Live, *cases: object) -> Audit:
    return audit(dataset(*cases), replace(ALONE, live=beside))  # type: ignore[arg-type]


def test_a_case_that_nothing_live_is_like_is_stale() -> None:
    result = looked_at(live(*TRAFFIC * 100), RETURN, "Do you deliver telegrams by pigeon?", "Where is my order?")
    (one,) = result.findings
    assert one.cases == ("c2",)
    assert one.why == "none of 300 requests of 30 days is like it (nearest 0.11): at most 1.22% of support"
    assert result.proposed["c2"].retired == "stale: nothing like it in 30 days (audit 2026-11-20)"


@pytest.mark.parametrize("fields", [{"must_pass": True}, {"provenance": {"trace": "t1"}}])
def test_what_guards_against_a_failure_is_told_of_and_stays(fields: dict[str, object]) -> None:
    result = looked_at(live(*TRAFFIC * 100), {"input": "Do you deliver telegrams by pigeon?", **fields})
    assert [each.check for each in result.findings] == ["stale"]
    assert result.proposed == {}


def test_few_requests_or_few_days_say_nothing() -> None:
    few = looked_at(live(*TRAFFIC), "pigeon post")
    assert few.findings == ()
    assert few.unchecked["stale"] == (
        "needs 200 requests of support of the last 30 days whose text is kept, and there are 3, which count as 3"
    )
    young = looked_at(live(*TRAFFIC * 100, known_days=2.0), "pigeon post")
    assert "is known for 2.0 days, not for 30" in young.unchecked["stale"]


def test_requests_that_stand_for_many_count_as_fewer() -> None:
    some = [Asked("where is my order", 0.0, 20.0)] * 10 + [Asked("where is it", 0.0)] * 300
    beside = Live(flow="support", days=30, known_days=30, asked=some, parts=())
    assert "which count as 58" in looked_at(beside, "pigeon post").unchecked["stale"]


def parts(**counts: int) -> list[Part]:
    return [Part(name, f"{name}{number}") for name, count in counts.items() for number in range(count)]


def test_a_slice_that_is_live_and_not_tested_is_missing() -> None:
    beside = live(parts=parts(returns=600, orders=390, odd=10))
    cases = [{"input": f"x{number}", "slice": "returns"} for number in range(20)]
    (one,) = looked_at(beside, *cases).findings
    assert one.why == "orders: 39.0% [36.0%, 42.1%] of support, and 0 of 20 cases (0.0%)"
    assert one.do == "promote or write 8 cases of it"


def test_a_slice_that_has_its_cases_is_not_missing() -> None:
    cases = [{"input": f"x{number}", "slice": "returns" if number < 12 else "orders"} for number in range(20)]
    assert looked_at(live(parts=parts(returns=600, orders=400)), *cases).findings == ()


def test_one_long_conversation_is_no_traffic() -> None:
    """All 100 requests of the slice are of one conversation: the interval reaches down to next to nothing."""
    beside = live(parts=[*parts(returns=900), *[Part("orders", "the one")] * 100])
    assert looked_at(beside, *[{"input": f"x{number}", "slice": "returns"} for number in range(9)]).findings == ()


def test_requests_that_were_sampled_weigh_more() -> None:
    sampled = [Part("orders", str(number), 0.1) for number in range(100)]
    cases = [{"input": f"x{number}", "slice": "returns"} for number in range(20)]
    (one,) = looked_at(live(parts=[*parts(returns=1000), *sampled]), *cases).findings
    assert one.figures[0].value == 0.5


def test_traffic_without_slices_says_nothing_of_them() -> None:
    assert "has a slice" in looked_at(live(*TRAFFIC * 100, parts=parts(**{"": 500})), RETURN).unchecked["missing_slice"]
