import errno
import logging
import os
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core import codec
from gatewatch.online.segments import read, segments
from gatewatch.online.settings import Settings
from gatewatch.online.spool import Spool
from online.capturing import PATIENCE_S
from online.test_writer import Disk

Opened = Callable[..., Spool]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    spools: list[Spool] = []

    def open_spool(**settings: Any) -> Spool:
        spools.append(Spool(Settings(spool=str(tmp_path / "spool"), **settings)))
        return spools[-1]

    yield open_spool
    for spool in spools:
        spool.close(0)


def record(number: int, size: int = 0) -> bytes:
    return codec.encode({"id": str(number), "output": "x" * size})


def numbers(folder: Path) -> list[int]:
    return [
        int(codec.decode(payload, dict[str, Any])["id"])
        for path in segments(folder)
        for kind, payload in read(path).records
        if kind == "trace"
    ]


def losses(folder: Path) -> dict[str, int]:
    total: dict[str, int] = {}
    for path in segments(folder):
        for kind, payload in read(path).records:
            if kind == "loss":
                for reason, number in codec.decode(payload, dict[str, Any])["reasons"].items():
                    total[reason] = total.get(reason, 0) + number
    return total


class Gate:
    """Stands in for `os.write`: holds whoever writes until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._write = os.write
        self.open = threading.Event()
        self.waiting = threading.Event()
        monkeypatch.setattr(os, "write", self)

    def __call__(self, descriptor: int, data: Any) -> int:
        self.waiting.set()
        assert self.open.wait(PATIENCE_S)
        return self._write(descriptor, data)


def test_records_are_written_in_order_and_counted(opened: Opened, tmp_path: Path) -> None:
    spool = opened()
    for number in range(1000):
        assert spool.put("trace", record(number))
    assert spool.flush(PATIENCE_S)
    assert numbers(tmp_path / "spool") == list(range(1000))
    stats = spool.stats()
    assert (stats.accepted, stats.written, stats.watermark, stats.queued, stats.dropped) == (1000, 1000, 1000, 0, {})


def test_nothing_is_begun_before_the_first_record(opened: Opened, tmp_path: Path) -> None:
    spool = opened()
    assert spool.flush(0) and spool._thread is None and not (tmp_path / "spool").exists()


def test_up_to_the_bound_nothing_is_dropped_and_beyond_it_all_is_counted(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, spool = Gate(monkeypatch), opened(queue_records=100)
    spool.put("trace", record(0))
    assert gate.waiting.wait(PATIENCE_S)  # the thread has taken it, and the queue is empty
    taken = [spool.put("trace", record(number)) for number in range(1, 251)]
    assert taken == [True] * 100 + [False] * 150
    assert spool.stats().dropped == {"queue full": 150}
    gate.open.set()
    assert spool.flush(PATIENCE_S)
    assert numbers(tmp_path / "spool") == list(range(101))
    assert losses(tmp_path / "spool") == {"queue full": 150}


def test_a_long_record_takes_as_many_places_as_it_has_16_kilobytes(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, spool = Gate(monkeypatch), opened(queue_records=10)
    spool.put("trace", record(0))
    assert gate.waiting.wait(PATIENCE_S)
    assert spool.put("trace", record(1, 5 * 16384))  # a little more than five
    assert spool.stats().queued == 1 + 6
    assert not spool.put("trace", record(2, 5 * 16384))
    assert spool.put("trace", record(3, 3 * 16384))
    assert not spool.put("trace", record(4))
    gate.open.set()
    assert spool.flush(PATIENCE_S) and spool.stats().written == 3


def test_a_flush_that_is_not_done_in_time_says_so(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, spool = Gate(monkeypatch), opened()
    spool.put("trace", record(0))
    assert not spool.flush(0.01) and not spool.close(0.01)
    gate.open.set()
    assert spool.flush(PATIENCE_S)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_while_the_disk_fails_records_wait_then_are_dropped_and_all_is_told_when_it_is_back(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    disk, spool = Disk(monkeypatch), opened(queue_records=50)
    monkeypatch.setattr("gatewatch.online.spool._RETRY_S", 0.01)
    spool.put("trace", record(0))
    assert spool.flush(PATIENCE_S)
    disk.room, disk.code = 7, code
    sent = 1
    while f"disk: {errno.errorcode[code]}" not in spool.stats().dropped:
        spool.put("trace", record(sent))
        sent += 1
    assert not spool.flush(0.05)
    disk.room = None
    assert spool.flush(PATIENCE_S)
    dropped = spool.stats().dropped
    assert losses(tmp_path / "spool") == dropped
    found = numbers(tmp_path / "spool")
    assert len(found) == len(set(found)) == sent - sum(dropped.values()) == spool.stats().written
    assert len([entry for entry in caplog.records if "cannot be written" in entry.message]) == 1
    assert spool.put("trace", record(-1)) and spool.flush(PATIENCE_S)


def test_beyond_the_quota_records_are_dropped_as_such(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatewatch.online.spool._RETRY_S", 0.01)
    spool = opened(quota_bytes=20_000, segment_bytes=5000, queue_records=20)
    sent = 0
    while "quota" not in spool.stats().dropped:
        spool.put("trace", record(sent, 500))
        sent += 1
    folder = tmp_path / "spool"
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 20_000
    found, told = numbers(folder), Counter(losses(folder))
    for path in segments(folder):
        path.unlink()
    assert spool.flush(PATIENCE_S)
    assert Counter(losses(folder)) + told == spool.stats().dropped
    found += numbers(folder)
    assert len(found) == len(set(found)) == sent - sum(spool.stats().dropped.values()) == spool.stats().written


def test_a_deleted_folder_comes_back(opened: Opened, tmp_path: Path) -> None:
    spool = opened()
    spool.put("trace", record(0))
    assert spool.flush(PATIENCE_S)
    shutil.rmtree(tmp_path / "spool")
    spool.put("trace", record(1))
    assert spool.flush(PATIENCE_S)
    assert numbers(tmp_path / "spool") == [1]


def test_sixteen_threads_lose_nothing_under_the_bound(opened: Opened, tmp_path: Path) -> None:
    spool = opened(queue_records=20_000)
    threads = [
        threading.Thread(target=lambda t=t: [spool.put("trace", record(t * 1000 + n, 100)) for n in range(1000)])
        for t in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert spool.flush(PATIENCE_S)
    found = numbers(tmp_path / "spool")
    assert sorted(found) == list(range(16_000)) and spool.stats().dropped == {} and spool.stats().accepted == 16_000
    for t in range(16):  # each thread's are in its order
        mine = [number for number in found if number // 1000 == t]
        assert mine == sorted(mine)


def test_a_signals_handler_may_record_in_the_middle_of_recording(opened: Opened, tmp_path: Path) -> None:
    spool = opened(queue_records=10)
    handled = [0]

    def handler(*_: object) -> None:
        handled[0] += 1
        spool.put("trace", record(-1))
        spool.drop("by the handler")

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        sent = 0
        while handled[0] < 50:
            spool.put("trace", record(sent))
            spool.drop("by the program")
            sent += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert spool.flush(PATIENCE_S)
    stats = spool.stats()
    assert stats.dropped["by the handler"] == handled[0] and stats.dropped["by the program"] == sent
    assert stats.accepted + stats.dropped.get("queue full", 0) == sent + handled[0]
    assert len(numbers(tmp_path / "spool")) == stats.accepted == stats.written


def test_a_record_that_cannot_be_made_into_a_frame_is_counted(opened: Opened, tmp_path: Path) -> None:
    spool = opened(redact="pii")
    spool.put("trace", b"[]")
    spool.put("trace", record(1))
    assert spool.flush(PATIENCE_S)
    assert numbers(tmp_path / "spool") == [1]
    assert spool.stats().dropped == {"error: AttributeError": 1} and (
        spool.stats().written,
        spool.stats().watermark,
    ) == (
        1,
        2,
    )


def test_what_is_lost_at_the_end_is_said(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gate, spool = Gate(monkeypatch), opened(queue_records=5)
    for number in range(10):
        spool.put("trace", record(number))
    with caplog.at_level(logging.WARNING, "gatewatch"):
        spool.at_exit(0.01)
        spool.at_exit(0.01)
    accepted = spool.stats().accepted
    assert len(caplog.records) == 1
    assert f"{accepted} captured records were not written" in caplog.text
    assert f"queue full: {10 - accepted}" in caplog.text
    gate.open.set()


def test_when_all_is_written_at_the_end_nothing_is_said(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    spool = opened()
    spool.put("trace", record(0))
    spool.at_exit(PATIENCE_S)
    assert caplog.records == [] and spool.stats().written == 1


class TestWrittenThrough:
    def test_each_record_is_in_the_file_when_it_was_taken(self, opened: Opened, tmp_path: Path) -> None:
        spool = opened(durability="sync")
        for number in range(5):
            assert spool.put("trace", record(number))
            assert numbers(tmp_path / "spool")[-1] == number
        assert spool._thread is None and spool.stats().watermark == spool.stats().written == 5

    def test_threads_and_segments(self, opened: Opened, tmp_path: Path) -> None:
        spool = opened(durability="sync", segment_bytes=5000)
        threads = [
            threading.Thread(target=lambda t=t: [spool.put("trace", record(t * 1000 + n, 100)) for n in range(100)])
            for t in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(numbers(tmp_path / "spool")) == [t * 1000 + n for t in range(8) for n in range(100)]
        assert len(segments(tmp_path / "spool")) > 10

    def test_what_the_disk_refuses_is_counted_and_told_of_later(
        self, opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        disk, spool = Disk(monkeypatch), opened(durability="sync")
        assert spool.put("trace", record(0))
        disk.room = 3
        assert not spool.put("trace", record(1)) and not spool.put("trace", record(2))
        disk.room = None
        assert spool.put("trace", record(3))
        assert numbers(tmp_path / "spool") == [0, 3]
        assert losses(tmp_path / "spool") == {"disk: ENOSPC": 2}

    def test_what_is_redacted_is_so_before_it_is_written(self, opened: Opened, tmp_path: Path) -> None:
        spool = opened(durability="sync", redact="pii")
        spool.put("trace", b'{"id":"1","output":"jane@example.com"}', "jane@example.com")
        assert b"jane" not in segments(tmp_path / "spool")[0].read_bytes()


def test_a_forks_child_writes_a_file_of_its_own(opened: Opened, tmp_path: Path) -> None:
    spool = opened()
    spool.put("trace", record(0))
    child = os.fork()
    if not child:
        spool.after_fork()  # as the hook of the process's own spool does
        spool.put("trace", record(1))
        done = spool.flush(PATIENCE_S) and spool.stats().accepted == 1
        os._exit(0 if done else 1)
    assert os.waitpid(child, 0)[1] == 0
    spool.put("trace", record(2))
    assert spool.flush(PATIENCE_S)
    assert sorted(numbers(tmp_path / "spool")) == [0, 1, 2]
    assert len(segments(tmp_path / "spool")) == 2


def test_a_filter_that_raises_stops_nothing(opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Raising(logging.Filter):
        def filter(self, _: logging.LogRecord) -> bool:
            raise RuntimeError("filter")

    raising, log = Raising(), logging.getLogger("gatewatch")
    monkeypatch.setattr("gatewatch.online.spool._RETRY_S", 0.01)
    disk, spool = Disk(monkeypatch), opened()
    log.addFilter(raising)
    try:
        disk.room = 0
        spool.put("trace", record(0))
        assert not spool.flush(0.05)
        disk.room = None
        assert spool.flush(PATIENCE_S)
    finally:
        log.removeFilter(raising)
    assert numbers(tmp_path / "spool") == [0]


def test_a_thread_that_has_ended_is_started_again(opened: Opened, tmp_path: Path) -> None:
    spool = opened()
    spool.put("trace", record(0))
    thread = spool._thread
    assert thread is not None and spool.close(PATIENCE_S)
    thread.join(PATIENCE_S)
    assert spool.put("trace", record(1)) and spool.flush(PATIENCE_S)
    assert sorted(numbers(tmp_path / "spool")) == [0, 1]


def test_an_error_that_nobody_foresaw_is_said_once_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gatewatch.online.spool._RETRY_S", 0.01)
    spool = Spool(Settings(spool=str(tmp_path / "a\0b")))
    for number in range(3):
        spool.put("trace", record(number))
        assert not spool.flush(PATIENCE_S)
    stats = spool.stats()
    assert stats.dropped == {"error: ValueError": 3} and (stats.written, stats.watermark) == (0, 3)
    assert len(caplog.records) == 1
    assert not spool.close(PATIENCE_S)


def test_a_hook_that_ends_its_thread_costs_its_record_only(opened: Opened, tmp_path: Path) -> None:
    def leave(trace: Any) -> Any:
        if trace.id == "0":
            raise SystemExit
        return trace

    spool = opened(hook=leave)
    for number in range(2):
        spool.put("trace", codec.encode({"id": str(number), "input": "q", "started": 1.0, "latency_s": 1.0}))
    assert spool.flush(PATIENCE_S)
    assert numbers(tmp_path / "spool") == [1] and sum(spool.stats().dropped.values()) <= 1


def test_what_is_longer_than_the_quota_is_dropped_and_holds_nothing_up(opened: Opened, tmp_path: Path) -> None:
    spool = opened(quota_bytes=50_000)
    spool.put("trace", record(0, 100_000))
    for number in range(1, 301):
        spool.put("trace", record(number))
    assert spool.flush(PATIENCE_S)
    assert numbers(tmp_path / "spool") == list(range(1, 301))
    assert losses(tmp_path / "spool") == {"longer than the quota": 1} == spool.stats().dropped


def test_what_comes_after_the_end_was_announced_is_written_at_once(opened: Opened, tmp_path: Path) -> None:
    spool = opened()
    spool.put("trace", record(0))
    spool.at_exit(PATIENCE_S)
    for number in range(1, 4):
        spool.put("trace", record(number))
        assert numbers(tmp_path / "spool")[-1] == number


@pytest.mark.parametrize("deadline", [float("inf"), 1e10, None, "2", float("nan"), [], 10**400])
def test_any_deadline_can_be_waited_for(opened: Opened, deadline: Any) -> None:
    spool = opened()
    spool.put("trace", record(0))
    assert spool.flush(deadline) in (True, False) and spool.flush(PATIENCE_S) and spool.close(deadline) in (True, False)
