"""The way from a request to the disk: a queue that never makes anybody wait, and one thread that writes.

The thread waits for a record, gives others 20 ms to join it, and writes them all in one go. What it cannot write (a
full disk, a quota) it keeps and tries again; meanwhile the queue fills up to its bound, and what comes beyond that is
dropped, counted by reason, and told of in the segment as soon as there is one.

What is promised: a record whose number is not above the watermark is in the file, whatever becomes of the process. A
process that ends, by itself or by an exception, writes all that it has within 0.4 s, or says what was lost. A fork's
child begins with nothing and writes a file of its own.
"""

import errno
import os
import sys
import threading
from contextlib import suppress
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any

from msgspec import Struct

from gatewatch.core import clock, codec
from gatewatch.online.framing import Framing, Payload
from gatewatch.online.log import warn
from gatewatch.online.settings import MEMORY, Settings
from gatewatch.online.writer import Writer

PATIENCE_S = 2.0
EXIT_S = 0.4
"""How long the end of a process may be held up, in seconds."""

_PLACE_BITS = 14  # a place in the queue stands for 16 KiB
_LINGER_S = 0.02
_RETRY_S = 0.25
_IDLE_ROUNDS = 25
_HEAD = 512  # bytes, more than a segment's first line and the key of users take
_GROUP = 512  # items that are written together, 8 MiB at the most


class Stats(Struct, frozen=True):
    """What became of the records of this process.

    `accepted` were taken, `written` are in a file (or were handed out), `queued` is how many places are taken by those
    that are under way. `dropped` counts by reason. `watermark`: of the records taken, the first so many are dealt
    with. A fork's child counts from nothing.
    """

    accepted: int
    written: int
    dropped: dict[str, int]
    queued: int
    watermark: int


class _Mark:
    """Stands in the queue behind what is to be written; set when that is done."""

    def __init__(self, *, last: bool = False) -> None:
        self.done = threading.Event()
        self.last = last
        self.failed = False


_Item = tuple[str, Payload, str] | _Mark | None


class Spool:
    """Takes records and sees to it that they are written."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.in_memory = settings.spool == MEMORY
        self._through = settings.durability == "sync" and not self.in_memory
        self._most = settings.queue_records
        self._folder = settings.spool
        with suppress(OSError):  # the working directory may be gone; it may change, too, so the path is resolved now
            self._folder = os.path.abspath(settings.spool)
        self._framing = Framing(settings, None if self.in_memory else self._folder)
        self._begin()

    def _begin(self) -> None:
        """Be as new: at first, and in a fork's child."""
        limits = self.settings
        self._writer = Writer(self._folder, segment_bytes=limits.segment_bytes, quota_bytes=limits.quota_bytes)
        self._queue: SimpleQueue[_Item] = SimpleQueue()
        self._asleep = threading.Lock()  # held, but while the thread is to be roused; cheaper to wait on than an event
        self._asleep.acquire()
        self._starting = threading.RLock()  # a signal's handler may interrupt its holder, and start the thread itself
        self._telling = threading.Lock()
        self._thread: threading.Thread | None = None
        # Counters of C: a step is taken whole, whatever threads and signals' handlers do meanwhile.
        self._accepted = count()
        self._dropped: dict[str, count[int]] = {}
        self._told: dict[str, int] = {}
        self._written = self._dealt = self._in_hand = 0
        self._trouble = ""
        self._ending = False
        self._left = 0.0
        """How long the end of the process may yet be held up, in seconds."""

    def after_fork(self) -> None:
        """Let go of what belongs to the parent; called in the child."""
        self._writer.close()
        self._begin()

    def put(self, kind: str, payload: Payload, user: str = "", size: int = 0) -> bool:
        """Take a record; whether it was. It neither waits nor raises.

        Args:
            kind: "trace" or "feedback".
            payload: an object as JSON, or what makes it when it is to be written.
            user: the user's id, of which a hash is written.
            size: how many bytes that will be about, where they are not made yet.
        """
        if user and not self._framing.users:
            self._framing.expect_users()
        if self._through:
            return self._put_through(kind, payload, user)
        queue = self._queue
        more = (len(payload) if isinstance(payload, bytes) else size) >> _PLACE_BITS
        if queue.qsize() + more >= self._most:
            self.drop(self._trouble or "queue full")
            return False
        next(self._accepted)
        queue.put((kind, payload, user))
        for _ in range(more):  # so that the queue's own length, which needs no lock, bounds the bytes as well
            queue.put(None)
        if self._thread is None and not self.in_memory:
            self._start()
        if self._ending and not self.in_memory:
            self._hurry()
        return True

    def _hurry(self) -> None:
        """See to it that what came when the process was about to end is written: nobody else will."""
        began = clock.monotonic()
        done = self.flush(self._left)
        self._left = max(0.0, self._left - (clock.monotonic() - began))
        if not done:
            self._say_trouble("the process ends")

    def _put_through(self, kind: str, payload: Payload, user: str) -> bool:
        try:
            trouble = self._writer.write_through(self._framing.frame(kind, payload, user))
        except Exception as error:
            trouble = f"error: {type(error).__name__}"
        if trouble:
            self._say_trouble(trouble)
            self.drop(trouble)
            return False
        next(self._accepted)
        self._trouble = ""
        if self._untold() and self._telling.acquire(blocking=False):
            try:
                losses = self._untold()
                if losses and not self._writer.write_through(codec.frame("loss", _as_json(losses))):
                    self._have_told(losses)
            finally:
                self._telling.release()
        return True

    def drop(self, reason: str, number: int = 1) -> None:
        """Count what was not taken, or not kept."""
        counter = self._dropped.get(reason) or self._dropped.setdefault(reason, count())
        for _ in range(number):
            next(counter)
        if not (self._through or self.in_memory) and self._queue.qsize() == 0:
            self._queue.put(None)  # the thread wakes, and tells of it
            if self._thread is None:
                self._start()

    def flush(self, deadline: float = PATIENCE_S) -> bool:
        """Wait until what was taken so far is written, for `deadline` seconds at the most; whether it is."""
        if self._through or self.in_memory or self._thread is None:
            return self._queue.qsize() == 0 or self.in_memory
        if threading.current_thread() is self._thread:
            return False
        mark = _Mark()
        self._queue.put(mark)
        self._rouse()
        return mark.done.wait(_patience(deadline)) and not mark.failed

    def close(self, deadline: float = PATIENCE_S) -> bool:
        """Write what there is, end the thread and close the file; whether all was written in time."""
        thread, mark = self._thread, _Mark(last=True)
        if thread is not None and threading.current_thread() is not thread:
            self._queue.put(mark)
            self._rouse()
            done = mark.done.wait(_patience(deadline))
            if not done:
                return False
        self._writer.close()
        return not mark.failed

    def at_exit(self, deadline: float) -> None:
        """Write what there is before the process ends, or say what is lost."""
        if self._ending:  # multiprocessing's hook and the interpreter's are both heard
            return
        self._ending = True
        began = clock.monotonic()
        done, untold = self.flush(deadline), self._untold()
        self._left = max(0.0, deadline - (clock.monotonic() - began))
        if not done or untold:
            lost = max(0, self.stats().accepted - self._dealt)
            told = ", ".join(f"{reason}: {number}" for reason, number in sorted(untold.items()))
            warn(
                "%d captured records were not written within %.1f s%s%s",
                lost,
                clock.monotonic() - began,
                f" ({self._trouble})" if self._trouble else "",
                f"; dropped and not told of in a segment: {told}" if told else "",
            )

    def stats(self) -> Stats:
        """What became of the records so far."""
        accepted = _value(self._accepted)
        return Stats(
            accepted=accepted,
            written=accepted if self._through else self._written,
            dropped={reason: _value(counter) for reason, counter in list(self._dropped.items())},
            queued=self._queue.qsize() + self._in_hand,
            watermark=accepted if self._through else self._dealt,
        )

    def drain(self, most: int = 1 << 30) -> list[tuple[str, bytes]]:
        """Hand out what is kept in memory (`spool=":memory:"`), as kinds and payloads, losses last."""
        found: list[tuple[str, bytes]] = []
        while len(found) < most:
            try:
                item = self._queue.get_nowait()
            except Empty:
                break
            if isinstance(item, tuple):
                try:
                    found.append((item[0], self._framing.payload(*item)))
                except Exception as error:
                    self.drop(f"error: {type(error).__name__}")
                self._dealt += 1
        self._written += len(found)
        losses = self._untold()
        self._have_told(losses)
        return [*found, ("loss", _as_json(losses))] if losses else found

    def _rouse(self) -> None:
        """Let the thread go on at once."""
        with suppress(RuntimeError):  # it was roused before, and has not yet noticed
            self._asleep.release()

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._work, name="gatewatch-spool", daemon=True)
            self._thread = thread
            try:
                thread.start()
            except RuntimeError as error:  # no thread can be had, or the interpreter is about to end
                self._thread = None
                self._say_trouble(f"no thread: {error}")
                return
        if "multiprocessing.util" in sys.modules:  # its children end without `atexit`
            from multiprocessing.util import Finalize

            Finalize(None, self.at_exit, args=(EXIT_S,), exitpriority=-100)

    def _work(self) -> None:
        try:
            self._work_on()
        finally:  # the next record starts another
            if self._thread is threading.current_thread():
                self._thread = None

    def _work_on(self) -> None:
        queue = self._queue
        idle = _IDLE_ROUNDS
        while True:
            # While there is traffic the queue is looked into every 20 ms: a thread that waits in `get` has to be woken
            # by whoever puts something in, and that is a system call in the middle of a request.
            waiting: list[_Item] = [queue.get()] if idle >= _IDLE_ROUNDS else []
            if not self._ending:
                self._asleep.acquire(timeout=_LINGER_S)
            if not waiting and queue.qsize():
                waiting.append(queue.get_nowait())
            idle = 0 if waiting else _IDLE_ROUNDS if self._ending else idle + 1
            while waiting:
                for _ in range(queue.qsize()):
                    waiting.append(queue.get_nowait())
                    if len(waiting) >= _GROUP:
                        break
                dealt = self._dealt
                try:
                    self._in_hand = len(waiting)
                    self._write([self._framed(item) for item in waiting if isinstance(item, tuple)])
                except BaseException as error:  # a hook may do anything; there is nobody above to tell of it
                    self._give_up(waiting, dealt, f"error: {type(error).__name__}")
                if self._done_with(waiting):
                    return
                waiting = [queue.get_nowait()] if queue.qsize() else []

    def _give_up(self, items: list[_Item], dealt: int, reason: str) -> None:
        """Drop what is not written of a group that met what nobody foresaw; `dealt` is how far it was before."""
        self._say_trouble(reason)
        for item in items:
            if isinstance(item, _Mark):
                item.failed = True
        end = dealt + sum(isinstance(item, tuple) for item in items)
        left, self._dealt = end - self._dealt, end
        if left:
            self.drop(reason, left)
        if not self._ending:
            self._asleep.acquire(timeout=_RETRY_S)

    def _done_with(self, items: list[_Item]) -> bool:
        """Let go of a group; whether the thread is to end."""
        self._in_hand = 0
        last = False
        for item in items:
            if isinstance(item, _Mark):
                item.done.set()
                last = last or item.last
        return last

    def _framed(self, item: tuple[str, Payload, str]) -> bytes:
        """A record's frame; nothing for one that cannot be made into any."""
        while True:
            try:
                frame = self._framing.frame(*item)
                if len(frame) + _HEAD <= self.settings.quota_bytes:
                    return frame
                self.drop("longer than the quota")
                return b""
            except OSError as error:
                self._say_trouble(f"disk: {errno.errorcode.get(error.errno or 0, 'error')}")
                self._asleep.acquire(timeout=_RETRY_S)
            except BaseException as error:  # the application's own hook may even raise SystemExit
                self.drop(f"error: {type(error).__name__}")
                return b""

    def _write(self, frames: list[bytes]) -> None:
        """Write some frames, and what was lost before them, however long it takes."""
        while True:
            losses = self._untold()
            group = [*frames, codec.frame("loss", _as_json(losses))] if losses else frames
            if not group:
                return
            done, trouble = self._writer.write(group)
            of_records = min(done, len(frames))
            self._written += sum(map(bool, frames[:of_records]))
            self._dealt += of_records
            frames = frames[of_records:]
            if not trouble:
                self._have_told(losses)
                self._trouble = ""
                return
            self._say_trouble(trouble)
            self._asleep.acquire(timeout=_RETRY_S)

    def _untold(self) -> dict[str, int]:
        """What was dropped and is not told of in a segment, by reason."""
        now = {reason: _value(counter) - self._told.get(reason, 0) for reason, counter in list(self._dropped.items())}
        return {reason: number for reason, number in now.items() if number}

    def _have_told(self, losses: dict[str, int]) -> None:
        for reason, number in losses.items():
            self._told[reason] = self._told.get(reason, 0) + number

    def _say_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            warn("captured records cannot be written to %s for now (%s)", self._folder, trouble)


def _as_json(losses: dict[str, int]) -> bytes:
    return codec.encode({"at": clock.wall(), "pid": os.getpid(), "reasons": losses})


def _patience(deadline: Any) -> float:
    """A deadline that can be waited for; what is no number is as good as none given."""
    try:
        return min(max(0.0, float(deadline)), threading.TIMEOUT_MAX)
    except Exception:  # `__float__` is the application's code, and to wait is all that was asked
        return PATIENCE_S


def _value(counter: "count[int]") -> int:
    """Where a counter stands: there is no other way to look at it without moving it."""
    return int(repr(counter)[len("count(") : -1])
