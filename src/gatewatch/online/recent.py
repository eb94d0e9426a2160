"""What came lately, in a few sums: enough to say about when a fall began, and how large it is.

Blocks of values become coarser with age, two of each size, so that a history of any length is some dozens of sums.
"""

from msgspec import Struct

from gatewatch.stats.drift import AS_EXPECTED

_BLOCK = 8


class Recent(Struct):
    """Blocks, oldest first: how many values each has, what is missing of them in sum, and when its first one was."""

    counts: list[int] = []
    missing: list[float] = []
    firsts: list[float] = []

    def add(self, missing: float, at: float) -> None:
        """Take what is missing of one value (below 0 where there is more than was expected)."""
        counts = self.counts
        if counts and counts[-1] < _BLOCK:
            counts[-1] += 1
            self.missing[-1] += missing
            return
        counts.append(1)
        self.missing.append(missing)
        self.firsts.append(at)
        place = len(counts) - 2  # the block that is full now
        while place >= 2 and counts[place] == counts[place - 1] == counts[place - 2]:
            self._merge(place - 2)
            place -= 2

    def _merge(self, place: int) -> None:
        self.counts[place] += self.counts.pop(place + 1)
        self.missing[place] += self.missing.pop(place + 1)
        del self.firsts[place + 1]

    def fall(self) -> tuple[float, float]:
        """Since where a fall fits best: how much is missing of each value since, and when it began.

        Source: Hinkley (1970), as `stats.drift.onset`, at the blocks' ends.
        """
        best, found = 0.0, (0.0, self.firsts[-1] if self.firsts else 0.0)
        count, missing = 0, 0.0
        for n, part, first in zip(reversed(self.counts), reversed(self.missing), reversed(self.firsts), strict=True):
            count += n
            missing += part
            fit = missing * missing / (count + AS_EXPECTED)
            if missing > 0.0 and fit > best:
                best, found = fit, (missing / count, first)
        return found
