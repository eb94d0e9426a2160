"""How much of what arrives is held in memory at once, over all requests: more is refused before it is read."""

from threading import Lock

from gatewatch.web.refusals import LATER_S, Refused


class Held:
    """Bytes that are held for requests under way, `most` at the most. Threads may share it."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.now = 0
        self._lock = Lock()

    def take(self, size: int) -> None:
        """Hold some more.

        Raises:
            Refused: with 503, where there is no room; nothing is held then.
        """
        with self._lock:
            if self.now + size > self.most:
                what = f"{self.now:,} bytes of requests are under way, and there is room for {self.most:,}"
                raise Refused(503, what, reason="no room", retry_s=LATER_S)
            self.now += size

    def give(self, size: int) -> None:
        """Let go of some."""
        with self._lock:
            self.now -= size
