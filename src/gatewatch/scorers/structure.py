"""Scorers of form: is the output JSON, and of the shape that was asked for?"""

import json
import re
from pathlib import Path
from typing import Any

from gatewatch.core.score import Score
from gatewatch.scorers.base import Scorer, built_in

_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\n(.*)\n```\s*", re.DOTALL)


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} is given twice")
        found[key] = value
    return found


def _parse(output: Any, fence: bool) -> Any:
    """The output's JSON value. Nothing is repaired.

    Raises:
        ValueError: when it is not JSON; it says what is wrong.
    """
    if not isinstance(output, str):
        return output
    found = _FENCED.fullmatch(output) if fence else None
    try:
        return json.loads(found[1] if found else output, parse_constant=_no_constant, object_pairs_hook=_no_repeats)
    except RecursionError:
        raise ValueError("nested too deep") from None


def valid_json(*, name: str = "valid_json", fence: bool = False) -> Scorer:
    """Score 1 when the output is one JSON value (RFC 8259) and nothing else, else 0.

    Ambiguous cases: NaN, infinity and a key given twice are not JSON; JSON within prose or in a code fence is not
    (unless `fence` allows one fence around all of it); a bare number or string is JSON; an output that was not text
    is JSON already.

    Args:
        name: the scorer's name.
        fence: allow one Markdown code fence around the whole.
    """

    def score(output: Any) -> Score | bool:
        try:
            _parse(output, fence)
        except ValueError as error:
            return Score(0.0, label="not JSON", explanation=str(error))
        return True

    return built_in(name, score, version="valid_json 1", parameters={"fence": fence}, binary=True)


def json_schema(schema: dict[str, Any] | str | Path, *, name: str = "json_schema", fence: bool = False) -> Scorer:
    """Score 1 when the output is JSON that a JSON Schema allows, else 0; the explanation names the first place.

    What is JSON is decided as by `valid_json`. The draft is the one that the schema names, 2020-12 if none.
    References to other documents are not fetched.

    Args:
        schema: the schema, or the file that it is in.
        name: the scorer's name.
        fence: allow one Markdown code fence around the whole.

    Raises:
        ValueError: for a file that cannot be read, or a schema that is none.
    """
    import jsonschema_rs

    if not isinstance(schema, dict):
        try:
            schema = json.loads(Path(schema).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(f"the schema {schema} cannot be read: {error}") from None
    assert isinstance(schema, dict)
    try:
        validator = jsonschema_rs.validator_for(schema, retriever=_no_retrieval)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        raise ValueError(f"not a JSON schema: {str(error).splitlines()[0]}") from None

    def score(output: Any) -> Score | bool:
        try:
            value = _parse(output, fence)
        except ValueError as error:
            return Score(0.0, label="not JSON", explanation=str(error))
        for flaw in validator.iter_errors(value):
            path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in flaw.instance_path)
            return Score(0.0, label="not allowed", explanation=f"at ${path}: {flaw.message}"[:500])
        return True

    options = {"schema": schema, "fence": fence}
    return built_in(name, score, version="json_schema 1", parameters=options, binary=True)


def _no_retrieval(uri: str) -> Any:
    raise ValueError(f"the schema refers to {uri}, and other documents are not fetched")
