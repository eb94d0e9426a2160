"""Alerts and their notices: one for a cause, told when there is something new, until it was delivered."""

from pathlib import Path
from typing import get_args

from gatewatch.checks.erasing import erase
from gatewatch.checks.traffic import NOW, request, take
from gatewatch.checks.watching import alert, due, step
from gatewatch.core.watch import Evidence, Severity
from gatewatch.store.alerts import GRAVITY
from gatewatch.store.base import Store
from store.making import a_store, backend  # noqa: F401 - every test runs on both


def told(store: Store, now: float = NOW) -> list[tuple[str, str]]:
    """What is due, which is delivered."""
    notices = due(store, now)
    for each in notices:
        store.told(each.id, now)
    return [(each.event, each.alert.severity) for each in notices]


def test_every_severity_has_its_gravity() -> None:
    assert set(GRAVITY) == set(get_args(Severity))


def test_only_what_is_graver_than_before_is_told_again(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    heard = []
    for severity in ("ticket", "info", "ticket", "page", "ticket", "page"):
        step(store, alerts=[alert(severity=severity)])
        heard.append(told(store))
    assert heard == [[("opened", "ticket")], [], [], [("worse", "page")], [], []]
    (found,) = store.alerts()
    assert (found.times, found.severity, found.opened) == (6, "page", NOW)


def test_a_quiet_alert_is_told_of_when_it_is_quiet_no_more_and_resolved_in_silence_before(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    step(store, alerts=[alert("a", quiet="minor"), alert("b", quiet="minor")])
    step(store, alerts=[alert("a", quiet="another reason", severity="page")], resolved=[("b", "gone")])
    assert told(store) == []
    assert [each.quiet for each in store.alerts()] == ["another reason"]
    step(store, alerts=[alert("a")])
    assert told(store) == [("opened", "page")]
    step(store, alerts=[alert("a", quiet="the judge changed")])
    assert [each.quiet for each in store.alerts()] == [""], "people were told: they are to hear how it ends"
    step(store, resolved=[("a", "gone")])
    assert told(store) == [("resolved", "page")]


def test_what_is_resolved_while_it_is_snoozed_wakes_nobody(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    step(store, alerts=[alert()])
    told(store)
    store.turn_alert(1, "snoozed", who="ana", reason="", now=NOW, until=NOW + 99)
    step(store, NOW + 5, resolved=[("fell", "gone")])
    assert told(store, NOW + 5) == []


def test_who_acknowledged_it_stays_when_it_is_found_again(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    step(store, alerts=[alert()])
    store.turn_alert(1, "acknowledged", who="ana", reason="mine", now=NOW)
    step(store, alerts=[alert(evidence=Evidence(n=7), to=("hook",), owner="bob", severity="page")])
    (found,) = store.alerts()
    assert (found.state, found.who, found.reason) == ("acknowledged", "ana", "mine")
    assert (found.evidence.n, found.to, found.owner) == (7, ("hook",), "bob")
    assert [(each.to, each.event) for each in due(store, NOW)] == [("stdout", "opened"), ("hook", "worse")]


def test_numbers_are_never_given_twice_and_pages_go_on(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    step(store, alerts=[alert(f"k{n}", flow=f"f{n % 2}") for n in range(7)])
    pages, before = [], 0
    while page := store.alerts(flow="f0", most=2, before=before):
        pages.append([each.key for each in page])
        before = page[-1].id
    assert pages == [["k6", "k4"], ["k2", "k0"]]


def test_notices_are_shared_among_workers(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    step(store, alerts=[alert(f"k{n}") for n in range(6)])
    one, other = (store.notices(owner, NOW, NOW + 60, 3) for owner in "vw")
    assert [each.alert.key for each in [*one, *other]] == [f"k{n}" for n in range(6)]
    store.told(one[0].id, NOW, retry_at=NOW + 5, reason="down")
    assert [why for _, why in store.untold(1)] == ["down"]
    assert [each.key for each in store.notices("v", NOW + 5, NOW + 60, 9)] == [one[0].key]
    store.told(one[0].id, NOW)
    store.told(one[0].id, NOW, retry_at=NOW + 5, reason="it came back late")
    assert [each.key for each, _ in store.untold()] == [each.key for each in [*one, *other][1:]]


def test_the_erased_are_found_in_what_an_alert_showed_before(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, request("m", user="mia"), request("x"))
    step(store, alerts=[alert(evidence=Evidence(traces=("m", "x"), n=2)), alert("other")])
    step(store, alerts=[alert(evidence=Evidence(traces=("x",), n=3))])
    erase(store)
    assert [each.evidence.traces for each in store.alerts()] == [(), ("x",)]
    assert {each.alert.evidence.traces for each, _ in store.untold()} == {("x",), ()}
    assert [each.evidence.n for each in store.alerts()] == [0, 3]
