"""Every scorer of ours goes through the kit that users have, and the kit finds what it is there to find."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gatewatch.checks.scorer import check_scorer
from gatewatch.core.case import Case, Expected
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.models.embeddings import Embedding
from gatewatch.models.protocol import ChatReply, ChatRequest
from gatewatch.scorers.base import Scorer, scorer
from gatewatch.scorers.composite import all_of, weighted
from gatewatch.scorers.library import BUILT_INS, make
from gatewatch.scorers.safety import pii
from gatewatch.scorers.text import exact, similarity

OPTIONS: dict[str, dict[str, Any]] = {
    "regex": {"pattern": r"\d+"},
    "json_schema": {"schema": {"type": "object"}},
    "well_formed": {"kind": "date"},
    "parses": {"language": "python"},
    "efficiency": {},
}


class Model:
    """Answers whatever form of reply a judge asks for, and embeds by length."""

    name = "any"
    identity: ClassVar[dict[str, Any]] = {"model": "any-1"}

    async def chat(self, request: ChatRequest) -> ChatReply:
        return ChatReply(text=json.dumps(_filled(request.schema)), model="any-1", finish="stop")

    async def embed(self, text: str) -> Embedding:
        return Embedding(vector=(1.0, float(len(text) % 7)), model="any-1")

    async def close(self) -> None:
        pass


def _filled(schema: Any) -> Any:
    if schema["type"] == "object":
        return {name: _filled(each) for name, each in schema["properties"].items()}
    if schema["type"] == "array":
        return [_filled(schema["items"]) | {"number": place} for place in (1, 2)] if "number" in str(schema) else []
    return schema["enum"][0] if "enum" in schema else 1 if schema["type"] == "integer" else "because"


class Models:
    def model(self, _name: str) -> Any:
        return Model()

    def embedder(self, _name: str) -> Any:
        return Model()


def made(name: str, folder: Path) -> Scorer:
    options = dict(OPTIONS.get(name, {}))
    if name == "judge":
        options["rubric"] = folder / "good.md"
        options["rubric"].write_text('---\nscale = "1-5"\n---\nHow good is it?\n')
    found = make(name, options)
    return found if found.bind_models is None else found.bind_models(Models())


@pytest.mark.parametrize("name", sorted(BUILT_INS))
def test_ours(name: str, tmp_path: Path) -> None:
    two = Case(id="two", input="?", expected=Expected(criteria=("It is short.", "It is kind.")))  # as the model judges
    check_scorer(made(name, tmp_path), [(Trace(input="?", output="Five days."), two)])


@pytest.mark.parametrize("composite", [all_of([pii(), exact()]), weighted([(exact(), 1), (similarity(), 2)])])
def test_composites(composite: Scorer) -> None:
    check_scorer(composite)


def test_traces_of_ones_own() -> None:
    @scorer
    def dislikes_mondays(output: str) -> float:
        return 7.0 if output == "Monday" else 1.0

    check_scorer(dislikes_mondays)
    check_scorer(dislikes_mondays, [(Trace(output="Tuesday"), None)])


def fails(bad: Scorer, said: str, *traces: tuple[Trace, Case | None]) -> None:
    with pytest.raises(AssertionError, match=said):
        check_scorer(bad, traces)


def test_chance_is_found() -> None:
    @scorer
    def lucky(output: str) -> float:
        return random.random()

    fails(lucky, "is there chance or time in it")


def test_changing_what_was_given_is_found() -> None:
    @scorer
    def tidies(trace: Trace) -> bool:
        if isinstance(trace.output, dict):
            trace.output.clear()
        return True

    fails(tidies, "it changed what it was given: work on a copy")


def test_telling_the_mode_is_found() -> None:
    @scorer
    def peeks(output: str, case: Any = None) -> bool:
        return case is not None

    check_scorer(peeks)  # it says that it looks at the case

    seen: list[str] = []

    @scorer
    def counts(output: str) -> Score:
        seen.append(output)
        return Score(1.0, "x" * 600)

    fails(counts, "its label has 600 characters")


def test_an_error_without_a_reason_is_found() -> None:
    @scorer
    def silent(output: str) -> Score:
        return Score(status="scorer_error")

    fails(silent, "it failed and did not say why")


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        (
            lambda: 5,
            r"never: on the output 'Refunds take five .*' never returned 5; a score is in 0\.\.1; and it scored no",
        ),
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda: "yes", "never returned str; expected bool, a number in 0..1, Score or None"),
    ],
)
def test_one_that_never_gives_a_score_is_found(gives: Callable[[], Any], said: str) -> None:
    @scorer
    def never(output: str) -> Any:
        return gives()

    fails(never, said)


def test_one_that_scores_traces_of_its_own_kind_alone() -> None:
    @scorer
    def gold(output: str, case: Case) -> bool:
        return bool(case.meta["gold"] == output)

    fails(gold, "KeyError: 'gold'")
    check_scorer(gold, [(Trace(output="a"), Case(id="a", input="?", meta={"gold": "a"}))])
