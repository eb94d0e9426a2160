"""The file that a process appends its records to: a segment, then the next, in a folder that all processes share.

A segment is `<pid>-<time, hex>-<number>.seg`. It is made under another name, locked and given its first line, and only
then renamed, so that nobody sees one without its lock; the lock goes when the process does, however it ends. Whoever
takes the lock therefore knows that nothing will be added.
"""

import errno
import fcntl
import os
import threading
import time
from contextlib import suppress
from itertools import count

from gatewatch.core import clock, codec

KIND = "gatewatch.segment"
VERSION = 1
SUFFIX = ".seg"
SPOILER = b"?\n"
"""Stands behind a frame that was written in part, so that its neighbour has a line of its own, and so that it stays
unreadable even if only the end of its line is missing: it is written again."""
_NEAR = 0.9  # of the quota: from there on the folder is measured again and again
_MEASURE_EVERY_S = 1.0
_MOST_TRIES = 3


def make_folder(path: str) -> None:
    """Make a folder that is the owner's alone, and those above it, where they are not there."""
    with suppress(FileExistsError):
        try:
            os.mkdir(path, 0o700)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.mkdir(path, 0o700)


class _QuotaReached(Exception):  # noqa: N818 - what is so
    """The folder has no room left."""


class Writer:
    """Appends frames to segments. One thread at a time writes groups; single frames may be written by any thread."""

    def __init__(self, folder: str, *, segment_bytes: int, quota_bytes: int) -> None:
        self.folder = folder
        self.path = ""
        self._segment_bytes = segment_bytes
        self._quota_bytes = quota_bytes
        self._descriptor = -1
        self._torn = False
        self._others = 0  # bytes in the folder besides our segment, when last measured
        self._measured = float("-inf")
        self._number = count()
        self._renewing = threading.RLock()

    def write(self, frames: list[bytes]) -> tuple[int, str]:
        """Write a group of frames, in as few writes as can be.

        Returns:
            How many frames were written whole, from the first on, and why the rest was not: nothing when all were,
            "quota", or "disk: " and the error's name.
        """
        done = tries = 0
        try:
            while done < len(frames):
                used, room = self._ready(len(frames[done]))
                last, size = done, 0
                while last < len(frames) and (last == done or size + len(frames[last]) <= room):
                    size += len(frames[last])
                    last += 1
                written = self._append(frames[done:last], used)
                tries = 0 if written else tries + 1
                done += written
                if tries == _MOST_TRIES:
                    return done, "disk: deleted"
        except _QuotaReached:
            return done, "quota"
        except OSError as error:
            return done, f"disk: {errno.errorcode.get(error.errno or 0, 'error')}"
        return done, ""

    def close(self) -> None:
        """Close the segment, and with it give up the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, frames: list[bytes], used: int) -> int:
        """How many of some frames are in a segment that is still there."""
        data = b"".join([SPOILER, *frames] if self._torn else frames)
        written = 0
        while written < len(data):
            try:
                written += os.write(self._descriptor, memoryview(data)[written:])
            except OSError:
                whole, length = 0, len(SPOILER) if self._torn else 0
                while whole < len(frames) and length + len(frames[whole]) <= written:
                    length += len(frames[whole])
                    whole += 1
                if written and written >= length:  # less is a part of the spoiler: what was torn still is
                    self._cut_back(used + length, torn=length != written)
                if whole:
                    return whole
                raise
        self._torn = False
        return len(frames) if os.fstat(self._descriptor).st_nlink else 0

    def _cut_back(self, length: int, *, torn: bool) -> None:
        """Take away a frame that was written in part; where that fails, the next begins on a line of its own."""
        try:
            os.ftruncate(self._descriptor, length)
            self._torn = False
        except OSError:
            self._torn = torn

    def write_through(self, frame: bytes) -> str:
        """Write one frame now, by any thread; why it was not written, or nothing."""
        try:
            for _ in range(_MOST_TRIES):
                self._ready(len(frame))
                data = SPOILER + frame if self._torn else frame
                if os.write(self._descriptor, data) < len(data):
                    self._torn = True  # another thread may have written behind it: it cannot be taken back
                    return "disk: ENOSPC"
                self._torn = False
                if os.fstat(self._descriptor).st_nlink:
                    return ""
        except _QuotaReached:
            return "quota"
        except OSError as error:
            return f"disk: {errno.errorcode.get(error.errno or 0, 'error')}"
        return "disk: deleted"

    def _ready(self, size: int) -> tuple[int, int]:
        """Have a segment that takes so many bytes at least; how long it is, and how many it takes."""
        state = self._fits(size)
        if state is None:
            with self._renewing:
                state = self._fits(size)  # another thread may have been here in the meantime
                if state is None:
                    state = self._renew(size)
        return state, min(self._segment_bytes - state, self._quota_room(state, size))

    def _fits(self, size: int) -> int | None:
        """How long the segment is, if it is there and so many bytes fit into it."""
        if self._descriptor < 0:
            return None
        state = os.fstat(self._descriptor)
        return state.st_size if state.st_nlink and state.st_size + size <= self._segment_bytes else None

    def _renew(self, size: int) -> int:
        make_folder(self.folder)
        started = time.time_ns()
        path = os.path.join(self.folder, f"{os.getpid()}-{started:x}-{next(self._number)}{SUFFIX}")
        making = path.removesuffix(SUFFIX) + ".new"
        head = {"kind": KIND, "version": VERSION, "pid": os.getpid(), "started": started / 1e9}
        line = codec.frame("segment", codec.encode(head))
        self._measured = float("-inf")
        self._quota_room(len(line), size)
        descriptor = os.open(making, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            written = 0
            while written < len(line):
                written += os.write(descriptor, line[written:])
            os.rename(making, path)
        except BaseException:
            os.close(descriptor)
            with suppress(FileNotFoundError):
                os.unlink(making)
            raise
        if self._descriptor < 0:
            self._descriptor = descriptor
        else:
            self._others += os.fstat(self._descriptor).st_size
            # The number stays the same: a thread that is about to write to it must not meet somebody else's file.
            os.dup2(descriptor, self._descriptor, inheritable=False)
            os.close(descriptor)
        self.path = path
        self._torn = False
        return len(line)

    def _quota_room(self, ours: int, size: int) -> int:
        """How many bytes may be added to our segment.

        Raises:
            _QuotaReached: when it is less than `size`.
        """
        room = self._quota_bytes - self._others - ours
        if room - size < (1 - _NEAR) * self._quota_bytes or self._measured == float("-inf"):
            if clock.monotonic() - self._measured >= _MEASURE_EVERY_S:
                self._measured = clock.monotonic()
                self._others = self._folder_size()
                room = self._quota_bytes - self._others - ours
            if room < size:
                raise _QuotaReached
        return room

    def _folder_size(self) -> int:
        mine = os.path.basename(self.path) if self._descriptor >= 0 else ""
        size = 0
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name != mine:
                    try:
                        size += entry.stat(follow_symlinks=False).st_size
                    except FileNotFoundError:  # a reader is done with it
                        continue
        return size
