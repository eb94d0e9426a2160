"""From a group of requests to a failure: how much of the traffic it is, how grave, how it stands to the dataset."""

from collections import Counter
from collections.abc import Iterable, Sequence

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
        severity=round(sum(each.severity for each in found) / len(found), 6),
        novelty=stands.novelty,
        nearest=stands.nearest,
        likeness=stands.likeness,
        first=min(first, there.first) if there else first,
        last=max(last, there.last) if there else last,
        slices=dict(Counter(each.row.slice for each in found).most_common(_MOST_COUNTED)),
        versions=dict(versions.most_common(_MOST_COUNTED)),
        fixed=there.fixed if there else None,
        opened=first,
        updated=last,
    )


def _rows(group: Group, most: int) -> Vectors:
    return group.vectors[[place for place in range(most) if group.folds[place].key]]


def share_of(found: Sequence[Found], sign: str, gathered: Gathered) -> Estimate:
    """The share of a flow's conversations that some requests of a sign stand for, with its 95 % interval.

    Each conversation counts 1 / pi, by the largest pi of its requests, out of all of the window, weighed likewise.
    Those that were looked at and not found weigh evenly what remains. Of what an alert rests on nobody knows how it
    was chosen: it has no share.
    """
    if sign.startswith("alert:") or not gathered.units:
        return Estimate(None, len(found))
    chances: dict[str, float] = {}
    for each in found:
        chances[each.unit] = max(chances.get(each.unit, 0.0), _sign(each, sign).pi)
    cells = [Cell(pi, n, float(n), float(n)) for pi, n in sorted(Counter(chances.values()).items())]
    weight = sum(cell.n / cell.pi for cell in cells)
    scorer = _sign(found[0], sign).scorer if found else ""
    rest = gathered.traffic - weight
    others = min(gathered.looked.get(scorer, gathered.units) - len(chances), int(rest))
    if others > 0:
        cells.append(Cell(others / rest, others, 0.0, 0.0))
    return weighted_rate(cells)


def _sign(found: Found, name: str) -> Sign:
    return next(sign for sign in found.signs if sign.name == name)


def came_back(failure: Failure | None, found: Iterable[Found], markers: Sequence[Marker]) -> list[Found]:
    """In which requests a failure that was fixed is, although they had the fix.

    They began after it was fixed, and are of a version that did not fail before: one that did is only not deployed yet.
    Where requests state no version, those count that began after the first marker somebody set since, if there is one.
    """
    if failure is None or failure.state != "fixed" or failure.fixed is None:
        return []
    deployed = [marker.at for marker in markers if marker.at >= failure.fixed and not marker.seen]
    since = min(deployed, default=failure.fixed)
    return [each for each in found if _had_the_fix(each, failure, since)]


def _had_the_fix(found: Found, failure: Failure, since: float) -> bool:
    if not found.row.version:
        return found.at >= since
    return found.at >= (failure.fixed or 0.0) and found.row.version not in failure.versions


def unfound(failure: Failure, gathered: Gathered) -> Failure:
    """A failure of which no request was found this time."""
    estimate = share_of((), failure.sign, gathered)
    low, high = (estimate.interval.low, estimate.interval.high) if estimate.interval else (None, None)
    return replace(failure, n=0, share=estimate.mean, low=low, high=high)
