"""What runs cost: told once for each row and score, by scorer and model, with what the cache spared them."""

from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.errors import InputError
from gatewatch.core.money import Cost
from gatewatch.core.run import DatasetRef, Row, RunHeader
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace, Usage
from gatewatch.offline.paid import Paid, run_paid
from offline.making import write_journal

PRICES: dict[str, dict[str, Any]] = {
    "judge": {"model": "m-1", "input": 2.0, "output": 8.0, "cached_input": 1.0},
    "free": {"model": "m-2", "input": None, "output": None},
}


def head(**fields: Any) -> RunHeader:
    dataset = DatasetRef("cases.jsonl", "v", 3)
    return RunHeader(run="r-1", task="app:answer", dataset=dataset, scorers={}, prices=PRICES, **fields)


def judged(cost: Cost | None, *, model: str = "m-1-2026", status: str = "scored") -> Score:
    return Score(1.0, status=status, cost=cost, usage=Usage(1000, 100), model=model)  # type: ignore[arg-type]


def paid(tmp_path: Path, *rows: Row) -> dict[tuple[str, str], Paid]:
    found = run_paid(write_journal(tmp_path / "r-1.jsonl", head(), rows))
    assert found.rows == len({row.key for row in rows if row.trace is not None})
    return {(each.scorer, each.model): each for each in found.paid}


def test_money_is_by_scorer_and_model(tmp_path: Path) -> None:
    found = paid(
        tmp_path,
        Row(case="a", trace=Trace(cost=Cost(0.5)), scores={"helpful": judged(Cost(0.02)), "pii": Score(1.0)}),
        Row(case="b", trace=Trace(cost=Cost(0.25)), scores={"helpful": judged(Cost(0.03), model="one=m-1, two=m-9")}),
    )
    assert found["", ""].cost == 0.75
    assert (found["helpful", "m-1-2026"].cost, found["helpful", "m-1-2026"].input_tokens) == (0.02, 1000)
    assert found["helpful", "m-1, m-9"].cost == 0.03
    assert ("pii", "") not in found  # a rule costs nothing


def test_what_is_not_known_is_no_zero(tmp_path: Path) -> None:
    found = paid(
        tmp_path,
        Row(case="a", trace=Trace(), scores={"helpful": judged(Cost(unknown=2))}),
        Row(case="b", trace=Trace(cost=Cost(0.1))),
    )
    assert (found["", ""].cost, found["", ""].unknown, found["", ""].calls) == (0.1, 1, 2)
    assert (found["helpful", "m-1-2026"].cost, found["helpful", "m-1-2026"].unknown) == (0.0, 2)


def test_replies_of_the_cache_are_told_by_what_they_would_have_cost(tmp_path: Path) -> None:
    found = paid(
        tmp_path,
        Row(case="a", trace=Trace(cost=Cost()), scores={"helpful": judged(Cost())}),
        Row(case="b", trace=Trace(cost=Cost()), scores={"helpful": judged(Cost(), model="m-2")}),
    )
    spared = found["helpful", "m-1-2026"]
    assert spared.saved == pytest.approx((1000 * 2.0 + 100 * 8.0) / 1e6)
    assert (spared.cost, spared.unknown, spared.input_tokens) == (0.0, 0, 0)
    assert (found["helpful", "m-2"].saved, found["helpful", "m-2"].unsaid) == (0.0, 1)
    assert found["", ""].saved == found["", ""].unsaid == 0  # it states no tokens: nothing was spared


def test_a_model_of_ones_own_spares_nothing_and_another_model_lends_no_price(tmp_path: Path) -> None:
    own = Trace(cost=Cost(), usage=Usage(1000, 100), versions={"model": "m-1"})
    found = paid(tmp_path, Row(case="a", trace=own, scores={"helpful": judged(Cost(), model="m-1-mini")}))
    task = found["", "m-1"]
    assert (task.saved, task.unsaid, task.input_tokens, task.output_tokens) == (0.0, 0, 1000, 100)
    assert (found["helpful", "m-1-mini"].saved, found["helpful", "m-1-mini"].unsaid) == (0.0, 1)


def test_what_is_given_twice_counts_once(tmp_path: Path) -> None:
    row = Row(case="a", trace=Trace(cost=Cost(0.5)), awaits=("helpful",))
    piece = Row(case="a", scores={"helpful": judged(Cost(0.02))})
    found = paid(tmp_path, row, piece, row, piece)
    assert (found["", ""].cost, found["helpful", "m-1-2026"].cost) == (0.5, 0.02)
    assert found["helpful", "m-1-2026"].scores == 1


def test_what_is_damaged_is_left_out(tmp_path: Path) -> None:
    path = write_journal(tmp_path / "r-1.jsonl", head(), [Row(case="a", trace=Trace(cost=Cost(0.5)))])
    path.write_bytes(path.read_bytes() + b'{"crc":"00000000","row":{"case":"b"}}\ntorn')
    assert run_paid(path).rows == 1
    with pytest.raises(InputError):
        run_paid(tmp_path / "none.jsonl")
