from statistics import median
from typing import Any

from gatewatch.core.session import session_of
from gatewatch.core.trace import Fault, Span, Trace
from shared import known_answers, rows


def talk(*messages: tuple[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in messages], **more}


def said(trace: Trace) -> list[tuple[Any, Any]]:
    return [(turn.input, turn.output) for turn in session_of(trace)]


def test_any_other_trace_is_one_turn() -> None:
    for given in ("When?", {"question": "When?"}, {"messages": "none"}, talk(("system", "be brief"))):
        trace = Trace(input=given, output="noon")
        assert session_of(trace) == (trace,)


def test_each_message_of_the_user_begins_a_turn() -> None:
    given = talk(("system", "s"), ("assistant", "Hello!"), ("user", "When?"), ("assistant", "Noon."), ("user", "Sure?"))
    assert said(Trace(input=given, output="Yes.")) == [("When?", "Noon."), ("Sure?", "Yes.")]


def test_the_last_turn_has_what_the_trace_has() -> None:
    given = talk(("user", "When?"), ("assistant", "Noon."), ("user", "Sure?"))
    steps = (Span(name="clock", kind="tool"),)
    first, last = session_of(Trace(id="t", input=given, error=Fault("boom"), spans=steps, latency_s=2.0, session="s"))
    assert first == Trace(input="When?", output="Noon.")
    assert (last.id, last.error, last.spans, last.latency_s, last.session) == ("t", Fault("boom"), steps, 2.0, "s")


def test_a_conversation_that_was_answered_already() -> None:
    assert said(Trace(input=talk(("user", "When?"), ("assistant", "Noon.")))) == [("When?", "Noon.")]


def test_tools_are_spans_of_their_turn() -> None:
    call = {"id": "c1", "function": {"name": "stock", "arguments": '{"sku": "X2"}'}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "In stock?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "3"},
        {"role": "assistant", "content": "Three."},
        {"role": "user", "content": "Thanks"},
    ]
    first, _ = session_of(Trace(input={"messages": messages}, output="Bye"))
    assert (first.input, first.output) == ("In stock?", "Three.")
    assert first.spans == (Span(name="stock", kind="tool", input='{"sku": "X2"}', output="3"),)


def test_regenerated_turns_are_what_the_application_said() -> None:
    given = talk(("user", "When?"), ("assistant", "recorded"), ("user", "Sure?"), assistant="regenerated")
    spans = (Span(name="turn 1", input="When?", output="At noon."), Span(name="turn 2", input="Sure?", output="Yes."))
    assert said(Trace(input=given, output="Yes.", spans=spans)) == [("When?", "At noon."), ("Sure?", "Yes.")]


def test_recorded_dialogues() -> None:
    known = known_answers("sessions_tm4")
    lengths, users = [], 0
    for row in rows("sessions_tm4", "dialogs.jsonl.gz"):
        lengths.append(len(row["turns"]))
        messages = [{"role": turn["speaker"], "content": turn["text"]} for turn in row["turns"]]
        turns = session_of(Trace(input={"messages": messages}))
        expected = sum(turn["speaker"] == "user" for turn in row["turns"])
        users += expected
        assert len(turns) == max(1, expected)
    assert (len(lengths), sum(lengths), median(lengths), max(lengths)) == (
        known["sessions"],
        known["turns"],
        known["median turns"],
        known["max turns"],
    )
    assert users > 1000
