"""How items are answered: by keys, words and numbers, on the scale of each scorer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.loop.answers import answers
from gatewatch.scorers.scale import Scale, parse_scale

CHOICE = parse_scale("choice", {"right": 1, "partly": 0.5, "wrong": 0, "unclear": "skip"})


def test_whether_the_answer_is_right() -> None:
    asked = answers()
    given_ = {"y": 1.0, "n": 0.0, "right": 1.0, "wrong": 0.0, "1": 1.0, "0": 0.0, "0.5": 0.5, "yes": 1.0, " N ": 0.0}
    assert {text: asked.value(text) for text in given_} == given_


def test_good_or_bad_has_nothing_between() -> None:
    for scale in (Scale(), Scale("policy"), None):
        asked = answers("polite", scale, binary=True)
        assert (asked.value("y"), asked.value("0")) == (1.0, 0.0)
        with pytest.raises(ValueError, match=r"no answer: y \(good\), n \(bad\)$"):
            asked.value("0.5")
        assert (asked.line_value(1.0), asked.line_value(0.0), asked.line_value(0.67)) == (True, False, False)


def test_grades_are_whole_and_what_has_a_point_is_in_0_to_1() -> None:
    asked = answers("helpful", parse_scale("1-5"))
    assert [asked.value(text) for text in ("1", "4", "5", "y", "n", "0.5", "1.0")] == [0, 0.75, 1, 1, 0, 0.5, 1]
    assert [choice.key for choice in asked.choices] == ["1", "2", "3", "4", "5"]
    for text in ("0", "6", "1.5", "nan", "good", ""):
        with pytest.raises(ValueError):
            asked.value(text)


@given(st.integers(0, 20), st.integers(1, 50), st.data())
def test_a_grade_goes_to_a_line_and_back(low: int, size: int, data: st.DataObject) -> None:
    scale = Scale("graded", low, low + size)
    asked = answers("s", scale)
    grade = data.draw(st.integers(low, low + size))
    value = asked.value(str(grade))
    assert value is not None
    assert asked.line_value(value) == grade


def test_choices_have_words_and_what_cannot_be_judged_has_no_value() -> None:
    asked = answers("tone", CHOICE)
    assert [asked.value(text) for text in ("1", "2", "wrong", "4", "unclear")] == [1.0, 0.5, 0.0, None, None]
    assert [asked.line_value(value) for value in (1.0, 0.5, 0.0)] == ["right", "partly", "wrong"]
    with pytest.raises(ValueError, match=r"1 \(right\), 2 \(partly\), 3 \(wrong\), 4 \(unclear\)"):
        asked.value("0.5")


def test_a_scorer_without_a_rubric_has_tenths() -> None:
    asked = answers("closeness")
    assert [asked.value(text) for text in ("0.7", "0.25", "y", "n", "1", "0")] == [0.7, 0.25, 1.0, 0.0, 1.0, 0.0]
    assert [asked.keys[key].value for key in "y19n"] == [1.0, 0.1, 0.9, 0.0]
    assert asked.told == "y (good), n (bad), or a number in 0..1, such as 0.5"
    with pytest.raises(ValueError):
        asked.value("7")  # a key, and no number in 0..1
    assert asked.line_value(0.25) == 0.25


def test_pairs_cannot_be_labelled() -> None:
    with pytest.raises(ValueError, match="a live request has one answer"):
        answers("better", Scale("pairwise"))
