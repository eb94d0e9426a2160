"""What every store must hold to where requests are made of spans: see `checks.store`."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from gatewatch.checks.traffic import FLOW, NOW, judged, lease, request, take, thumb, trends_agree_with_rows
from gatewatch.core import codec
from gatewatch.core.trace import Span, Usage
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrival, Arrivals, Gathered, Piece, Plan, Settled, Spent


def made(name: str, calls: int, **fields: Any) -> Arrival:
    """A request that was made of spans: so many model calls, of a thousandth of a dollar each."""
    spans = tuple(Span(name="chat", kind="llm", model="m", usage=Usage(10, 2), cost=0.001) for _ in range(calls))
    made = request(
        name, spent=(Spent("m", calls, calls * 0.001, 10 * calls, 2 * calls),), spans=spans, span_id="0" * 16, **fields
    )
    return replace(made, payload=codec.encode(made.trace), again=True)


def gathers_spans(store: Store) -> None:
    """Spans are kept once, in whatever order, until their trace has settled; what comes late makes it anew."""
    first = [_piece("a", "2"), _piece("b", "1"), _piece("a", "1", root=True)]
    assert store.stage(first, NOW) == 3, "not every new span is kept"
    assert store.stage([*first, _piece("a", "1", "log")], NOW + 1) == 1, "a span that came twice is kept twice"
    found = store.gathered(NOW + 1, NOW - 9, 9)
    assert not found, f"a trace has settled that was heard of since: {found}"
    found = store.gathered(NOW + 2, NOW - 9, 9)
    assert _bodies(found) == {"a": [b"a1", b"a1log", b"a2"]}, f"of a trace whose root ended are gathered {found}"
    both = store.gathered(NOW + 2, NOW + 1, 9)
    assert _bodies(both).get("b") == [b"b1"], "a trace without a root does not settle when nothing was heard for long"
    settled = tuple((each.trace, each.moved) for each in both)
    store.stage([_piece("b", "2")], NOW + 3)
    made = [replace(request(each.trace), again=True) for each in both]
    store.take_in(Arrivals(tuple(made), settled=settled), NOW + 3)
    assert not store.gathered(NOW + 99, NOW, 9), "a trace that was made is to be made again"
    again = store.gathered(NOW + 99, NOW + 99, 9)
    assert [each.trace for each in again] == ["b"], f"a late span does not open its trace: {again}"
    store.take_in(Arrivals(settled=tuple((each.trace, each.moved) for each in again)), NOW + 4)
    assert store.forget_spans(NOW + 2, 0.0, 9) == 1, "the spans of a trace that was made are not let go of"
    assert store.stage([_piece("a", "3")], NOW + 5) == 0, "a span of a closed trace is taken"
    assert sum(store.counts().losses.values()) == 1, "a span of a closed trace is not counted as lost"
    assert store.forget_spans(0.0, NOW + 2, 9) == 1, "that a trace was closed is never forgotten"
    _gathers_what_has_room(store)


def _gathers_what_has_room(store: Store) -> None:
    for number, size in enumerate((10, 20_000, 10, 10)):
        pieces = [Piece(f"t{number}", f"{span}", "", span == 0, b"x" * size) for span in range(5)]
        store.stage([*pieces, Piece(f"t{number}", "9", "", root=False, body=b"y" * 3000)], NOW + 1000 + number)
    sizes = []
    while found := store.gathered(NOW * 2, NOW * 2, 9, 50_000, lambda body: body[:8000]):
        sizes.append({each.trace: ([len(body) for body in each.bodies], each.left_out) for each in found})
        store.take_in(Arrivals(settled=tuple((each.trace, each.moved) for each in found)), NOW + 2000)
    whole = ([10] * 5 + [3000], 0)
    long = ([20_000, 8000, 8000, 8000], 2)
    assert sizes == [{"t0": whole}, {"t1": long}, {"t2": whole, "t3": whole}], f"with little room are gathered {sizes}"


def amends_requests(store: Store) -> None:
    """A request of which more is known is brought up, with its trends; what scorers said of it is withdrawn."""
    take(store, made("a", 1), made("b", 1), said=[thumb("1", "a")])
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    rows = store.unplanned(work, 9)
    store.plan(
        work.id, Plan(tuple((row.seq, NOW, 0.5) for row in rows.new), through=rows.through, changes=rows.changes)
    )
    done, late = lease(store, work)
    store.settle([Settled(done.task, done.attempt, judged(1.0), "w")], NOW + 1)
    trends_agree_with_rows(store)
    more = made("a", 2, at=NOW + 3700, session="s", slice="de", latency_s=9.0)
    other = made("b", 3, flow="other", variant="x")
    found = store.take_in(Arrivals((more, other, made("c", 1))), NOW + 2)
    assert (found.traces, found.amended, found.repeated) == (1, 2, 0), (
        f"of two amended requests and a new one it says {found}"
    )
    row = store.find("a")
    assert row is not None, "an amended request is not found"
    said = (row.session, row.slice, row.at, row.latency_s, row.marks)
    assert said == ("s", "de", NOW + 3700, 9.0, 2), f"an amended request's row says {said}"
    assert store.payload(row.seq) == more.payload, "an amended request has its old payload"
    kept = [each.score.name for each in store.scores(row.seq)]
    assert kept == ["thumbs"], f"of an amended request's scores are left {kept}"
    for flow in (FLOW, "other"):
        trends_agree_with_rows(store, flow)
    spent = {cell.flow: (cell.calls, cell.cost) for cell in store.spend(0, NOW * 2) if cell.kind == "task"}
    assert spent == {FLOW: (3, 0.003), "other": (3, 0.003)}, f"money spent by flow is {spent}"
    assert store.settle([Settled(late.task, late.attempt, judged(0.0), "w")], NOW + 3) == 0, (
        "a score of the old is kept"
    )
    changed = [each.id for each in store.unplanned(store.work(FLOW, "helpful", "f" * 12, "judge"), 9).changed]
    assert changed == ["a"], f"planned anew are {changed}"
    assert [row.id for row in store.session(FLOW, "s")] == ["a"], "an amended request is not in its session"
    assert store.take_in(Arrivals((more,)), NOW + 4).repeated == 1, "a request is amended by what it says already"


def _piece(trace: str, span: str, part: str = "", *, root: bool = False) -> Piece:
    return Piece(trace, span, part, root, f"{trace}{span}{part}".encode())


def _bodies(found: Iterable[Gathered]) -> dict[str, list[bytes]]:
    return {each.trace: list(each.bodies) for each in found}
