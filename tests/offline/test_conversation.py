import asyncio
from typing import Any

import pytest

from gatewatch.core.case import Case
from gatewatch.core.money import Cost
from gatewatch.core.threads import Abandoned
from gatewatch.core.trace import Fault, Span, Trace, Usage
from gatewatch.offline.conversation import converse, is_regenerated
from gatewatch.offline.task import TaskFailed

MESSAGES = [
    {"role": "system", "content": "be short"},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "recorded 1"},
    {"role": "tool", "content": "looked up"},
    {"role": "user", "content": "two"},
    {"role": "assistant", "content": "recorded 2"},
]


def conversation(**fields: Any) -> Case:
    return Case(id="c", input={"messages": MESSAGES, "assistant": "regenerated", **fields})


class Answers:
    """Gives traces, or raises errors, one after the other, and remembers what it was asked."""

    def __init__(self, *answers: Trace | BaseException) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    async def __call__(self, case: Case, trial: int) -> Trace:
        assert isinstance(case.input, dict)
        self.asked.append(case.input["messages"])
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def conversed(*answers: Trace | BaseException, case: Case | None = None) -> tuple[Trace, Answers]:
    given = Answers(*answers)
    return asyncio.run(converse(given, case or conversation(), 0)), given


def test_only_conversations_that_say_so_are_regenerated() -> None:
    assert is_regenerated(conversation())
    assert not is_regenerated(Case(input={"messages": MESSAGES}))
    assert not is_regenerated(Case(input={"messages": MESSAGES, "assistant": "fixed"}))
    assert not is_regenerated(Case(input={"assistant": "regenerated"}))
    assert not is_regenerated(Case(input="regenerated"))


def test_each_user_turn_is_answered_with_the_tasks_own_answers_before_it() -> None:
    trace, given = conversed(Trace(output="new 1"), Trace(output={"content": "new 2"}))
    assert given.asked == [
        MESSAGES[:2],
        [*MESSAGES[:2], {"role": "assistant", "content": "new 1"}, MESSAGES[4]],
    ]
    assert trace.output == {"content": "new 2"}
    assert [(span.name, span.input, span.output) for span in trace.spans] == [
        ("turn 1", "one", "new 1"),
        ("turn 2", "two", {"content": "new 2"}),
    ]
    assert len(MESSAGES) == 6, "the case is left alone"


def test_an_answer_that_is_not_text_goes_into_the_history_as_json() -> None:
    _, given = conversed(Trace(output={"b": 1, "a": 2}), Trace(output=None))
    assert given.asked[1][2] == {"role": "assistant", "content": '{"a":2,"b":1}'}


def test_sums_go_over_all_turns() -> None:
    trace, _ = conversed(
        Trace(output="x", usage=Usage(10, 1), cost=Cost(0.5), waited_s=1.0, latency_s=3.0, versions={"model": "m1"}),
        Trace(
            output="y", usage=Usage(20, None), cost=Cost(0.25), waited_s=0.5, latency_s=4.0, versions={"model": "m2"}
        ),
    )
    assert (trace.usage, trace.cost, trace.waited_s, trace.versions) == (
        Usage(30, 1),
        Cost(0.75),
        1.5,
        {"model": "m2"},
    )
    assert trace.latency_s is None, "the run measures it"


def test_a_turn_of_unknown_cost_makes_the_sum_unknown() -> None:
    assert conversed(Trace(output="x", cost=Cost(0.5)), Trace(output="y"))[0].cost == Cost(0.5, unknown=1)
    assert conversed(Trace(output="x"), Trace(output="y"))[0].cost is None


def test_the_spans_of_every_turn_are_kept_and_stay_inside_their_parents() -> None:
    inner = (Span(name="agent"), Span(name="tool", kind="tool", parent=0))
    trace, _ = conversed(Trace(output="x", spans=inner), Trace(output="y", spans=inner))
    assert [(span.name, span.parent) for span in trace.spans] == [
        ("turn 1", None),
        ("agent", None),
        ("tool", 1),
        ("turn 2", None),
        ("agent", None),
        ("tool", 4),
    ]


def test_a_turn_that_failed_ends_it() -> None:
    trace, given = conversed(Trace(error=Fault("no")), Trace(output="never asked for"))
    assert trace.error == Fault("no")
    assert (len(given.asked), len(trace.spans)) == (1, 1)


def test_what_was_paid_before_a_turn_failed_is_not_forgotten() -> None:
    trace, _ = conversed(Trace(output="x", cost=Cost(0.5), usage=Usage(10, 1)), TaskFailed("the second went wrong"))
    assert trace.error == Fault("the second went wrong")
    assert trace.output is None
    assert trace.cost == Cost(0.5, unknown=1)
    assert trace.usage == Usage(10, 1)


@pytest.mark.parametrize("error", [TaskFailed("at once"), Abandoned("hangs"), asyncio.CancelledError()])
def test_a_first_turn_that_fails_fails_as_without_a_conversation(error: BaseException) -> None:
    with pytest.raises(type(error)):
        conversed(error)


@pytest.mark.parametrize("error", [Abandoned("hangs"), asyncio.CancelledError()])
def test_the_end_of_our_patience_is_no_turn(error: BaseException) -> None:
    with pytest.raises(type(error)):
        conversed(Trace(output="x"), error)
