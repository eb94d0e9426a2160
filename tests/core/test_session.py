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


def test_calls_stand_in_the_order_of_the_calls_not_of_the_answers() -> None:
    calls = [{"id": name, "function": {"name": name, "arguments": "{}"}} for name in ("one", "two")]
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "Both, please"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "two", "content": "2"},
        {"role": "tool", "tool_call_id": "one", "content": "1"},
        {"role": "tool", "tool_call_id": "none", "name": "three", "content": "3"},
    ]
    (turn,) = session_of(Trace(input={"messages": messages}, output="Done."))
    assert [(span.name, span.output) for span in turn.spans] == [("one", "1"), ("two", "2"), ("three", "3")]


def test_the_users_messages_in_a_row_are_turns_without_an_answer() -> None:
    given = talk(("user", "When?"), ("user", "Hello?"))
    assert said(Trace(input=given, output="Noon.")) == [("When?", None), ("Hello?", "Noon.")]


def test_messages_that_are_none_are_passed_over() -> None:
    messages = ["hello", None, {"role": "user"}, {"role": "assistant", "tool_calls": 5}, {"content": "x"}]
    assert said(Trace(input={"messages": messages}, output="y")) == [("", "y")]


def test_a_turn_of_many_calls_takes_no_longer_for_each() -> None:
    calls = [{"id": str(n), "function": {"name": "f", "arguments": "{}"}} for n in range(20_000)]
    answers = [{"role": "tool", "tool_call_id": str(n), "content": str(n)} for n in range(20_000)]
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": calls}, *answers]
    (turn,) = session_of(Trace(input={"messages": messages}, output="y"))
    assert [span.output for span in turn.spans] == [str(n) for n in range(20_000)]


def test_recorded_dialogues() -> None:
    """A turn of the data is what one side says; a turn of a session is what the user says, and its answer."""
    known = known_answers("sessions_tm4")
    lengths, called = [], 0
    for row in rows("sessions_tm4", "dialogs.jsonl.gz"):
        lengths.append(len(row["turns"]))
        messages = [message for turn in row["turns"] for message in messages_of(turn)]
        turns = session_of(Trace(input={"messages": messages}))
        assert len(turns) == sum(turn["speaker"] == "user" for turn in row["turns"])
        assert sum(len(turn.spans) for turn in turns) == sum("api_call" in api for api in apis_of(row))
        sides = sum(1 + (turn.output is not None) for turn in turns)
        assert sides == len(row["turns"])
        called += any(turn.spans for turn in turns)
    assert (len(lengths), sum(lengths), median(lengths), max(lengths)) == (
        known["sessions"],
        known["turns"],
        known["median turns"],
        known["max turns"],
    )
    assert called == known["sessions with an API call"]


def apis_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [api for turn in row["turns"] for api in turn["api"]]


def messages_of(turn: dict[str, Any]) -> list[dict[str, Any]]:
    """What one side says as messages: what it says, then the calls made for it."""
    calls = [
        {"id": api["context"], "function": {"name": api["api_call"], "arguments": api.get("request", "")}}
        for api in turn["api"]
        if "api_call" in api
    ]
    made = [{"role": "assistant", "content": None, "tool_calls": calls}] if calls else []
    return [{"role": turn["speaker"], "content": turn["text"]}, *made]
