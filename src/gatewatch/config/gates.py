"""From a suite to a gate's verdict: which baseline, which candidate, what may be run again, and by what rule."""

from collections.abc import Callable, Mapping, Sequence
from shlex import quote
from typing import Any

from msgspec.structs import replace

from gatewatch.config.calibrations import require_calibrated
from gatewatch.config.candidates import TRIALS_MORE, Execute, Maker
from gatewatch.config.forecast import forecast
from gatewatch.config.load import FILE
from gatewatch.config.project import Project
from gatewatch.config.rescore import prepare_rescore
from gatewatch.config.rules import rule_of
from gatewatch.config.sides import exceptions_of, not_itself, side_named
from gatewatch.config.verdicts import keep_verdict
from gatewatch.core.errors import InputError, Problem
from gatewatch.offline.compare import Comparison
from gatewatch.offline.flips import Again
from gatewatch.offline.gate import decide
from gatewatch.offline.gated import Gated
from gatewatch.offline.outcomes import CaseOutcome, Outcomes, read_run
from gatewatch.offline.plan import slice_name
from gatewatch.offline.pooling import earlier_runs, is_clean, pool_earlier, was_run_before
from gatewatch.offline.reach import fewest_flips, reach_of, trials_of
from gatewatch.offline.result import SUFFIX, Prepared, execute, find_run
from gatewatch.offline.rule import Rule
from gatewatch.offline.stopping import LEAST_CASES, Look, Stopping, fair_order
from gatewatch.offline.verdict import Verdict


def gate_suite(
    project: Project,
    name: str,
    *,
    task: str = "",
    run: str = "",
    against: str = "baseline",
    label: str = "",
    changes: Mapping[str, Any] | None = None,
    undecided: str | None = None,
    make: Execute = execute,
    tell: Callable[[str], None] = lambda _text: None,
) -> Gated:
    """Hold a candidate of a suite against the baseline; it is run first unless a run is named.

    Args:
        project: the project.
        name: the suite.
        task: another task in the place of the suite's.
        run: a run that was made already: its id, name or file.
        against: "baseline", or another run, or a file.
        label: a name for the candidate's run.
        changes: `trials` and `budget` of the candidate's run in the place of the suite's.
        undecided: what UNDECIDED means, in the place of what the suite says.
        make: makes a prepared run.
        tell: is told what goes on.

    Raises:
        ConfigError: with all that is wrong in the project.
        NoVerdict: when there is no baseline, or a judge is not calibrated where that is required.
        RunBroken: when a run could not go on.
    """
    maker = Maker(project, name, changes=changes or {}, make=make, tell=tell)
    return gate_by(maker, task=task, run=run, against=against, label=label, undecided=undecided)


def gate_by(
    maker: Maker,
    *,
    task: str = "",
    run: str = "",
    against: str = "baseline",
    label: str = "",
    undecided: str | None = None,
    whole: bool = False,
    even_so: bool = False,
) -> Gated:
    """As `gate_suite`, with what makes the runs. The candidate's run never ends early where it is to be `whole`, and is
    made `even_so` where it cannot be compared."""
    gating = _Gating(maker, undecided)
    gating.early_stop = gating.early_stop and not whole
    gating.even_so = even_so
    gated = gating.gate(task=task, run=run, against=against, label=label)
    if against == "baseline":
        keep_verdict(maker.project, gated.verdict)
    return gated


class _Gating:
    def __init__(self, maker: Maker, undecided: str | None) -> None:
        self.maker = maker
        self.project, self.name, suite = maker.project, maker.name, maker.suite
        settings = replace(suite.gate, undecided=undecided) if undecided else suite.gate
        rule = rule_of(settings, suite.scorers, f"{FILE}: suites.{self.name}.gate")
        self.rule = replace(rule, seed=suite.seed)
        self.early_stop = settings.early_stop
        self.even_so = False
        self.calibrated = settings.require_calibrated
        self.exceptions = exceptions_of(self.project, self.name)
        self.notes = maker.notes

    def gate(self, *, task: str, run: str, against: str, label: str) -> Gated:
        before = side_named(self.project, against, self.name)
        if run:
            after = self._stored(run, before)
            return self._judged(before, after, None, "the candidate is a stored run", {}, None)
        ready = self.maker.prepared(task, label)
        if self.calibrated:
            require_calibrated(self.project.root, ready.header.scorers, {})
        early = None if self.even_so else self._before_it_is_run(before, ready)
        if early is not None:
            return self._gated(self._offering(early, before), before, Outcomes.of(ready.header))
        stopping = None
        if self.early_stop:
            ready, stopping = self._stopping(before, ready)
        result = self.maker.run(ready, stopping)
        after = read_run(result.path)
        if self.calibrated:  # now it is known which models answered
            require_calibrated(self.project.root, after.scorers, after.judges)
        if not after.complete:
            reason = result.summary.end.reason if result.summary.end else "it was cut off"
            if stopping is not None and stopping.said:
                after.stopped = reason
            else:
                self.notes.append(f"The candidate's run ended early: {reason}.")
        again, why = self.maker.again(ready)
        places = {ready.plan.dataset[index].id: ready.plan.dataset.place(index) for index in ready.plan.chosen}
        return self._judged(before, after, again, why, places, None if stopping is None else stopping.look)

    def _stored(self, reference: str, before: Outcomes) -> Outcomes:
        """A stored run as the candidate.

        Raises:
            InputError: when it is of another suite, or the baseline's own.
        """
        after = read_run(find_run(self.project.runs, reference))
        if after.suite not in ("", self.name):
            raise InputError(Problem(after.run, f"is a run of {after.suite}, not of {self.name}"))
        not_itself(before, after)
        if self.calibrated:
            require_calibrated(self.project.root, after.scorers, after.judges)
        return after

    def _before_it_is_run(self, before: Outcomes, ready: Prepared) -> Verdict | None:
        """What can be said before anything is paid for: that rulers or datasets do not fit. None where they do."""
        after = Outcomes.of(ready.header)
        after.planned = True
        plan = ready.plan
        for index in plan.chosen:
            case = plan.dataset[index]
            part = case.slice or slice_name(plan.slice_of, case)
            after.cases[case.id] = CaseOutcome(case.hash, part, case.cluster, case.must_pass, [], open=case.open)
        verdict = decide(Comparison(before, after), self.rule, exceptions=self.exceptions)
        if verdict.verdict != "NOT_COMPARABLE":
            return None
        return replace(verdict, candidate=None, removed=(), new=(), altered=())

    def _stopping(self, before: Outcomes, ready: Prepared) -> tuple[Prepared, Stopping | None]:
        plan = ready.plan
        cases = [plan.dataset[index] for index in plan.chosen]
        why = ""
        if plan.trials > 1:
            why = "there are several trials"
        elif len(cases) < LEAST_CASES:
            why = f"there are fewer than {LEAST_CASES} cases"
        elif self.rule.slices:
            why = "slices gate as well"
        elif any(case.cluster for case in cases) and len({case.cluster or case.id for case in cases}) < len(cases):
            why = "cases share origins (cluster)"
        elif was_run_before(self.project.runs, Outcomes.of(ready.header), besides=before.runs):
            why = "the same commit was gated before"
        if why:
            self.notes.append(f"early_stop is off: {why}.")
            return ready, None
        names = self.rule.primary or self.maker.suite.scorers
        gating = [name for name in names if name in before.scorers and self.exceptions.of_scorer(name) is None]
        alphas = {name: self._mean_alpha(before, ready, name) / len(gating) for name in gating}
        stopping = Stopping(before, cases, alphas=alphas, max_drop=self.rule.max_drop, exceptions=self.exceptions)
        order = fair_order(list(plan.chosen), cases, ready.header.seed)
        return Prepared(replace(plan, chosen=order), ready.header, ready.path, ready.done), stopping

    def _mean_alpha(self, before: Outcomes, ready: Prepared, name: str) -> float:
        """The level that the mean layer of a scorer will run at: shared with the flip layer, where that is on."""
        flips = ready.plan.task.timed and fewest_flips(before, name, self.rule.alpha / 2) is not None
        return self.rule.alpha / (2 if flips else 1)

    def _judged(
        self,
        before: Outcomes,
        after: Outcomes,
        again: Again | None,
        why: str,
        places: dict[str, str],
        look: Look | None,
    ) -> Gated:
        self.notes += pooling_notes(self.project, before, after)
        spend = self.rule.undecided == "spend" and look is None
        # What changed without a record of it would be bought for the baseline as well.
        told = before.components != after.components or is_clean(before.components)
        can = spend and again is not None and told and self.maker.can_run(before)
        looks = self._looks(before, after) if can else ()
        first = Look(information=looks, number=0, bought=True) if looks else look
        verdict = decide(
            Comparison(before, after),
            self.rule,
            again=again,
            why_not_again=why,
            exceptions=self.exceptions,
            look=first,
        )
        if looks:
            verdict = self._spend(before, after, verdict, again, looks)
        elif spend and verdict.verdict == "UNDECIDED":
            self.notes.append(f"No trials were bought: {why or 'the version of the baseline cannot be run here'}.")
        if verdict.verdict == "NOT_COMPARABLE":
            verdict = self._offering(verdict, before)
        return self._gated(finished(verdict, self.name, before, after, self.rule, self.notes), before, after, places)

    def _looks(self, before: Outcomes, after: Outcomes) -> tuple[float, ...]:
        """The shares of all information at each look, by the trials that there are on both sides then."""
        counts = [
            (trials_of(before) + more, trials_of(after) + more) for more in range(0, 2 * TRIALS_MORE + 1, TRIALS_MORE)
        ]
        information = [1 / (1 / one + 1 / other) for one, other in counts]
        return tuple(each / information[-1] for each in information)

    def _spend(
        self,
        before: Outcomes,
        after: Outcomes,
        verdict: Verdict,
        again: Again | None,
        looks: tuple[float, ...],
    ) -> Verdict:
        """Buy more trials of all cases, on both sides, for as long as the verdict is open."""
        for number in range(1, len(looks)):
            if verdict.verdict != "UNDECIDED" or verdict.refused:
                break
            if not any(each.wins or each.losses for each in verdict.scorers.values() if each.gating):
                self.notes.append("No trials were bought: no case moved, so that only more cases can rule a fall out.")
                break
            if number == 1:
                looked = f"{len(looks)} looks at the most share the error rates"
                self.notes.append(f"Trials of every case were bought on both sides: {looked}.")
            before.pool(self.maker.trials_of(before))
            after.pool(self.maker.trials_of(after))
            look = Look(information=looks, number=number, bought=True)
            verdict = decide(Comparison(before, after), self.rule, again=again, exceptions=self.exceptions, look=look)
        return verdict

    def _offering(self, verdict: Verdict, before: Outcomes) -> Verdict:
        """A verdict that is none, with the way out where only scorers changed: to score the stored outputs again."""
        if not any(name.startswith("scorer ") for name in verdict.changed) or before.suite != self.name:
            return verdict
        reference = "baseline" if before.pinned else before.run
        try:
            ready, _ = prepare_rescore(self.project, reference, suite=self.name)
        except InputError as error:
            return replace(verdict, remarks=(*verdict.remarks, str(error)))
        offer = f"The baseline's stored outputs can be scored again: {forecast(self.project, ready)}."
        command = f"gatewatch rescore {reference} --suite {self.name}"
        return replace(verdict, remarks=(*verdict.remarks, offer), next=(command, "gatewatch baseline pin RUN"))

    def _gated(
        self, verdict: Verdict, before: Outcomes, after: Outcomes, places: dict[str, str] | None = None
    ) -> Gated:
        return Gated(verdict, before, after, journal=self.project.runs / f"{before.run}{SUFFIX}", places=places)


def pooling_notes(project: Project, before: Outcomes, after: Outcomes) -> list[str]:
    """Put the trials of earlier runs of its version before a candidate's own, and say so."""
    count = pool_earlier(after, earlier_runs(project.runs, after, besides=before.runs))
    runs = "1 earlier run" if count == 1 else f"{count} earlier runs"
    return [f"The same commit was gated before: the trials of {runs} count as well."] if count else []


def finished(
    verdict: Verdict, suite: str, before: Outcomes, after: Outcomes, rule: Rule, notes: Sequence[str]
) -> Verdict:
    """A verdict with what else was noticed, how far the gate can see if it could not tell, and what to do next."""
    stopped = f"{after.stopped} after {after.rows} of {after.expected_rows} rows" if after.stopped else ""
    return replace(
        verdict,
        remarks=(*verdict.remarks, *notes),
        reach=reach_of(before, after, rule, verdict) if verdict.verdict == "UNDECIDED" else (),
        stopped=stopped,
        next=verdict.next or tuple(_next(verdict, suite, after)),
    )


def _next(verdict: Verdict, suite: str, after: Outcomes) -> list[str]:
    """Commands to go on with."""
    if verdict.verdict == "NOT_COMPARABLE":
        return []
    run, first = quote(after.run), verdict.rows[:1]
    found = [f"gatewatch show {run} --case {quote(row.id)}" for row in first if row.effect in ("loss", "new")]
    if verdict.verdict == "REGRESSED":
        options = '--reason "..." --until DATE --owner NAME'
        for row in first:
            if row.why:  # an id that looks like an option goes behind the others
                words = [options, "--", quote(row.id)] if row.id.startswith("-") else [quote(row.id), options]
                found.append(f"gatewatch accept {' '.join(words)}")
    if verdict.verdict == "UNDECIDED" and suite:
        found.append(f"gatewatch plan {suite}")
    fixed = any(each.passes and each.state != "locked" for each in verdict.open)
    passed = verdict.verdict == "PASS" and not after.stopped
    if suite and verdict.open and (passed or (verdict.verdict == "UNDECIDED" and fixed)):
        found.append(f'gatewatch rebaseline {quote(suite)} --run {run} --reason "..."')
    elif passed:
        found.append(f"gatewatch baseline pin {run}")
    return found
