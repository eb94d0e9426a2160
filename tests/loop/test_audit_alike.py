"""Cases that ask the same, and what is expected of them."""

from typing import Any

import pytest
from msgspec.structs import replace

from gatewatch.loop.audit import audit
from loop.auditing import ALONE, dataset, found, outcomes, retired

ASK = "How many days do I have to return a jacket?"


def test_the_same_query_is_found_however_it_is_written() -> None:
    of = dataset(ASK, f"  {ASK.upper()} ", "how many days do i  have to return a jacket")
    assert found(of) == {"duplicate": [("c2", "c1"), ("c3", "c1")]}


def test_the_same_query_in_another_setting_is_another_case() -> None:
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": ASK}]
    of = dataset(
        {"input": ASK, "context": "Jackets: 45 days."},
        {"input": ASK, "context": "Jackets: 14 days."},
        {"input": {"messages": chat}},
        {"input": ASK, "scorers": ["exact"]},
    )
    assert found(of) == {}


def test_a_retired_case_is_no_duplicate() -> None:
    assert found(dataset(ASK, {"input": ASK + " ", "retired": "asked twice"})) == {}


@pytest.mark.parametrize(
    "other",
    [
        "Please, how many days do I have to return a jacket?",
        "How many days do I have to return the jacket",
        "How many days do I have to return a jackett?",
        "How many days have I to return a jacket?",
    ],
)
def test_near_copies_are_found(other: str) -> None:
    assert found(dataset(ASK, other)) == {"near_duplicate": [("c2", "c1")]}


@pytest.mark.parametrize(
    "other",
    [
        "How many days do I have to return a packet?",
        "How many days do I not have to return a jacket?",
        "How many hours do I have to return a jacket?",
    ],
)
def test_another_word_makes_another_case(other: str) -> None:
    assert found(dataset(ASK, other)) == {}


def test_another_word_makes_another_case_of_a_long_text_too() -> None:
    long = f"Last spring my brother bought three of them in the shop in the old town, and they are too small. {ASK}"
    assert found(dataset(long, long.replace("jacket", "blouse"))) == {}
    assert found(dataset(long, long.replace("small.", "small, sadly."))) == {"near_duplicate": [("c2", "c1")]}


def test_a_minimal_pair_with_other_answers_is_no_contradiction() -> None:
    of = dataset(
        {"input": "Can I return an opened bottle of fuel?", "expected": "No."},
        {"input": "Can I return an unopened bottle of fuel?", "expected": "Yes."},
    )
    assert found(of) == {}


def test_other_numbers_make_another_case() -> None:
    assert found(dataset("Where is order 17 of mine?", "Where is order 71 of mine?")) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("45 days", "14 days"),
        ("Yes, you can.", "No."),
        ("It can be returned.", "It cannot be returned."),
        ("Refunds are paid.", "Refunds are not paid."),
        ("Paris", "Athens"),
        ({"tool_calls": []}, {"tool_calls": [{"name": "refund", "arguments": {}}]}),
        (
            {"tool_calls": [{"name": "find", "arguments": {"id": 1}}]},
            {"tool_calls": [{"name": "find", "accept": {"id": [2, 3]}}]},
        ),
    ],
)
def test_expectations_that_cannot_both_be_right_are_found(one: Any, other: Any) -> None:
    for again in (ASK, f"Please, {ASK}"):
        of = dataset({"input": ASK, "expected": one}, {"input": again, "expected": other, "id": "z"})
        assert found(of) == {"contradictory": [("z", "c1")]}
        assert audit(of, ALONE).proposed == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("45 days", "You have 45 days to return it."),
        ("45 days", "Within 45 days; shipping takes 3 days."),
        ("Yes", "yes."),
        ("It can be returned within 45 days.", "You may send it back for 45 days."),
        (
            {"tool_calls": [{"name": "find", "accept": {"id": [1, 2]}}]},
            {"tool_calls": [{"name": "find", "accept": {"id": [2]}}]},
        ),
        ({"tool_calls": []}, "45 days"),
    ],
)
def test_expectations_that_may_both_be_right_are_no_contradiction(one: Any, other: Any) -> None:
    of = dataset({"input": ASK, "expected": one}, {"input": ASK, "expected": other, "id": "z"})
    assert list(found(of)) == ["duplicate"]


def test_expectations_that_differ_in_words_are_left_to_a_person() -> None:
    of = dataset({"input": ASK, "expected": "45 days"}, {"input": ASK, "expected": "You have 45 days.", "id": "z"})
    (one,) = audit(of, ALONE).findings
    assert "what they expect differs" in one.why
    assert not one.proposed


def test_which_of_two_goes() -> None:
    def goes(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
        of = dataset({"input": ASK, "id": "one", **one}, {"input": ASK + " ", "id": "other", **other})
        values = {"one": {"exact": [1.0]}, "other": {"exact": [1.0] * 5}} if not one and not other else {}
        beside = replace(ALONE, baseline=outcomes(of, values, baseline=True)) if values else ALONE
        return list(retired(audit(of, beside)))

    assert goes({"tags": ["x"]}, {"tags": ["x"]}) == ["other"]
    assert goes({}, {}) == ["one"], "the other is known for longer"
    assert goes({}, {"must_pass": True}) == ["one"]
    assert goes({}, {"provenance": {"trace": "t1"}}) == ["one"]
    assert goes({"must_pass": True}, {"provenance": {"trace": "t1"}}) == ["other"]
    assert goes({"tags": ["x"]}, {"expected": "45 days"}) == ["one"]


def test_a_chain_of_copies_keeps_one() -> None:
    of = dataset(ASK, f"{ASK} please", f"Hello, {ASK}", ASK.lower())
    assert sorted(retired(audit(of, ALONE))) == ["c2", "c3", "c4"]


def test_each_finding_says_where_and_how_alike() -> None:
    (one,) = audit(dataset(ASK, ASK + " "), ALONE).findings
    assert one.where == ("d.jsonl:2", "d.jsonl:1")
    assert one.figures[0].value == 1.0
    assert retired(audit(dataset(ASK, ASK + " "), ALONE)) == {"c2": "duplicate of c1 (audit 2026-11-20)"}
