"""Variants beside a control: differences by conversations, weighted, that may be looked at as often as one likes."""

from array import array
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from gatewatch.core.feedback import Feedback
from gatewatch.core.marks import bits
from gatewatch.core.rates import Rule
from gatewatch.online.ab import Column, Effect, Experiment, Result, Users, effects, experiment
from gatewatch.online.outcomes import Unit
from gatewatch.scorers.base import scorer
from online.living import FLOW, START, Living, monitor, request, thumb, watch
from store.making import a_store


@scorer
def good(output: str) -> bool:
    return output == "yes"


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    found = Living(tmp_path)
    found.store.close()
    found.store = a_store(tmp_path)
    yield found
    found.store.close()


def compared(living: Living, **given: object) -> Experiment:
    return experiment(living.store, FLOW, by="variant", since=START - 60, until=START + 60, **given)  # type: ignore[arg-type]


def result(found: Experiment, name: str) -> Result:
    (each,) = (each for each in found.results if each.outcome.name == name)
    return each


def effect(found: Experiment, name: str) -> Effect:
    (each,) = result(found, name).effects
    return each


def test_a_better_variant_is_told_with_its_interval(living: Living) -> None:
    random = Random(1)
    for n in range(1200):
        variant = "ab"[n % 2]
        output = "yes" if random.random() < (0.9 if variant == "b" else 0.6) else "no"
        living.arrive(request(n, variant=variant, output=output, latency_s=1.0 + n % 7))
    living.work(monitor(watch(good, Rule(0.5))))
    found = compared(living, control="a", split={"a": 1, "b": 1})
    assert (found.units, found.control, found.split_p) == ({"a": 600, "b": 600}, "a", 1.0)
    told = effect(found, "good")
    assert told.told and told.interval is not None and told.difference is not None
    assert told.interval.low < 0.3 < told.interval.high and 0 < told.n < 400
    latency = effect(found, "latency_s")
    assert not latency.told and latency.interval is not None and latency.n == 600
    assert {each.outcome.name for each in found.results} == {"good", "latency_s"}  # no mark is set anywhere


def test_turns_of_a_session_are_no_independent_witnesses(living: Living) -> None:
    for n in range(60):
        turns = (request(n * 10 + k, session=f"s{n}", variant="ab"[n % 2]) for k in range(10))
        living.arrive(*turns)
    living.hear(*(thumb(n * 10) for n in range(0, 60, 2)))
    found = compared(living)
    assert found.units == {"a": 30, "b": 30}
    down = effect(found, "thumbs_down")
    assert (down.n, down.mean, down.control) == (30, 0.0, 1.0)
    assert (down.interval, down.why) == (None, "needs the equivalent of 50 units in each, has 30")


def test_conversations_of_a_user_are_no_independent_witnesses_either(living: Living) -> None:
    of_users = ((n, n % 20) for n in range(1200))  # each user has one arm, and always the same luck
    living.arrive(
        *(
            request(n, user=f"u{user}", variant="ab"[user % 2], output="yes" if user < 11 else "no")
            for n, user in of_users
        ),
        *(request(2000 + n, user="both", variant="ab"[n % 2]) for n in range(4)),
        *(request(3000 + n, variant="a") for n in range(3)),
    )
    living.work(monitor(watch(good, Rule(1.0))))
    found = compared(living, control="a", split={"a": 1, "b": 1})
    assert (found.units, found.users) == ({"a": 605, "b": 602}, 20)
    told = effect(found, "good")
    assert (told.n_control, told.n) == (10 + 2 + 3, 10 + 2)
    assert told.control == pytest.approx((6 * 60 + 5) / 605) and told.interval is None
    assert found.split_p == pytest.approx(0.56, abs=0.01)  # of 15 and 12 units


def test_users_that_differ_make_no_difference_of_arms() -> None:
    random, told, alone = Random(5), 0, 0
    for _ in range(20):
        users, columns = Users(), {arm: Column(array("d"), array("d"), array("q")) for arm in "ab"}
        for user in range(160):
            quality, arm = min(1.0, max(0.0, random.gauss(0.6, 0.2))), "ab"[user % 2]
            for n in range(40):
                columns[arm].values.append(float(random.random() < quality))
                columns[arm].shares.append(1.0)
                columns[arm].users.append(users.add(Unit(f"{user}.{n}", arm, {}, f"u{user}")))
        told += effects({arm: users.joined(each) for arm, each in columns.items()}, "a")[0].told
        apart = {arm: list(zip(each.values, each.shares, strict=True)) for arm, each in columns.items()}
        alone += effects(apart, "a")[0].told
    assert told <= 1
    assert alone >= 3  # what would be said if each conversation were a witness of its own


def test_the_control_is_the_largest_arm_and_what_has_no_arm_is_left_out(living: Living) -> None:
    living.arrive(*(request(n, variant="b" if n < 6 else "a") for n in range(10)))
    living.arrive(request(10), request(11, session="s", variant="a"), request(12, session="s", variant="b"))
    found = compared(living)
    assert (found.control, found.units, found.outside, found.mixed) == ("b", {"b": 6, "a": 4}, 1, 1)
    with pytest.raises(ValueError, match="no conversation is of 'c'"):
        compared(living, control="c")
    with pytest.raises(ValueError, match="the split does not name 'b', which has conversations"):
        compared(living, split={"a": 1.0, "c": 1.0})


def test_what_the_tail_was_scored_for_is_weighted(living: Living) -> None:
    """Thumbs down are always scored, the rest now and then: the mean is that of all."""
    random, quality = Random(2), {"a": 0.8, "b": 0.8}
    for n in range(3000):
        variant = "ab"[n % 2]
        output = "yes" if random.random() < quality[variant] else "no"
        living.arrive(request(n, variant=variant, output=output))
        if output == "no" and random.random() < (0.9 if variant == "b" else 0.2):
            living.hear(thumb(n))
    living.work(monitor(watch(good, Rule(0.2), Rule(1.0, marks=bits(["thumbs_down"])))))
    told = effect(compared(living, control="a"), "good")
    assert told.mean == pytest.approx(0.8, abs=0.05) and not told.told
    assert effect(compared(living, control="a"), "thumbs_down").told


def test_numbers_that_users_record_are_compared_beside_the_scores(living: Living) -> None:
    random = Random(3)
    living.arrive(*(request(n, variant="ab"[n % 2]) for n in range(400)))
    living.hear(
        *(
            Feedback(id=f"f{n}", at=START, trace=f"{n:032x}", event="copy", value=random.gauss(100 + 50 * (n % 2), 20))
            for n in range(400)
        )
    )
    told = effect(compared(living, control="a"), "copied value")
    assert told.told and told.difference == pytest.approx(50, abs=8)


def test_a_scorer_that_was_never_to_see_some_of_an_arm_says_nothing_of_it(living: Living) -> None:
    living.arrive(*(request(n, variant="ab"[n % 2]) for n in range(300)))
    living.hear(*(thumb(n) for n in range(1, 300, 2)))
    living.work(monitor(watch(good, Rule(0.0), Rule(1.0, variant="a"), Rule(1.0, marks=bits(["thumbs_down"])))))
    told = effect(compared(living, control="a"), "good")
    assert (told.n, told.interval) == (150, None)
    assert told.why == "some requests are never sampled (a share of 0)"


def test_only_one_scorer_where_that_is_asked_for(living: Living) -> None:
    living.arrive(*(request(n, variant="ab"[n % 2], latency_s=1.0) for n in range(10)))
    living.work(monitor(watch(good, Rule(1.0))))
    assert [each.outcome.name for each in compared(living, scorer="good").results] == ["good"]


def test_every_conversation_of_an_arm_is_shown_once(living: Living) -> None:
    living.arrive(*(request(n, variant="ab"[n % 2], session=f"s{n // 4}" if n > 4 else "") for n in range(12)))
    seen: list[Unit] = []
    found = compared(living, seen=seen.append)
    assert len(seen) == sum(found.units.values()) and found.mixed == 2


def test_an_empty_window_has_no_arms(living: Living) -> None:
    found = compared(living)
    assert (found.units, found.control, found.results, found.split_p) == ({}, "", (), None)
