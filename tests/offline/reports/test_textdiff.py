import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.offline.reports.textdiff import By, text_diff


def sides(before: str, after: str, by: By) -> tuple[str, str]:
    parts = text_diff(before, after, by).parts
    return tuple("".join(text for kind, text in parts if kind in ("same", other)) for other in ("del", "ins"))  # type: ignore[return-value]


@given(st.text("ab \n.", max_size=60), st.text("ab \n.", max_size=60), st.sampled_from(["line", "char"]))
def test_the_parts_make_up_both_texts(before: str, after: str, by: By) -> None:
    assert sides(before, after, by) == (before, after)


def test_by_line_and_by_character() -> None:
    assert text_diff("a\nb\nc\n", "a\nx\nc\n", "line").parts == [
        ("same", "a\n"),
        ("del", "b\n"),
        ("ins", "x\n"),
        ("same", "c\n"),
    ]
    assert text_diff("thirty days", "thirty-day", "char").parts[0] == ("same", "thirty")


def test_a_letter_between_two_changes_is_a_part_of_the_change() -> None:
    assert text_diff("xxx-abcdef", "yyy-ghijkl", "char").parts == [("del", "xxx-abcdef"), ("ins", "yyy-ghijkl")]


def test_one_difference_in_megabytes_is_found_and_what_is_left_out_is_said() -> None:
    found = text_diff("a " * 1_000_000 + "days" + " b" * 1_000_000, "a " * 1_000_000 + "weeks" + " b" * 1_000_000)
    assert [part for part in found.parts if part[0] != "same"] == [("del", "days"), ("ins", "weeks")]
    assert len(found.notes) == 2 and "1,998,000 characters are the same" in found.notes[0]


@pytest.mark.parametrize("by", ["word", "line", "char"])
@pytest.mark.parametrize("unit", ["ab", "a b\n", "\n"])
def test_texts_that_have_nothing_in_common_take_bounded_time(by: By, unit: str) -> None:
    before, after = unit * 2_000_000, (unit[::-1] + "z") * 1_300_000
    began = time.process_time()
    found = text_diff(before, after, by)
    assert time.process_time() - began < 10
    assert found.notes and sum(len(text) for _, text in found.parts) < 1_000_000


def test_the_same_text_has_one_part() -> None:
    assert text_diff("a", "a", "char").parts == text_diff("a", "a", "line").parts == [("same", "a")]
    assert text_diff("", "", "char").parts == []
