"""Back-fills over a store and workers: what they see, that estimates stay true, that they stop, go on, and end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean, stdev
from typing import Any

import pytest

from gatewatch.core import marks
from gatewatch.core.money import Cost
from gatewatch.core.rates import Rule, u_of
from gatewatch.core.score import Score
from gatewatch.online import backfill
from gatewatch.online.housekeeping import keep_house
from gatewatch.online.ledger import ledger
from gatewatch.online.monitor import DAY_S, Watch
from gatewatch.online.trends import trend
from gatewatch.online.window import Figure, Of
from gatewatch.scorers.base import Scorer, scorer
from gatewatch.store.filling import Backfill
from gatewatch.store.rows import Settled
from online.living import FLOW, START, Living, monitor, request, thumb, watch

DOWN = marks.bits(["thumbs_down"])


@scorer
def good(output: str) -> bool:
    return output == "yes"


@scorer
def live(output: str) -> bool:
    return bool(output)


@dataclass
class Paid:
    """A scorer that costs a cent, and what it was asked."""

    asked: int = 0

    def made(self) -> Scorer:
        """The scorer."""
        from msgspec.structs import replace

        @scorer(name="paid", version="1")
        async def paid(output: str) -> Score:
            self.asked += 1
            return Score(1.0, cost=Cost(0.01), model="m-1")

        return replace(paid, models=("judge",), source="judge")


def begun(living: Living, one: Scorer, *rules: Rule, most: float | None = None, numbers: Any = None) -> Backfill:
    """A back-fill of all there is by now."""
    work = living.store.work(FLOW, one.name, one.fingerprint, one.source)
    numbers = numbers or living.store.numbered(0, living.now + 1)
    return living.store.begin_backfill(work.id, rules, numbers, author="mia", now=living.now, most=most)


def finding(*scorers: Scorer, guess: float = 0.0) -> Callable[[str], Watch | None]:
    """What a worker finds scorers by."""
    return {each.name: Watch(scorer=each, rules=(), guess=guess) for each in scorers}.get


def told(living: Living, name: str) -> Figure:
    """What a scorer says of all there is."""
    found = trend(living.store, FLOW, since=START - DAY_S, until=living.now + DAY_S, tier="day")
    return next(each.total for each in found.scorers if each.scorer == name)


def state(living: Living, number: int = 1) -> tuple[str, str]:
    """Of a back-fill, whether it goes on, and why not."""
    found = next(each for each in living.store.backfills() if each.id == number)
    return found.state, found.reason


def test_it_scores_the_nested_sample_that_live_scoring_would(tmp_path: Path) -> None:
    living = Living(tmp_path)
    living.arrive(*(request(n) for n in range(100)))
    begun(living, good, Rule(0.4))
    living.work(find=finding(good))
    expected = {n for n in range(100) if u_of("", f"{n:032x}") < 0.4}
    rows = living.store.latest(FLOW, most=1000)
    scored = {int(row.id, 16): living.store.scores(row.seq)[0].pi for row in rows if living.store.scores(row.seq)}
    assert scored == dict.fromkeys(expected, 0.4)
    assert state(living) == ("done", "")
    (entry,) = ledger(living.store, next(row for row in rows if row.u >= 0.4)).entries
    assert (entry.fate, entry.pi) == ("sampled out", 0.4)


def test_only_requests_that_match_are_seen(tmp_path: Path) -> None:
    living = Living(tmp_path)
    living.arrive(*(request(n, slice="de" if n % 2 else "en", tags=("x",) if n < 4 else ()) for n in range(10)))
    living.hear(thumb(5))
    begun(living, good, Rule(1.0, slice="de", tag="x"))
    begun(living, live, Rule(1.0, marks=DOWN))
    living.work(find=finding(good, live))
    found = {
        row.id[-1]: {each.score.name for each in living.store.scores(row.seq)} for row in living.store.latest(FLOW)
    }
    assert {name: said - {"thumbs"} for name, said in found.items() if said} == {
        "1": {"good"},
        "3": {"good"},
        "5": {"live"},
    }
    assert told(living, "good").incomplete == "some requests are never sampled (a share of 0)"
    part = trend(living.store, FLOW, since=START - 1, until=START + 1, tier="day", of=Of("de"))
    assert [each.total.incomplete for each in part.scorers if each.scorer == "good"] != [""]  # a tag is no slice


def test_of_a_slice_that_was_filled_there_is_an_estimate(tmp_path: Path) -> None:
    living = Living(tmp_path)
    living.arrive(*(request(n, slice="de" if n % 2 else "en") for n in range(20)))
    begun(living, good, Rule(1.0, slice="de"))
    living.work(find=finding(good))
    part = trend(living.store, FLOW, since=START - 1, until=START + 1, tier="day", of=Of("de"))
    (found,) = (each.total for each in part.scorers if each.scorer == "good")
    assert (found.incomplete, found.estimate.mean, found.estimate.n) == ("", 1.0, 10)


def history(living: Living, seed: int, watched: Any, number: int) -> float:
    """Traffic of which the payloads of the first half are thinned, with thumbs in time and late ones; the truth."""
    random, half = Random(seed), number // 2
    values = [random.random() < 0.7 for _ in range(number)]
    down = [n for n in range(number) if random.random() < (0.05 if values[n] else 0.7)]
    late = {n for n in down if n < half and random.random() < 0.2}
    name = 10_000 * seed

    def arrive(some: range) -> None:
        living.arrive(*(request(name + n, output="yes" if values[n] else "no", started=living.now) for n in some))

    arrive(range(half))
    living.hear(*(thumb(name + n, at=living.now) for n in down if n < half and n not in late))
    living.work(watched)
    living.now += 2 * DAY_S
    arrive(range(half, number))
    keeping = living.worker(watched).chores.keeping
    while keep_house(living.store, [watched], keeping, now=living.now):
        pass
    living.hear(*(thumb(name + n, at=living.now) for n in down if n >= half or n in late))
    return fmean(values)


@pytest.mark.parametrize("monitored", [False, True], ids=["a new scorer", "one that is live already"])
def test_estimates_stay_unbiased_over_thinned_payloads_and_late_thumbs(
    tmp_path: Path, monitored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "_AT_ONCE", 90)
    monkeypatch.setattr(backfill, "_AHEAD", 20)
    always = Rule(1.0, marks=DOWN)
    watches = [watch(live, Rule(1.0))] + ([watch(good, Rule(0.1), always)] if monitored else [])
    watched = monitor(*watches, always=(always,), payload_rate=0.1)
    errors, naive, covered, seeds = [], [], 0, 14
    for seed in range(seeds):
        living = Living(tmp_path / f"{seed}")
        truth = history(living, seed, watched, 600)
        begun(living, good, Rule(0.5))
        living.work(watched, find=finding(good))
        assert state(living) == ("done", "")
        figure, estimate = told(living, "good"), told(living, "good").estimate
        assert (figure.incomplete, figure.waiting, estimate.mean is None) == ("", 0, False)
        assert estimate.mean is not None and estimate.interval is not None
        errors.append(estimate.mean - truth)
        covered += estimate.interval.low <= truth <= estimate.interval.high
        kept = [
            each.score.value
            for row in living.store.latest(FLOW, most=1000)
            for each in living.store.scores(row.seq)
            if each.score.name == "good" and each.score.value is not None
        ]
        naive.append(fmean(kept) - truth)
        living.store.close()
    noise = stdev(errors) / seeds**0.5
    said = (fmean(errors), noise, fmean(naive), covered)
    assert abs(fmean(errors)) < 3 * noise, said
    apart = [one - other for one, other in zip(naive, errors, strict=True)]
    assert fmean(apart) < -3 * stdev(apart) / seeds**0.5, (
        said
    )  # thumbs down are in the sample, and kept, more often than the rest
    assert covered >= seeds - 3, said


def test_where_no_payload_could_outlive_its_hold_there_is_no_estimate(tmp_path: Path) -> None:
    living = Living(tmp_path)
    watched = monitor(watch(live, Rule(1.0)), always=(Rule(1.0, marks=DOWN),), payload_rate=0.0)
    history(living, 0, watched, 100)
    begun(living, good, Rule(1.0))
    living.work(watched, find=finding(good))
    assert told(living, "good").incomplete == "some requests are never sampled (a share of 0)"


def test_what_was_let_go_for_want_of_room_counts_as_lost(tmp_path: Path) -> None:
    living = Living(tmp_path)
    living.arrive(*(request(n) for n in range(20)))
    living.now += 2 * DAY_S
    keep_house(living.store, [monitor(payload_rate=1.0)], living.worker().chores.keeping, now=living.now)
    assert living.store.let_go(1 << 30, 8) == 8
    begun(living, good, Rule(1.0))
    living.work(find=finding(good))
    assert told(living, "good").lost == {"no_payload": 8}
    assert told(living, "good").incomplete == "8 no payload"


def test_one_that_is_stopped_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "_AT_ONCE", 100)
    living = Living(tmp_path)
    living.arrive(*(request(n) for n in range(300)))
    first = begun(living, good, Rule(0.5))
    worker = living.worker(find=finding(good))
    worker._fill(living.now)
    living.store.turn_backfill(first.id, "stopped", now=living.now)
    assert living.work(find=finding(good)).scored == 0
    assert living.store.undone(first.id)["waiting"] > 0
    living.store.turn_backfill(first.id, "running", now=living.now)
    living.work(find=finding(good))
    assert state(living) == ("done", "")
    (done,) = living.store.backfills()
    assert done.done == done.made == sum(u_of("", f"{n:032x}") < 0.5 for n in range(300))
    assert told(living, "good").estimate.n == done.done


def test_two_workers_that_decide_at_once_do_not_double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "_AT_ONCE", 50)
    living = Living(tmp_path)
    living.arrive(*(request(n) for n in range(200)))
    begun(living, good, Rule(1.0))
    (stale,) = living.store.backfills()
    backfill.fill(living.store, stale, living.now)
    backfill.fill(living.store, stale, living.now)  # it read before the other wrote
    (now,) = living.store.backfills()
    assert (now.planned, now.made) == (50, 50)
    living.work(find=finding(good), owner="a")
    (done,) = living.store.backfills()
    assert (done.state, done.made, done.done) == ("done", 200, 200)


def test_its_budget_stops_it_and_the_monitors_is_not_touched(tmp_path: Path) -> None:
    living, paid = Living(tmp_path), Paid()
    one = paid.made()
    living.arrive(*(request(n) for n in range(50)))
    watched = monitor(watch(live, Rule(1.0)), watch(one, Rule(0.02), guess=0.01), budget=1.0)
    number = begun(living, one, Rule(1.0), most=0.2).id
    for _ in range(9):  # what is set aside for others is free a moment later
        living.work(watched, find=finding(one, guess=0.01))
        living.now += 1
    assert state(living) == ("stopped", "the back-fill's budget of 0.2 USD is used up")
    spent, aside = living.store.spent(f"backfill:{number}")
    assert (0.0 < spent <= 0.2, aside) == (True, 0.0)
    assert living.store.spent(f"m:{int(living.now // DAY_S)}")[1] == 0.0
    booked = sum(cell.cost for cell in living.store.spend(0, living.now + 1) if cell.kind == "judge")
    assert booked == pytest.approx(paid.asked * 0.01)
    assert living.store.turn_backfill(number, "running", now=living.now, most=5.0)
    living.work(watched, find=finding(one, guess=0.01))
    assert (state(living)[0], paid.asked) == ("done", 50)
    assert told(living, "paid").estimate.n == 50


def test_a_budget_is_not_used_up_by_what_was_guessed(tmp_path: Path) -> None:
    living, paid = Living(tmp_path), Paid()
    one = paid.made()
    living.arrive(*(request(n) for n in range(10)))
    number = begun(living, one, Rule(1.0), most=0.3).id
    work = living.store.work(FLOW, one.name, one.fingerprint, one.source)
    worker = living.worker(find=finding(one, guess=0.11))
    worker._fill(living.now)
    failed = Score(status="scorer_error", cost=Cost(0.01))  # it tells nothing of what a score costs
    for each in living.store.lease([work.id], "w", 1, living.now, living.now + 60, backfills=[number]):
        assert living.store.reserve(f"backfill:{number}", 0.3, 0.1, each.task)
        living.store.settle([Settled(each.task, each.attempt, failed, retry_at=living.now)], living.now)
    for _ in range(12):  # one is tried with all there is, and tells what a score costs
        living.work(find=finding(one, guess=0.11))
        living.now += 1
    assert (state(living)[0], paid.asked) == ("done", 10)


def test_what_a_backfill_spends_does_not_make_live_scores_look_dear(tmp_path: Path) -> None:
    from gatewatch.online.sample import cost_of

    living, paid = Living(tmp_path), Paid()
    one = paid.made()
    living.arrive(*(request(n, started=living.now - 9 * DAY_S) for n in range(30)))  # it happened long ago
    begun(living, one, Rule(1.0))
    living.work(find=finding(one))
    cost, guessed = cost_of(living.store, FLOW, watch(one, guess=0.5), living.now)
    assert cost == pytest.approx(0.01) and not guessed


def test_live_work_is_done_first_beside_a_great_backlog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "_AT_ONCE", 5000)
    living = Living(tmp_path)
    for start in range(0, 5000, 1000):
        living.arrive(*(request(n) for n in range(start, start + 1000)))
    number = begun(living, good, Rule(1.0)).id
    watched = monitor(watch(live, Rule(1.0)))
    worker = living.worker(watched, find=finding(good))
    worker.planner.plan(watched, {}, living.now)
    worker._fill(living.now)
    assert living.store.undone(number)["waiting"] == 5000
    work = living.store.work(FLOW, live.name, live.fingerprint, live.source)
    taken: list[int] = []
    for turn in range(40):  # live tasks trickle in; each time there is room for eight
        living.arrive(request(10_000 + turn))
        worker._plan(living.now)
        leased = living.store.lease([work.id], "w", 8, living.now, living.now + 60, backfills=[number], turn=turn)
        taken.append(sum(each.backfill == 0 for each in leased))
        assert [bool(each.backfill) for each in leased] == sorted(bool(each.backfill) for each in leased)
        living.store.settle([_scored(each) for each in leased], living.now)
    assert min(taken) >= 6  # of eight: a quarter is the back-fill's, while live work waits


def _scored(leased: Any) -> Any:
    return Settled(leased.task, leased.attempt, Score(1.0, name="x", fingerprint="y"))


def test_a_flow_with_a_great_backlog_does_not_starve_another(tmp_path: Path) -> None:
    living = Living(tmp_path)
    living.arrive(*(request(n) for n in range(2000)))
    living.now += 10
    living.arrive(*(request(n, flow="search") for n in range(5000, 5010)))
    great = monitor(watch(good, Rule(1.0)))
    small = monitor(watch(good, Rule(1.0)), name="s", flow="search")
    worker = living.worker(great, small)

    async def taken() -> list[str]:
        worker._step(hurry=False)
        found = [leased.row.flow for leased, _ in worker._waiting.values()]
        await worker._drained()
        return found

    flows = asyncio.run(taken())
    assert (flows.count("search"), len(flows)) == (10, 32)


def test_a_version_that_a_worker_does_not_have_is_left_to_others(tmp_path: Path) -> None:
    living = Living(tmp_path)
    living.arrive(request(1))
    begun(living, good, Rule(1.0))
    older = scorer(name="good", version="older")(good.fn)
    assert living.work(find=finding(older)).scored == 0
    assert state(living) == ("running", "")
    assert living.work(find=finding(good)).scored == 1


def test_a_worker_tells_which_versions_it_has(tmp_path: Path) -> None:
    living = Living(tmp_path)
    living.arrive(request(1))
    begun(living, good, Rule(1.0))
    worker = living.worker(find=finding(good), versions={"polite": "a" * 12})
    asyncio.run(worker.run(asyncio.Event(), once=True))
    assert living.store.workers(0)["w1"].scorers == {"polite": "a" * 12, "good": good.fingerprint}


def test_a_monitor_that_takes_up_a_backfilled_scorer_later_stays_unbiased(tmp_path: Path) -> None:
    """What was thinned meanwhile can be scored only where it was kept: it is planned by rules that say so."""
    living = Living(tmp_path)
    living.arrive(*(request(n) for n in range(400)))
    begun(living, good, Rule(1.0), numbers=(1, 10))
    living.work(find=finding(good))
    living.now += 2 * DAY_S
    keep_house(living.store, [monitor(payload_rate=0.3)], living.worker().chores.keeping, now=living.now)
    watched = monitor(watch(good, Rule(0.6)), payload_rate=0.3)
    living.work(watched)
    rows = [row for row in living.store.latest(FLOW, most=1000) if row.seq > 10]
    assert {each.pi for row in rows for each in living.store.scores(row.seq)} == {0.3}
    assert all((row.u < 0.3) == bool(living.store.scores(row.seq)) for row in rows)
