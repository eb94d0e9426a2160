"""The gate: did it get worse? Four layers, each with an error rate that is stated and kept.

    A  contract   a must-pass case that fails three times of three blocks: policy, no statistics
    B  flips      more cases than chance allows fell below their pass mark and stayed there when tried again
    C  mean       the mean fell: one-sided sign-flip test over paired cases
    D  verdict    REGRESSED if A, B or C; PASS if the 95 % lower bound of the change is above -max_drop; else UNDECIDED

B and C share the error rate `alpha`; several gating scorers (and slices) share it by Holm's method. What each layer is
blind to, and what the rates are by simulation: docs/design/gate.md.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from gatewatch.core.errors import did_you_mean
from gatewatch.core.money import Cost
from gatewatch.offline.accept import Exceptions
from gatewatch.offline.bounds import ceilings, floors
from gatewatch.offline.cells import Cells, concluded, explore, refused
from gatewatch.offline.compare import Comparison, Pairs, attribution, remarks
from gatewatch.offline.flips import TRIES, Again, Eligible, Tries, eligible, flips, to_try
from gatewatch.offline.rows import moved_rows
from gatewatch.offline.rule import Rule
from gatewatch.offline.sides import side
from gatewatch.offline.stopping import Look
from gatewatch.offline.verdict import Figures, Verdict, Word
from gatewatch.offline.wording import churn, layers, rule_in_words


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
        look: where the data stand, when they are looked at several times: the mean layer may then use only a part of
        its
            error rate.
    """
    return _Gate(comparison, rule, again, why_not_again, exceptions or Exceptions(), look).verdict()


def obstacles(comparison: Comparison, rule: Rule, exceptions: Exceptions) -> list[str]:
    """What stands in the way of any verdict: another dataset, another ruler, a slice that is not there."""
    reasons = comparison.why_not()
    _Gate(comparison, rule, None, "", exceptions, None).gating(reasons)
    return reasons


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
            seed=rule.seed,
        )
        reasons = comparison.why_not()
        gating = self.gating(reasons)
        if reasons:
            said = rule_in_words(rule, gating, flips=False)
            return replace(shell, reasons=tuple(reasons), rule=said, remarks=tuple(self.notes))
        return self._judged(shell, gating)

    def gating(self, reasons: list[str]) -> list[str]:
        """The scorers that gate; what stands in the way of comparing them is added to `reasons`."""
        comparison = self.comparison
        names = self.rule.primary or tuple(comparison.after.scorers)
        found = []
        for name in names:
            why = comparison.rulers.get(name)
            if self.exceptions.of_scorer(name) is not None:
                continue
            if name not in comparison.after.scorers:
                reasons.append(f"{name}: the candidate was not scored by it")
            elif why is None:
                found.append(name)
            elif name not in comparison.before.scorers and not self.rule.primary:
                self.notes.append(f"{name} is not in the baseline: it gates from the next baseline on.")
            else:
                reasons.append(f"{name}: {why}")
        slices = {outcome.slice for outcome in comparison.after.cases.values()}
        for part in self.rule.slices:
            if slices and part not in slices:
                reasons.append(f"slices: no case is in {part!r} ({did_you_mean(part, filter(None, slices))})")
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
        why, contract = self._contract()
        flip = {
            name: flips(self.tries, found[name], name, pairs[name].mark or 0.0, rule.alpha / 2)
            for name in gating
            if found[name].chances
        }
        cells = concluded(comparison, pairs, rule, gating, flip, self.look)
        for name, each in flip.items():
            if cells[name, ""].verdict == "REGRESSED" and each.confirmed and each.p <= rule.alpha / 2:
                self._point_at(name, found[name], why)
        floor = floors(comparison, rule.floors)
        limits = ceilings(comparison.after, rule.max_cost, rule.max_latency)
        blocks = [
            *self.exceptions.expired_reasons(),
            *contract,
            *(said for each in cells.values() if each.gating and each.verdict == "REGRESSED" for said in each.reasons),
            *floor.blocks,
            *(each.said for each in limits if each.blocks),
        ]
        unseen = [*floor.unseen, *(each.said for each in limits if each.value is None)]
        word, reasons = self._word(blocks, cells, gating, unseen)
        rows = moved_rows(comparison, every, self.tries, self.exceptions, why)
        scorers = {name: cells[name, ""] for name in pairs}
        self.notes += [*floor.notes, *self._unpaired(), *churn(scorers, rows)]
        return replace(
            shell,
            verdict=word,
            reasons=tuple(reasons),
            rule=rule_in_words(rule, gating, flips=bool(flip)),
            remarks=tuple(self.notes),
            layers=layers(comparison, contract, flip, why, gating, cells, self._why_no_flips(gating)),
            scorers=scorers,
            slices=_by_slice(cells),
            explore=explore(cells),
            rows=tuple(rows),
            ceilings=tuple(limits),
            accepted=self.exceptions.used(rows),
            reruns=self.reruns,
            rerun_cost=self.rerun_cost if self.reruns else None,
            identical=comparison.identical,
            refused=word == "UNDECIDED" and any(refused(cells[name, ""]) for name in gating),
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
        """The pass mark of every scorer that can call a value passed or failed, but for those excepted."""
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

    def _contract(self) -> tuple[dict[tuple[str, str], str], list[str]]:
        """Which rows the contract layer blocks for, and why: must-pass cases that failed whenever they were tried."""
        why: dict[tuple[str, str], str] = {}
        failed: dict[str, list[str]] = {}
        for name, mark in self.marks.items():
            for case in self._must_pass(name):
                times = self.tries.failing(case, name, mark)
                if times == TRIES or (times and self.again is None):
                    failed.setdefault(case, []).append(name)
                    why[case, name] = "A"
        tried = "three times of three" if self.again is not None else "in every trial that there is"
        said = [f"must-pass case {case} failed {tried} ({', '.join(names)})" for case, names in sorted(failed.items())]
        return why, said

    def _point_at(self, name: str, found: Eligible, why: dict[tuple[str, str], str]) -> None:
        """Mark the rows of the cases that the flip layer confirmed."""
        for case in found.chances:
            if self.tries.failing(case, name, self.marks[name]) == TRIES:
                why.setdefault((case, name), "B")

    # The verdict

    def _word(self, blocks: list[str], cells: Cells, gating: list[str], unseen: list[str]) -> tuple[Word, list[str]]:
        if blocks:
            return "REGRESSED", blocks
        still_open = [each for each in cells.values() if each.gating and each.verdict != "PASS"]
        reasons = [reason for each in still_open for reason in each.reasons] + unseen
        if not gating:
            reasons.insert(0, "no scorer gates: there is none, or every one is excepted")
        if reasons:
            return "UNDECIDED", reasons
        if self.comparison.identical:
            return "PASS", ["identical: every output is the same, byte for byte"]
        if self.look is not None and "no drop" in self.look.said.values():
            return "PASS", [f"stopped early: a fall of {self.rule.max_drop * 100:g} pp is not to be expected any more"]
        lower = {cell: each.lower for cell, each in cells.items() if each.gating and each.lower is not None}
        worst = min(lower, key=lambda cell: lower[cell])
        said = f"a fall of {self.rule.max_drop * 100:g} pp or more is ruled out"
        where = " in ".join(part for part in worst if part)
        return "PASS", [f"{said} (95 % lower bound {lower[worst] * 100:+.1f} pp, {where})".replace("-", "−")]

    def _unpaired(self) -> list[str]:
        count = len(self.comparison.new) + len(self.comparison.altered)
        if not count:
            return []
        return [
            f"{count} new or changed cases have nothing to be compared with: of them only must-pass ones can block."
        ]

    def _why_no_flips(self, gating: list[str]) -> str:
        if not any(name in self.marks for name in gating):
            return "no gating scorer has a pass mark (pass_at)"
        return self.why_not_again if self.again is None else ""


def _by_slice(cells: Cells) -> dict[str, dict[str, Figures]]:
    found: dict[str, dict[str, Figures]] = {}
    for (name, part), each in cells.items():
        if part:
            found.setdefault(part, {})[name] = each
    return found
