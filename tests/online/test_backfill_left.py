"""What back-fills leave undone: nothing claims to know of it, others take it over, and late spans bring it back."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from gatewatch.core.rates import Rule
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.online import backfill
from gatewatch.online.ingest import Ways, arrival_of
from gatewatch.scorers.base import Scorer
from gatewatch.store.rows import Arrivals, Settled
from online.living import FLOW, Living, monitor, request, watch
from online.test_backfill import begun, finding, good, state, told


def some_scored(living: Living, one: Scorer, number: int, most: int) -> list[float]:
    """Have a back-fill score so many, and give their places in [0, 1)."""
    living.worker(find=finding(one))._fill(living.now)
    work = living.store.work(FLOW, one.name, one.fingerprint, one.source)
    leased = living.store.lease([work.id], "w", most, living.now, living.now + 60, backfills=[number])
    score = Score(1.0, name=one.name, fingerprint=one.fingerprint, source=one.source)
    living.store.settle([Settled(each.task, each.attempt, score) for each in leased], living.now)
    return [each.row.u for each in leased]


def some_spans(number: int, **given: object) -> Trace:
    return replace(request(number), span_id="0" * 16, **given)


def settled(living: Living, *traces: Trace) -> None:
    made = tuple(replace(arrival_of(each, Ways(), now=living.now), again=True) for each in traces)
    living.store.take_in(Arrivals(made), living.now)


def test_of_what_a_stopped_one_left_there_is_no_estimate(tmp_path: Path) -> None:
    living = Living(tmp_path)
    living.arrive(*(request(n) for n in range(300)))
    number = begun(living, good, Rule(1.0)).id
    chosen = some_scored(living, good, number, 100)
    assert max(chosen) < 0.6, "they were not chosen at random, but by their age"
    assert told(living, "good").waiting == 200
    living.store.turn_backfill(number, "stopped", now=living.now)
    figure = told(living, "good")
    assert (figure.waiting, figure.incomplete, figure.estimate.mean) == (0, "200 of a stopped back-fill", None)
    living.store.turn_backfill(number, "running", now=living.now)
    living.work(find=finding(good))
    figure = told(living, "good")
    assert (figure.incomplete, figure.estimate.n) == ("", 300)


@pytest.mark.parametrize("end", ["running", "stopped"])
def test_of_what_one_has_not_come_to_there_is_no_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(backfill, "_AT_ONCE", 100)
    living = Living(tmp_path)
    living.arrive(*(request(n) for n in range(300)))
    number = begun(living, good, Rule(1.0)).id
    some_scored(living, good, number, 100)
    if end == "stopped":
        living.store.turn_backfill(number, "stopped", now=living.now)
    figure = told(living, "good")
    assert (figure.incomplete, figure.estimate.mean) == ("a back-fill has not come to some requests", None)


def test_live_scoring_takes_over_what_a_stopped_one_left(tmp_path: Path) -> None:
    living = Living(tmp_path)
    living.arrive(*(request(n) for n in range(100)))
    number = begun(living, good, Rule(1.0)).id
    some_scored(living, good, number, 30)
    living.store.turn_backfill(number, "stopped", now=living.now)
    living.work(monitor(watch(good, Rule(1.0))))
    (left,) = living.store.backfills()
    assert (left.made, left.done, living.store.undone(number)) == (30, 30, {})
    figure = told(living, "good")
    assert (figure.incomplete, figure.waiting, figure.estimate.n) == ("", 0, 100)


def test_another_one_takes_over_what_a_stopped_one_left_but_not_what_one_works_on(tmp_path: Path) -> None:
    living = Living(tmp_path)
    living.arrive(*(request(n) for n in range(100)))
    first = begun(living, good, Rule(1.0)).id
    some_scored(living, good, first, 30)
    second = begun(living, good, Rule(1.0)).id
    living.worker(find=finding(good))._fill(living.now)
    assert (living.store.undone(first), living.store.undone(second)) == ({"waiting": 70}, {})
    living.store.turn_backfill(first, "stopped", now=living.now)
    third = begun(living, good, Rule(1.0)).id
    living.worker(find=finding(good))._fill(living.now)
    assert (living.store.undone(first), living.store.undone(third)) == ({}, {"waiting": 70})
    living.work(find=finding(good))
    assert told(living, "good").estimate.n == 100
    assert [state(living, each)[0] for each in (first, second, third)] == ["stopped", "done", "done"]


def test_a_score_that_late_spans_withdraw_is_made_again(tmp_path: Path) -> None:
    living = Living(tmp_path)
    settled(living, *(some_spans(n) for n in range(20)))
    number = begun(living, good, Rule(1.0)).id
    living.work(find=finding(good))
    assert (state(living)[0], told(living, "good").estimate.mean) == ("done", 1.0)
    settled(living, *(some_spans(n, output="no") for n in range(0, 20, 2)))
    assert (state(living)[0], living.store.undone(number)) == ("running", {"waiting": 10})
    living.work(find=finding(good))
    figure = told(living, "good")
    assert (state(living)[0], figure.estimate.n, figure.estimate.mean) == ("done", 20, 0.5)
    (done,) = living.store.backfills()
    assert done.made == done.done
