import msgspec
import pytest

from gatewatch.core import codec
from gatewatch.core.money import Cost
from gatewatch.core.trace import Fault, Span, Trace, Usage, cost_of_spans, moved, total_usage


def test_a_trace_comes_back_and_defaults_are_not_written() -> None:
    trace = Trace(
        input="?",
        output={"a": [1]},
        spans=(Span(name="s", kind="llm", parent=0, usage=Usage(1, 2), cost=0.1, error=Fault("late", "timeout")),),
        cost=Cost(0.1, 1),
        versions={"prompt": "3"},
    )
    assert codec.decode(codec.encode(trace), Trace) == trace
    assert codec.encode(Trace()) == b"{}"
    assert codec.encode(Trace(output="")) == b'{"output":""}'


@pytest.mark.parametrize("line", [b'{"name":"s","kind":"agent"}', b'{"name":"s","colour":1}', b"{}"])
def test_a_span_of_another_shape_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        codec.decode(line, Span)


def test_unknown_tokens_are_not_0() -> None:
    one = Usage(input_tokens=3, output_tokens=None, cached_input_tokens=0)
    other = Usage(input_tokens=4, output_tokens=5)
    assert one + other == Usage(7, 5, 0)
    assert Usage() + Usage() == Usage()
    assert total_usage([]) is None
    assert total_usage([None, None]) is None
    assert total_usage([None, one, other]) == Usage(7, 5, 0)


def test_the_cost_of_model_calls_without_a_price_is_unknown() -> None:
    priced, unpriced = Span(name="a", kind="llm", cost=0.25), Span(name="b", kind="llm")
    step, tool = Span(name="c"), Span(name="d", kind="tool", cost=0.5)
    assert cost_of_spans([]) is None
    assert cost_of_spans([step]) is None
    assert cost_of_spans([priced, step, tool]) == Cost(0.75)
    assert cost_of_spans([priced, unpriced, unpriced]) == Cost(0.25, 2)
    assert cost_of_spans([Span(name="free", kind="llm", cost=0.0)]) == Cost(0.0)


def test_spans_that_move_keep_their_parents() -> None:
    spans = (Span(name="a"), Span(name="b", parent=0))
    assert moved(spans, 3) == (Span(name="a"), Span(name="b", parent=3))
    assert moved(spans, 0) == spans
