import json
import random
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.case import Case
from gatewatch.core.money import Cost
from gatewatch.core.run import Row
from gatewatch.core.score import Score
from gatewatch.core.threads import DaemonPool
from gatewatch.core.trace import Trace
from gatewatch.offline.dataset import Dataset, from_cases, open_dataset
from gatewatch.offline.plan import Plan, choose, paid
from gatewatch.offline.tasks.call import CallTask
from offline.making import EXACT, problems, text_cases, write

TASK = CallTask(lambda question: question, "app:answer", threads=DaemonPool(1), timeout=1.0)


def chosen(dataset: Dataset, **how: Any) -> list[str]:
    return [dataset[index].id for index in choose(dataset, TASK, [EXACT], **how)]


def test_every_case_once_in_an_order_that_the_seed_decides() -> None:
    dataset = from_cases(text_cases(50))
    order = chosen(dataset, seed=3)
    assert sorted(order) == sorted(case.id for case in dataset)
    assert order == chosen(dataset, seed=3)
    assert order != chosen(dataset, seed=4)
    expected = list(range(50))
    random.Random(3).shuffle(expected)
    assert order == [f"c{index}" for index in expected], "the order is for ever: a resumed run depends on it"


def test_a_limit_takes_the_first_cases_of_the_file() -> None:
    assert sorted(chosen(from_cases(text_cases(50)), limit=3, seed=9)) == ["c0", "c1", "c2"]


def test_tiers() -> None:
    dataset = from_cases(
        [
            {"id": "pr", "input": "1"},
            {"id": "nightly", "input": "2", "tier": "nightly"},
            {"id": "must", "input": "3", "tier": "nightly", "must_pass": True},
            {"id": "gone", "input": "4", "must_pass": True, "retired": "the product is gone"},
        ]
    )
    assert sorted(chosen(dataset)) == ["must", "nightly", "pr"]
    assert sorted(chosen(dataset, tier="nightly")) == ["must", "nightly", "pr"]
    assert sorted(chosen(dataset, tier="pr")) == ["must", "pr"]
    assert sorted(chosen(dataset, tier="pr", limit=2)) == ["must", "pr"], "a limit counts what is chosen"


def test_everything_that_cannot_be_run_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [
        {"id": "a", "input": "fine", "scorers": ["exact"]},
        {"id": "b", "input": {"qestion": "x"}},
        {"id": "c", "input": {"qestion": "x"}, "retired": "so it does not matter"},
        {"id": "d", "input": "x", "scorers": ["exct", "other"]},
    ]
    dataset = open_dataset(write(Path("d.jsonl"), "", *map(json.dumps, lines)))
    assert problems(lambda: choose(dataset, TASK, [EXACT])) == [
        "d.jsonl:3: the input is the arguments qestion, but app:answer(question) cannot take it: "
        "missing a required argument: 'question'",
        "d.jsonl:5: scorers: no scorer 'exct' (did you mean \"exact\"?)",
        "d.jsonl:5: scorers: no scorer 'other' (known: exact)",
    ]


def test_nothing_left_to_run() -> None:
    retired = from_cases(text_cases(2, retired="old"))
    assert problems(lambda: choose(retired, TASK, [])) == ["(in memory): no case to run: all are retired"]
    nightly = from_cases(text_cases(2, tier="nightly"))
    assert problems(lambda: choose(nightly, TASK, [], tier="pr")) == [
        "(in memory): no case to run: none is in tier 'pr'"
    ]


def test_the_cells_of_a_plan() -> None:
    dataset = from_cases(text_cases(4))
    plan = Plan(run="r", task=TASK, dataset=dataset, chosen=choose(dataset, TASK, []), scorers=(), trials=3)
    assert plan.cells == 12


def test_what_was_paid_for_a_row() -> None:
    scores = {"judge": Score(1.0, cost=Cost(0.5, unknown=1)), "rule": Score(1.0)}
    assert paid(Row(case="a", trace=Trace(cost=Cost(0.25)), scores=scores)) == 0.75
    assert paid(Row(case="a", trace=Trace())) == 0
    assert paid(Row(case="a", scores=scores)) == 0.5
    assert Case(input="x").retired == ""
