"""Forest marks: a change and its 95 % interval on one scale for all, as a strip of letters or in parts of its width."""

from collections.abc import Iterable
from math import ceil, floor

from msgspec import Struct

from gatewatch.offline.reports.words import sure
from gatewatch.offline.verdict import Figures

WIDTH, LEAST = 25, 9
"""How many letters a strip has: as many as there is room for, between these."""
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)
_WIDEST = 0.5  # a slice of three cases must not press all the others together


class Scale(Struct, frozen=True):
    """The range of changes that marks are drawn over: `low` is below 0 and `high` above it, in score units."""

    low: float
    high: float
    max_drop: float

    def place(self, value: float) -> float:
        """Where a value stands, in 0..1 from the left; what lies outside stands at the edge."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def strip(self, figures: Figures, width: int = WIDTH) -> str:
        """The mark in letters: ─ the interval, ● the change (○ if it may be noise), │ no change, ┊ the fall allowed."""
        last = width - 1
        letters = [" "] * width

        def at(value: float) -> int:
            return round(self.place(value) * last)

        if self.max_drop > 0:
            letters[at(-self.max_drop)] = "┊"
        letters[at(0.0)] = "│"
        if figures.delta is None:
            return "".join(letters)
        if figures.interval is not None:
            low, high = figures.interval
            for cell in range(at(low), at(high) + 1):
                letters[cell] = {"│": "┼", "┊": "┊"}.get(letters[cell], "─")
            if low < self.low:
                letters[0] = "‹"
            if high > self.high:
                letters[last] = "›"
        letters[at(figures.delta)] = "●" if sure(figures) else "○"
        return "".join(letters)

    @property
    def ends(self) -> tuple[str, str]:
        """The two ends of the scale in percentage points, as written."""
        return f"{self.low * 100:+g}".replace("-", "\u2212"), f"{self.high * 100:+g}"


def scale_of(cells: Iterable[Figures], max_drop: float) -> Scale:
    """A scale in round numbers that all changes find room on, and their intervals as far as they are not too wide."""
    values = [-1.2 * max_drop, 0.4 * max_drop]
    for each in cells:
        values += [] if each.delta is None else [each.delta]
        values += [min(_WIDEST, max(-_WIDEST, end)) for end in each.interval or ()]
    low, high = min(values), max(values)
    step = next((step for step in _STEPS if (high - low) / step <= 10), 1.0)
    return Scale(min(-1, floor(low / step + 1e-9)) * step, max(1, ceil(high / step - 1e-9)) * step, max_drop)
