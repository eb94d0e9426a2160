"""Which scorer of a flow is shown where none is asked for: the one that there is something to be seen of."""

from collections.abc import Collection, Iterable, Sequence
from math import sqrt

from msgspec import Struct

from gatewatch.core.score import Source
from gatewatch.core.watch import Alert, Severity
from gatewatch.store.base import Store
from gatewatch.store.rows import ScoreCell

_MOST_ALERTS = 200
_GRAVE: dict[Severity, int] = {"page": 0, "ticket": 1, "info": 2}
_LATELY = 1 / 3
_SURELY = 4.0


class Ruler(Struct, frozen=True, order=True):
    """A scorer of one fingerprint and source that said something in the window, and how many values."""

    scorer: str
    fingerprint: str
    source: Source
    n: int = 0


def told_of(store: Store, flow: str = "") -> tuple[Alert, ...]:
    """Alerts that are not resolved and that somebody was told of, but for those that are snoozed."""
    found = store.alerts(flow=flow, most=_MOST_ALERTS)
    return tuple(each for each in found if not each.quiet and each.state in ("open", "acknowledged"))


def shown(
    rulers: Sequence[Ruler], alerts: Iterable[Alert], held: Collection[str], cells: Sequence[ScoreCell]
) -> Ruler | None:
    """The scorer of the gravest alert; without one the scorer that surely moved, and most, in the last third of the
    window; else the first that a baseline may be laid beside, or the first at all.

    Args:
        rulers: the scorers there are.
        alerts: what somebody was told of and is not resolved.
        held: the names of scorers that have a baseline.
        cells: what they said in the window.
    """
    by_name = {each.scorer: each for each in reversed(rulers)}
    for alert in sorted(alerts, key=lambda each: (_GRAVE[each.severity], each.state != "open", -each.opened)):
        if alert.name in by_name:
            return by_name[alert.name]
    first, last = min((each.bucket for each in cells), default=0.0), max((each.bucket for each in cells), default=0.0)
    moved = {each: _moved(each, cells, last - _LATELY * (last - first)) for each in rulers}
    most = max(rulers, key=lambda each: moved[each], default=None)
    if most is not None and moved[most] >= _SURELY:
        return most
    return next((each for each in rulers if each.scorer in held), rulers[0] if rulers else None)


def _moved(ruler: Ruler, cells: Iterable[ScoreCell], at: float) -> float:
    """How far apart its values since a time are from those before, in standard errors; 0 where either are too few."""
    sums = {False: [0.0, 0.0, 0.0], True: [0.0, 0.0, 0.0]}
    for cell in cells:
        if (cell.scorer, cell.fingerprint, cell.source) == (ruler.scorer, ruler.fingerprint, ruler.source):
            found = sums[cell.bucket > at]
            found[0] += cell.n
            found[1] += cell.total
            found[2] += cell.squares
    if min(found[0] for found in sums.values()) < 20:
        return 0.0
    means = [total / n for n, total, _ in sums.values()]
    spread = sum(max(0.0, squares / n - (total / n) ** 2) / n for n, total, squares in sums.values())
    return abs(means[0] - means[1]) / sqrt(spread) if spread > 0 else 0.0
