import enum
import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import numpy
import pytest

from gatewatch.core import codec
from gatewatch.core.case import Case
from gatewatch.core.errors import ConfigError, ModelError, Problem
from gatewatch.core.money import Cost
from gatewatch.core.spans import Recorder
from gatewatch.core.trace import Fault, Span, Trace, Usage
from gatewatch.offline.task import (
    Reply,
    TaskFailed,
    checked,
    fault_of,
    fields_at,
    filled,
    reply_of,
    trace_of,
    traced,
)

VALUE = {"choices": [{"message": {"content": "hi"}}, {"message": {}}], "usage": {"in": 3}, "a": None, "m": [[1, 2]]}


class Colour(enum.StrEnum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


class Amount(float):
    __slots__ = ()


class Pair(NamedTuple):
    one: int
    two: str


class Thing(msgspec.Struct):
    name: str
    tags: tuple[str, ...] = ()


@dataclass
class Node:
    name: str
    next: Any = None
    tags: set[str] = field(default_factory=set)


class TestTraced:
    @pytest.mark.parametrize(
        ("value", "output"),
        [
            ("text", "text"),
            ("\ud800", "\ud800"),
            (None, None),
            (2**70, 2**70),
            ({"a": (1, 2.5, True)}, {"a": [1, 2.5, True]}),
            ({3, 1, 2}, [1, 2, 3]),
            (frozenset({"b", "a"}), ["a", "b"]),
            (Colour.RED, "red"),
            ({"c": Colour.RED}, {"c": "red"}),
            (Text("sub"), "sub"),
            ([Amount(0.5)], [0.5]),
            (Number.ONE, 1),
            (Pair(1, "x"), [1, "x"]),
            (Thing("t", ("a",)), {"name": "t", "tags": ["a"]}),
            (
                Node("n", Node("m"), {"t"}),
                {"name": "n", "next": {"name": "m", "next": None, "tags": []}, "tags": ["t"]},
            ),
            ({"a key. with [dots]" * 100: [1]}, {"a key. with [dots]" * 100: [1]}),
        ],
    )
    def test_what_a_task_returns_is_kept_as_plain_values(self, value: Any, output: Any) -> None:
        trace = traced(value)
        assert trace.output == output
        assert type(trace.output) is type(output)
        assert codec.decode(codec.encode(trace.output), object) == output

    @pytest.mark.parametrize(
        ("value", "what"),
        [
            (math.nan, "nan at $ has no place in JSON"),
            ({"a": [math.inf]}, "inf at $.a[0] has no place in JSON"),
            ({1: "x"}, "key 1 at $ is not text"),
            (b"bytes", "a value of type bytes at $ has no place in JSON"),
            ([object()], "a value of type object at $[0] has no place in JSON"),
            (Thing, "a value of type StructMeta at $ has no place in JSON"),
            (Node, "a value of type type at $ has no place in JSON"),
            (Node("n", math.nan), "nan at $.next has no place in JSON"),
        ],
    )
    def test_what_json_has_no_word_for(self, value: Any, what: str) -> None:
        with pytest.raises(TaskFailed) as caught:
            traced(value)
        assert str(caught.value) == f"the output cannot be kept: {what}"

    def test_cycles(self) -> None:
        cycle: list[Any] = []
        cycle.append(cycle)
        node = Node("n")
        node.next = node
        for value in (cycle, {"a": cycle}, node):
            with pytest.raises(TaskFailed, match="nested more than 100 deep, or a cycle, at "):
                traced(value)

    def test_numpy_values(self) -> None:
        assert traced(numpy.str_("x")).output == "x"
        assert traced({"p": numpy.float64(0.5)}).output == {"p": 0.5}
        assert type(traced({"p": numpy.float64(0.5)}).output["p"]) is float

    def test_a_trace_is_taken_as_it_is(self) -> None:
        given = Trace(output={"a": (1,)}, usage=Usage(1, 2), cost=Cost(0.5), spans=(Span(name="s"),), latency_s=0.25)
        assert traced(given) == Trace(
            output={"a": [1]}, usage=Usage(1, 2), cost=Cost(0.5), spans=(Span(name="s"),), latency_s=0.25
        )

    @pytest.mark.parametrize(
        ("fields", "what"),
        [
            ({"cost": 0.5}, "Expected `object | null`, got `float` - at `$.cost`"),
            ({"versions": {"a": 1}}, "Expected `str`, got `int` - at `$.versions[...]`"),
            ({"context": {"a": 1}}, "Expected `str | array | null`, got `object` - at `$.context`"),
            ({"context": object()}, "Encoding objects of type object is unsupported"),
        ],
    )
    def test_a_trace_that_could_not_be_read_back_is_refused(self, fields: dict[str, Any], what: str) -> None:
        with pytest.raises(TaskFailed) as caught:
            traced(Trace(output="x", **fields))
        assert str(caught.value) == f"the trace cannot be kept: {what}"

    def test_a_trace_with_plain_objects_is_mended(self) -> None:
        usage: Any = {"input_tokens": 3}
        assert checked(Trace(output="x", usage=usage)).usage == Usage(3)


class TestReply:
    def test_all_it_can_say(self) -> None:
        value = {
            "output": {"a": 1},
            "context": ["p", {"id": 1}],
            "usage": {"input_tokens": 1, "output_tokens": 2, "reasoning_tokens": 1},
            "cost": 0.5,
            "latency_s": 1.5,
            "spans": [{"name": "s", "kind": "tool", "error": {"message": "m"}}],
            "versions": {"prompt": "v1"},
        }
        assert trace_of(reply_of(value)) == Trace(
            output={"a": 1},
            context=("p", {"id": 1}),
            usage=Usage(1, 2, reasoning_tokens=1),
            cost=Cost(0.5),
            latency_s=1.5,
            spans=(Span(name="s", kind="tool", error=Fault("m")),),
            versions={"prompt": "v1"},
        )

    def test_an_output_of_nothing_is_an_output(self) -> None:
        assert trace_of(reply_of({"output": None})) == Trace()

    def test_errors(self) -> None:
        assert trace_of(reply_of({"error": "no"})).error == Fault("no")
        late = {"message": "late", "kind": "timeout"}
        assert trace_of(reply_of({"error": late, "output": "part"})).error == Fault("late", "timeout")

    def test_usage_and_cost_are_summed_from_spans_where_not_stated(self) -> None:
        spans = [
            {"name": "a", "kind": "llm", "usage": {"input_tokens": 1}, "cost": 0.25},
            {"name": "b", "kind": "llm", "usage": {"input_tokens": 2, "output_tokens": 3}},
            {"name": "c", "kind": "tool", "cost": 0.5},
        ]
        trace = trace_of(reply_of({"output": "x", "spans": spans}))
        assert (trace.usage, trace.cost) == (Usage(3, 3), Cost(0.75, unknown=1))
        stated = trace_of(reply_of({"output": "x", "spans": spans, "cost": 0.0, "usage": {"output_tokens": 9}}))
        assert (stated.usage, stated.cost) == (Usage(output_tokens=9), Cost(0.0))

    @pytest.mark.parametrize(
        ("value", "what"),
        [
            ("text", 'expected a JSON object with "output" or "error", got text'),
            ({"answer": 1}, 'expected a JSON object with "output" or "error", got {"answer":1}'),
            ([1, 2], 'expected a JSON object with "output" or "error", got [1,2]'),
            ({"error": None}, "the reply has neither an output nor an error"),
            (
                {"output": "x", "usage": {"tokens": 1}, "cost": "much", "extra": 1},
                "the reply is not as it should be: extra: unknown field; usage.tokens: unknown field; "
                "cost: expected a number, got text",
            ),
            ({"output": "x", "spans": [{"kind": "llm"}]}, "the reply is not as it should be: spans[0].name: missing"),
            (
                {"output": "x", "error": 5},
                "the reply is not as it should be: error: expected text or a table, got a whole number",
            ),
        ],
    )
    def test_what_is_no_reply(self, value: Any, what: str) -> None:
        with pytest.raises(TaskFailed) as caught:
            reply_of(value)
        assert str(caught.value) == what

    def test_a_reply_that_is_nested_too_deep(self) -> None:
        deep: Any = []
        for _ in range(200):
            deep = [deep]
        with pytest.raises(TaskFailed, match=r"^the reply cannot be kept: nested more than 100 deep"):
            reply_of({"output": deep})


class TestPaths:
    @pytest.mark.parametrize(
        ("path", "found"),
        [
            ("choices[0].message.content", "hi"),
            ("$.choices[0].message.content", "hi"),
            ("choices[-2].message.content", "hi"),
            ("usage", {"in": 3}),
            ("$", VALUE),
            ("", VALUE),
            ("a", None),
            ("m[0][1]", 2),
        ],
    )
    def test_lead_to_values(self, path: str, found: Any) -> None:
        assert fields_at(VALUE, {"x": path}) == {"x": found}

    @pytest.mark.parametrize(
        "path",
        [
            "choices[2]",
            "choices[-3]",
            "choices.message",
            "usage[0]",
            "usage.in.more",
            "a.b",
            "nowhere",
            "choices[x]",
            "m[0][5]",
        ],
    )
    def test_lead_nowhere(self, path: str) -> None:
        assert fields_at(VALUE, {"x": path, "y": "usage.in"}) == {"y": 3}

    def test_into_what_is_no_object(self) -> None:
        assert fields_at("text", {"x": "a"}) == {}
        assert fields_at([1], {"x": "[0]", "y": "$[0]"}) == {"x": 1, "y": 1}


class TestFaults:
    def test_our_own_words_need_no_traceback(self) -> None:
        assert fault_of(TaskFailed("it said no")) == Fault("it said no")
        assert fault_of(ModelError("server", "HTTP 500")) == Fault("HTTP 500")
        assert fault_of(ConfigError(Problem("a", "b", "c"))) == Fault("a: b (c)")

    def test_the_applications_errors_have_one(self) -> None:
        def fail() -> None:
            raise KeyError("order")

        try:
            fail()
        except KeyError as error:
            fault = fault_of(error)
        assert (fault.message, fault.kind) == ("KeyError: 'order'", "error")
        assert "in fail" in fault.detail
        assert __file__ in fault.detail

    def test_they_are_cut_to_a_length(self) -> None:
        def deep(n: int) -> None:
            if n == 0:
                raise ValueError("x" * 10_000)
            deep(n - 1)

        try:
            deep(50)
        except ValueError as error:
            fault = fault_of(error)
        assert len(fault.message) == 2000
        assert len(fault.detail) == 6000

    def test_an_error_whose_text_cannot_be_made(self) -> None:
        class ShyError(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no")

        assert fault_of(ShyError()).message == "ShyError"


class TestFilled:
    CASE = Case(id="c", input="q")

    def test_what_the_task_left_open(self) -> None:
        trace = filled(Trace(output="x"), self.CASE, Recorder(), 2.0)
        assert trace == Trace(input="q", output="x", latency_s=2.0)

    def test_our_own_waiting_is_no_latency(self) -> None:
        recorder = Recorder()
        recorder.waited_s = 1.5
        trace = filled(Trace(output="x"), self.CASE, recorder, 2.0)
        assert (trace.latency_s, trace.waited_s) == (0.5, 1.5)
        assert filled(Trace(waited_s=5.0), self.CASE, Recorder(), 2.0).latency_s == 0.0

    def test_what_the_task_stated_wins_but_for_versions(self) -> None:
        recorder = Recorder()
        recorder.usage, recorder.cost, recorder.context = Usage(9), Cost(9.0), "noted"
        recorder.versions = {"prompt": "noted", "index": "i1"}
        given = Trace(latency_s=0.1, usage=Usage(1), cost=Cost(1.0), context="stated", versions={"prompt": "stated"})
        trace = filled(given, self.CASE, recorder, 2.0)
        assert (trace.latency_s, trace.usage, trace.cost, trace.context) == (0.1, Usage(1), Cost(1.0), "stated")
        assert trace.versions == {"prompt": "noted", "index": "i1"}

    def test_recorded_spans_come_behind_stated_ones_and_keep_their_parents(self) -> None:
        recorder = Recorder()
        recorder.spans = [Span(name="outer"), Span(name="inner", kind="llm", parent=0, usage=Usage(1, 2), cost=0.5)]
        trace = filled(Trace(spans=(Span(name="turn 1"),)), self.CASE, recorder, 1.0)
        assert [(span.name, span.parent) for span in trace.spans] == [("turn 1", None), ("outer", None), ("inner", 1)]
        assert (trace.usage, trace.cost) == (Usage(1, 2), Cost(0.5))

    def test_plain_objects_among_what_was_recorded_become_what_they_stand_for(self) -> None:
        usage: Any = {"input_tokens": 5}
        recorder = Recorder()
        recorder.spans = [Span(name="a", usage=usage), Span(name="b", usage=usage)]
        assert filled(Trace(output="x"), self.CASE, recorder, 1.0).usage == Usage(10)

    def test_what_was_recorded_and_cannot_be_kept(self) -> None:
        recorder = Recorder()
        cost: Any = Cost(1.0)
        recorder.spans = [Span(name="a", cost=cost)]
        with pytest.raises(TaskFailed, match=r"^the trace cannot be kept: Expected `float \| null`, got `object`"):
            filled(Trace(output="x"), self.CASE, recorder, 1.0)


def test_a_reply_starts_out_without_an_output() -> None:
    assert trace_of(Reply()).output is None
    assert Reply().output is msgspec.UNSET
