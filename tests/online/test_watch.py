"""The monitor over a store: what enters, what is told, and that nothing of a step is ever half there."""

import random
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.errors import StoreBusy
from gatewatch.core.marks import bits
from gatewatch.core.rates import Rule
from gatewatch.core.trace import Trace
from gatewatch.core.watch import Alert, AlertRule, Marker
from gatewatch.online.alert_rules import Alarming
from gatewatch.online.detect import Fold, state_of
from gatewatch.online.ingest import Ways
from gatewatch.online.monitor import DAY_S, Monitor
from gatewatch.online.traits import traits
from gatewatch.online.watch import Watcher
from gatewatch.scorers.base import Scorer, scorer
from gatewatch.store.watching import WatchStep
from online.living import FLOW, START, Living, monitor, request, thumb, watch
from store.making import a_store, backend  # noqa: F401 - both backends

SCORED = 500


@scorer
def helpful(output: str) -> bool:
    return output == "yes"


class Watched(Living):
    """Traffic that is scored, and watched."""

    def __init__(self, folder: Path, *rules: AlertRule, rate: float = 1.0, **given: Any) -> None:
        super().__init__(folder)
        self.store.close()
        self.store = a_store(folder)
        self.random, self.numbers = random.Random(0), count(1)
        made: Scorer = helpful
        self.monitor: Monitor = monitor(watch(made, Rule(rate)))
        settings: dict[str, Any] = {
            "monitor": "m",
            "flow": FLOW,
            "rules": {each.name: each for each in rules},
            "false_alarm_days": 90.0,
            "observe_s": 0.0,
            "no_data_s": 0.0,
            "reference_days": 0.0,
            "reference_n": SCORED,
            "session_end_s": 1800.0,
            "scorers": ("helpful",),
            "to": ("stdout",),
        }
        self.alarming = Alarming(**{**settings, **given})

    def watcher(self) -> Watcher:
        return Watcher(self.store, [self.monitor], [self.alarming])

    def goes_on(self, n: int, good: float = 0.9, *, step: bool = True, **given: Any) -> None:
        """So many requests, 20 at a time, a minute apart."""
        for first in range(0, n, 20):
            self.now += 60.0
            some = [self.one(good, **given) for _ in range(min(20, n - first))]
            self.arrive(*some, ways=Ways(traits=traits))
        self.work(self.monitor)
        self.now += 3600.0
        if step:
            self.steps()

    def one(self, good: float, **given: Any) -> Trace:
        output = "yes" if self.random.random() < good else "no"
        made = {key: value() if callable(value) else value for key, value in given.items()}
        return request(next(self.numbers), **{"output": output, "started": self.now, **made})

    def steps(self) -> None:
        watcher = self.watcher()
        while watcher.step(self.now):
            pass

    def alerts(self) -> list[Alert]:
        return self.store.alerts()


def kinds(alerts: list[Alert]) -> list[tuple[str, str]]:
    return sorted((each.kind, each.name) for each in alerts)


def test_a_fall_is_told_once_and_when_it_is_over(tmp_path: Path) -> None:
    live = Watched(tmp_path)
    live.goes_on(SCORED)
    live.goes_on(200)
    assert live.alerts() == []
    live.goes_on(60, 0.3)
    (alert,) = live.alerts()
    assert kinds([alert]) == [("quality", "helpful")]
    assert alert.title.startswith("helpful fell from 0.")
    assert alert.evidence.effect is not None
    assert alert.evidence.low is not None
    assert alert.evidence.effect < -0.3
    assert alert.evidence.traces
    assert all(live.store.find(each) is not None for each in alert.evidence.traces)
    live.goes_on(60, 0.3)
    (same,) = live.alerts()
    assert (same.id, same.opened) == (alert.id, alert.opened)
    told = [(each.event, each.to) for each, _ in live.store.untold()]
    assert told == [("opened", "stdout")]
    live.goes_on(300)
    assert live.alerts() == []
    assert [each.event for each, _ in live.store.untold()] == ["opened", "resolved"]


def test_a_minor_fall_is_noted_and_nobody_is_told(tmp_path: Path) -> None:
    live = Watched(tmp_path, AlertRule(name="helpful", least=0.9, to=("stdout",)))
    live.goes_on(SCORED)
    live.goes_on(60, 0.3)
    (alert,) = live.alerts()
    assert (alert.severity, alert.quiet.split(":")[0]) == ("info", "minor")
    assert live.store.untold() == []


def test_a_new_monitor_only_observes_but_for_its_limits(tmp_path: Path) -> None:
    rule = AlertRule(name="helpful", below=0.8, to=("stdout",))
    live = Watched(tmp_path, rule, observe_s=7 * DAY_S)
    live.goes_on(SCORED)
    live.goes_on(100, 0.1)
    found = {each.kind: each.quiet for each in live.alerts()}
    assert found == {"quality": "the monitor is new and only observes", "ceiling": ""}


def test_what_must_never_happen_is_told_before_anything_is_learnt(tmp_path: Path) -> None:
    live = Watched(tmp_path, AlertRule(name="helpful", never=1, severity="page"))
    live.goes_on(20, 1.0)
    assert live.alerts() == []
    live.goes_on(20, 0.5)
    (alert,) = live.alerts()
    assert (alert.kind, alert.severity) == ("never", "page")
    assert alert.evidence.traces


def test_thumbs_that_come_before_it_is_settled_count(tmp_path: Path) -> None:
    live = Watched(tmp_path)
    live.goes_on(SCORED)
    for n in range(1, 200):
        live.arrive(request(10_000 + n, started=live.now))
        live.hear(thumb(10_000 + n, at=live.now))
        live.now += 1.0
    live.now += 7200.0
    live.steps()
    assert ("rate", "thumbs_down") in kinds(live.alerts())


def test_a_session_is_one_conversation_and_enters_when_it_is_over(tmp_path: Path) -> None:
    live = Watched(tmp_path)
    live.goes_on(40, 1.0, step=False, session=lambda: f"s{live.random.randrange(4)}")
    live.now -= 3600.0
    live.steps()
    streams = live.store.streams(FLOW)
    assert [live.store.entries(each.id, 0, 100) for each in streams] == [[], []]
    live.now += 3600.0
    live.steps()
    live.steps()
    for each in live.store.streams(FLOW):
        found = live.store.entries(each.id, 0, 100)
        assert len(found) == 4
        assert {entry.sampled for entry in found} == {True}
    live.goes_on(20, 1.0, session=lambda: f"s{live.random.randrange(4)}")  # it goes on: it is in there already
    assert all(len(live.store.entries(each.id, 0, 100)) == 4 for each in live.store.streams(FLOW))


def test_what_a_mark_brought_along_is_not_held_against_the_reference(tmp_path: Path) -> None:
    live = Watched(tmp_path, rate=0.3)
    live.monitor = monitor(watch(helpful, Rule(0.3), Rule(1.0, marks=bits(["escalated"]))))
    live.goes_on(400, 0.9, marks=lambda: ("escalated",) if live.random.random() < 0.5 else ())
    (stream,) = (each for each in live.store.streams(FLOW) if each.scorer)
    entries = live.store.entries(stream.id, 0, 1000)
    sampled = sum(each.sampled for each in entries)
    assert len(entries) > 200
    assert 80 < sampled < 160


def test_a_version_is_marked_when_it_is_first_seen_and_a_change_is_laid_at_its_door(tmp_path: Path) -> None:
    live = Watched(tmp_path)
    live.goes_on(SCORED, versions={"prompt": "1"})
    live.goes_on(100, versions={"prompt": "1"})
    live.goes_on(100, 0.3, versions={"prompt": "2"})
    assert [each.what for each in live.store.markers(FLOW)] == ["prompt=1", "prompt=2"]
    (alert,) = live.alerts()
    assert [each.what for each in alert.evidence.markers][:1] == ["prompt=2"]
    assert alert.title.endswith("in prompt 2")


def test_an_accepted_marker_begins_a_new_reference(tmp_path: Path) -> None:
    live = Watched(tmp_path)
    live.goes_on(SCORED)
    live.goes_on(60, 0.3)
    assert len(live.alerts()) == 1
    live.store.mark(Marker(live.now, FLOW, "new prompt", who="ann", reason="shorter answers", accepted=True))
    live.goes_on(SCORED, 0.3)
    stream = next(each for each in live.store.streams(FLOW) if each.scorer)
    state = state_of(stream.state)
    assert (state.learnt > 0, state.n) == (True, SCORED)
    before = live.alerts()
    live.goes_on(200, 0.3)
    assert [each.times for each in live.alerts()] == [each.times for each in before]


def test_nothing_comes_and_then_something(tmp_path: Path) -> None:
    live = Watched(tmp_path, no_data_s=2 * 3600.0)
    live.goes_on(20)
    assert live.alerts() == []
    live.now += 3 * 3600.0
    live.steps()
    live.steps()
    (alert,) = live.alerts()
    assert (alert.kind, alert.times) == ("no_data", 1)
    live.goes_on(20)
    assert live.alerts() == []


def test_what_was_put_off_comes_back(tmp_path: Path) -> None:
    live = Watched(tmp_path)
    live.goes_on(SCORED)
    live.goes_on(60, 0.3)
    (alert,) = live.alerts()
    live.store.turn_alert(alert.id, "snoozed", who="ann", reason="", now=live.now, until=live.now + DAY_S)
    live.now += DAY_S - 1
    live.steps()
    assert [each.state for each in live.alerts()] == ["snoozed"]
    live.now += 2
    live.steps()
    assert [each.state for each in live.alerts()] == ["open"]


def entered(live: Watched) -> dict[str, list[Any]]:
    """What entered each stream, but for the order, which is that in which scores came to be made."""
    return {
        each.scorer: sorted(entry._replace(number=0) for entry in live.store.entries(each.id, 0, 10_000))
        for each in live.store.streams()
    }


def rebuilt(live: Watched) -> bool:
    """Whether every state is what its entries fold to, from the first on."""
    watcher = live.watcher()
    for stream, plan in watcher.plans(watcher.works(live.store.works())).values():
        fold = Fold(plan, state_of(stream.base))
        for each in live.store.entries(stream.id, stream.base_at, 10_000):
            fold.take(each)
        found, kept = state_of(fold.state.encoded()), state_of(stream.state)
        found.born = kept.born = 0.0
        if found != kept:
            return False
    return True


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_any_step_it_goes_on_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Each step is killed once, before or after what it made is kept, and taken again by another monitor."""

    def traffic(live: Watched) -> None:
        for good in (0.9, 0.9, 0.9, 0.3, 0.9):
            live.goes_on(SCORED // 2, good)

    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
    calm, killed = Watched(tmp_path / "calm"), Watched(tmp_path / "killed")
    traffic(calm)
    whole: Callable[[WatchStep, float], bool] = killed.store.keep
    turns = count()

    def keep(step: WatchStep, now: float) -> bool:
        if next(turns) % 2:
            return whole(step, now)
        if moment == "after":
            whole(step, now)
        raise StoreBusy("killed")

    def steps() -> None:
        more = True
        while more:
            try:
                more = killed.watcher().step(killed.now)
            except StoreBusy:
                more = True

    monkeypatch.setattr(killed.store, "keep", keep)
    monkeypatch.setattr(killed, "steps", steps)
    traffic(killed)
    assert entered(killed) == entered(calm)
    assert rebuilt(killed)
    assert [(each.key, each.state) for each in killed.store.alerts(every=True)] == [
        (each.key, each.state) for each in calm.store.alerts(every=True)
    ]
    assert [each.event for each, _ in killed.store.untold()] == [each.event for each, _ in calm.store.untold()]


def test_two_monitors_at_once_are_as_good_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another keeps its step between what one reads and what it keeps: the slower's is not kept."""
    live = Watched(tmp_path)
    live.goes_on(SCORED)
    live.goes_on(60, 0.3, step=False)
    whole = live.store.keep
    rival = iter([True])

    def keep(step: WatchStep, now: float) -> bool:
        if next(rival, False):
            live.watcher().step(now)
            assert not whole(step, now)
            return False
        return whole(step, now)

    monkeypatch.setattr(live.store, "keep", keep)
    live.watcher().step(live.now)
    live.steps()
    (alert,) = live.alerts()
    assert alert.times == 1
    assert alert.opened > START
