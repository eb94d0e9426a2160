"""Two runs of the same cases, side by side: what changed between them, which cases pair, and how each scorer moved.

A comparison says what there is to be seen; what may be concluded from it is the gate's business (`offline/gate.py`).
"""

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from itertools import compress
from math import ceil
from operator import attrgetter, ne
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.run import ScorerRef
from gatewatch.core.score import same_models
from gatewatch.offline.outcomes import CaseOutcome, Outcomes
from gatewatch.scorers.fingerprint import changed as changed_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_PAIRED = 0.80
"""The share of cases that must pair for two runs to be compared."""
COMMIT = "commit"
RECORDING = "outputs"
DIRTY = "+changes"
_trials = attrgetter("trials")
_TINY = 1e-12
_MORE_THAN_HALF = 0.5 + _TINY


class Pairs(Struct, frozen=True, kw_only=True):
    """One scorer over the cases that have a value on both sides.

    `places` are their positions in the comparison's `paired`; `before` and `after` their values in 0..1 (means over
    trials). Of the pairs that a scorer's errors took, whole or in part, `lost_places` are the positions and
    `lost_shares` the shares, in 0..1. `skipped_places` are those that it had nothing to say of on one side or both;
    `dropped_places` those that the baseline has a value of and the candidate, in a share of its trials, has not.
    `mark` is from which value on a trial passes, where values can be called that, and `bar` the same for a mean over
    trials: of trials that are 0 or 1, more than half have to pass. `step` is by how much one of the candidate's trials
    moves a case's mean then, if there are several.
    """

    name: str
    places: "NDArray[Any]"
    before: "NDArray[Any]"
    after: "NDArray[Any]"
    lost_places: "NDArray[Any]"
    lost_shares: "NDArray[Any]"
    skipped_places: "NDArray[Any]"
    dropped_places: "NDArray[Any]"
    dropped_shares: "NDArray[Any]"
    mark: float | None = None
    bar: float | None = None
    step: float | None = None

    @property
    def n(self) -> int:
        """How many pairs there are."""
        return len(self.places)

    @property
    def skipped(self) -> int:
        """How many pairs a scorer had nothing to say of."""
        return len(self.skipped_places)

    @property
    def lost(self) -> int:
        """How many pairs scorer errors took, those that they took a part of counted by that, rounded up."""
        return ceil(float(self.lost_shares.sum()) - _TINY)

    @property
    def dropped(self) -> int:
        """How many pairs of the baseline a scorer has nothing to say of any more, those in part counted by that."""
        return ceil(float(self.dropped_shares.sum()) - _TINY)

    @property
    def lost_share(self) -> float:
        """The share of all pairs that scorer errors took, in 0..1."""
        whole = int((self.lost_shares >= 1.0).sum())
        return float(self.lost_shares.sum()) / max(1, self.n + whole)

    @property
    def differences(self) -> "NDArray[Any]":
        """Candidate less baseline, by case, with what is the arithmetic's alone taken for 0."""
        import numpy as np

        found = self.after - self.before
        return np.where(np.abs(found) <= _TINY, 0.0, found)

    @property
    def binary(self) -> bool:
        """Whether every value is 0 or 1."""
        return all(bool(((side == 0.0) | (side == 1.0)).all()) for side in (self.before, self.after))

    def where(self, keep: "NDArray[Any]") -> "Pairs":
        """The part of it for which a mask over the comparison's `paired` holds."""
        mine, lost = keep[self.places], keep[self.lost_places]
        return replace(
            self,
            places=self.places[mine],
            before=self.before[mine],
            after=self.after[mine],
            lost_places=self.lost_places[lost],
            lost_shares=self.lost_shares[lost],
            skipped_places=self.skipped_places[keep[self.skipped_places]],
            dropped_places=self.dropped_places[keep[self.dropped_places]],
            dropped_shares=self.dropped_shares[keep[self.dropped_places]],
        )


class Comparison:
    """A baseline and a candidate, paired by case id and case hash."""

    def __init__(self, before: Outcomes, after: Outcomes) -> None:
        self.before = before
        self.after = after
        self.paired: list[str] = []
        self.altered: list[str] = []
        self.new: list[str] = []
        self._pairs: dict[str, Pairs] = {}
        self._before: list[CaseOutcome] = []
        self._after: list[CaseOutcome] = []
        # In the order of the run: a hundred thousand look-ups in any other would take most of a gate's time.
        for case, outcome in after.cases.items():
            other = before.cases.get(case)
            if other is None:
                self.new.append(case)
            elif other.hash != outcome.hash:
                self.altered.append(case)
            else:
                self.paired.append(case)
                self._before.append(other)
                self._after.append(outcome)
        self.new.sort()
        self.altered.sort()
        partial = self.by_choice or not (after.planned or after.complete)
        self.removed = [] if partial else sorted(before.cases.keys() - after.cases.keys())
        self._single = all(len(each) == 1 for side in (self._before, self._after) for each in map(_trials, side))
        self.changed = dict(_changes(before, after))
        self.rulers = {name: why for name in after.scorers if (why := _ruler(name, before, after))}

    @property
    def scorers(self) -> list[str]:
        """The scorers of the candidate that measure as the baseline's did."""
        return [name for name in self.after.scorers if name not in self.rulers]

    @property
    def share(self) -> float:
        """The share of the cases that should pair which do.

        Where the candidate ran over fewer cases by choice (another tier, an early stop) they are its own. Of one and
        the same dataset, and where the baseline is a limited run, they are all. Of a dataset that has grown, or of
        another, they are the baseline's.
        """
        before, after = len(self.before.cases), len(self.after.cases)
        if self.by_choice:
            most = min(before, after)
        elif self.before.dataset.limit or self.after.dataset.version == self.before.dataset.version:
            most = max(before, after)
        else:
            most = before
        return len(self.paired) / max(1, most)

    @property
    def by_choice(self) -> bool:
        """Whether the candidate ran over fewer cases than the baseline, by choice: another tier, or an early stop."""
        tier = self.after.dataset.tier
        return bool(self.after.stopped) or (bool(tier) and tier != self.before.dataset.tier)

    @cached_property
    def identical(self) -> bool:
        """Whether the run is whole, and every paired case has the same output, byte for byte, on both sides."""
        return not self.after.stopped and bool(self.paired) and all(map(_same_outputs, self._before, self._after))

    def why_not(self) -> list[str]:
        """Why the two cannot be compared at all, if they cannot."""
        found = []
        if not self.after.cases:
            found.append("the candidate has no rows")
        if not self.before.cases:
            found.append("the baseline has no rows")
        if found:
            return found
        if self.share < LEAST_PAIRED:
            sides = f"{len(self.before.cases)} in the baseline and {len(self.after.cases)} in the candidate"
            found.append(
                f"another dataset: only {len(self.paired)} cases are the same on both sides, of {sides} "
                f"(at least {LEAST_PAIRED:.0%} must be)"
            )
        if not any(name in self.before.scorers for name in self.after.scorers):
            found.append("the two have no scorer in common")
        return found

    def differing(self, field: str) -> list[str]:
        """The paired cases of which a field of the outcome is not the same on both sides."""
        get = attrgetter(field)
        return list(compress(self.paired, map(ne, map(get, self._before), map(get, self._after))))

    def pairs(self, name: str) -> Pairs:
        """The pairs of one scorer."""
        if name not in self._pairs:
            self._pairs[name] = self._made(name)
        return self._pairs[name]

    def _made(self, name: str) -> Pairs:
        import numpy as np

        sides = self._before, self._after
        before, after = (_values(side, name, self._single) for side in sides)
        missing = np.isnan(before) | np.isnan(after)
        lost = np.zeros(len(missing))
        dropped = np.zeros(len(missing))
        for place in missing.nonzero()[0] if self._single else range(len(missing)):
            lost[place] = max(side[place].lost(name) for side in sides)
            dropped[place] = self._after[place].skipped(name)
        lost[missing & (lost > 0.0)] = 1.0
        dropped[np.isnan(before) | (lost >= 1.0)] = 0.0
        found = Pairs(
            name=name,
            places=(~missing).nonzero()[0],
            before=before[~missing],
            after=after[~missing],
            lost_places=lost.nonzero()[0],
            lost_shares=lost[lost.nonzero()[0]],
            skipped_places=(missing & (lost == 0.0)).nonzero()[0],
            dropped_places=dropped.nonzero()[0],
            dropped_shares=dropped[dropped.nonzero()[0]],
        )
        mark = self.after.scorers[name].pass_at
        if found.n and self._passes_or_fails(found):
            step = None if self._single else self._step(found)
            return replace(found, mark=1.0 if mark is None else mark, bar=_MORE_THAN_HALF, step=step)
        return replace(found, mark=mark, bar=mark)

    def _passes_or_fails(self, pairs: Pairs) -> bool:
        """Whether every trial of every pair is 0 or 1."""
        if self._single:
            return pairs.binary
        sides = (side[place] for side in (self._before, self._after) for place in pairs.places)
        return all(value in (0.0, 1.0) for outcome in sides for value in outcome.values(pairs.name))

    def _step(self, pairs: Pairs) -> float:
        """By how much one trial of the candidate moves a case's mean; 1 where no two trials of a case ever differed."""
        values = [self._after[place].values(pairs.name) for place in pairs.places]
        before = (self._before[place].values(pairs.name) for place in pairs.places)
        differ = any(len(set(each)) > 1 for side in (values, before) for each in side)
        return 1.0 / min(map(len, values)) if differ else 1.0

    def nothing(self, pairs: Pairs) -> Pairs:
        """None of some pairs."""
        import numpy as np

        return pairs.where(np.zeros(len(self.paired), dtype=bool))

    def without(self, pairs: Pairs, cases: Collection[str]) -> Pairs:
        """Pairs without those of some cases."""
        import numpy as np

        if not cases:
            return pairs
        return pairs.where(np.array([case not in cases for case in self.paired], dtype=bool))

    @cached_property
    def _clusters(self) -> "NDArray[Any] | None":
        import numpy as np

        if not any(outcome.cluster for outcome in self._after):
            return None
        codes: dict[str, int] = {}
        names = (outcome.cluster or f"\0{case}" for outcome, case in zip(self._after, self.paired, strict=True))
        return np.array([codes.setdefault(name, len(codes)) for name in names])

    def clusters(self, pairs: Pairs) -> "NDArray[Any] | None":
        """The cluster of each pair as a number, or None where no two of them share one."""
        import numpy as np

        if self._clusters is None:
            return None
        found: NDArray[Any] = self._clusters[pairs.places]
        return found if len(np.unique(found)) < len(found) else None

    @cached_property
    def _slices(self) -> "tuple[list[str], NDArray[Any]]":
        import numpy as np

        codes: dict[str, int] = {}
        found = [codes.setdefault(outcome.slice, len(codes)) for outcome in self._after]
        return list(codes), np.array(found)

    def slices(self, pairs: Pairs) -> dict[str, Pairs]:
        """The pairs of each slice, by its name; none where there are fewer than two slices."""
        names, codes = self._slices
        if len(names) < 2:
            return {}
        parts = {name: pairs.where(codes == code) for code, name in enumerate(names) if name}
        return {name: parts[name] for name in sorted(parts) if parts[name].n or parts[name].lost}


def _values(outcomes: Sequence[CaseOutcome], name: str, single: bool) -> "NDArray[Any]":
    """The values of many cases under one scorer, NaN for none; `single` says that each has one trial."""
    import numpy as np

    if single:
        marks = [outcome.trials[0].scores.get(name) for outcome in outcomes]
        return np.array([None if mark is None else mark.value for mark in marks], dtype=float)
    return np.array([outcome.value(name) for outcome in outcomes], dtype=float)


def _same_outputs(before: CaseOutcome, after: CaseOutcome) -> bool:
    if len(before.trials) == 1 == len(after.trials):
        return before.trials[0].digest == after.trials[0].digest != ""
    one, other = (sorted(trial.digest for trial in side.trials) for side in (before, after))
    return one == other if len({*one, *other}) > 1 else bool(one and other and one[0])


# What changed


def _changes(before: Outcomes, after: Outcomes) -> Iterator[tuple[str, tuple[str, str]]]:
    """What differs between two runs, by name: components first, then what the application stated of itself."""
    for name in _names(before.components, after.components):
        pair = before.components.get(name, ""), after.components.get(name, "")
        if pair[0] != pair[1]:
            yield name, pair
    for name in _names(before.versions, after.versions):
        one, other = before.versions.get(name, set()), after.versions.get(name, set())
        if one and other and one != other:
            stated = f"{name} (as stated with the answers)" if name in after.components else name
            yield stated, (_listed(one), _listed(other))
    if before.dataset.version != after.dataset.version:
        yield "dataset", (before.dataset.version, after.dataset.version)
    for name in _names(before.scorers, after.scorers):
        one_ref, other_ref = before.scorers.get(name), after.scorers.get(name)
        if (one_ref and one_ref.fingerprint) != (other_ref and other_ref.fingerprint):
            yield f"scorer {name}", (_fingerprint(one_ref), _fingerprint(other_ref))


def _names(one: Any, other: Any) -> list[str]:
    return list(dict.fromkeys([*one, *other]))


def _listed(found: set[str]) -> str:
    return ", ".join(sorted(found)[:5]) + (", ..." if len(found) > 5 else "")


def _fingerprint(ref: ScorerRef | None) -> str:
    return "" if ref is None else ref.fingerprint


# Rulers


def _ruler(name: str, before: Outcomes, after: Outcomes) -> str:
    """Why a scorer of the candidate does not measure what the baseline's of that name did, or nothing."""
    one, other = before.scorers.get(name), after.scorers[name]
    if one is None:
        return "the baseline has no such scorer"
    if one.fingerprint != other.fingerprint:
        parts = ", ".join(changed_parts(one.parts, other.parts)) or "version"
        return f"another ruler: {parts} changed ({one.fingerprint} → {other.fingerprint})"
    models = before.judges.get(name, set()), after.judges.get(name, set())
    if not same_models(*models):
        return f"another ruler: judged by {_listed(models[0])} → {_listed(models[1])}"
    return ""
