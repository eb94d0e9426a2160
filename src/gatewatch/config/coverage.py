"""Slices on both sides: which share of live traffic each has, and how many cases of a suite stand for it."""

from collections import Counter

from msgspec import UNSET, Struct, UnsetType

from gatewatch.config.load import shortest
from gatewatch.config.parts import project_slice
from gatewatch.config.project import Project
from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.plan import slice_name
from gatewatch.store.base import Store

FEW = 5
"""With fewer cases than so many, a slice that has live traffic is a gap: the suite can say nothing of it."""


class SliceCoverage(Struct, frozen=True):
    """A slice: its live requests, their share of all, and its cases by suite. `gap`: it is live, and hardly tested.

    Where whatever sent the requests chose some of them, `sent` of the slice's came, and `requests` is an estimate."""

    slice: str
    requests: int
    share: float
    cases: dict[str, int]
    gap: bool
    sent: int | UnsetType = UNSET


def coverage(project: Project, store: Store, flow: str, *, since: float, until: float) -> list[SliceCoverage]:
    """The slices of a flow and of the project's suites, the ones with the most traffic first.

    Raises:
        InputError: when a suite's dataset, or the slice function, cannot be read.
    """
    live: dict[str, float] = {}
    came: Counter[str] = Counter()
    chosen = False
    for cell in store.signals(flow, "day", since, until):
        live[cell.slice] = live.get(cell.slice, 0.0) + cell.n / cell.share
        came[cell.slice] += cell.n
        chosen |= cell.share < 1.0
    total = sum(live.values())
    slice_of = project_slice(project)
    suites: dict[str, Counter[str]] = {}
    for name, suite in project.settings.suites.items():
        dataset = open_dataset(shortest(project.root / suite.dataset))
        suites[name] = Counter(case.slice or slice_name(slice_of, case) for case in dataset if not case.retired)
    every = [*live, *(each for counted in suites.values() for each in counted)]
    found = []
    for part in dict.fromkeys(every):
        cases = {name: counted[part] for name, counted in suites.items()}
        requests = live.get(part, 0.0)
        gap = requests > 0 and bool(cases) and max(cases.values()) < FEW
        share, sent = requests / total if total else 0.0, came[part] if chosen else UNSET
        found.append(SliceCoverage(part, round(requests), share, cases, gap, sent))
    return sorted(found, key=lambda each: (-each.requests, each.slice))
