"""Scorers of structure: whether an output is JSON, and whether it follows a schema."""

import json
from collections.abc import Callable, Mapping
from math import inf, isfinite
from pathlib import Path
from re import DOTALL
from re import compile as compile_pattern
from typing import TYPE_CHECKING, Any

from gatewatch.core import codec
from gatewatch.core.score import Score
from gatewatch.scorers.base import Scorer, built_in

if TYPE_CHECKING:
    import jsonschema_rs

MAX_DEPTH = 500
MAX_DIGITS = 4300
"""What readers of JSON differ on, so that a verdict would depend on ours: deeper and longer is refused."""

_SHOWN = 300
_FENCE = compile_pattern(r"```(?:json|JSON)?[ \t]*\r?\n(.*)```", DOTALL)
_BRACKETS = compile_pattern(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', DOTALL)


def valid_json(*, name: str = "valid_json", fence: bool = False) -> Scorer:
    """Make a scorer that gives 1 when the output is one JSON value (RFC 8259) and nothing else, else 0.

    Nothing is repaired. White space around the value is allowed; NaN and infinity, a key given twice in one object,
    comments, trailing commas and text before or after are not. Neither are numbers too large for a double or of more
    than 4,300 digits, nor nesting deeper than 500. An output that is not text was JSON already, and is valid.

    Args:
        name: the scorer's name.
        fence: whether the value may stand in one Markdown fence (``` or ```json), with white space around it.
    """

    def score(output: Any) -> bool | Score:
        value = _read(output, fence)
        return value if isinstance(value, Score) else True

    return built_in(name, score, version="valid_json 1", parameters={"fence": fence}, binary=True)


def json_schema(
    schema: Mapping[str, Any] | bool | str | Path, *, name: str = "json_schema", fence: bool = False
) -> Scorer:
    """Make a scorer that gives 1 when the output is JSON that follows a schema, else 0.

    Text must be valid JSON as `valid_json` has it; an output that is not text is held against the schema as it is. The
    draft is the one that `$schema` names, 2020-12 by default; `format` is checked only in the drafts that ask for it.
    References to other documents are refused, so that nothing is fetched, and so are patterns with lookaround or
    backreferences, whose time is not linear. The explanation is the first error, with its path, where it can be found
    soon: alternatives (anyOf, oneOf) in a schema that contains itself are all told, and take a power of the depth.

    Args:
        schema: the JSON schema, or the path of a file that has it.
        name: the scorer's name.
        fence: whether the value may stand in one Markdown fence.

    Raises:
        ValueError: for a file that cannot be read, or a schema that is not one.
    """
    plain = _load(Path(schema)) if isinstance(schema, str | Path) else codec.plain(schema)
    validator = _validator(plain)
    most, each = _branches(plain)

    def score(output: Any) -> bool | Score:
        value = _read(output, fence)
        if isinstance(value, Score):
            return value
        try:
            if validator.is_valid(value):
                return True
        except UnicodeEncodeError:
            return Score(0.0, "not JSON", "half of a surrogate pair is no text")
        soon = _told_soon(value, most, each)
        return Score(0.0, "against schema", _first_error(validator, value) if soon else "does not follow the schema")

    return built_in(name, score, version="json_schema 1", parameters={"schema": plain, "fence": fence}, binary=True)


# The library tells an error of an alternative with all errors of all alternatives below it.

_MOST_ERRORS = 20_000
_IN_PLACE = ("anyOf", "oneOf", "allOf")
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def _first_error(validator: "jsonschema_rs.Validator", value: Any) -> str:
    import jsonschema_rs

    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
        return f"${path}: {error.message}"[:_SHOWN]
    except ValueError:  # it tells nothing of what is nested deeper than 255
        pass
    return "does not follow the schema"


def _told_soon(value: Any, most: float, each: int) -> bool:
    """Whether there are few errors to tell: a schema of `most` branches, `each` at a time, applied to every node."""
    nodes = depth = 0
    level = [value]
    while level:
        nodes += len(level)
        if nodes * min(most, each**depth) > _MOST_ERRORS:
            return False
        depth += 1
        level = [
            item
            for part in level
            if isinstance(part, dict | list | tuple)
            for item in (part.values() if isinstance(part, dict) else part)
        ]
    return True


def _branches(schema: Any) -> tuple[float, int]:
    """How many branches (of anyOf, oneOf, allOf) a schema has in all, and at one place at the most.

    Where there are references, the first is infinite: the schema may contain itself.
    """
    total, widest = 1.0, 1
    parts = [schema]
    for part in parts:  # it grows as we go
        if isinstance(part, dict):
            here = sum(len(part[key]) for key in _IN_PLACE if isinstance(part.get(key), list))
            total += inf if any(key in part for key in _REFERENCES) else here
            widest = max(widest, here)
            parts += part.values()
        elif isinstance(part, list):
            parts += part
    return total, widest


def _read(output: Any, fence: bool) -> Any:
    """The output's JSON value, or the score of an output that is none."""
    if not isinstance(output, str):
        return output
    text = output
    if fence and (fenced := _FENCE.fullmatch(output.strip())):
        text = fenced[1]
    try:
        return parse(text)
    except ValueError as error:
        return Score(0.0, "not JSON", str(error)[:_SHOWN])


def parse(text: str) -> Any:
    """Parse one JSON value, strictly: nothing is repaired, and of a key given twice neither is chosen.

    Raises:
        ValueError: with what is wrong, and where.
    """
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH}")
    try:
        return _decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} in line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise ValueError("it is nested too deep to be read") from None


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _BRACKETS.finditer(text):
        first = match[0][0]
        if first in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first != '"':
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {json.dumps(key)} is given twice in one object")
            seen.add(key)
    return value


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _float(digits: str) -> float:
    value = float(digits)
    if not isfinite(value):
        raise ValueError(f"the number {digits[:_SHOWN]} is too large")
    return value


def _int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits")
    return int(digits)


_decode: Callable[[str], Any] = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_int
).decode


def _load(path: Path) -> Any:
    try:
        return parse(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ValueError(f"the schema {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"the schema {path} is not JSON: {error}") from None


def _validator(schema: Any) -> "jsonschema_rs.Validator":
    import jsonschema_rs

    if not isinstance(schema, dict | bool):
        raise ValueError(f"a JSON schema is an object, true or false, got {codec.text_of(schema)[:_SHOWN]}")
    try:
        return jsonschema_rs.validator_for(schema, retriever=_refuse, pattern_options=jsonschema_rs.RegexOptions())
    except jsonschema_rs.ValidationError as error:
        steps = [step for step in error.instance_path if not isinstance(step, int)]
        where = f" at {'.'.join(map(str, steps))}" if steps else ""
        hint = " (lookaround and backreferences are refused)" if error.message.endswith('"regex"') else ""
        raise ValueError(f"the schema is wrong{where}: {error.message[:_SHOWN]}{hint}") from None


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is another document: copy what is needed into $defs")
