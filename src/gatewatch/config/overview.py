"""How the whole loop stands: gate, monitor, failures, review, dataset, and what needs somebody."""

from collections.abc import Sequence

from msgspec import Struct

from gatewatch.config.flow_state import FlowState, Workers, flow_state, watched, workers
from gatewatch.config.gate_state import GateState, GateStates
from gatewatch.config.labelling import agreements
from gatewatch.config.loop_state import (
    Agreed,
    FailuresState,
    Outbox,
    ReviewState,
    agreed,
    everything,
    failures_state,
    outbox,
    review_state,
)
from gatewatch.config.monitors import online
from gatewatch.config.needs import Need, needs
from gatewatch.config.project import Project
from gatewatch.config.shown import told_of
from gatewatch.core.change import ChangeState
from gatewatch.core.errors import InputError
from gatewatch.online.monitor_costs import MonitorCost, monitor_costs
from gatewatch.store.base import Store

MOST_FLOWS = 20
"""Flows that are told of at the most."""
_MOST_CHANGES = 1000
_PENDING: tuple[ChangeState, ...] = ("pending",)


class Overview(Struct, frozen=True, kw_only=True):
    """How the loop stands at a time, in seconds since the epoch. Suites and flows have the gravest first; `more` flows
    are not told of. `workers` is None where nothing is watched."""

    at: float
    gates: tuple[GateState, ...]
    flows: tuple[FlowState, ...]
    more: int
    failures: FailuresState
    review: ReviewState
    agreed: Agreed | None
    changes: Outbox
    workers: Workers | None
    costs: tuple[MonitorCost, ...]
    needs: tuple[Need, ...]

    @property
    def empty(self) -> bool:
        """Whether there is nothing yet to be told of."""
        return not self.flows and not any(self.failures.by_day) and all(each.last is None for each in self.gates)


def overview(store: Store, project: Project | None, gates: GateStates, now: float) -> Overview:
    """How the loop stands. Its cost is in the number of suites, flows, days, failures and items, not of requests.

    Args:
        store: where live traffic is kept.
        project: the checkout, or None where there is none.
        gates: what tells how gates stand.
        now: in seconds since the epoch.

    Raises:
        StoreError: the store cannot be read.
    """
    names = watched(store, project, 10 * MOST_FLOWS)
    flows = sorted(
        (flow_state(store, project, each, now) for each in names[:MOST_FLOWS]), key=lambda each: each.gravity
    )
    found = sorted(gates.every(now), key=_gate_gravity)
    failures = failures_state(store, now)
    items, labels = everything(store)
    review = review_state(items, labels, now)
    changes = outbox(store.changes(_PENDING, most=_MOST_CHANGES))
    at_work = workers(store, now) if flows else None
    costs = _costs(store, project, now)
    return Overview(
        at=now,
        gates=tuple(found),
        flows=tuple(flows),
        more=max(0, len(names) - MOST_FLOWS),
        failures=failures,
        review=review,
        agreed=_agreed(store, project),
        changes=changes,
        workers=at_work,
        costs=tuple(costs),
        needs=tuple(
            needs(
                gates=found,
                flows=flows,
                alerts=told_of(store),
                failures=failures,
                review=review,
                changes=changes,
                workers=at_work,
                costs=costs,
                now=now,
            )
        ),
    )


def _gate_gravity(gate: GateState) -> tuple[int, float]:
    last, pinned, dataset = gate.last, gate.pinned, gate.dataset
    fails = last is not None and last.word == "REGRESSED"
    due = pinned is not None and bool(pinned.due)
    overdue = dataset is not None and bool(dataset.overdue or dataset.flaw)
    weight = 8 * fails + 4 * (overdue or bool(gate.flaw)) + 2 * bool(gate.blocked) + due
    return -weight, -(last.at if last is not None else 0.0)


def _agreed(store: Store, project: Project | None) -> Agreed | None:
    """How far reviewers agree; nothing where the scorer on whose scale they labelled cannot be had."""
    try:
        return agreed(agreements(project, store))
    except InputError:
        return None


def _costs(store: Store, project: Project | None, now: float) -> Sequence[MonitorCost]:
    """What judging costs by monitor; nothing where the monitors are not known, or not in order."""
    if project is None:
        return []
    try:
        return monitor_costs(store, online(project, bound=False).monitors, now=now)
    except InputError:  # `gatewatch doctor` tells of it, and the page of costs
        return []
