"""What a conversation says of each outcome: one value, whatever its turns are."""

from typing import Any

import pytest

from gatewatch.core.marks import bits
from gatewatch.online.outcomes import Outcome, unit_of
from gatewatch.store.rows import Row
from gatewatch.store.values import Talk, Told


def row(seq: int, **given: Any) -> Row:
    return Row(**{"seq": seq, "id": f"r{seq}", "at": 1.0, "received": 1.0, "flow": "f", "variant": "a", **given})


def values(talk: Talk) -> dict[str, tuple[float, float]]:
    return {outcome.name: value for outcome, value in unit_of(talk, "variant").values.items()}


def test_a_session_is_one_unit_and_marks_of_any_turn_are_its_own() -> None:
    turns = (
        row(1, session="s", latency_s=1.0, cost=0.25, output_tokens=10),
        row(2, session="s", latency_s=3.0, cost=0.75, marks=bits(["thumbs_down"])),
        row(3, session="s", error="timeout", late=bits(["retried"])),
        row(4, session="s"),
    )
    found = values(Talk(turns, {}))
    assert found == {
        "error": (0.25, 1.0),
        "thumbs_down": (1.0, 1.0),
        "retried": (1.0, 1.0),
        "abandoned": (0.0, 1.0),
        "escalated": (0.0, 1.0),
        "guardrail": (0.0, 1.0),
        "latency_s": (3.0, 1.0),
        "cost": (0.5, 1.0),
        "output_tokens": (10.0, 1.0),
    }
    assert unit_of(Talk(turns, {}), "variant").name == "s"


def test_a_conversation_of_two_variants_is_of_none() -> None:
    talk = Talk((row(1, session="s"), row(2, session="s", variant="b")), {})
    assert (unit_of(talk, "variant").arm, unit_of(talk, "slice").arm) == (None, "")


def test_scores_of_turns_are_one_value_with_the_largest_probability() -> None:
    told = {
        1: (Told("polite", "f", "judge", 1.0, 0.25), Told("label", "", "human", 0.0, 1.0)),
        2: (Told("polite", "f", "judge", 0.0, 0.5),),
    }
    found = values(Talk((row(1, session="s"), row(2, session="s")), told))
    assert found["polite"][0] == pytest.approx(4 / 6)
    assert found["polite"][1] == 0.5
    assert "label" not in found  # whom people were asked about was chosen


def test_what_users_told_is_on_their_own_scale() -> None:
    told = (
        Told("rating", "r", "feedback", 0.75, 0.5, "4 of 5"),
        Told("copied", "c", "feedback", 1.0, 1.0, "120"),
        Told("retried", "c", "feedback", 0.0, 1.0, ""),
        Told("abandoned", "c", "feedback", 0.0, 1.0, "inf"),
        Told("thumbs", "t", "feedback", 0.0, 1.0, "down"),
    )
    found = values(Talk((row(1),), {1: told}))
    assert {
        name: found.get(name) for name in ("rating", "copied value", "retried value", "abandoned value", "thumbs")
    } == {
        "rating": (4.0, 0.5),
        "copied value": (120.0, 1.0),
        "retried value": None,
        "abandoned value": None,
        "thumbs": (0.0, 1.0),
    }


def test_of_each_outcome_it_is_known_whether_more_is_better() -> None:
    assert [Outcome(name, "amount").better for name in ("cost", "latency_s", "output_tokens")] == [-1, -1, 0]
    assert [Outcome(name, "told").better for name in ("rating", "thumbs", "copied value")] == [1, 1, 0]
    assert (Outcome("polite", "score").better, Outcome("thumbs_down", "rate").better) == (1, -1)
