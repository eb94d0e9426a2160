"""What takes a while to find out, and is believed for some seconds: made once, whoever else asks meanwhile."""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

from gatewatch.core.clock import monotonic

T = TypeVar("T")
_MOST = 200


class Kept(Generic[T]):
    """Values by key, each believed for so many seconds; threads may share it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._held: dict[Hashable, tuple[float, T]] = {}
        self._locks: dict[Hashable, Lock] = {}
        self._lock = Lock()

    def of(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key; of several that ask for one that is not there, one makes it, and the others wait."""
        with self._lock:
            lock = self._locks.setdefault(key, Lock())
        with lock:
            found = self._held.get(key)
            if found is not None and monotonic() - found[0] < self._seconds:
                return found[1]
            made = make()
            with self._lock:
                if len(self._held) >= _MOST:
                    self._held.clear()
                    self._locks.clear()
                self._held[key] = monotonic(), made
            return made
