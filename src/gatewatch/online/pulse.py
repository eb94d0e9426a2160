"""Signals of a window in buckets, for drawing: what `signals` says of a whole window, of each bucket, quickly.

Bounds of quantiles take most of the time that signals take, so that they are the whole window's only.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from gatewatch.core import marks
from gatewatch.online.signals import rate_of
from gatewatch.stats.intervals import Estimate
from gatewatch.store.bins import quantile
from gatewatch.store.rows import SignalCell

_SUMS = ("n", "errors", "timeouts", "cost", "unknown_cost", "input_tokens", "output_tokens")
_HISTOGRAMS = ("latency", "marks")
_MOST_MADE = 1500
_THUMB, _GUARD = marks.bits(["thumbs_down"]), marks.bits(["guardrail"])


class Beat(Struct, frozen=True):
    """A bucket: about how many requests, quantiles of how long they took in seconds, US dollars a thousand requests
    (None where no cost is known), and the shares that had a thumb down, a guardrail's mark, or failed."""

    at: float
    requests: float
    p50: float | None
    p95: float | None
    p99: float | None
    cost: float | None
    thumbs_down: Estimate
    guardrail: Estimate
    errors: Estimate


_made: dict[tuple[float, int], tuple[list[SignalCell], Beat]] = {}


def merged(cells: Iterable[SignalCell]) -> list[SignalCell]:
    """Cells put together, one for each share that requests were sent with; without the time to the first token."""
    sums: dict[float, list[float]] = {}
    histograms: dict[float, tuple[dict[int, int], dict[int, int]]] = {}
    for cell in cells:
        found = sums.setdefault(cell.share, [0] * len(_SUMS))
        for place, name in enumerate(_SUMS):
            found[place] += getattr(cell, name)
        into = histograms.setdefault(cell.share, ({}, {}))
        for mine, name in zip(into, _HISTOGRAMS, strict=True):
            theirs: dict[int, int] = getattr(cell, name)
            if not mine:
                mine.update(theirs)
                continue
            for key, count in theirs.items():
                mine[key] = mine.get(key, 0) + count
    made = []
    for share, found in sums.items():
        given: dict[str, Any] = dict(zip(_SUMS, found, strict=True))
        given |= dict(zip(_HISTOGRAMS, histograms[share], strict=True))
        made.append(SignalCell(bucket=0.0, slice="", variant="", share=share, **given))
    return made


def bucket_of(at: float, cells: list[SignalCell]) -> tuple[list[SignalCell], Beat]:
    """The cells of a bucket, put together, and what they say. Of cells with the same content it is made once: most
    buckets are over, and looked at again every few seconds."""
    key = at, hash(tuple(map(_content, cells)))
    found = _made.get(key)
    if found is None:
        one = merged(cells)
        if len(_made) >= _MOST_MADE:
            _made.clear()
        found = _made[key] = one, _beat(at, one)
    return found


def _content(cell: SignalCell) -> tuple[Any, ...]:
    sums = (getattr(cell, name) for name in _SUMS)
    return cell.share, *sums, frozenset(cell.latency.items()), frozenset(cell.marks.items())


def _weighed(cells: list[SignalCell]) -> dict[int, float]:
    """How many durations are in each bin, about, where some only of the requests were sent."""
    found: dict[int, float] = {}
    for cell in cells:
        for place, count in cell.latency.items():
            found[place] = found.get(place, 0.0) + count / cell.share
    return found


def _beat(at: float, cells: list[SignalCell]) -> Beat:
    n = {cell.share: cell.n for cell in cells}
    latency: Mapping[int, float] = cells[0].latency if len(cells) == 1 else _weighed(cells)
    requests = sum(cell.n / cell.share for cell in cells)
    known = sum((cell.n - cell.unknown_cost) / cell.share for cell in cells)
    quantiles = [quantile(latency, q) for q in (0.5, 0.95, 0.99)]
    p50, p95, p99 = (None if each is None else each[0] for each in quantiles)
    return Beat(
        at,
        requests,
        p50,
        p95,
        p99,
        1000 * sum(cell.cost / cell.share for cell in cells) / known if known > 0 else None,
        rate_of({cell.share: cell.marks.get(_THUMB, 0) for cell in cells}, n),
        rate_of({cell.share: cell.marks.get(_GUARD, 0) for cell in cells}, n),
        rate_of({cell.share: cell.errors + cell.timeouts for cell in cells}, n),
    )
