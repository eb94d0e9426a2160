"""Cases beside live traffic: what is not asked any more, and what is asked and not tested."""

from collections.abc import Iterator, Sequence
from math import ceil

import numpy as np
from msgspec import Struct

from gatewatch.loop.finding import Figure, Finding, Looked, Proposed
from gatewatch.loop.space import Space, Words
from gatewatch.stats.intervals import clopper_pearson
from gatewatch.stats.weighting import weighted_mean

LEAST = 200
"""Fewer requests than so many, as independent ones would count, can say nothing of what is asked."""
FEW = 5
"""With fewer cases than so many the suite can say nothing of a slice."""

_SMALLEST = 0.02
_BLOCK = 512
_DAY_S = 86_400.0


class Asked(Struct, frozen=True):
    """A live request whose text is known: a normal text, when it was asked, in seconds since the epoch, and for how
    many requests it stands (1 over the probability that it is known)."""

    text: str
    at: float
    weight: float = 1.0


class Part(Struct, frozen=True):
    """The slice of a live request, its conversation, and the probability with which it was sent."""

    slice: str
    session: str
    share: float = 1.0


class Live(Struct, frozen=True, kw_only=True):
    """What is known of live traffic: of `flow` from `since` to `until`, of which the last `days` are looked at."""

    flow: str
    until: float
    days: float
    asked: Sequence[Asked]
    parts: Sequence[Part]


def unknown_stale(live: Live) -> str:
    """Why it cannot be said which cases are stale; "" where it can."""
    effective = _effective(_lately(live))
    if effective >= LEAST:
        return ""
    return (
        f"needs {LEAST} requests of {live.flow} of the last {live.days:g} days whose text is kept,"
        f" and there are {len(_lately(live))}, which count as {effective:.0f}"
    )


def _lately(live: Live) -> list[Asked]:
    return [each for each in live.asked if each.at >= live.until - live.days * _DAY_S]


def _effective(some: Sequence[Asked]) -> float:
    """How many equally weighted requests would tell as much (Kish's effective size)."""
    squares = sum(each.weight**2 for each in some)
    return sum(each.weight for each in some) ** 2 / squares if squares else 0.0


def stale(cases: Sequence[Looked], live: Live, when: str, space: Space | None = None) -> Iterator[Finding]:
    """Cases that nothing like was asked for in the last days.

    Source of the bound: 0 of n requests, by Clopper and Pearson, where n is Kish's effective size of those looked at.
    """
    lately = _lately(live)
    n = _effective(lately)
    most = clopper_pearson(0, n).high
    newest = {}
    for each in live.asked:
        newest[each.text] = max(each.at, newest.get(each.text, 0.0))
    texts, at = list(newest), np.array([*newest.values()])
    # Words are weighed by how rare they are live: what every case has, and nobody says, must not tie them together.
    space = space or Words([*texts, *(each.query for each in cases)])
    there = space.vectors(texts)
    since = live.until - live.days * _DAY_S
    for start in range(0, len(cases), _BLOCK):
        block = cases[start : start + _BLOCK]
        alike = space.vectors([each.query for each in block]) @ there.T
        for each, row in zip(block, alike, strict=True):
            if not each.query or each.query in newest and newest[each.query] >= since:
                continue
            near = row >= space.near
            last = float(at[near].max()) if near.any() else None
            if last is None or last < since:
                best = float(row[at >= since].max())
                yield _stale(each, live, last, best, most, len(lately), when)


def _stale(
    each: Looked, live: Live, last: float | None, best: float, most: float, number: int, when: str
) -> Finding:
    kept = each.case.must_pass or each.promoted
    ago = "" if last is None else f"; last seen {(live.until - last) / _DAY_S:.0f} days ago"
    return Finding(
        check="stale",
        cases=(each.id,),
        where=(each.where,),
        why=(
            f"none of {number:,} requests of {live.days:g} days is like it (nearest {best:.2f}):"
            f" at most {most:.2%} of {live.flow}{ago}"
        ),
        figures=(Figure("share", 0.0, 0.0, round(most, 6), number), Figure("nearest", round(best, 4))),
        do="it guards against a failure: look whether that can still happen" if kept else f"retire {each.id}",
        proposed=() if kept else (Proposed(each.id, retired=f"stale: {live.days:g} days without its like (audit {when})"),),
        weight=1.0 - best,
    )


def unknown_slices(live: Live) -> str:
    """Why it cannot be said which slices are missing; "" where it can."""
    if not any(each.slice for each in live.parts):
        return f"no request of {live.flow} has a slice (`[project] slice` names the function that tells it)"
    return "" if len(live.parts) >= LEAST else f"needs {LEAST} requests of {live.flow}, and there are {len(live.parts)}"


def missing_slices(slices: Sequence[str], live: Live) -> Iterator[Finding]:
    """Slices that have a share of live traffic and hardly any case: by the lower end of the share's interval, which
    is clustered by conversation. `slices` has the slice of each case that is in use."""
    total = len(slices)
    weights = [each.share for each in live.parts]
    clusters = [each.session or str(number) for number, each in enumerate(live.parts)]
    for name in sorted({each.slice for each in live.parts}):
        found = weighted_mean([float(each.slice == name) for each in live.parts], weights, clusters)
        if found.mean is None or found.interval is None or found.interval.low < _SMALLEST:
            continue
        cases = sum(each == name for each in slices)
        low, high = found.interval.low, found.interval.high
        if cases >= FEW and cases / total >= low / 2:
            continue
        wanted = max(FEW, ceil(found.mean * total)) - cases
        yield Finding(
            check="missing_slice",
            why=(
                f"{name or '(none)'}: {found.mean:.1%} [{low:.1%}, {high:.1%}] of {live.flow},"
                f" and {cases} of {total:,} cases ({cases / total:.1%})"
            ),
            figures=(
                Figure("live", round(found.mean, 6), round(low, 6), round(high, 6), found.n),
                Figure("cases", cases, n=total),
            ),
            do=f"promote or write {wanted} cases of it",
            weight=low - cases / total,
        )
