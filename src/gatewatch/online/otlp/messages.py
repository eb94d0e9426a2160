"""Messages of a conversation with a model, from the forms that libraries give them, in one form.

A message is `{"role", "content"?, "tool_calls"?: [{"id"?, "name", "arguments"}], "tool_call_id"?, "name"?}`, its
content text. What is neither text nor a call (an image, a file) is named in brackets and not kept.
"""

from collections.abc import Iterable
from typing import Any

from gatewatch.online.otlp.part import Found, flaw
from gatewatch.online.otlp.reading import listed, parsed, text

Message = dict[str, Any]
_ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant", "model": "assistant", "function": "tool"}
_TEXTS = ("text", "output_text", "input_text", "refusal", "tool_text", "")
_CALLS = ("tool_call", "tool-call", "tool_use", "function_call")
_RESULTS = ("tool_call_response", "tool-result", "tool_result", "function_call_output", "tool_response")
_THOUGHTS = ("reasoning", "thinking", "redacted_thinking", "reasoning-delta")
_BLOCK = frozenset(("text", "type"))
_MOST, _MOST_CALLS = 5000, 500


def messages(value: Any, found: Found) -> list[Message]:
    """The messages of a list of them, of JSON text of one, or of an object that has one; none of anything else."""
    value = parsed(value)
    if isinstance(value, dict):
        value = value.get("messages", [value] if _is_message(value) else None)
    if not isinstance(value, list):
        return []
    if len(value) == 1 and isinstance(value[0], list):  # a batch of one
        value = value[0]
    made: list[Message] = []
    for each in value[:_MOST]:
        made += message(each, found)
    return made


def _is_message(value: dict[str, Any]) -> bool:
    return isinstance(value.get("role"), str) and ("content" in value or "parts" in value or "tool_calls" in value)


def message(each: Any, found: Found) -> list[Message]:
    """A message in the one form; several where tools' results were put into one."""
    if isinstance(each, str):
        return [{"role": "user", "content": each}]
    if isinstance(each, list) and len(each) == 2 and isinstance(each[0], str):  # a pair of role and text
        each = {"role": each[0], "content": each[1]}
    if not isinstance(each, dict):
        return []
    each = _unpacked(each)
    kind = text(each.get("type"))
    if kind in _CALLS:
        return [{"role": "assistant", "tool_calls": [call(each, found)]}]
    if kind in _RESULTS:
        return [_result(each)]
    return [] if kind in _THOUGHTS else _turn(each, kind, found)


def _unpacked(each: dict[str, Any]) -> dict[str, Any]:
    """A message without what a library wrapped it in."""
    for inner in ("message", "data", "kwargs"):
        if isinstance(each.get(inner), dict) and "content" not in each and "parts" not in each:
            each = {"type": each.get("type", ""), **each[inner]}
            if each["type"] == "constructor":  # a serialised object, which says its kind by its class
                each["type"] = ""
    return each


def _turn(each: dict[str, Any], kind: str, found: Found) -> list[Message]:
    role = text(each.get("role")) or (kind if kind not in ("message", "") else "")
    made: Message = {"role": _ROLES.get(role, role) or "user"}
    results: list[Message] = []
    calls: list[dict[str, Any]] = []
    content = _content(each.get("parts", each.get("content", each.get("text"))), calls, results, found)
    for given in (each.get("tool_calls"), each.get("function_call")):
        listing = [given] if isinstance(given, dict) and "name" in given else listed(parsed(given))
        calls += [call(one, found) for one in listing if isinstance(one, dict)]
    if content or not (calls or results):
        made["content"] = content
    if calls:
        made["tool_calls"] = _once(calls)
    if answered := first_text(each, "tool_call_id", "tool_use_id", "id" if made["role"] == "tool" else ""):
        made["tool_call_id"] = answered
    if named := first_text(each, "name"):
        made["name"] = named
    return results if results and len(made) == 1 else [made, *results]


def first_text(each: dict[str, Any], *names: str) -> str:
    """The first of some fields that has text."""
    return next((each[name] for name in names if isinstance(each.get(name), str) and each[name]), "")


def _once(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Calls that are told twice, in the content and beside it, told once."""
    made: list[dict[str, Any]] = []
    for each in calls[:_MOST_CALLS]:
        if not any(each == other or (each.get("id") and each.get("id") == other.get("id")) for other in made):
            made.append(each)
    return made


def _content(value: Any, calls: list[dict[str, Any]], results: list[Message], found: Found) -> str:
    """The text of a message's content; calls and results of tools among it are added to theirs."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        value = [value]
    texts: list[str] = []
    for part in value if isinstance(value, list) else ():
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            _part(part, texts, calls, results, found)
    return "\n".join(filter(None, texts))


def _part(
    part: dict[str, Any], texts: list[str], calls: list[dict[str, Any]], results: list[Message], found: Found
) -> None:
    kind = text(part.get("type"))
    if kind in _CALLS or (not kind and any(key in part for key in ("toolUse", "function_call", "functionCall"))):
        calls.append(call(part, found))
    elif kind in _RESULTS or (
        not kind and any(key in part for key in ("toolResult", "function_response", "functionResponse"))
    ):
        results.append(_result(part))
    elif kind in _TEXTS and (isinstance(part.get("text"), str) or isinstance(part.get("content"), str)):
        texts.append(part["text"] if isinstance(part.get("text"), str) else part["content"])
    elif kind not in _THOUGHTS:
        texts.append(f"[{kind or next(iter(part), 'part')}]")


def call(each: dict[str, Any], found: Found) -> dict[str, Any]:
    """A call of a tool; arguments that are not JSON stay text, and are told of."""
    for inner in ("tool_call", "function", "toolUse", "function_call", "functionCall"):
        if isinstance(each.get(inner), dict):
            each = {**{key: value for key, value in each.items() if key in ("id", "call_id")}, **each[inner]}
    made: dict[str, Any] = {}
    name = first_text(each, "name", "toolName", "tool_name")
    if named := first_text(each, "call_id", "id", "toolCallId", "toolUseId", "tool_call_id"):
        made["id"] = named
    made["name"] = name
    given = next((each[key] for key in ("arguments", "args", "input") if each.get(key) is not None), None)
    if given is not None:  # it is not there where what is said is not recorded
        made["arguments"] = arguments(given, name, found)
    return made


def arguments(given: Any, name: str, found: Found) -> Any:
    """What a tool is called with: an object, or the text that it was where that is not JSON, which is told of."""
    if isinstance(given, str) and not given.strip():
        return {}
    made = parsed(given)
    if isinstance(made, str):
        flaw(found, f"the arguments of {name[:60] or 'a tool'} are not JSON")
    return {} if made is None else made


def _result(part: dict[str, Any]) -> Message:
    for inner in ("toolResult", "function_response", "functionResponse"):
        if isinstance(part.get(inner), dict):
            part = part[inner]
    given = next((part[key] for key in ("response", "result", "output", "content") if part.get(key) is not None), "")
    if isinstance(given, dict) and isinstance(given.get("value"), str | dict | list) and "type" in given:
        given = given["value"]
    made: Message = {"role": "tool", "content": as_text(given)}
    if named := first_text(part, "tool_call_id", "tool_use_id", "toolCallId", "toolUseId", "call_id", "id"):
        made["tool_call_id"] = named
    if called := first_text(part, "name", "toolName"):
        made["name"] = called
    return made


def as_text(value: Any) -> str:
    """What a tool gave, as text: that of its parts where it has some, else its JSON."""
    if isinstance(value, list) and value and all(isinstance(each, dict) and each.keys() <= _BLOCK for each in value):
        return "\n".join(text(each.get("text")) for each in value)
    if isinstance(value, str):
        return value
    from gatewatch.online.otlp.part import encode

    return encode(value).decode()


def says(each: Message) -> bool:
    """Whether a message has anything that was said; the mere name of a tool is nothing."""
    return bool(each.get("content")) or any("arguments" in call for call in each.get("tool_calls", ()))


def conversation(made: Iterable[Message]) -> dict[str, Any] | None:
    """Messages as an input: an object, or None where there are none."""
    listing = list(made)
    return {"messages": listing} if listing else None


def answer(made: list[Message], found: Found) -> Any:
    """What a model said: its text, or an object with the calls that it asks for; None where it said nothing.

    Of several choices the first is the answer; the others are kept among the attributes.
    """
    spoken = [each for each in made if says(each)]
    if not spoken:
        return None
    if len(spoken) > 1:
        merged = [each for each in spoken if each.get("tool_calls")]
        if merged:  # text and calls that were told apart are one turn
            said = "\n".join(each["content"] for each in spoken if each.get("content"))
            calls = [one for each in merged for one in each["tool_calls"]]
            return _spoken({"content": said, "tool_calls": calls})
        others = [_spoken(each) for each in spoken[1:]]
        found["attributes"] = {**found.get("attributes", {}), "other_choices": others[:10]}
    return _spoken(spoken[0])


def _spoken(each: Message) -> Any:
    if not each.get("tool_calls"):
        return each.get("content", "")
    said = {"content": each["content"]} if each.get("content") else {}
    return {**said, "tool_calls": each["tool_calls"]}
