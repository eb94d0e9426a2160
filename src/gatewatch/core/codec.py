"""JSON in and out, without loss: what goes in comes back the same, or is refused by name.

msgspec does the work. Two things it does silently are caught here: it writes NaN and infinity as null, and of a
key given twice it keeps the last. One thing it cannot write, a lone surrogate in a string, goes through
the standard library's encoder, which escapes it.
"""

import re
from dataclasses import fields, is_dataclass
from functools import lru_cache
from math import isfinite
from typing import Any, TypeVar, cast
from zlib import crc32

import msgspec

T = TypeVar("T")

_encoder = msgspec.json.Encoder(order="deterministic")
_plain_encoder = msgspec.json.Encoder()
_MAX_BITS = 14_000  # Python reads integers of 4,300 digits at the most
_MAX_DEPTH = 100
_TO_BRACKET = re.compile(rb'[^"{\[]*+(?:"(?:[^"\\]|\\.)*+"[^"{\[]*+)*+[{\[]', re.DOTALL)


def encode(value: object) -> bytes:
    """Encode a struct or plain value as one line of JSON, in the order its fields are declared.

    Raises:
        ValueError: for NaN or infinity.
    """
    return _written(_plain_encoder, value)


def canonical(value: object) -> bytes:
    """Encode with sorted keys, so that equal values have equal bytes.

    Raises:
        ValueError: for NaN or infinity.
    """
    return _written(_encoder, value)


def _written(encoder: msgspec.json.Encoder, value: object) -> bytes:
    try:
        data = encoder.encode(value)
    except UnicodeEncodeError:
        import json

        text = json.dumps(
            msgspec.to_builtins(value), separators=(",", ":"), sort_keys=encoder is _encoder, allow_nan=False
        )
        return text.encode()
    if b"null" in data:  # it may have been NaN
        plain(msgspec.to_builtins(value))
    return data


def indented(value: object) -> str:
    """Encode for people to read, over several lines.

    Raises:
        ValueError: for NaN or infinity.
    """
    encoded = encode(value)
    try:
        return msgspec.json.format(encoded, indent=2).decode()
    except msgspec.DecodeError:  # half of a surrogate pair
        import json

        return json.dumps(json.loads(encoded), indent=2)


def digest(value: object, length: int = 64) -> str:
    """The first `length` hex digits of the SHA-256 of a value's canonical encoding."""
    import hashlib

    return hashlib.sha256(canonical(value)).hexdigest()[:length]


@lru_cache(maxsize=64)
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def decode(data: bytes, kind: type[T]) -> T:
    """Decode JSON into a struct or type.

    Raises:
        msgspec.ValidationError: well-formed JSON of another shape; the message has the path.
        ValueError: not JSON; the message has the column.
    """
    try:
        return cast(T, _decoder(cast(Any, kind)).decode(data))
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Slower, but it reads lone surrogates and says at which column, or byte, a line is broken.
        return msgspec.convert(parse(data), kind)


def parse(data: bytes) -> Any:
    """Decode JSON into plain values, strictly.

    Raises:
        UnicodeDecodeError: not UTF-8; it has the byte.
        json.JSONDecodeError: not JSON; it has the column.
        ValueError: NaN, infinity, or a number that is out of range.
        RecursionError: nested too deep.
    """
    import json

    return json.loads(data.decode(), parse_constant=_refuse_constant, parse_float=_finite)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text[:40]} is out of range")
    return number


def check_depth(data: bytes, decoded: object) -> None:
    """Refuse what is nested so deep that it could not be written again, given what the text was decoded to.

    Brackets are counted first, which is quick: few texts have so many.

    Raises:
        ValueError: the message has the path.
    """
    if data.count(b"[") + data.count(b"{") > _MAX_DEPTH:
        plain(decoded)


def crowded(data: bytes, most: int) -> bool:
    """Whether JSON text has more than so many objects and lists, so that it would be much larger once it is decoded.

    Brackets inside of texts do not count. As long as there are few, it is enough to count all of them, which is quick.
    """
    if data.count(b"{") + data.count(b"[") <= most:
        return False
    at = 0
    for _ in range(most + 1):
        found = _TO_BRACKET.match(data, at)
        if found is None:
            return False
        at = found.end()
    return True


def repeated_key(data: bytes, decoded: object) -> str | None:
    """The first key that one object of this JSON text gives twice, if any, given what the text was decoded to.

    A key that was dropped took its quotation marks with it. As long as their number agrees with that of the value's own
    encoding, which is quickly counted, there is nothing to look for.
    """
    if data.count(b'"') == canonical(decoded).count(b'"') and b"\\u0022" not in data:
        return None
    import json

    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        seen = set()
        for key, _ in pairs:
            if key in seen:
                found.append(key)
            seen.add(key)

    json.loads(data, object_pairs_hook=look)
    return found[0] if found else None


def plain(value: object, path: str = "$", depth: int = 0) -> Any:
    """Turn what a user's code returned into plain JSON values.

    Structs, dataclasses and pydantic models become objects, tuples and sets become arrays, and what derives from text
    or a number (an enumeration's member, numpy's float64) becomes just that.

    Raises:
        ValueError: for NaN, infinity, a number of thousands of digits, a cycle or a type that JSON has no word for; the
            message has the path.
    """
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueError(f"{value} at {path} has no place in JSON")
        return float(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return _whole(int(value), path)
    if depth > _MAX_DEPTH:
        raise ValueError(f"nested more than {_MAX_DEPTH} deep, or a cycle, at {path[:80]}...")
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(f"key {key!r} at {path} is not text")
        return {str.__str__(key): plain(item, f"{path}.{key}", depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, set | frozenset):
        return sorted((plain(item, f"{path}[...]", depth + 1) for item in value), key=repr)
    return plain(_opened(value, path), path, depth + 1)


def _whole(value: int, path: str) -> int:
    if value.bit_length() > _MAX_BITS:
        raise ValueError(f"the number at {path} has more digits than can be read back")
    return value


def _opened(value: object, path: str) -> Any:
    """The fields of an object that is made of fields."""
    if isinstance(value, msgspec.Struct):
        try:
            return msgspec.to_builtins(value)
        except TypeError as error:
            raise ValueError(f"{type(value).__name__} at {path} has no place in JSON: {error}") from None
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        return dump(mode="json")
    raise ValueError(f"a value of type {type(value).__name__} at {path} has no place in JSON")


def text_of(value: object) -> str:
    """A value as a scorer of text sees it: text as it stands, anything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else canonical(value).decode()


# One record is one line, `{"crc":"9ae0daaf","row":{...}}`: plain JSON for other tools, checked per record for us.
_HEAD = len('{"crc":"00000000","')


def frame(kind: str, payload: bytes) -> bytes:
    """One line of a journal: a payload of some kind, and the CRC-32 of both."""
    named = kind.encode()
    return b'{"crc":"%08x","%s":%s}\n' % (crc32(payload, crc32(named)), named, payload)


def unframe(line: bytes) -> tuple[str, bytes] | None:
    """The kind and payload of a journal's line, or None when the line is torn or damaged."""
    if not line.startswith(b'{"crc":"') or not line.endswith(b"}\n"):
        return None
    end = line.find(b'":', _HEAD)
    payload = line[end + 2 : -2]
    kind = line[_HEAD:end]
    if line[8:_HEAD] != b'%08x","' % crc32(payload, crc32(kind)) or not kind.isalpha():
        return None
    return kind.decode(), payload
