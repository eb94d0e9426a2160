"""Notices arrive, whatever becomes of the channel meanwhile, and hold nobody up."""

import asyncio
import logging
from collections.abc import Callable, Mapping

import pytest

from gatewatch.checks.clock import FrozenClock
from gatewatch.core.errors import StoreBusy
from gatewatch.online.channels import Wires
from gatewatch.online.notify import Telling
from online.receiving import Answer, Outbox, Received, Receiver, a_notice

START = 1_795_000_000.0


def telling(
    outbox: Outbox,
    clock: Callable[[], float],
    *,
    wires: Wires | None = None,
    environment: Mapping[str, str] | None = None,
    out: Callable[[str], object] | None = None,
) -> Telling:
    return Telling(outbox, wires or Wires(), owner="w", clock=clock, environment=environment or {}, out=out)


def minutes(outbox: Outbox, clock: FrozenClock, number: int, *, then: Callable[[int], None] = lambda _: None) -> None:
    """Let a worker deliver for so many minutes, looking every minute."""

    async def work() -> None:
        found = telling(outbox, clock)
        for minute in range(number):
            then(minute)
            clock.advance(60)
            await found.step()
            await found.finish()
        await found.close()

    asyncio.run(work())


def test_what_is_due_arrives_once_and_is_done() -> None:
    with Receiver() as receiver:
        outbox = Outbox(*(a_notice(number, f"webhook:{receiver.url}/hook") for number in range(1, 31)))
        minutes(outbox, FrozenClock(START), 3)
    assert receiver.keys == [f"notice-{number}" for number in range(1, 31)]
    assert not outbox.waiting


def test_a_channel_that_is_down_for_an_hour_gets_everything_when_it_is_back_once_and_in_order() -> None:
    down = True

    def answer(_: Received) -> Answer:
        return Answer(503) if down else Answer()

    def then(minute: int) -> None:
        nonlocal down
        down = minute < 60
        if minute < 50:
            outbox.waiting[minute + 1] = a_notice(minute + 1, f"webhook:{receiver.url}/")

    with Receiver(answer) as receiver:
        outbox = Outbox()
        minutes(outbox, FrozenClock(START), 90, then=then)
    refused, taken = receiver.keys[:-50], receiver.keys[-50:]
    assert taken == [f"notice-{number}" for number in range(1, 51)]
    assert set(refused) == {"notice-1"}  # nothing is sent behind one that failed
    assert len(refused) <= 12
    assert not outbox.waiting


def test_a_server_that_cannot_be_reached_is_tried_again() -> None:
    with Receiver() as receiver:
        pass
    outbox = Outbox(a_notice(1, f"webhook:{receiver.url}/"))
    minutes(outbox, FrozenClock(START), 2)
    assert outbox.due[1] > START
    assert "ConnectError" in outbox.reasons[1]


def test_an_answer_that_is_lost_makes_it_come_again_under_the_same_key() -> None:
    answers = iter([Answer(cut=True), Answer()])
    with Receiver(lambda _: next(answers)) as receiver:
        outbox = Outbox(a_notice(1, f"webhook:{receiver.url}/"))
        minutes(outbox, FrozenClock(START), 3)
    assert receiver.keys == ["notice-1", "notice-1"]
    assert receiver.received[0].body == receiver.received[1].body
    assert not outbox.waiting


def test_a_worker_killed_between_sending_and_noting_it_sends_it_again_under_the_same_key() -> None:
    clock = FrozenClock(START)
    with Receiver() as receiver:
        outbox = Outbox(a_notice(1, f"webhook:{receiver.url}/"))

        async def killed() -> None:
            found = telling(outbox, clock)
            await found.step()
            outbox.fails = StoreBusy("gone")  # nothing that it does after sending reaches the store
            with pytest.raises(StoreBusy):
                await found.finish()
            await found.close()

        asyncio.run(killed())
        outbox.fails = None
        minutes(outbox, clock, 3)
    assert receiver.keys == ["notice-1", "notice-1"]
    assert not outbox.waiting


def test_a_store_that_is_busy_is_told_later_and_nothing_is_sent_twice() -> None:
    clock = FrozenClock(START)
    with Receiver() as receiver:
        outbox = Outbox(a_notice(1, f"webhook:{receiver.url}/"))

        async def work() -> None:
            found = telling(outbox, clock)
            await found.step()
            outbox.fails = StoreBusy("locked")
            with pytest.raises(StoreBusy):
                await found.finish()
            outbox.fails = None
            await found.step()
            await found.close()

        asyncio.run(work())
    assert receiver.keys == ["notice-1"]
    assert not outbox.waiting


def test_a_server_says_when_to_come_again() -> None:
    asked = Answer(429, (("Retry-After", "1200"),))
    with Receiver(lambda _: asked) as receiver:
        outbox = Outbox(a_notice(1, f"webhook:{receiver.url}/"))
        clock = FrozenClock(START)
        minutes(outbox, clock, 1)
        assert outbox.due[1] == pytest.approx(clock() + 1200)


def test_pauses_grow_to_a_quarter_of_an_hour() -> None:
    due = []
    with Receiver(lambda _: Answer(500)) as receiver:
        outbox = Outbox(a_notice(1, f"webhook:{receiver.url}/"))
        clock = FrozenClock(START)

        async def work() -> None:
            found = telling(outbox, clock)
            for _ in range(12):
                await found.step()
                await found.finish()
                due.append(outbox.due[1] - clock())
                clock.time = outbox.due[1]
            await found.close()

        asyncio.run(work())
    assert due == pytest.approx([5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900])


def test_a_clock_that_goes_back_makes_no_channel_wait_for_it() -> None:
    with Receiver(lambda _: Answer(500)) as receiver:
        outbox = Outbox(a_notice(1, f"webhook:{receiver.url}/"))
        clock = FrozenClock(START)

        async def work() -> None:
            found = telling(outbox, clock)
            await found.step()
            await found.finish()
            clock.time -= 86_400
            outbox.due[1] = clock()
            receiver.answer = lambda _: Answer(200)
            await found.step()
            await found.finish()
            await found.close()

        asyncio.run(work())
    assert not outbox.waiting


def test_one_that_is_refused_is_tried_again_slowly_and_holds_up_no_other() -> None:
    def answer(received: Received) -> Answer:
        return Answer(422, text="no such field\x1b[31m") if received.key == "notice-1" else Answer()

    with Receiver(answer) as receiver:
        outbox = Outbox(*(a_notice(number, f"webhook:{receiver.url}/") for number in (1, 2)))
        clock = FrozenClock(START)
        minutes(outbox, clock, 1)
        assert outbox.due[1] == pytest.approx(clock() + 900)
        assert outbox.reasons[1].startswith("status 422: no such field[31m")
        minutes(outbox, clock, 16)
    assert receiver.keys == ["notice-1", "notice-2", "notice-1"]
    assert list(outbox.waiting) == [1]


def test_a_channel_that_does_not_answer_holds_up_neither_the_worker_nor_another_channel() -> None:
    with Receiver(lambda _: Answer(hang=True)) as stuck, Receiver() as good:
        slow = [a_notice(number, f"webhook:{stuck.url}/") for number in (1, 2, 3)]
        outbox = Outbox(*slow, a_notice(4, f"webhook:{good.url}/"))
        clock = FrozenClock(START)

        async def work() -> None:
            found = telling(outbox, clock)
            await found.step()  # comes back though nothing has answered
            while 4 in outbox.waiting:
                clock.advance(1.5)
                await found.step()
                await asyncio.sleep(0.01)
            stuck.closing.set()
            await found.close()

        asyncio.run(work())
        assert list(outbox.waiting) == [1, 2, 3]
        assert good.keys == ["notice-4"]
        assert len(stuck.received) == 1


def test_one_that_never_answers_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewatch.online.sending.TIME_OUT_S", 0.05)
    with Receiver(lambda _: Answer(hang=True)) as receiver:
        outbox = Outbox(a_notice(1, f"webhook:{receiver.url}/"))
        minutes(outbox, FrozenClock(START), 1)
        assert outbox.reasons[1] == "it did not answer within 0.05 s"


def test_when_told_to_end_what_is_due_can_be_sent_once_more() -> None:
    lines: list[str] = []
    outbox = Outbox(a_notice(1, "stdout"))

    async def work() -> None:
        found = telling(outbox, lambda: START, out=lines.append)
        await found.step()
        outbox.waiting[2] = a_notice(2, "stdout")
        await found.close(once_more=True)

    asyncio.run(work())
    assert len(lines) == 2
    assert not outbox.waiting


def test_of_a_channel_that_fails_the_log_speaks_once_until_it_works_again(caplog: pytest.LogCaptureFixture) -> None:
    status = 500
    with Receiver(lambda _: Answer(status)) as receiver, caplog.at_level(logging.WARNING, "gatewatch"):

        def then(minute: int) -> None:
            nonlocal status
            status = 500 if minute < 20 else 200

        outbox = Outbox(a_notice(1, f"webhook:{receiver.url}/SECRET"))
        minutes(outbox, FrozenClock(START), 40, then=then)
    assert [record.getMessage() for record in caplog.records] == [
        "webhook:127.0.0.1/... does not take an alert: status 500 (tried again until it does)",
        "webhook:127.0.0.1/... takes alerts again",
    ]


def test_the_heartbeat_is_sent_once_a_minute_and_its_failure_told_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = FrozenClock(START)
    with Receiver(lambda _: Answer(404)) as receiver, caplog.at_level(logging.WARNING, "gatewatch"):

        async def work() -> None:
            wires = Wires(heartbeat="$BEAT")
            found = telling(Outbox(), clock, wires=wires, environment={"BEAT": f"{receiver.url}/beat-SECRET"})
            for _ in range(120):
                clock.advance(2)
                found.beat()
                await found.finish()
            await found.close()

        asyncio.run(work())
    assert [(each.method, each.path) for each in receiver.received] == [("GET", "/beat-SECRET")] * 4
    (record,) = caplog.records
    assert "SECRET" not in record.getMessage()


def test_without_an_address_there_is_no_heartbeat() -> None:
    async def work() -> None:
        found = telling(Outbox(), lambda: START)
        found.beat()
        await found.close()

    asyncio.run(work())
