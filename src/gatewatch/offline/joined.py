"""The joined diff: two runs row by row, filtered, sorted and cut into windows. Pages, commands and programs read it.

Everything that a filter or an order needs is an array over all rows, made once; a window is answered from them, and
only the rows in it are put into words.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from msgspec import Struct

from gatewatch.core.errors import InputError, Problem, did_you_mean
from gatewatch.offline.accept import Exceptions
from gatewatch.offline.compare import Comparison
from gatewatch.offline.gated import Gated
from gatewatch.offline.heads import Heads, heads_of, placed
from gatewatch.offline.outcomes import CaseOutcome, Outcomes
from gatewatch.offline.searching import Searched

if TYPE_CHECKING:
    from numpy.typing import NDArray

Show = Literal["regressed", "improved", "changed", "errors", "new", "all"]
Sort = Literal["worst", "significance", "cost", "latency", "run"]
Kind = Literal["paired", "changed", "new", "removed"]
State = Literal["loss", "win", "tie", "error", "none", "apart"]
SHOWN: tuple[Show, ...] = get_args(Show)
SORTS: tuple[Sort, ...] = get_args(Sort)
_KINDS: tuple[Kind, ...] = get_args(Kind)
_STATES: tuple[State, ...] = get_args(State)
_LOSS, _WIN, _TIE, _ERROR, _NONE, _APART = range(len(_STATES))
_LOOKS_KEPT = 16


class View(Struct, frozen=True, kw_only=True):
    """Which rows are looked at, and in which order.

    `show` is the filter; `scorer` and `slice` narrow it down where they are given; `search` is text that the id, the
    slice, or the first 1,000 characters of input or of either output have in them, whatever the case of its letters.
    """

    show: Show = "regressed"
    scorer: str = ""
    slice: str = ""
    search: str = ""
    sort: Sort = "worst"


class Cell(Struct, frozen=True, omit_defaults=True):
    """A case under a scorer: means over trials before and after, their difference, and what became of it.

    `state`: loss, win, tie; error (a scorer failed on either side); none (nothing to say on one side or both); apart
    (nothing to compare: the case is new, changed or gone, or the ruler is another). `crossed` says that it fell under
    the pass mark ("broke") or rose over it ("fixed").
    """

    state: State
    before: float | None = None
    after: float | None = None
    delta: float | None = None
    crossed: Literal["", "broke", "fixed"] = ""


class Half(Struct, frozen=True, omit_defaults=True):
    """One side of a row: the beginning of its output, or of what went wrong where it `failed`; cost in US dollars and
    latency in seconds, means over trials."""

    output: str = ""
    failed: bool = False
    cost: float | None = None
    latency_s: float | None = None


class JoinedRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A case on both sides, in short. A side that does not have it is None.

    `kind`: paired, changed (the case itself is another), new or removed. `changed` says that its output is another.
    `accepted` is the reason of an exception, `why` the layer of the gate that blocks because of it.
    """

    id: str
    kind: Kind
    slice: str = ""
    input: str = ""
    baseline: Half | None = None
    candidate: Half | None = None
    changed: bool = False
    scores: dict[str, Cell] = {}
    must_pass: bool = False
    flaky: bool = False
    accepted: str = ""
    why: str = ""


class Joined:
    """Two runs side by side: the verdict, and every row as arrays."""

    def __init__(self, gated: Gated, exceptions: Exceptions | None = None) -> None:
        """Make it of a verdict with its two sides, and of what was accepted."""
        import numpy as np

        self.verdict, self.before, self.after = gated.verdict, gated.before, gated.after
        self.comparison = comparison = Comparison(self.before, self.after)
        self.exceptions = exceptions or Exceptions()
        # Those of the candidate in its order, then those that are gone.
        self.ids = [*self.after.cases, *comparison.removed]
        self.origin = placed(self.before, gated.journal)
        self.heads = heads_of(self.ids, self.before, self.origin), heads_of(self.ids, self.after, self.after)
        self.places = {case: place for place, case in enumerate(self.ids)}
        self._outcomes = [self.after.cases.get(case) or self.before.cases[case] for case in self.ids]
        altered, new = set(comparison.altered), set(comparison.new)
        first_gone = len(self.after.cases)
        self.kinds = np.array(
            [
                3 if place >= first_gone else 2 if case in new else 1 if case in altered else 0
                for place, case in enumerate(self.ids)
            ],
            dtype=np.int8,
        )
        self._paired = (self.kinds == 0).nonzero()[0]
        self.scorers = list(dict.fromkeys([*self.after.scorers, *self.before.scorers]))
        self._looks: dict[tuple[str, ...], NDArray[Any]] = {}
        self._read()
        self._moved = {(row.id, row.scorer): row for row in self.verdict.rows}

    def _read(self) -> None:
        import numpy as np

        count = len(self.ids)
        self.deltas: dict[str, NDArray[Any]] = {}
        self.states: dict[str, NDArray[Any]] = {}
        self.values = {
            name: (_values(self.before, self.ids, name), _values(self.after, self.ids, name)) for name in self.scorers
        }
        for name in self.scorers:
            delta, state = np.zeros(count), np.full(count, _APART, dtype=np.int8)
            if name in self.comparison.scorers:
                pairs = self.comparison.pairs(name)
                state[self._paired] = _NONE
                places = self._paired[pairs.places]
                delta[places] = pairs.differences
                state[places] = np.select([delta[places] < 0, delta[places] > 0], [_LOSS, _WIN], _TIE)
                state[self._paired[pairs.lost_places[pairs.lost_shares >= 1.0]]] = _ERROR
            self.deltas[name], self.states[name] = delta, state
        pairs_of = [(self.before.cases.get(case), self.after.cases.get(case)) for case in self.ids]
        self.faults = {
            name: np.array([_broke(one, name) or _broke(other, name) for one, other in pairs_of], dtype=bool)
            for name in self.scorers
        }
        self.changed = np.array([_differ(*pair) for pair in pairs_of], dtype=bool) & (self.kinds == 0)
        names: dict[str, int] = {}
        self._slice_codes = np.array([names.setdefault(each.slice, len(names)) for each in self._outcomes])
        self.slices = sorted(filter(None, names))
        self._slice_code = names

    # Masks

    def _mask(self, show: Show, scorer: str) -> "NDArray[Any]":
        import numpy as np

        if show == "all":
            return np.ones(len(self.ids), dtype=bool)
        if show in ("changed", "new"):
            return np.array(self.changed if show == "changed" else self.kinds != 0, dtype=bool)
        found: NDArray[Any] = np.zeros(len(self.ids), dtype=bool)
        for name in [scorer] if scorer else self.scorers:
            if show == "errors":
                found |= self.faults[name]
            else:
                found |= self.states[name] == (_LOSS if show == "regressed" else _WIN)
        return found

    def _narrowed(self, view: View) -> "NDArray[Any]":
        import numpy as np

        found = np.ones(len(self.ids), dtype=bool)
        if view.slice:
            found &= self._slice_codes == self._slice_code[view.slice]
        if view.search:
            found &= self._searched.rows(view.search)
        return found

    @cached_property
    def _searched(self) -> Searched:
        before, after = self.heads
        return Searched(
            f"{case}\n{outcome.slice}\n{asked or asked_before}\n{one}\n{other}"
            for case, outcome, asked, asked_before, one, other in zip(
                self.ids, self._outcomes, after.inputs, before.inputs, before.outputs, after.outputs, strict=True
            )
        )

    # Orders

    @cached_property
    def _ranks(self) -> "NDArray[Any]":
        """How grave each row is, by the order in which the verdict has its rows; the lower the graver."""
        import numpy as np

        found = np.full(len(self.ids), len(self.verdict.rows))
        for rank, row in enumerate(self.verdict.rows):
            place = self.places.get(row.id)
            if place is not None and found[place] > rank:
                found[place] = rank
        return found

    def _extent(self, view: View) -> "NDArray[Any]":
        """By how much each row fell, or rose where risen ones are looked at; the further the lower."""
        import numpy as np

        names = [view.scorer] if view.scorer else self.scorers
        rose = view.show == "improved"
        moved = [-self.deltas[name] if rose else self.deltas[name] for name in names]
        return np.min(moved, axis=0) if moved else np.zeros(len(self.ids))

    def _ordered(self, view: View) -> "NDArray[Any]":
        import numpy as np

        if view.sort == "run":
            return np.arange(len(self.ids))
        if view.sort == "significance":
            return np.lexsort((self._extent(view), self._ranks))
        if view.sort == "worst":
            return np.lexsort((self._ranks, self._extent(view)))
        before, after = (getattr(heads, "cost" if view.sort == "cost" else "latency_s") for heads in self.heads)
        more = after - before
        return np.argsort(np.where(np.isnan(more), np.inf, -more), kind="stable")

    # What is told

    def look(self, view: View) -> "NDArray[Any]":
        """The places of the rows that a view shows, in its order.

        Raises:
            InputError: it names a scorer or a slice that there is not.
        """
        self._check(view)
        key = (view.show, view.scorer, view.slice, view.search, view.sort)
        found = self._looks.get(key)
        if found is None:
            mask = self._mask(view.show, view.scorer) & self._narrowed(view)
            ordered = self._ordered(view)
            found = ordered[mask[ordered]]
            if len(self._looks) >= _LOOKS_KEPT:
                self._looks.clear()
            self._looks[key] = found
        return found

    def counts(self, view: View) -> dict[Show, int]:
        """How many rows each filter would show, all else being as in a view."""
        self._check(view)
        narrowed = self._narrowed(view)
        return {show: int((self._mask(show, view.scorer) & narrowed).sum()) for show in SHOWN}

    def rows(self, places: "Sequence[int] | NDArray[Any]") -> list[JoinedRow]:
        """Some rows in words."""
        return [self._row(int(place)) for place in places]

    def _check(self, view: View) -> None:
        for what, name, known in (("scorer", view.scorer, self.scorers), ("slice", view.slice, self.slices)):
            if name and name not in known:
                hint = did_you_mean(name, known) or f"known: {', '.join(known[:20]) or 'none'}"
                raise InputError(Problem(what, f"there is no {what} {name[:100]!r} in these runs", hint))

    def _row(self, place: int) -> JoinedRow:
        case, outcome = self.ids[place], self._outcomes[place]
        kind = _KINDS[self.kinds[place]]
        before, after = self.heads
        moved = [row for name in self.scorers if (row := self._moved.get((case, name))) is not None]
        return JoinedRow(
            id=case,
            kind=kind,
            slice=outcome.slice,
            input=after.inputs[place] or before.inputs[place],
            baseline=None if kind == "new" else _half(before, place),
            candidate=None if kind == "removed" else _half(after, place),
            changed=bool(self.changed[place]),
            scores={name: self._cell(place, name) for name in self.scorers},
            must_pass=outcome.must_pass,
            flaky=any(row.flaky for row in moved),
            accepted=self.accepted(case),
            why=next((row.why for row in moved if row.why), ""),
        )

    def accepted(self, case: str) -> str:
        """Why a case is accepted, under any scorer, or nothing."""
        if not (self.exceptions.entries or self.exceptions.open):
            return ""
        return next(filter(None, (self.exceptions.reason(case, name) for name in self.scorers)), "")

    def _cell(self, place: int, name: str) -> Cell:
        before, after = self.values[name]
        state = _STATES[self.states[name][place]]
        moved = self._moved.get((self.ids[place], name))
        return Cell(
            state,
            _number(before[place]),
            _number(after[place]),
            float(self.deltas[name][place]) if state in ("loss", "win", "tie") else None,
            moved.crossed if moved is not None else "",
        )


def _values(side: Outcomes, cases: Sequence[str], name: str) -> "NDArray[Any]":
    import numpy as np

    outcomes = (side.cases.get(case) for case in cases)
    return np.array([None if each is None else each.value(name) for each in outcomes], dtype=float)


def _broke(outcome: CaseOutcome | None, name: str) -> bool:
    """Whether a trial of a case failed, or its scorer did."""
    if outcome is None:
        return False
    for trial in outcome.trials:
        mark = trial.scores.get(name)
        if mark is not None and mark.status not in ("scored", "skipped"):
            return True
    return False


def _differ(before: CaseOutcome | None, after: CaseOutcome | None) -> bool:
    """Whether the outputs of a case differ, as far as they are known."""
    if before is None or after is None:
        return False
    if len(before.trials) == 1 == len(after.trials):
        digests = before.trials[0].digest, after.trials[0].digest
        return digests[0] != digests[1] and "" not in digests
    one, other = ({trial.digest for trial in side.trials} for side in (before, after))
    return one != other and "" not in one | other


def _half(heads: Heads, place: int) -> Half:
    return Half(
        heads.outputs[place],
        bool(heads.failed[place]),
        _number(heads.cost[place]),
        _number(heads.latency_s[place]),
    )


def _number(value: float) -> float | None:
    return None if value != value else float(value)  # noqa: PLR0124 - NaN is what is not itself
