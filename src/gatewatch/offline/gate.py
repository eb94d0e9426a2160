"""The gate: did it get worse? Four layers, each with an error rate that is stated and kept.

    A  contract   a must-pass case that fails three times of three blocks: policy, no statistics
    B  flips      more cases than chance allows fell below their pass mark and stayed there when tried again
    C  mean       the mean fell: one-sided sign-flip test over paired cases
    D  verdict    REGRESSED if A, B or C; PASS if the 95 % lower bound of the change is above -max_drop; else UNDECIDED

B and C share the error rate `alpha`; several gating scorers (and slices) share it by Holm's method. What each layer is
blind to, and what the rates are by simulation: docs/design/gate.md.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.money import Cost
from gatewatch.offline.accept import Exceptions
from gatewatch.offline.bounds import ceilings, floors
from gatewatch.offline.compare import Comparison, Pairs, attribution, remarks
from gatewatch.offline.figures import figures
from gatewatch.offline.flips import LEAST_HISTORY, TRIES, Again, Eligible, Tries, eligible, flips, to_try
from gatewatch.offline.rows import moved_rows
from gatewatch.offline.sides import side
from gatewatch.offline.stopping import Look
from gatewatch.offline.verdict import Figures, Flips, Layer, RowDiff, Verdict, Word
from gatewatch.stats.multiple import benjamini_hochberg, holm

LOST_SHARE = 0.05
"""The share of pairs lost to scorer errors above which a scorer is given no verdict."""


class Rule(Struct, frozen=True, kw_only=True):
    """By what rule a gate decides.

    `primary` are the scorers that gate (all of the suite when empty); `slices` those slices in which they gate as well.
    `alpha` is the rate of false blocks. `max_drop`, in 0..1, is the fall that must be ruled out for a pass; a fall of the mean that is smaller than
    `min_effect` does not block, however sure. `floors` are lowest means by scorer; `max_cost` is in US dollars a case, `max_latency` in seconds (95th percentile).
    """

    primary: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    alpha: float = 0.05
    max_drop: float = 0.05
    min_effect: float = 0.0
    floors: dict[str, float] = {}
    max_cost: float | None = None
    max_latency: float | None = None
    undecided: Literal["warn", "fail", "spend"] = "warn"
    seed: int = 0


def decide(
    comparison: Comparison,
    rule: Rule,
    *,
    again: Again | None = None,
    why_not_again: str = "",
    exceptions: Exceptions | None = None,
    look: Look | None = None,
) -> Verdict:
    """Judge a candidate by a rule.

    Args:
        comparison: the baseline and the candidate.
        rule: by what to judge.
        again: runs cases of the candidate again; without it, cases are judged by the trials that there are.
        why_not_again: why there is no `again`, for the report.
        exceptions: what was accepted.
        look: where the data stand, when they are looked at several times: then the mean layer may not use all of its error
            rate at once.
    """
    return _Gate(comparison, rule, again, why_not_again, exceptions or Exceptions(), look).verdict()


class _Gate:
    def __init__(
        self,
        comparison: Comparison,
        rule: Rule,
        again: Again | None,
        why_not_again: str,
        exceptions: Exceptions,
        look: Look | None,
    ) -> None:
        self.comparison = comparison
        self.rule = rule
        self.again = again
        self.why_not_again = why_not_again
        self.exceptions = exceptions
        self.look = look
        self.tries = Tries(comparison.after)
        self.notes: list[str] = remarks(comparison)
        self.reruns = 0
        self.rerun_cost = Cost()
        self.why: dict[tuple[str, str], str] = {}
        self.marks: dict[str, float] = {}

    def verdict(self) -> Verdict:
        comparison, rule = self.comparison, self.rule
        shell = Verdict(
            verdict="NOT_COMPARABLE",
            reasons=(),
            rule="",
            suite=comparison.after.suite or comparison.before.suite,
            baseline=side(comparison.before),
            candidate=side(comparison.after),
            changed=comparison.changed,
            attribution=attribution(comparison),
            new=tuple(comparison.new),
            removed=tuple(comparison.removed),
            altered=tuple(comparison.altered),
            paired=len(comparison.paired),
            undecided=rule.undecided,
            max_drop=rule.max_drop,
        )
        reasons = comparison.why_not()
        gating = self._gating(reasons)
        if reasons:
            return replace(shell, reasons=tuple(reasons), rule=self._rule(gating, {}), remarks=tuple(self.notes))
        return self._judged(shell, gating)

    def _gating(self, reasons: list[str]) -> list[str]:
        """The scorers that gate; what stands in the way of comparing them is added to `reasons`."""
        comparison = self.comparison
        names = self.rule.primary or tuple(comparison.after.scorers)
        found = []
        for name in names:
            why = comparison.rulers.get(name)
            if name not in comparison.after.scorers:
                reasons.append(f"{name}: the candidate was not scored by it")
            elif why is None:
                if self.exceptions.of_scorer(name) is None:
                    found.append(name)
            elif name not in comparison.before.scorers and not self.rule.primary:
                self.notes.append(f"{name} is not in the baseline: it gates from the next baseline on.")
            else:
                reasons.append(f"{name}: {why}")
        for name in comparison.before.scorers:
            if name not in comparison.after.scorers and name not in names:
                self.notes.append(f"{name} is in the baseline, and the candidate was not scored by it.")
        return found

    def _judged(self, shell: Verdict, gating: list[str]) -> Verdict:
        comparison, rule = self.comparison, self.rule
        every = {name: comparison.pairs(name) for name in comparison.scorers}
        pairs = {name: comparison.without(each, self.exceptions.under(name)) for name, each in every.items()}
        self.marks = self._marks(every)
        found = {name: self._eligible(pairs[name]) for name in gating}
        self._try_again({name: pairs[name] for name in gating}, found)
        contract = self._contract()
        flip = {
            name: flips(self.tries, found[name], name, pairs[name].mark or 0.0, rule.alpha / 2)
            for name in gating
            if found[name].chances
        }
        cells = self._cells(pairs, gating, flip)
        scorers = {name: cells[name, ""] for name in pairs}
        slices: dict[str, dict[str, Figures]] = {}
        for (name, part), each in cells.items():
            if part:
                slices.setdefault(part, {})[name] = each
        floor = floors(comparison, rule.floors)
        limits = ceilings(comparison.after, rule.max_cost, rule.max_latency)
        blocks = [
            *self.exceptions.expired_reasons(),
            *contract,
            *(reason for each in cells.values() if each.verdict == "REGRESSED" for reason in each.reasons),
            *floor.blocks,
            *(each.said for each in limits if each.blocks),
        ]
        self.notes += floor.notes
        self.notes += self._unpaired()
        open_limits = [each.said for each in limits if each.value is None]
        word, reasons = self._word(blocks, cells, gating, open_limits)
        refused = word == "UNDECIDED" and any(_refused(cells[name, ""]) for name in gating)
        rows = moved_rows(comparison, every, self.tries, self.exceptions, self.why)
        self.notes += _churn(scorers, rows)
        return replace(
            shell,
            verdict=word,
            reasons=tuple(reasons),
            rule=self._rule(gating, flip),
            remarks=tuple(self.notes),
            layers=self._layers(contract, flip, cells, gating),
            scorers=scorers,
            slices=slices,
            explore=_explore(cells, gating),
            rows=tuple(rows),
            ceilings=tuple(limits),
            accepted=self.exceptions.used(rows),
            reruns=self.reruns,
            rerun_cost=self.rerun_cost if self.reruns else None,
            identical=comparison.identical,
            refused=refused,
        )

    # Layers A and B

    def _eligible(self, pairs: Pairs) -> Eligible:
        if pairs.mark is None:
            return Eligible({})
        cases = [self.comparison.paired[place] for place in pairs.places]
        found = eligible(self.comparison.before, cases, pairs.name, pairs.mark)
        if self.again is None and not self._has_tries(found.chances):
            return Eligible({})
        return found

    def _has_tries(self, cases: Iterable[str]) -> bool:
        """Whether the candidate's own trials are as many as the layer wants."""
        trials = [len(self.comparison.after.cases[case].trials) for case in cases]
        return bool(trials) and min(trials) >= TRIES

    def _try_again(self, pairs: dict[str, Pairs], found: dict[str, Eligible]) -> None:
        """Try again what fell, and what must pass and did not; once more what failed again."""
        for _ in range(TRIES - 1):
            wanted: set[str] = set()
            for name, each in pairs.items():
                if each.mark is not None:
                    wanted |= to_try(self.tries, found[name].chances, name, each.mark)
            for name, mark in self.marks.items():
                wanted |= to_try(self.tries, self._must_pass(name), name, mark)
            if self.again is None or not wanted:
                return
            more = self.again(sorted(wanted), 1)
            self.tries.add(more)
            self.reruns += more.rows
            self.rerun_cost += more.task_cost + more.judge_cost

    def _must_pass(self, scorer: str) -> list[str]:
        """The cases that must pass under a scorer, but for what was accepted."""
        excepted = self.exceptions.under(scorer)
        cases = self.comparison.after.cases
        return sorted(case for case, outcome in cases.items() if outcome.must_pass and case not in excepted)

    def _marks(self, pairs: dict[str, Pairs]) -> dict[str, float]:
        """The pass mark of every scorer of the candidate that can call a value passed or failed, but for those excepted."""
        cases = self.comparison.after.cases.values()
        found: dict[str, float] = {}
        for name, ref in self.comparison.after.scorers.items():
            known = pairs[name].mark if name in pairs and pairs[name].n else ref.pass_at
            if known is None and not (name in pairs and pairs[name].n):
                values = [value for each in cases if each.must_pass for value in each.values(name)]
                known = 1.0 if values and all(value in (0.0, 1.0) for value in values) else None
            if known is not None and self.exceptions.of_scorer(name) is None:
                found[name] = known
        return found

    def _contract(self) -> list[str]:
        """Why the contract layer blocks: each must-pass case that failed whenever it was tried."""
        failed: dict[str, list[str]] = {}
        for name, mark in self.marks.items():
            for case in self._must_pass(name):
                times = self.tries.failing(case, name, mark)
                if times == TRIES or (times and self.again is None):
                    failed.setdefault(case, []).append(name)
                    self.why[case, name] = "A"
        tried = "three times of three" if self.again is not None else "in every trial that there is"
        return [f"must-pass case {case} failed {tried} ({', '.join(names)})" for case, names in sorted(failed.items())]

    # Layer C, and what each cell comes to

    def _cells(
        self, pairs: dict[str, Pairs], gating: list[str], flip: dict[str, Flips]
    ) -> dict[tuple[str, str], Figures]:
        """The figures of every scorer, over all cases and by slice, each with its verdict."""
        rule = self.rule
        raw: dict[tuple[str, str], Figures] = {}
        for name, each in pairs.items():
            alpha = rule.alpha / 2 if name in flip else rule.alpha
            parts = {"": each, **self.comparison.slices(each)}
            for part, some in parts.items():
                raw[name, part] = replace(
                    figures(self.comparison, some, alpha=alpha, max_drop=rule.max_drop, seed=rule.seed),
                    gating=name in gating and (not part or part in rule.slices),
                    flips=None if part else flip.get(name),
                )
        adjusted = {cell: self._evidence(cell[0], each) for cell, each in raw.items()}
        for gates in (True, False):
            cells = [cell for cell, each in raw.items() if each.gating is gates and each.n]
            for cell, p in zip(cells, holm([adjusted[cell] for cell in cells]), strict=True):
                adjusted[cell] = p
        return {cell: self._concluded(cell, each, adjusted[cell]) for cell, each in raw.items()}

    def _evidence(self, name: str, found: Figures) -> float:
        """One p-value for a cell: of the mean layer, or of both layers together (Bonferroni)."""
        p = 1.0 if found.p is None or (found.delta or 0.0) > -self.rule.min_effect else found.p
        if self.look is not None and found.gating:  # the layer may use only a part of its error rate now
            alpha = self.rule.alpha if found.flips is None else self.rule.alpha / 2
            said = self.look.said.get(name)
            p = (
                0.0
                if said == "regressed"
                else 1.0
                if said == "no drop"
                else min(1.0, p * alpha / self.look.level(alpha))
            )
        return p if found.flips is None else min(1.0, 2 * min(p, found.flips.p))

    def _concluded(self, cell: tuple[str, str], found: Figures, adjusted: float) -> Figures:
        name, part = cell
        where = f"{name} in {part}" if part else name
        word: Word = "UNDECIDED"
        reasons: list[str] = []
        if _refused(found):
            reasons.append(f"{where}: {found.errors} of {found.n + found.errors} pairs were lost to scorer errors")
        elif found.n and adjusted <= self.rule.alpha and (found.gating or (found.delta or 0.0) < 0):
            word = "REGRESSED"
            by_flips = found.flips is not None and found.flips.confirmed and found.flips.p <= self.rule.alpha / 2
            if by_flips and found.flips is not None:
                reasons.append(
                    f"{where}: {found.flips.confirmed} cases that used to pass failed three times of three "
                    f"(p = {found.flips.p:.2g})"
                )
                self._point_at_flips(name)
            if not by_flips or (found.p is not None and found.p <= self.rule.alpha / 2 and found.delta):
                reasons.append(
                    f"{where}: the mean fell by {-(found.delta or 0.0) * 100:.1f} pp "
                    f"({found.losses} down, {found.wins} up; p = {found.p:.2g})"
                )
        elif self.comparison.identical and found.n:
            word = "PASS"
        elif self.look is not None and found.gating and self.look.said.get(name) == "no drop":
            word = "PASS"
        elif found.lower is not None and found.lower > -self.rule.max_drop:
            word = "PASS"
        elif found.n:
            reasons.append(f"{where}: a fall of {self.rule.max_drop * 100:g} pp cannot be ruled out")
        else:
            reasons.append(f"{where}: no pairs")
        return replace(found, verdict=word, reasons=tuple(reasons), p_adjusted=adjusted if found.n else None)

    def _point_at_flips(self, name: str) -> None:
        mark = self.marks.get(name)
        for case in self.comparison.paired:
            if mark is not None and self.tries.failing(case, name, mark) == TRIES:
                self.why.setdefault((case, name), "B")

    def _word(
        self, blocks: list[str], cells: dict[tuple[str, str], Figures], gating: list[str], open_limits: list[str]
    ) -> tuple[Word, list[str]]:
        if blocks:
            gated = {reason for each in cells.values() if not each.gating for reason in each.reasons}
            blocking = [reason for reason in blocks if reason not in gated]
            if blocking:
                return "REGRESSED", blocking
        open_cells = [each for each in cells.values() if each.gating and each.verdict != "PASS"]
        reasons = [reason for each in open_cells for reason in each.reasons] + open_limits
        if not gating:
            reasons.insert(0, "no scorer gates: every one is excepted")
        if reasons:
            return "UNDECIDED", reasons
        if self.comparison.identical:
            return "PASS", ["identical: every output is the same, byte for byte"]
        lower = {cell[0]: each.lower for cell, each in cells.items() if each.gating and each.lower is not None}
        worst = min(lower, key=lambda name: lower[name], default="")
        said = f"a fall of {self.rule.max_drop * 100:g} pp or more is ruled out"
        return "PASS", [f"{said} (95 % lower bound {lower[worst] * 100:+.1f} pp, {worst})" if worst else said]

    # What the report says beside it

    def _unpaired(self) -> list[str]:
        count = len(self.comparison.new) + len(self.comparison.altered)
        if not count:
            return []
        return [
            f"{count} new or changed cases have nothing to be compared with: of them only must-pass ones can block."
        ]

    def _layers(
        self,
        contract: Sequence[str],
        flip: dict[str, Flips],
        cells: dict[tuple[str, str], Figures],
        gating: list[str],
    ) -> tuple[Layer, ...]:
        must = sum(outcome.must_pass for outcome in self.comparison.after.cases.values())
        found = [
            Layer(
                name="contract",
                on=bool(must),
                blocks=bool(contract),
                said=f"{must} must-pass cases" if must else "no case is marked must_pass",
            )
        ]
        if flip:
            said = "; ".join(
                f"{name}: {each.flipped} of {each.eligible} fell, {each.confirmed} stayed down"
                for name, each in flip.items()
            )
            found.append(Layer(name="flips", on=True, blocks=any(w == "B" for w in self.why.values()), said=said))
        else:
            found.append(Layer(name="flips", on=False, said=self._why_no_flips(gating)))
        paired = max((cells[name, ""].n for name in gating), default=0)
        found.append(Layer(name="mean", on=paired > 1, said=f"{paired} pairs" if paired > 1 else "too few pairs"))
        return tuple(found)

    def _why_no_flips(self, gating: list[str]) -> str:
        if not any(name in self.marks for name in gating):
            return "no gating scorer has a pass mark (pass_at)"
        if self.again is None and self.why_not_again:
            return self.why_not_again
        most = self.comparison.before.most_outcomes
        return f"the baseline has {most} outcomes of a case, {LEAST_HISTORY} are needed (`gatewatch baseline pin RUN --trials {LEAST_HISTORY}`)"

    def _rule(self, gating: list[str], flip: dict[str, Flips]) -> str:
        rule = self.rule
        half = f"{rule.alpha * (50 if flip else 100):g} %"
        parts = ["a must-pass case fails three times of three"]
        if flip:
            parts.append(f"more cases fell and stayed down in re-runs than chance allows (α {half})")
        least = f" by at least {rule.min_effect * 100:g} pp" if rule.min_effect else ""
        parts.append(f"the mean fell{least} (one-sided sign-flip test, α {half})")
        over = f"; {', '.join(gating)} gate, adjusted by Holm" if len(gating) > 1 or rule.slices else ""
        return (
            f"REGRESSED if {', or '.join(parts)}{over}. PASS if the one-sided 95 % lower bound of the change is above "
            f"−{rule.max_drop * 100:g} pp. UNDECIDED otherwise."
        )


def _refused(found: Figures) -> bool:
    return found.errors > LOST_SHARE * (found.n + found.errors)


def _explore(cells: dict[tuple[str, str], Figures], gating: list[str]) -> tuple[tuple[str, str, float], ...]:
    """Cells that do not block and did not survive Holm, but would by Benjamini and Hochberg: worth a look, no more."""
    rest = [cell for cell, each in cells.items() if not each.gating and each.p is not None]
    found = zip(rest, benjamini_hochberg([cells[cell].p or 0.0 for cell in rest]), strict=True)
    return tuple((*cell, q) for cell, q in found if q <= 0.05 and cells[cell].verdict != "REGRESSED")


def _churn(scorers: dict[str, Figures], rows: Sequence[RowDiff]) -> list[str]:
    """What rows that went both ways say: as many up as down look like flaky cases, not like a change."""
    found = []
    for name, each in scorers.items():
        known = sum(row.flaky for row in rows if row.scorer == name)
        if each.fixed and each.broke and (each.p or 0.0) > 0.1 and not known:
            share = (each.fixed + each.broke) / each.n
            found.append(
                f"{name}: {each.broke} cases broke and {each.fixed} were fixed (churn {share:.0%}). That many both ways look like "
                "flaky cases rather than a change; several trials of each would tell."
            )
        elif known:
            found.append(
                f"{name}: {known} of the cases that moved are flaky: they pass and fail in one and the same version."
            )
    return found
