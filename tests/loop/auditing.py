"""What tests of audits start from: a dataset at hand, and what it is looked at beside."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from gatewatch.core.run import ScorerRef
from gatewatch.core.score import Status
from gatewatch.loop.audit import Audit, Beside, Unknown, audit
from gatewatch.loop.audit_live import Asked, Live, Part
from gatewatch.offline.dataset import Dataset, from_cases
from gatewatch.offline.outcomes import CaseOutcome, Mark, Outcomes, Trial
from offline.making import header

TODAY = date(2026, 11, 20)
NOT_THERE = Unknown("it is not there")
ALONE = Beside(today=TODAY, baseline=NOT_THERE, scorers=NOT_THERE, sources=NOT_THERE, live=NOT_THERE)


def dataset(*cases: dict[str, Any] | str) -> Dataset:
    """A dataset of cases; a text is one with that input. Ids are c1, c2 ... where none is given."""
    given = [{"input": each} if isinstance(each, str) else each for each in cases]
    return from_cases([{"id": f"c{number}", **each} for number, each in enumerate(given, 1)], "d.jsonl")


def found(of: Dataset, beside: Beside = ALONE) -> dict[str, list[tuple[str, ...]]]:
    """By check, the cases of each finding."""
    by_check: dict[str, list[tuple[str, ...]]] = {}
    for each in audit(of, beside).findings:
        by_check.setdefault(each.check, []).append(each.cases)
    return by_check


def retired(result: Audit) -> dict[str, str]:
    """The cases that are to be retired, with the reasons."""
    return {id_: each.retired for id_, each in result.proposed.items() if each.retired}


def outcomes(
    of: Dataset,
    values: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    run: str = "run-1",
    sources: dict[str, str] | None = None,
    baseline: bool = False,
    status: Status = "scored",
) -> Outcomes:
    """A run, or a baseline, over a dataset: by case and scorer the values of trials, or of past outcomes."""
    names = dict.fromkeys(name for each in values.values() for name in each)
    refs = {name: ScorerRef("f" * 12, (sources or {}).get(name, "rule"), pass_at=0.5) for name in names}
    made = Outcomes.of(header(refs, run=run))
    for case in of:
        by_scorer = values.get(case.id)
        if by_scorer is None:
            continue
        trials = max(map(len, by_scorer.values()))
        outcome = CaseOutcome(case.hash, "", "", case.must_pass, [])
        for number in range(trials):
            scores = {name: Mark(some[number], status) for name, some in by_scorer.items() if number < len(some)}
            outcome.trials.append(Trial(case.id, number, scores=scores))
        if baseline:
            outcome.history = {name: tuple(some) for name, some in by_scorer.items()}
        made.cases[case.id] = outcome
    return made


def live(*texts: str, days: float = 30.0, known_days: float = 30.0, parts: Sequence[Part] = ()) -> Live:
    """Live traffic that asked for these texts."""
    asked = [Asked(text, 0.0) for text in texts]
    return Live(flow="support", days=days, known_days=known_days, asked=asked, parts=parts)
