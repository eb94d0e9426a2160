"""How often somebody may ask: a bucket of tokens each, in memory, of as many as are remembered."""

from collections import OrderedDict
from collections.abc import Callable

_MOST = 10_000


class Rate:
    """`a_minute` requests a minute for each key, and as many at once; the keys longest unheard of are forgotten."""

    def __init__(self, a_minute: float, clock: Callable[[], float], most: int = _MOST) -> None:
        self.a_second = a_minute / 60
        self.most_at_once = max(1.0, a_minute)
        self._clock = clock
        self._most = most
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, key: str) -> float:
        """Take one from a key's bucket: 0, or where there is none for how many seconds to wait."""
        now = self._clock()
        left, at = self._left.pop(key, (self.most_at_once, now))
        left = min(self.most_at_once, left + max(0.0, now - at) * self.a_second)
        taken = left >= 1
        self._left[key] = (left - taken, now)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return 0.0 if taken else (1 - left) / self.a_second
