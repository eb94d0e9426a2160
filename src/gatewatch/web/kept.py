"""What takes a while to find out, and is believed for some seconds: made once, whoever else asks meanwhile."""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

from gatewatch.core.clock import monotonic

T = TypeVar("T")
_MOST = 200


class _Making:
    """The lock of a key that somebody makes, and how many hold it or wait for it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.asking = 0


class Kept(Generic[T]):
    """Values by key, each believed for so many seconds, and at most so many of them, those that were made last;
    threads may share it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._held: dict[Hashable, tuple[float, T]] = {}
        self._making: dict[Hashable, _Making] = {}
        self._lock = Lock()

    def of(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key; of several that ask for one that is not there, one makes it, and the others wait."""
        with self._lock:
            making = self._making.setdefault(key, _Making())
            making.asking += 1
        try:
            with making.lock:
                with self._lock:
                    found = self._held.get(key)
                if found is not None and monotonic() - found[0] < self._seconds:
                    return found[1]
                made = make()
                with self._lock:
                    self._held.pop(key, None)  # so that it stands last
                    self._held[key] = monotonic(), made
                    while len(self._held) > _MOST:
                        self._held.pop(next(iter(self._held)))
                return made
        finally:
            with self._lock:
                making.asking -= 1
                if not making.asking:
                    del self._making[key]
