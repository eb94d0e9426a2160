"""What is not there: no requests, no scores, no money left. A monitor that hears nothing is believed in wrongly."""

from collections.abc import Iterator, Mapping

from gatewatch.core.watch import Alert
from gatewatch.online import alert
from gatewatch.online.alert_rules import Alarming
from gatewatch.online.monitor import HOUR_S, Monitor
from gatewatch.online.sample import budget_name
from gatewatch.store.base import Store
from gatewatch.store.rows import Work

LONG_S = 6 * HOUR_S
"""After how long without a score, though there was something to score, a scorer is told of by default."""
_ENOUGH, _MANY = 5, 20
_SPENT = 0.98

Found = Alert | tuple[str, str]
"""An alert, or a key that is resolved and why."""


def silence(
    store: Store,
    monitors: Mapping[str, Monitor],
    alarming: Mapping[str, Alarming],
    works: Mapping[int, Work],
    now: float,
) -> Iterator[Found]:
    """What is to be said, by flow, of what is not there; an alert of a key that is open already is for the caller to
    leave out."""
    newest = store.newest(alarming)
    for flow, each in alarming.items():
        since = newest.get(flow)
        if since is not None and each.no_data_s:
            key = alert.key_of(flow, "no_data", "")
            gone = now - since > each.no_data_s
            yield alert.no_data(each, since, now) if gone else (key, "requests come again")
        for work in works.values():
            if work.flow == flow:
                yield from _unscored(store, each, work, now)
        monitor = monitors.get(flow)
        if monitor is not None and monitor.budget:
            spent = store.spent(budget_name(each.monitor, now))[0]
            over = spent >= _SPENT * monitor.budget
            key = alert.key_of(flow, "budget", each.monitor)
            yield alert.budget(each, spent, monitor.budget, now) if over else (key, "another day")


def _unscored(store: Store, alarming: Alarming, work: Work, now: float) -> Iterator[Found]:
    """Whether a scorer gave no score for long though it had something to score, or mostly failed."""
    long = alarming.no_data_s or LONG_S
    since = now - long
    key = alert.key_of(work.flow, "no_data", work.scorer)
    mine = [
        cell
        for cell in store.cells(work.flow, "hour", since, now + HOUR_S)
        if (cell.scorer, cell.fingerprint) == (work.scorer, work.fingerprint)
    ]
    scored, failed = sum(cell.n for cell in mine), sum(cell.unknown for cell in mine)
    left = sum(  # what has just come may be scored in a moment
        each.n
        for each in store.unsettled(work.flow, since - long, now - long / 2)
        if (each.scorer, each.fingerprint) == (work.scorer, work.fingerprint)
        and not each.backfill
        and each.state in ("waiting", "leased", "failed")
    )
    if scored > failed + left:
        yield key, "scores come again"
    elif failed + left >= (_MANY if scored else _ENOUGH):
        yield alert.no_scores(alarming, work.scorer, scored, failed, left, since, now)
