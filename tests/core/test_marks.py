"""Marks are bits of a number, kept for good."""

from gatewatch.core.marks import MARKS, bits, names


def test_they_come_back_and_their_places_are_kept_for_good() -> None:
    assert names(bits(MARKS)) == MARKS
    assert [bits([name]) for name in MARKS] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert MARKS[:8] == (
        "error",
        "thumbs_down",
        "thumbs_up",
        "escalated",
        "guardrail",
        "retried",
        "abandoned",
        "copied",
    )


def test_an_unknown_one_is_none() -> None:
    assert bits(["no such mark", "error"]) == 1
