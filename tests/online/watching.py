"""Conversations for tests of monitors, and streams folded without a store."""

from collections.abc import Iterable, Mapping, Sequence

from gatewatch.core.watch import SIGNALS
from gatewatch.online.detect import Finding, Fold, State
from gatewatch.online.probe import Plan, score_probes, signal_probes
from gatewatch.store.watching import Entry

DAY_S = 86_400.0


def scored(
    values: Iterable[tuple[str, float]], *, per_day: float = 1000.0, begin: float = 0.0, first: int = 1
) -> list[Entry]:
    """Conversations with a score each, evenly over time: (slice, value)."""
    return [
        Entry(number, number, begin + (number - first) * DAY_S / per_day, part, "", "", True, (value,))
        for number, (part, value) in enumerate(values, first)
    ]


def heard(
    signals: Sequence[Mapping[str, float]],
    *,
    traits: Sequence[Mapping[str, str]] | None = None,
    part: str = "",
    per_day: float = 1000.0,
    begin: float = 0.0,
    first: int = 1,
) -> list[Entry]:
    """Conversations with their signals; those that are not given are unknown, or 0 where they are rates."""
    found = []
    for place, each in enumerate(signals):
        values = tuple(each.get(name, 0.0 if index < 6 else None) for index, name in enumerate(SIGNALS))
        at = begin + place * DAY_S / per_day
        told = {} if traits is None else traits[place]
        found.append(Entry(first + place, first + place, at, part, "", "", True, values, told))
    return found


def plan(*, learn_n: int = 1000, learn_days: float = 0.0, days: float = 90.0, detectors: int = 1) -> Plan:
    return Plan(score_probes("helpful", None), learn_days * DAY_S, learn_n, days, detectors)


def plan_of_signals(*, learn_n: int = 1000, learn_days: float = 0.0, days: float = 90.0) -> Plan:
    probes = signal_probes({})
    return Plan(probes, learn_days * DAY_S, learn_n, days, len(probes), of_signals=True)


def folded(entries: Iterable[Entry], how: Plan, state: State | None = None) -> tuple[list[Finding], State]:
    fold = Fold(how, state or State())
    found = [finding for entry in entries for finding in fold.take(entry)]
    return found, fold.state
