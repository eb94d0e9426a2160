"""The mix of the traffic: whether other things are asked for than when the reference was made. It is information: by
itself it says nothing of quality, which is judged within slices."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from gatewatch.online.monitor import DAY_S
from gatewatch.stats.intervals import wilson
from gatewatch.stats.mix import compare_mix

Shift = tuple[Literal["mix", "mix back", "unknown"], str, str]
"""What happened, to which trait, and in words."""

_DAYS = 7
_LEAST = 200
_ALPHA = 1.0 / 90.0  # a day: one false word of it in 90 days
_SMALLEST = 0.05
_UNKNOWN = 0.02
_MOST = 200
_REST = "(other)"
_NAMED = 3

Counts = dict[str, dict[str, int]]
"""By trait and word, how many conversations."""


class MixState(Struct):
    """The reference's counts, those of each of the last days (by the day's number), and traits that have changed."""

    reference: Counts = {}
    days: dict[int, Counts] = {}
    changed: list[str] = []


class Mix:
    """Counts conversations by their traits, and looks at the week so far whenever a day is over."""

    def __init__(self, state: MixState) -> None:
        self.state = state

    def take(self, at: float, part: str, traits: Mapping[str, str], *, learning: bool) -> list[Shift]:
        """Count a conversation, and say what a day that is over by now showed."""
        state = self.state
        day, found = int(at // DAY_S), list[Shift]()
        if learning:
            counts = state.reference
        else:
            newest = max(state.days, default=day)
            if day > newest:
                found = self._looked(newest)
            if day <= newest - _DAYS:
                return found  # it began too long ago
            counts = state.days.setdefault(day, {})
            for old in [each for each in state.days if each <= max(day, newest) - _DAYS]:
                del state.days[old]
        for trait, word in (("slice", part), *traits.items()):
            words = counts.setdefault(trait, {})
            key = word if word in words or len(words) < _MOST else _REST
            words[key] = words.get(key, 0) + 1
        return found

    def _looked(self, newest: int) -> list[Shift]:
        state, found = self.state, list[Shift]()
        now: Counts = {}
        for day, counts in state.days.items():
            if newest - _DAYS < day <= newest:
                for trait, words in counts.items():
                    sums = now.setdefault(trait, {})
                    for word, n in words.items():
                        sums[word] = sums.get(word, 0) + n
        for trait, before in sorted(state.reference.items()):
            after = now.get(trait, {})
            if sum(before.values()) < _LEAST or sum(after.values()) < _LEAST:
                continue
            shift = compare_mix(before, after)
            moved = [each for each in shift.moved if abs(each.after - each.before) >= _SMALLEST]
            if shift.p < _ALPHA / len(state.reference) and moved:
                told = "; ".join(
                    f"{each.name or '(none)'} {each.before:.0%} to {each.after:.0%}" for each in moved[:_NAMED]
                )
                found.append(("mix", trait, told))
                if trait not in state.changed:
                    state.changed.append(trait)
            elif trait in state.changed and not moved:
                state.changed.remove(trait)
                found.append(("mix back", trait, ""))
        return found + _unknown(state.reference.get("slice", {}), now.get("slice", {}))


def _unknown(before: Mapping[str, int], after: Mapping[str, int]) -> list[Shift]:
    """Slices that the reference does not have, where they are more than a few."""
    new = {name: n for name, n in after.items() if name not in before}
    number, n = sum(new.values()), sum(after.values())
    if n < _LEAST or wilson(number, n).low < _UNKNOWN:
        return []
    named = sorted(new, key=lambda name: (-new[name], name))[:_NAMED]
    return [
        ("unknown", "slice", f"{number / n:.0%} of conversations ({', '.join(name or '(none)' for name in named)})")
    ]
