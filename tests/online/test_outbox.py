"""Notices of a real store: found by a monitor, delivered by workers, whatever dies or is down meanwhile."""

import asyncio
from pathlib import Path

from msgspec.structs import replace

from gatewatch.checks.clock import FrozenClock
from gatewatch.core.watch import Alert
from gatewatch.online.channels import Wires
from gatewatch.online.notify import Telling
from gatewatch.store.base import Store
from gatewatch.store.watching import WatchStep
from online.receiving import Answer, Receiver, an_alert, said
from store.making import a_store, backend

__all__ = ["backend"]
START = 1_795_000_000.0


def found(store: Store, now: float, *alerts: Alert) -> None:
    assert store.keep(WatchStep(read_at=store.unheard({}, 1).read_at, alerts=alerts), now)


def telling(store: Store, clock: FrozenClock, owner: str = "w") -> Telling:
    return Telling(store, Wires(), owner=owner, clock=clock, environment={})


def test_a_channel_down_for_an_hour_gets_each_alert_when_it_is_back_once_and_in_order(tmp_path: Path) -> None:
    store, clock, down = a_store(tmp_path), FrozenClock(START), True
    taken: list[str] = []

    async def work() -> None:
        nonlocal down
        worker = telling(store, clock)
        for minute in range(90):
            if minute % 10 == 0 and minute < 60:
                found(store, clock(), an_alert(minute, to=(f"webhook:{receiver.url}/",)))
            if minute == 35:
                assert store.turn_alert(1, "resolved", who="ana", reason="mended", now=clock())
            down = minute < 60
            if not down and minute == 60:
                taken.extend(receiver.keys)
            clock.advance(60)
            await worker.step()
            await worker.finish()
        await worker.close()

    with Receiver(lambda _: Answer(503 if down else 200)) as receiver:
        asyncio.run(work())
        arrived = [said(each) for each in receiver.received[len(taken) :]]
        keys = receiver.keys[len(taken) :]
    assert [(each["event"], each["alert"]["id"]) for each in arrived] == [  # type: ignore[index]
        ("opened", 1),
        ("opened", 2),
        ("opened", 3),
        ("opened", 4),
        ("resolved", 1),
        ("opened", 5),
        ("opened", 6),
    ]
    assert len(set(keys)) == len(keys)
    assert not store.untold()


def test_a_worker_that_dies_after_sending_has_another_send_it_under_the_same_key(tmp_path: Path) -> None:
    store, clock = a_store(tmp_path), FrozenClock(START)

    async def work() -> None:
        found(store, clock(), an_alert(1, to=(f"webhook:{receiver.url}/",)))
        dies = telling(store, clock, "one")
        await dies.step()
        await asyncio.wait(list(dies._at_work.values()))  # it was sent, and is never noted
        lives = telling(store, clock, "two")
        await lives.step()
        await lives.finish()
        assert len(receiver.keys) == 1  # the lease of the one holds
        clock.advance(61)
        await lives.step()
        await lives.finish()
        clock.advance(3600)
        await lives.step()
        await lives.close()

    with Receiver() as receiver:
        asyncio.run(work())
    first, second = receiver.received
    assert (first.key, first.body) == (second.key, second.body)
    assert not store.untold()


def test_two_workers_send_nothing_twice(tmp_path: Path) -> None:
    store, other, clock = a_store(tmp_path), a_store(tmp_path), FrozenClock(START)

    async def work() -> None:
        alerts = [replace(an_alert(number, to=(f"webhook:{receiver.url}/",))) for number in range(50)]
        found(store, clock(), *alerts)
        workers = [telling(store, clock, "one"), telling(other, clock, "two")]
        for _ in range(10):
            clock.advance(2)
            for each in workers:
                await each.step()
            for each in workers:
                await each.finish()
        for each in workers:
            await each.close()

    with Receiver() as receiver:
        asyncio.run(work())
    assert len(receiver.keys) == len(set(receiver.keys)) == 50
    assert not store.untold()


def test_one_that_is_quiet_is_told_to_nobody(tmp_path: Path) -> None:
    store, clock = a_store(tmp_path), FrozenClock(START)
    found(store, START, replace(an_alert(1), quiet="the monitor is new and observes"))
    asyncio.run(telling(store, clock).step())
    assert not store.untold()
    assert store.alerts()[0].quiet
