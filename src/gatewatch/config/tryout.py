"""Trying a scorer on a few stored traces, before it is put to work."""

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from msgspec import Struct

from gatewatch.config.calibrate import named
from gatewatch.config.project import Project
from gatewatch.core.case import Case
from gatewatch.core.codec import text_of
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.money import Cost
from gatewatch.core.run import Row
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.offline.journal import JournalReader
from gatewatch.offline.result import find_run
from gatewatch.scorers.apply import apply
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.bias import Bias, of_position
from gatewatch.scorers.judge import rubric_of
from gatewatch.scorers.votes import orders_of
from gatewatch.stats.intervals import Estimate, MeanEstimate


class Tried(Struct, frozen=True):
    """What a scorer says of one stored trace."""

    case: str
    output: str
    score: Score


class Tryout(Struct, frozen=True, kw_only=True):
    """A scorer tried on a few traces: each score, their mean with its interval, what they cost, and how it leans."""

    scorer: str
    fingerprint: str
    run: str
    other: str
    tried: tuple[Tried, ...]
    mean: Estimate
    cost: Cost
    biases: tuple[Bias, ...]


def try_scorer(
    project: Project, reference: str, *, run: str = "latest", other: str = "", cases: Iterable[str] = (), limit: int = 5
) -> Tryout:
    """Score a few stored traces by a rubric's path, or a scorer's name.

    Args:
        project: the project.
        reference: the rubric or scorer.
        run: the run whose traces are scored.
        other: the run whose outputs they are compared with, for a pairwise rubric.
        cases: only these cases.
        limit: how many traces at the most.

    Raises:
        InputError: when there is no such scorer, run or case.
    """
    scorer = named(project, reference)
    path = find_run(project.runs, run)
    against = find_run(project.runs, other) if other else None
    beside = {} if against is None else _traces(against)
    rows = list(islice(_rows(path, frozenset(cases), None if against is None else beside), limit))
    if not rows:
        wanted = f"of the cases {', '.join(cases)}" if cases else "that could be scored"
        raise InputError(Problem(path.stem, f"has no trace {wanted}", "name another run with --run"))

    async def work() -> list[Score]:
        try:
            return await asyncio.gather(*(_scored(scorer, row, beside) for row in rows))
        finally:
            await project.close()

    tried = tuple(
        Tried(row.case, "" if row.trace is None else text_of(row.trace.output), score)
        for row, score in zip(rows, asyncio.run(work()), strict=True)
    )
    mean, cost = MeanEstimate(), Cost()
    for each in tried:
        if each.score.value is not None:
            mean.add(each.score.value)
        cost += each.score.cost or Cost()
    return Tryout(
        scorer=scorer.name,
        fingerprint=scorer.fingerprint,
        run=path.stem,
        other="" if against is None else against.stem,
        tried=tried,
        mean=mean.result(),
        cost=cost,
        biases=tuple(_leans(scorer, tried)),
    )


def _leans(scorer: Scorer, tried: Iterable[Tried]) -> list[Bias]:
    rubric = rubric_of(scorer)
    if rubric is None or rubric.scale.kind != "pairwise":
        return []
    return of_position([orders_of(each.score.label) for each in tried if each.score.value is not None])


def _traces(path: Path) -> dict[str, Trace]:
    return {row.case: row.trace for row in JournalReader(path).rows() if row.trace is not None and row.trial == 0}


def _rows(path: Path, cases: frozenset[str], beside: dict[str, Trace] | None) -> Iterator[Row]:
    for row in JournalReader(path).rows():
        answered = row.trial == 0 and row.trace is not None and row.trace.error is None
        paired = beside is None or (row.case in beside and beside[row.case].error is None)
        if answered and paired and (not cases or row.case in cases):
            yield row


async def _scored(scorer: Scorer, row: Row, beside: dict[str, Trace]) -> Score:
    assert row.trace is not None
    case = Case(id=row.case, input=row.trace.input, expected=row.expected, context=row.trace.context)
    given = {"other": beside[row.case]} if row.case in beside else {}
    return await apply(scorer, row.trace, case, beside=given)
