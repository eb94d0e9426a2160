from datetime import date
from typing import Any

import pytest

from config.building import problems
from gatewatch.core.case import Case, Expected, Open
from gatewatch.core.review import Label
from gatewatch.core.trace import Trace
from gatewatch.loop.promote import Source, Terms, agreement, change_key, input_of, made_case
from loop.failing import NOW, trace

UNTIL = date(2099, 1, 31)


def terms(**given: Any) -> Terms:
    known: dict[str, Any] = {"by": "mia", "at": NOW, "until": UNTIL, "redact": lambda each: each, "clean": str}
    return Terms(**known | given)


def label(by: str, value: float | None, **given: Any) -> Label:
    return Label(item=1, by=by, at=NOW, value=value, **given)


@pytest.mark.parametrize(
    ("labels", "share"),
    [
        ([], None),
        ([label("a", 0.0)], None),
        ([label("a", 0.0), label("b", 0.2)], 1.0),
        ([label("a", 0.0), label("b", 1.0)], 0.0),
        ([label("a", 0.0), label("b", 0.0), label("c", 1.0), label("d", None, skipped=True)], 1 / 3),
        ([label("a", 0.0), label("b", 0.0, settles=True)], None),  # b only settled it
        ([label("a", 0.0), label("b", 0.0, settles=True, first=1.0)], 0.0),
    ],
)
def test_agreement_is_of_pairs_by_their_first_word(labels: list[Label], share: float | None) -> None:
    assert agreement(labels) == (None if share is None else pytest.approx(share))


def test_a_turn_that_failed_before_has_no_answer() -> None:
    earlier = [Trace(input="one"), Trace(input={"question": "two"}, output={"a": 1})]
    assert input_of(Trace(input="three"), earlier) == {
        "messages": [
            {"role": "user", "content": "one"},
            {"role": "user", "content": "two"},
            {"role": "assistant", "content": '{"a":1}'},
            {"role": "user", "content": "three"},
        ]
    }


def test_a_key_is_of_a_query_and_its_dataset() -> None:
    one, other = Case(input="Where is it?"), Case(input=" where  IS it")
    assert change_key("a.jsonl", one) == change_key("a.jsonl", other)
    assert change_key("a.jsonl", one) != change_key("b.jsonl", one)
    assert change_key("a.jsonl", one) != change_key("a.jsonl", Case(input="Where is it?", context="x"))


def test_the_slice_is_the_requests_else_the_projects() -> None:
    source = Source(trace=trace(1, context=("30 days",)))
    made = made_case(source, terms(slice_of=lambda given: "long" if len(given) > 10 else "short"))
    assert (made.slice, made.context, made.open) == ("long", ("30 days",), Open(UNTIL, "mia"))
    assert made_case(Source(trace=trace(1, slice="gold")), terms()).slice == "gold"


def test_what_is_expected_by_who_promotes_it_goes_first_and_is_cleaned() -> None:
    source = Source(trace=trace(1), labels=(label("ana", 0.0, expected="x"),))
    clean: Any = lambda value: {"answer": "[name]"} if isinstance(value, dict) else "[name]"  # noqa: E731
    assert made_case(source, terms(clean=clean)).expected == "[name]"
    assert made_case(source, terms(clean=clean, expected=Expected("Mia"))).expected == Expected("[name]")


def test_what_makes_no_case_is_told() -> None:
    odd = {"messages": [{"role": "robot", "content": "x"}]}
    (said,) = problems(lambda: made_case(Source(trace=trace(1, odd)), terms()))
    assert "input.messages[0].role: unknown role 'robot'" in said
    (said,) = problems(lambda: made_case(Source(trace=trace(1, "[dropped]")), terms()))
    assert "has no input that is kept" in said
