from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core import codec
from gatewatch.core.trace import Fault, Span, Trace
from gatewatch.online.serialise import as_context, as_input, plain, snapshot, written

MOST = 20_000


def back(trace: Trace, most: int = MOST) -> Trace:
    return codec.decode(written(trace, most), Trace)


def test_a_snapshot_does_not_change_with_its_original() -> None:
    value = {"a": [1]}
    flaws: list[str] = []
    taken = snapshot(value, flaws, "$.input")
    value["a"].append(2)
    assert back(Trace(id="x", input=taken)).input == {"a": [1]} and flaws == []


@pytest.mark.parametrize("value", [{"a": "\ud800"}, {"a": {1: 2}}, {"a": object()}])
def test_what_cannot_be_written_as_it_is_still_makes_a_snapshot(value: dict[str, Any]) -> None:
    flaws: list[str] = []
    taken = snapshot(value, flaws, "$.input")
    trace = back(Trace(id="x", input=taken, flaws=tuple(flaws)))
    assert isinstance(trace.input, dict) and "a" in trace.input and len(trace.flaws) == 1


def test_lone_surrogates_come_back_and_are_told_of() -> None:
    bad = "a\udc80b"
    trace = back(
        Trace(
            id="x",
            input=bad,
            output=[msgspec.Raw(b'"written"'), bad],
            context=(bad,),
            spans=(Span(name=bad, output={"k": bad}),),
            error=Fault(bad),
            session=bad,
            tags=(bad,),
            versions={"v": bad},
        )
    )
    assert trace.input == bad and trace.output == ["written", bad] and trace.spans[0].output == {"k": bad}
    assert trace.error == Fault(bad) and (trace.session, trace.tags, trace.context) == (bad, (bad,), (bad,))
    assert "a lone surrogate at $.input" in trace.flaws and "a lone surrogate at $.spans[0].output.k" in trace.flaws


def test_an_output_of_4_megabytes_is_cut_and_the_rest_stays_whole() -> None:
    trace = back(Trace(id="x", input="question", output="a" * 4_000_000, context=("c" * 100,)), 1 << 20)
    assert trace.cut == {"output": 4_000_002}
    assert isinstance(trace.output, str) and 1_000_000 < len(trace.output) < 1 << 20
    assert (trace.input, trace.context) == ("question", ("c" * 100,))


def test_40_kilobytes_are_kept_whole() -> None:
    trace = Trace(id="x", input="q" * 40_000, output={"a": "b" * 40_000})
    assert back(trace, 1 << 20) == trace


def test_of_an_object_the_long_texts_are_cut() -> None:
    trace = back(Trace(id="x", output={"short": "kept", "long": "x" * 100_000, "list": ["y" * 100_000, 1]}))
    assert trace.cut.keys() == {"output"}
    assert trace.output["short"] == "kept" and trace.output["list"][1] == 1
    assert 0 < len(trace.output["long"]) < 100_000


def test_of_what_has_no_long_texts_the_beginning_is_kept_as_text() -> None:
    trace = back(Trace(id="x", input={"n": list(range(50_000))}, output=list(range(50_000))))
    assert isinstance(trace.output, str) and trace.output.startswith("[0,1,2,")
    assert isinstance(trace.input, dict) and trace.input["cut"].startswith('{"n":[0,1,')


def test_spans_are_cut_and_where_there_are_too_many_dropped() -> None:
    few = back(Trace(id="x", spans=(Span(name="s", output="o" * 100_000), Span(name="t", parent=0))))
    assert [span.name for span in few.spans] == ["s", "t"] and few.cut.keys() == {"spans"}
    many = back(Trace(id="x", output="a", spans=tuple(Span(name=str(number)) for number in range(5000))))
    assert many.spans == () and many.output == "a" and many.cut.keys() == {"spans"}


def test_a_long_error_is_cut() -> None:
    trace = back(Trace(id="x", error=Fault("e" * 100_000, "timeout", "d" * 100_000)))
    assert trace.error is not None and trace.error.kind == "timeout" and trace.error.message.startswith("eee")


@given(
    st.text(st.characters(exclude_categories=()), max_size=30_000),
    st.recursive(st.text(max_size=3000) | st.integers(), lambda inner: st.lists(inner, max_size=30), max_leaves=30),
    st.integers(5000, 20_000),
)
def test_no_record_is_much_longer_than_allowed(text: str, output: Any, most: int) -> None:
    data = written(Trace(id="x", input=text, output=output), most)
    assert len(data) <= most
    codec.decode(data, Trace)


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ("a", "a"),
        ({"a": 1}, {"a": 1}),
        ([{"role": "user", "content": "x"}], {"messages": [{"role": "user", "content": "x"}]}),
        ([], {"input": []}),
        (None, {}),
        (3, {"input": 3}),
    ],
)
def test_an_input_is_text_or_an_object(value: Any, made: Any) -> None:
    assert as_input(value) == made


@pytest.mark.parametrize(
    ("value", "made"),
    [
        (None, None),
        ("a", "a"),
        ({"text": "a"}, ({"text": "a"},)),
        (["a", {"b": 1}, 3, ["c"]], ("a", {"b": 1}, "3", '["c"]')),
        (5, ("5",)),
    ],
)
def test_a_context_is_text_or_a_list_of_passages(value: Any, made: Any) -> None:
    assert as_context(plain(value, [], "$")) == made
