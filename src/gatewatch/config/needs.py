"""What needs somebody, the gravest first: each with where it is done, as a page and as a command."""

from collections.abc import Iterable, Sequence
from shlex import quote
from typing import Literal

from msgspec import Struct

from gatewatch.config.flow_state import FlowState, Workers
from gatewatch.config.gate_state import GateState
from gatewatch.config.loop_state import FailuresState, Outbox, ReviewState
from gatewatch.core import codec
from gatewatch.core.failure import Failure, failure_name
from gatewatch.core.watch import Alert
from gatewatch.loop.label import item_name
from gatewatch.online.alert_text import change
from gatewatch.online.monitor_costs import MonitorCost

Sign = Literal["critical", "warning", "fail", "error", "unsure", "none"]
Kind = Literal[
    "alert",
    "gate",
    "flaw",
    "workers",
    "budget",
    "overdue",
    "regressed",
    "blocked",
    "disputed",
    "baseline",
    "pull",
    "review",
    "failures",
]
_GRAVITY = {"page": 0, "ticket": 30, "info": 90}
_SIGNS: dict[str, Sign] = {"page": "critical", "ticket": "warning", "info": "none"}
_SEEN_TO = 25
"""By how much less grave an alert is that somebody acknowledged."""
_NAMED = 3
_OLD_S = 7 * 86_400.0


class Need(Struct, frozen=True, kw_only=True):
    """Something that needs somebody. The smaller its gravity, the graver. `at` is since when, in seconds since the
    epoch; `screen` is the key of the screen on which it is done, `path` where there, `query` the parameters; `command`
    does it in a terminal.
    """

    kind: Kind
    gravity: int
    sign: Sign
    title: str
    detail: str = ""
    at: float | None = None
    screen: str
    path: str
    query: dict[str, str] = {}
    command: str

    @property
    def id(self) -> str:
        """What tells it from others, for as long as it is there."""
        return f"{self.kind}-{codec.digest((self.path, self.query), 8)}"


def needs(
    *,
    gates: Iterable[GateState],
    flows: Sequence[FlowState],
    alerts: Iterable[Alert],
    failures: FailuresState,
    review: ReviewState,
    changes: Outbox,
    workers: Workers | None,
    costs: Iterable[MonitorCost],
    now: float,
) -> list[Need]:
    """All that needs somebody; of one gravity, what came last is first."""
    found = [
        *(_alert(each) for each in alerts),
        *(need for each in gates for need in _gate(each)),
        *_workers(flows, workers, now),
        *(need for each in costs for need in _budget(each)),
        *_failures(failures),
        *_review(review, now),
        *_pull(changes),
    ]
    return sorted(found, key=lambda each: (each.gravity, -(each.at or 0.0), each.title))


def _alert(alert: Alert) -> Need:
    where = f"{alert.flow}: " if alert.flow else ""
    acknowledged = alert.state == "acknowledged"
    return Need(
        kind="alert",
        gravity=_GRAVITY[alert.severity] + _SEEN_TO * acknowledged,
        sign=_SIGNS[alert.severity],
        title=f"{where}{alert.title}",
        detail=" · ".join(filter(None, (change(alert), "acknowledged" if acknowledged else ""))),
        at=alert.opened,
        screen="alerts",
        path=f"/alerts/{alert.id}",
        command=f"gatewatch alerts show {alert.id}",
    )


def _gate(gate: GateState) -> Iterable[Need]:
    suite, last, dataset = gate.suite, gate.last, gate.dataset
    if last is not None and last.word == "REGRESSED":
        yield Need(
            kind="gate",
            gravity=10,
            sign="fail",
            title=f"{suite}: the gate fails for what is in use",
            detail=f"{last.name}, run {last.run}",
            at=last.at,
            screen="compare",
            path="/compare",
            query={"candidate": last.run, "suite": suite},
            command=f"gatewatch compare baseline {last.run}",
        )
    flaw = gate.flaw or ("" if dataset is None else dataset.flaw)
    if flaw:
        yield Need(
            kind="flaw",
            gravity=15,
            sign="error",
            title=f"{suite}: {'the baseline' if gate.flaw else 'the dataset'} cannot be read",
            detail=flaw,
            screen="datasets",
            path="/datasets",
            command="gatewatch doctor",
        )
    if dataset is not None and dataset.overdue:
        n = len(dataset.overdue)
        yield Need(
            kind="overdue",
            gravity=40,
            sign="fail",
            title=f"{suite}: {n} open {'case is' if n == 1 else 'cases are'} overdue, and the gate fails for "
            + ("it" if n == 1 else "them"),
            detail=_some(f"{each.case} by {each.until} {each.owner}".rstrip() for each in dataset.overdue),
            screen="datasets",
            path="/datasets",
            command=f"gatewatch show {quote(dataset.overdue[0].case)}",
        )
    if gate.blocked:
        n, newest = len(gate.blocked), gate.blocked[0]
        yield Need(
            kind="blocked",
            gravity=60,
            sign="fail",
            title=f"{suite}: {n} {'candidate is' if n == 1 else 'candidates are'} blocked",
            detail=_some(each.name for each in gate.blocked),
            at=newest.at,
            screen="compare",
            path="/compare",
            query={"candidate": newest.run, "suite": suite},
            command=f"gatewatch compare baseline {newest.run}",
        )
    if gate.pinned is not None and gate.pinned.due:
        yield Need(
            kind="baseline",
            gravity=70,
            sign="warning",
            title=f"{suite}: the baseline is due to be pinned anew",
            detail=_some(gate.pinned.due),
            at=gate.pinned.at,
            screen="runs",
            path="/runs",
            query={"suite": suite},
            command=f"gatewatch rebaseline {quote(suite)}",
        )


def _workers(flows: Sequence[FlowState], workers: Workers | None, now: float) -> Iterable[Need]:
    """Nobody scores, though something waits, or a worker went away without a word."""
    waiting = sum(each.queue.waiting for each in flows)
    if workers is None or workers.at_work or not (waiting or (workers.heard and not workers.ended)):
        return
    since = min((each.queue.since for each in flows if each.queue.since is not None), default=workers.heard)
    yield Need(
        kind="workers",
        gravity=20,
        sign="error",
        title="No worker is at work" + (f", and {waiting:,} scores wait" if waiting else ""),
        detail="one was lost without a word" if workers.heard and not workers.ended else "",
        at=since if since is None or since <= now else now,
        screen="settings",
        path="/settings",
        command="gatewatch work",
    )


def _budget(cost: MonitorCost) -> Iterable[Need]:
    if cost.budget is not None and cost.left is not None and cost.left <= 0:
        yield Need(
            kind="budget",
            gravity=35,
            sign="warning",
            title=f"{cost.monitor}: today's budget for judges is used up",
            detail=f"${cost.budget:,.2f} a day; what is left over is scored tomorrow, or not at all",
            at=cost.used_up,
            screen="costs",
            path="/costs",
            query={"place": "live"},
            command="gatewatch costs --monitors",
        )


def _failures(failures: FailuresState) -> Iterable[Need]:
    for each in failures.regressed:
        yield Need(
            kind="regressed",
            gravity=50,
            sign="fail",
            title=f"{_called(each)} came back after it was fixed",
            detail=f"{each.n:,} requests of {each.flow}",
            at=each.updated,
            screen="failures",
            path=f"/failures/{failure_name(each.id)}",
            command=f"gatewatch show {failure_name(each.id)}",
        )
    if failures.new and failures.worst_new is not None:
        yield Need(
            kind="failures",
            gravity=85,
            sign="none",
            title=f"{failures.new:,} new {'failure' if failures.new == 1 else 'failures'} this week",
            detail=f"the gravest: {_called(failures.worst_new)}",
            at=failures.newest,
            screen="failures",
            path=f"/failures/{failure_name(failures.worst_new.id)}",
            command=f"gatewatch mine {quote(failures.worst_new.flow)} --list",
        )


def _review(review: ReviewState, now: float) -> Iterable[Need]:
    if review.disputed:
        n = len(review.disputed)
        yield Need(
            kind="disputed",
            gravity=65,
            sign="unsure",
            title=f"Reviewers disagree on {n:,} {'request' if n == 1 else 'requests'}",
            detail=_some(item_name(each.id) for each in review.disputed),
            at=min(each.added for each in review.disputed),
            screen="review",
            path=f"/review/{item_name(review.disputed[0].id)}/settle",
            command="gatewatch label settle",
        )
    if review.oldest is not None and now - review.oldest > _OLD_S:
        yield Need(
            kind="review",
            gravity=80,
            sign="none",
            title=f"{review.waiting:,} {'request waits' if review.waiting == 1 else 'requests wait'} to be labelled",
            detail="the oldest for more than a week",
            at=review.oldest,
            screen="review",
            path="/review",
            command="gatewatch label",
        )


def _pull(changes: Outbox) -> Iterable[Need]:
    if changes.pending:
        what = "1 change waits" if changes.pending == 1 else f"{changes.pending:,} changes wait"
        yield Need(
            kind="pull",
            gravity=75,
            sign="warning",
            title=f"{what} to be pulled into git",
            at=changes.oldest,
            screen="failures",
            path="/failures/changes",
            command="gatewatch pull",
        )


def _called(failure: Failure) -> str:
    return f"{failure_name(failure.id)} {failure.name}".rstrip()


def _some(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return ", ".join(every[:_NAMED]) + more
