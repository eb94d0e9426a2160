"""Judge prompts as they were published with MT-bench: one JSON object a line, read as rubrics without an edit.

A line has `name`, `type` ("single" or "pairwise"), `system_prompt`, `prompt_template` and `output_format`. The
template has places in braces: {question} and {answer}, or {answer_a} and {answer_b}; of a conversation of two turns
{question_1}, {answer_1} and so on; {ref_answer_1} is a reference answer. The judge is to end with its verdict in double
brackets: a rating from 1 to 10 (`[[7]]`), or `[[A]]`, `[[B]]` or `[[C]]` (a tie).

Source: Zheng et al., Judging LLM-as-a-judge with MT-bench and Chatbot Arena, arXiv 2306.05685.
"""

from pathlib import Path
from typing import Any

from gatewatch.core import codec
from gatewatch.core.errors import Problem, RubricError, did_you_mean
from gatewatch.scorers.rubric import PLACEHOLDER, Rubric
from gatewatch.scorers.scale import Scale

_RATING = Scale("graded", 1, 10)
_KINDS = {("single", "[[rating]]"): _RATING, ("pairwise", "[[A]]"): Scale("pairwise")}
_FIELDS = ("name", "type", "system_prompt", "prompt_template", "output_format")
_TURNS = ("_1", "_2")
_SINGLE = frozenset({"answer", *(f"answer{turn}" for turn in _TURNS)})
_PAIRED = frozenset(f"answer_{side}{turn}" for side in "ab" for turn in ("", *_TURNS))
_ASKED = frozenset({"question", *(f"{what}{turn}" for what in ("question", "ref_answer") for turn in _TURNS)})


def load_published(path: Path, text: str, name: str) -> Rubric:
    """The prompt of a name among a file's lines; the only one where no name is given.

    Raises:
        RubricError: when there is none of that name, or it is no such prompt; it says what is wrong.
    """
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            prompt = codec.decode(line.encode(), dict[str, Any])
        except (ValueError, RecursionError) as error:
            hint = "a published judge prompt is one JSON object a line"
            raise RubricError(Problem(f"{path}:{number}", f"not a JSON object: {error}", hint)) from None
        key = str(prompt.get("name"))
        if key in found and name in ("", key):
            what = f"the prompt {key!r} is in line {found[key][0]} already"
            raise RubricError(Problem(f"{path}:{number}", what, "give each a name of its own"))
        found[key] = number, prompt
    if not found:
        raise RubricError(Problem(str(path), "is empty", "a published judge prompt is one JSON object a line"))
    if not name and len(found) == 1:
        name = next(iter(found))
    if name not in found:
        what = f"there is no prompt {name!r}" if name else "which of its prompts is meant is not said"
        hint = (
            did_you_mean(name, found) if name else f"write {path.name}#NAME, with NAME among {', '.join(sorted(found))}"
        )
        raise RubricError(Problem(str(path), what, hint))
    number, prompt = found[name]
    problems = list(_flaws(f"{path}:{number}", prompt))
    if problems:
        raise RubricError(problems)
    return Rubric(
        name=name,
        text=prompt["system_prompt"].strip(),
        scale=_KINDS[prompt["type"], prompt["output_format"]],
        template=prompt["prompt_template"],
        path=f"{path}#{name}",
    )


def _flaws(where: str, prompt: dict[str, Any]) -> list[Problem]:
    problems = [
        Problem(f"{where}: {field}", "must be text" if field in prompt else "missing")
        for field in _FIELDS
        if not isinstance(prompt.get(field), str)
    ]
    if problems:
        return problems
    kind = prompt["type"], prompt["output_format"]
    if kind not in _KINDS:
        known = "; ".join(f"{one!r} with {other!r}" for one, other in _KINDS)
        return [Problem(where, f"type {kind[0]!r} with output_format {kind[1]!r} cannot be read", f"known: {known}")]
    places = set(PLACEHOLDER.findall(prompt["prompt_template"]))
    answers = _SINGLE if kind[0] == "single" else _PAIRED
    problems = [
        Problem(f"{where}: prompt_template", f"{{{place}}} is not known", did_you_mean(place, sorted(_ASKED | answers)))
        for place in sorted(places - _ASKED - answers)
    ]
    if not places & answers:
        problems.append(Problem(f"{where}: prompt_template", "has no place for an answer"))
    return problems
