import re

from hypothesis import given
from hypothesis import strategies as st

from gatewatch.loop.likeness import NEAR, likeness, nearest, normal, template

FEW = st.text("ab 1", max_size=25)


@given(FEW, st.lists(FEW, max_size=8))
def test_the_nearest_is_the_first_of_those_that_are_most_alike(text: str, others: list[str]) -> None:
    found = [(likeness(text, other), -place) for place, other in enumerate(others)]
    best = max((each for each in found if each[0] >= NEAR), default=None)
    assert nearest(text, others) == (None if best is None else (-best[1], best[0]))


@given(st.text())
def test_what_has_a_digit_in_it_is_found_whole(text: str) -> None:
    assert template(text) == re.sub(r"\w*\d\w*", "#", text)


def test_what_makes_no_other_query() -> None:
    assert normal("  “Where”  is ÅNNA’s \n order? ".replace("“", '"').replace("”", '"')) == 'where" is ånna’s order'
    assert normal("?!") == "?!"
