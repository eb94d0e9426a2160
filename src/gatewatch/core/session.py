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
    messages: the user's text is the turn's input, what the assistant said before the next is its output, and the
    tools called between are its spans. What comes before the user's first message (a system message, a greeting)
    belongs to none. The last turn is answered by the trace's own output, and has its spans and its error. Where the
    assistant's turns were regenerated, they are what the application said, not what the conversation has. Any other
    trace is a session of one turn.
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
    turns: list[Trace] = []
    calls: dict[str, Span] = {}
    for message in messages:
        if not isinstance(message, dict):
            continue
        role, content = message.get("role"), message.get("content")
        if role == "user":
            turns.append(Trace(input=_text(content)))
            calls = {}
        elif not turns:
            continue
        elif role == "assistant":
            for call in message.get("tool_calls") or ():
                if isinstance(call, dict) and isinstance(function := call.get("function", call), dict):
                    span = Span(name=str(function.get("name", "")), kind="tool", input=function.get("arguments"))
                    calls[str(call.get("id"))] = span
                    turns[-1] = replace(turns[-1], spans=(*turns[-1].spans, span))
            if content:
                turns[-1] = replace(turns[-1], output=content)
        elif role == "tool":
            asked = calls.get(str(message.get("tool_call_id")))
            name = str(message.get("name", ""))
            answered = replace(asked, output=content) if asked else Span(name=name, kind="tool", output=content)
            kept = tuple(span for span in turns[-1].spans if span is not asked)
            turns[-1] = replace(turns[-1], spans=(*kept, answered))
    return turns


def _text(content: Any) -> str:
    if isinstance(content, list):  # parts, as some clients write them
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return codec.text_of(content)
