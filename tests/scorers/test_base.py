from collections.abc import Callable
from typing import Any

import pytest

from gatewatch.core.case import Case, Expected, ToolCall
from gatewatch.core.trace import Trace
from gatewatch.scorers.apply import apply_inline
from gatewatch.scorers.base import ARGUMENTS, MISSING, Scorer, built_in, getters_of, scorer


def given(fn: Callable[..., Any], trace: Trace, case: Case | None = None) -> dict[str, Any]:
    """What the arguments of a scorer's function are bound to."""
    return {name: get(trace, case) for name, get in getters_of(fn)}


def test_arguments_are_bound_by_name() -> None:
    def everything(
        case: Any,
        trace: Any,
        context: Any,
        input: Any,  # noqa: A002
        expected: Any,
        output: Any,
        session: Any,
        other: Any,
    ) -> None:
        pass

    case = Case(input="asked", expected="right", context="known")
    trace = Trace(input="asked live", output={"a": 1}, context=("seen",))
    assert given(everything, trace, case) == {
        "input": "asked live",
        "output": {"a": 1},
        "expected": "right",
        "context": ("seen",),
        "trace": trace,
        "case": case,
        "session": (trace,),
        "other": Trace(input="asked", output="right"),
    }
    assert set(given(everything, trace, case)) == set(ARGUMENTS)


def test_what_a_trace_lacks_comes_from_the_case() -> None:
    def fn(input: Any, context: Any) -> None:  # noqa: A002
        pass

    case = Case(input="asked", context="known")
    assert given(fn, Trace(), case) == {"input": "asked", "context": "known"}
    assert given(fn, Trace(input={"q": 1}, context=""), case) == {"input": {"q": 1}, "context": ""}
    assert given(fn, Trace()) == {"input": "", "context": MISSING}


def test_without_a_case_there_is_nothing_to_be_expected() -> None:
    def fn(expected: Any, case: Any, output: Any) -> None:
        pass

    assert given(fn, Trace(output=None)) == {"expected": MISSING, "case": MISSING, "output": None}
    assert given(fn, Trace(), Case(input="?"))["expected"] is MISSING


def test_text_is_asked_for_by_an_annotation() -> None:
    def text(output: str, expected: str) -> None:
        pass

    def quoted(output: "str", expected: "str") -> None:
        pass

    def anything(output: Any, expected: Any) -> None:
        pass

    expected = Expected("right", criteria=("polite",))
    case = Case(input="?", expected=expected)
    trace = Trace(output={"b": 1, "a": [True, None]})
    for fn in (text, quoted):
        assert given(fn, trace, case) == {"output": '{"a":[true,null],"b":1}', "expected": "right"}
        assert given(fn, Trace(output="as it stands"), case)["output"] == "as it stands"
        assert given(fn, Trace(output=None), case)["output"] == ""
    assert given(anything, trace, case) == {"output": trace.output, "expected": expected}
    no_answer = Case(input="?", expected=Expected(tool_calls=(ToolCall("f"),)))
    assert given(text, trace, no_answer)["expected"] is MISSING


def test_reference_based() -> None:
    @scorer
    def blind(output: str, context: str) -> bool:
        return True

    @scorer
    def seeing(output: str, expected: str) -> bool:
        return True

    @scorer
    def whole(case: Case) -> bool:
        return True

    assert [each.reference_based for each in (blind, seeing, whole)] == [False, True, True]
    assert blind.needs == ("output", "context")


def test_an_argument_that_nothing_is_bound_to() -> None:
    called = (
        (lambda answer: True, "output"),
        (lambda prediction: True, "output"),
        (lambda question: True, "input"),
        (lambda ground_truth: True, "expected"),
    )
    for fn, meant in called:
        with pytest.raises(TypeError, match=rf"which a scorer is not given \(did you mean \"{meant}\"\?\)"):
            scorer(fn)
    with pytest.raises(TypeError, match=r"fits asks for 'ouput'.*did you mean \"output\"\?.*may ask for input, output"):

        @scorer
        def fits(ouput: str) -> bool:
            return True

    with pytest.raises(TypeError, match="positional-only"):

        @scorer
        def by_place(output: str, /) -> bool:
            return True

    with pytest.raises(TypeError, match="kwargs"):

        @scorer
        def anything(output: str, **kwargs: Any) -> bool:
            return True


def test_an_argument_of_ones_own_needs_a_default() -> None:
    @scorer
    def short(output: str, limit: int = 3) -> bool:
        return len(output) < limit

    assert short.needs == ("output",)
    assert apply_inline(short, Trace(output="ab")).value == 1.0
    assert short("abcd", limit=9) is True, "called as written"


def test_the_decorator_with_and_without_options() -> None:
    @scorer
    def plain(output: str) -> bool:
        return True

    @scorer(name="renamed", version="3")
    def other(output: str) -> bool:
        return True

    @scorer(name="later")
    async def slow(output: str) -> bool:
        return True

    assert isinstance(plain, Scorer)
    assert (plain.name, plain.is_async, plain.inline, plain.source) == ("plain", False, False, "rule")
    assert (other.name, other.identity.parts) == ("renamed", {"version": "renamed 3"})
    assert (slow.name, slow.is_async) == ("later", True)
    assert len(plain.fingerprint) == 12


def test_a_built_in_states_its_identity_and_runs_inline() -> None:
    def score(output: str) -> bool:
        return True

    made = built_in("mine", score, version="exact 1", parameters={"strip": True}, binary=True)
    assert (made.inline, made.binary, made.is_async) == (True, True, False)
    assert made.identity.parts.keys() == {"version", "parameter strip"}


def test_a_scorer_is_not_changed() -> None:
    made = built_in("mine", lambda output: True, version="1")
    with pytest.raises(AttributeError):
        made.name = "other"  # type: ignore[misc]
    assert len({made, made}) == 1


def test_an_argument_with_a_default_is_optional() -> None:
    @scorer
    def fits(output: str, expected: str | None = None) -> bool:
        return expected is None

    assert apply_inline(fits, Trace(output="x")).value == 1.0


def test_an_object_that_can_be_called_is_a_function_too() -> None:
    from functools import partial

    def short(output: str, limit: int) -> bool:
        return len(output) < limit

    assert scorer(partial(short, limit=5)).name == "short"
