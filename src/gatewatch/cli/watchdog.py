"""A second process that ends a run whose first has stopped responding.

A call that holds the interpreter (a regular expression gone wild, an endless loop in an async function) stops the
event loop, every thread and every Python signal handler with it, so that nothing inside the process can end it. The
watcher is forked before any thread exists; it sees that the run's heart no longer beats, has the stack printed, and
ends the process with exit code 4. What was done is in the journal.
"""

import ctypes
import faulthandler
import mmap
import os
import select
import signal
import struct
import sys
import time
from contextlib import suppress
from types import TracebackType

GRACE_S = 5.0
_LOOK_EVERY_S = 0.5


class Watchdog:
    """Watches over a `with` block: `beat` is to be called more often than every `limit` seconds."""

    def __init__(self, limit: float, advice: str) -> None:
        self._limit = limit
        self._advice = advice
        self._last = mmap.mmap(-1, 8)
        self._alive = self._child = -1

    def beat(self) -> None:
        """Say that the run is alive."""
        self._last[:] = struct.pack("d", time.monotonic())

    def __enter__(self) -> "Watchdog":
        self.beat()
        watched = os.getpid()
        ended, self._alive = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(self._alive)
            os.close(1)  # whoever reads our output must not wait for us
            try:
                self._watch(watched, ended)
            finally:
                os._exit(0)
        os.close(ended)
        if sys.stderr is not None:
            faulthandler.register(signal.SIGUSR1, file=sys.__stderr__ or 2, all_threads=True)
        # libc's own `_exit` as the handler runs whoever holds the interpreter. It takes the signal's number for the
        # exit code, and that of SIGILL is 4: "the run itself broke".
        libc = ctypes.CDLL(None)
        libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
        libc.signal(signal.SIGILL, ctypes.cast(libc._exit, ctypes.c_void_p))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        faulthandler.unregister(signal.SIGUSR1)
        signal.signal(signal.SIGILL, signal.SIG_DFL)
        os.close(self._alive)
        with suppress(ProcessLookupError, ChildProcessError):  # the application may reap children that are not its own
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)

    def _watch(self, watched: int, ended: int) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):  # meant for the run; we go when it goes
            signal.signal(number, signal.SIG_IGN)
        while not select.select([ended], [], [], _LOOK_EVERY_S)[0]:
            (last,) = struct.unpack("d", self._last[:])
            silent = time.monotonic() - last
            if silent < self._limit:
                continue
            os.write(2, f"\nerror: the run has not responded for {silent:.0f} s; this is where it is:\n".encode())
            os.kill(watched, signal.SIGUSR1)
            time.sleep(0.5)
            os.write(2, f"{self._advice}\n".encode())
            os.kill(watched, signal.SIGILL)
            return
