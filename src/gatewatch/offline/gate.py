"""The gate: did it get worse? Four layers, each with an error rate that is stated and kept.

    A  contract   a must-pass case that fails three times of three blocks: policy, no statistics
    B  flips      more cases than chance allows fell below their pass mark and stayed there when tried again
    C  mean       the mean fell: one-sided sign-flip test over paired cases
    D  verdict    REGRESSED if A, B or C; PASS if the 95 % lower bound of the change is above -max_drop; else UNDECIDED

B and C share the error rate `alpha`; several gating scorers (and slices) share it by Holm's method. What each layer is
blind to, and what the rates are by simulation: docs/design/gate.md.
"""

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.errors import did_you_mean
from gatewatch.core.money import Cost
from gatewatch.offline.accept import Exceptions
from gatewatch.offline.attribution import attribution, remarks
from gatewatch.offline.bounds import ceilings, floors
from gatewatch.offline.cells import PASS_LEVEL, Cells, concluded, explore, refused
from gatewatch.offline.compare import COMMIT, Comparison, Pairs
from gatewatch.offline.flips import LEAST_HISTORY, TRIES, Again, chances, failed_tries, flips, to_try
from gatewatch.offline.open_cases import OpenCases
from gatewatch.offline.outcomes import Outcomes
from gatewatch.offline.rows import moved_rows
from gatewatch.offline.rule import Rule
from gatewatch.offline.stopping import Look
from gatewatch.offline.summary import percentiles
from gatewatch.offline.verdict import Figures, Flips, Side, Verdict, Word
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
            its error rate.

    What is tried again is added to the candidate's outcomes.
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
        self.after = comparison.after
        self.rule = rule
        self.again = again
        self.why_not_again = why_not_again
        self.exceptions = exceptions
        self.look = look
        self.notes: list[str] = []
        self.reruns = 0
        self.rerun_cost = Cost()
        self.marks: dict[str, float] = {}
        self.must_pass: list[str] = []

    def verdict(self) -> Verdict:
        comparison, rule = self.comparison, self.rule
        shell = Verdict(
            verdict="NOT_COMPARABLE",
            reasons=(),
            rule="",
            suite=comparison.after.suite or comparison.before.suite,
            baseline=_side(comparison.before),
            candidate=_side(comparison.after),
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
        gating = self._gating(reasons)
        broken = _broken(comparison.after)
        if broken or not (comparison.before.pinned or comparison.before.complete):
            reasons.insert(0, broken or "the baseline's run is not complete")
        if reasons:
            said = rule_in_words(rule, gating, flips=False)
            notes = tuple(self.notes)
            return replace(shell, reasons=tuple(reasons), rule=said, remarks=notes, broken=bool(broken))
        self.notes = [*remarks(comparison), *self.notes]
        return self._judged(shell, gating)

    def _gating(self, reasons: list[str]) -> list[str]:
        """The scorers that gate; what stands in the way of comparing them is added to `reasons`."""
        comparison = self.comparison
        names = tuple(dict.fromkeys(self.rule.primary)) or tuple(comparison.after.scorers)
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
        self.marks = self._marks(every)
        opened = OpenCases(comparison, self.marks, self.exceptions.today)
        self.exceptions = self.exceptions.with_open(opened.open)
        self.must_pass = sorted(case for case, outcome in self.after.cases.items() if outcome.must_pass)
        pairs = {name: comparison.without(each, self.exceptions.under(name)) for name, each in every.items()}
        found = {name: self._chances(pairs[name]) for name in gating}
        self._try_again(found)
        contract = self._contract()
        why = dict.fromkeys(contract.rows, "A")
        flip = {
            name: flips(self.after, each, name, self.marks[name], rule.alpha / 2)
            for name, each in found.items()
            if each
        }
        cells = concluded(comparison, pairs, rule, gating, flip, self.look)
        for name in flip:
            if "flips" in cells[name, ""].blocked_by:
                for case in found[name]:
                    if failed_tries(self.after.cases[case], name, self.marks[name]) == TRIES:
                        why.setdefault((case, name), "B")
        open_flips = self._open_flips(found, flip)
        least = {name: at for name, at in rule.floors.items() if not self._excepted(name)}
        floor = floors(self.after, least, besides=opened.open)
        limits = ceilings(self.after, rule.max_cost, rule.max_latency)
        blocks = [
            *self.exceptions.expired_reasons(),
            *opened.expired_reasons(),
            *contract.blocks,
            *(said for each in cells.values() if each.gating and each.verdict == "REGRESSED" for said in each.reasons),
            *floor.blocks,
            *(each.said for each in limits if each.blocks),
        ]
        unseen = [*contract.unseen, *open_flips, *floor.unseen, *(each.said for each in limits if each.value is None)]
        word, reasons = self._word(blocks, cells, gating, unseen)
        rows = moved_rows(comparison, every, self.exceptions, why)
        scorers = {name: cells[name, ""] for name in pairs}
        self.notes += [*floor.notes, *self._unpaired(), *churn(scorers, rows)]
        nothing_said = any(refused(each) for each in cells.values() if each.gating) or not gating
        return replace(
            shell,
            verdict=word,
            reasons=tuple(reasons),
            rule=rule_in_words(rule, gating, flips=bool(flip)),
            remarks=tuple(self.notes),
            layers=layers(
                comparison, contract.blocks, flip, gating, cells, self._why_no_flips(gating), marked=bool(self.marks)
            ),
            scorers=scorers,
            slices=_by_slice(cells),
            explore=explore(cells),
            rows=tuple(rows),
            ceilings=tuple(limits),
            accepted=self.exceptions.used(rows),
            open=opened.told(),
            reruns=self.reruns,
            rerun_cost=self.rerun_cost if self.reruns else None,
            identical=comparison.identical,
            refused=word == "UNDECIDED" and (nothing_said or bool(contract.unseen or open_flips)),
        )

    def _excepted(self, scorer: str) -> bool:
        return self.exceptions.of_scorer(scorer) is not None

    # Layers A and B

    def _open_flips(self, found: dict[str, dict[str, float]], flip: dict[str, Flips]) -> list[str]:
        """Scorers under which cases fell and could not be tried three times, where those might have blocked."""
        said = []
        for name, each in flip.items():
            waiting = len(to_try(self.after, found[name], name, self.marks[name]))
            enough = each.fewest is not None and each.confirmed < each.fewest <= each.confirmed + waiting
            if waiting and enough:
                some = "1 case that always passed" if waiting == 1 else f"{waiting} cases that always passed"
                said.append(f"{name}: {some} fell, and could not be tried three times")
        return said

    def _chances(self, pairs: Pairs) -> dict[str, float]:
        """The cases that the flip layer looks at, each with its chance to fail three times; none where it is off."""
        if pairs.mark is None:
            return {}
        cases = [self.comparison.paired[place] for place in pairs.places]
        found = chances(self.comparison.before, cases, pairs.name, pairs.mark)
        enough = self.again is not None or all(len(self.after.cases[case].trials) >= TRIES for case in found)
        return found if enough else {}

    def _try_again(self, found: dict[str, dict[str, float]]) -> None:
        """Try again what fell, and what must pass and did not; once more what failed again."""
        for _ in range(TRIES - 1):
            wanted: set[str] = set()
            for name, mark in self.marks.items():
                wanted |= to_try(self.after, {*found.get(name, ()), *self._must_pass(name)}, name, mark)
            if self.again is None or not wanted:
                return
            more = self.again(sorted(wanted), 1)
            self.after.try_again(more)
            self.reruns += more.rows
            self.rerun_cost += more.task_cost + more.judge_cost

    def _must_pass(self, scorer: str) -> list[str]:
        """The cases that must pass under a scorer, but for what was accepted."""
        excepted = self.exceptions.under(scorer)
        return [case for case in self.must_pass if case not in excepted]

    def _marks(self, pairs: dict[str, Pairs]) -> dict[str, float]:
        """The pass mark of every scorer that can call a value passed or failed, but for those excepted."""
        known = {
            name: pairs[name].mark if name in pairs and pairs[name].n else self.after.mark(name)
            for name in self.after.scorers
            if not self._excepted(name)
        }
        return {name: mark for name, mark in known.items() if mark is not None}

    def _contract(self) -> "_Contract":
        """What the contract layer says: of must-pass cases that failed whenever they were tried."""
        failed: dict[str, list[str]] = {}
        rows: list[tuple[str, str]] = []
        unseen = self._without_mark()
        unjudged = {case for name in self.after.scorers if not self._excepted(name) for case in self._must_pass(name)}
        for name, mark in self.marks.items():
            for case in self._must_pass(name):
                outcome = self.after.cases[case]
                judged = bool(outcome.tried(name))
                if judged:
                    unjudged.discard(case)
                times = failed_tries(outcome, name, mark)
                if times == TRIES or (times and self.again is None):
                    failed.setdefault(case, []).append(name)
                    rows.append((case, name))
                elif times:
                    unseen.append(f"must-pass case {case} failed ({name}), and could not be tried three times")
                elif not judged and outcome.lost(name):
                    unseen.append(f"must-pass case {case} could not be judged: {name} failed on it")
                elif not judged and self._was_judged(case, name):
                    unseen.append(
                        f"must-pass case {case} could not be judged: {name} has nothing to say of it any more"
                    )
        if unjudged and self.marks and not unseen:
            some = ", ".join(sorted(unjudged)[:5]) + (" ..." if len(unjudged) > 5 else "")
            unseen.append(f"no scorer with a pass mark has a value for must-pass cases: {some}")
        tried = "three times of three" if self.again is not None else "each time, and cannot be tried again"
        said = [f"must-pass case {case} failed {tried} ({', '.join(names)})" for case, names in sorted(failed.items())]
        return _Contract(rows=tuple(rows), blocks=tuple(said), unseen=tuple(unseen))

    def _was_judged(self, case: str, scorer: str) -> bool:
        """Whether the baseline has a value for the same case."""
        before = self.comparison.before.cases.get(case)
        return before is not None and before.hash == self.after.cases[case].hash and before.value(scorer) is not None

    def _without_mark(self) -> list[str]:
        """Scorers that told passed from failed in the baseline, and do not any more where that matters."""
        before = self.comparison.before
        unmarked = [name for name in self.comparison.scorers if name not in self.marks and not self._excepted(name)]
        said = (
            "every value of the baseline is 0 or 1, the candidate's are not: say with pass_at from which on one passes"
        )
        return [
            f"{name}: {said}"
            for name in unmarked
            if before.mark(name) is not None and (self._must_pass(name) or before.most_outcomes(name) >= LEAST_HISTORY)
        ]

    # The verdict

    def _word(self, blocks: list[str], cells: Cells, gating: list[str], unseen: list[str]) -> tuple[Word, list[str]]:
        if blocks:
            return "REGRESSED", blocks
        still_open = [each for each in cells.values() if each.gating and each.verdict != "PASS"]
        reasons = [*unseen, *(reason for each in still_open for reason in each.reasons)]
        if not gating:
            reasons.insert(0, "no scorer gates: there is none, or every one is excepted")
        if reasons:
            return "UNDECIDED", reasons
        gates = {cell: each for cell, each in cells.items() if each.gating}
        if self.comparison.identical and not any(each.wins or each.losses for each in gates.values()):
            return "PASS", ["identical: every output is the same, byte for byte"]
        fall = f"a fall of {self.rule.max_drop * 100:g} pp"
        if self.comparison.after.stopped:
            return "PASS", [f"stopped early: {fall} is not to be expected any more"]
        lower = {cell: each.lower for cell, each in gates.items() if each.lower is not None}
        worst = min(lower, key=lambda cell: lower[cell])
        bound = f"{lower[worst] * 100:+.1f} pp, {' in '.join(part for part in worst if part)}".replace("-", "−", 1)
        level = PASS_LEVEL if self.look is None else self.look.pass_level(PASS_LEVEL)
        return "PASS", [f"{fall} or more is ruled out ({100 * (1 - level):.3g} % lower bound {bound})"]

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


class _Contract(Struct, frozen=True):
    """What the contract layer says: the rows it blocks for and why, and what it could not judge."""

    rows: tuple[tuple[str, str], ...]
    blocks: tuple[str, ...]
    unseen: tuple[str, ...]


def _by_slice(cells: Cells) -> dict[str, dict[str, Figures]]:
    found: dict[str, dict[str, Figures]] = {}
    for (name, part), each in cells.items():
        if part:
            found.setdefault(part, {})[name] = each
    return found


def _broken(after: Outcomes) -> str:
    """Why the candidate's run gives nothing to judge, if it does not."""
    if after.planned:
        return ""
    if not after.rows:
        return "the candidate's run has no rows"
    if not after.complete and not after.stopped:
        return f"the candidate's run is partial: {after.rows} of {after.expected_rows} rows are done"
    if after.all_failed:
        return "the candidate's run has nothing but errors to show"
    return ""


def _side(outcomes: Outcomes) -> Side:
    """The facts of a run or a baseline that a report shows."""
    return Side(
        run=outcomes.run,
        label=outcomes.label,
        task=outcomes.task,
        dataset=f"{outcomes.dataset.path}@{outcomes.dataset.version}",
        commit=outcomes.components.get(COMMIT, ""),
        cases=len(outcomes.cases),
        trials=outcomes.most_trials or outcomes.trials,
        rows=outcomes.rows,
        failed=outcomes.failed,
        cost=outcomes.task_cost,
        judge_cost=outcomes.judge_cost,
        latency_s=outcomes.latency_s or percentiles(outcomes.latencies),
        pinned=outcomes.pinned,
    )
