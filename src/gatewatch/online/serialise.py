"""A trace as the JSON that is written, made inside the request: what the application does later does not change it.

It never fails: what has no JSON is kept as well as can be (`core.kept`), what is too long is cut, the longest texts
first, and both are told of in the trace.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.kept import kept, sound
from gatewatch.core.trace import Fault, Trace

encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
_ROOM = 4096  # for all that is not cut
_LEAST_TEXT = 64
_PAYLOAD = ("input", "output", "context", "spans", "error", "versions", "external_id")


def snapshot(value: Any, flaws: list[str], path: str) -> Any:
    """A value that stays as it is now, whatever becomes of the original: JSON already written, where that is quick."""
    if type(value) is str:
        return value
    try:
        if sound(value):
            return msgspec.Raw(encode(value))
    except Exception:  # whatever an application's object raises: `kept` takes what there is, and tells
        return kept(value, flaws, path)
    return kept(value, flaws, path)


def plain(value: Any, flaws: list[str], path: str) -> Any:
    """A value that can be written now."""
    try:
        if type(value) is str or sound(value):
            return value
    except Exception:  # another thread is changing it
        return kept(value, flaws, path)
    return kept(value, flaws, path)


def as_input(value: Any) -> Any:
    """An input as traces have it: text, or an object; a list of messages is a conversation."""
    kind = type(value)
    if kind is dict or kind is str or kind is msgspec.Raw or isinstance(value, str | dict):
        return value
    if isinstance(value, list) and value and all(isinstance(each, dict) and "role" in each for each in value):
        return {"messages": value}
    return {} if value is None else {"input": value}


def as_context(value: Any) -> str | tuple[Any, ...] | None:
    """A context as traces have it: text, or a list of texts and objects. The value is plain."""
    if value is None or isinstance(value, str):
        return value
    each = value if isinstance(value, list | tuple) else [value]
    return tuple(item if isinstance(item, str | dict) else codec.text_of(item) for item in each)


def written(trace: Trace, most: int) -> bytes:
    """A trace as JSON of `most` bytes or little more. Its values are plain, but may hold lone surrogates."""
    try:
        data = encode(trace)
        if len(data) <= most:
            return data
    except Exception:  # half of a surrogate pair, or what slipped through: made again below, with care
        data = b""
    trace = _escaped(trace)
    data = data or codec.encode(trace)
    return data if len(data) <= most else codec.encode(cut_to(trace, most))


def _escaped(trace: Trace) -> Trace:
    """The trace made of plain values only, its lone surrogates told of."""
    flaws = list(trace.flaws)

    def made(value: Any, name: str) -> Any:
        if isinstance(value, msgspec.Raw):
            value = codec.parse(bytes(value))
        return kept(value, flaws, f"$.{name}")

    context = made(trace.context, "context")
    error = trace.error
    named = {name: made(getattr(trace, name), name) for name in ("session", "external_id", "variant", "flow", "user")}
    return replace(
        trace,
        input=made(trace.input, "input"),
        output=_unraw(made, trace.output),
        context=tuple(context) if isinstance(context, list) else context,
        spans=tuple(
            replace(
                span,
                name=made(span.name, f"spans[{place}].name"),
                input=made(span.input, f"spans[{place}].input"),
                output=made(span.output, f"spans[{place}].output"),
                attributes=made(span.attributes, f"spans[{place}].attributes"),
            )
            for place, span in enumerate(trace.spans)
        ),
        error=None if error is None else Fault(made(error.message, "error"), error.kind, made(error.detail, "error")),
        tags=tuple(made(trace.tags, "tags")),
        versions=made(trace.versions, "versions"),
        flaws=tuple(flaws),
        **named,
    )


def _unraw(made: Callable[[Any, str], Any], output: Any) -> Any:
    """The output, of which each part may have been written already (a stream's items)."""
    if isinstance(output, list):
        output = [codec.parse(bytes(each)) if isinstance(each, msgspec.Raw) else each for each in output]
    return made(output, "output")


def size_of(value: Any) -> int:
    """How many bytes of JSON a plain value is."""
    try:
        return len(encode(value))
    except UnicodeEncodeError:
        return len(codec.encode(value))


def cut_to(trace: Trace, most: int) -> Trace:
    """The trace in `most` bytes or little more, its longest fields shortened.

    Room is dealt out evenly, and what a short field leaves goes on.
    """
    sizes = {name: size_of(getattr(trace, name)) for name in _PAYLOAD}
    room = max(0, most - _ROOM)
    cut: dict[str, int] = {}
    made: dict[str, Any] = {}
    for left, (name, size) in enumerate(sorted(sizes.items(), key=lambda item: item[1])):
        share = room // (len(sizes) - left)
        if size > share:
            cut[name] = size
            made[name] = _shortened(name, getattr(trace, name), share)
            size = share  # noqa: PLW2901 - what is left of it
        room -= size
    return replace(trace, cut={**cut, **trace.cut}, **made)  # a stream was cut before, and longer


def _shortened(name: str, value: Any, share: int) -> Any:
    """A field in as many bytes of JSON, or little more."""
    if isinstance(value, str):
        return _prefix(value, share)
    limit = share
    while limit >= _LEAST_TEXT:
        limit //= 2
        made = texts_cut(msgspec.to_builtins(value), limit)
        if size_of(made) <= share:
            return made if name not in ("spans", "error") else msgspec.convert(made, _KINDS[name])
    if name == "spans":
        return ()
    if name == "error":
        return Fault(_prefix(value.message, share), value.kind)
    if name == "versions":
        return {}
    text = _prefix(codec.encode(value).decode("utf-8", "replace"), share // 2)
    return {"cut": text} if name == "input" else text


_KINDS: dict[str, Any] = {"spans": Trace.__annotations__["spans"], "error": Fault}


def _prefix(text: str, share: int) -> str:
    """As much of a text as fits into so many bytes of JSON."""
    while text and (size := size_of(text)) > share:
        text = text[: max(0, min(len(text) - 1, int(len(text) * share / size)))]
    return text


def texts_cut(value: Any, limit: int) -> Any:
    """A plain value with all its texts cut to so many characters."""
    if isinstance(value, str):
        return value[:limit]
    if isinstance(value, list | tuple):
        return [texts_cut(item, limit) for item in value]
    if isinstance(value, dict):
        return {key[:limit]: texts_cut(item, limit) for key, item in value.items()}
    return value
