"""A value as JSON, whatever it is: what JSON has no word for is kept as well as can be, and told of by its path.

For recordings, which never fail the application that they record. Where a value must be right or refused, `core.codec`
has `plain`.
"""

import re
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any

import msgspec

MOST_FLAWS = 20
_MAX_DEPTH = 100
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode
_MAX_BITS = 14_000  # Python reads integers of 4,300 digits at the most
_LONGEST_PATH = 200
_SURROGATE = re.compile("[\ud800-\udfff]")


def sound(value: Any, depth: int = 0) -> bool:
    """Whether a value is JSON as it stands, made of Python's own types; text is not looked into for surrogates."""
    kind = type(value)
    if kind is dict:
        if depth > _MAX_DEPTH:  # a cycle, perhaps
            return False
        for key, item in value.items():
            if type(key) is not str or (type(item) is not str and not sound(item, depth + 1)):
                return False
        return True
    if kind is list or kind is tuple:
        if depth > _MAX_DEPTH:
            return False
        for item in value:  # noqa: SIM110 - a generator would double the time
            if type(item) is not str and not sound(item, depth + 1):
                return False
        return True
    if kind is int:
        return bool(value.bit_length() <= _MAX_BITS)
    if kind is float:
        return isfinite(value)
    return value is None or kind is str or kind is bool or kind is msgspec.Raw


def copied(value: Any, flaws: list[str], path: str) -> Any:
    """As `kept`, and several times quicker for what is sound; a text's lone surrogates are not told of."""
    if value is None or type(value) is str:
        return value
    try:
        if sound(value):
            return _decode(_encode(value))
    except Exception:  # lone surrogates, or another thread is changing it
        return kept(value, flaws, path)
    return kept(value, flaws, path)


def kept(value: Any, flaws: list[str], path: str = "$", above: tuple[int, ...] = ()) -> Any:
    """A value as plain JSON, newly made; what could not be kept as it was is added to `flaws`. It never raises.

    NaN and infinity become text, as do keys that are none and whole numbers that are too long to be read back. What
    has fields (structs, dataclasses, pydantic models) becomes an object, what derives from text or a number just that.
    Anything else is kept as its `repr`, or by its type's name where even that fails. Lone surrogates stay.

    `path` is where the value stands, and `above` holds the identities of what it is in.
    """
    try:
        return _kept(value, flaws, path, above)
    except Exception as error:
        _tell(flaws, f"{type(value).__name__} at {path} could not be read: {type(error).__name__}")
        return f"({type(value).__name__})"


def _kept(value: Any, flaws: list[str], path: str, above: tuple[int, ...]) -> Any:
    if value is None or isinstance(value, bool | msgspec.Raw):
        return value
    if isinstance(value, str):
        text = str.__str__(value)
        if not text.isascii() and _SURROGATE.search(text):
            _tell(flaws, f"a lone surrogate at {path}")
        return text
    if isinstance(value, int):
        whole = int(value)
        if whole.bit_length() <= _MAX_BITS:
            return whole
        _tell(flaws, f"a number of {whole.bit_length()} bits at {path}")
        return hex(whole)
    if isinstance(value, float):
        number = float(value)
        if isfinite(number):
            return number
        _tell(flaws, f"{'NaN' if number != number else 'infinity'} at {path}")  # noqa: PLR0124 - only NaN differs from itself
        return repr(number)
    if id(value) in above:
        _tell(flaws, f"a cycle at {path}")
        return _said(value)
    if len(above) > _MAX_DEPTH:
        _tell(flaws, f"nested more than {_MAX_DEPTH} deep at {path}")
        return f"({type(value).__name__})"
    above = (*above, id(value))
    if isinstance(value, dict):
        return _object(value, flaws, path, above)
    if isinstance(value, list | tuple):
        return [kept(item, flaws, f"{path}[{place}]", above) for place, item in enumerate(list(value))]
    if isinstance(value, set | frozenset):
        return sorted((kept(item, flaws, f"{path}[...]", above) for item in list(value)), key=repr)
    return _opened(value, flaws, path, above)


def _object(value: dict[Any, Any], flaws: list[str], path: str, above: tuple[int, ...]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, item in list(value.items()):
        if isinstance(key, str):
            name = kept(key, flaws, path)
        else:
            said = _said(key)
            _tell(flaws, f"the key {said[:40]} at {path} is not text")
            name, number = said, 1
            while name in made or name in value:
                number += 1
                name = f"{said} {number}"
        made[name] = kept(item, flaws, f"{path}.{name}", above)
    return made


def _opened(value: Any, flaws: list[str], path: str, above: tuple[int, ...]) -> Any:
    """What an object is made of, or its `repr`."""
    if isinstance(value, msgspec.Struct):
        named = {name: getattr(value, name) for name in value.__struct_fields__}
        return kept(named, flaws, path, above)
    if is_dataclass(value) and not isinstance(value, type):
        named = {field.name: getattr(value, field.name, None) for field in fields(value)}
        return kept(named, flaws, path, above)
    if not isinstance(value, type):
        dump = getattr(value, "model_dump", None)
        if callable(dump):
            return kept(dump(mode="json"), flaws, path, above)
        single = getattr(value, "item", None) if type(value).__module__ == "numpy" else None
        if callable(single):
            listed = value.tolist()
            return kept(listed, flaws, path, above)
    try:
        return msgspec.to_builtins(value, builtin_types=())  # times, identifiers, bytes, enumerations' members
    except Exception:  # an object of the application's may raise anything when it is looked at
        _tell(flaws, f"{type(value).__name__} at {path} has no place in JSON")
        return _said(value)


def _said(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # even saying what it is may fail
        return f"({type(value).__name__})"


def _tell(flaws: list[str], what: str) -> None:
    what = what if len(what) <= _LONGEST_PATH else what[: _LONGEST_PATH - 3] + "..."
    if len(flaws) < MOST_FLAWS and what not in flaws:
        flaws.append(what)
