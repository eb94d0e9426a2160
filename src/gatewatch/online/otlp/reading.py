"""Reading single values of attributes, whatever an instrumentation made of them. Nothing here raises."""

import re
from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Any

import msgspec

from gatewatch.core import codec
from gatewatch.core.lengths import cut
from gatewatch.core.trace import Usage

_decode = msgspec.json.Decoder().decode
_DEEPEST = 12
_MOST_TAGS = 64
_LARGEST = 1 << 53
_DIGITS = re.compile(r"[0-9]{1,15}")


def text(value: Any) -> str:
    """A value as text; of a list, its first."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return text(value[0]) if value else ""
    return "" if value is None or isinstance(value, dict) else str(value)


def name(value: Any) -> str:
    """A name or an id: one that was written as JSON text without its marks, cut where it is longer than is meant.

    It holds no NUL, which not every database has a place for.
    """
    found = text(value)
    if found[:1] == '"':
        found = text(parsed(found, within='"'))
    return cut(found.replace("\0", "\ufffd"))


def first(attributes: Mapping[str, Any], *keys: str) -> Any:
    """What the first of some attributes that is there says, or None."""
    for key in keys:
        value = attributes.get(key)
        if value is not None and value != "":
            return value
    return None


def parsed(value: Any, within: str = "{[") -> Any:
    """What a text that is JSON says, where it begins as an object or a list; anything else as it stands."""
    if not isinstance(value, str):
        return value
    start = value.lstrip()[:1]
    if not start or start not in within:
        return value
    try:
        data = value.encode()
        found = _decode(data)
        codec.check_depth(data, found)
    except (ValueError, RecursionError):
        return value
    return found


def number(value: Any) -> float | None:
    """A number of 0 or more, which may stand as text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
        return None
    return float(value)


def count(value: Any) -> int | None:
    """A whole number of 0 or more, which may stand as text."""
    if type(value) is int:
        return value if 0 <= value < _LARGEST else None
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, float) and 0 <= value < _LARGEST:
        return int(value)
    return None


def price(value: Any) -> float | None:
    """US dollars; nothing is what some write for unknown."""
    return number(value) or None


def usage_of(
    input_tokens: Any, output_tokens: Any, cached: Any = None, written: Any = None, thought: Any = None
) -> Usage | None:
    """Tokens as they were stated; None where none are. Nothing in and nothing out is what some write for unknown.

    Where the cached and written ones are more than all, these were counted without them, and are added.
    """
    total, out = count(input_tokens), count(output_tokens)
    if not total and not out:
        return None
    read, wrote = count(cached), count(written)
    if total is not None and (read or 0) + (wrote or 0) > total:
        total += (read or 0) + (wrote or 0)
    return Usage(total, out, read, wrote, count(thought))


def tags(value: Any) -> tuple[str, ...]:
    """Tags, of a list, of JSON text or of one."""
    value = parsed(value)
    if isinstance(value, list | tuple):
        return tuple(filter(None, map(name, value[:_MOST_TAGS])))
    return (name(value),) if isinstance(value, str) and value else ()


def documents(value: Any) -> tuple[str | dict[str, Any], ...]:
    """The documents that a search gave: of a list, or of an object that has one."""
    if isinstance(value, dict):
        value = next(
            (value[key] for key in ("documents", "results", "output") if isinstance(value.get(key), list)), None
        )
    return tuple(map(document, value)) if isinstance(value, list) else ()


def document(given: Any) -> str | dict[str, Any]:
    """A document as text or as an object, in which its text is `text` where it was `page_content`."""
    if not isinstance(given, dict):
        return text(given)
    about = given.get("metadata")
    made = {
        key: value for key, value in given.items() if key not in ("page_content", "type", "id") and value is not None
    }
    if "page_content" in given:
        made["text"] = given["page_content"]
    known = given.get("id") or (about.get("id") if isinstance(about, dict) else None)
    return {"id": known, **made} if known else made


def moment(value: Any) -> int | None:
    """A time in nanoseconds since the epoch, from ISO 8601."""
    try:
        return int(datetime.fromisoformat(name(value)).timestamp() * 1e9)
    except (ValueError, OverflowError, OSError):
        return None


def nested(attributes: Mapping[str, Any], prefix: str) -> list[Any]:
    """A list that was flattened into attributes (`prefix0.message.role`), each with objects by the steps of its names.

    A list inside it is an object by places: `listed` makes one of it.
    """
    whole: dict[str, Any] = {}
    start = len(prefix)
    for key, value in attributes.items():
        if key.startswith(prefix):
            here = whole
            steps = key[start:].split(".", _DEEPEST)
            for step in steps[:-1]:
                below = here.setdefault(step, {})
                if not isinstance(below, dict):
                    break
                here = below
            else:
                here[steps[-1]] = value
    return listed(whole)


def listed(value: Any) -> list[Any]:
    """A list, of one or of an object by places."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return []
    places = sorted((int(place), place) for place in value if _DIGITS.fullmatch(place))
    return [value[place] for _, place in places]
