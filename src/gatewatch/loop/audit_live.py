"""Cases beside live traffic: what is not asked any more, and what is asked and not tested."""

from collections.abc import Iterator, Sequence
from math import ceil

from msgspec import Struct

from gatewatch.loop.audit_space import Lying
from gatewatch.loop.finding import Figure, Finding, Looked, Proposed
from gatewatch.stats.intervals import clopper_pearson
from gatewatch.stats.weighting import weighted_mean

LEAST = 200
"""Fewer requests than so many, as independent ones would count, can say nothing of what is asked."""
FEW = 5
"""With fewer cases than so many the suite can say nothing of a slice."""

_SMALLEST = 0.02
_BLOCK = 512
_ENOUGH = 0.9


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
    """What is known of the last `days` of a flow, of which traffic is known for `known_days`."""

    flow: str
    days: float
    known_days: float
    asked: Sequence[Asked]
    parts: Sequence[Part]

    @property
    def effective(self) -> float:
        """How many equally weighted requests would tell as much of what is asked (Kish's effective size)."""
        squares = sum(each.weight**2 for each in self.asked)
        return sum(each.weight for each in self.asked) ** 2 / squares if squares else 0.0


def unknown_stale(live: Live) -> str:
    """Why it cannot be said which cases are stale; "" where it can."""
    if live.known_days < _ENOUGH * live.days:
        return (
            f"traffic of {live.flow} is known for {max(0.0, live.known_days):.1f} days, not for {live.days:g} (--days)"
        )
    if live.effective >= LEAST:
        return ""
    return (
        f"needs {LEAST} requests of {live.flow} of the last {live.days:g} days whose text is kept,"
        f" and there are {len(live.asked)}, which count as {live.effective:.0f}"
    )


def stale(cases: Sequence[Looked], live: Live, when: str, lying: Lying) -> Iterator[Finding]:
    """Cases that nothing like was asked for in the last days.

    Source of the bound: 0 of n requests, by Clopper and Pearson, where n is Kish's effective size of those looked at.
    """
    most = clopper_pearson(0, live.effective).high
    texts = list(dict.fromkeys(each.text for each in live.asked))
    there, seen = set(texts), lying.space.vectors(texts).T
    for start in range(0, len(cases), _BLOCK):
        nearest = (lying.vectors[start : start + _BLOCK] @ seen).max(axis=1)
        for each, best in zip(cases[start : start + _BLOCK], nearest, strict=True):
            if best < lying.space.near and each.query and each.query not in there:
                yield _stale(each, live, float(best), most, when)


def _stale(each: Looked, live: Live, best: float, most: float, when: str) -> Finding:
    guards = each.case.must_pass or each.promoted
    number = len(live.asked)
    return Finding(
        check="stale",
        cases=(each.id,),
        where=(each.where,),
        why=(
            f"none of {number:,} requests of {live.days:g} days is like it (nearest {best:.2f}):"
            f" at most {most:.2%} of {live.flow}"
        ),
        figures=(Figure("share", 0.0, 0.0, round(most, 6), number), Figure("nearest", round(best, 4))),
        do="it guards against a failure: look whether that can still happen" if guards else f"retire {each.id}",
        proposed=()
        if guards
        else (Proposed(each.id, retired=f"stale: nothing like it in {live.days:g} days (audit {when})"),),
        weight=1.0 - best,
    )


def unknown_slices(live: Live) -> str:
    """Why it cannot be said which slices are missing; "" where it can."""
    if not any(each.slice for each in live.parts):
        return f"no request of {live.flow} has a slice (`[project] slice` names the function that tells it)"
    return "" if len(live.parts) >= LEAST else f"needs {LEAST} requests of {live.flow}, and there are {len(live.parts)}"


class SliceMix(Struct, frozen=True):
    """A slice on both sides: its share of live traffic (None where there is none) with a 95 % interval, clustered by
    conversation, from `n` requests, and its cases with their share of all. `gap` says that it is asked, and hardly any
    case stands for it, by the lower end of the interval; `wanted` is how many cases more would make up for that."""

    slice: str
    live: float | None
    low: float | None
    high: float | None
    n: int
    cases: int
    share: float
    wanted: int
    gap: bool


def slice_mix(slices: Sequence[str], live: Live) -> list[SliceMix]:
    """The slices of cases and of live traffic, by name. `slices` has the slice of each case that is in use."""
    total = len(slices)
    weights = [each.share for each in live.parts]
    clusters = [each.session or str(number) for number, each in enumerate(live.parts)]
    found = []
    for name in sorted({each.slice for each in live.parts}.union(slices)):
        asked = [float(each.slice == name) for each in live.parts]
        share = weighted_mean(asked, weights, clusters)
        cases = sum(each == name for each in slices)
        part = cases / total if total else 0.0
        if share.mean is None or share.interval is None:
            found.append(SliceMix(name, None, None, None, 0, cases, part, 0, gap=False))
            continue
        low, high = share.interval.low, share.interval.high
        gap = low >= _SMALLEST and (cases < FEW or part < low / 2)
        wanted = max(0, max(FEW, ceil(share.mean * total)) - cases) if gap else 0
        found.append(SliceMix(name, share.mean, low, high, share.n, cases, part, wanted, gap=gap))
    return found


def missing_slices(slices: Sequence[str], live: Live) -> Iterator[Finding]:
    """Slices that have a share of live traffic and hardly any case. `slices` has the slice of each case in use."""
    total = len(slices)
    for each in slice_mix(slices, live):
        if not each.gap or each.live is None or each.low is None or each.high is None:
            continue
        yield Finding(
            check="missing_slice",
            why=(
                f"{each.slice or '(none)'}: {each.live:.1%} [{each.low:.1%}, {each.high:.1%}] of {live.flow},"
                f" and {each.cases} of {total:,} cases ({each.share:.1%})"
            ),
            figures=(
                Figure("live", round(each.live, 6), round(each.low, 6), round(each.high, 6), each.n),
                Figure("cases", each.cases, n=total),
            ),
            do=f"promote or write {each.wanted} cases of it",
            weight=each.low - each.share,
        )
