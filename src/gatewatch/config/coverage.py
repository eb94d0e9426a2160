"""Slices on both sides: which share of live traffic each has, and how many cases of a suite stand for it."""

from collections import Counter

from msgspec import Struct

from gatewatch.config.load import shortest
from gatewatch.config.parts import project_slice
from gatewatch.config.project import Project
from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.plan import slice_name
from gatewatch.store.base import Store

FEW = 5
"""With fewer cases than so many, a slice that has live traffic is a gap: the suite can say nothing of it."""


class SliceCoverage(Struct, frozen=True):
    """A slice: its live requests, their share of all, and its cases by suite. `gap`: it is live, and hardly tested."""

    slice: str
    requests: int
    share: float
    cases: dict[str, int]
    gap: bool


def coverage(project: Project, store: Store, flow: str, *, since: float, until: float) -> list[SliceCoverage]:
    """The slices of a flow and of the project's suites, the ones with the most traffic first.

    Raises:
        InputError: when a suite's dataset, or the slice function, cannot be read.
    """
    live: Counter[str] = Counter()
    for cell in store.signals(flow, "day", since, until):
        live[cell.slice] += cell.n
    total = live.total()
    slice_of = project_slice(project)
    suites: dict[str, Counter[str]] = {}
    for name, suite in project.settings.suites.items():
        dataset = open_dataset(shortest(project.root / suite.dataset))
        suites[name] = Counter(case.slice or slice_name(slice_of, case) for case in dataset if not case.retired)
    every = [*live, *(each for counted in suites.values() for each in counted)]
    found = []
    for part in dict.fromkeys(every):
        cases = {name: counted[part] for name, counted in suites.items()}
        gap = live[part] > 0 and bool(cases) and max(cases.values()) < FEW
        found.append(SliceCoverage(part, live[part], live[part] / total if total else 0.0, cases, gap))
    return sorted(found, key=lambda each: (-each.requests, each.slice))
