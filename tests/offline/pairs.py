"""What the tests of comparison and gate share: the two sides of a comparison made from plain numbers."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gatewatch.core.case import Open
from gatewatch.core.run import DatasetRef, ScorerRef
from gatewatch.offline.accept import Exceptions
from gatewatch.offline.compare import Comparison
from gatewatch.offline.flips import Again
from gatewatch.offline.gate import decide
from gatewatch.offline.outcomes import CaseOutcome, Mark, Outcomes, Trial
from gatewatch.offline.rule import Rule
from gatewatch.offline.stopping import Look
from gatewatch.offline.verdict import Verdict

LOST = Mark(status="scorer_error")
SKIPPED = Mark(status="skipped")
FAILED = Mark(0.0, "task_error")

One = float | Mark
Values = One | Sequence[One]
"""What a case was given: one trial, or several."""


def numbered(count: int, value: Values = 1.0, *, start: int = 0) -> dict[str, Values]:
    """Cases c000, c001 ... that are all given the same."""
    return {f"c{number:03}": value for number in range(start, start + count)}


def with_last(cases: Mapping[str, Values], count: int, value: Values) -> dict[str, Values]:
    """The same cases, of which the last so many are given another value."""
    names = list(cases)
    return {**cases, **dict.fromkeys(names[len(names) - count :], value)}


def side(
    cases: Mapping[str, Values],
    *,
    name: str = "candidate",
    scorer: str = "exact",
    pass_at: float | None = None,
    more: Mapping[str, Mapping[str, Values]] | None = None,
    refs: Mapping[str, ScorerRef] | None = None,
    hashes: Mapping[str, str] | None = None,
    slices: Mapping[str, str] | None = None,
    clusters: Mapping[str, str] | None = None,
    must_pass: Collection[str] = (),
    open_cases: Mapping[str, Open] | None = None,
    history: int | Mapping[str, Sequence[float]] = 0,
    outputs: str = "",
    dataset: DatasetRef | None = None,
    components: Mapping[str, str] | None = None,
    suite: str = "support",
) -> Outcomes:
    """One side of a comparison.

    Args:
        cases: by case what `scorer` gave its trials: numbers, or marks for what has none.
        name: of the run, and of the version that it is of (the component "prompt").
        scorer: its name.
        pass_at: its pass mark.
        more: other scorers' values in the same manner.
        refs: scorers that are not simply called what they are called.
        hashes: of the cases that have another hash than "h".
        slices: of the cases that are in one.
        clusters: of the cases that are in one.
        must_pass: which cases must pass.
        open_cases: of the cases that may fail, until when.
        history: past outcomes under `scorer`; a number: the first value so many times.
        outputs: the beginning of every output's digest; empty: the run's name, so that no two runs agree.
        dataset: the dataset; None: one version with these cases, all of which were run.
        components: in the place of the prompt alone.
        suite: its suite.
    """
    every = {scorer: cases, **(more or {})}
    known = {each: ScorerRef("f" * 12, pass_at=pass_at if each == scorer else None) for each in every}
    ids = list(dict.fromkeys(case for given in every.values() for case in given))
    found = Outcomes(
        label=name,
        run=name,
        suite=suite,
        task="app:answer",
        dataset=dataset or DatasetRef("d.jsonl", "0" * 12, len(ids)),
        scorers={**known, **(refs or {})},
        components={"prompt": name} if components is None else dict(components),
        trials=1,
    )
    for case in ids:
        trials = _trials(case, every, outputs or name)
        found.cases[case] = CaseOutcome(
            (hashes or {}).get(case, "h"),
            (slices or {}).get(case, ""),
            (clusters or {}).get(case, ""),
            case in must_pass,
            trials,
            open=(open_cases or {}).get(case),
        )
        found.rows += len(trials)
        found.trials = max(found.trials, len(trials))
        past = _past(trials, scorer, history) if isinstance(history, int) else tuple(history.get(case, ()))
        if past:
            found.cases[case].history = {scorer: past}
    if dataset is None:
        found.dataset = DatasetRef("d.jsonl", "0" * 12, found.rows // found.trials)
    return found


def _past(trials: Sequence[Trial], scorer: str, times: int) -> tuple[float, ...]:
    mark = trials[0].scores.get(scorer, SKIPPED)
    return () if mark.value is None else (mark.value,) * times


def _trials(case: str, every: Mapping[str, Mapping[str, Values]], outputs: str) -> list[Trial]:
    found: list[Trial] = []
    for name, given in every.items():
        for number, value in enumerate(_listed(given.get(case, ()))):
            if number == len(found):
                found.append(Trial(case, number, digest=f"{outputs}-{case}-{number}"))
            found[number].scores[name] = Mark(value) if isinstance(value, float) else value
    return found


def _listed(values: Values) -> Sequence[One]:
    return [values] if isinstance(values, float | Mark) else values


def baseline(cases: Mapping[str, Values], **about: Any) -> Outcomes:
    """The other side: as `side`, of a pinned baseline."""
    found = side(cases, **{"name": "baseline", **about})
    found.pinned = "2026-01-01T00:00:00Z"
    return found


class Retries:
    """Runs cases again: each is given its next values, or the last one for ever. It tells what was asked for."""

    def __init__(self, values: Mapping[str, Values] | Values = 0.0, *, scorer: str = "exact") -> None:
        self._values = values
        self._scorer = scorer
        self._given: dict[str, int] = {}
        self.asked: list[list[str]] = []

    def __call__(self, cases: Sequence[str], times: int) -> Outcomes:
        self.asked.append(list(cases))
        found: dict[str, Values] = {}
        for case in cases:
            values = _listed(self._values.get(case, 0.0) if isinstance(self._values, Mapping) else self._values)
            at = self._given.get(case, 0)
            self._given[case] = at + times
            found[case] = [values[min(at + number, len(values) - 1)] for number in range(times)]
        return side(found, name="again", scorer=self._scorer)


def decided(
    before: Outcomes,
    after: Outcomes,
    *,
    again: Again | None = None,
    why_not_again: str = "stored runs are compared",
    exceptions: Exceptions | None = None,
    look: Look | None = None,
    **rule: Any,
) -> Verdict:
    """What the gate says of two sides."""
    return decide(
        Comparison(before, after),
        Rule(**rule),
        again=again,
        why_not_again="" if again else why_not_again,
        exceptions=exceptions,
        look=look,
    )
