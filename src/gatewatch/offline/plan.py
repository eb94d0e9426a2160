"""The plan of a run: which cases, in which order, with which task and scorers, found good before any is paid for."""

import random
from array import array
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from msgspec import Struct

from gatewatch.core.case import Case, Tier, in_tier
from gatewatch.core.errors import DatasetError, Problem, did_you_mean
from gatewatch.core.run import Row
from gatewatch.core.trace import Price
from gatewatch.offline.dataset import Dataset
from gatewatch.offline.steady import Judges
from gatewatch.offline.task import Task
from gatewatch.scorers.base import Scorer

Key = tuple[str, int]
Hook = Callable[[Case], Any]


class Plan(Struct, frozen=True, kw_only=True):
    """What is to be run, checked and ready.

    `chosen` are positions in the dataset, in the order in which they run. Times are in seconds, `budget` in US dollars.
    `setup` and `teardown` are called with each case, before and after the task; `slice_of` names the slice of an input
    whose case states none. `price` knows what a model's tokens cost;
    `pace` tells how the models are paced.
    """

    run: str
    task: Task
    dataset: Dataset
    chosen: Sequence[int]
    scorers: tuple[Scorer, ...]
    trials: int = 1
    concurrency: int = 32
    timeout: float = 120.0
    scorer_timeout: float = 60.0
    budget: float | None = None
    setup: Hook | None = None
    teardown: Hook | None = None
    slice_of: Callable[[Any], str] | None = None
    price: Price | None = None
    pace: Callable[[], dict[str, Any]] = dict

    @property
    def cells(self) -> int:
        """How many rows a complete run has."""
        return len(self.chosen) * self.trials


class Done(Struct, frozen=True, kw_only=True):
    """What an earlier stretch of the run left: rows that are finished, rows that lack scores, money spent.

    `dearest` is what the dearest row cost, `judges` which models gave the scores.
    """

    finished: frozenset[Key] = frozenset()
    started: Mapping[Key, Row] = {}
    spent: float = 0.0
    dearest: float = 0.0
    judges: Judges = {}


def paid(row: Row, *, task: bool = True) -> float:
    """What is known to have been paid for a row, its scores included, in US dollars.

    A recording states what its answers cost once: where the `task` is one, they are not paid for now.
    """
    parts = [score.cost for score in row.scores.values()]
    if row.trace is not None and task:
        parts.append(row.trace.cost)
    return sum(part.amount for part in parts if part is not None)


def slice_name(slice_of: Callable[[Any], str] | None, case: Case) -> str:
    """The slice of a case that states none, by the project's function, if there is one."""
    if slice_of is None:
        return ""
    try:
        return str(slice_of(case.input))
    except (Exception, SystemExit) as error:  # a label that cannot be given is no reason to lose a row
        return f"(no slice: {type(error).__name__})"


def choose(
    dataset: Dataset,
    task: Task,
    scorers: Sequence[Scorer],
    *,
    trials: int = 1,
    tier: Tier | None = None,
    limit: int | None = None,
    seed: int = 0,
    only: Collection[str] | None = None,
) -> Sequence[int]:
    """Choose the cases of a run, shuffled by the seed, after checking that each can be given to the task.

    `only` names the cases to be chosen from by their ids.

    Raises:
        DatasetError: with every case that cannot be run, or when none is left.
    """
    names = {scorer.name for scorer in scorers}
    chosen = array("Q")
    problems: list[Problem] = []
    for index in range(len(dataset)):
        if limit is not None and len(chosen) >= limit:
            break
        case = dataset[index]
        if not in_tier(case, tier) or (only is not None and case.id not in only):
            continue
        chosen.append(index)
        flaw = task.flaw(case, trials)
        if flaw:
            problems.append(Problem(dataset.place(index), flaw))
        for name in case.scorers or ():
            if name not in names:
                problems.append(
                    Problem(f"{dataset.place(index)}: scorers", f"no scorer {name!r}", did_you_mean(name, names))
                )
    if problems:
        raise DatasetError(problems)
    if not chosen:
        left = f"none is in tier {tier!r}" if tier else "all are retired"
        if only is not None:
            left += f", or none is called {sorted(only)[0]!r}" if only else ""
        raise DatasetError(Problem(dataset.path, f"no case to run: {left}"))
    random.Random(seed).shuffle(chosen)
    return chosen
