"""Arriving: everything is kept once, feedback finds its request whenever it comes, any text comes back as it was."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from gatewatch.checks.traffic import NOW, request, take, thumb
from gatewatch.core.score import Score
from gatewatch.core.trace import Fault
from gatewatch.store.rows import Arrivals, Row, Said, TakenIn
from store.making import a_store, backend  # noqa: F401 - every test runs on both


def test_a_request_comes_back_as_it_was(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrival = request("t", session="s", slice="de", external_id="m-1", marks=1, cost=0.25, payload=b"p" * 1000)
    trace = replace(
        arrival.trace, variant="b", tags=("x", "y"), user="h", first_token_s=0.1, error=Fault("boom", "timeout")
    )
    take(store, replace(arrival, trace=trace, at=NOW - 5.5))
    assert store.find("t") == Row(
        *(1, "t", NOW - 5.5, NOW, "support", "s", "de", "b", ("x", "y"), "h", "m-1", 0.5, 0.5, 0.1, 0.25, 100, 20),
        *("timeout", 1, 0, None, "held"),
    )
    assert store.payload(1) == b"p" * 1000
    assert store.find("m-1") == store.find("t")
    assert store.find("no") is None


def test_a_request_arrives_once(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    assert take(store, request("a"), request("b"), request("a", marks=1)) == TakenIn(traces=2, repeated=1)
    assert take(store, request("b"), request("c")) == TakenIn(traces=1, repeated=1)
    assert [row.id for row in store.latest()] == ["c", "b", "a"]
    (cell,) = store.signals("support", "day", NOW, NOW + 1)
    assert (cell.n, cell.marks) == (3, {})


def test_another_services_part_of_a_trace_is_kept_beside_it(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    assert take(store, request("t", span_id="a"), request("t", span_id="b")).traces == 2
    assert take(store, request("t", span_id="b"), request("t", span_id="a"), request("t", span_id="c")).traces == 1
    assert [row.id for row in store.latest()] == ["t-c", "t-b", "t"]


def test_a_segment_is_taken_in_once(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    batch = Arrivals((request("a"),), losses={"full": 3}, segment="s-1", offset=100)
    assert store.take_in(batch, NOW) == TakenIn(traces=1)
    assert store.take_in(batch, NOW) == TakenIn(repeated=1)
    assert store.counts().losses == {"full": 3}
    assert (store.taken("s-1"), store.taken("s-2")) == (100, 0)
    store.forget("s-1")
    assert store.taken("s-1") == 0


def test_feedback_finds_its_request(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, request("a"), request("b", external_id="ticket"))
    said = (thumb("1", "a"), thumb("2", external_id="ticket", up=True), thumb("1", "b"))
    assert take(store, said=said) == TakenIn(said=2)
    assert take(store, said=said) == TakenIn()
    assert [(row.id, row.marks) for row in store.latest()] == [("b", 4), ("a", 2)]
    (kept,) = store.scores(1)
    assert (kept.score, kept.author, kept.at, kept.pi) == (said[0].scores[0], "u", NOW, 1.0)


def test_feedback_waits_for_its_request(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    assert take(store, said=(thumb("1", "a"), thumb("2", external_id="ticket"))) == TakenIn(parked=2)
    assert take(store, said=(thumb("1", "a"),)) == TakenIn()
    assert store.counts().parked == 2
    take(store, request("a"), request("b", external_id="ticket"))
    assert store.counts().parked == 0
    assert [row.marks for row in store.latest()] == [2, 2]
    assert [len(store.scores(seq)) for seq in (1, 2)] == [1, 1]
    assert take(store, said=(thumb("1", "a"),)) == TakenIn()


def test_the_later_of_two_thumbs_stands_whichever_comes_first(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    up, down = thumb("1", "a", up=True, at=NOW + 1), thumb("2", "a", at=NOW)
    take(store, request("a"), said=(up, down))
    take(store, request("b"), said=(replace(down, trace="b", id="3"), replace(up, trace="b", id="4")))
    for seq in (1, 2):
        assert [each.score.value for each in store.scores(seq)] == [1.0]
    (cell,) = store.cells("support", "hour", NOW, NOW + 1)
    assert (cell.n, cell.total, cell.squares, cell.source, cell.pi) == (2, 2.0, 2.0, "feedback", 1.0)
    assert store.find("a").marks == 6  # type: ignore[union-attr]  # a mark is never taken back


def test_a_value_that_is_none_is_an_error_of_who_said_it(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    scores = tuple(
        Score(value, name=f"s{place}", source="human") for place, value in enumerate((float("nan"), float("inf"), 1.5))
    )
    take(store, request("a"), said=(Said("1", NOW, "a", scores=scores), Said("2", NOW, "later", scores=scores)))
    assert [(each.score.value, each.score.status) for each in store.scores(1)] == [(None, "scorer_error")] * 3
    assert sum(cell.unknown for cell in store.cells("support", "minute", NOW, NOW + 1)) == 3


ODD = [
    "",
    "plain",
    "a\x00b",
    "\ud800",
    "x\udfff\x10y",
    "\x10dc00",
    "\x100000",
    "\x10",
    "\u202e\u200b",
    "\n\t\x7f",
    "\U0001f600",
]


@pytest.mark.parametrize("text", ODD)
def test_any_text_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    store = a_store(tmp_path)
    arrival = request(f"t{text}", flow=f"f{text}", session=text, slice=text, external_id=text)
    take(store, replace(arrival, trace=replace(arrival.trace, tags=(text,), user=text, variant=text)))
    row = store.find(f"t{text}")
    assert row is not None
    assert (row.id, row.flow, row.session, row.slice, row.tags) == (f"t{text}", f"f{text}", text, text, (text,))
    assert (row.user, row.variant, row.external_id) == (text, text, text)
    assert store.latest(f"f{text}", slice=text) == [row]
    score = Score(0.5, text, text, name=f"n{text}", source="human", fingerprint=text)
    take(store, said=(Said(f"i{text}", NOW, f"t{text}", scores=(score,), author=text),))
    assert [(each.score, each.author) for each in store.scores(1)] == [(score, text)]
    assert store.cells(f"f{text}", "day", NOW, NOW + 1)[0].scorer == f"n{text}"


def test_numbers_that_are_none_or_too_large_are_no_obstacle(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    odd = [float("nan"), float("inf"), 1e300, -1.0]
    take(store, *(request(f"{place}", latency_s=value, cost=value) for place, value in enumerate(odd)))
    rows = store.latest()
    assert [row.latency_s for row in rows][-2:] == [None, None]
    assert [row.cost for row in rows][-2:] == [None, None]
    (cell,) = store.signals("support", "day", NOW, NOW + 1)
    assert (cell.n, cell.unknown_cost, sum(cell.latency.values())) == (4, 2, 2)


def test_the_request_that_called_the_others_has_the_bare_id_though_it_ends_last(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    called = b'{"parent_id":"1111111111111111"}'
    root, back = request("t", span_id="1" * 16), request("t", span_id="2" * 16, parent_id="1" * 16, payload=called)
    for batch in ((back,), (root,), (back, root)):
        take(store, *batch)
    found = {row.id for row in store.latest()}
    assert found == {"t", f"t-{'2' * 16}"}
    bare = store.find("t")
    assert bare is not None and store.payload(bare.seq) == root.payload
    take(store, request("u", span_id="4" * 16, parent_id="3" * 16), request("u", span_id="3" * 16))
    assert [row.id for row in store.latest(most=2)] == ["u", f"u-{'4' * 16}"]
