"""Two runs of the same cases, side by side: what changed between them, which cases pair, and how each scorer moved.

A comparison says what there is to be seen; what may be concluded from it is the gate's business (`offline/gate.py`).
"""

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.run import ScorerRef
from gatewatch.offline.outcomes import CaseOutcome, Outcomes
from gatewatch.scorers.fingerprint import changed as changed_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_PAIRED = 0.80
"""The share of cases that must pair for two runs to be compared."""
COMMIT = "commit"
RECORDING = "outputs"
DIRTY = "+changes"
_TINY = 1e-12
_SHOWN = 60


class Pairs(Struct, frozen=True, kw_only=True):
    """One scorer over the cases that have a value on both sides.

    `places` are their positions in the comparison's `paired`; `before` and `after` their values in 0..1 (means over
    trials). `lost` counts the pairs that a scorer's error took on either side, `skipped` those that a scorer had
    nothing to say of on one side or both. `mark` is from which value on a trial passes, where values can be called
    that, and `bar` the same for a mean over trials: of trials that are 0 or 1, the larger part has to pass.
    """

    name: str
    places: "NDArray[Any]"
    before: "NDArray[Any]"
    after: "NDArray[Any]"
    lost: int
    skipped: int
    mark: float | None = None
    bar: float | None = None

    @property
    def n(self) -> int:
        """How many pairs there are."""
        return len(self.places)

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

    def at(self, chosen: "NDArray[Any]") -> "Pairs":
        """Some of the pairs, by a mask or by positions."""
        return replace(self, places=self.places[chosen], before=self.before[chosen], after=self.after[chosen])


class Comparison:
    """A baseline and a candidate, paired by case id and case hash."""

    def __init__(self, before: Outcomes, after: Outcomes) -> None:
        self.before = before
        self.after = after
        self.paired: list[str] = []
        self.altered: list[str] = []
        self.new: list[str] = []
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
        self.removed = [] if self.by_choice else sorted(before.cases.keys() - after.cases.keys())
        self._single = all(len(each.trials) == 1 for side in (self._before, self._after) for each in side)
        self.changed = dict(_changes(before, after))
        self.rulers = {name: why for name in after.scorers if (why := _ruler(name, before, after))}

    @property
    def scorers(self) -> list[str]:
        """The scorers of the candidate that measure as the baseline's did."""
        return [name for name in self.after.scorers if name not in self.rulers]

    @property
    def share(self) -> float:
        """The share of the cases that should pair which do.

        Where the candidate ran over fewer cases by choice (a tier, a limit, an early stop) they are its own. Of one and
        the same dataset they are all. Of a dataset that has grown, or of another, they are the baseline's.
        """
        before, after = len(self.before.cases), len(self.after.cases)
        if self.by_choice:
            most = min(before, after)
        elif self.after.dataset.version == self.before.dataset.version:
            most = max(before, after)
        else:
            most = before
        return len(self.paired) / max(1, most)

    @property
    def by_choice(self) -> bool:
        """Whether the candidate ran over a part of its dataset only."""
        chosen = self.after.dataset
        return bool(chosen.limit or chosen.tier or self.after.stopped)

    @cached_property
    def identical(self) -> bool:
        """Whether every paired case has the same output, byte for byte, on both sides."""
        return bool(self.paired) and all(map(_same_outputs, self._before, self._after))

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

    def pairs(self, name: str) -> Pairs:
        """The pairs of one scorer."""
        import numpy as np

        before, after = (_values(side, name, self._single) for side in (self._before, self._after))
        missing = np.isnan(before) | np.isnan(after)
        lost = sum(self._before[place].lost(name) or self._after[place].lost(name) for place in missing.nonzero()[0])
        found = Pairs(
            name=name,
            places=(~missing).nonzero()[0],
            before=before[~missing],
            after=after[~missing],
            lost=lost,
            skipped=int(missing.sum()) - lost,
        )
        mark = self.after.scorers[name].pass_at
        if mark is None and found.n and self._passes_or_fails(found):
            return replace(found, mark=1.0, bar=0.5)
        return replace(found, mark=mark, bar=mark)

    def _passes_or_fails(self, pairs: Pairs) -> bool:
        """Whether every trial of every pair is 0 or 1."""
        if self._single:
            return pairs.binary
        sides = (side[place] for side in (self._before, self._after) for place in pairs.places)
        return all(value in (0.0, 1.0) for outcome in sides for value in outcome.values(pairs.name))

    def without(self, pairs: Pairs, cases: Collection[str]) -> Pairs:
        """Pairs without those of some cases."""
        import numpy as np

        if not cases:
            return pairs
        return pairs.at(np.array([self.paired[place] not in cases for place in pairs.places], dtype=bool))

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
        mine = codes[pairs.places]
        parts = {name: pairs.at(mine == code) for code, name in enumerate(names) if name}
        return {name: parts[name] for name in sorted(parts) if parts[name].n}


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
    one, other = [trial.digest for trial in before.trials], [trial.digest for trial in after.trials]
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


def causes(comparison: Comparison) -> list[str]:
    """The names of what may have made the difference: the components that changed.

    The commit is none of them where a component that it holds is known to have changed; of the dataset only cases that
    stayed as they were are compared, and what was scored by another ruler is not compared at all.
    """
    found = [name for name in comparison.changed if name != "dataset" and not name.startswith("scorer ")]
    stated = comparison.before.versions
    if stated and stated == comparison.after.versions:  # another recording of what says itself that it is the same
        found = [name for name in found if name != RECORDING]
    inner = [name for name in found if name != COMMIT]
    return inner or found


def attribution(comparison: Comparison) -> str:
    """What the difference may be put down to, in a sentence."""
    found = causes(comparison)
    scorers = [name.removeprefix("scorer ") for name in comparison.changed if name.startswith("scorer ")]
    if not found and scorers:
        return f"No component that is recorded changed; scorers did: {', '.join(scorers)}."
    if not found:
        return "Nothing that is recorded changed: what differs is noise, or comes from what is not recorded."
    if len(found) == 1:
        name = found[0]
        one, other = comparison.changed[name]
        said = f"{name}: {_brief(one)} → {_brief(other)}"
        if name == COMMIT:
            return f"The code changed ({said}), and no component that is recorded apart did."
        return f"One component changed: {said}."
    names = f"{', '.join(found[:-1])} and {found[-1]}"
    return f"{len(found)} components changed ({names}): the difference cannot be put down to one of them."


def _brief(text: str) -> str:
    shown = text or "(none)"
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"


def remarks(comparison: Comparison) -> list[str]:
    """What else a reader should know before trusting the comparison."""
    before, after = comparison.before, comparison.after
    found = []
    if before.dataset.version != after.dataset.version and not comparison.why_not():
        counts = [
            f"{len(cases)} {word}"
            for cases, word in (
                (comparison.new, "new"),
                (comparison.altered, "changed"),
                (comparison.removed, "gone"),
            )
            if cases
        ]
        what = ", ".join(counts) if counts else "other than in its cases"
        older = "The baseline is older than the dataset" if before.pinned else "The two ran over different datasets"
        found.append(f"{older} ({what}): the {len(comparison.paired)} cases that are the same in both are compared.")
    if before.components.get(COMMIT, "").endswith(DIRTY):
        found.append("The baseline was made from a tree with uncommitted changes: its commit does not tell what it is.")
    gone = [case for case in comparison.removed if before.cases[case].must_pass]
    if gone:
        found.append(f"Must-pass cases of the baseline are gone: {', '.join(gone[:10])}{' ...' if gone[10:] else ''}.")
    if after.components.get(COMMIT, "").endswith(DIRTY):
        found.append("The candidate was made from a tree with uncommitted changes.")
    return found


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
    if all(models) and models[0] != models[1]:
        return f"another ruler: judged by {_listed(models[0])} → {_listed(models[1])}"
    return ""
