"""What must never happen: told as soon as it is scored, whatever was learnt until then."""

from collections.abc import Iterator, Mapping

from gatewatch.core.watch import RATES, SIGNALS, Alert
from gatewatch.online import alert
from gatewatch.online.alert_rules import Alarming
from gatewatch.online.listen import signals
from gatewatch.online.monitor import DAY_S
from gatewatch.store.base import Store
from gatewatch.store.rows import Work
from gatewatch.store.watching import Turn, Unheard

FAILS = 0.5
"""A score below this is a failure."""
_MOST = 100_000


def never(
    store: Store,
    unheard: Unheard,
    works: Mapping[int, Work],
    alarming: Mapping[str, Alarming],
    open_: Mapping[str, Alert],
    now: float,
) -> Iterator[Alert]:
    """The alerts of never-events among what no monitor has looked at, by the rules of each flow.

    A score below a half is a failure, unless the application gave no answer that could be scored, and so is any mark of
    a signal. What counts is how many conversations of a day failed, since one of them did now. `open_` are the alerts
    that are open, by key: what they rest on is kept.
    """
    failed: dict[tuple[str, str], dict[str, Turn]] = {}  # by flow and name, then by conversation
    for each in unheard.fresh:
        work = works.get(each.work)
        turn = each.turn
        if work is not None and not turn.error and each.own is not None and each.own < FAILS:
            failed.setdefault((work.flow, work.scorer), {})[turn.session or turn.id] = turn
    strict = {flow for flow, each in alarming.items() if any(rule.never for rule in each.rules.values())}
    for conversation in unheard.settled:
        first = conversation.turns[0]
        for name, value in zip(SIGNALS, signals(conversation.turns), strict=True) if first.flow in strict else ():
            if name in RATES and value:
                failed.setdefault((first.flow, name), {})[first.session or first.id] = first
    for (flow, name), turns in failed.items():
        rule = alarming[flow].rules.get(name) if flow in alarming else None
        if rule is not None and rule.never:
            onset = min(each.at for each in turns.values())
            every = turns.keys() | _before(store, works, flow, name, (onset - DAY_S, now + DAY_S))
            if len(every) >= rule.never:
                known = open_.get(alert.key_of(flow, "never", name))
                before = () if known is None else known.evidence.traces
                traces = dict.fromkeys((*(each.id for each in turns.values()), *before))
                yield alert.never(alarming[flow], rule, len(every), traces, onset, now)


def _before(store: Store, works: Mapping[int, Work], flow: str, name: str, window: tuple[float, float]) -> set[str]:
    """The conversations of a window that failed by a scorer, or have a signal."""
    if name in SIGNALS:
        day = store.entered(store.stream(flow).id, *window)
        place = SIGNALS.index(name)
        names = store.named(each.seq for each in day if each.values[place])
        return set(names.values())
    return {
        value.cluster
        for work in works.values()
        if (work.flow, work.scorer) == (flow, name)
        for value in store.values(flow, name, work.fingerprint, work.source, *window, _MOST)
        if value.value < FAILS and not value.failed
    }
