"""Housekeeping: what is thinned, by what is known of it, and how much room payloads take."""

from pathlib import Path

import pytest

from gatewatch.core.marks import bits
from gatewatch.core.rates import Rule
from gatewatch.online import housekeeping
from gatewatch.online.housekeeping import Keeping, keep_house
from gatewatch.online.monitor import DAY_S
from gatewatch.store import housekeeping as store_housekeeping
from gatewatch.store.rows import Row
from online.living import Living, monitor, request, thumb

DOWN = Rule(1.0, marks=bits(["thumbs_down"]))
WATCHED = monitor(always=(DOWN,), payload_rate=0.0, hold_s=DAY_S)


@pytest.fixture
def living(tmp_path: Path) -> Living:
    return Living(tmp_path)


def row(living: Living, number: int) -> Row:
    found = living.store.find(f"{number:032x}")
    assert found is not None
    return found


def test_a_thumb_that_comes_between_the_look_and_the_deed_is_seen(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    living.arrive(*(request(n) for n in range(10)))
    living.now += DAY_S + 100
    looked = living.store.held

    def held(before: float, most: int) -> list[Row]:
        found = looked(before, most)
        monkeypatch.setattr(living.store, "held", looked)
        living.hear(thumb(4))
        return found

    monkeypatch.setattr(living.store, "held", held)
    assert keep_house(living.store, (WATCHED,), Keeping(), now=living.now)
    assert [row(living, n).payload for n in range(10)] == ["gone"] * 4 + ["held"] * 6
    living.hear(thumb(3), thumb(5))
    assert not keep_house(living.store, (WATCHED,), Keeping(), now=living.now)
    rows = [row(living, n) for n in range(10)]
    assert [each.payload for each in rows] == ["gone"] * 4 + ["kept"] * 2 + ["gone"] * 4
    down = bits(["thumbs_down"])
    assert [(each.marks, each.late, each.kept) for each in rows[3:6]] == [
        (0, down, 0.0),
        (down, 0, 1.0),
        (down, 0, 1.0),
    ]


def test_what_is_due_is_done_step_by_step_until_nothing_is(living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_AT_ONCE", 10)
    monkeypatch.setattr(store_housekeeping, "_STEP", 7)
    living.arrive(*(request(n) for n in range(35)))
    living.now += DAY_S + 100
    steps = 0
    while keep_house(living.store, (WATCHED,), Keeping(), now=living.now):
        steps += 1
        assert len(living.store.held(living.now, 99)) == 35 - 10 * steps
    assert steps == 3
    living.now += 90 * DAY_S
    living.work(WATCHED)
    assert living.store.counts().traces == 0


def test_payloads_stay_within_their_room_and_no_more_goes_than_has_to(living: Living) -> None:
    keeping, watched = Keeping(payload_bytes=5_000), monitor(payload_rate=0.5)
    lost = 0
    for day in range(5):
        living.arrive(*(request(day * 1000 + n, input=f"x{n}" * 50) for n in range(300)))
        living.now += 60
        assert living.store.payload_bytes() > 5_000
        while keep_house(living.store, (watched,), keeping, now=living.now):
            pass
        assert 4_800 < living.store.payload_bytes() <= 5_000
        rows = sorted(living.store.latest(most=9999), key=lambda each: each.seq)
        there = [each.seq for each in rows if each.payload in ("held", "kept")]
        assert all(each.payload == "gone" for each in rows if each.seq < there[0])
        counts = living.store.counts()
        assert counts.losses["payload over the quota"] > lost
        lost = counts.losses["payload over the quota"]
    assert lost == sum(each.payload == "gone" and each.u < 0.5 for each in rows)


def test_holds_end_only_as_early_as_there_is_need(living: Living) -> None:
    living.arrive(*(request(n) for n in range(100)))
    living.now += 60
    room = int(living.store.payload_bytes() * 0.9)
    while keep_house(living.store, (monitor(payload_rate=0.0),), Keeping(payload_bytes=room), now=living.now):
        pass
    states = [row(living, n).payload for n in range(100)]
    assert states == ["gone"] * states.count("gone") + ["held"] * states.count("held")
    assert 9 <= states.count("gone") <= 11
    assert living.store.counts().losses == {}
