"""How a judge is told to answer, and how its reply is read: strictly, or not at all.

A reply that is not of the form asked for is never repaired, and never guessed at: it is asked for once more, and
then counts as unknown.
"""

import json
import re
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from msgspec import Struct

from gatewatch.core.score import Score
from gatewatch.scorers.rubric import Rubric
from gatewatch.scorers.scale import Scale, listed
from gatewatch.scorers.structure import parse


class Verdict(NamedTuple):
    """What a judge's reply says: a value in 0..1 (None: this cannot be judged), the verdict in its words, and why."""

    value: float | None
    label: str
    explanation: str
    parts: Mapping[str, Score] = {}


class Form(Struct, frozen=True):
    """What a judge is asked to answer.

    `shape` shows the JSON, `how` says in which order to think, `schema` holds the provider to it (None for replies
    that are no JSON), and `read` makes a verdict of a reply, or raises a ValueError that says what is wrong.
    """

    shape: str
    how: str
    schema: dict[str, Any] | None
    read: Callable[[str], Verdict]


def form_of(rubric: Rubric) -> Form:
    """The form that a rubric's scale asks for."""
    scale = rubric.scale
    if rubric.template:
        return Form("", "", None, read_rating if scale.kind == "graded" else read_preference)
    if scale.kind == "policy":
        return _policy_form([clause.id for clause in rubric.clauses])
    if scale.kind == "pairwise":
        return _answer_form(
            "verdict", '"A", "B" or "tie"', {"type": "string", "enum": ["A", "B", "tie"]}, _MEETS_BETTER, _pick
        )
    return _answer_form(field_of(scale), *_answer(scale), _MEETS, scale.value)


_MEETS = "what in the OUTPUT meets the rubric and what does not"
_MEETS_BETTER = "what in OUTPUT_A and in OUTPUT_B meets the rubric and what does not; their order says nothing"


def field_of(scale: Scale) -> str:
    """The name of the field that holds the verdict."""
    return "score" if scale.kind == "graded" else "verdict"


def _answer(scale: Scale) -> tuple[str, dict[str, Any]]:
    if scale.kind == "graded":
        # The grades are listed, since not every provider takes a minimum and a maximum.
        grades = list(range(scale.low, scale.high + 1))
        return f"a whole number from {scale.low} to {scale.high}", {"type": "integer", "enum": grades}
    words = ["pass", "fail"] if scale.kind == "binary" else [name for name, _ in scale.choices]
    return listed(words), {"type": "string", "enum": words}


def _answer_form(
    field: str, shown: str, kind: dict[str, Any], about: str, value: Callable[[object], float | None]
) -> Form:
    def read(text: str) -> Verdict:
        found = read_object(text, ("explanation", field))
        explanation, answer = found["explanation"], found[field]
        must_be_text("explanation", explanation)
        try:
            return Verdict(value(answer), str(answer), explanation)
        except ValueError as error:
            raise ValueError(f'"{field}" {error}, got {beginning(answer)}') from None

    return Form(
        shape=f'{{"explanation": "...", "{field}": {shown}}}',
        how=f"Write the explanation first: a few sentences on {about}. Then give the {field} that follows from it.",
        schema=object_schema({"explanation": {"type": "string"}, field: kind}),
        read=read,
    )


_PICKS = {"A": 1.0, "B": 0.0, "tie": 0.5}


def _pick(answer: object) -> float:
    if not isinstance(answer, str) or answer not in _PICKS:
        raise ValueError('must be "A", "B" or "tie"')
    return _PICKS[answer]


# Policies: a verdict on each clause.

_CLAUSE_VERDICTS = ("kept", "broken", "not applicable")


def _policy_form(clauses: list[str]) -> Form:
    verdict = {"explanation": {"type": "string"}, "verdict": {"type": "string", "enum": list(_CLAUSE_VERDICTS)}}
    each = f'{{"explanation": "...", "verdict": {listed(_CLAUSE_VERDICTS)}}}'

    def read(text: str) -> Verdict:
        found = read_object(text, tuple(clauses))
        parts = {}
        for clause in clauses:
            answer = found[clause]
            if not isinstance(answer, dict):
                raise ValueError(f"{beginning(clause)} must be an object with an explanation and a verdict")
            must_have(answer, ("explanation", "verdict"), f" of {beginning(clause)}")
            must_be_text("explanation", answer["explanation"])
            label = answer["verdict"]
            if label not in _CLAUSE_VERDICTS:
                raise ValueError(
                    f"the verdict on {beginning(clause)} must be {listed(_CLAUSE_VERDICTS)}, got {beginning(label)}"
                )
            said = answer["explanation"]
            parts[clause] = (
                Score(label=label, explanation=said, status="skipped")
                if label == "not applicable"
                else Score(float(label == "kept"), label, said)
            )
        return of_clauses(parts)

    return Form(
        shape="{" + ", ".join(f'"{clause}": {each}' for clause in clauses) + "}",
        how="Take the clauses one by one. For each, write the explanation first: what in the OUTPUT keeps or breaks "
        "it, in its own words. Then give the verdict on it. A clause that the OUTPUT does not touch is not applicable.",
        schema=object_schema({clause: object_schema(verdict) for clause in clauses}),
        read=read,
    )


def of_clauses(parts: Mapping[str, Score]) -> Verdict:
    """The verdict of a policy, from those on its clauses: 0 when one is broken, and it names them."""
    broken = [clause for clause, part in parts.items() if part.label == "broken"]
    if broken:
        why = " ".join(f"{clause}: {parts[clause].explanation}" for clause in broken)
        return Verdict(0.0, f"broken: {', '.join(broken)}", why, parts)
    if all(part.value is None for part in parts.values()):
        return Verdict(None, "not applicable", "no clause applies", parts)
    return Verdict(1.0, "kept", "no clause is broken", parts)


# Published prompts: a verdict in double brackets at the end of prose.

_BRACKETS = re.compile(r"\[\[([^\[\]]+)\]\]")
_RATING = re.compile(r"\d{1,2}(?:\.\d{1,4})?")
_LOWEST, _HIGHEST = 1, 10
_VERDICTS_SHOWN = 5


def read_rating(text: str) -> Verdict:
    """Read the rating of a published single-answer prompt: `[[1]]` to `[[10]]`; of several, all must be the same.

    Raises:
        ValueError: for anything else; it says what is wrong.
    """
    rating = _bracketed(text)
    if not _RATING.fullmatch(rating) or not _LOWEST <= float(rating) <= _HIGHEST:
        raise ValueError(f"the rating must be a number in {_LOWEST}..{_HIGHEST}, got {beginning(rating)}")
    return Verdict((float(rating) - _LOWEST) / (_HIGHEST - _LOWEST), rating, text.strip())


def read_preference(text: str) -> Verdict:
    """Read the verdict of a published pairwise prompt: `[[A]]`, `[[B]]` or `[[C]]`, which is a tie.

    Raises:
        ValueError: for anything else; it says what is wrong.
    """
    answer = _bracketed(text)
    if answer not in ("A", "B", "C"):
        raise ValueError(f"the verdict must be [[A]], [[B]] or [[C]], got {beginning(answer)}")
    label = "tie" if answer == "C" else answer
    return Verdict(_PICKS[label], label, text.strip())


def _bracketed(text: str) -> str:
    found: dict[str, None] = dict.fromkeys(verdict.strip() for verdict in _BRACKETS.findall(text))
    if not found:
        raise ValueError("no verdict stands in double brackets" if text.strip() else "it is empty")
    if len(found) > 1:
        some = ", ".join(map(beginning, islice(found, _VERDICTS_SHOWN)))
        more = f" and {len(found) - _VERDICTS_SHOWN} more" if len(found) > _VERDICTS_SHOWN else ""
        raise ValueError(f"several verdicts stand in double brackets: {some}{more}")
    return next(iter(found))


# One JSON object, and nothing else.

_JSON_FENCE = re.compile(r"```json\s(.*)```", re.DOTALL)
_SHOWN_OF_VALUE = 40


def object_schema(properties: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of an object that has these properties and no others."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def read_object(text: str, fields: tuple[str, ...]) -> dict[str, Any]:
    """Read exactly one JSON object with exactly these fields, or one such in a ```json fence.

    Raises:
        ValueError: for anything else; it says what is wrong.
    """
    text = text.strip()
    if fenced := _JSON_FENCE.fullmatch(text):
        text = fenced[1].strip()
    if not text:
        raise ValueError("it is empty")
    if not text.startswith("{"):
        raise ValueError("it does not begin with a JSON object")
    found: dict[str, Any] = parse(text)
    must_have(found, fields)
    return found


def must_have(found: Mapping[str, Any], fields: tuple[str, ...], of: str = "") -> None:
    """Make sure that an object has these fields and no others.

    Raises:
        ValueError: when it has not.
    """
    for key in found:
        if key not in fields:
            raise ValueError(f"the field {beginning(key)}{of} was not asked for")
    for key in fields:
        if key not in found:
            raise ValueError(f'the field "{key}"{of} is missing')


def must_be_text(field: str, value: object) -> None:
    """Make sure that a field holds text.

    Raises:
        ValueError: when it does not.
    """
    if not isinstance(value, str):
        raise ValueError(f'"{field}" must be text, got {beginning(value)}')


def beginning(value: Any) -> str:
    """The beginning of a value that came from a reply, as JSON: it may be long, and say anything."""
    return json.dumps(value)[:_SHOWN_OF_VALUE]
