"""Probes: which values of a stream a monitor watches, and how each is made one of which 1 is good."""

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.watch import RATES, SIGNALS, AlertRule
from gatewatch.store.bins import bin_of, seconds_of
from gatewatch.store.watching import Entry

OVER = 10.0
"""How many times a ceiling of a mean amount is as bad as can be."""

Measure = Literal["score", "better", "rate", "slow", "amount", "short"]
"""How a value becomes one in 0..1 of which 1 is as it was: as it is; 1 less it (of a score that rises, and of a rate);
1 unless it is among the slowest 5 % of the reference (or over a limit); less the larger the amount is; less the smaller
it is."""


class Probe(Struct, frozen=True):
    """One detector on a stream: of which value, how it is measured, and against which limit, if not the reference."""

    name: str
    place: int
    measure: Measure
    limit: float | None = None

    @property
    def key(self) -> str:
        """What it is called among those of its stream."""
        if self.limit is not None:
            return f"{self.name} limit"
        return f"{self.name} {self.measure}" if self.measure in ("short", "better") else self.name


class Plan(Struct, frozen=True):
    """How a stream is watched. The reference is learnt from conversations of `learn_s` seconds and of at least
    `learn_n`; all `detectors` of a project together make one false alarm in `days`."""

    probes: tuple[Probe, ...]
    learn_s: float
    learn_n: int
    days: float
    detectors: int
    of_signals: bool = False

    @property
    def digest(self) -> str:
        """What tells plans apart whose states are not each other's."""
        return codec.digest(replace(self, detectors=0), 16)


def score_probes(scorer: str, rule: AlertRule | None) -> tuple[Probe, ...]:
    """What is watched of a scorer: that it does not fall, nor below a floor; and that it does not rise for good, by
    which its reference would be out of date."""
    floor = () if rule is None or rule.below is None else (Probe(scorer, 0, "score", rule.below),)
    return (Probe(scorer, 0, "score"), Probe(scorer, 0, "better"), *floor)


def signal_probes(rules: Mapping[str, AlertRule]) -> tuple[Probe, ...]:
    """What is watched of a flow's signals: that they do not rise, nor above a ceiling; outputs, that they do not become
    longer or shorter."""
    found = []
    for place, name in enumerate(SIGNALS):
        measure: Measure = "rate" if name in RATES else "slow" if name.endswith("_s") else "amount"
        found.append(Probe(name, place, measure))
        if name == "output_tokens":
            found.append(Probe(name, place, "short"))
        rule = rules.get(name)
        if rule is not None and rule.above is not None:
            found.append(Probe(name, place, measure, rule.above))
    return tuple(found)


def good(probe: Probe, entries: Iterable[Entry], measured: float) -> list[tuple[Entry, float]]:
    """The entries that count for a probe, with their values in 0..1 of which 1 is good."""
    return [
        (each, measured_good(probe, value, measured))
        for each in entries
        if each.sampled and (value := each.values[probe.place]) is not None
    ]


def measured_good(probe: Probe, value: float, measured: float) -> float:
    """A value in 0..1 of which 1 is good; `measured` is what amounts are measured by."""
    measure, limit = probe.measure, probe.limit
    if measure == "score":
        return value
    if measure in ("rate", "better"):
        return 1.0 - value
    if measure == "slow":
        return float(value <= (limit if limit is not None else measured))
    if limit is not None:
        return 1.0 - min(value / (OVER * limit), 1.0) if limit else float(not value)
    share = min(seconds_of(bin_of(value)) / measured, 1.0) if measured else 0.0
    return share if measure == "short" else 1.0 - share
