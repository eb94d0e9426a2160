from typing import Any

import pytest

from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.core.trace import Fault, Span, Trace, Usage
from gatewatch.scorers.apply import apply_inline
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.ops import cost, latency, length, no_error, tokens

TRACE = Trace(output="Five days.", latency_s=2.0, usage=Usage(100, 50), cost=Cost(0.02))


def scored(scorer: Scorer, trace: Trace = TRACE) -> Score:
    return apply_inline(scorer, trace)


@pytest.mark.parametrize(
    ("make", "enough", "label"),
    [(latency, 2.0, "2 s"), (tokens, 150, "150 tokens"), (cost, 0.02, "0.020000 USD")],
)
def test_limits(make: Any, enough: float, label: str) -> None:
    assert (scored(make(most=enough)).value, scored(make(most=enough)).label) == (1.0, label)
    assert scored(make(most=enough / 2)).value == 0.0
    assert scored(make(most=enough / 2, graded=True)).value == pytest.approx(0.5)
    unknown = scored(make(), Trace(output="x"))
    assert (unknown.value, unknown.status) == (None, "skipped")
    for wrong in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="most must be above 0 and finite"):
            make(most=wrong)


def test_what_is_partly_unknown_is_unknown() -> None:
    assert scored(cost(), Trace(output="x", cost=Cost(0.01, unknown=1))).status == "skipped"
    half = Trace(output="x", usage=Usage(input_tokens=10))
    assert scored(tokens(), half).status == "skipped"
    assert scored(tokens(of="input", most=10), half).value == 1.0
    with pytest.raises(ValueError, match='of must be "total", "input" or "output", got \'all\''):
        tokens(of="all")  # type: ignore[arg-type]


def test_a_failure_is_a_0_on_all_of_them() -> None:
    failed = Trace(error=Fault("boom"), latency_s=0.1)
    assert [scored(each, failed).value for each in (latency(), tokens(), cost(), no_error(), length())] == [0.0] * 5


def test_errors_that_were_got_over() -> None:
    assert scored(no_error()).value == 1.0
    steps = (Span(name="search", kind="tool", error=Fault("timeout")), Span(name="search", kind="tool"))
    score = scored(no_error(), Trace(output="x", spans=steps))
    assert (score.value, score.label, score.explanation) == (0.0, "1 failed", "tool search: timeout")


@pytest.mark.parametrize(
    ("unit", "output", "count"),
    [
        ("characters", "  five days \n", 9),
        ("words", "Five days, 24 hours each.", 5),
        ("lines", "a\nb\r\nc\n", 3),
        ("characters", {"a": 1}, 7),
    ],
)
def test_length(unit: Any, output: Any, count: int) -> None:
    assert scored(length(least=count, most=count, unit=unit), Trace(output=output)).label == f"{count} {unit}"
    assert scored(length(least=count, most=count, unit=unit), Trace(output=output)).value == 1.0
    assert scored(length(least=count + 1, unit=unit), Trace(output=output)).value == 0.0
    assert scored(length(least=0, most=count - 1, unit=unit), Trace(output=output)).value == 0.0


def test_an_empty_output_is_too_short() -> None:
    assert scored(length(), Trace(output="  ")).value == 0.0
    with pytest.raises(ValueError, match="least must be 0 or more and at most most, got 5 and 4"):
        length(least=5, most=4)
    with pytest.raises(ValueError, match="unit must be one of characters, words, lines, got 'pages'"):
        length(unit="pages")  # type: ignore[arg-type]
