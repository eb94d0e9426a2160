"""A judge that changes under the same name, asked by a real worker: its canaries tell, whatever else goes wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from gatewatch.checks.provider import FakeProvider
from gatewatch.online.canary import freeze, want_check
from gatewatch.online.monitor import DAY_S
from live.judged import Judged, answers, outputs
from shared import rows
from store.making import a_store


def frozen(judged: Judged, number: int = 200) -> None:
    judged.arrive(*outputs(0, number))
    judged.work()
    assert freeze(judged.store, judged.stream(), judged.now) == 60
    judged.work()


def test_a_judge_that_changes_under_the_same_name_is_what_is_told(tmp_path: Path) -> None:
    strict = [10]
    with FakeProvider(answers(strict, [False])) as provider:
        judged = Judged(tmp_path, a_store(tmp_path), provider.base_url)
        frozen(judged)
        assert provider.accepted == 260, "each is scored again, whatever is in the reply cache"
        judged.now += DAY_S
        judged.work()
        assert provider.accepted == 320
        assert judged.state() == "ok" and judged.tell() == []
        strict[0] = 40
        judged.now += DAY_S
        judged.arrive(*outputs(200, 300))  # as good as ever, and judged worse
        judged.work()
        cells = sorted((each.bucket, each.total / each.n) for each in judged.store.cells("support", "day", 0, 2e9))
        assert [mean for _, mean in cells] == pytest.approx([0.9, 0.6])
        assert judged.state() == "changed"
        (alert,) = judged.tell()
        assert (alert.kind, alert.name, alert.state) == ("judge", "good", "open")
        assert alert.title.startswith("the judge of good changed: it scores more strictly, by ")
        assert alert.evidence.effect == pytest.approx(-0.3, abs=0.02) and alert.evidence.n == 60
        assert [each.times for each in judged.tell()] == [1]
        strict[0] = 10
        judged.now += DAY_S
        judged.work()
        assert judged.state() == "ok"
        assert [(each.state, each.reason) for each in judged.tell()] == [
            ("resolved", "its canaries score as they did when they were frozen")
        ]
        billed = provider.billed
        paid = ((billed.input_tokens or 0) + (billed.output_tokens or 0)) * 100 / 1e6
        spent = judged.store.spend(0, judged.now + 1)
        assert sum(cell.cost for cell in spent) == pytest.approx(paid)
        assert sum(cell.scores for cell in spent) == provider.accepted


def test_it_is_checked_at_once_when_asked_and_by_one_worker_alone(tmp_path: Path) -> None:
    with FakeProvider(answers([10], [False])) as provider:
        judged = Judged(tmp_path, a_store(tmp_path), provider.base_url)
        frozen(judged)
        judged.now += 600
        judged.work(workers=2)
        assert provider.accepted == 260 and judged.state() == "unknown"
        assert want_check(judged.store, judged.stream(), judged.now)
        judged.work(workers=2)
        assert provider.accepted == 320 and judged.state() == "ok"


def test_an_outage_says_nothing_of_the_judge_and_is_caught_up_on(tmp_path: Path) -> None:
    away = [False]
    with FakeProvider(answers([10], away)) as provider:
        judged = Judged(tmp_path, a_store(tmp_path), provider.base_url)
        frozen(judged)
        away[0], judged.now = True, judged.now + DAY_S
        asked = provider.calls
        judged.work()
        assert provider.calls - asked < 15, "it is not asked on and on"
        assert judged.state() == "unknown" and judged.tell() == []
        there = judged.store.canary_set(judged.stream().id)
        assert there is not None and "status 503" in there.reason
        judged.now += 30
        judged.work()
        assert provider.calls - asked < 15
        away[0], judged.now = False, judged.now + 400
        judged.work()
        assert judged.state() == "ok"


def test_what_there_is_no_money_for_waits_for_another_day(tmp_path: Path) -> None:
    with FakeProvider(answers([10], [False])) as provider:
        judged = Judged(tmp_path, a_store(tmp_path), provider.base_url, monitor='budget = "100 USD/day"')
        frozen(judged)
        text = (tmp_path / "gatewatch.toml").read_text()
        (tmp_path / "gatewatch.toml").write_text(text.replace("100 USD/day", "0.5 USD/day"))
        judged.now += DAY_S
        judged.work()
        there = judged.store.canary_set(judged.stream().id)
        assert provider.accepted == 260 and there is not None
        assert there.reason == "not scored: the day's budget of 0.5 USD is used up"
        (tmp_path / "gatewatch.toml").write_text(text)
        judged.now += 3601
        judged.work()
        assert provider.accepted == 320 and judged.state() == "ok"
        day = int(judged.now // DAY_S)
        each = sum(cell.cost for cell in judged.store.spend(0, judged.now + 1)) / 320
        assert judged.store.spent(f"m:{day}") == pytest.approx((60 * each, 0.0), rel=0.02)


@pytest.mark.slow
def test_recorded_judges_swapped_under_the_same_name(tmp_path: Path) -> None:
    votes: dict[str, dict[str, int]] = {}
    for row in rows("judge_wildbench", "scores.jsonl.gz"):
        if row["run"] == "v2.0522":
            votes.setdefault(row["judge"], {})[f"{row['model']} {row['source_id']}"] = int(row["score"])
    old, new = votes["gpt-4-turbo-2024-04-09"], votes["gpt-4o-2024-05-13"]
    by = [old]

    def reply(request: dict[str, Any]) -> str:
        name = json.dumps(request["messages"]).rsplit("output of ", 1)[1].split(" END")[0]
        return json.dumps({"explanation": "so", "score": by[0][name]})

    with FakeProvider(reply) as provider:
        judged = Judged(tmp_path, a_store(tmp_path), provider.base_url, scale="1-10")
        both = sorted(old.keys() & new.keys())
        judged.arrive(*(f"output of {name} END" for name in both[::7]))
        judged.work()
        assert freeze(judged.store, judged.stream(), judged.now) == 60
        for _ in range(3):
            judged.work()
            judged.now += DAY_S
        judged.work()
        assert judged.state() == "ok"
        by[0] = new
        judged.now += DAY_S
        judged.work()
        assert judged.state() == "changed"
        (alert,) = judged.tell()
        assert alert.kind == "judge" and -0.12 < (alert.evidence.effect or 0) < -0.03


WATCHED = 'reference = "learn 200"\nalert = { rules = { good = { drop = 0.03 } }, observe = "0", to = ["stdout"] }'


def work_on(judged: Judged, times: int = 4) -> None:
    for _ in range(times):
        judged.work()
        judged.now += 10


@pytest.mark.slow
def test_a_fall_that_is_the_judges_is_told_as_the_judges_alone(tmp_path: Path) -> None:
    """The whole way: what is as before is learnt, canaries are frozen, the judge changes; and the fall that follows."""
    strict = [10]
    with FakeProvider(answers(strict, [False])) as provider:
        judged = Judged(tmp_path, a_store(tmp_path), provider.base_url, monitor=WATCHED)
        judged.arrive(*outputs(0, 250))
        work_on(judged)
        there = judged.store.canary_set(judged.stream().id)
        assert there is not None and (there.n, there.settled) == (60, True)
        judged.now += 7200
        strict[0] = 40
        judged.arrive(*outputs(250, 550))
        work_on(judged)
        found = {each.kind: each for each in judged.store.alerts()}
        assert set(found) == {"judge", "quality"}
        assert found["judge"].quiet == "" and "more strictly" in found["judge"].title
        assert found["quality"].quiet == "the judge changed"


@pytest.mark.slow
@pytest.mark.parametrize("settled", [True, False])
def test_a_fall_that_is_the_applications_is_told_once_the_judge_is_cleared(tmp_path: Path, settled: bool) -> None:
    with FakeProvider(answers([10], [False])) as provider:
        judged = Judged(tmp_path, a_store(tmp_path), provider.base_url, monitor=WATCHED)
        judged.arrive(*outputs(0, 250))
        work_on(judged, 4 if settled else 1)
        judged.now += 7200
        judged.arrive(*(f"{n}: quality {n % 15:02}" for n in range(250, 550)))  # a third of them is good
        work_on(judged)
        (found,) = judged.store.alerts()
        assert (found.kind, found.quiet) == ("quality", "")
        assert "the judge was checked: 60 frozen requests moved by +0.0 points" in found.evidence.note


@pytest.mark.slow
def test_a_fall_is_told_after_an_hour_though_the_judge_could_not_be_checked(tmp_path: Path) -> None:
    away = [False]
    with FakeProvider(answers([10], away)) as provider:
        judged = Judged(tmp_path, a_store(tmp_path), provider.base_url, monitor=WATCHED)
        judged.arrive(*outputs(0, 250))
        work_on(judged)
        judged.arrive(*(f"{n}: quality {n % 15:02}" for n in range(250, 550)))
        judged.now += 7200
        judged.work()
        away[0] = True
        work_on(judged)
        (waits,) = judged.store.alerts()
        assert (waits.kind, waits.quiet) == ("quality", "the judge is being checked")
        judged.now += 3601
        work_on(judged)
        (told,) = judged.store.alerts()
        assert told.quiet == "" and "the judge was not checked: not scored: " in told.evidence.note
