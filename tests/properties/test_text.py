"""Invariants of the scorers of text and structure."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gatewatch.core.case import Case
from gatewatch.core.trace import Trace
from gatewatch.scorers.apply import apply_inline
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.structure import valid_json
from gatewatch.scorers.text import contains, exact, numeric, regex, similarity

calm = settings(deadline=None)  # this is no place to judge by the clock
text = st.text(st.characters(exclude_categories=()), max_size=40) | st.text(
    "aAeE\u0301\u00c9\u00df \n,$1.:", max_size=12
)
plain = st.text("aAbB .1", max_size=6)  # elsewhere a mark outside of a part may join a letter in it
exacts = st.builds(
    exact,
    ignore_case=st.booleans(),
    strip=st.booleans(),
    after=st.none() | st.text("aA:1", min_size=1, max_size=2),
    drop=st.text(",$a\u00e9 ", max_size=3),
)
likenesses = st.sampled_from([similarity(), similarity(kind="token_sort_ratio")])
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12)


def value(scorer: Scorer, output: Any, expected: str) -> float:
    found = apply_inline(scorer, Trace(output=output), Case(input="?", expected=expected))
    assert found.status == "scored", found
    assert found.value is not None
    return found.value


@calm
@given(exacts, text, text)
def test_exact_does_not_care_which_is_which(scorer: Scorer, one: str, other: str) -> None:
    assert value(scorer, one, other) == value(scorer, other, one)
    assert value(scorer, one, one) == 1.0


@calm
@given(text, text)
def test_exact_without_case_is_never_stricter(one: str, other: str) -> None:
    assert value(exact(ignore_case=True), one, other) >= value(exact(), one, other)


@calm
@given(likenesses, text, text)
def test_similarity_does_not_care_which_is_which(scorer: Scorer, one: str, other: str) -> None:
    assert value(scorer, one, other) == value(scorer, other, one)
    assert 0.0 <= value(scorer, one, other) <= 1.0
    assert value(scorer, one, one) == 1.0


@calm
@given(text, text)
def test_what_is_equal_is_alike(one: str, other: str) -> None:
    if value(exact(strip=False), one, other):
        assert value(similarity(), one, other) == 1.0
    elif value(similarity(), one, other) == 1.0:
        raise AssertionError("alike, but not equal")


@calm
@given(plain, plain.filter(bool), plain)
def test_an_output_contains_its_parts(before: str, part: str, after: str) -> None:
    assert value(contains(), before + part.swapcase() + after, part) == 1.0
    assert apply_inline(contains(any_of=[part], all_of=[part]), Trace(output=before + part + after)).value == 1.0


@calm
@given(decimals, st.text("abc ", max_size=5))
def test_a_number_equals_itself_however_it_is_written(number: Any, words: str) -> None:
    for written in (
        f"{number:f}",
        f"{number:,f}",
        f"{number:E}",
        f"{number:,f}".replace(",", "_"),
        f"${number:f}0",
        f"{number:f}%",
    ):
        assert value(numeric(), f"1 {words} = {written}", f"{number:f}") == 1.0
    turned = f"{number:,f}".translate(str.maketrans(",.", ".,"))
    assert value(numeric(decimal=","), turned, f"{number:f}".replace(".", ",")) == 1.0


@calm
@given(decimals, decimals, st.floats(0, 1000))
def test_a_tolerance_is_about_the_distance(one: Any, other: Any, tolerance: float) -> None:
    scorer = numeric(tolerance=tolerance)
    assert value(scorer, f"{one:f}", f"{other:f}") == value(scorer, f"{other:f}", f"{one:f}")
    assert bool(value(scorer, f"{one:f}", f"{other:f}")) is (abs(one - other) <= type(one)(repr(tolerance)))


@calm
@given(text)
def test_any_output_is_read_by_a_pattern(output: str) -> None:
    assert value(regex("(?s).*", full=True), output, "") == 1.0
    assert value(numeric(tolerance=1e300), f"{output} 1", "1") == 1.0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=15,
)


@calm
@given(json_values, st.sampled_from(["x", ",", "]", "}", "1 1", '"', "NaN"]))
def test_json_is_valid_and_what_follows_makes_it_invalid(written: Any, more: str) -> None:
    data = json.dumps(written, ensure_ascii=False)
    assert value(valid_json(), data, "") == 1.0
    assert value(valid_json(fence=True), f"```json\n{data}\n```", "") == 1.0
    assert value(valid_json(), f"{data} {more}", "") == 0.0


@calm
@given(text)
def test_any_text_is_judged(output: str) -> None:
    value(valid_json(), output, "")
    value(valid_json(fence=True), output, "")
