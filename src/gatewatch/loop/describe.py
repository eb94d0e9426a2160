"""From a group of requests to a failure: how much of the traffic it is, how grave, how it stands to the dataset."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from gatewatch.core.failure import Failure
from gatewatch.core.watch import Marker
from gatewatch.loop.gather import Found, Gathered
from gatewatch.loop.golden import Placed
from gatewatch.loop.group import Group
from gatewatch.loop.likeness import normal
from gatewatch.loop.signs import Sign
from gatewatch.loop.space import Vectors
from gatewatch.stats.intervals import Estimate
from gatewatch.stats.weighting import Cell, weighted_rate

_TELL = 5  # the most typical ones, by which a failure is held against the dataset
_MOST_COUNTED = 50
_MOST_DAYS = 90


def described(group: Group, sign: str, name: tuple[str, str], gathered: Gathered, placed: Placed, flow: str) -> Failure:
    """A group as a failure; one that is known keeps its number, its name, and when it was seen first.

    Args:
        group: the group.
        sign: by what its requests were found.
        name: what it is called, and by which model.
        gathered: all that was gathered, of which it is a part.
        placed: the golden dataset.
        flow: the flow.
    """
    found, there = group.found, group.failure
    estimate = share_of(found, sign, gathered)
    typical = group.folds[:_TELL]
    stands = placed.stands([normal(fold.text) for fold in typical if fold.key], _rows(group, len(typical)))
    versions = Counter(each.row.version for each in found)
    if there is not None and there.fixed is not None:  # it is remembered what it failed in before
        versions = Counter({**dict.fromkeys(there.versions, 0), **versions})
    first, last = min(each.at for each in found), max(each.at for each in found)
    return Failure(
        id=there.id if there else 0,
        flow=flow,
        sign=sign,
        name=name[0],
        named_by=name[1],
        state=there.state if there else "new",
        n=len({each.unit for each in found}),
        share=estimate.mean,
        low=estimate.interval.low if estimate.interval else None,
        high=estimate.interval.high if estimate.interval else None,
        severity=round(_severity(found, sign), 6),
        novelty=stands.novelty,
        nearest=stands.nearest,
        likeness=stands.likeness,
        first=min(first, there.first) if there else first,
        last=max(last, there.last) if there else last,
        slices=dict(Counter(each.row.slice for each in found).most_common(_MOST_COUNTED)),
        versions=dict(versions.most_common(_MOST_COUNTED)),
        days=_days(found),
        fixed=there.fixed if there else None,
        rest=group.rest or (there is not None and there.rest),
        opened=first,
        updated=last,
    )


def _days(found: Sequence[Found]) -> dict[str, int]:
    """How many conversations began on each day, the last days that there were any."""
    began: dict[str, float] = {}
    for each in found:
        began[each.unit] = min(each.at, began.get(each.unit, each.at))
    counted = Counter(datetime.fromtimestamp(at, UTC).date().isoformat() for at in began.values())
    return {day: counted[day] for day in sorted(counted)[-_MOST_DAYS:]}


def _rows(group: Group, most: int) -> Vectors:
    return group.vectors[[place for place in range(most) if group.folds[place].key]]


def share_of(found: Sequence[Found], sign: str, gathered: Gathered) -> Estimate:
    """The share of a flow's conversations that some requests of a sign stand for, with its 95 % interval.

    Each conversation counts 1 / pi, by the largest pi of its requests, out of all of the window, weighed likewise.
    Those that were looked at and not found weigh evenly what remains; where there are none, it counts as one that was
    not found. Where nothing was looked at there is no share. Of what an alert rests on nobody knows how it was chosen:
    it has none either.
    """
    kind, _, scorer = sign.partition(":")
    looked = gathered.looked.get(scorer, 0) if kind in ("score", "disagreement") else gathered.units
    if kind == "alert" or not looked:
        return Estimate(None, len(found))
    chances: dict[str, float] = {}
    drawn = set()
    for each in found:
        pi = _sign(each, sign).pi
        chances[each.unit] = max(chances.get(each.unit, 0.0), pi)
        if pi < each.row.share:
            drawn.add(each.unit)
    cells = [Cell(pi, n, float(n), float(n)) for pi, n in sorted(Counter(chances.values()).items())]
    rest = gathered.traffic - sum(cell.n / cell.pi for cell in cells)
    if rest >= 1.0:  # those that people spoke of are not among those that a judge drew
        others = max(1, min(looked - len(drawn), gathered.units - len(chances), int(rest)))
        cells.append(Cell(others / rest, others, 0.0, 0.0))
    return weighted_rate(cells)


def _severity(found: Sequence[Found], sign: str) -> float:
    """The mean severity of what some requests stand for: each counts 1 / pi."""
    weights = [1.0 / _sign(each, sign).pi for each in found]
    return sum(each.severity * weight for each, weight in zip(found, weights, strict=True)) / sum(weights)


def _sign(found: Found, name: str) -> Sign:
    return next(sign for sign in found.signs if sign.name == name)


def came_back(failure: Failure | None, found: Sequence[Found], markers: Sequence[Marker]) -> list[Found]:
    """In which requests a failure that was fixed is, although they had the fix.

    They began after it was fixed, and are of a version that did not fail before, as far as was mined then or is found
    now: one that did is only not deployed yet. Where requests state no version, those count that began after the first
    marker somebody set since, if there is one.
    """
    if failure is None or failure.state != "fixed" or failure.fixed is None:
        return []
    deployed = [marker.at for marker in markers if marker.at >= failure.fixed and not marker.seen]
    since = min(deployed, default=failure.fixed)
    before = {*failure.versions, *(each.row.version for each in found if each.at < failure.fixed)}
    return [
        each
        for each in found
        if each.at >= (failure.fixed if each.row.version else since)
        and not (each.row.version and each.row.version in before)
    ]


def unfound(failure: Failure, gathered: Gathered) -> Failure:
    """A failure of which no request was found this time."""
    estimate = share_of((), failure.sign, gathered)
    low, high = (estimate.interval.low, estimate.interval.high) if estimate.interval else (None, None)
    return replace(failure, n=0, days={}, share=estimate.mean, low=low, high=high)
