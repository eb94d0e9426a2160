"""What every store holds to for monitors: what is new is heard of once, a step is kept whole, an alert is told of."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from gatewatch.checks.erasing import erase
from gatewatch.checks.hostile import HOSTILE
from gatewatch.checks.traffic import FLOW, NOW, judged, lease, planned, request, take, thumb
from gatewatch.core.rates import Epoch, Rule
from gatewatch.core.watch import SIGNALS, Alert, Evidence, Marker
from gatewatch.store.base import Store
from gatewatch.store.rows import Plan, Settled, Thinned
from gatewatch.store.watching import Entry, Notice, WatchStep


def entry(seq: int, *values: float | None, at: float = NOW, **fields: Any) -> Entry:
    """A conversation as it enters a stream."""
    known: dict[str, Any] = {"slice": "", "variant": "", "version": "", "sampled": True}
    return Entry(0, seq, at, values=values, **known | fields)


def alert(key: str = "fell", **fields: Any) -> Alert:
    """An alert of a cause."""
    known: dict[str, Any] = {"flow": FLOW, "kind": "quality", "name": "helpful", "title": f"{key}!", "to": ("stdout",)}
    return Alert(key=key, opened=NOW, updated=NOW, **known | fields)


def step(store: Store, now: float = NOW, **fields: Any) -> None:
    """Keep a step by what is there now."""
    read_at = store.unheard({}, 0).read_at
    assert store.keep(WatchStep(read_at=read_at, **fields), now), "a step that nobody was quicker with was not kept"


def due(store: Store, now: float, owner: str = "w") -> list[Notice]:
    """Notices for a worker, for a minute."""
    return store.notices(owner, now, now + 60, 99)


# What is new


def hears_of_scores(store: Store) -> None:
    """A live score, and a task that is given up, is fresh until a step has heard of it; a back-fill's never is."""
    work = planned(store, *"abcdef")
    a, b, c, d, *_ = lease(store, work)
    store.settle([Settled(a.task, a.attempt, judged(0.25)), Settled(b.task, b.attempt, judged(None))], NOW)
    store.settle([Settled(c.task, c.attempt, state="failed"), Settled(d.task, d.attempt, retry_at=NOW + 99)], NOW)
    store.thin([Thinned(row.seq, row.marks, 0.1, gone=row.id == "d") for row in store.held(NOW + 1, 4)])
    take(store, request("g"))
    back = store.begin_backfill(work.id, (Rule(1.0),), (7, 7), author="ana", now=NOW)
    store.fill(back.id, Plan(((7, NOW, 1.0),), epoch=Epoch(7, 7, (Rule(1.0),)), through=7, read_at=(6, 4)))
    (filled,) = store.lease((), "w", 9, NOW + 100, NOW + 160, backfills=(back.id,))
    store.settle([Settled(filled.task, filled.attempt, judged(0.75))], NOW)
    found = store.unheard({FLOW: NOW}, 99)
    fresh = [(each.turn.id, each.value, each.left) for each in found.fresh]
    assert fresh == [("a", 0.25, 0), ("b", None, 0), ("c", None, 0), ("d", None, 0)], f"fresh are {fresh}"
    first = found.fresh[0]
    ruler = (first.work, first.scorer, first.fingerprint, first.source)
    assert ruler == (work.id, "helpful", "f" * 12, "judge"), f"a fresh score is of {ruler}"
    assert [each.turn.id for each in store.unheard({}, 2).fresh] == ["a", "b"], "more is told than was asked for"
    step(store, fresh_through=found.fresh[1].number)
    assert [each.turn.id for each in store.unheard({}, 9).fresh] == ["c", "d"], "what was heard of is still fresh"
    store.expire(NOW + 1, 0, 0)
    assert store.unheard({}, 9).fresh == (), "a score of a request that is gone is fresh"


def hears_of_conversations(store: Store) -> None:
    """A conversation is heard of once it has settled, with its turns in order, what it scored and what is left."""
    for n, text in enumerate(HOSTILE):
        fields: dict[str, Any] = {"slice": text, "variant": text, "session": f"s{text}", "flow": f"f{text}"}
        arrival = request(f"t{text}", tags=(text,), marks=1, versions={"model": text}, **fields)
        take(store, replace(arrival, traits={"language": text}), now=NOW + n)
        (told,) = store.unheard({f"f{text}": NOW + n + 1}, 9).settled
        turn, row = told.turns[0], store.find(f"t{text}")
        assert row is not None and row.traits == {"language": text}, f"traits came back as {row}"
        assert (turn.id, turn.first, turn.traits, turn.version) == (row.id, row.seq, row.traits, row.version), f"{turn}"
        assert (turn.slice, turn.variant, turn.session, turn.tags) == (text, text, f"s{text}", (text,)), f"{turn}"
        assert (turn.at, turn.moved, turn.u, turn.cost, turn.marks) == (NOW, NOW + n, 0.5, 0.001, 1), f"{turn}"
        assert (turn.error, turn.latency_s, turn.first_token_s, turn.output_tokens) == ("", 0.5, None, 20), f"{turn}"
    take(store, request("b1", session="s", at=NOW + 5), request("b0", session="s"), request("x"), now=NOW + 100)
    work = planned(store)
    leased = {each.row.id: each for each in lease(store, work)}
    for name, value in (("b0", 0.0), ("b1", 0.5)):
        store.settle([Settled(leased[name].task, leased[name].attempt, judged(value))], NOW)
    early = store.unheard({FLOW: NOW + 100}, 9)
    assert (early.settled, [each.value for each in early.fresh]) == ((), [0.0, 0.5]), f"before it settled: {early}"
    found = store.unheard({FLOW: NOW + 101}, 9)
    told_ = [([turn.id for turn in each.turns], each.scores, {*each.left}) for each in found.settled]
    expected = [(["x"], (), {work.id}), (["b0", "b1"], ((work.id, 0.25),), set())]
    assert told_ == expected, f"conversations are {told_}, not {expected}"
    assert [(each.value, each.left) for each in found.fresh] == [(0.25, 0)] * 2, (
        f"a session's mean is not {found.fresh}"
    )
    step(store, cursors=found.cursors)
    assert store.unheard({FLOW: NOW + 101}, 9).settled == (), "a conversation was heard of twice"
    take(store, request("b2", session="s"), now=NOW + 200)
    assert [len(each.turns) for each in store.unheard({FLOW: NOW + 201}, 9).settled] == [3], (
        "one that went on is not new"
    )
    assert store.newest([FLOW, "none"]) == {FLOW: NOW + 200}, "it does not know when a request was last received"


# Steps


def keeps_steps_whole(store: Store) -> None:
    """Entries are numbered as they are kept, and enter once; a step that is out of date leaves nothing."""
    stream = store.stream(FLOW, "helpful", "f" * 12, "judge")
    signals = store.stream(FLOW)
    assert store.stream(FLOW) == signals and signals.id != stream.id, "a stream was made twice"
    assert store.streams(FLOW) == [stream, signals] and store.streams("other") == [], f"streams: {store.streams()}"
    values = (0.5, None, *[float(n) for n in range(len(SIGNALS) - 2)])
    more: dict[str, Any] = {"sampled": False, "traits": {HOSTILE[-1]: HOSTILE[-2]}, "slice": HOSTILE[-1]}
    entries = [(stream.id, entry(7, 0.25)), (signals.id, entry(7, *values, **more)), (stream.id, entry(3, None))]
    states = [(stream.id, 1, b"\x00one")]
    first = WatchStep(read_at=0, entries=entries, states=states, alerts=[alert()], markers=[Marker(NOW, FLOW, "v2")])
    assert store.keep(first, NOW), "the first step was not kept"
    assert not store.keep(replace(first, states=[(stream.id, 2, b"two")]), NOW), "a step that is out of date was kept"
    expected = [entry(7, 0.25)._replace(number=1), entry(3, None)._replace(number=2)]
    assert store.entries(stream.id, 0, 9) == expected, f"entries are {store.entries(stream.id, 0, 9)}"
    assert store.entries(signals.id, 0, 9) == [entry(7, *values, **more)._replace(number=1)], "signals came back others"
    now = store.stream(FLOW, "helpful", "f" * 12, "judge")
    assert (now.state, now.folded, now.told) == (b"\x00one", 1, 1), f"its state is {now}"
    assert (len(store.alerts()), len(store.markers(FLOW)), store.alerts()[0].times) == (1, 1, 1), "it was kept in part"
    step(store, entries=[(stream.id, entry(7, 1.0)), (stream.id, entry(9, 1.0, at=NOW + 9))])
    assert [(each.number, each.seq) for each in store.entries(stream.id, 1, 9)] == [(2, 3), (3, 9)], "one entered twice"
    assert [each.seq for each in store.entered(stream.id, NOW + 1, NOW + 10)] == [9], "a window gives others"
    step(store, bases=[(stream.id, 2, b"base")], states=[(stream.id, 3, b"three")], trim_before=NOW + 99)
    assert [each.number for each in store.entries(stream.id, 0, 9)] == [3], "what is in the base was not let go of"
    step(store, entries=[(stream.id, entry(11, 0.0))])
    assert store.entries(stream.id, 3, 9)[0].number == 4, "a number was given twice"


def folds_anew_without_the_erased(store: Store) -> None:
    """Who is erased leaves every stream, which goes back to its base; what was read before is out of date."""
    take(store, request("m", user="mia"), request("m1", session="s", user="mia"), request("y", session="s"))
    take(store, request("x"))
    stream = store.stream(FLOW)
    entries = [(stream.id, entry(seq, float(seq))) for seq in (4, 1, 2)]
    found = store.unheard({FLOW: NOW + 1}, 9)
    shown = alert(evidence=Evidence(traces=("m", "x")))
    step(store, entries=entries, states=[(stream.id, 3, b"three")], alerts=[shown], cursors=found.cursors)
    step(store, bases=[(stream.id, 1, b"one")])
    read_at = store.unheard({}, 0).read_at
    erase(store)
    assert not store.keep(WatchStep(read_at=read_at, entries=[(stream.id, entry(1, 0.5))]), NOW), "the erased entered"
    (now,) = store.streams()
    assert (now.state, now.folded, now.base_at, now.told) == (b"one", 1, 1, 3), f"the stream is {now}"
    assert [each.seq for each in store.entries(stream.id, 0, 9)] == [4], "a conversation of the erased is in the stream"
    again = store.unheard({FLOW: NOW + 9999}, 9).settled
    assert [[turn.id for turn in each.turns] for each in again] == [["y"]], "what is left of one is not heard of anew"
    assert store.alerts()[0].evidence.traces == ("x",), "an alert still names who was erased"
    assert [each.alert.evidence.traces for each, _ in store.untold()] == [("x",)], "a notice still names who was erased"


# Alerts


def opens_one_alert_for_a_cause(store: Store) -> None:
    """While one is not resolved it is brought up; what is opened, graver, or resolved is told of, once a channel."""
    step(store, alerts=[alert(to=("stdout", "hook", "hook")), alert("minor", quiet="minor"), alert(severity="info")])
    first, minor = reversed(store.alerts())
    assert (first.times, first.severity, minor.quiet) == (2, "ticket", "minor"), f"alerts are {store.alerts()}"
    notices = due(store, NOW)
    told = [(each.to, each.event, each.attempts) for each in notices]
    assert told == [("stdout", "opened", 1), ("hook", "opened", 1)], f"of what was opened is told {told}"
    assert len({each.key for each in notices}) == 2 and notices[0].alert.times == 1, f"notices are {notices}"
    for each in notices:
        store.told(each.id, NOW)
    step(store, NOW + 5, alerts=[alert(severity="page", evidence=Evidence(n=9)), alert("minor")])
    graver = [(each.alert.key, each.event) for each in due(store, NOW + 5)]
    assert graver == [("fell", "worse"), ("minor", "opened")], f"of what is graver, or quiet no more, is told {graver}"
    step(store, NOW + 6, resolved=[("fell", "it is back"), ("none", "")])
    assert [each.event for each in due(store, NOW + 6)] == ["resolved"], "that it is resolved is not told"
    assert [each.key for each in store.alerts()] == ["minor"], "one that is resolved is still open"
    done = store.alert(first.id)
    assert done is not None and (done.state, done.reason, done.evidence.n) == ("resolved", "it is back", 9), f"{done}"
    step(store, alerts=[alert()])
    every = store.alerts(every=True)
    assert [each.key for each in every] == ["fell", "minor", "fell"], "one that was resolved is not opened anew"
    assert store.alerts(every=True, most=1, before=every[0].id) == every[1:2], "a page of alerts is another"
    assert store.alerts(flow="other", every=True) == [] and store.alert(99) is None, "there are alerts of no flow"


def delivers_until_told(store: Store) -> None:
    """A notice is one worker's at a time, tried again when it is to be, and gone when it was delivered."""
    step(store, alerts=[alert(title=text, key=text) for text in HOSTILE])
    notices = due(store, NOW)
    assert [each.alert.title for each in notices] == list(HOSTILE), f"notices came back as {notices}"
    assert due(store, NOW + 59, "v") == [], "two workers have the same notice"
    again = due(store, NOW + 60, "v")
    assert [(each.key, each.attempts) for each in again] == [(each.key, 2) for each in notices], "a lease is never over"
    store.told(again[0].id, NOW, retry_at=NOW + 500, reason="503")
    for each in again[1:]:
        store.told(each.id, NOW)
    assert [(each.key, why) for each, why in store.untold()] == [(again[0].key, "503")], f"{store.untold()}"
    assert due(store, NOW + 499) == [] and len(due(store, NOW + 500)) == 1, "it was not tried again in time"
    store.told(again[0].id, NOW)
    assert store.untold() == [], "what was delivered is still to be told"


def turns_alerts(store: Store) -> None:
    """An alert is acknowledged, snoozed, resolved and opened again; one that is snoozed is quiet until it is over."""
    step(store, alerts=[alert()])
    (number,) = (each.id for each in store.alerts())
    store.told(due(store, NOW)[0].id, NOW)
    turned = store.turn_alert(number, "acknowledged", who="ana", reason="mine", now=NOW + 1)
    assert turned == store.alert(number) and turned is not None, f"it is {turned}"
    by = (turned.state, turned.who, turned.reason, turned.updated)
    assert by == ("acknowledged", "ana", "mine", NOW + 1), f"who acknowledged it is {by}"
    store.turn_alert(number, "snoozed", who="ana", reason="later", now=NOW + 2, until=NOW + 50)
    step(store, NOW + 49, alerts=[alert(severity="page")])
    assert due(store, NOW + 49) == [], "an alert that is snoozed was told of"
    step(store, NOW + 50, alerts=[alert()])
    assert [(each.event, each.alert.state) for each in due(store, NOW + 50)] == [("opened", "open")], "it sleeps on"
    store.turn_alert(number, "resolved", who="bob", reason="fixed", now=NOW + 51)
    assert [each.event for each in due(store, NOW + 51)] == ["resolved"], "that it was resolved is not told"
    again = store.turn_alert(number, "open", who="ana", reason="not so", now=NOW + 52)
    assert again is not None and again.state == "open", f"it was not opened again: {again}"
    store.turn_alert(number, "resolved", who="bob", reason="fixed", now=NOW + 53)
    step(store, alerts=[alert()])
    still = store.turn_alert(number, "open", who="ana", reason="", now=NOW + 54)
    assert still is not None and still.state == "resolved", "two of one cause are open"
    assert store.turn_alert(99, "open", who="", reason="", now=NOW) is None, "there is an alert that was never opened"


def keeps_markers(store: Store) -> None:
    """Markers come back, oldest first; a component version is seen once on a flow."""
    one = store.mark(Marker(NOW + 1, FLOW, "v2", "ana", "better", accepted=True))
    for text in HOSTILE:
        made = Marker(NOW, f"f{text}", text, text, text, seen=True)
        kept = store.mark(made)
        assert store.mark(replace(made, at=NOW + 5)) == kept, "a version was seen twice"
        step(store, markers=[replace(made, at=NOW + 6)])
        assert store.markers(f"f{text}") == [kept] == [replace(made, id=kept.id)], f"{text!r} came back as another"
    every = store.mark(Marker(NOW, "", "a new cluster"))
    assert store.markers(FLOW) == [every, one], f"of the flow, and of all, it has {store.markers(FLOW)}"
    assert store.markers(FLOW, NOW + 1, NOW + 2) == [one] and store.markers(FLOW, most=1) == [one], (
        "a window is another"
    )
    assert len(store.markers()) == len(HOSTILE) + 2, "of every flow some are missing"


def knows_versions(store: Store) -> None:
    """What a request, and a score of it, counts as in the trends has the versions of its components."""
    take(store, request("a", versions={"prompt": "3", "model": "x"}, variant="b"), request("b"), said=[thumb("1", "a")])
    row = store.find("a")
    assert row is not None and row.version == "model=x, prompt=3", f"the version is {row}"
    cells = store.signals(FLOW, "day", 0, NOW * 2)
    assert [(cell.version, cell.n) for cell in cells] == [("", 1), ("model=x, prompt=3", 1)], f"signals are {cells}"
    assert [cell.version for cell in store.cells(FLOW, "day", 0, NOW * 2)] == ["model=x, prompt=3"], "scores have none"
    (value,) = store.values(FLOW, "thumbs", "feedback:thumbs 1", "feedback", 0, NOW * 2, 9)
    assert (value.variant, value.version) == ("b", "model=x, prompt=3"), f"a value is of {value}"


WATCHING: tuple[Callable[[Store], None], ...] = (
    hears_of_scores,
    hears_of_conversations,
    keeps_steps_whole,
    folds_anew_without_the_erased,
    opens_one_alert_for_a_cause,
    delivers_until_told,
    turns_alerts,
    keeps_markers,
    knows_versions,
)
"""Every check of these, in order."""
