"""Trends: what is said of a window and of its buckets, by whom, and when nothing can be said."""

from math import sqrt
from pathlib import Path
from random import Random

import pytest

from gatewatch.core.marks import bits
from gatewatch.core.rates import Rule, u_of
from gatewatch.online.monitor import DAY_S, HOUR_S
from gatewatch.online.trends import Trend, trend
from gatewatch.online.window import Figure, Of
from gatewatch.scorers.base import Scorer, scorer
from gatewatch.scorers.session import turns
from gatewatch.store.rows import Settled
from online.living import FLOW, START, Living, monitor, request, thumb, watch


@pytest.fixture
def living(tmp_path: Path) -> Living:
    return Living(tmp_path)


@scorer
def good(output: str) -> bool:
    return output == "yes"


def shown(living: Living, *, part: str = "") -> Trend:
    return trend(living.store, FLOW, since=START - 60, until=START + 60, tier="hour", of=Of(part))


def total(found: Trend, name: str) -> Figure:
    (each,) = (each.total for each in found.scorers if each.scorer == name)
    return each


def test_what_an_older_version_of_a_scorer_left_undone_is_not_held_against_the_new_one(living: Living) -> None:
    def versioned(version: str) -> Scorer:
        @scorer(name="good", version=version)
        def made(output: str) -> bool:
            return True

        return made

    living.arrive(*(request(n) for n in range(100)))
    living.worker(monitor(watch(versioned("1"), Rule(1.0))))._plan(living.now)
    living.work(monitor(watch(versioned("2"), Rule(1.0))))
    assert total(shown(living), "good").waiting == 0
    living.now += 8 * DAY_S
    living.work(monitor(watch(versioned("2"), Rule(1.0))))
    figure = total(shown(living), "good")
    assert (figure.estimate.mean, figure.estimate.n, figure.lost, figure.incomplete) == (1.0, 100, {}, "")


def test_what_a_slice_lost_is_its_own(living: Living) -> None:
    living.arrive(*(request(n, slice="big") for n in range(1000)))
    living.arrive(*(request(n, slice="small") for n in range(1000, 1040)))
    watched = monitor(watch(good, Rule(1.0)))
    worker = living.worker(watched)
    worker._plan(living.now)
    leased = living.store.lease(list(worker._watched), "x", 30, living.now, living.now + 60)
    living.store.settle([Settled(each.task, each.attempt, state="failed", reason="x") for each in leased], living.now)
    living.work(watched)
    figures = {part: total(shown(living, part=part), "good") for part in ("", "big", "small")}
    assert {part: (each.estimate.n, dict(each.lost), each.incomplete) for part, each in figures.items()} == {
        "": (1010, {"failed": 30}, ""),
        "big": (970, {"failed": 30}, ""),
        "small": (40, {}, ""),
    }


def test_what_sessions_tell_by_themselves_is_apart_from_a_scorer_of_the_same_name(living: Living) -> None:
    asked = (request(n, session=f"s{n // 3}", input=f"where is order {n}", started=START + n / 100) for n in range(300))
    living.arrive(*asked)
    living.now += 3600
    living.work(monitor(watch(turns(), Rule(0.2)), session_end_s=1800))
    sampled = sum(u_of(f"s{n}", "") < 0.2 for n in range(100))
    found = {each.source: each.total for each in shown(living).scorers if each.scorer == "turns"}
    assert {source: each.estimate.n for source, each in found.items()} == {"rule": sampled, "signal": 100}


def test_every_bucket_knows_how_much_alike_the_turns_of_a_session_are(living: Living) -> None:
    """400 sessions of ten turns that are all good or all bad: each bucket is worth a tenth of its values."""
    random = Random(1)
    for n in range(400):
        output = "yes" if random.random() < 0.5 else "no"
        at = START - (400 - n) * HOUR_S / 100
        living.arrive(
            *(request(n * 10 + k, session=f"s{n}", slice=f"{n % 2}", output=output, started=at) for k in range(10))
        )
    living.work(monitor(watch(good, Rule(1.0)), session_end_s=9e9))
    for part in ("", "1"):
        found = trend(living.store, FLOW, since=START - 5 * HOUR_S, until=START + 60, tier="hour", of=Of(part))
        (each,) = (each for each in found.scorers if each.scorer == "good")
        assert len(each.points) == 5
        for figure in (each.total, *(figure for _, figure in each.points)):
            ends, n = figure.estimate.interval, figure.estimate.n
            assert ends is not None
            assert 0.8 < (ends.high - ends.low) / (2 * 1.96 * 0.5 / sqrt(n / 10)) < 1.2, (part, n)


def test_a_share_of_nothing_of_sessions_is_not_estimated_for_all(living: Living) -> None:
    living.arrive(*(request(n, session=f"s{n}", input=f"where is order {n}") for n in range(30)))
    living.hear(*(thumb(n) for n in range(5)))
    living.now += 3600
    living.work(monitor(watch(turns(most=3), Rule(0.0), Rule(1.0, marks=bits(["thumbs_down"])))))
    (figure,) = (each.total for each in shown(living).scorers if (each.scorer, each.source) == ("turns", "rule"))
    assert (figure.estimate.mean, figure.estimate.n) == (None, 5)
    assert figure.incomplete == "some requests are never sampled (a share of 0)"


def test_parts_are_as_if_they_were_asked_for_alone(living: Living) -> None:
    for n in range(600):
        output = "no" if n % (4 if n % 2 else 10) == 0 else "yes"
        living.arrive(request(n, slice="xyz"[n % 3], variant="ab"[n % 2], versions={"p": f"{n % 2}"}, output=output))
    living.work(monitor(watch(good, Rule(0.4), Rule(1.0, slice="x"))))
    window = {"since": START - 60, "until": START + 60, "tier": "hour"}
    found = trend(living.store, FLOW, by=("slice", "variant", "version"), **window)  # type: ignore[arg-type]
    (each,) = found.scorers
    assert len(found.parts) == len(each.parts) == 7
    for part, signals in zip(
        sorted(each.parts, key=lambda part: (part.by, part.name)),
        sorted(found.parts, key=lambda part: (part.by, part.name)),
        strict=True,
    ):
        alone = trend(living.store, FLOW, of=Of(**{part.by: part.name}), **window)  # type: ignore[arg-type]
        assert (alone.signals, total(alone, "good")) == (signals.signals, part.total), part.name


def test_a_rate_of_a_variant_covers_all_of_it(living: Living) -> None:
    """What is never sampled elsewhere does not make the variant incomplete, and the whole is."""
    living.arrive(*(request(n, variant="ab"[n % 2]) for n in range(40)))
    living.work(monitor(watch(good, Rule(0.0), Rule(1.0, variant="b"))))
    window = {"since": START - 60, "until": START + 60, "tier": "hour"}
    whole, part = (trend(living.store, FLOW, of=of, **window) for of in (Of(), Of(variant="b")))  # type: ignore[arg-type]
    assert total(whole, "good").incomplete == "some requests are never sampled (a share of 0)"
    assert (total(part, "good").estimate.n, total(part, "good").incomplete) == (20, "")


def test_what_a_variant_lost_is_its_own(living: Living) -> None:
    living.arrive(*(request(n, variant="small" if n < 60 else "large") for n in range(1000)))
    watched = monitor(watch(good, Rule(1.0)))
    worker = living.worker(watched)
    worker._plan(living.now)
    leased = living.store.lease(list(worker._watched), "x", 30, living.now, living.now + 60)
    living.store.settle([Settled(each.task, each.attempt, state="failed", reason="x") for each in leased], living.now)
    living.work(watched)
    window = {"since": START - 60, "until": START + 60, "tier": "hour"}
    small, large = (trend(living.store, FLOW, of=Of(variant=of), **window) for of in ("small", "large"))  # type: ignore[arg-type]
    assert (dict(total(small, "good").lost), total(small, "good").incomplete) == ({"failed": 30}, "30 failed")
    assert (total(large, "good").estimate.n, dict(total(large, "good").lost)) == (940, {})
