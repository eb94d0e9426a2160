"""The monitor: a step listens to what is new, folds what entered before, and says what it found, in one transaction.

It keeps nothing in memory that a later step needs: any number of workers may step, and one that is killed leaves the
store as it was before its step, or as it is after it.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from gatewatch.core.rates import Epoch
from gatewatch.core.watch import Alert, Marker, components_of
from gatewatch.online import alert
from gatewatch.online.alert_rules import Alarming
from gatewatch.online.attribute import attribute
from gatewatch.online.canary import cleared, freeze, judge_alert, judge_state, judged, unchecked, want_check
from gatewatch.online.canary import key_of as judge_key
from gatewatch.online.detect import Finding, Fold, State, reference_of, state_of
from gatewatch.online.listen import entries as listened
from gatewatch.online.listen import place_of, plain
from gatewatch.online.made import Made
from gatewatch.online.monitor import DAY_S, Monitor, Watch
from gatewatch.online.never import never
from gatewatch.online.probe import Plan, Probe, score_probes, signal_probes
from gatewatch.online.sample import SIGNALS as SIGNALS_WORK
from gatewatch.online.silence import silence
from gatewatch.store.base import Store
from gatewatch.store.rows import Work
from gatewatch.store.watching import Stream, Unheard, WatchStep

AT_ONCE = 2000
_RECALLED = 5000
_LOOK_S = 30.0
_FOREVER = 2.0**40
_PATIENCE_S = 3600.0
_PAST_S = 2 * DAY_S


class Watcher:
    """What steps for one worker.

    Args:
        store: where everything is.
        monitors: what is watched, and `alarming` what is to be said of it, in the same order.
        keep_s: for how long entries are kept, so that a rule can be tried on them.
    """

    def __init__(
        self,
        store: Store,
        monitors: Sequence[Monitor],
        alarming: Sequence[Alarming],
        *,
        keep_s: float = 90 * DAY_S,
    ) -> None:
        self.store, self.keep_s = store, keep_s
        self.monitors = {each.flow: each for each in monitors}
        self.alarming = {each.flow: each for each in alarming}
        self._seen: dict[str, set[str]] = {}
        self._folds: dict[int, tuple[bytes, Fold]] = {}  # by stream: the state that was kept last, and what it is of
        self._frozen: set[int] = set()
        self._looked = self._born = 0.0

    def step(self, now: float) -> bool:
        """Take one step, and say whether there is more to be done at once.

        Raises:
            StoreError: as the store does; nothing of the step is kept then.
        """
        if not self.alarming:
            return False
        store = self.store
        self._born = self._born or now
        settled = {flow: now - each.session_end_s for flow, each in self.alarming.items()}
        every = {each.id: each for each in store.works() if each.scorer != SIGNALS_WORK}
        works = self.works(every.values())
        unheard = store.unheard(settled, AT_ONCE)
        open_ = {each.key: each for each in store.alerts(every=False, most=10_000)}
        made = Made(unheard, open_)
        self._fold(made, works, now)
        self._listen(made, unheard, every, settled, now)
        self._absent(made, works, now)
        self._wake(made, now)
        step = WatchStep(
            read_at=unheard.read_at,
            fresh_through=max((each.number for each in unheard.fresh), default=0),
            cursors=unheard.cursors,
            entries=made.entries,
            states=made.states,
            bases=made.bases,
            trim_before=now - self.keep_s,
            alerts=list(made.alerts.values()),
            resolved=list(made.resolved.items()),
            markers=list(made.markers.values()),
        )
        kept = store.keep(step, now)
        if kept:
            for flow, what in made.markers:
                self._seen[flow].add(what)
        return (kept and made.more) or made.full

    def works(self, every: Iterable[Work]) -> dict[int, Work]:
        """Those of some works that are watched now: older versions of a scorer are series that have ended."""
        names = {
            (flow, watch.scorer.name, watch.scorer.fingerprint)
            for flow, monitor in self.monitors.items()
            for watch in monitor.watches
        }
        return {each.id: each for each in every if (each.flow, each.scorer, each.fingerprint) in names}

    def watches(self, flow: str) -> tuple[Watch, ...]:
        """The scorers that are watched on a flow."""
        return self.monitors[flow].watches if flow in self.monitors else ()

    def plans(self, works: Mapping[int, Work]) -> dict[int, tuple[Stream, Plan]]:
        """The streams that are watched, by number, and how."""
        found: dict[int, tuple[Stream, Plan]] = {}
        known = {(each.flow, each.scorer, each.fingerprint): each for each in self.store.streams()}
        for flow, each in self.alarming.items():
            signals = known.get((flow, "", "")) or self.store.stream(flow)
            found[signals.id] = signals, _plan(each, signal_probes(each.rules), of_signals=True)
            for work in works.values():
                if work.flow == flow:
                    key = flow, work.scorer, work.fingerprint
                    stream = known.get(key) or self.store.stream(*key, work.source)
                    found[stream.id] = stream, _plan(each, score_probes(work.scorer, each.rules.get(work.scorer)))
        detectors = sum(len(plan.probes) for _, plan in found.values())
        return {number: (stream, replace(plan, detectors=detectors)) for number, (stream, plan) in found.items()}

    # What entered before

    def _fold(self, made: Made, works: Mapping[int, Work], now: float) -> None:
        accepted = [each for each in self.store.markers(until=now) if each.accepted]
        look = abs(now - self._looked) >= _LOOK_S
        asking = any(each.quiet == alert.CHECKING for each in made.open.values())
        changed: set[tuple[str, str]] = set()
        caught_up = True
        for stream, wanted in self.plans(works).values():
            state, folded, told, plan = self._begin(made, stream, wanted, accepted)
            if stream.source == "judge" and (look or asking or stream.id not in self._frozen):
                self._judge(made, stream, state, now)
            if look:
                self._let_go(made, stream, plan, now)
            entries = self.store.entries(stream.id, folded, AT_ONCE) if folded < stream.last else []
            if not entries and (state.anchor, folded) == (self._state(stream).anchor, stream.folded):
                changed |= {(stream.flow, key) for key in state.fallen}
                continue
            if not stream.told and stream.scorer:
                self._over(made, stream, plan, "another version of the scorer is watched")
            known = self._folds.get(stream.id)
            fold = known[1] if known is not None and known[1].holds(state, plan) else Fold(plan, state)
            for each in entries:
                for finding in fold.take(each):
                    if each.number > told:
                        self._found(made, stream, fold.state, finding, now)
            through = entries[-1].number if entries else folded
            made.states.append((stream.id, through, fold.state.encoded()))
            self._folds[stream.id] = made.states[-1][2], fold
            made.more |= len(entries) == AT_ONCE
            changed |= {(stream.flow, key) for key in fold.state.fallen}
            caught_up &= through >= stream.last
        if look and caught_up:
            self._end(made, changed)

    def _end(self, made: Made, changed: set[tuple[str, str]]) -> None:
        """Resolve what no stream says any more: its rule is gone, it was folded anew without whoever was erased."""
        keys = {alert.key_of(flow, kind, name) for flow, name in changed for kind in alert.CHANGES}
        for key, each in made.open.items():
            if each.kind in alert.CHANGES and key not in made.alerts and key not in keys:
                made.resolve(key, "it is not found any more")

    def _begin(
        self, made: Made, stream: Stream, plan: Plan, accepted: Sequence[Marker]
    ) -> tuple[State, int, int, Plan]:
        """The state to go on from, the number it is of, up to which number findings were told of, and by what plan.

        Where workers differ, while new rules are rolled out, the plan of the one that began last stands for all.
        """
        state, folded = self._state(stream), stream.folded
        anchors = [each for each in accepted if each.flow in ("", stream.flow) and each.id > state.anchor]
        if anchors:
            newest = max(anchors, key=lambda each: each.id)
            later = self.store.entered(stream.id, newest.at, _FOREVER)
            folded = later[0].number - 1 if later else stream.last
            state = State(anchor=newest.id, since=newest.at, plan=plan, born=self._born, first=state.first)
            self._over(made, stream, plan, f"accepted by {newest.who or '?'}: {newest.reason}")
            made.bases.append((stream.id, folded, state.encoded()))
            return state, folded, stream.told, plan
        if state.plan is not None and state.plan.digest != plan.digest:
            if state.born > self._born:
                return state, folded, stream.told, replace(state.plan, detectors=plan.detectors)
            base = state_of(stream.base)  # other rules: what was learnt is folded by these
            base.born, base.plan = self._born, plan
            return base, stream.base_at, stream.told, plan
        state.born = max(state.born, self._born)
        return state, folded, stream.told, plan

    def _state(self, stream: Stream) -> State:
        """The state of a stream: what this worker folded last, if that is what is kept."""
        known = self._folds.get(stream.id)
        return known[1].state if known is not None and known[0] == stream.state else state_of(stream.state)

    def _over(self, made: Made, stream: Stream, plan: Plan, reason: str) -> None:
        """Resolve what is open of a stream, of which something else is the reference now."""
        for probe in plan.probes:
            for kind in alert.CHANGES:
                made.resolve(alert.key_of(stream.flow, kind, probe.key), reason)
        if plan.of_signals:
            for each in made.open.values():
                if each.flow == stream.flow and each.kind in ("mix", "unknown"):
                    made.resolve(each.key, reason)

    def _let_go(self, made: Made, stream: Stream, plan: Plan, now: float) -> None:
        """Move the base over entries that are too old to be kept."""
        before = now - self.keep_s
        oldest = self.store.entries(stream.id, stream.base_at, 1)
        if not oldest or oldest[0].at >= before or any(number == stream.id for number, _, _ in made.bases):
            return
        fold, last = Fold(plan, state_of(stream.base)), stream.base_at
        for each in self.store.entries(stream.id, stream.base_at, AT_ONCE):
            if each.at >= before or each.number > stream.folded:
                break
            fold.take(each)
            last = each.number
        made.bases.append((stream.id, last, fold.state.encoded()))

    def _found(self, made: Made, stream: Stream, state: State, finding: Finding, now: float) -> None:
        alarming = self.alarming[stream.flow]
        if finding.what == "fell" and finding.probe is not None:
            first = max(state.good.get(finding.probe.key, state.learnt), finding.number - _RECALLED)
            entries = self.store.entries(stream.id, first, _RECALLED)
            reference, measured = reference_of(finding.probe, state)
            markers = self.store.markers(stream.flow, finding.began - 7 * DAY_S)
            upto = [each for each in entries if each.number <= finding.number]
            found = attribute(finding.probe, upto, reference, measured, markers)
            traces = list(self.store.named(found.worst).values())
            raised = alert.fallen(alarming, finding, found, traces, now)
            made.raise_(self._quieted(raised, finding, stream, state, now))
        elif finding.what == "back" and finding.probe is not None:
            for kind in alert.CHANGES:
                made.resolve(alert.key_of(stream.flow, kind, finding.probe.key), "it is back to what it was")
        elif finding.what in ("mix", "unknown"):
            made.raise_(self._quieted(alert.mixed(alarming, finding, now), finding, stream, state, now))
        elif finding.what == "mix back":
            made.resolve(alert.key_of(stream.flow, "mix", finding.name), "the mix is back to what it was")

    def _quieted(self, raised: Alert, finding: Finding, stream: Stream, state: State, now: float) -> Alert:
        """An alert of which nobody is told yet, or at all, where there is a reason."""
        alarming = self.alarming[stream.flow]
        until = (state.first or now) + alarming.observe_s
        if raised.quiet:
            return raised
        if now - finding.at > _PAST_S:  # it was not watched then
            return replace(raised, quiet="it is long over: found in what was stored before")
        if now < until and raised.kind not in ("ceiling", "never"):
            return replace(raised, quiet="the monitor is new and only observes")
        if raised.kind in ("quality", "better") and stream.source == "judge":
            judge = judge_state(self.store, stream, now)
            if judge == "changed" and self._explains(stream, raised):
                return replace(raised, quiet=alert.CHANGED)
            if judge == "unknown" and want_check(self.store, stream, now):
                return replace(raised, quiet=alert.CHECKING, until=now + _PATIENCE_S)
            return _noted(raised, (unchecked if judge == "unknown" else cleared)(self.store, stream))
        return raised

    def _explains(self, stream: Stream, raised: Alert) -> bool:
        """Whether that the judge changed explains a change: it went the same way, and may have gone half as far as the
        alarm says, which says too much of what it chose."""
        _, last = judged(self.store, stream.id)
        found = raised.evidence
        if last is None or last.test.interval is None or found.low is None or found.high is None:
            return True
        moved, fell = last.test.interval, (found.effect or 0.0) < 0.0
        if fell != (last.test.effect < 0.0):
            return False
        return moved.low <= found.high / 2 if fell else moved.high >= found.low / 2

    # What is new

    def _listen(
        self,
        made: Made,
        unheard: Unheard,
        works: Mapping[int, Work],
        settled: Mapping[str, float],
        now: float,
    ) -> None:
        turns = [each.turn for each in unheard.fresh] + [each.turns[0] for each in unheard.settled]
        known: dict[int, Sequence[Epoch]] = {}

        def epochs(work: Work) -> Sequence[Epoch]:
            if work.id not in known:
                places = [place_of(turn, work) for turn in turns]
                known[work.id] = [plain(each) for each in self.store.epochs(work.id, min(places), max(places))]
            return known[work.id]

        streams: dict[tuple[str, str, str], int] = {}

        def stream(flow: str, scorer: str, fingerprint: str, source: object) -> int:
            key = flow, scorer, fingerprint
            if key not in streams:
                streams[key] = self.store.stream(flow, scorer, fingerprint, source).id  # type: ignore[arg-type]
            return streams[key]

        made.entries = list(listened(unheard, works, settled, stream, epochs))
        made.more |= bool(made.entries)
        made.full = len(unheard.fresh) == AT_ONCE or len(unheard.settled) >= AT_ONCE
        for each in never(self.store, unheard, works, self.alarming, made.open, now):
            made.raise_(each)
        for turn in turns:
            self._versions(made, turn.flow, turn.version, turn.at)

    def _versions(self, made: Made, flow: str, label: str, at: float) -> None:
        """Mark component versions that were never seen before."""
        if flow not in self._seen:
            self._seen[flow] = {each.what for each in self.store.markers(flow) if each.seen and each.flow == flow}
        for component, version in components_of(label).items():
            what = f"{component}={version}"
            if what not in self._seen[flow] and (flow, what) not in made.markers:
                made.markers[flow, what] = Marker(at, flow, what, seen=True)

    # What is not there

    def _absent(self, made: Made, works: Mapping[int, Work], now: float) -> None:
        """Look now and then for what is not there."""
        if abs(now - self._looked) < _LOOK_S:
            return
        self._looked = now
        for each in silence(self.store, self.monitors, self.alarming, works, now):
            if not isinstance(each, Alert):
                made.resolve(*each)
            elif each.key not in made.open:
                made.raise_(each)

    def _judge(self, made: Made, stream: Stream, state: State, now: float) -> None:
        """Freeze what a judge is to be checked with, say whether it changed, and tell of what waited for a check."""
        frozen = self.store.canary_set(stream.id)
        if frozen is not None:
            self._frozen.add(stream.id)
        if state.learnt and (frozen is None or frozen.frozen < state.since):
            freeze(self.store, stream, now, anew=frozen is not None)
        found = judge_alert(self.store, stream, now, made.open.get(judge_key(stream)))
        if isinstance(found, Alert):
            alarming = self.alarming[stream.flow]
            made.raise_(alert.owned(found, alarming))
        elif found:
            made.resolve(judge_key(stream), found)
        for waiting in list(made.open.values()):
            its = (waiting.flow, waiting.name) == (stream.flow, stream.scorer)
            if its and waiting.quiet == alert.CHECKING and waiting.key not in made.alerts:
                self._released(made, stream, waiting, now)

    def _released(self, made: Made, stream: Stream, waiting: Alert, now: float) -> None:
        """Tell of an alert that waits for a check of its judge, once that is there or the time is over."""
        judge = judge_state(self.store, stream, now)
        if judge == "changed" and self._explains(stream, waiting):
            made.raise_(replace(waiting, quiet=alert.CHANGED, updated=now, until=None))
        elif judge != "unknown":
            made.raise_(_noted(replace(waiting, quiet="", updated=now), cleared(self.store, stream)))
        elif waiting.until is None or now >= waiting.until:
            made.raise_(_noted(replace(waiting, quiet="", updated=now), unchecked(self.store, stream)))
        else:  # the canaries may have been at their second score when it was first asked for
            want_check(self.store, stream, now)

    def _wake(self, made: Made, now: float) -> None:
        """Open again what was put off until now."""
        for each in made.open.values():
            if each.state == "snoozed" and each.until is not None and each.until <= now:
                made.alerts.setdefault(each.key, replace(each, updated=now))  # brought up, it is told of again


def _noted(raised: Alert, note: str) -> Alert:
    evidence = replace(raised.evidence, note="; ".join(filter(None, (raised.evidence.note, note))))
    return replace(raised, evidence=evidence)


def _plan(alarming: Alarming, probes: tuple[Probe, ...], *, of_signals: bool = False) -> Plan:
    return Plan(
        probes,
        alarming.reference_days * DAY_S,
        alarming.reference_n,
        alarming.false_alarm_days,
        1,
        of_signals,
    )
