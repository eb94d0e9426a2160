"""Plain values into structs, with every problem reported at once.

msgspec stops at the first thing that is wrong. People would rather mend a file once, so when it refuses a value this
goes through the value field by field.
"""

import re
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo, fields

from gatewatch.core.errors import did_you_mean

T = TypeVar("T")

Flaw = tuple[str, str, str]
"""Where (a path such as `suites.support.task` or `tags[1]`), what, and a hint."""

_AT = re.compile(r" - at `\$?\.?([^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")
_NAMED = re.compile(r"`(\w+(?: \| \w+)*)`")
_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


def convert(value: Any, kind: type[T], path: str = "") -> T | list[Flaw]:
    """The value as `kind`, or everything that is wrong with it. Unknown fields are wrong."""
    flaws = _flaws(value, kind, path)
    if flaws:
        return flaws
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return [_flaw(error, path)]


def _flaws(value: Any, kind: Any, path: str) -> list[Flaw]:
    """Walk tables whose fields are known, and lists, so that each part is judged by itself."""
    kind = _member(kind, value)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, dict):
        known = {field.encode_name: field for field in fields(kind)}
        found = [(_join(path, key), "unknown field", did_you_mean(key, known)) for key in value if key not in known]
        for name, field in known.items():
            if name in value:
                found += _flaws(value[name], field.type, _join(path, name))
            elif _required(field):
                found.append((_join(path, name), "missing", ""))
        return found
    if get_origin(kind) is dict and isinstance(value, dict):
        inner = get_args(kind)[1]
        return [flaw for key, item in value.items() for flaw in _flaws(item, inner, _join(path, str(key)))]
    if get_origin(kind) in (list, tuple) and isinstance(value, list | tuple):
        inner = get_args(kind)[0]
        return [flaw for index, item in enumerate(value) for flaw in _flaws(item, inner, f"{path}[{index}]")]
    if get_origin(kind) is Literal and value not in get_args(kind):
        return [(path, f"{value!r} is not known", f"one of {', '.join(map(str, get_args(kind)))}")]
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return [_flaw(error, path)]
    except UnicodeEncodeError:  # text where a number may stand is read as UTF-8
        return [(path, "half of a surrogate pair is no text", "")]
    return []


def _member(kind: Any, value: Any) -> Any:
    """Of a union, the member that a table or a list must be meant for."""
    if get_origin(kind) not in (Union, UnionType):
        return kind
    for member in get_args(kind):
        origin = get_origin(member) or member
        if isinstance(value, dict) and isinstance(origin, type) and issubclass(origin, dict | msgspec.Struct):
            return member
        if isinstance(value, list | tuple) and origin in (list, tuple):
            return member
    return kind


def _required(field: FieldInfo) -> bool:
    return field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _flaw(error: msgspec.ValidationError, path: str) -> Flaw:
    """Msgspec's message in our words: the path first, then what was expected."""
    text = str(error)
    at = _AT.search(text)
    if at:
        text = text[: at.start()]
        inner = at[1]
        path = path + inner if inner.startswith("[") or not inner else _join(path, inner)
    unknown = _UNKNOWN.fullmatch(text)
    if unknown:
        return _join(path, unknown[1]), "unknown field", ""
    missing = _MISSING.fullmatch(text)
    if missing:
        return _join(path, missing[1]), "missing", ""
    text = _NAMED.sub(lambda match: _in_words(match[1]), text)
    return path, text[0].lower() + text[1:], ""


def _in_words(kinds: str) -> str:
    """Types as msgspec names them, in words; "or nothing" goes without saying."""
    found = [_KINDS.get(kind, kind) for kind in kinds.split(" | ")]
    return " or ".join([word for word in found if word != "nothing"] or found)
