"""What is costly to make, made once: the last few are held, and who asks for one that is being made waits for it."""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Values by key; threads may share it. What is asked for in the meantime under another key does not wait.

    Args:
        most: how many are held, those that were asked for last.
        weigh: how much one weighs, and
        heaviest: how much all of them together may weigh; one is held whatever it weighs.
    """

    def __init__(self, most: int, *, weigh: Callable[[T], int] = lambda _: 0, heaviest: int = 0) -> None:
        self._most, self._weigh, self._heaviest = most, weigh, heaviest
        self._found: dict[Hashable, T] = {}
        self._making: dict[Hashable, Lock] = {}
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key, made if it is not there. What `make` raises is raised, and nothing is held."""
        with self._lock:
            making = self._making.setdefault(key, Lock())
        with making:
            with self._lock:
                found = self._found.get(key)
            made = make() if found is None else found
            with self._lock:
                self._found.pop(key, None)
                self._found[key] = made  # the last one that was asked for stands last
                self._making.pop(key, None)
                while len(self._found) > 1 and self._too_many():
                    self._found.pop(next(iter(self._found)))
        return made

    def _too_many(self) -> bool:
        return len(self._found) > self._most or sum(map(self._weigh, self._found.values())) > self._heaviest
