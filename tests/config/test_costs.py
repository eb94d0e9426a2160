"""What a project costs: live and offline put together by keys, and what the month comes to."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gatewatch.config.costs import RunCosts, Spend, ahead, embedders, put_together, whole
from gatewatch.config.project import Project
from gatewatch.config.stored_runs import StoredRuns
from gatewatch.core.clock import stamp
from gatewatch.core.money import Cost
from gatewatch.core.run import DatasetRef, Purpose, Row, RunHeader
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace, Usage
from offline.making import write_journal

DAY = 86_400.0
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
TODAY = NOW - NOW % DAY


def spend(cost: float, *, back: int = 0, **fields: Any) -> Spend:
    known: dict[str, Any] = {"day": TODAY - back * DAY, "kind": "judge", "calls": 1, "scorer": "helpful"}
    return Spend(cost=cost, **known | fields)


def journal(folder: Path, run: str, *, back: float = 0, purpose: Purpose = "") -> None:
    started = stamp(datetime.fromtimestamp(NOW - back * DAY, UTC))
    dataset = DatasetRef("cases.jsonl", "v", 1)
    head = RunHeader(run=run, task="t", suite="s", dataset=dataset, scorers={}, started=started, purpose=purpose)
    score = Score(1.0, cost=Cost(0.02), usage=Usage(10, 1), model="text-embedding-3")
    row = Row(case="a", trace=Trace(cost=Cost(0.5)), scores={"near": score})
    write_journal(folder / ".gatewatch" / "runs" / f"{run}.jsonl", head, [row])


def test_runs_of_a_window_are_told_with_what_was_run_again(tmp_path: Path) -> None:
    (tmp_path / "gatewatch.toml").write_text("")
    (tmp_path / ".gatewatch" / "runs").mkdir(parents=True)
    for run, back, purpose in (("one", 1, ""), ("again", 1, "flips"), ("old", 40, "")):
        journal(tmp_path, run, back=back, purpose=purpose)  # type: ignore[arg-type]
    costs = RunCosts(StoredRuns(Project.open(tmp_path)))
    found, late = costs.between(NOW - 7 * DAY, NOW, embedders(None))
    assert late == 0
    assert {(each.run, each.kind) for each in found} == {
        *(("one", "app"), ("one", "embedding"), ("again", "app"), ("again", "embedding")),
    }
    everything = whole(found)
    assert everything.rows == 2
    assert everything.cost == pytest.approx(1.04)
    assert everything.per_row == pytest.approx(0.52)


def test_lines_are_the_dearest_first_and_unknown_is_no_zero() -> None:
    spends = [
        spend(1.0),
        spend(2.0, scorer="dear"),
        spend(0.0, scorer="who knows", unknown=3, calls=3),
        spend(0.5, unknown=1, calls=2, scores=2),
    ]
    lines = put_together(spends, "scorer")
    assert [line.key for line in lines] == ["dear", "helpful", "who knows"]
    assert [line.told for line in lines] == [2.0, 1.5, None]
    assert lines[1].per_score == 0.75
    assert lines[2].per_score is None
    assert [line.key for line in put_together(spends, "day")] == ["2026-11-21"]


def test_the_month_is_told_with_what_days_differ_by() -> None:
    alike = [spend(1.0, back=back) for back in range(1, 29)]
    found = ahead(alike, NOW)
    assert (found.month, found.days) == (20.0, 28)
    assert found.end == pytest.approx(20 + 9.5)
    assert found.interval is not None
    assert found.interval.low <= 29.5 <= found.interval.high
    few = ahead([spend(1.0, back=1)], NOW)
    assert (few.days, few.interval) == (1, None)
    assert ahead([], NOW).end is None


def test_a_model_embeds_if_it_is_configured_to_or_called_so(tmp_path: Path) -> None:
    (tmp_path / "gatewatch.toml").write_text(
        '[models.near]\nmodel = "own-1"\n[models.judge]\nmodel = "own-2"\n'
        '[scorers.alike]\nuse = "semantic_similarity"\nmodel = "near"\n'
    )
    embeds = embedders(Project.open(tmp_path))
    assert [embeds(each) for each in ("own-1", "own-2", "text-embedding-3-small", "gpt-5")] == [
        True,
        False,
        True,
        False,
    ]
