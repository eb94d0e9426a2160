"""What a reviewer is shown, what they expect, and what all of them say together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gatewatch.core.case import Expected, ToolCall
from gatewatch.core.errors import InputError
from gatewatch.core.review import Item, Label, is_right
from gatewatch.core.trace import Fault, Span, Trace
from gatewatch.loop.label import expected_of, expected_text, parts_of, revealed, score_of, suggested, together
from gatewatch.store.labels import state_of

ITEM = Item(
    id=7, queue="failures", flow="f", trace="t", scorer="helpful", signs=("thumbs_down",), judged=0.9, added=0.0
)


def said(by: str, value: float | None, **more: object) -> Label:
    return Label(item=7, by=by, at=1.0, value=value, **more)  # type: ignore[arg-type]


# What is shown


def test_a_conversation_is_shown_turn_by_turn_with_what_was_done() -> None:
    trace = Trace(
        input={
            "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}],
            "customer": "c1",
        },
        context=("one", {"text": "two"}),
        spans=(
            Span(name="answer", kind="llm", model="m-1", input="a long prompt"),
            Span(name="search", kind="tool", input={"q": "x"}, output="found"),
            Span(name="pay", kind="tool", error=Fault("declined")),
        ),
        output="done",
    )
    assert [(part.heading, part.text) for part in parts_of(trace)] == [
        ("input", '{"customer":"c1"}'),
        ("user", "hello"),
        ("assistant", "hi"),
        ("context 1", "one"),
        ("context 2", '{"text":"two"}'),
        ("step", "answer m-1"),
        ("step", 'search {"q":"x"}\n= found'),
        ("step", "pay\n! declined"),
        ("output", "done"),
    ]


def test_a_failure_is_shown_and_a_conversation_that_was_answered() -> None:
    assert [each.heading for each in parts_of(Trace(input="q", error=Fault("no", "timeout")))] == ["input", "timeout"]
    said_ = parts_of(Trace(input="q", output=[{"role": "assistant", "content": "a"}, {"role": "tool", "content": "b"}]))
    assert [each.heading for each in said_] == ["input", "assistant", "tool"]


# What is expected


def test_expected_is_text_or_an_object_as_in_a_dataset() -> None:
    assert expected_of("  14 days ") == "14 days"
    assert expected_of(" ") is None
    found = expected_of('{"tool_calls": [{"name": "cancel", "arguments": {"id": 3}}], "criteria": ["is polite"]}')
    assert found == Expected(tool_calls=(ToolCall("cancel", {"id": 3}),), criteria=("is polite",))
    assert expected_of(expected_text(found)) == found


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"answr": "x"}', "expected.answr: unknown field"),
        ('{"tool_calls": [{"arguments": {}}]}', "expected.tool_calls[0].name: missing"),
        ('{"relevant": "a"}', "expected.relevant: expected a list"),
        ('{"answer": ', "expected: not JSON"),
        ("{}", "expected: is an empty object"),
    ],
)
def test_what_is_wrong_in_it_has_its_path(text: str, what: str) -> None:
    with pytest.raises(InputError) as error:
        expected_of(text)
    assert str(error.value).startswith(what)


def test_calls_that_were_made_are_there_to_be_corrected() -> None:
    trace = Trace(spans=(Span(name="cancel", kind="tool", input={"id": 3}),), output="done")
    assert expected_of(suggested(trace)) == Expected(tool_calls=(ToolCall("cancel", {"id": 3}),))
    assert suggested(Trace(output="done")) == "done"


# Together


def test_the_word_that_settles_counts_else_that_of_most() -> None:
    ana, bo, cy = said("ana", 1.0), said("bo", 0.0, expected="x"), said("cy", 0.25, comment="hm")
    assert together([]) is None
    assert together([ana, bo]) is None
    most = together([ana, bo, cy])
    assert most is not None
    assert (most.value, most.by, most.agreed, most.of, most.expected) == (0.125, ("bo", "cy"), 2, 3, "x")
    settled = together([ana, bo, cy, said("dee", 1.0, settles=True, expected="y")])
    assert settled is not None
    assert (settled.value, settled.by, settled.agreed, settled.of) == (1.0, ("dee",), 2, 4)
    assert (settled.expected, settled.settled) == ("y", True)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=8))
def test_who_skipped_says_nothing(values: list[tuple[float, bool]]) -> None:
    labels = [said(f"r{n}", None if skip else v, skipped=skip) for n, (v, skip) in enumerate(values)]
    counted = [value for value, skip in values if not skip]
    right = sum(map(is_right, counted))
    found = together(labels)
    if found is None:
        assert 2 * right == len(counted)
    else:
        assert found.of == len(counted)
        assert is_right(found.value) == (2 * right > len(counted))


def test_a_label_is_a_score_by_a_person() -> None:
    score = score_of(ITEM, said("ana", 0.25, comment="because"))
    assert (score.name, score.source, score.value, score.explanation) == ("helpful", "human", 0.25, "because")
    assert score_of(replace(ITEM, scorer=""), said("ana", None, skipped=True)).name == "right"


def test_what_was_hidden_is_told_once_the_label_is_there() -> None:
    others = [said("bo", 1.0, comment="fine"), said("cy", None, skipped=True)]
    assert list(revealed(ITEM, said("ana", 0.0), others, "it is polite")) == [
        "you disagreed with the judge: 0.9, because it is polite",
        "it was mined: thumbs_down",
        "bo said 1; fine",
        "cy said nothing (skipped)",
    ]
    drawn = replace(ITEM, queue="calibration", pi=0.125, signs=("seed 0",))
    assert list(revealed(drawn, said("ana", 1.0), [])) == [
        "you agreed with the judge: 0.9",
        "it was drawn by chance, with probability 0.125",
    ]


def test_what_is_right_begins_at_the_mark_of_its_item() -> None:
    both = [said("ana", 0.6), said("bo", 0.7)]
    assert state_of(2, both, 0.65) == "disputed"
    assert state_of(2, both) == "settled"
    assert together(both, 0.65) is None
    assert next(revealed(replace(ITEM, mark=0.75), both[0], ())).startswith("you disagreed with the judge: 0.9")
