"""The worker: each request is scored once, by its share, whatever arrives late, dies, fails or has no money left."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from gatewatch.core.marks import bits
from gatewatch.core.rates import Rule, u_of
from gatewatch.core.score import Score
from gatewatch.core.trace import Fault, Trace
from gatewatch.online.ledger import Ledger, ledger
from gatewatch.online.monitor import DAY_S
from gatewatch.online.trends import trend
from gatewatch.scorers.base import Scorer, scorer
from gatewatch.scorers.session import retries
from gatewatch.store.open import open_store
from gatewatch.store.rows import Row
from online.living import FLOW, START, Living, monitor, request, thumb, watch

DOWN = Rule(1.0, marks=bits(["thumbs_down"]))


@scorer
def good(output: str) -> bool:
    return output == "yes"


@pytest.fixture
def living(tmp_path: Path) -> Living:
    return Living(tmp_path)


def row(living: Living, number: int) -> Row:
    found = living.store.find(f"{number:032x}")
    assert found is not None
    return found


def told(living: Living, number: int) -> Ledger:
    return ledger(living.store, row(living, number))


def fates(living: Living, number: int) -> dict[str, str]:
    return {entry.scorer: entry.fate for entry in told(living, number).entries}


def sampled(number: int, share: float) -> bool:
    return u_of("", f"{number:032x}") < share


def test_each_request_is_scored_by_its_share_and_the_ledger_says_so(living: Living) -> None:
    living.arrive(*(request(n) for n in range(200)))
    watched = monitor(watch(good, Rule(0.25)))
    done = living.work(watched)
    assert done.scored == sum(sampled(n, 0.25) for n in range(200))
    assert living.work(watched).scored == 0
    for n in range(200):
        assert fates(living, n) == {"good": "scored" if sampled(n, 0.25) else "sampled out"}
    found = trend(living.store, FLOW, since=START - 60, until=START + 60)
    assert found.signals.n == 200
    assert found.scorers[0].total.estimate.mean == 1.0
    assert found.scorers[0].total.estimate.n == done.scored


def test_a_thumb_that_comes_later_calls_for_scoring_and_changes_the_probability(living: Living) -> None:
    living.arrive(*(request(n, output="yes" if n % 10 else "no") for n in range(400)))
    watched = monitor(watch(good, Rule(0.1), DOWN))
    living.work(watched)
    living.now += 3600
    wrong = [n for n in range(400) if not n % 10]
    living.hear(*(thumb(n, at=living.now) for n in wrong))
    living.work(watched)
    assert all(fates(living, n)["good"] == "scored" for n in wrong)
    assert {told(living, n).entries[0].pi for n in wrong} == {1.0}
    estimate = trend(living.store, FLOW, since=START - 60, until=START + 60).scorers[0].total.estimate
    rest = sum(sampled(n, 0.1) for n in range(400) if n % 10)
    assert estimate.mean == pytest.approx(rest / 0.1 / (rest / 0.1 + len(wrong)))
    assert estimate.n == rest + len(wrong)


def test_feedback_before_its_request_twice_and_for_an_unknown_one(living: Living) -> None:
    assert living.hear(thumb(1), thumb(1), thumb(999)).parked == 2
    living.arrive(request(1), request(2))
    watched = monitor(watch(good, Rule(0.0), DOWN))
    living.work(watched)
    assert fates(living, 1) == {"good": "scored"}
    assert fates(living, 2) == {"good": "sampled out"}
    assert [each.score.name for each in told(living, 1).said] == ["thumbs"]
    assert living.store.counts().parked == 1
    living.now += 8 * DAY_S
    living.work(watched)
    assert living.store.counts().parked == 0


def test_a_share_of_nothing_is_not_estimated_for_all(living: Living) -> None:
    living.hear(*(thumb(n) for n in range(5)))
    living.arrive(*(request(n) for n in range(20)))
    living.work(monitor(watch(good, Rule(0.0), DOWN)))
    total = trend(living.store, FLOW, since=START - 60, until=START + 60).scorers
    figure = next(each.total for each in total if each.scorer == "good")
    assert (figure.estimate.mean, figure.incomplete) == (None, "some requests are never sampled (a share of 0)")


def test_what_had_no_chance_yesterday_is_not_estimated_by_the_share_of_today(living: Living) -> None:
    always = {"always": (DOWN,), "payload_rate": 0.0}
    living.arrive(*(request(n, output="yes" if n % 10 else "no") for n in range(400)))
    living.hear(*(thumb(n) for n in range(0, 400, 10)))
    living.work(monitor(watch(good, Rule(0.0), DOWN), **always))
    living.now += 2 * DAY_S
    living.work(monitor(watch(good, Rule(0.0), DOWN), **always))
    later = living.now
    living.arrive(*(request(n, started=later, output="yes" if n % 10 else "no") for n in range(400, 600)))
    living.work(monitor(watch(good, Rule(0.2), DOWN), **always))
    found = next(
        each
        for each in trend(living.store, FLOW, since=START - 60, until=later + 60, tier="day").scorers
        if each.scorer == "good"
    )
    never = "some requests are never sampled (a share of 0)"
    assert (found.total.estimate.mean, found.total.incomplete) == (None, never)
    assert [(figure.estimate.mean is None, figure.incomplete) for _, figure in found.points] == [
        (True, never),
        (False, ""),
    ]


def test_a_raised_share_reaches_back_as_far_as_payloads_are_held(living: Living) -> None:
    living.arrive(*(request(n) for n in range(300)))
    living.work(monitor(watch(good, Rule(0.05))))
    living.work(monitor(watch(good, Rule(0.3))))
    assert [n for n in range(300) if fates(living, n)["good"] == "scored"] == [n for n in range(300) if sampled(n, 0.3)]
    assert {told(living, n).entries[0].pi for n in range(300)} == {0.3}
    living.work(monitor(watch(good, Rule(0.05))))  # lowered again: what was scored was scored with 0.3
    living.arrive(*(request(n) for n in range(300, 600)))
    living.work(monitor(watch(good, Rule(0.05))))
    assert {told(living, n).entries[0].pi for n in range(300)} == {0.3}
    assert {told(living, n).entries[0].pi for n in range(300, 600)} == {0.05}


def test_payloads_are_thinned_and_a_mark_that_comes_after_that_finds_none(living: Living) -> None:
    watched = monitor(watch(good, Rule(0.05), DOWN), hold_s=DAY_S, payload_rate=0.2, always=(DOWN,))
    living.arrive(*(request(n) for n in range(200)))
    living.hear(*(thumb(n) for n in range(10)))
    living.work(watched)
    living.now += DAY_S + 61
    living.work(watched)
    kept = [n for n in range(200) if row(living, n).payload == "kept"]
    assert kept == [n for n in range(200) if n < 10 or sampled(n, 0.2)]
    living.hear(*(thumb(n, at=living.now) for n in range(100, 200)))
    living.work(watched)
    for n in range(100, 200):
        entry = told(living, n).entries[0]
        assert entry.pi == pytest.approx(0.2)
        assert entry.fate == ("scored" if sampled(n, 0.2) else "no payload")


def test_a_request_without_a_payload_says_so(living: Living) -> None:
    living.arrive(Trace(id=f"{1:032x}", flow=FLOW, latency_s=0.5))
    living.work(monitor(watch(good, Rule(1.0))))
    assert fates(living, 1) == {"good": "no payload"}


def test_a_lease_that_ran_out_is_taken_again_and_scored_once(living: Living) -> None:
    living.arrive(*(request(n) for n in range(5)))
    watched = monitor(watch(good, Rule(1.0)))
    dead = living.worker(watched, owner="dead")
    dead._plan(living.now)
    assert len(living.store.lease(list(dead._watched), "dead", 10, living.now, living.now + 120)) == 5
    assert living.work(watched).scored == 0
    living.now += 121
    assert living.work(watched).scored == 5


def test_what_kills_its_workers_is_set_aside_with_its_reason(living: Living) -> None:
    living.arrive(request(1))
    watched = monitor(watch(good, Rule(1.0)))
    dying = living.worker(watched)
    dying._plan(living.now)
    for _ in range(5):
        suspects = bool(living.store.suspects(list(dying._watched), living.now))
        assert living.store.lease(list(dying._watched), "dead", 10, living.now, living.now + 120, suspects=suspects)
        living.now += 121
    assert living.work(watched).given_up == 1
    entry = told(living, 1).entries[0]
    assert (entry.fate, entry.why) == ("failed", "given up: 5 workers died over it")


def test_a_scorer_that_fails_is_tried_three_times_and_its_error_is_kept(living: Living) -> None:
    tries = []

    @scorer
    def broken(output: str) -> bool:
        tries.append(output)
        raise ValueError("no")

    living.arrive(request(1))
    watched = monitor(watch(broken, Rule(1.0)))
    for _ in range(6):
        living.work(watched)
        living.now += 400
    assert len(tries) == 3
    entry = told(living, 1).entries[0]
    assert entry.fate == "scorer error" and entry.score is not None
    assert entry.score.explanation.startswith("ValueError: no")
    figure = trend(living.store, FLOW, since=START - 60, until=living.now).scorers[0].total
    assert (figure.unknown, figure.estimate.mean, figure.incomplete) == (1, None, "1 scorer errors")


def test_a_request_that_failed_scores_nought_and_is_marked(living: Living) -> None:
    living.arrive(request(1, output=None, error=Fault("boom")), request(2))
    living.work(monitor(watch(good, Rule(0.0), Rule(1.0, marks=bits(["error"])))))
    entry = told(living, 1).entries[0]
    assert entry.score is not None
    assert (entry.score.value, entry.score.status) == (0.0, "task_error")
    assert fates(living, 2) == {"good": "sampled out"}


def test_sessions_are_scored_whole_when_they_have_ended_and_again_when_they_go_on(living: Living) -> None:
    asked = ["where is my order 17?", "that is not what I asked", "where is my order 17?"]
    watched = monitor(watch(retries(), Rule(1.0)), session_end_s=1800)
    living.arrive(*(request(n, session="s", input=asked[n], started=START + n) for n in (1, 0)))
    assert living.work(watched).scored == 0
    living.now += 1900
    assert living.work(watched).scored == 1
    first = told(living, 1).entries[0]  # of those that arrived
    assert first.score is not None and (first.score.value, first.score.label) == (0.0, "1 of 1 retried")
    assert "retried" in names_of(living, 0)
    living.arrive(request(2, session="s", input=asked[2], started=living.now))
    living.now += 1900
    assert living.work(watched).scored == 1
    again = told(living, 1).entries[0]
    assert again.score is not None and again.score.label == "2 of 2 retried"
    cells = [cell for cell in living.store.cells(FLOW, "day", START - DAY_S, living.now) if cell.scorer == "retries"]
    assert sorted((cell.source, cell.n) for cell in cells) == [("rule", 1), ("signal", 1)]


def names_of(living: Living, number: int) -> tuple[str, ...]:
    from gatewatch.core.marks import names

    return names(row(living, number).marks)


def test_a_target_becomes_a_known_share_of_the_day(living: Living) -> None:
    living.now = START - START % DAY_S + DAY_S / 2
    start = living.now
    living.arrive(*(request(n, started=start) for n in range(1000)))
    watched = monitor(replace(watch(good, Rule(1.0)), per_day=100))
    living.work(watched)
    shares = {told(living, n).entries[0].pi for n in range(0, 1000, 50)}
    assert len(shares) == 1
    share = shares.pop()
    assert 0.04 < share <= 0.05  # 2,000 a day at this pace
    assert living.store.counts().scores == sum(sampled(n, share) for n in range(1000))


def test_a_scorer_that_never_comes_back_is_given_up(living: Living) -> None:
    from threading import Event

    held = Event()

    @scorer
    def stuck(output: str) -> bool:
        return held.wait(60)

    living.arrive(request(1))
    watched = monitor(watch(stuck, Rule(1.0)))
    done = living.work(watched, scorer_timeout=0.05)
    held.set()
    assert done.put_off == 1
    assert fates(living, 1) == {"stuck": "waiting"}
    assert "no answer within" in told(living, 1).entries[0].why


def test_scorers_may_be_asynchronous(living: Living) -> None:
    @scorer
    async def slow(output: str) -> Score:
        return Score(0.5, "half")

    living.arrive(*(request(n) for n in range(50)))
    assert living.work(monitor(watch(slow, Rule(1.0))), concurrency=7).scored == 50
    assert isinstance(slow, Scorer)


def test_a_locked_store_is_waited_for_and_what_was_scored_meanwhile_is_kept(
    living: Living, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import asyncio
    import sqlite3

    living.store.close()
    living.store = open_store(tmp_path / "store.db", busy_s=0.05)
    living.arrive(*(request(n) for n in range(3)))
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)

    @scorer
    async def locks(output: str) -> bool:
        if not other.in_transaction:
            other.execute("BEGIN IMMEDIATE")
        return True

    async def work() -> None:
        stop = asyncio.Event()
        running = asyncio.ensure_future(living.worker(monitor(watch(locks, Rule(1.0)))).run(stop))
        while "keep it locked" not in caplog.text and "locked" not in caplog.text:
            assert not running.done()
            await asyncio.sleep(0.01)
        other.execute("ROLLBACK")
        while living.store.counts().scores < 3:
            assert not running.done()
            await asyncio.sleep(0.01)
        stop.set()
        await running

    asyncio.run(asyncio.wait_for(work(), 60))
    other.close()
    assert caplog.text.count("tried again until it works") == 1


def test_a_payload_that_cannot_be_read_is_said_and_the_rest_goes_on(living: Living) -> None:
    from gatewatch.store.rows import Arrival, Arrivals

    broken = Arrival(request(1), b'{"id": 5}', START, 0.1)
    living.store.take_in(Arrivals((broken,)), START)
    living.arrive(request(2))
    assert living.work(monitor(watch(good, Rule(1.0)))).given_up == 1
    assert fates(living, 2) == {"good": "scored"}
    assert told(living, 1).entries[0].why.startswith("a payload cannot be read: Expected `str`, got `int`")
