"""Spans that wait for their trace: kept once, whatever order they come in, and never lost between two looks."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gatewatch.checks.spans import made
from gatewatch.checks.traffic import NOW, request
from gatewatch.store.rows import Arrivals, Piece
from store.making import a_store, backend  # noqa: F401 - every test runs on both


def piece(trace: str, span: int, *, root: bool = False) -> Piece:
    return Piece(trace, f"{span:016x}", "", root, f"{trace}-{span}".encode())


def test_a_span_that_comes_between_the_look_and_the_making_opens_its_trace_again(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.stage([piece("a", 1, root=True)], NOW)
    (first,) = store.gathered(NOW + 1, NOW, 9)
    store.stage([piece("a", 2)], NOW)  # by a clock that stood still, or went back
    store.take_in(Arrivals((request("a"),), settled=((first.trace, first.moved),)), NOW + 1)
    (second,) = store.gathered(NOW + 1, NOW, 9)
    assert second.bodies == (b"a-1", b"a-2")


def test_what_was_made_of_fewer_spans_does_not_close_what_has_more(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.stage([piece("a", 1, root=True)], NOW)
    (first,) = store.gathered(NOW + 1, NOW, 9)
    store.stage([piece("a", 2)], NOW + 1)
    (second,) = store.gathered(NOW + 2, NOW, 9)
    more, fewer = made("a", 2), made("a", 1)
    store.take_in(Arrivals((more,), settled=((second.trace, second.moved),)), NOW + 2)
    slower = store.take_in(Arrivals((fewer,), settled=((first.trace, first.moved),)), NOW + 2)  # another server
    assert (slower.amended, slower.repeated) == (0, 1)
    assert store.payload(1) == more.payload
    assert store.gathered(NOW + 9, NOW + 9, 9) == []


def test_the_oldest_are_made_first_and_no_more_than_are_asked_for(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    for number, name in enumerate("cab"):
        store.stage([piece(name, 1, root=name != "a")], NOW + number)
    assert [each.trace for each in store.gathered(NOW + 9, NOW + 9, 2)] == ["c", "b"]
    assert [each.trace for each in store.gathered(NOW + 9, NOW + 9, 3)] == ["c", "b", "a"]
    assert [each.trace for each in store.gathered(NOW + 1, NOW + 9, 9)] == ["c", "a"]


def test_spans_that_were_not_made_into_a_trace_are_never_forgotten(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.stage([piece("a", 1, root=True)], NOW)
    assert store.forget_spans(NOW + 1e6, NOW + 1e6, 9) == 0
    assert len(store.gathered(NOW + 1, NOW, 9)) == 1


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_in_whatever_batches_and_however_often_they_come_each_span_is_there_once(data: st.DataObject) -> None:
    from tempfile import TemporaryDirectory

    every = [piece(name, span, root=span == 0) for name in "abc" for span in range(3)]
    sent = data.draw(st.lists(st.lists(st.sampled_from(every), max_size=6), max_size=8))
    with TemporaryDirectory() as folder:
        store = a_store(Path(folder))
        new = 0
        for number, batch in enumerate([*sent, every]):
            new += store.stage(batch, NOW + number)
            if data.draw(st.booleans()):
                made = store.gathered(NOW + 99, NOW + 99, data.draw(st.integers(1, 3)))
                store.take_in(Arrivals(settled=tuple((each.trace, each.moved) for each in made)), NOW + number)
        store.stage([piece("d", 0)], NOW)
        assert new == len(every)
        for name in "abc":  # whatever was made before, the last making sees all
            store.stage([piece(name, 9)], NOW + 50)
        found = {each.trace: each.bodies for each in store.gathered(NOW + 99, NOW + 99, 99)}
        assert {name: len(found[name]) for name in "abc"} == dict.fromkeys("abc", 4)
        store.close()
