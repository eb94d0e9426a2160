"""Simulated applications whose truth is known, for trying the gate's error rates: see docs/design/gate.md.

Data models (n cases): `lownoise` and `noisy` are pass or fail, a case's pass probability drawn from Beta(.85 s, .15
s) with s = .25 and s = 1; `score` is graded, a case's mean drawn from Beta(3.2, .8), a trial from Beta(8 m, 8 (1 -
m)). A change `broken` makes a few cases fail for good, so that the mean falls by the drop asked for; `uniform` makes
every case a bit worse.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from gatewatch.core.case import Case
from gatewatch.core.run import DatasetRef, Row, ScorerRef
from gatewatch.core.score import Score
from gatewatch.offline.compare import Comparison
from gatewatch.offline.flips import Again, chances
from gatewatch.offline.gate import decide
from gatewatch.offline.outcomes import CaseOutcome, Mark, Outcomes, Trial
from gatewatch.offline.rule import Rule
from gatewatch.offline.stopping import Stopping, fair_order
from gatewatch.offline.verdict import Verdict

MODELS = ("lownoise", "noisy", "score")
SCORER = "right"


class System:
    """An application: what each of its cases scores, on average, and how a trial of it is drawn."""

    def __init__(self, means: "np.ndarray[Any, Any]", model: str, rng: Generator) -> None:
        self.means, self.model, self.rng = means, model, rng

    @classmethod
    def drawn(cls, n: int, model: str, rng: Generator) -> "System":
        if model == "score":
            return cls(rng.beta(3.2, 0.8, n), model, rng)
        s = 0.25 if model == "lownoise" else 1.0
        return cls(rng.beta(0.85 * s, 0.15 * s, n), model, rng)

    def broken(self, drop: float) -> "System":
        """The same with a share of cases that collapse to 0, as many as make the mean fall by the drop on average."""
        share = drop / max(float(self.means.mean()), 1e-9)
        collapsed = self.rng.random(len(self.means)) < share
        return System(np.where(collapsed, 0.0, self.means), self.model, self.rng)

    def worse(self, drop: float) -> "System":
        """The same with every case a bit worse, so that the mean falls by the drop exactly."""
        scale = 1.0 - drop / max(float(self.means.mean()), 1e-9)
        return System(self.means * scale, self.model, self.rng)

    def trial(self, cases: Sequence[int]) -> list[float]:
        means = self.means[list(cases)]
        if self.model == "score":
            low = np.clip(means, 1e-3, 1 - 1e-3)
            values = np.where(means <= 0.0, 0.0, self.rng.beta(8 * low, 8 * (1 - low)))
            return [float(value) for value in values]
        return [float(value) for value in self.rng.random(len(means)) < means]


def outcomes(
    system: System,
    *,
    name: str,
    trials: int = 1,
    history: int = 0,
    cases: Sequence[int] | None = None,
    pass_at: float | None = None,
    slices: int = 0,
) -> Outcomes:
    """A run of a system, or, with a history, a baseline."""
    chosen = range(len(system.means)) if cases is None else cases
    found = Outcomes(
        label=name,
        run=name,
        suite="sim",
        task=name,
        dataset=DatasetRef("sim.jsonl", "0" * 12, len(chosen)),
        scorers={SCORER: ScorerRef("f" * 12, pass_at=pass_at)},
        components={"prompt": name},
        trials=trials,
    )
    found.pinned = "2026-01-01T00:00:00Z" if history else ""
    for place in chosen:
        part = f"s{place % slices}" if slices else ""
        found.cases[f"c{place}"] = CaseOutcome("h", part, "", False, [])
    for number in range(trials):
        for place, value in zip(chosen, system.trial(chosen), strict=True):
            trial = Trial(f"c{place}", number, scores={SCORER: Mark(value)}, digest=f"{name}{number}{place}")
            found.cases[trial.case].trials.append(trial)
            found.rows += 1
    if history:
        past = [system.trial(chosen) for _ in range(history - trials)]
        for position, place in enumerate(chosen):
            case = found.cases[f"c{place}"]
            values = tuple(run[position] for run in past) + tuple(case.values(SCORER))
            case.history = {SCORER: values}
    return found


def gated(before: Outcomes, system: System, *, trials: int = 1, pass_at: float | None = None, **rule: Any) -> Verdict:
    """The shipped gate over a candidate that a system is, with re-runs of what fell."""
    after = outcomes(system, name="candidate", trials=trials, pass_at=pass_at)
    return decide(Comparison(before, after), Rule(**rule), again=_again(system, pass_at))


def _again(system: System, pass_at: float | None) -> Again:
    def again(cases: Sequence[str], times: int) -> Outcomes:
        return outcomes(system, name="again", trials=times, cases=[int(case[1:]) for case in cases], pass_at=pass_at)

    return again


def gated_early(before: Outcomes, system: System, *, seed: int, pass_at: float | None = None) -> tuple[Verdict, int]:
    """The shipped gate over a candidate that stops as soon as its outcome is clear; and how many calls it took."""
    rule = Rule()
    cases = [Case(id=case, input=case) for case in before.cases]
    for case in cases:
        before.cases[case.id].hash = case.hash
    flips = chances(before, before.cases, SCORER, 1.0 if pass_at is None else pass_at)
    alpha = rule.alpha / 2 if flips else rule.alpha
    stopping = Stopping(before, cases, alphas={SCORER: alpha}, max_drop=rule.max_drop)
    order = fair_order(range(len(cases)), cases, seed)
    values = dict(zip(order, system.trial(order), strict=True))
    seen = []
    for place in order:
        seen.append(place)
        if stopping(Row(case=f"c{place}", scores={SCORER: Score(values[place])})):
            break
    after = outcomes(system, name="candidate", cases=seen, pass_at=pass_at)
    for place in seen:
        after.cases[f"c{place}"].hash = before.cases[f"c{place}"].hash
        after.cases[f"c{place}"].trials[0].scores[SCORER] = Mark(values[place])
    after.dataset = DatasetRef("sim.jsonl", "0" * 12, len(cases))
    after.stopped = "stopped early" if len(seen) < len(cases) else ""
    verdict = decide(Comparison(before, after), rule, again=_again(system, pass_at), look=stopping.look)
    return verdict, len(seen) + verdict.reruns
