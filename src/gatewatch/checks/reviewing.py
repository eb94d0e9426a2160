"""What every store holds to for review: an item goes to as many reviewers as it needs, and their labels settle it."""

from collections.abc import Callable

from gatewatch.checks.hostile import HOSTILE
from gatewatch.checks.looping import TRACE, claimed, item, label, put
from gatewatch.checks.traffic import FLOW, NOW
from gatewatch.core.review import ItemState, Label
from gatewatch.store.base import Store
from gatewatch.store.looping import Claim


def puts_items_up_once(store: Store) -> None:
    """An item is there once for a queue and a scale, and is found by all that it is of."""
    first = put(
        store, item("a"), item("a", scorer="tone"), item("a", queue="calibration", pi=0.5), item("a", severity=1)
    )
    assert [each.id for each in first] == [1, 2, 3, 1], f"they have the numbers {[each.id for each in first]}"
    assert put(store, item("b", flow="g"), item("a"))[1] == first[0], "one that is there came back as another"
    (again,) = put(store, item("a", queue="calibration", pi=0.75, judged=0.5))
    assert again == store.item(3) and (again.pi, again.judged) == (0.75, 0.5), f"one that was drawn again is {again}"
    for which, numbers in (
        ({"queue": "calibration"}, [3]),
        ({"flow": "g"}, [4]),
        ({"trace": "a", "queue": "failures"}, [1, 2]),
        ({"states": ("settled", "disputed")}, []),
        ({"states": ("waiting",), "after": 2, "most": 1}, [3]),
        ({"failure": 7}, []),
    ):
        found = [each.id for each in store.items(**which)]
        assert found == numbers, f"of {which} it finds {found}, not {numbers}"


def gives_an_item_to_one(store: Store) -> None:
    """A reviewer has an item until a time, keeps it when asking again; the gravest comes first, then the oldest."""
    put(
        store,
        item("mild"),
        item("grave", severity=0.9, failure=2),
        item("old", severity=0.5),
        item("new", severity=0.5),
    )
    found = store.claim("ana", NOW, NOW + 60)
    assert isinstance(found, Claim) and (found.item, found.trace, found.until) == (store.item(2), TRACE, NOW + 60), (
        f"it gave {found}"
    )
    assert claimed(store, "ana", NOW + 30) == "grave", "a reviewer who has an item is given another"
    assert claimed(store, "bob", NOW + 61) == "old", "two have the same item, or the oldest is not the next"
    assert claimed(store, "eve", NOW + 61, besides=[4]) == "mild", "it gives what it was to pass over"
    assert claimed(store, "kim", NOW + 61) == "new" and claimed(store, "lea", NOW + 61) == "", (
        "an item is left, or none"
    )
    assert claimed(store, "lea", NOW + 90) == "grave", "a claim is never over"
    store.let_go_of(2, "lea")
    assert claimed(store, "lea", NOW + 91, failure=2, queue="failures", flow=FLOW) == "grave", "it was not let go of"
    assert claimed(store, "kim", NOW + 91, flow="g") == claimed(store, "kim", NOW + 91, queue="calibration") == "", (
        "an item is of another flow or queue than was asked for"
    )
    for text in HOSTILE:
        assert store.label(label(2, text, skipped=True, value=None), NOW + 999) is not None
    assert [claimed(store, text, NOW + 999, failure=2) for text in HOSTILE] == [""] * len(HOSTILE), (
        "one who skipped an item is given it again"
    )


def gives_an_item_to_as_many_as_it_needs(store: Store) -> None:
    """Labels and live claims together are no more than an item needs; who labelled it is not asked again."""
    put(store, item("a", needed=2), item("b"))
    assert (claimed(store, "ana"), claimed(store, "bob")) == ("a", "a"), "two that it needs do not both have it"
    assert claimed(store, "eve") == "b", "three have an item that needs two"
    store.label(label(1, "ana"), NOW)
    assert claimed(store, "ana", NOW + 1) == "", "one who labelled an item, and should not, is given it again"
    assert claimed(store, "lea", NOW + 61) == "a", "a claim that is over keeps others away"
    assert claimed(store, "bob", NOW + 61) == "b", "an item has a label, a claim, and one more"


def gives_an_item_that_is_named(store: Store) -> None:
    """Whoever names an item is given it, also to label it anew or to settle it, unless others have it."""
    put(store, item("a", severity=1), item("b"))
    assert claimed(store, "ana", item=2, flow="other", besides=[2]) == "b", "the item that is named is not given"
    assert claimed(store, "bob", item=2) == "" and claimed(store, "bob", item=99) == "", (
        "two have it, or there is a 99th"
    )
    store.label(label(2, "ana"), NOW)
    assert claimed(store, "ana", item=2) == "b", "one who labelled an item cannot look at it anew"
    assert claimed(store, "bob", item=2) == "", "two have an item that is settled"
    assert [each.by for each in store.labels([2])] == ["ana"], "a claim took a label away"
    store.let_go_of(2, "ana")
    assert claimed(store, "bob", item=2) == "b" and len(store.labels([2])) == 1, "it is not let go of, or the label is"


def settles_items(store: Store) -> None:
    """Labels that agree settle an item, those that do not make it disputed; the word of one who settles it counts."""
    put(store, item("a", needed=2))
    steps: list[tuple[Label, ItemState]] = [
        (label(1, "ana", 0.9), "waiting"),
        (label(1, "eve", None, skipped=True), "waiting"),
        (label(1, "bob", 0.4), "disputed"),
        (label(1, "lea", 0.0), "disputed"),
        (label(1, "kim", 0.2, settles=True), "settled"),
        (label(1, "kim", 0.2), "disputed"),
        (label(1, "ana", 0.49), "settled"),
        (label(1, "ana", 0.5), "disputed"),
    ]
    for said, state in steps:
        turned = store.label(said, NOW)
        assert turned is not None and turned == store.item(1) and turned.state == state, f"after {said}: {turned}"
    by = [(each.by, each.value) for each in store.labels([1])]
    expected = [("eve", None), ("bob", 0.4), ("lea", 0.0), ("kim", 0.2), ("ana", 0.5)]
    assert by == expected, f"the labels in their order are {by}"
    assert [each.id for each in store.items(states=["disputed"])] == [1], "what is disputed is not found"
    assert claimed(store, "new") == "", "what is disputed waits for one more"
    for name in ("ana", "nobody", "eve"):
        turned = store.withdraw_label(1, name)
    assert turned is not None and (turned.state, len(store.labels([1]))) == ("settled", 3), f"withdrawn: {turned}"
    assert store.label(label(99), NOW) is None and store.withdraw_label(99, "ana") is None, "there is a 99th item"
    assert store.labels([1, 99]) == store.labels([1]), "there are labels of no item"


def lists_what_awaits(store: Store) -> None:
    """What awaits a reviewer is listed in the order of claims; what they have, and what they said, the last first."""
    put(store, item("mild"), item("grave", severity=0.9), item("b", flow="g", needed=2), item("old", severity=0.5))
    found, number = store.awaiting("ana", NOW)
    traces = [each.trace for each in found]
    assert (traces, number) == (["grave", "old", "mild", "b"], 4), f"what awaits is {traces}, {number}"
    page = [each.trace for each in store.awaiting("ana", NOW, skip=1, most=2)[0]]
    assert page == ["old", "mild"], f"a page of it is {page}"
    assert [each.id for each in store.awaiting("ana", NOW, flow="g")[0]] == [3], "of a flow there are others"
    assert claimed(store, "ana") == "grave" and claimed(store, "bob", item=3) == "b", "they cannot be claimed"
    assert store.claimed("ana", NOW) == [(store.item(2), NOW + 60)], f"ana has {store.claimed('ana', NOW)}"
    assert store.claimed("ana", NOW + 61) == [], "a claim is never over"
    assert store.awaiting("ana", NOW)[1] == 4 and store.awaiting("bob", NOW)[1] == 3, "claims do not count"
    store.label(label(2), NOW + 1)
    store.label(label(3, value=None, skipped=True), NOW + 2)
    store.label(label(3, "bob"), NOW + 3)
    assert [each.item for each in store.labels_by("ana")] == [3, 2], "what a reviewer said is in another order"
    assert [each.item for each in store.labels_by("ana", since=NOW + 2, most=1)] == [3], "a part of it is another"
    assert store.claimed("bob", NOW) == [] and store.awaiting("ana", NOW)[1] == 2, "a label ends no claim"


def sends_to_be_settled(store: Store) -> None:
    """Whoever says that somebody else is to settle it makes it disputed, until somebody does."""
    put(store, item("a"))
    turned = store.label(label(1, disputes=True, kinds=("rude",), severity="major", saw=True), NOW)
    assert turned is not None and turned.state == "disputed", f"it is {turned}"
    assert claimed(store, "bob") == "", "what is to be settled waits for one more"
    turned = store.label(label(1, "bob", 0.0, settles=True), NOW)
    assert turned is not None and turned.state == "settled", f"settled it is {turned}"


def keeps_labels(store: Store) -> None:
    """Labels come back as they were, whatever the text, by item, then as they were given."""
    put(store, item("a"), item("b"))
    given = [label(n % 2 + 1, text, n / 10, comment=text, expected=text, seconds=2.5) for n, text in enumerate(HOSTILE)]
    for said in given:
        store.label(said, NOW)
    expected = sorted(given, key=lambda each: each.item)
    assert store.labels([2, 1, 2]) == expected, f"labels came back as {store.labels([1, 2])}"


REVIEWING: tuple[Callable[[Store], None], ...] = (
    puts_items_up_once,
    gives_an_item_to_one,
    gives_an_item_to_as_many_as_it_needs,
    gives_an_item_that_is_named,
    settles_items,
    lists_what_awaits,
    sends_to_be_settled,
    keeps_labels,
)
"""Every check of these, in order."""
