"""What a failure is known by: it keeps its number, and takes in nothing that is not its own."""

from pathlib import Path

from gatewatch.checks.erasing import erase
from gatewatch.checks.traffic import DAY, FLOW, NOW
from gatewatch.core.erasure import Subject
from gatewatch.core.review import Label
from gatewatch.core.watch import Marker
from gatewatch.loop.mine import ERASED
from loop.mining import REFUND, about, arrive, asked, failed, judge, mined
from store.making import a_store, backend  # noqa: F401 - every test runs on both


def low(*numbers: int) -> dict[int, float | None]:
    return dict.fromkeys(numbers, 0.0)


def test_what_stood_alone_and_was_fixed_comes_back_by_what_it_asks_and_by_nothing_else(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, [asked(1, "where may my dog sleep tonight"), asked(2, "who won the match")])
    judge(store, low(1, 2))
    (alone,) = mined(store).failures
    first = next(item for item in store.items(failure=alone.id) if int(item.trace, 16) == 1)
    store.label(Label(item=first.id, by="mia", value=0.0, at=NOW), NOW)
    store.turn_failure(alone.id, "fixed", who="mia", reason="", now=NOW + 10)
    arrive(store, [asked(3, "explain quantum chromodynamics to plumbers", at=NOW + 20)], now=NOW + 20)
    judge(store, low(3))
    found = {each.id: each for each in mined(store, now=NOW + 20).failures}
    rest = next(each for number, each in found.items() if number != alone.id)
    assert (found[alone.id].state, found[alone.id].n) == ("fixed", 1)
    assert (rest.state, rest.rest, rest.n) == ("new", True, 2)
    assert [int(item.trace, 16) for item in store.items(failure=alone.id)] == [1]
    arrive(store, [asked(4, "Where may my dog sleep tonight?", at=NOW + 30)], now=NOW + 30)
    judge(store, low(4))
    again = {each.id: (each.state, each.n) for each in mined(store, now=NOW + 30).failures}
    assert again == {alone.id: ("regressed", 2), rest.id: ("new", 2)}


def test_of_whom_was_erased_no_name_is_left_and_the_failure_keeps_its_number(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 6), [asked(10, REFUND.format("zanzibar"), user="mia")])
    arrive(
        store,
        [
            failed(20 + n, "no shop in zanzibar", "is it open" if n else "where is it", user="mia" if n else "bob")
            for n in range(2)
        ],
    )
    judge(store, low(*range(11)))
    first = {each.sign: each for each in mined(store).failures}
    erase(store, Subject("user", ("mia",)))
    assert [each.name for each in store.failures()] == [ERASED, ERASED]
    second = {each.sign: each for each in mined(store).failures}
    assert {sign: each.id for sign, each in second.items()} == {sign: each.id for sign, each in first.items()}
    assert ERASED not in {each.name for each in second.values()}


def test_a_deploy_before_the_window_is_the_one_of_the_fix(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 3))
    judge(store, low(0, 1, 2))
    (failure,) = mined(store).failures
    store.turn_failure(failure.id, "fixed", who="mia", reason="", now=NOW + 10)
    for days in (1, 29):
        store.mark(Marker(NOW + days * DAY, FLOW, "a deploy", who="mia"))
    at = NOW + 27 * DAY
    arrive(store, about(REFUND, 10, 3, at=at), now=at)
    judge(store, low(10, 11, 12))
    assert [each.state for each in mined(store, now=NOW + 30 * DAY).failures] == ["regressed"]
