"""What live traffic costs: by flow, scorer, model and day, the application's calls and the judges' apart."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from gatewatch.online.signals import signals_of
from gatewatch.store.base import Store
from gatewatch.store.rows import SpendCell

KEYS = ("kind", "flow", "scorer", "model", "day")


class SpendLine(Struct, frozen=True):
    """Money of some calls in US dollars; `unknown` calls have no known price, and are not in `cost`."""

    key: tuple[str, ...]
    calls: int
    cost: float
    unknown: int
    input_tokens: int
    output_tokens: int


def month_of(text: str, now: float) -> tuple[float, float]:
    """The beginning and the end (UTC) of a month such as "2026-11", in seconds since the epoch; "" is this month.

    Raises:
        ValueError: for anything else.
    """
    try:
        moment = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC) if text else datetime.fromtimestamp(now, UTC)
    except ValueError:
        raise ValueError(f'expected a month such as "2026-11", got {text!r}') from None
    first = datetime(moment.year, moment.month, 1, tzinfo=UTC)
    after = datetime(moment.year + moment.month // 12, moment.month % 12 + 1, 1, tzinfo=UTC)
    return first.timestamp(), after.timestamp()


def spending(store: Store, since: float, until: float, by: Sequence[str]) -> list[SpendLine]:
    """Money of a window, put together by some of `KEYS`, the dearest first."""
    found: dict[tuple[str, ...], SpendLine] = {}
    for cell in store.spend(since, until):
        key = tuple(_part(cell, name) for name in by)
        before = found.get(key, SpendLine(key, 0, 0.0, 0, 0, 0))
        found[key] = SpendLine(
            key,
            before.calls + cell.calls,
            before.cost + cell.cost,
            before.unknown + cell.unknown,
            before.input_tokens + cell.input_tokens,
            before.output_tokens + cell.output_tokens,
        )
    return sorted(found.values(), key=lambda line: (-line.cost, line.key))


def as_rows(by: Sequence[str], lines: Sequence[SpendLine]) -> list[dict[str, Any]]:
    """Lines as objects of JSON, with the keys that they were put together by."""
    return [
        dict(zip(by, line.key, strict=True))
        | {"calls": line.calls, "cost": line.cost, "unknown": line.unknown}
        | {"input_tokens": line.input_tokens, "output_tokens": line.output_tokens}
        for line in lines
    ]


class Sent(Struct, frozen=True):
    """Of a flow's requests, how many were sent (upstream sampling), of about how many; and about what the application's
    calls of all of these cost, in US dollars: `unknown` requests have no known price, and are not in `cost`."""

    flow: str
    sent: int
    requests: int
    cost: float
    unknown: int


def sampled(store: Store, since: float, until: float) -> list[Sent]:
    """The flows of which only some requests were sent in a window of whole days."""
    found = []
    for flow in sorted({cell.flow for cell in store.spend(since, until) if cell.kind == "task"}):
        signals = signals_of(store.signals(flow, "day", since, until))
        if signals.requests:
            found.append(Sent(flow, signals.n, round(signals.every), signals.cost, signals.unknown_cost))
    return found


def _part(cell: SpendCell, name: str) -> str:
    if name == "day":
        return datetime.fromtimestamp(cell.day, UTC).strftime("%Y-%m-%d")
    return str(getattr(cell, name))
