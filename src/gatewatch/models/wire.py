"""The OpenAI-compatible chat format: a request as JSON, and a reply read with suspicion."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from gatewatch.core import codec
from gatewatch.core.trace import Usage
from gatewatch.models.protocol import ChatReply, ChatRequest

_SHOWN_OF_ERROR = 300
_NAME = re.compile(r"[^A-Za-z0-9_-]+")


class Malformed(Exception):  # noqa: N818 - says what the reply is
    """A reply that is not a chat completion; the message says in what way."""


def body_of(model: str, parameters: Mapping[str, Any], request: ChatRequest) -> dict[str, Any]:
    """The JSON object to be posted; `parameters` are those that are sent with it."""
    body: dict[str, Any] = {**parameters, "model": model, "messages": request.messages}
    if request.tools:
        body["tools"] = request.tools
    if request.schema is not None:
        name = _NAME.sub("_", str(request.schema.get("title", "")))[:64] or "reply"
        schema = {"name": name, "strict": True, "schema": request.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def reply_of(data: bytes) -> ChatReply:
    """Read the body of a successful response.

    Raises:
        Malformed: when it is not JSON, is cut short, or holds no answer.
    """
    try:
        body = codec.decode(data, dict[str, Any])
    except (ValueError, RecursionError):
        raise Malformed(f"not a JSON object: {_shown(data)}") from None
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(message, dict):
        raise Malformed(f"no choices: {said(data)}")
    return ChatReply(
        text=_text(message),
        tool_calls=tuple(_tool_calls(message.get("tool_calls"))),
        model=str(body.get("model") or ""),
        finish=str(first.get("finish_reason") or ""),
        usage=usage_of(body.get("usage")),
    )


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):  # parts, as some providers give
        parts = (part.get("text") for part in content if isinstance(part, dict))
        content = "".join(part for part in parts if isinstance(part, str))
    if isinstance(content, str):
        return content
    refusal = message.get("refusal")
    return refusal if isinstance(refusal, str) else ""


def _tool_calls(calls: Any) -> list[dict[str, Any]]:
    found = []
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise Malformed(f"a tool call without a function: {codec.text_of(call)[:_SHOWN_OF_ERROR]}")
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            with suppress(ValueError):  # what is not JSON is kept as the text that it is, for the scorers to judge
                arguments = codec.decode(arguments.encode(), dict[str, Any])
        found.append({"name": str(function.get("name") or ""), "arguments": {} if arguments is None else arguments})
    return found


def usage_of(usage: Any) -> Usage | None:
    """Tokens as the provider counted them; None for what it does not state."""
    if not isinstance(usage, dict):
        return None
    read, written = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    found = Usage(
        input_tokens=_count(usage, "prompt_tokens"),
        output_tokens=_count(usage, "completion_tokens"),
        cached_input_tokens=_count(read, "cached_tokens"),
        cache_write_tokens=_count(read, "cache_write_tokens"),
        reasoning_tokens=_count(written, "reasoning_tokens"),
    )
    return None if found == Usage() else found


def _count(counts: Any, key: str) -> int | None:
    value = counts.get(key) if isinstance(counts, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def error_of(data: bytes) -> tuple[str, str]:
    """The provider's error message, shortened, and its code, from the body of a response that is no success."""
    return said(data), _error(data).get("code", "")


def said(data: bytes) -> str:
    """What the provider says went wrong, shortened; the body itself where it has no error object."""
    message = _error(data).get("message")
    return _one_line(message) if message else _shown(data)


def _error(data: bytes) -> dict[str, str]:
    try:
        error = codec.decode(data, dict[str, Any]).get("error")
    except (ValueError, RecursionError):
        return {}
    if isinstance(error, str):
        return {"message": error}
    return {key: value for key, value in error.items() if isinstance(value, str)} if isinstance(error, dict) else {}


def _shown(data: bytes) -> str:
    return _one_line(data[: 4 * _SHOWN_OF_ERROR].decode(errors="replace")) or "an empty body"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_OF_ERROR else line[: _SHOWN_OF_ERROR - 1] + "…"
