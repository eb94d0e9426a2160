"""What a scorer says of a window of a flow, or of a part of it: by weighted means, where they can be had.

A window in which something was capped hard is not estimated: it is incomplete, and says why.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.rates import Rule
from gatewatch.online.monitor import HOUR_S
from gatewatch.stats.intervals import Estimate
from gatewatch.stats.weighting import Cell, spread_by, weighted_mean, weighted_mean_of_cells
from gatewatch.store.base import Store
from gatewatch.store.filling import Backfill
from gatewatch.store.rows import TIER_S, ScoreCell, SignalCell, Tier, Unsettled, Value, Work

T = TypeVar("T", ScoreCell, SignalCell, Unsettled)
P = TypeVar("P", ScoreCell, SignalCell, Unsettled, Value)

By = Literal["slice", "variant", "version"]

EXACT = 2000
"""Up to so many values, an estimate is made from them, which know their sessions; from sums where there are more."""
_LOST_SHARE = 0.05
_LAST = 2**62


class Of(Struct, frozen=True):
    """A part of a flow's traffic: of a slice, a variant, a version; "" is all of them."""

    slice: str = ""
    variant: str = ""
    version: str = ""

    def chosen(self, every: Iterable[P]) -> list[P]:
        """Those that are of the part."""
        return [
            each
            for each in every
            if self.slice in ("", each.slice)
            and self.variant in ("", each.variant)
            and self.version in ("", each.version)
        ]

    def held_by(self, rule: Rule) -> bool:
        """Whether a rule of sampling matches every request of the part."""
        slice_ = "" if rule.slice == self.slice else rule.slice
        variant = "" if rule.variant == self.variant else rule.variant
        return replace(rule, slice=slice_, variant=variant).of_all


class Figure(Struct, frozen=True):
    """What a scorer says of a window. `unknown` are scorer errors; `waiting` is work that is not done; `lost` is work
    that will not be, by state. `incomplete` says why there is no estimate although there are values.
    """

    estimate: Estimate
    unknown: int = 0
    skipped: int = 0
    waiting: int = 0
    lost: Mapping[str, int] = {}
    incomplete: str = ""


class Window(Struct, frozen=True):
    """A scorer's values of a window; where there are too many, `design` is by how much sessions widen the variance."""

    cells: Sequence[ScoreCell]
    values: Sequence[Value]
    design: float | None
    undone: Mapping[float, Sequence[Unsettled]]
    never: Callable[[float, float], bool]
    ahead: Callable[[float, float], bool]
    stopped: frozenset[int]
    since: float
    until: float
    tier: Tier

    def total(self) -> Figure:
        """What the scorer says of the whole window."""
        undone = [each for hour in self.undone.values() for each in hour]
        return self._figure(self.cells, self.values, undone, self.since, self.until)

    def points(self) -> tuple[tuple[float, Figure], ...]:
        """What it says of each bucket."""
        length = TIER_S[self.tier]
        values: dict[float, list[Value]] = {}
        for value in self.values:
            values.setdefault(value.at - value.at % length, []).append(value)
        return tuple(
            (bucket, self._figure(cells, values.get(bucket, []), self._of_hours(bucket), bucket, bucket + length))
            for bucket, cells in by_bucket(self.cells)
        )

    def _of_hours(self, bucket: float) -> list[Unsettled]:
        """What is not done of a bucket; it is known by the hour: a minute shares its hour's."""
        first, hours = bucket - bucket % HOUR_S, max(1, TIER_S[self.tier] // TIER_S["hour"])
        return [each for n in range(hours) for each in self.undone.get(first + n * HOUR_S, ())]

    def _figure(
        self,
        cells: Sequence[ScoreCell],
        values: Sequence[Value],
        undone: Iterable[Unsettled],
        since: float,
        until: float,
    ) -> Figure:
        states: Counter[str] = Counter()
        for each in undone:
            idle = each.state == "waiting" and each.backfill in self.stopped  # nobody works on it
            states["of a stopped back-fill" if idle else each.state] += each.n
        waiting = states.pop("waiting", 0) + states.pop("leased", 0)
        n, unknown = sum(cell.n for cell in cells), sum(cell.unknown for cell in cells)
        lost = dict(states)
        gone = sum(lost.values()) + unknown
        incomplete = "some requests are never sampled (a share of 0)" if self.never(since, until) else ""
        if not incomplete and self.ahead(since, until):
            incomplete = "a back-fill has not come to some requests"
        if gone > _LOST_SHARE * (n + gone):
            said = [f"{number} {state.replace('_', ' ')}" for state, number in sorted(lost.items())]
            incomplete = ", ".join([*said, *([f"{unknown} scorer errors"] if unknown else [])])
        estimate = Estimate(None, n) if incomplete else self._estimate(cells, values)
        return Figure(estimate, unknown, sum(cell.skipped for cell in cells), waiting, lost, incomplete)

    def _estimate(self, cells: Sequence[ScoreCell], values: Sequence[Value]) -> Estimate:
        if self.design is None:
            return weighted_mean(*_columns(values))
        sums = [Cell(cell.pi, cell.n, cell.total, cell.squares) for cell in cells]
        return weighted_mean_of_cells(sums, design=self.design)


class Windows:
    """A scorer of one fingerprint and source over a window, read once; the windows of its parts are made from that."""

    def __init__(
        self,
        store: Store,
        flow: str,
        work: Work | None,
        cells: Sequence[ScoreCell],
        *,
        undone: Iterable[Unsettled],
        backfills: Sequence[Backfill],
        since: float,
        until: float,
        tier: Tier,
    ) -> None:
        key = cells[0].scorer, cells[0].fingerprint
        self._store, self._work, self._cells, self._backfills = store, work, cells, backfills
        self._since, self._until, self._tier = since, until, tier
        self._values = store.values(flow, *key, cells[0].source, since, until, EXACT + 1)
        self._design = None if len(self._values) <= EXACT else spread_by(*_columns(self._values))
        self._undone = [each for each in undone if work is not None and (each.scorer, each.fingerprint) == key]
        self._epochs = store.epochs(work.id, 0, _LAST) if work is not None else []

    def of(self, of: Of, by: By | None = None, name: str = "") -> Window:
        """The window of a part; with `by`, of what is called `name` in it, which may be nothing."""
        cells, values, undone = of.chosen(self._cells), of.chosen(self._values), of.chosen(self._undone)
        if by is not None:
            of = replace(of, **{by: name})
            cells = [each for each in cells if getattr(each, by) == name]
            values = [each for each in values if getattr(each, by) == name]
            undone = [each for each in undone if getattr(each, by) == name]
        return Window(
            cells,
            values,
            design=self._design,
            undone=dict(by_bucket(undone)),
            never=self._never(of),
            ahead=self._ahead(of),
            stopped=frozenset(each.id for each in self._backfills if each.state == "stopped"),
            since=self._since,
            until=self._until,
            tier=self._tier,
        )

    def _never(self, of: Of) -> Callable[[float, float], bool]:
        """What says whether the scorer was never to see some of a window's requests (of a part): by all rules that were
        in force for them, they had a share of 0 unless something was special about them, as their payload's being kept
        is."""
        store, work, epochs = self._store, self._work, self._epochs
        all_ = [each for each in epochs for rule in each.rules if rule.rate > 0 and of.held_by(rule)]
        held = [(e.first, e.last) for e in all_ if any(not rule.stored and of.held_by(rule) for rule in e.rules)]
        reached = [(e.first, e.last) for e in all_]
        bare = _without([(e.first, e.last) for e in epochs], reached)
        stored = _without(reached, held)

        def never(since: float, until: float) -> bool:
            return work is not None and (
                any(store.happened(work, each, since, until) for each in bare)
                or any(store.happened(work, each, since, until, never_kept=True) for each in stored)
            )

        return never

    def _ahead(self, of: Of) -> Callable[[float, float], bool]:
        """What says whether a back-fill has not come yet to some of a window's requests, which nothing else covers:
        what it scored so far is the oldest of them, and no sample of all."""
        store, work = self._store, self._work
        mine = [(e.planned + 1, e.last) for e in self._backfills if work is not None and e.work == work.id]
        epochs = self._epochs if mine else []
        reached = [(e.first, e.last) for e in epochs for rule in e.rules if rule.rate > 0 and of.held_by(rule)]
        left = [each for each in _without(mine, reached) if each[0] <= each[1]]
        return lambda since, until: work is not None and any(store.happened(work, each, since, until) for each in left)


def by_bucket(cells: Iterable[T]) -> list[tuple[float, list[T]]]:
    """Cells by the bucket that they are of, the oldest first."""
    found: dict[float, list[T]] = {}
    for cell in cells:
        found.setdefault(cell.bucket, []).append(cell)
    return sorted(found.items())


def _without(stretches: Iterable[tuple[int, int]], others: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """What is in some stretches of numbers and in none of others."""
    left = list(stretches)
    for first, last in others:
        parts = [[(low, min(high, first - 1)), (max(low, last + 1), high)] for low, high in left]
        left = [part for both in parts for part in both if part[0] <= part[1]]
    return left


def _columns(values: Iterable[Value]) -> tuple[list[float], list[float], list[str]]:
    known = [v for v in values if v.pi > 0]
    return [v.value for v in known], [v.pi for v in known], [v.cluster for v in known]
