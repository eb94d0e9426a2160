"""What a monitor must not be led astray by: late workers, other versions, odd clocks, odd names, scorers that fail."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from gatewatch.core.trace import Fault
from gatewatch.core.watch import AlertRule, Marker
from gatewatch.online.detect import state_of
from gatewatch.online.ingest import Ways
from gatewatch.online.monitor import DAY_S
from gatewatch.online.traits import traits
from gatewatch.online.watch import Watcher
from gatewatch.scorers.base import scorer
from online.living import FLOW, monitor, request, watch
from online.test_watch import SCORED, Watched, helpful

PAGE = AlertRule(name="helpful", never=1, severity="page", to=("stdout",))


def told(live: Watched) -> list[str]:
    return [each.event for each, _ in live.store.untold()]


@pytest.mark.parametrize("late", [False, True])
def test_a_never_event_in_one_turn_of_a_session_is_told_however_late_it_is_scored(tmp_path: Path, late: bool) -> None:
    live = Watched(tmp_path, PAGE)
    live.arrive(*(request(n, session="s", output="no" if n == 3 else "yes", started=live.now) for n in range(10)))
    live.now += 7200.0 if late else 1.0
    live.work(live.monitor)
    live.steps()
    assert [each.kind for each in live.alerts()] == ["never"]


def test_some_never_events_a_day_are_counted_by_conversations(tmp_path: Path) -> None:
    live = Watched(tmp_path, replace(PAGE, never=3))
    for n in range(4):
        assert (len(live.alerts()) == 1) == (n >= 3)
        for turn in (0, 1):
            live.arrive(request(10 * n + turn, session=f"s{n}", output="no", started=live.now))
        live.work(live.monitor)
        live.steps()
        live.now += 60.0
    (alert,) = live.alerts()
    assert alert.evidence.n == 4
    assert alert.title == "helpful failed in 4 conversations within a day"


def test_a_request_that_failed_is_no_never_event(tmp_path: Path) -> None:
    live = Watched(tmp_path, PAGE)
    live.goes_on(40, 1.0, error=lambda: Fault("down"))
    assert live.alerts() == []


def test_a_never_event_of_another_day_is_told_again(tmp_path: Path) -> None:
    live = Watched(tmp_path, PAGE)
    live.goes_on(1, 0.0)
    (alert,) = live.alerts()
    live.store.turn_alert(alert.id, "acknowledged", who="ann", reason="", now=live.now)
    live.goes_on(1, 0.0)
    assert told(live) == ["opened"]
    live.now += 2 * DAY_S
    live.goes_on(1, 0.0)
    assert told(live) == ["opened", "opened"]


def test_what_was_put_off_and_goes_on_is_told_again(tmp_path: Path) -> None:
    live = Watched(tmp_path)
    live.goes_on(SCORED)
    live.goes_on(60, 0.3)
    (alert,) = live.alerts()
    live.store.turn_alert(alert.id, "snoozed", who="ann", reason="", now=live.now, until=live.now + 60)
    live.now += 120
    live.steps()
    assert told(live) == ["opened", "opened"]


def test_an_accepted_change_ends_what_was_open_and_the_next_fall_is_told(tmp_path: Path) -> None:
    live = Watched(tmp_path)
    live.goes_on(SCORED)
    live.goes_on(120, 0.5)
    live.store.mark(Marker(live.now, FLOW, "shorter", who="ann", reason="meant", accepted=True))
    live.goes_on(SCORED, 0.5)
    assert live.alerts() == []
    live.goes_on(100, 0.05)
    (alert,) = live.alerts()
    assert alert.evidence.before == pytest.approx(0.5, abs=0.1)
    assert told(live) == ["opened", "resolved", "opened"]


def test_a_change_accepted_of_tomorrow_blinds_nobody_today(tmp_path: Path) -> None:
    live = Watched(tmp_path)
    live.goes_on(SCORED)
    live.store.mark(Marker(live.now + 30 * DAY_S, FLOW, "soon", who="ann", reason="meant", accepted=True))
    live.goes_on(60, 0.2)
    assert [each.kind for each in live.alerts()] == ["quality"]


def test_workers_of_two_rules_do_not_undo_each_others_work(tmp_path: Path) -> None:
    live = Watched(tmp_path)
    live.goes_on(SCORED)
    older = live.watcher()
    older.step(live.now)
    live.now += 10.0
    live.alarming = replace(live.alarming, rules={"helpful": AlertRule(name="helpful", below=0.1)})
    newer = live.watcher()
    live.goes_on(2100, step=False)
    live.goes_on(60, 0.2, step=False)
    for _ in range(10):
        for each in (newer, older):
            each.step(live.now)
    assert [each.kind for each in live.alerts()] == ["quality"]
    (stream,) = (each for each in live.store.streams(FLOW) if each.scorer)
    assert (stream.folded, len(state_of(stream.state).plan.probes)) == (stream.last, 3)  # type: ignore[union-attr]


def test_a_worker_of_another_version_loses_no_score(tmp_path: Path) -> None:
    @scorer(name="helpful")
    def other(output: str) -> bool:
        return output != "no"

    live = Watched(tmp_path)
    live.goes_on(40, step=False)
    elsewhere = Watcher(live.store, [monitor(watch(other))], [live.alarming])
    for _ in range(3):
        elsewhere.step(live.now)
    live.steps()
    (stream,) = (each for each in live.store.streams(FLOW) if each.fingerprint == helpful.fingerprint)
    assert len(live.store.entries(stream.id, 0, 100)) == 40


def test_half_a_character_stops_nobody(tmp_path: Path) -> None:
    live = Watched(tmp_path)
    odd = {"slice": "Kundin \ud83d", "variant": "\udc00", "versions": {"knowledge_base": "\ud83d"}}
    live.arrive(*(request(n, started=live.now, **odd) for n in range(40)), ways=Ways(traits=traits))
    live.work(live.monitor)
    live.now += 7200.0
    live.steps()
    assert {each.slice for each in live.store.entries(live.store.stream(FLOW).id, 0, 100)} == {"Kundin ?"}


def test_a_scorer_that_only_fails_is_told_of(tmp_path: Path) -> None:
    @scorer
    def broken(output: str) -> bool:
        raise ValueError("no")

    live = Watched(tmp_path)
    live.monitor = monitor(watch(broken, *live.monitor.watches[0].rules))
    live.alarming = replace(live.alarming, scorers=("broken",))
    live.goes_on(100)
    live.now += 4 * 3600.0
    live.steps()
    (alert,) = live.alerts()
    assert (alert.kind, alert.name) == ("no_data", "broken")
    assert alert.title.startswith("no score of broken for 6 h")


def test_a_slice_of_each_request_is_watched_all_the_same(tmp_path: Path) -> None:
    live = Watched(tmp_path)
    live.goes_on(SCORED, slice=lambda: f"tenant {live.random.random()}")
    live.goes_on(100, 0.2, slice=lambda: f"tenant {live.random.random()}")
    assert [each.kind for each in live.alerts()] == ["quality"]


def test_one_request_that_was_left_over_does_not_end_the_learning(tmp_path: Path) -> None:
    live = Watched(tmp_path, reference_days=7.0)
    live.arrive(request(9999, output="yes", started=live.now - 29 * DAY_S))
    live.goes_on(200)
    (stream,) = (each for each in live.store.streams(FLOW) if each.scorer)
    assert not state_of(stream.state).learnt


def test_an_application_whose_clock_is_behind_is_told_of(tmp_path: Path) -> None:
    live = Watched(tmp_path)
    start = live.now
    live.goes_on(SCORED, started=lambda: start - 3 * DAY_S)
    live.goes_on(60, 0.3, started=lambda: start - 3 * DAY_S)
    (alert,) = live.alerts()
    assert alert.quiet == ""


def test_a_score_that_rises_for_good_is_for_information(tmp_path: Path) -> None:
    live = Watched(tmp_path)
    live.goes_on(SCORED, 0.3)
    live.goes_on(200, 0.95)
    (alert,) = live.alerts()
    assert (alert.kind, alert.severity) == ("better", "info")
    assert "--accept" in alert.title


def test_what_becomes_much_worse_is_told(tmp_path: Path) -> None:
    live = Watched(tmp_path)
    live.goes_on(SCORED)
    live.goes_on(300, 0.7)
    assert told(live) == ["opened"]
    live.goes_on(400, 0.0)
    assert told(live) == ["opened", "worse"]
    (alert,) = live.alerts()
    assert alert.reach is not None
    assert alert.reach < -0.5


def test_a_scorer_that_mostly_fails_is_told_of(tmp_path: Path) -> None:
    """What it cannot read is what became bad: of the rest all is well."""

    @scorer(name="helpful")
    def strict(output: str) -> bool:
        if output == "no":
            raise ValueError("cannot be read")
        return True

    live = Watched(tmp_path)
    live.monitor = monitor(watch(strict, *live.monitor.watches[0].rules))
    live.goes_on(100, 0.9)
    live.now += 7 * 3600.0
    live.goes_on(200, 0.2)
    live.now += 4 * 3600.0
    live.steps()
    (alert,) = (each for each in live.alerts() if each.kind == "no_data")
    assert alert.title.startswith("only ")
