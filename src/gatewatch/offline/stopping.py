"""Stopping a run early: as soon as it is clear that the mean fell, or that no fall that matters will be found.

A group sequential test of five looks (`stats/sequential.py`) watches the rows as they are finished. What must pass is
run first and is not looked at here, since it was chosen; the rest comes in an order that is random within each slice
and even between slices, so that what has been seen is a fair sample of the whole at every look.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from random import Random
from typing import Literal

from msgspec import Struct

from gatewatch.core.case import Case
from gatewatch.core.run import Row
from gatewatch.offline.accept import Exceptions
from gatewatch.offline.outcomes import Outcomes
from gatewatch.stats.sequential import LOOKS, Spending, boundaries, look

LEAST_CASES = 100
"""Below so many pairs there is too little to be saved."""

_LEAST = 1e-300

Said = Literal["regressed", "no drop"]


class Look(Struct, frozen=True, kw_only=True):
    """Where data that are looked at several times stand now.

    `information` is the share of all information at each look, `number` counts from 0. `said` is what the test of an
    early stop has said of a scorer, where it has: then the mean layer is decided for it. `bought` says that trials are
    bought between the looks: then a PASS, too, may come at any of them, and shares its error rate among them.
    """

    information: tuple[float, ...]
    number: int
    said: dict[str, Said] = {}
    bought: bool = False

    def level(self, alpha: float) -> float:
        """The nominal one-sided level at which this look may say that the mean fell."""
        return _nominal(self.information, self.number, alpha, "obrien-fleming")

    def pass_level(self, alpha: float) -> float:
        """The nominal one-sided level at which this look may rule a fall out."""
        return _nominal(self.information, self.number, alpha, "pocock") if self.bought else alpha


def _nominal(information: tuple[float, ...], number: int, alpha: float, spending: Spending) -> float:
    from statistics import NormalDist

    z = boundaries(information, alpha=alpha, spending=spending)[number]
    return max(NormalDist().cdf(-z), _LEAST)


class Stopping:
    """Watches the rows of a run and says when it may end; `looks` tells what came of it."""

    def __init__(
        self,
        before: Outcomes,
        cases: Sequence[Case],
        *,
        alphas: Mapping[str, float],
        max_drop: float,
        exceptions: Exceptions | None = None,
    ) -> None:
        """Begin to watch.

        Args:
            before: the baseline.
            cases: the cases that the run will go over.
            alphas: by gating scorer, the level that its mean layer runs at.
            max_drop: the fall that is not to be missed.
            exceptions: what was accepted: it is not looked at.
        """
        self._values: dict[str, dict[str, float]] = {}
        for name in alphas:
            excepted = frozenset[str]() if exceptions is None else exceptions.under(name)
            looked_at = [case for case in cases if not _apart(case) and case.id not in excepted]
            known = {case.id: _value(before, case, name) for case in looked_at}
            self._values[name] = {case: value for case, value in known.items() if value is not None}
        self._alphas = alphas
        self._max_drop = max_drop
        self._differences: dict[str, list[float]] = {name: [] for name in alphas}
        self._number = dict.fromkeys(alphas, 0)
        self.said: dict[str, Said] = {}

    def __call__(self, row: Row) -> str:
        """Take note of a row; the reason to begin no more, or nothing."""
        for name, values in self._values.items():
            score = row.scores.get(name)
            before = values.get(row.case)
            if score is None or score.value is None or before is None or name in self.said:
                continue
            self._differences[name].append(score.value - before)
            self._look(name, len(values))
        if any(said == "regressed" for said in self.said.values()):
            fallen = ", ".join(name for name, said in self.said.items() if said == "regressed")
            return f"stopped early: {fallen} fell"
        if self.said and len(self.said) == len(self._alphas):
            return "stopped early: no fall that matters is to be expected"
        return ""

    def _look(self, name: str, planned: int) -> None:
        if planned < LEAST_CASES:
            return
        found = self._differences[name]
        number = self._number[name] + 1
        if number >= LOOKS or len(found) < max(2, ceil(planned * number / LOOKS)):
            return
        self._number[name] = number
        said = look(found, number, alpha=self._alphas[name], max_drop=self._max_drop, planned=planned)
        if said != "go on":
            self.said[name] = said

    @property
    def look(self) -> Look:
        """What the gate has to know: a run that went on to its end is at its last look."""
        information = tuple((number + 1) / LOOKS for number in range(LOOKS))
        return Look(information=information, number=LOOKS - 1, said=dict(self.said))


def _value(before: Outcomes, case: Case, scorer: str) -> float | None:
    outcome = before.cases.get(case.id)
    return None if outcome is None or outcome.hash != case.hash else outcome.value(scorer)


def _apart(case: Case) -> bool:
    """Whether a case is in no mean's test: it was chosen, to pass or to be seen to."""
    return case.must_pass or case.open is not None


def fair_order(chosen: Sequence[int], cases: Sequence[Case], seed: int) -> list[int]:
    """Positions in the order in which a run that may stop should take them.

    What must pass comes first, and what is open; then every slice in even portions, at random within it.

    Args:
        chosen: positions in a dataset.
        cases: the case at each of them.
        seed: of the order.
    """
    random = Random(seed)
    first = [place for place, case in zip(chosen, cases, strict=True) if _apart(case)]
    slices: dict[str, list[int]] = {}
    for place, case in zip(chosen, cases, strict=True):
        if not _apart(case):
            slices.setdefault(case.slice, []).append(place)
    keyed: list[tuple[float, int]] = []
    for members in slices.values():
        random.shuffle(members)
        start = random.random()
        keyed += [((rank + start) / len(members), place) for rank, place in enumerate(members)]
    return first + [place for _, place in sorted(keyed)]
