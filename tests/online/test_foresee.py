"""What a monitor can see: sooner at a higher rate, for more money; and when there is too little to tell."""

from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from gatewatch.core.marks import bits
from gatewatch.core.rates import Rule
from gatewatch.online.foresee import RATES, Asked, Foreseen, foresee
from gatewatch.online.monitor import DAY_S
from gatewatch.scorers.base import scorer
from gatewatch.scorers.session import turns
from online.living import START, Living, monitor, request, thumb, watch
from store.making import a_store

ASKED = Asked(
    drop=0.1, within_h=48.0, days=90.0, detectors=10, reference_days=7.0, reference_n=1000, session_end_s=1800.0
)


@scorer
def good(output: str) -> bool:
    return output == "yes"


@pytest.fixture
def living(tmp_path: Path) -> Living:
    found = Living(tmp_path)
    found.store.close()
    found.store = a_store(tmp_path)
    return found


def traffic(
    living: Living, number: int = 1000, *, days: float = 4.0, quality: float = 0.8, per_session: int = 0
) -> None:
    random = Random(1)
    living.arrive(
        *(
            request(
                n,
                output="yes" if random.random() < quality else "no",
                slice="ab"[n % 2],
                started=START - days * DAY_S * (1 - n / number),
                session=f"s{n // per_session}" if per_session else "",
            )
            for n in range(number)
        )
    )


def foreseen(living: Living, asked: Asked = ASKED, name: str = "good") -> Foreseen:
    (work,) = (each for each in living.store.works() if each.scorer == name and each.source == "rule")
    return foresee(living.store, work, asked, now=living.now)


def test_a_higher_rate_sees_it_sooner_and_the_smallest_that_is_enough_is_named(living: Living) -> None:
    traffic(living, 2000)
    living.work(monitor(watch(good, Rule(0.3))))
    found = foreseen(living)
    assert found.flaw == "" and found.mean is not None and found.sd is not None
    assert found.per_day == pytest.approx(500, rel=0.05)
    assert found.mean == pytest.approx(0.8, abs=0.06)
    assert found.sd == pytest.approx(0.4, abs=0.05)
    assert [row.rate for row in found.rows] == sorted({*RATES, 0.3})
    assert [row.rate for row in found.rows if row.present] == [found.rate] == [0.3]
    known = [row.median_h for row in found.rows if row.median_h is not None]
    assert known == sorted(known, reverse=True) and len(known) > 4
    assert [row.dollars for row in found.rows] == [0.0] * len(found.rows)
    assert found.smallest == min(row.rate for row in found.rows if row.most_h is not None and row.most_h <= 48)
    assert [row.tolerance for row in found.rows] == sorted((row.tolerance for row in found.rows), reverse=True)


def test_a_smaller_drop_takes_longer(living: Living) -> None:
    traffic(living)
    living.work(monitor(watch(good, Rule(1.0))))
    small, large = (foreseen(living, replace(ASKED, drop=drop)).rows[-1] for drop in (0.05, 0.2))
    assert small.median_h is not None and large.median_h is not None
    assert large.median_h * 3 < small.median_h
    assert foreseen(living, replace(ASKED, drop=0.9)).flaw.startswith("a drop of 90 points cannot be: the mean is 0.")


def test_what_was_scored_for_being_special_does_not_count_twice(living: Living) -> None:
    traffic(living, 1000)
    living.hear(*(thumb(n) for n in range(0, 1000, 4)))
    living.work(monitor(watch(good, Rule(0.2), Rule(1.0, marks=bits(["thumbs_down"])))))
    found = foreseen(living)
    assert found.rate == 0.2 and found.mean == pytest.approx(0.8, abs=0.06)


def test_a_session_is_one_conversation(living: Living) -> None:
    traffic(living, 1000, per_session=5)
    living.now += 3600
    living.work(monitor(watch(good, Rule(1.0)), watch(turns(), Rule(1.0)), session_end_s=1800))
    for name, scores in (("good", 5.0), ("turns", 1.0)):
        found = foreseen(living, name=name)
        assert (found.n, found.scores) == (200, scores), name
        assert found.per_day == pytest.approx(50, rel=0.05)


def test_too_little_is_said_to_be_too_little(living: Living) -> None:
    traffic(living, 40)
    living.work(monitor(watch(good, Rule(1.0))))
    found = foreseen(living)
    assert found.flaw == "too little is known: 40 scored conversations in 4.01 days, and it takes 50"
    assert (found.rows, found.smallest) == ((), None)


def test_slices_of_a_few_each_are_too_little(living: Living) -> None:
    living.arrive(*(request(n, slice=f"s{n // 4}", started=START - 3600) for n in range(60)))
    living.work(monitor(watch(good, Rule(1.0))))
    assert foreseen(living).flaw == "too little is known: no slice has 5 scored conversations"
