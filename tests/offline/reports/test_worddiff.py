from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewatch.offline.reports.worddiff import LONGEST, Part, as_lines, condensed, word_diff
from offline.making import ended
from offline.reports.making import AFTER, BEFORE, TEXT


def side(parts: list[Part], kind: str) -> str:
    return "".join(text for found, text in parts if found in ("same", kind))


def squeezed(text: str) -> str:
    return "".join(text.split())


class TestWords:
    def test_what_differs(self) -> None:
        assert word_diff(BEFORE, AFTER)[:5] == [
            ("same", "You can return boots within "),
            ("del", "30"),
            ("ins", "14"),
            ("same", " days of purchase, "),
            ("del", "as long as they are unused"),
        ]

    def test_the_same(self) -> None:
        assert word_diff("a b", "a b") == [("same", "a b")]
        assert word_diff("", "") == []

    def test_from_nothing_and_to_nothing(self) -> None:
        assert word_diff("", "a b") == [("ins", "a b")]
        assert word_diff("a b", "") == [("del", "a b")]

    def test_white_space_alone_is_told(self) -> None:
        assert word_diff("a  b", "a b") == [("del", "a  b"), ("ins", "a b")]

    def test_white_space_beside_a_word_is_no_change_of_it(self) -> None:
        assert word_diff("it is the end", "it is the end of it") == [("same", "it is the end "), ("ins", "of it")]

    def test_texts_with_little_in_common_are_shown_whole(self) -> None:
        assert word_diff("In Leeds, I think.", "I am sorry, I cannot help with that.") == [
            ("del", "In Leeds, I think."),
            ("ins", "I am sorry, I cannot help with that."),
        ]

    @given(TEXT, TEXT)
    @settings(max_examples=150, deadline=None)
    def test_the_parts_make_up_both_texts(self, before: str, after: str) -> None:
        parts = word_diff(before, after)
        if before.lstrip().startswith(("{", "[")):
            return
        assert squeezed(side(parts, "del")) == squeezed(before)
        assert side(parts, "ins") == after
        assert all(text for _, text in parts)
        assert all(one != other for (one, _), (other, _) in pairwise(parts))


class TestJson:
    def test_objects_by_key_whatever_their_order(self) -> None:
        before = '{"tool": "lookup", "order": {"id": 1}}'
        after = '{"order": {"id": 2}, "tool": "lookup"}'
        assert word_diff(before, after) == [
            ("same", '{\n  "order": {\n    '),
            ("del", '"id": 1'),
            ("ins", '"id": 2'),
            ("same", '\n  },\n  "tool": "lookup"\n}'),
        ]

    def test_what_only_looks_like_it_is_text(self) -> None:
        assert word_diff("[x] is a", "[x] is b")[0] == ("same", "[x] is ")
        assert word_diff('{"a": 1}', "{nothing}") == [("del", '{"a": 1}'), ("ins", "{nothing}")]
        assert word_diff("[" * 9000, "[" * 9001)

    def test_half_a_surrogate_pair_in_an_escape(self) -> None:
        assert word_diff('{"a": "\\ud800"}', '{"a": "b"}')


class TestLongTexts:
    def test_they_are_not_compared_and_it_says_so(self) -> None:
        before, after = "x " * LONGEST, "y " * LONGEST
        found = word_diff(before, after)
        assert [kind for kind, _ in found] == ["same", "del", "ins", "same"]
        assert "too long to be compared word by word: 40,000 and 40,000 characters" in found[0][1]

    def test_but_what_they_begin_and_end_with_alike_is_left_out_first(self) -> None:
        shared = "word " * LONGEST
        found = word_diff(f"{shared}old {shared}", f"{shared}new {shared}")
        assert found == [("same", shared), ("del", "old"), ("ins", "new"), ("same", f" {shared}")]

    @pytest.mark.parametrize(
        "text",
        [
            "x " * (LONGEST // 2),
            "é" * LONGEST,
            ".!" * (LONGEST // 2),
            "\n" * LONGEST,
            " ".join(str(n % 101) for n in range(LONGEST // 4)),
            " ".join(str(n * n % 997) for n in range(LONGEST // 4)),
        ],
    )
    def test_the_time_is_bounded(self, text: str) -> None:
        with ended():
            as_lines(word_diff(f"p {text[:-10]} q", f"r {text[10:]} s"))


class TestCondensed:
    def test_what_stayed_is_cut(self) -> None:
        long = "word " * 100
        found = condensed(word_diff(f"{long}old {long}", f"{long}new {long}"), around=20)
        assert found == [
            ("same", " … word word word "),
            ("del", "old"),
            ("ins", "new"),
            ("same", " word word word … "),
        ]

    def test_a_change_is_never_left_out_without_a_word(self) -> None:
        parts = word_diff(" ".join(f"a{n} b" for n in range(300)), " ".join(f"c{n} b" for n in range(300)))
        found = condensed(parts, total=200)
        assert "more characters" in found[-1][1]
        assert sum(len(text) for _, text in found) < 300

    def test_one_part_alone(self) -> None:
        assert condensed([("same", "a")]) == [("same", "a")]
        assert len(condensed([("same", "a " * 9000)], most=100)[0][1]) < 120
        assert condensed([]) == []

    @given(st.lists(st.tuples(st.sampled_from(["same", "del", "ins"]), TEXT), max_size=8))
    @settings(max_examples=100, deadline=None)
    def test_it_stays_within_bounds(self, parts: list[Part]) -> None:
        found = condensed(parts, around=10, most=30, total=60)
        assert sum(len(text) for _, text in found) <= 60 + 40
        as_lines(found)


class TestLines:
    def test_sentences_that_changed(self) -> None:
        assert as_lines(word_diff(BEFORE, AFTER)) == [
            "- You can return boots within 30 days of purchase, as long as they are unused.",
            "+ You can return boots within 14 days of purchase, for store credit only.",
            "  Send them to our depot in Leeds.",
            "  We pay for the label.",
            "- Refunds take 5 days.",
            "+ Refunds take five working days.",
        ]

    def test_json(self) -> None:
        assert as_lines(word_diff('{"a": [1, 2], "b": 1}', '{"a": [1, 3], "b": 1}')) == [
            "  {",
            '    "a": [',
            "      1,",
            "-     2",
            "+     3",
            "    ],",
            '    "b": 1',
            "  }",
        ]

    def test_long_lines_are_folded_behind_their_sign(self) -> None:
        found = as_lines([("del", "word " * 60), ("ins", "new")], width=60)
        assert len(found) > 4
        assert {line[:2] for line in found} == {"- ", "+ "}
        assert max(map(len, found)) <= 62
