"""Requests that are malformed, or of a length that no case has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.loop.unlike import beyond, malformed


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("hello\x00", "control characters"),
        ("\x1b[2J", "control characters"),
        ("caf\ufffd", "broken encoding"),
        ("cafÃ© crÃ¨me", "broken encoding"),
        ("itâ€™s late", "broken encoding"),
        ("\ud800", "broken encoding"),
        ('{"order": {"id": 1', "JSON that breaks off"),
        ('[{"a": 1}, {"b"', "JSON that breaks off"),
        ('{"a": 1} and more', "JSON that breaks off"),
        ("a" * 40, "one thing repeated"),
        ("hahaha" * 10, "one thing repeated"),
        ("please " * 20, "one thing repeated"),
        ("where is my order? " * 8, "one thing repeated"),
        ("where is my order?", ""),
        ("hahaha", ""),
        ('{"order": 1}', ""),
        ("[see above] what is {this}?", ""),
        ("Où est ma commande ? Ça va être long", ""),
        ("wo ist\nmeine\tBestellung?\r\n", ""),
        ("注文はどこですか", ""),
    ],
)
def test_what_is_wrong_with_a_form(text: str, kind: str) -> None:
    assert malformed(text) == kind


@given(st.text(max_size=300))
def test_any_text_can_be_looked_at(text: str) -> None:
    assert malformed(text) == malformed(text)


def test_hostile_texts_take_no_time() -> None:
    for text in ("[" * 200_000, '{"' * 200_000, "ab" * 200_000 + "c", "\\" * 100_000, '[{"' + "a" * 200_000):
        malformed(text)


def test_far_longer_or_shorter_than_any_case() -> None:
    assert beyond(201, 20, 100) == "longer than any case"
    assert beyond(9, 20, 100) == "shorter than any case"
    assert [beyond(length, 20, 100) for length in (10, 20, 100, 200)] == [""] * 4
