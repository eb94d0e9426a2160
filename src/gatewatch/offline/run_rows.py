"""The rows of one run: filtered, sorted and cut into windows, as `offline/joined.py` does it for two."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from msgspec import Struct

from gatewatch.core.errors import InputError, Problem, did_you_mean
from gatewatch.core.score import Status
from gatewatch.offline.heads import heads_of
from gatewatch.offline.outcomes import CaseOutcome, Outcomes
from gatewatch.offline.searching import Searched

if TYPE_CHECKING:
    from numpy.typing import NDArray

Only = Literal["all", "failed", "errors"]
By = Literal["worst", "cost", "latency", "run"]
ONLY: tuple[Only, ...] = get_args(Only)
BY: tuple[By, ...] = get_args(By)
_WELL: tuple[Status, ...] = ("scored", "skipped")


class RunView(Struct, frozen=True, kw_only=True):
    """Which rows of a run are looked at, and in which order.

    `failed` are those with a value under the scorer's pass mark (of scorers without one: with a 0), `errors` those with
    a trial that failed, or a score that did. The rest is as in `joined.View`.
    """

    show: Only = "all"
    scorer: str = ""
    slice: str = ""
    search: str = ""
    sort: By = "worst"


class RunRow(Struct, frozen=True, kw_only=True):
    """A case of a run, in short: values are means over trials, `status` says why there is none."""

    id: str
    slice: str
    input: str
    output: str
    failed: bool
    values: dict[str, float | None]
    status: dict[str, str]
    passed: dict[str, bool | None]
    cost: float | None
    latency_s: float | None
    must_pass: bool
    trials: int


class RunRows:
    """The rows of a run as arrays."""

    def __init__(self, run: Outcomes) -> None:
        import numpy as np

        self.run = run
        self.ids = list(run.cases)
        self._outcomes = list(run.cases.values())
        self._heads = heads_of(self.ids, run, run)
        self.scorers = list(run.scorers)
        self.marks = {name: run.mark(name) for name in self.scorers}
        self.values = {
            name: np.array([each.value(name) for each in self._outcomes], dtype=float) for name in self.scorers
        }
        self._errors = {
            name: np.array([_status(each, name) not in _WELL for each in self._outcomes], dtype=bool)
            for name in self.scorers
        }
        codes: dict[str, int] = {}
        self._slice_codes = np.array([codes.setdefault(each.slice, len(codes)) for each in self._outcomes])
        self._codes = codes
        self.slices = sorted(filter(None, codes))

    def look(self, view: RunView) -> "NDArray[Any]":
        """The places of the rows that a view shows, in its order.

        Raises:
            InputError: it names a scorer or a slice that there is not.
        """
        for what, name, known in (("scorer", view.scorer, self.scorers), ("slice", view.slice, self.slices)):
            if name and name not in known:
                hint = did_you_mean(name, known) or f"known: {', '.join(known[:20]) or 'none'}"
                raise InputError(Problem(what, f"there is no {what} {name[:100]!r} in this run", hint))
        mask: NDArray[Any] = self._mask(view.show, view.scorer) & self._narrowed(view)
        ordered = self._ordered(view)
        found: NDArray[Any] = ordered[mask[ordered]]
        return found

    def counts(self, view: RunView) -> dict[Only, int]:
        """How many rows each filter would show, all else being as in a view."""
        narrowed = self._narrowed(view)
        return {show: int((self._mask(show, view.scorer) & narrowed).sum()) for show in ONLY}

    def rows(self, places: "Sequence[int] | NDArray[Any]") -> list[RunRow]:
        """Some rows in words."""
        return [self._row(int(place)) for place in places]

    def _mask(self, show: Only, scorer: str) -> "NDArray[Any]":
        import numpy as np

        found: NDArray[Any] = np.full(len(self.ids), show == "all")
        for name in [scorer] if scorer else self.scorers:
            if show == "errors":
                found |= self._errors[name]
            elif show == "failed":
                mark = self.marks[name]
                found |= self.values[name] <= 0.0 if mark is None else self.values[name] < mark
        return found

    def _narrowed(self, view: RunView) -> "NDArray[Any]":
        import numpy as np

        found: NDArray[Any] = np.ones(len(self.ids), dtype=bool)
        if view.slice:
            found &= self._slice_codes == self._codes[view.slice]
        if view.search:
            found &= self._searched.rows(view.search)
        return found

    def _ordered(self, view: RunView) -> "NDArray[Any]":
        import numpy as np

        if view.sort == "run" or not self.scorers:
            return np.arange(len(self.ids))
        if view.sort == "worst":
            names = [view.scorer] if view.scorer else self.scorers
            known = np.stack([np.where(np.isnan(self.values[name]), 2.0, self.values[name]) for name in names])
            return np.lexsort((known.sum(axis=0), known.min(axis=0)))
        sizes = self._heads.cost if view.sort == "cost" else self._heads.latency_s
        return np.argsort(np.where(np.isnan(sizes), np.inf, -sizes), kind="stable")

    @cached_property
    def _searched(self) -> Searched:
        heads = self._heads
        return Searched(
            f"{case}\n{outcome.slice}\n{asked}\n{answered}"
            for case, outcome, asked, answered in zip(
                self.ids, self._outcomes, heads.inputs, heads.outputs, strict=True
            )
        )

    def _row(self, place: int) -> RunRow:
        outcome, heads = self._outcomes[place], self._heads
        values = {name: None if (v := float(self.values[name][place])) != v else v for name in self.scorers}
        return RunRow(
            id=self.ids[place],
            slice=outcome.slice,
            input=heads.inputs[place],
            output=heads.outputs[place],
            failed=bool(heads.failed[place]),
            values=values,
            status={name: _status(outcome, name) for name in self.scorers},
            passed={name: _passed(value, self.marks[name]) for name, value in values.items()},
            cost=_number(heads.cost[place]),
            latency_s=_number(heads.latency_s[place]),
            must_pass=outcome.must_pass,
            trials=len(outcome.trials),
        )


def _status(outcome: CaseOutcome, name: str) -> str:
    """What became of a case under a scorer: the first of its trials' that is not "scored"; "not_scored" is to come."""
    marks = [trial.scores.get(name) for trial in outcome.trials]
    states = ["not_scored" if mark is None else mark.status for mark in marks]
    return next((state for state in states if state not in (*_WELL, "not_scored")), states[0] if states else "skipped")


def _passed(value: float | None, mark: float | None) -> bool | None:
    return None if value is None or mark is None else value >= mark


def _number(value: float) -> float | None:
    return None if value != value else float(value)  # noqa: PLR0124 - NaN is what is not itself
