"""Deciding: one probability for all that is known in the end, whoever decides, whatever comes between."""

from pathlib import Path

import pytest

from gatewatch.core.marks import bits
from gatewatch.core.rates import Epoch, Rule, u_of
from gatewatch.core.score import Score
from gatewatch.online.ledger import ledger
from gatewatch.online.monitor import DAY_S
from gatewatch.online.sample import Planner, _gap, stepped
from gatewatch.scorers.base import scorer
from gatewatch.scorers.session import turns
from gatewatch.store.rows import Plan
from online.living import START, Living, monitor, request, thumb, watch

DOWN = Rule(1.0, marks=bits(["thumbs_down"]))


@scorer
def good(output: str) -> bool:
    return output == "yes"


@scorer
def calm(session: object) -> Score:
    return Score(1.0)


@pytest.fixture
def living(tmp_path: Path) -> Living:
    return Living(tmp_path)


def pi_of(living: Living, number: int, name: str = "good") -> float:
    row = living.store.find(f"{number:032x}")
    assert row is not None
    return next(entry.pi for entry in ledger(living.store, row).entries if entry.scorer == name)


def test_two_versions_of_the_rules_side_by_side_do_not_undo_each_others_work(living: Living) -> None:
    living.arrive(*(request(n) for n in range(5000)))
    old, new = monitor(watch(good, Rule(0.1))), monitor(watch(good, Rule(0.2)))
    one, other = Planner(living.store), Planner(living.store)
    for _ in range(10):
        one.plan(old, {}, living.now)
        other.plan(new, {}, living.now)
    (work,) = (each for each in living.store.works() if each.scorer == "good")
    assert work.planned == 5000
    assert {pi_of(living, n) for n in range(0, 5000, 500)} <= {0.1, 0.2}


def test_a_decision_that_another_overtook_is_not_kept(living: Living) -> None:
    living.arrive(*(request(n) for n in range(10)))
    watched = monitor(watch(good, Rule(0.0), DOWN))
    Planner(living.store).plan(watched, {}, living.now)
    (work,) = (each for each in living.store.works() if each.scorer == "good")
    stale = Plan(tuple((n, living.now, 0.5) for n in range(1, 11)), (), None, 10, 0, (0, 0))
    assert living.store.plan(work.id, stale) == 0
    assert living.store.counts().tasks == {}


def test_a_budget_lowers_the_share_of_sessions_as_that_of_requests(living: Living) -> None:
    living.now = START - START % DAY_S + DAY_S / 2
    begun = living.now
    living.arrive(*(request(n, session=f"s{n}", started=begun) for n in range(400)))
    living.now += 3600
    watched = monitor(watch(calm, Rule(1.0)), budget=1.0)
    Planner(living.store).plan(watched, {"calm": 0.1}, living.now)
    shares = {pi_of(living, n, "calm") for n in range(400)}
    assert len(shares) == 1
    share = shares.pop()
    assert share < 0.02  # some 0.6 of one dollar, of 40 that are wanted
    assert living.store.counts().tasks == {"waiting": sum(u_of(f"s{n}", "") < share for n in range(400))}


def test_a_thumb_after_a_sessions_end_calls_for_scoring_it(living: Living) -> None:
    living.arrive(*(request(n, session=f"s{n}") for n in range(50)))
    watched = monitor(watch(turns(), Rule(0.0), DOWN))
    living.now += 3600
    assert living.work(watched).scored == 0
    living.hear(*(thumb(n, at=living.now) for n in range(10)))
    assert living.work(watched).scored == 10
    assert {pi_of(living, n, "turns") for n in range(10)} == {1.0}


def test_a_scorer_of_sessions_that_comes_later_sees_those_that_are_held(living: Living) -> None:
    living.arrive(*(request(n, session=f"s{n}") for n in range(20)))
    living.now += 3600
    living.work(monitor(watch(good, Rule(1.0))))
    assert living.work(monitor(watch(good, Rule(1.0)), watch(turns(), Rule(1.0)))).scored == 20


def test_a_session_with_a_turn_that_has_no_payload_is_not_judged_by_the_rest(living: Living) -> None:
    from gatewatch.core.trace import Trace
    from online.living import FLOW

    living.arrive(request(1, session="s"), Trace(id=f"{2:032x}", flow=FLOW, session="s", started=START + 1))
    living.now += 3600
    assert living.work(monitor(watch(turns(), Rule(1.0)))).given_up == 1
    row = living.store.find(f"{1:032x}")
    assert row is not None
    entry = ledger(living.store, row).entries[0]
    assert (entry.fate, entry.why) == ("no payload", "1 of its 2 turns have no payload")


def test_once_goes_on_after_what_a_worker_died_over(living: Living) -> None:
    living.arrive(*(request(n) for n in range(30)))
    watched = monitor(watch(good, Rule(1.0)))
    Planner(living.store).plan(watched, {}, living.now)
    (work,) = (each for each in living.store.works() if each.scorer == "good")
    assert len(living.store.lease([work.id], "dead", 3, living.now, living.now + 1)) == 3
    living.now += 2
    assert living.work(watched).scored == 30


def test_a_multiplier_stays_for_a_while_and_is_one_of_few(living: Living) -> None:
    assert stepped(1.5) == 1.0 and stepped(0.0) > 0
    assert [stepped(2.0 ** -(n / 4)) for n in range(5)] == [pytest.approx(2.0 ** -(n / 4)) for n in range(5)]
    living.now = START - START % DAY_S + DAY_S / 2
    watched, planner = monitor(watch(good, Rule(1.0)), budget=1.0), Planner(living.store)
    for n in range(50):
        living.arrive(*(request(100 * n + each, started=living.now) for each in range(100)))
        planner.plan(watched, {"good": 0.05}, living.now)
        living.now += 1
    (work,) = (each for each in living.store.works() if each.scorer == "good")
    assert len(living.store.epochs(work.id, 0, 10**9)) < 15


def test_gaps() -> None:
    epochs = [Epoch(5, 9, ()), Epoch(1, 3, ())]
    assert _gap(epochs, 1, 9) and _gap([], 1, 1) and not _gap([], 2, 1)
    assert not _gap([*epochs, Epoch(4, 4, ())], 1, 9)


def test_traffic_of_other_flows_is_no_reason_to_begin_anew(living: Living) -> None:
    watched, planner = monitor(watch(good, Rule(0.5))), Planner(living.store)
    for n in range(5):
        living.arrive(request(2 * n), request(2 * n + 1, flow="other"))
        planner.plan(watched, {}, living.now)
        living.arrive(request(100 + n, flow="other"))
        planner.plan(watched, {}, living.now)
    (work,) = (each for each in living.store.works() if each.scorer == "good")
    assert [(each.first, each.last) for each in living.store.epochs(work.id, 0, 100)] == [(1, 15)]
    Planner(living.store).plan(watched, {}, living.now)  # a worker that starts
    assert next(each for each in living.store.works() if each.scorer == "good").planned == 15


def test_work_of_an_older_scorer_neither_holds_up_the_new_one_nor_counts_as_its_money(living: Living) -> None:
    from msgspec.structs import replace

    old = replace(good, identify=lambda: calm.identity)  # the same name by another ruler
    living.arrive(*(request(n) for n in range(40)))
    planner = Planner(living.store)
    living.now = START - START % DAY_S + DAY_S / 2  # when some 55 of 100 dollars may be promised
    planner.plan(monitor(watch(old, Rule(1.0)), budget=100.0), {"good": 1.0}, living.now)
    assert living.store.counts().tasks == {"waiting": 40}  # and nobody does them any more
    planner.plan(monitor(watch(good, Rule(1.0)), budget=100.0), {"good": 1.0}, living.now, guessed=["good"])
    assert living.store.counts().tasks == {"waiting": 80}
