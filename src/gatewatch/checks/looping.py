"""What every store holds to for the loop: what was mined is kept whole, a change is there once, the erased are gone."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from gatewatch.checks.erasing import MIA, erase
from gatewatch.checks.hostile import HOSTILE
from gatewatch.checks.traffic import DAY, FLOW, NOW, request, take
from gatewatch.core.change import Change
from gatewatch.core.erasure import Subject, Tombstone, mark_of
from gatewatch.core.failure import Failure
from gatewatch.core.people import hashed, tag_of
from gatewatch.core.review import Item, Label
from gatewatch.store.base import Store
from gatewatch.store.looping import Mined

TRACE = b'{"id":"t","input":"?"}'


def failure(name: str = "refunds", **fields: Any) -> Failure:
    """A failure as it was mined."""
    known: dict[str, Any] = {"flow": FLOW, "sign": "thumbs_down", "first": NOW - 9, "last": NOW}
    return Failure(name=name, opened=NOW, updated=NOW, **known | fields)


def item(trace: str, **fields: Any) -> Item:
    """A request to be labelled."""
    known: dict[str, Any] = {"queue": "failures", "flow": FLOW}
    return Item(trace=trace, added=NOW, **known | fields)


def put(store: Store, *items: Item) -> list[Item]:
    """Put requests up to be labelled."""
    return store.add_items([(each, TRACE) for each in items], NOW)


def label(number: int, by: str = "ana", value: float | None = 1.0, **fields: Any) -> Label:
    """What a reviewer says of an item."""
    return Label(item=number, by=by, at=NOW, value=value, **fields)


def change(key: str = "k", **fields: Any) -> Change:
    """A case for a dataset."""
    known: dict[str, Any] = {"kind": "case", "path": "evals/support.jsonl", "body": {"case": {"input": key}}}
    return Change(key=key, by="ana", at=NOW, moved=NOW, **known | fields)


def mine(store: Store, *found: Mined, now: float = NOW) -> list[Failure]:
    """Keep what was mined by what is there now."""
    kept = store.keep_mined(found, now, read_at=store.mined_at())
    assert kept is not None, "what nobody was quicker with was not kept"
    return kept


def claimed(store: Store, by: str = "ana", now: float = NOW, **which: Any) -> str:
    """The request that a reviewer is given for a minute, "" for none."""
    found = store.claim(by, now, now + 60, **which)
    return found.item.trace if found else ""


# Failures


def keeps_what_was_mined(store: Store) -> None:
    """Failures and their items come back as they were; what is mined by what is out of date leaves nothing."""
    assert store.mined_at() == 0 and store.failures() == [], "something was mined before anything was"
    found = [
        Mined(
            failure=failure(text, flow=f"f{text}", slices={text: 2}, owner=text, n=3, share=0.25, low=0.0, high=0.5),
            items=[
                (
                    item(f"t{text}", flow=f"f{text}", signs=(text,), session=text, user=text),
                    text.encode("utf-16", "surrogatepass"),
                )
            ],
        )
        for text in HOSTILE
    ]
    kept = store.keep_mined(found, NOW, read_at=0)
    assert kept is not None and len({each.id for each in kept}) == len(HOSTILE), f"it kept {kept}"
    for each, mined, text in zip(kept, found, HOSTILE, strict=True):
        assert each == replace(mined.failure, id=each.id), f"a failure with the text {text!r} came back as {each}"
        assert store.failure(each.id) == each and store.failures(f"f{text}") == [each], f"it does not find {text!r}"
        (one,) = store.items(failure=each.id)
        assert one == replace(mined.items[0][0], id=one.id, failure=each.id), f"an item came back as {one}"
        assert store.item_trace(one.id) == mined.items[0][1], "the trace of an item came back as another"
        assert store.items_of(Subject("session", (text,), f"f{text}")) == [one], f"whose {text!r} is, is not known"
    assert store.mined_at() == 1, "that something was mined is not known"
    late = store.keep_mined([Mined(failure=failure("late"), items=[(item("late"), TRACE)])], NOW, read_at=0)
    assert late is None and store.items(trace="late") == [], "what was mined is kept though others were quicker"
    assert (len(store.failures()), store.mined_at()) == (len(HOSTILE), 1), "it was kept in part"
    assert store.failure(99) is None and store.item(99) is None and store.item_trace(99) is None, "there is a 99th"


def keeps_all_or_nothing(store: Store) -> None:
    """When it raises, nothing of what it was given is kept."""
    raised = 0
    good, bad = (item("a"), TRACE), (replace(item("b"), severity=object()), TRACE)
    attempts: list[Callable[[], object]] = [
        lambda: store.keep_mined([Mined(failure=failure(), items=[good, bad])], NOW, read_at=0),
        lambda: store.add_items([good, bad], NOW),
        lambda: store.propose([change("a"), change("b", body={"case": object()})], NOW),
    ]
    for attempt in attempts:
        try:
            attempt()
        except Exception:  # whichever error a backend has for it: the check is of what is left behind
            raised += 1
    assert raised == len(attempts), "it kept what cannot be kept"
    left = (store.failures(), store.items(), store.changes(), store.mined_at())
    assert left == ([], [], [], 0), f"what raised left something behind: {left}"


def keeps_what_people_made_of_a_failure(store: Store) -> None:
    """Mined again it has its state, owner and reason still; fixed, it comes back as regressed; its items move on."""
    first, other = mine(store, Mined(failure=failure(), items=[(item("a"), TRACE)]), Mined(failure=failure("other")))
    turned = store.turn_failure(first.id, "fixed", who="ana", reason="v2", now=NOW + 5, owner="bob")
    again = replace(failure("refunds, late", n=9), id=first.id, state="new", flow="elsewhere")
    (kept,) = mine(store, Mined(failure=again, items=[(item("a"), TRACE), (item("b"), TRACE)]), now=NOW + 6)
    expected = (first.id, FLOW, "fixed", "bob", "ana", "v2", NOW + 5, NOW, NOW + 6, "refunds", 9)
    made = (kept.id, kept.flow, kept.state, kept.owner, kept.who, kept.reason, kept.fixed, kept.opened, kept.updated)
    assert turned is not None and (*made, kept.name, kept.n) == expected, f"mined again it is {kept}"
    assert [each.trace for each in store.items(failure=first.id)] == ["a", "b"], "an item is there twice, or is not"
    (kept,) = mine(store, Mined(failure=kept, came_back=True), Mined(failure=other, came_back=True))[:1]
    assert kept.state == "regressed", f"one that came back is {kept.state}"
    states = [each.state for each in store.failures()]
    assert states == ["regressed", "new"], f"one that was not fixed came back, or the other did not: {states}"
    mine(store, Mined(failure=other, items=[(item("a", severity=1.0), b"{}")]))
    (moved,) = store.items(failure=other.id)
    assert (moved.trace, moved.severity) == ("a", 0.0), f"the item that moved is {moved}"
    assert store.item_trace(moved.id) == TRACE, "an item is not as it was when it was put there"


def reviews_failures(store: Store) -> None:
    """A failure that nobody looked at is in review once somebody claims or labels one of its items."""
    once, said, fixed = mine(store, *(Mined(failure=failure(name), items=[(item(name), TRACE)]) for name in "abc"))
    store.turn_failure(fixed.id, "fixed", who="ana", reason="v2", now=NOW)
    assert store.claim("eve", NOW + 1, NOW + 9, failure=once.id) is not None, "its item cannot be claimed"
    for each in (said, fixed):
        (its,) = store.items(failure=each.id)
        store.label(Label(item=its.id, by="eve", at=NOW, value=0.0), NOW + 1)
    states = [(each.state, each.who) for each in store.failures()]
    expected = [("in_review", "eve"), ("in_review", "eve"), ("fixed", "ana")]
    assert states == expected, f"once their items were looked at they are {states}"


def turns_failures(store: Store) -> None:
    """A failure's state is turned, or left where it is none of those named; since when it is fixed stays."""
    one, other = mine(store, Mined(failure=failure()), Mined(failure=failure("b", flow="g")))
    fixed = store.turn_failure(one.id, "fixed", who="ana", reason="v2", now=NOW + 1)
    assert fixed is not None and fixed.fixed == NOW + 1 and fixed == store.failure(one.id), f"fixed it is {fixed}"
    still = store.turn_failure(one.id, "promoted", who="bob", reason="", now=NOW + 2, among=("new", "in_review"))
    assert still == fixed, f"from a state that was not named it turned to {still}"
    ignored = store.turn_failure(one.id, "ignored", who="bob", reason="spam", now=NOW + 3, among=["fixed"], owner="eve")
    by = ignored and (ignored.state, ignored.who, ignored.reason, ignored.updated, ignored.fixed, ignored.owner)
    assert by == ("ignored", "bob", "spam", NOW + 3, NOW + 1, "eve"), f"ignored it is {ignored}"
    named = store.turn_failure(one.id, "ignored", who="eve", reason="", now=NOW + 4, name="late refunds")
    assert named is not None and (named.name, named.named_by, named.owner) == ("late refunds", "eve", "eve"), (
        f"named it is {named}"
    )
    turns = [(each.at, each.state, each.by, each.reason, each.owner) for each in named.turns]
    assert turns == [
        (NOW + 1, "fixed", "ana", "v2", ""),
        (NOW + 3, "ignored", "bob", "spam", "eve"),
        (NOW + 4, "ignored", "eve", "", ""),
    ], f"what became of it is {turns}"
    (again,) = mine(store, Mined(failure=replace(one, name="terms", days={"2026-01-01": 2})))
    assert (again.name, again.named_by, again.turns) == ("late refunds", "eve", named.turns), f"mined it is {again}"
    assert store.turn_failure(99, "new", who="", reason="", now=NOW) is None, "there is a failure that was not mined"
    assert [each.id for each in store.failures(states=("new", "fixed"))] == [other.id], "in a state there are others"
    assert store.failures(FLOW, ["new"]) == [] and len(store.failures(FLOW)) == 1, "of a flow there are others"


# The outbox


def proposes_once(store: Store) -> None:
    """A key is there once, until it is withdrawn; what came first stays; all fields come back."""
    for text in HOSTILE:
        made = change(text, suite=text, path=text, body={"case": {"input": text}}, failure=3, trace=f"t{text}")
        ((kept, new), (same, again)) = store.propose([made, replace(made, by="bob")], NOW)
        assert (new, again) == (True, False) and kept == same == replace(made, id=kept.id), f"it kept {kept}, {same}"
        assert store.change(kept.id) == kept, f"a change with the text {text!r} came back as {store.change(kept.id)}"
        assert store.propose([made], NOW + 9) == [(kept, False)], "a key is there twice"
    ((other, _),) = store.propose([change("k", kind="accept")], NOW)
    assert [each.id for each in store.changes(kind="accept")] == [other.id], "of a kind there are others"
    assert len(store.changes(failure=3)) == len(HOSTILE), "of a failure there are others"
    assert [each.id for each in store.changes(after=2, most=2)] == [3, 4], "a page of changes is another"
    store.turn_change(other.id, "withdrawn", NOW)
    ((new_one, new),) = store.propose([change("k")], NOW + 9)
    assert new and new_one.id != other.id and new_one.at == NOW + 9, "what was withdrawn cannot be proposed anew"
    assert store.changes(["withdrawn"]) == [store.change(other.id)], "what was withdrawn is gone"


def moves_changes_on(store: Store) -> None:
    """A change goes on, never back; only what is pending is withdrawn; who pulled it last is known."""
    ids = [kept.id for kept, _ in store.propose([change("a"), change("b"), change("c")], NOW)]
    pulled = store.turn_change(ids[0], "pulled", NOW + 1, where="ana's")
    assert pulled is not None and (pulled.state, pulled.moved, pulled.where) == ("pulled", NOW + 1, "ana's"), (
        f"{pulled}"
    )
    assert store.turn_change(ids[0], "withdrawn", NOW + 2) == pulled, "what was pulled is withdrawn"
    pulled = store.turn_change(ids[0], "pulled", NOW + 2, where="bob's")
    assert pulled is not None and (pulled.where, pulled.moved) == ("bob's", NOW + 2), f"pulled again it is {pulled}"
    merged = store.turn_change(ids[0], "merged", NOW + 3)
    assert merged is not None and (merged.state, merged.where) == ("merged", "bob's"), f"merged it is {merged}"
    assert store.turn_change(ids[0], "pulled", NOW + 4) == merged == store.change(ids[0]), "a change went back"
    withdrawn = store.turn_change(ids[1], "withdrawn", NOW + 1)
    assert store.turn_change(ids[1], "pulled", NOW + 2) == withdrawn, "what was withdrawn was pulled"
    assert store.turn_change(99, "pulled", NOW) is None and store.change(99) is None, "there is a 99th change"
    states = [each.state for each in store.changes(("pending", "merged"))]
    assert states == ["merged", "pending"], f"in some states there are {states}"


# What mining reads, and what an erasure takes


def gives_payloads(store: Store) -> None:
    """Payloads of many requests come back by number, of those that have one."""
    take(store, request("a", payload=b"a" * 999), request("b", payload=b""), request("c", payload=b"\x00c"))
    assert store.payloads([1, 2, 3, 99]) == {1: b"a" * 999, 3: b"\x00c"}, f"payloads are {store.payloads([1, 2, 3])}"
    assert store.payloads([]) == {}, "of no requests there are payloads"


def erases_items(store: Store) -> None:
    """Items of who is erased go with their labels and changes, though their requests went long before; none comes
    back."""
    take(store, request("m1", user="mia"), request("x", user="bob"))
    found = mine(
        store,
        Mined(failure=failure("mia's"), items=[(item("m1", user="mia"), TRACE), (item("m2", user="mia"), TRACE)]),
        Mined(failure=failure("of two"), items=[(item("m3", user="mia"), TRACE), (item("x", user="bob"), TRACE)]),
    )
    put(store, item(f"m2-{'1' * 16}"), item(f"m2-{'2' * 16}", user="bob"), item("m2b"))
    for number in range(1, 6):
        store.label(label(number), NOW)
    store.claim("bob", NOW, NOW + 60, item=1)
    store.propose([change(name, trace=name) for name in ("m1", "m2", "x")], NOW)
    store.expire(NOW + DAY, NOW, NOW)
    mine_ = [each.trace for each in store.items_of(MIA)]
    assert mine_ == ["m1", "m2", "m3", f"m2-{'1' * 16}"], f"of the user are {mine_}"
    read_at = store.mined_at()
    name = erase(store)
    assert store.keep_mined([Mined(failure=failure())], NOW, read_at=read_at) is None, "it kept what the erased said"
    left = [each.trace for each in store.items()]
    assert left == ["x", f"m2-{'2' * 16}", "m2b"], f"left are the items {left}"
    assert [each.item for each in store.labels(range(1, 9))] == [4], "a label outlived its item"
    assert [each.trace for each in store.changes()] == ["x"], "a change outlived its request"
    names = [each.name for each in store.failures()]
    assert names == ["(erased)", "(erased)"], f"failures are called {names}"
    parts = store.tally(name)[0]
    assert (parts["items"], parts["changes"]) == (4, 2), f"it says that {parts} went"
    stone = mark_of("trace", "m2")
    assert store.buried([stone]) == {stone}, "what else there is of an item's request is not kept out"
    assert store.label(label(1), NOW) is None and claimed(store, item=1) == "", "an erased item is there"
    assert [each.id for each in put(store, item("m9", user="mia"), item("m1"))] == [0, 0], "an item came back"
    mine(store, Mined(failure=replace(found[0]), items=[(item("m8", user="mia"), TRACE)]))
    assert len(store.items()) == 3, "an item came back with what was mined"
    ((gone, new),) = store.propose([change("m1", trace="m1")], NOW)
    assert (gone.id, new) == (0, False) and len(store.changes()) == 1, "a change came back"


def erases_items_with_their_requests(store: Store) -> None:
    """Items of a session go by the flow it is of; those of requests that say late whose they are go, too."""
    take(store, request("m1"), request("s1", session="s"), request("s2", session="s", flow="g"))
    put(store, item("m1"), item("s1", session="s"), item("s2", session="s", flow="g"), item("s9", session="s"))
    store.propose([change(name, trace=name) for name in ("m1", "s1", "s2", "s9")], NOW)
    erase(store)
    take(store, replace(request("m1", user="mia", payload=b"{}"), again=True))
    assert [each.trace for each in store.items()] == ["s1", "s2", "s9"], (
        "one that turned out to be of the user is there"
    )
    erase(store, Subject("session", ("s",), FLOW))
    assert [each.trace for each in store.items()] == ["s2"], "of a session, its items of one flow did not go"
    erase(store, Subject("session", ("s",)))
    assert store.items() == [] and store.changes() == [], "of a session an item, or a change, is left"


def knows_whose_items_are(store: Store) -> None:
    """Whom tombstones mean, and which keys users have, is known of items too."""
    user = hashed("kim", b"key")
    put(store, item("a", user=user), item("b", session="s"))
    subjects = [Subject("user", (user,)), Subject("session", ("s",)), Subject("session", ("s",), FLOW)]
    stones = [Tombstone(mark, each.kind, NOW) for each in subjects for mark in each.marks]
    assert store.meant(stones) == subjects, f"they mean {store.meant(stones)}"
    assert store.user_keys() == {tag_of(b"key")}, f"it knows the keys {store.user_keys()}"


LOOPING: tuple[Callable[[Store], None], ...] = (
    keeps_what_was_mined,
    keeps_all_or_nothing,
    keeps_what_people_made_of_a_failure,
    reviews_failures,
    turns_failures,
    proposes_once,
    moves_changes_on,
    gives_payloads,
    erases_items,
    erases_items_with_their_requests,
    knows_whose_items_are,
)
"""Every check of these, in order."""
