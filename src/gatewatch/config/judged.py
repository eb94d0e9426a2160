"""What a scorer said of things, in the terms in which people label them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from gatewatch.core.codec import text_of
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.label import Value, VerdictLine
from gatewatch.core.score import Score, models_named
from gatewatch.offline.journal import JournalReader
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.judge import rubric_of
from gatewatch.scorers.labels import Label
from gatewatch.scorers.scale import Scale
from gatewatch.scorers.votes import orders_of

_PAIR_WORDS = {"win": "a", "loss": "b", "tie": "tie", "a": "a", "b": "b"}


class Judged(Struct, frozen=True):
    """Verdicts by thing (labels without people), how often each was given, and the models that gave them.

    A thing is the answer to a case in one trial: of the first it has the case's name (`thing_of`). `failures` has, of
    each thing on which the scorer failed or was not asked, why.
    """

    verdicts: dict[str, Label]
    population: Mapping[Any, int]
    models: dict[str, str] = {}
    failures: dict[str, str] = {}

    def with_later(self, later: "Judged") -> "Judged":
        """These verdicts, with those of a later asking in the place of what failed."""
        verdicts = {**self.verdicts, **later.verdicts}
        failures = {thing: why for thing, why in self.failures.items() if thing not in later.verdicts}
        return Judged(verdicts, _population(verdicts), {**self.models, **later.models}, failures | later.failures)


def _population(verdicts: Mapping[str, Label]) -> Counter[Any]:
    return Counter(label.verdict for label in verdicts.values())


def thing_of(case: str, trial: int) -> str:
    """What the answer to a case in one trial is called, which are counted from 0."""
    return f"{case} (trial {trial})" if trial else case


class Spoken(Struct, frozen=True):
    """How people may state a value for a scorer: on its scale, or plainly good or bad."""

    scale: Scale | None = None
    good: str = ""

    def value(self, given: Value) -> Value:
        """A value as the calibration takes it.

        Raises:
            ValueError: when it is not on the scale; it says what it must be.
        """
        kind = None if self.scale is None else self.scale.kind
        if kind == "pairwise":
            if given not in _PAIR_WORDS:
                raise ValueError(f'must be "win", "loss" or "tie", got {given!r}')
            return _PAIR_WORDS[str(given)]
        if isinstance(given, bool):
            return given
        if kind == "choice":
            assert self.scale is not None
            if given not in dict(self.scale.choices):
                raise ValueError(f"must be one of {', '.join(name for name, _ in self.scale.choices)}, got {given!r}")
            return given
        if given in ("pass", "fail", "good", "bad"):
            return given in ("pass", "good")
        if kind == "graded" and isinstance(given, int):
            assert self.scale is not None
            worth = self.scale.value(given)
            assert worth is not None
            return worth
        if isinstance(given, str):
            if kind is None:
                return given
            raise ValueError(f'must be true or false, "pass" or "fail", got {given!r}')
        if not 0 <= given <= 1:
            raise ValueError(f"must be in 0..1, got {given:g}")
        return bool(given) if given in (0, 1) and kind != "graded" else float(given)


def spoken(scorer: Scorer | None) -> Spoken:
    """How people may state a value for a scorer; for one that is not known, anything plain."""
    rubric = None if scorer is None else rubric_of(scorer)
    if rubric is None:
        return Spoken()
    scale = rubric.scale
    if scale.kind == "pairwise":
        return Spoken(scale, "a")
    if scale.kind == "choice":
        most = max((worth for _, worth in scale.choices if worth is not None), default=None)
        best = [name for name, worth in scale.choices if worth == most]
        return Spoken(scale, best[0] if len(best) == 1 else "")
    return Spoken(scale)


def from_file(lines: Iterable[tuple[int, VerdictLine]], where: str, speak: Spoken) -> Judged:
    """Verdicts that were recorded elsewhere, in the file `where`, in the terms of a scorer.

    Raises:
        InputError: with every value that is not on its scale.
    """
    verdicts = {}
    problems = []
    for number, line in lines:
        try:
            value = None if line.value is None else speak.value(line.value)
        except ValueError as error:
            problems.append(Problem(f"{where}:{number}: value", str(error)))
            continue
        verdicts[line.case] = Label(
            id=line.case,
            people=(),
            verdict=value,
            orders=line.orders,
            length=line.length,
            own=line.own,
            slice=line.slice,
            cluster=line.cluster,
        )
    if problems:
        raise InputError(problems)
    return Judged(verdicts, _population(verdicts))


def from_run(path: Path, scorer: Scorer) -> Judged:
    """What a scorer said of a run. The trials of a case are of one origin."""
    rubric = rubric_of(scorer)
    kind = None if rubric is None else rubric.scale.kind
    verdicts: dict[str, Label] = {}
    models: dict[str, str] = {}
    failures: dict[str, str] = {}
    for row in JournalReader(path).rows():
        score, thing = row.scores.get(scorer.name), thing_of(row.case, row.trial)
        if score is None or score.status == "scorer_error":
            failures[thing] = "it was not asked" if score is None else score.explanation
        if score is None or score.status in ("task_error", "timeout", "skipped"):
            continue
        models |= models_named(score.model)
        output = None if row.trace is None else row.trace.output
        verdicts[thing] = Label(
            id=thing,
            people=(),
            verdict=_verdict(score, kind, binary=scorer.binary),
            orders=orders_of(score.label) if kind == "pairwise" and score.value is not None else None,
            length=None if output is None else len(text_of(output)),
            slice=row.slice,
            cluster=row.cluster or row.case,
            explanation=score.explanation,
        )
    return Judged(verdicts, _population(verdicts), models, failures)


def _verdict(score: Score, kind: str | None, *, binary: bool) -> Value | None:
    if score.value is None:
        return None
    if kind == "choice":
        return score.label
    if kind == "pairwise":
        return {"win": "a", "loss": "b"}.get(score.label, "tie")  # what depends on the order is no win
    return score.value == 1.0 if binary else score.value
