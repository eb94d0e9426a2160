"""A session: the traces of one conversation, in order."""

import re
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.trace import Span, Trace

_TURN = re.compile(r"turn \d+")


def session_of(trace: Trace) -> tuple[Trace, ...]:
    """The turns that a single trace tells of, each as a trace of its own.

    A trace whose input is a conversation (`{"messages": [...]}`, OpenAI-style) has one turn for each of the user's
    messages: the user's text is the turn's input, the last that the assistant said before the next is its output (None
    when it said nothing), and the tools called between are its spans. What comes before the user's first message (a
    system message, a greeting) belongs to none. The last turn is answered by the trace's own output, and has its spans
    and its error. Where the assistant's turns were regenerated, they are what the application said, not what the
    conversation has. Any other trace is a session of one turn.
    """
    messages = trace.input.get("messages") if isinstance(trace.input, dict) else None
    if not isinstance(messages, list | tuple):
        return (trace,)
    assert isinstance(trace.input, dict)
    if trace.input.get("assistant") == "regenerated":
        turns = _regenerated(trace.spans)
    else:
        turns = _recorded(messages)
    if not turns:
        return (trace,)
    last = replace(trace, input=turns[-1].input, spans=(*turns[-1].spans, *trace.spans))
    if trace.output is None and trace.error is None:  # it tells of no answer beside the conversation's own
        last = replace(last, output=turns[-1].output)
    return (*turns[:-1], last)


def _regenerated(spans: Sequence[Span]) -> list[Trace]:
    return [Trace(input=_text(span.input), output=span.output) for span in spans if _TURN.fullmatch(span.name)]


def _recorded(messages: Sequence[Any]) -> list[Trace]:
    asked: list[str] = []
    answers: list[Any] = []
    steps: list[list[Span]] = []
    places: dict[str, int] = {}  # where in its turn's steps a call stands, by its id
    for message in messages:
        if not isinstance(message, dict):
            continue
        role, content = message.get("role"), message.get("content")
        if role == "user":
            asked.append(_text(content))
            answers.append(None)
            steps.append([])
            places = {}
        elif not asked:
            continue
        elif role == "assistant":
            calls = message.get("tool_calls")
            for call in calls if isinstance(calls, list | tuple) else ():
                if isinstance(call, dict) and isinstance(function := call.get("function", call), dict):
                    places[str(call.get("id"))] = len(steps[-1])
                    steps[-1].append(
                        Span(name=str(function.get("name", "")), kind="tool", input=function.get("arguments"))
                    )
            if content:
                answers[-1] = content
        elif role == "tool":
            place = places.get(str(message.get("tool_call_id")))
            if place is None:
                steps[-1].append(Span(name=str(message.get("name", "")), kind="tool", output=content))
            else:
                steps[-1][place] = replace(steps[-1][place], output=content)
    parts = zip(asked, answers, steps, strict=True)
    return [Trace(input=said, output=answer, spans=tuple(spans)) for said, answer, spans in parts]


def _text(content: Any) -> str:
    if isinstance(content, list):  # parts, as some clients write them
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return codec.text_of(content)
