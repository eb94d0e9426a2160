"""From staged spans to requests in a store, on both databases."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core import codec
from gatewatch.core.trace import Trace, Usage
from gatewatch.models.prices import Prices
from gatewatch.online.ingest import Ways
from gatewatch.online.otlp.part import BARE, Part, encode
from gatewatch.online.otlp.receive import Rules
from gatewatch.online.settle import UNMADE, Made, Pauses, settle
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrivals, Piece, Row, TakenIn
from recorded_otlp import Request, all_received, requests
from store.making import a_store, backend

__all__ = ["backend"]

NOW = 1_795_452_100.0
WAYS = Ways(price=Prices({}).cost)


def stage(store: Store, given: list[Request], now: float = NOW) -> int:
    return sum(store.stage(each.pieces, now) for each in all_received(given, Rules()))


def settled(store: Store, now: float, ways: Ways = WAYS, most: int = 500) -> Made:
    total = Made()
    while (made := settle(store, ways, clock=lambda: now, most=most)) != Made():
        total = Made(total.new + made.new, total.amended + made.amended, total.unmade + made.unmade)
    return total


def rows(store: Store, flow: str) -> list[Row]:
    return store.latest(most=10_000, flow=flow)


@pytest.mark.parametrize("order", [1, -1])
def test_the_load_is_there_once_however_it_comes(tmp_path: Path, order: int) -> None:
    store = a_store(tmp_path)
    given = requests("load_oi_openai_600")[::order]
    assert stage(store, given * 2) == 1200
    assert settled(store, NOW + 5) == Made(), "nothing has settled yet"
    assert settled(store, NOW + 11, most=97) == Made(600)
    assert stage(store, given) == 0 and settled(store, NOW + 1000) == Made()
    found = rows(store, "POST /chat")
    assert len(found) == 600 and sum(each.error == "error" for each in found) == 32
    assert sum(each.input_tokens or 0 for each in found) == 37445
    assert sum(each.output_tokens or 0 for each in found) == 42075
    assert len({each.session for each in found}) == 37


def test_content_that_comes_after_its_span_amends_the_request(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    given = requests("otel_openai_v2_content")
    stage(store, [each for each in given if each.signal == "traces"])
    assert settled(store, NOW + 11) == Made(14)
    assert sum(each.payload == "none" for each in rows(store, "support-bot")) == 12, "two failed, which is told"
    stage(store, [each for each in given if each.signal == "logs"], NOW + 20)
    assert settled(store, NOW + 31) == Made(0, 13)
    found = rows(store, "support-bot")
    assert len(found) == 14 and sum(each.payload == "held" for each in found) == 13
    assert sum(each.input_tokens or 0 for each in found) == 404


def test_a_trace_without_its_root_waits_longer_and_is_one_with_it_later(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    (first, *_) = all_received(requests("langfuse_sdk"))
    trace = next(each.trace for each in first.pieces if not each.root)
    mine = [each for each in first.pieces if each.trace == trace]
    store.stage([each for each in mine if not each.root], NOW)
    assert settled(store, NOW + 11) == Made() and settled(store, NOW + 61) == Made(1)
    store.stage([each for each in mine if each.root], NOW + 70)
    assert settled(store, NOW + 81) == Made(0, 1)
    (row,) = rows(store, "handle-refund")
    assert row.id == trace and row.session == "sess-3" and row.payload == "held"


def test_a_trace_that_cannot_be_made_is_set_aside_and_counted(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    stage(store, requests("openinference_litellm"))
    store.stage([Piece("e" * 32, "a" * 16, "", root=True, body=b'{"not": "a part"}')], NOW)
    assert settled(store, NOW + 11) == Made(5, 0, 1)
    assert store.counts().losses[UNMADE] == 1
    assert settled(store, NOW + 1000) == Made(), "it is not tried for ever"


def test_one_request_that_the_store_cannot_keep_does_not_hold_up_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = a_store(tmp_path)
    stage(store, requests("openinference_litellm"))

    keep = store.take_in

    def refusing(arrivals: Arrivals, now: float) -> TakenIn:
        if any(each.trace.error is not None for each in arrivals.traces):
            raise OverflowError("a number that no column holds")
        return keep(arrivals, now)

    monkeypatch.setattr(store, "take_in", refusing)
    assert settled(store, NOW + 11) == Made(3, 0, 2)
    assert store.counts().losses[UNMADE] == 2
    assert settled(store, NOW + 1000) == Made()


def test_upstream_sampling_enters_the_row(tmp_path: Path) -> None:
    from gatewatch.online.otlp.mapping import Reading

    store = a_store(tmp_path)
    rules = Rules(reading=Reading(sampled=0.25))
    for each in all_received(requests("openinference_litellm"), rules):
        store.stage(each.pieces, NOW)
    settle(store, WAYS, clock=lambda: NOW + 11, pauses=Pauses())
    assert {each.share for each in rows(store, "gateway")} == {0.25}


def test_a_row_has_what_its_spans_say(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    stage(store, requests("openinference_openai"))
    settled(store, NOW + 11)
    found: dict[str, Any] = {each.id: each for each in rows(store, "support-bot")}
    assert len(found) == 16
    told = [each for each in found.values() if each.session]
    assert len(told) >= 14 and {each.session for each in told} == {"sess-88"}
    assert {each.tags for each in told} == {("beta", "eu")}
    assert len({each.user for each in told}) == 1 and "user-17" not in told[0].user
    assert sum(each.cost is not None for each in found.values()) >= 10


def spoken(trace: str, span: int, size: int) -> Piece:
    """A model call that said so much, and took ten tokens and two; the first span is what is around the calls."""
    part = Part(
        trace=trace,
        span=f"{span:016x}",
        parent=f"{0:016x}" if span else "",
        name="chat",
        kind="llm" if span else "step",
        started=span + 1,
        ended=span + 2,
        input="q" * size,
        usage=Usage(10, 2),
    )
    return Piece(trace, part.span, "", not span, encode(part))


def test_settling_holds_little_however_much_waits(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    for number in range(30):
        store.stage([spoken(f"{number:032x}", span, 1_000_000) for span in range(8)], NOW)
    tracemalloc.start()
    try:
        assert settled(store, NOW + 11) == Made(30)
        assert tracemalloc.get_traced_memory()[1] < 100_000_000, "of 240 MB"
    finally:
        tracemalloc.stop()


def test_of_a_trace_that_is_too_long_what_was_said_is_left_out_and_what_it_took_is_not(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.stage([spoken("a" * 32, span, 1_000_000) for span in range(20)], NOW)
    assert settled(store, NOW + 11) == Made(1)
    (row,) = store.latest()
    assert (row.input_tokens, row.output_tokens) == (190, 38)
    assert BARE in codec.decode(store.payload(row.seq) or b"", Trace).flaws


def test_spans_that_have_no_room_even_so_are_left_out_and_told_of(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.stage([spoken("a" * 32, span, 1) for span in range(15_000)], NOW)
    assert settled(store, NOW + 11) == Made(1)
    (row,) = store.latest()
    flaws = codec.decode(store.payload(row.seq) or b"", Trace).flaws
    assert any("spans are left out: the trace is too long" in each for each in flaws), flaws
