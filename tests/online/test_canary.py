"""Judge drift: which requests are frozen, and what their scores say of the judge when they are made again."""

import random
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.checks.traffic import DAY, FLOW, NOW, judged, lease, planned
from gatewatch.core.watch import Alert
from gatewatch.online import canary
from gatewatch.online.canary import (
    chosen_of,
    cleared,
    freeze,
    judge_alert,
    judge_state,
    key_of,
    unchecked,
    verdict,
    want_check,
)
from gatewatch.store.base import Store
from gatewatch.store.canaries import CanaryCheck, Candidate, Rescored
from gatewatch.store.rows import Settled
from gatewatch.store.watching import Stream, WatchStep
from shared import rows
from store.making import a_store, backend  # noqa: F401 - every test runs on both

STREAM = Stream(7, FLOW, "helpful", "f" * 12, "judge")
HOUR = 3600.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with 80 requests, of which every fourth was judged bad."""
    made = a_store(tmp_path)
    work = planned(made, *(f"r{number}" for number in range(80)))
    made.settle(
        [Settled(each.task, each.attempt, judged(float(each.row.seq % 4 > 0))) for each in lease(made, work)], NOW
    )
    return made


def scored_again(store: Store, now: float, bad: int = 0) -> None:
    """The canaries are scored once more, and so many of the good are now called bad."""
    found = store.lease_canaries([STREAM.id], "w", now, now + 60)
    assert found is not None
    values = {each.seq: each.value for each in found.canaries}
    for seq in [seq for seq, value in values.items() if value][:bad]:
        values[seq] = 0.0
    assert store.keep_canaries(Rescored(lease=found, stream=STREAM, values=values, due=now + DAY), now)


def watched(store: Store) -> Store:
    assert freeze(store, STREAM, NOW) == 60
    scored_again(store, NOW)
    return store


def alert_of(store: Store, now: float, before: Alert | None = None) -> Alert:
    found = judge_alert(store, STREAM, now, before)
    assert isinstance(found, Alert)
    return found


# Which are frozen


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.sampled_from("ab")), min_size=61, max_size=300))
def test_they_are_taken_evenly_over_the_ranks_of_the_scores(found: list[tuple[float, str]]) -> None:
    candidates = [Candidate(seq, part, value) for seq, (value, part) in enumerate(found)]
    chosen = chosen_of(candidates)
    assert len({each.seq for each in chosen}) == 60 and chosen == chosen_of(candidates[::-1])
    for group in [(value, part) for value in (0.0, 0.25, 0.5, 1.0) for part in "ab"]:
        share, wanted = (sum((each.value, each.slice) == group for each in some) for some in (chosen, candidates))
        assert abs(share - wanted * 60 / len(candidates)) <= 2
    values = [each.value for each in candidates]
    assert (chosen[0].value, chosen[-1].value) == (min(values), max(values))


def test_a_noisy_judge_that_stays_the_same_does_not_seem_to_move() -> None:
    """Of one that is wrong on 8 in 100, the few that it called bad are half good: taken evenly over the values, they
    would score 9 points higher the next time, without any change."""
    alarms = 0
    for seed in range(200):
        rng = random.Random(seed)

        def vote(good: bool, rng: random.Random = rng) -> float:
            return float(good != (rng.random() < 0.08))

        truth = [rng.random() < 0.9 for _ in range(1000)]
        chosen = chosen_of([Candidate(seq, "", vote(good)) for seq, good in enumerate(truth)])
        pairs = tuple(((each.value + vote(truth[each.seq])) / 2, vote(truth[each.seq])) for each in chosen)
        found = verdict(CanaryCheck(NOW, pairs, 1))
        alarms += found is not None and found.changed
    assert alarms <= 6, "of 200 checks 2.2 are expected to be wrong"


def test_nothing_is_frozen_of_too_few_and_nothing_twice(tmp_path: Path, store: Store) -> None:
    (tmp_path / "other").mkdir()
    empty = a_store(tmp_path / "other")
    assert freeze(empty, STREAM, NOW) == 0 and empty.canary_set(STREAM.id) is None
    assert freeze(store, STREAM, NOW) == 60
    assert freeze(store, STREAM, NOW + 5) == 60
    first = store.canary_set(STREAM.id)
    assert first is not None and first.frozen == NOW
    assert freeze(store, STREAM, NOW + 9, anew=True) == 60
    again = store.canary_set(STREAM.id)
    assert again is not None and again.frozen == NOW + 9


# What they say


def test_nothing_is_known_without_a_check_of_the_last_hour(store: Store) -> None:
    assert not want_check(store, STREAM, NOW)
    assert unchecked(store, STREAM) == "the judge was not checked: no canaries are frozen"
    watched(store)
    assert judge_state(store, STREAM, NOW) == "unknown"
    assert want_check(store, STREAM, NOW + 60)
    scored_again(store, NOW + 60)
    assert judge_state(store, STREAM, NOW + 60 + HOUR) == "ok"
    assert judge_state(store, STREAM, NOW + 61 + HOUR) == "unknown"
    said = "the judge was checked: 60 frozen requests moved by +0.0 points (95 %: -6.0 to +6.0)"
    assert cleared(store, STREAM) == said, "equal ones do not tell that all are"
    assert want_check(store, STREAM, NOW + 90)
    assert store.lease_canaries([STREAM.id], "w", NOW + 91, NOW + 99) is None, "it is not checked again so soon"
    assert unchecked(store, STREAM) == "the judge was not checked: its canaries were not scored in time"


def test_a_changed_judge_stays_changed_until_its_canaries_score_as_before(store: Store) -> None:
    watched(store)
    scored_again(store, NOW + DAY, bad=15)
    assert judge_state(store, STREAM, NOW + 1.9 * DAY) == "changed"
    alert = alert_of(store, NOW + DAY + 5)
    assert (alert.key, alert.kind, alert.severity) == (key_of(STREAM), "judge", "ticket")
    assert alert.title == "the judge of helpful changed: it scores more strictly, by 25.0 points"
    told = alert.evidence
    assert (told.n, told.onset) == (60, NOW + DAY)
    assert (told.before, told.after, told.effect) == pytest.approx((0.75, 0.5, -0.25))
    assert told.low is not None and told.high is not None and told.low < -0.25 < told.high < 0
    assert judge_alert(store, STREAM, NOW + DAY + 9, alert) == "", "it is said once of each check"
    scored_again(store, NOW + 2 * DAY, bad=3)  # p is 0.125
    assert judge_state(store, STREAM, NOW + 2 * DAY) == "ok"
    assert judge_alert(store, STREAM, NOW + 2 * DAY, alert) == "its canaries score as they did when they were frozen"
    scored_again(store, NOW + 3 * DAY, bad=14)
    scored_again(store, NOW + 4 * DAY, bad=4)  # p is 0.06: at the level of the alarm itself it would come and go
    assert judge_state(store, STREAM, NOW + 4 * DAY) == "changed"
    assert judge_alert(store, STREAM, NOW + 4 * DAY, None) == ""


def test_one_that_somebody_resolved_is_told_again_by_the_next_check(store: Store) -> None:
    watched(store)
    scored_again(store, NOW + DAY, bad=15)
    alert = alert_of(store, NOW + DAY)
    assert store.keep(WatchStep(read_at=store.unheard({}, 1).read_at, alerts=[alert]), NOW + DAY)
    (kept,) = store.alerts()
    store.turn_alert(kept.id, "resolved", who="ann", reason="known", now=NOW + DAY + 60)
    assert judge_alert(store, STREAM, NOW + DAY + 99) == ""
    assert judge_state(store, STREAM, NOW + DAY + 99) == "changed"
    scored_again(store, NOW + 2 * DAY, bad=15)
    assert alert_of(store, NOW + 2 * DAY).evidence.n == 60


def test_frozen_anew_there_is_nothing_left_to_say(store: Store) -> None:
    watched(store)
    scored_again(store, NOW + DAY, bad=15)
    alert = alert_of(store, NOW + DAY)
    freeze(store, STREAM, NOW + DAY + 60, anew=True)
    assert judge_state(store, STREAM, NOW + DAY + 60) == "unknown"
    assert judge_alert(store, STREAM, NOW + DAY + 61, alert) == "its canaries were frozen anew"


def test_too_few_that_are_left_say_nothing() -> None:
    found = verdict(CanaryCheck(NOW, ((1.0, 0.0),) * (canary.LEAST - 1), 1))
    assert found is not None and found.test.changed and not found.changed
    assert verdict(CanaryCheck(NOW, (), 1)) is None


# Recorded votes of real judges: gpt-4-turbo twice is not to be had, gpt-4o is


@cache
def votes() -> dict[tuple[str, str], dict[tuple[str, str], float]]:
    found: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
    for row in rows("judge_wildbench", "scores.jsonl.gz"):
        by = found.setdefault((row["judge"], row["run"]), {})
        by[row["model"], row["source_id"]] = (row["score"] - 1.0) / 9.0
    return found


def changes(before: tuple[str, str], after: tuple[str, str], draws: int = 100) -> int:
    """In how many draws of 1,000 requests the 60 that are frozen say that the judge changed."""
    old, new = votes()[before], votes()[after]
    both, found = sorted(old.keys() & new.keys()), 0
    for seed in range(draws):
        drawn = random.Random(seed).sample(both, 1000)
        chosen = chosen_of([Candidate(place, key[0], old[key]) for place, key in enumerate(drawn)])
        said = verdict(CanaryCheck(NOW, tuple((each.value, new[drawn[each.seq]]) for each in chosen), 1))
        found += said is not None and said.changed
    return found


def test_a_judge_that_was_swapped_is_called_changed_in_95_of_100_draws() -> None:
    assert changes(("gpt-4-turbo-2024-04-09", "v2.0522"), ("gpt-4o-2024-05-13", "v2.0522")) >= 95


def test_the_same_judge_in_two_runs_is_not() -> None:
    assert changes(("gpt-4o-2024-05-13", "v2.0522"), ("gpt-4o-2024-05-13", "v2.0625")) == 0
