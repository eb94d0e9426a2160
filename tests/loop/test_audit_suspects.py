"""Labels that may be wrong."""

from typing import Any

import pytest
from msgspec.structs import replace

from gatewatch.loop.audit import audit
from gatewatch.loop.finding import Finding
from gatewatch.scorers.suspects import Suspect
from loop.auditing import ALONE, dataset, outcomes

NEVER, ALWAYS = [0.0] * 4, [1.0] * 4


def suspects(values: dict[str, dict[str, list[float]]], *cases: dict[str, Any] | str) -> list[Finding]:
    """The suspects of an audit that knows these values, of a rule `exact` and a judge `helpful`."""
    of = dataset(*cases)
    versions = [outcomes(of, values, sources={"helpful": "judge"})] if values else []
    return [each for each in audit(of, replace(ALONE, versions=versions)).findings if each.check == "suspect"]


def test_what_no_version_passes_and_a_judge_likes_is_suspect() -> None:
    (one,) = suspects({"c1": {"exact": NEVER, "helpful": ALWAYS}}, "one")
    assert one.cases == ("c1",)
    assert one.why == "no known version passes it (0 of 4, at most 60%); a judge passes 4 of 4 [40%, 100%]"


@pytest.mark.parametrize(
    "values",
    [
        {"exact": NEVER, "helpful": NEVER},
        {"exact": NEVER, "helpful": [1.0, 0.0, 1.0, 0.0]},
        {"exact": [0.0, 0.0, 0.0, 1.0], "helpful": ALWAYS},
        {"exact": [0.0, 0.0], "helpful": [1.0, 1.0]},
        {"exact": NEVER},
    ],
)
def test_what_is_hard_and_no_more_is_not_suspect(values: dict[str, list[float]]) -> None:
    assert suspects({"c1": values}, "one") == []


def test_an_open_case_is_known_to_fail() -> None:
    case = {"input": "one", "open": {"until": "2027-06-01"}}
    assert suspects({"c1": {"exact": NEVER, "helpful": ALWAYS}}, case) == []


def test_one_that_fails_among_its_like_which_pass_is_suspect() -> None:
    asked = [
        f"return the {what} that was delivered to my sister" for what in ("tent", "boots", "stove", "lamp", "rope")
    ]
    others = ["pay by invoice", "change an address", "cancel an order", "find a shop nearby", "gift card balance"]
    values = {f"c{number}": {"exact": ALWAYS} for number in range(2, 11)} | {
        "c1": {"exact": NEVER},
        "c6": {"exact": NEVER},
    }
    (one,) = suspects(values, *asked, *others)
    assert one.cases == ("c1",)
    assert "cases that ask much the same pass 16 of 16" in one.why


def test_reviewers_who_disagreed_are_told_of() -> None:
    (one,) = suspects(
        {},
        {"input": "one", "provenance": {"failure": "F1", "agreement": 0.5}},
        {"input": "two", "provenance": {"agreement": 1.0}},
        {"input": "three", "provenance": {"agreement": 0.0, "labels": [{"by": "cleo", "settles": True}, "odd"]}},
    )
    assert one.cases == ("c1",)
    assert one.figures[0].value == 0.5
    labels = [{"by": "mia", "value": 0.0}, {"by": "ben", "value": 1.0}]
    more = [{"trace": "t2", "agreement": 0.0, "labels": labels}]
    (one,) = suspects({}, {"input": "one", "provenance": {"trace": "t1", "agreement": 1.0, "more": more}})
    assert one.why == "its reviewers disagreed: 0% of the pairs of 2 reviewers say the same"


@pytest.mark.parametrize("agreement", [True, "much", None, [0.1], float(1)])
def test_an_agreement_that_is_none_is_nothing(agreement: Any) -> None:
    assert suspects({}, {"input": "one", "provenance": {"agreement": agreement}}) == []


def test_a_number_that_the_context_contradicts_is_suspect() -> None:
    case = {
        "input": "How long is it mine?",
        "expected": "You have 60 days.",
        "context": "Jackets: 45 days. Tents: 14 days.",
    }
    (one,) = suspects({}, case)
    assert one.why == "expects 60 day; its context says 14, 45, and 60 nowhere"


@pytest.mark.parametrize(
    ("expected", "context"),
    [
        ("You have 45 days.", "Jackets: 45 days."),
        ("You have 60 days.", "Jackets are returned at any time."),
        ("It costs 60 euros.", "Jackets: 45 days."),
        ("60 days", None),
        ("60 days", "60 of them, that is, or 45 days of the others"),
    ],
)
def test_a_context_that_says_nothing_against_it(expected: str, context: str | None) -> None:
    assert suspects({}, {"input": "How long?", "expected": expected, "context": context}) == []


def test_labels_that_a_calibration_doubts_are_told_of() -> None:
    of = dataset("one", "two")
    people = {
        "helpful": [Suspect("c2 (trial 1)", (True,), False, "contradicted"), Suspect("gone", (True,), False, "x")]
    }
    (one,) = audit(of, replace(ALONE, people=people)).findings
    assert one.cases == ("c2",)
    assert one.why == "contradicted: 1 of 1 people say True; helpful says False"
