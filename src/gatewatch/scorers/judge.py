"""A judge: a scorer that asks language models for a verdict by a rubric.

How it is asked is in `prompt`, how its reply is read in `reply`, how several votes become one in `votes`.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.score import Score
from gatewatch.core.session import session_of
from gatewatch.core.trace import Trace
from gatewatch.models.protocol import Model
from gatewatch.scorers.asking import ask
from gatewatch.scorers.base import Models, Scorer, getters_named, not_configured
from gatewatch.scorers.fingerprint import Identity
from gatewatch.scorers.prompt import PROMPT_VERSION, messages_for
from gatewatch.scorers.reply import Form, form_of
from gatewatch.scorers.rubric import Rubric
from gatewatch.scorers.rubric_file import load_rubric
from gatewatch.scorers.votes import Vote, agree, decided, escalated, of_both_orders

DEFAULT_MODEL = "judge"
_MOST_VOTES = 25
_VOTES_BEFORE_ESCALATION = 2


def judge(
    rubric: str | Path | Rubric,
    *,
    model: str | Model | Sequence[str] = "",
    votes: int | None = None,
    escalate: str | Model = "",
    name: str = "",
    parameters: dict[str, Any] | None = None,
) -> Scorer:
    """Make a scorer of a rubric: a model reads what was asked and answered, and says how good it is.

    It asks for `input` and `output`, and for what else the rubric's text mentions in braces. A pairwise rubric also
    asks for `other`, the trace it is compared with (by default what the case expects): it is asked in both orders, and
    the score is 1 for a win in both, 0 for a loss in both, else between (the mean of the two orders).

    Several models are a panel, and each may vote several times. Grades are averaged; of all other verdicts the one
    that more than half of the votes name is taken, and where none is, the score is unknown. Votes that cannot be read
    are left out as long as more than half can be.

    With `escalate`, the models vote first, and only where they do not agree that one is asked, and decides.

    Args:
        rubric: the path of a rubric file, or a rubric.
        model: the name of a configured model, a model, or the names of several; by default the rubric's, else "judge".
        votes: how often each model is asked; by default once, or twice where there is a model to escalate to.
        escalate: the model that decides where the others do not agree: a dearer one.
        name: the scorer's name; by default the rubric's.
        parameters: parameters of the models (temperature ...) that win over their configured ones.

    Raises:
        RubricError: when the file cannot be read as a rubric; it has every problem.
        ValueError: for votes out of range, or the same model twice.
    """
    if not isinstance(rubric, Rubric):
        rubric = load_rubric(rubric)
    panel = _panel(model) or [rubric.model or DEFAULT_MODEL]
    asked = [*panel, *([escalate] if escalate else [])]
    names = [each if isinstance(each, str) else each.name for each in asked]
    if votes is None:
        votes = _VOTES_BEFORE_ESCALATION if escalate and len(panel) == 1 else 1
    if not 1 <= votes <= _MOST_VOTES:
        raise ValueError(f"votes must be in 1..{_MOST_VOTES}, got {votes}")
    if len(set(names)) < len(names):
        raise ValueError(f"the models must be different ones, got {', '.join(names)}")
    return _scorer(
        _Judge(
            name=name or rubric.name,
            rubric=rubric,
            parameters=codec.plain(parameters or {}),
            panel=tuple(names[: len(panel)]),
            votes=votes,
            escalate=names[-1] if escalate else "",
            models={each.name: each for each in asked if not isinstance(each, str)},
        )
    )


def _panel(model: str | Model | Sequence[str]) -> list[str | Model]:
    if isinstance(model, str):
        return [model] if model else []
    return list(model) if isinstance(model, Sequence) else [model]


class _Judge(Struct, frozen=True, kw_only=True):
    name: str
    rubric: Rubric
    parameters: dict[str, Any]
    panel: tuple[str, ...]
    votes: int
    escalate: str
    models: dict[str, Any]  # Models, as far as they are bound

    async def score(self, **given: Any) -> Score:
        missing = [name for name in (*self.panel, self.escalate) if name and name not in self.models]
        if missing:
            raise not_configured(self.name, missing[0])
        try:
            requests = [messages_for(self.rubric, each) for each in self._orders(_plain(given))]
        except LookupError as error:
            return Score(status="skipped", explanation=str(error.args[0]), source="judge")
        form = form_of(self.rubric)
        calls = [(name, trial) for name in self.panel for trial in range(self.votes)]
        cast = await asyncio.gather(*(self._vote(name, trial, requests, form) for name, trial in calls))
        keyed = len(self.panel) > 1 or bool(self.escalate)
        if not self.escalate or agree(cast):
            return decided(cast, self.rubric.scale, keyed=keyed)
        return escalated(cast, await self._vote(self.escalate, 0, requests, form))

    def _orders(self, given: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        """What the judge is shown, once; of two outputs in both orders, the judged one first."""
        yield given
        if self.rubric.scale.kind == "pairwise":
            yield {
                **given,
                "output": given["other"],
                "other": given["output"],
                "session": given.get("other_session"),
                "other_session": given.get("session"),
            }

    async def _vote(self, name: str, trial: int, requests: Sequence[Any], form: Form) -> Vote:
        model = self.models[name]
        found = await asyncio.gather(*(ask(model, each, form, self.parameters, trial) for each in requests))
        return Vote(name, found[0] if len(found) == 1 else of_both_orders(*found))

    @property
    def needs(self) -> tuple[str, ...]:
        """The names of the arguments that it is shown."""
        rubric = self.rubric
        names = ["input", "output", *sorted({"context", "expected", "session"} & rubric.mentions)]
        names += ["trace"] if "steps" in rubric.mentions else []
        if rubric.scale.kind == "pairwise":
            names.append("other")
        if any(place.startswith("question_") for place in rubric.places):
            names.append("session")
        if any(place.startswith("ref_answer") for place in rubric.places):
            names.append("case")
        return tuple(dict.fromkeys(names))

    @property
    def identity(self) -> Identity:
        rubric = self.rubric
        more = [each for each in (rubric.clauses, rubric.template) if each]
        panel = [self._model_identity(name) for name in self.panel]
        parts = {
            "rubric": codec.digest([rubric.text, rubric.version, rubric.examples, *more]),
            "scale": codec.digest(str(rubric.scale)),
            "parameters": codec.digest(self.parameters),
            "model": codec.digest(panel[0] if len(panel) == 1 else panel),
            "prompt": codec.digest(["judge", PROMPT_VERSION]),
        }
        if self.votes > 1:
            parts["votes"] = str(self.votes)
        if self.escalate:
            parts["escalate"] = codec.digest(self._model_identity(self.escalate))
        return Identity(parts)

    def _model_identity(self, name: str) -> Any:
        return self.models[name].identity if name in self.models else name


def rubric_of(scorer: Scorer) -> Rubric | None:
    """The rubric that a scorer follows, if it is a judge that has one."""
    made = getattr(scorer.fn, "__self__", None)
    return made.rubric if isinstance(made, _Judge) else None


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a judge was given, with the conversation that the other trace tells of."""
    plain = dict(given)
    other = plain.get("other")
    if isinstance(other, Trace):
        plain["other"] = other.output
        plain["other_session"] = session_of(other)
    return plain


def _scorer(judge: _Judge) -> Scorer:
    def bind(models: Models) -> Scorer:
        found = {
            name: models.model(name) for name in (*judge.panel, judge.escalate) if name and name not in judge.models
        }
        return _scorer(replace(judge, models={**judge.models, **found}))

    scale = judge.rubric.scale
    asked = [name for name in judge.panel for _ in range(judge.votes)] + [judge.escalate] * bool(judge.escalate)
    unbound = any(name not in judge.models for name in asked)
    return Scorer(
        name=judge.name,
        fn=judge.score,
        getters=getters_named(judge.needs),
        identify=lambda: judge.identity,
        source="judge",
        is_async=True,
        binary=scale.kind in ("binary", "policy")
        or (bool(scale.choices) and {w for _, w in scale.choices} <= {0, 1, None}),
        models=tuple(asked) * (2 if scale.kind == "pairwise" else 1),
        prompt_length=_prompt_length(judge.rubric),
        bind_models=bind if unbound else None,
    )


def _prompt_length(rubric: Rubric) -> int:
    if rubric.template:
        return len(rubric.text) + len(rubric.template)
    return sum(len(message["content"]) for message in messages_for(rubric, {}))
