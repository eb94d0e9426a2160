"""Conversations whose assistant turns are regenerated: the task answers turn by turn, after its own answers."""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from gatewatch.core.case import Case
from gatewatch.core.codec import text_of
from gatewatch.core.money import Cost
from gatewatch.core.threads import Abandoned
from gatewatch.core.trace import Span, Trace, moved, total_usage
from gatewatch.offline.task import fault_of

Answer = Callable[[Case, int], Awaitable[Trace]]


def is_regenerated(case: Case) -> bool:
    """Whether the case is a conversation that states `"assistant": "regenerated"`."""
    return isinstance(case.input, dict) and case.input.get("assistant") == "regenerated" and "messages" in case.input


async def converse(answer: Answer, case: Case, trial: int) -> Trace:
    """Answer every user turn in order. The trace's output is the last answer; each turn is a span."""
    assert isinstance(case.input, dict)
    history: list[Any] = []
    turns: list[Trace] = []
    spans: list[Span] = []
    for message in case.input["messages"]:
        if message["role"] in ("assistant", "tool"):
            continue
        history.append(message)
        if message["role"] != "user":
            continue
        try:
            turn = await answer(replace(case, input={**case.input, "messages": list(history)}), trial)
        except (Exception, SystemExit) as error:
            if not turns or isinstance(error, Abandoned):
                raise
            turn = Trace(error=fault_of(error))  # what the turns before it cost is not forgotten
        history.append({"role": "assistant", "content": text_of(turn.output)})
        turns.append(turn)
        spans.append(
            Span(name=f"turn {len(turns)}", input=message.get("content"), output=turn.output, usage=turn.usage)
        )
        spans += moved(turn.spans, len(spans))
        if turn.error is not None:
            break
    costs = [turn.cost for turn in turns]
    return replace(
        turns[-1],
        spans=tuple(spans),
        usage=total_usage(turn.usage for turn in turns),
        cost=sum((cost or Cost(unknown=1) for cost in costs), Cost()) if any(costs) else None,
        waited_s=sum(turn.waited_s for turn in turns),
        latency_s=None,  # the run measures it, over all turns
    )
