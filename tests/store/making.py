"""What tests of the store make: requests, feedback and works, in a few words."""

from pathlib import Path

from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace, Usage
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrival, Arrivals, Said, TakenIn, Work
from gatewatch.store.sqlite import open_store

DAY = 86_400.0
NOW = 20_000 * DAY + 3600 * 10


def a_store(tmp_path: Path, *, busy_s: float = 5.0) -> Store:
    return open_store(tmp_path / "gatewatch.db", busy_s=busy_s)


def request(
    name: str,
    *,
    at: float = NOW,
    flow: str = "support",
    session: str = "",
    part: str = "",
    marks: int = 0,
    u: float = 0.5,
    payload: bytes = b'{"input":"?"}',
    external_id: str = "",
    span: str = "",
    cost: float | None = 0.001,
    latency_s: float = 0.5,
) -> Arrival:
    trace = Trace(
        id=name,
        flow=flow,
        session=session,
        slice=part,
        external_id=external_id,
        span_id=span,
        cost=None if cost is None else Cost(cost),
        usage=Usage(100, 20),
        latency_s=latency_s,
    )
    return Arrival(trace, payload, at, u, marks)


def take(store: Store, *arrivals: Arrival, said: tuple[Said, ...] = (), now: float = NOW) -> TakenIn:
    return store.take_in(Arrivals(arrivals, said), now)


def thumb(name: str, trace: str = "", *, up: bool = False, at: float = NOW, external_id: str = "") -> Said:
    score = Score(1.0 if up else 0.0, name="thumbs", source="feedback", fingerprint="feedback:thumbs 1")
    return Said(name, at, trace, external_id, 4 if up else 2, (score,), author="u")


def a_work(store: Store, scorer: str = "helpful", flow: str = "support") -> Work:
    return store.work(flow, scorer, "f" * 12, "judge")


def a_score(value: float | None = 1.0, *, name: str = "helpful", cost: float | None = 0.01) -> Score:
    return Score(
        value,
        "good",
        "because",
        name=name,
        source="judge",
        fingerprint="f" * 12,
        cost=None if cost is None else Cost(cost),
        usage=Usage(50, 5),
        model="m-1",
        status="scored" if value is not None else "scorer_error",
    )
