from typing import Any

import pytest

from config.building import problems
from gatewatch.core.case import Case, Expected, ToolCall
from gatewatch.core.review import Item
from gatewatch.core.trace import Span
from gatewatch.loop.guard import guarded
from gatewatch.loop.promote import Source
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.library import make
from loop.failing import FLOW, NOW, trace

CALLED = trace(1, spans=(Span(name="refund", kind="tool", input={"order": 7}),))


def scorers(*names: str) -> dict[str, Scorer]:
    return {name: make(name, {}) for name in names}


def notes(expected: Any, *names: str, request: Any = CALLED, scorer: str = "") -> list[str]:
    item = Item(id=7, queue="failures", flow=FLOW, trace=request.id, scorer=scorer, added=NOW)
    source = Source(trace=request, item=item)
    return list(guarded(source, Case(input="x", expected=expected), scorers(*names), "support"))


def test_calls_count_only_where_a_scorer_looks_at_them() -> None:
    assert notes("Refunded.", "exact") == []
    (said,) = problems(lambda: notes("Refunded.", "exact", "tool_calls"))
    assert said.startswith("I7: it called tools, and nobody said which calls are right")
    assert notes(Expected("Refunded.", (ToolCall("refund", {"order": 8}),)), "exact", "tool_calls") == []
    assert notes(Expected(tool_calls=()), "tool_calls") == []


def test_no_scorer_could_say_anything() -> None:
    (said,) = problems(lambda: notes(Expected(relevant=("a",)), "exact", request=trace(1)))
    assert said.startswith("I7: no scorer of suite support could say anything of it: exact")


@pytest.mark.parametrize("scorer", ["", "helpful"])
def test_without_what_is_right_the_scorer_that_found_it_must_be_of_the_suite(scorer: str) -> None:
    assert notes(None, "valid_json", scorer="valid_json", request=trace(1)) == []
    (said,) = problems(lambda: notes(None, "valid_json", scorer=scorer, request=trace(1)))
    assert said.startswith("I7: nothing says what is right")
