from datetime import date
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from config.building import problems
from gatewatch.core.case import Case, Expected, Open, ToolCall, derived_id
from gatewatch.loop.same import Decision, There, agrees, decided, differences, merged, origins, query_of

OPEN = Open(date(2099, 1, 31), "mia")


def case(asked: Any = "Can I return shoes?", **given: Any) -> Case:
    known: dict[str, Any] = {"id": derived_id(asked), "expected": "Yes.", "open": OPEN, "provenance": origin("t1")}
    return Case(input=asked, **known | given)


def origin(trace: str) -> dict[str, Any]:
    return {"trace": trace, "by": "mia", "at": "2026-01-02T03:04:05Z"}


def there(*cases: Case) -> list[There]:
    return [There(each, line) for line, each in enumerate(cases, 1)]


def became(new: Case, *cases: Case, way: Any = "") -> Decision:
    return decided(new, there(*cases), "d.jsonl", way)


class TestTheSameQuery:
    @pytest.mark.parametrize(
        "asked", ["can i  return SHOES", " Can I return shoes?\n", {"question": "Can I return shoes?"}]
    )
    def test_case_spacing_and_marks_make_no_other(self, asked: Any) -> None:
        other = case(asked, provenance=origin("t2"))
        assert became(other, case()).kind == "there"

    @given(st.text(min_size=1), st.sampled_from([str.upper, str.lower, str.title, lambda text: f"  {text} \t"]))
    def test_however_it_is_written(self, text: str, write: Any) -> None:
        assume(text.strip() and write(text).casefold().split() == text.casefold().split())
        assert query_of(case(write(text))) == query_of(case(text))

    def test_another_context_or_another_turn_before_makes_another(self) -> None:
        plain = query_of(case())
        messages = [{"role": "user", "content": "Can I return shoes?"}]
        said = {"role": "assistant", "content": "Which?"}
        assert query_of(case({"messages": messages})) == plain
        assert query_of(case({"messages": [{"role": "system", "content": "Be kind."}, *messages]})) == plain
        assert query_of(case({"messages": [said, *messages]})) != plain
        assert query_of(case({"messages": [said, *messages], "assistant": "regenerated"})) == plain
        assert query_of(case(context="30 days")) != plain

    def test_it_expects_something_else(self) -> None:
        other = case(expected="No.", provenance=origin("t2"))
        assert problems(lambda: became(other, case())) == [
            f"t2: case {case().id} asks the same, and expects 'Yes.', not 'No.' (d.jsonl:1, promoted from t1 on "
            "2026-01-02T03:04:05Z; --merge takes the new one)"
        ]
        assert became(case(expected="yes", provenance=origin("t2")), case()).kind == "there"
        assert became(case(expected=None, provenance=origin("t2")), case()).kind == "there"

    def test_it_is_retired(self) -> None:
        retired = case(retired="nobody asks it", open=None)
        (said,) = problems(lambda: became(case(), retired))
        assert "asks the same, and is retired: nobody asks it (d.jsonl:1, promoted from t1" in said
        back = became(case(provenance=origin("t2")), retired, way="merge")
        assert (back.kind, back.case.retired, back.case.open) == ("merge", "", OPEN)
        assert "it is no longer retired (nobody asks it)" in back.moved


class TestNearCopies:
    def test_one_is_refused_with_how_near_it_is(self) -> None:
        near = case("Can I return these shoes after thirty days of use?", provenance=origin("t2"))
        old = case("Can I return those shoes after thirty days of use?", id="old")
        (said,) = problems(lambda: became(near, old))
        assert said.startswith("t2: is much like case old (likeness 0.9")
        assert "--merge adds it to that case, --separate makes a case of its own" in said
        assert became(near, old, way="separate") == Decision("new", near)
        made = became(near, old, way="merge")
        assert made.kind == "merge"
        assert (made.case.input, origins(made.case)) == (old.input, ["t1", "t2"])

    def test_a_number_makes_another(self) -> None:
        assert became(case("Where is order 17?"), case("Where is order 71?")).kind == "new"

    def test_the_same_words_with_another_context_are_near(self) -> None:
        other = case(context="14 days", provenance=origin("t2"))
        (said,) = problems(lambda: became(other, case(context="30 days")))
        assert "(likeness 1.00)" in said
        made = became(other, case(context="30 days"), way="separate")
        assert made.kind == "new"
        assert made.case.id not in ("", case().id)
        assert made == became(other, case(context="30 days"), way="separate")


class TestMerging:
    def test_what_is_expected_now_and_where_it_came_from(self) -> None:
        new = case(expected="No.", provenance=origin("t2"), open=Open(date(2099, 5, 5), "bo"))
        old = case(open=None, must_pass=True)
        after = merged(old, new)
        assert (after.expected, after.open, after.must_pass) == ("No.", new.open, False)
        assert after.provenance == {**origin("t1"), "more": [origin("t2")]}
        assert list(differences(old, after)) == [
            "expected is 'No.', was 'Yes.'",
            "it may fail until 2099-05-05 (bo)",
            "it need not pass yet",
            "it is known from 2 requests",
        ]

    def test_a_case_that_must_pass_stays_so_where_nothing_else_is_expected(self) -> None:
        after = merged(case(open=None, must_pass=True), case(provenance=origin("t2")))
        assert (after.must_pass, after.open) == (True, None)
        assert origins(after) == ["t1", "t2"]

    def test_twice_is_once(self) -> None:
        new = case(expected="No.", provenance=origin("t2"))
        once = merged(case(), new)
        assert merged(once, new) == once
        by_hand = replace(once, expected="Perhaps.")
        assert merged(by_hand, new) == by_hand  # it was in it, and somebody changed it since
        assert became(new, once, way="merge").kind == "there"

    def test_of_one_written_by_hand(self) -> None:
        after = merged(case(provenance={}, open=None), case(provenance=origin("t2")))
        assert after.provenance == {"more": [origin("t2")]}
        assert origins(after) == ["t2"]

    def test_a_strict_one_must_pass(self) -> None:
        after = merged(case(), case(expected="No.", open=None, must_pass=True, provenance=origin("t2")))
        assert (after.open, after.must_pass) == (None, True)


def test_expectations_agree_but_for_the_writing_of_the_answer() -> None:
    calls = (ToolCall("refund", {"id": 1}),)
    assert agrees("Yes.", Expected(answer="yes"))
    assert not agrees(Expected(tool_calls=calls), Expected(tool_calls=()))
    assert not agrees(Expected("yes", calls), "yes")
    assert agrees(None, None)
