"""Back-testing: what rules would have told of in a window that is over, by the conversations that are kept of it."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.watch import RATES, SIGNALS, Alert, AlertRule, Marker
from gatewatch.online import alert
from gatewatch.online.alert_rules import Alarming
from gatewatch.online.alert_text import moment
from gatewatch.online.attribute import attribute
from gatewatch.online.detect import Finding, Fold, State, reference_of, state_of
from gatewatch.online.monitor import DAY_S
from gatewatch.online.never import FAILS
from gatewatch.online.probe import Plan
from gatewatch.store.base import Store
from gatewatch.store.watching import Entry, Stream

_PAGE = 20_000
_RECALLED = 5000
_MOST = 1_000_000
_LEAST_S = 7 * DAY_S


class Told(Struct, frozen=True):
    """What a stream's rules would have told of: alerts with the moment of each (`opened`), and how many conversations
    of the window that is by. `learnt` is when there was a reference (None: never), `since` where its entries begin, or
    those after the accepted marker `anchor` (0: none), before which nothing is looked at."""

    stream: Stream
    alerts: tuple[Alert, ...]
    conversations: int
    since: float | None = None
    learnt: float | None = None
    anchor: int = 0


def backtest(store: Store, stream: Stream, plan: Plan, alarming: Alarming, *, since: float, until: float) -> Told:
    """What a stream's rules would have told of in a window.

    The stream is folded as the monitor folds it, from where its kept entries begin, by the rules that are given: with
    the reference that it had, or else with the one that its first entries make. A change is found once, until it is
    over; what must never happen is, until a day has passed without it. Judges are not asked again, and how new a
    monitor was is no matter.
    """
    state = state_of(stream.base)
    fold = Fold(plan, State(anchor=state.anchor, since=state.since) if not state.n else state)
    markers = store.markers(stream.flow)
    found: list[Alert] = []
    open_: dict[str, Alert] = {}
    recent: list[Entry] = []
    strict = [rule for rule in alarming.rules.values() if rule.never and rule.name in _names(stream)]
    failed: dict[str, list[tuple[float, str]]] = {rule.name: [] for rule in strict}
    conversations, first, learnt, number = 0, None, None, stream.base_at
    while page := store.entries(stream.id, number, _PAGE):
        number = page[-1].number
        first = page[0].at if first is None else first
        for place, entry in enumerate(page):
            conversations += since <= entry.at < until
            for name, when in failed.items() if plan.of_signals else ():
                if entry.values[SIGNALS.index(name)]:
                    when.append((entry.at, str(entry.seq)))
            for finding in fold.take(entry):
                if finding.what == "learnt":
                    learnt = finding.at
                before = page[max(0, place + 1 - _RECALLED) : place + 1]
                upto = [*recent[len(before) - _RECALLED :], *before] if len(before) < _RECALLED else before
                _note(found, open_, finding, upto, fold.state, alarming, markers, (since, until))
        recent = page[-_RECALLED:]
    for rule in strict:
        if not plan.of_signals:
            work = stream.flow, stream.scorer, stream.fingerprint, stream.source or "rule"
            every = store.values(*work, since - DAY_S, until, _MOST)
            failed[rule.name] = [(each.at, each.cluster) for each in every if each.value < FAILS and not each.failed]
        found += [each for each in _never(alarming, rule, sorted(failed[rule.name])) if since <= each.opened < until]
    return Told(stream, tuple(found), conversations, first, learnt, state.anchor)


def _names(stream: Stream) -> tuple[str, ...]:
    return (stream.scorer,) if stream.scorer else RATES


def _never(alarming: Alarming, rule: AlertRule, failed: Iterable[tuple[float, str]]) -> Iterator[Alert]:
    """The alerts of a never-event, by when it happened and in which conversation, the oldest first."""
    lately, conversations = deque[tuple[float, str]](), Counter[str]()
    last = float("-inf")
    for at, name in failed:
        lately.append((at, name))
        conversations[name] += 1
        while lately[0][0] <= at - DAY_S:
            _, gone = lately.popleft()
            conversations[gone] -= 1
            if not conversations[gone]:
                del conversations[gone]
        if len(conversations) >= rule.never:
            if at - last > DAY_S:
                yield alert.never(alarming, rule, len(conversations), (), lately[0][0], at)
            last = at


def _note(
    found: list[Alert],
    open_: dict[str, Alert],
    finding: Finding,
    entries: list[Entry],
    state: State,
    alarming: Alarming,
    markers: Iterable[Marker],
    window: tuple[float, float],
) -> None:
    if finding.what == "back" and finding.probe is not None:
        for kind in alert.CHANGES:
            open_.pop(alert.key_of(alarming.flow, kind, finding.probe.key), None)
        return
    if finding.what == "fell" and finding.probe is not None:
        reference, measured = reference_of(finding.probe, state)
        good = state.good.get(finding.probe.key, state.learnt)
        entries = [each for each in entries if each.number > good]
        known = [each for each in markers if each.at <= finding.at]
        raised = alert.fallen(
            alarming, finding, attribute(finding.probe, entries, reference, measured, known), (), finding.at
        )
    elif finding.what in ("mix", "unknown"):
        raised = alert.mixed(alarming, finding, finding.at)
    else:
        return
    if raised.key in open_:
        open_[raised.key] = replace(open_[raised.key], times=open_[raised.key].times + 1)
        return
    open_[raised.key] = raised
    if window[0] <= finding.at < window[1]:
        found.append(raised)


def notes(told: Told, since: float) -> Iterator[str]:
    """What a back-test of a stream could not go by, of a window that begins at a time."""
    if not told.conversations:
        yield "no conversation is kept of these days"
    elif told.since is not None and told.since > since + DAY_S:
        accepted = f"marker {told.anchor} was accepted then" if told.anchor else "none is kept of before"
        yield f"conversations since {moment(told.since)} only: {accepted}"
    if told.learnt is not None and told.learnt > since:
        yield f"there was no reference before {moment(told.learnt)}: only limits held"


def covered(told: Iterable[Told], *, since: float, until: float) -> float:
    """From when on there are conversations in a window: its end where there are none."""
    return max(since, min((one.since for one in told if one.since is not None), default=until))


def per_week(told: Iterable[Told], *, since: float, until: float) -> float | None:
    """How many alerts a week that is that anybody would have been told of, in the time of which conversations are kept;
    None where that is less than a week."""
    told = list(told)
    lasts = until - covered(told, since=since, until=until)
    number = sum(not each.quiet for one in told for each in one.alerts)
    return None if lasts < _LEAST_S else number * 7 * DAY_S / lasts
