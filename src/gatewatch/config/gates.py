"""From a suite to a gate's verdict: which baseline, which candidate, what may be run again, and by what rule."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from gatewatch.config.forecast import forecast
from gatewatch.config.load import FILE
from gatewatch.config.project import Project
from gatewatch.config.rescore import prepare_rescore
from gatewatch.config.rules import rule_of
from gatewatch.config.runs import Part, prepare_suite, suite_settings
from gatewatch.config.settings import SuiteSettings
from gatewatch.config.sides import exceptions_of, reference_of, side_named
from gatewatch.core.errors import ConfigError, InputError, Problem
from gatewatch.offline.accept import Exceptions
from gatewatch.offline.compare import Comparison
from gatewatch.offline.flips import Again, eligible
from gatewatch.offline.gate import decide
from gatewatch.offline.gated import Gated
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.pooling import earlier_runs, pooled, without_commit
from gatewatch.offline.reach import reach
from gatewatch.offline.result import SUFFIX, Prepared, RunResult, execute, find_run
from gatewatch.offline.rule import Rule
from gatewatch.offline.stopping import LEAST_CASES, Look, Stopping, fair_order
from gatewatch.offline.verdict import Verdict

SPENT_AT = (0.2, 0.6, 1.0)
"""With `undecided = "spend"`: the shares of all information at the looks with 1, 3 and 5 trials on both sides."""
_TRIALS_MORE = 2

Execute = Callable[..., RunResult]
"""How a prepared run is made: `offline.result.execute`, or that with a display around it."""


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
        NoVerdict: when there is no baseline.
        RunBroken: when a run could not go on.
    """
    gating = _Gating(project, name, make, tell, undecided)
    return gating.gate(task=task, run=run, against=against, label=label, changes=changes or {})


class _Gating:
    def __init__(
        self, project: Project, name: str, make: Execute, tell: Callable[[str], None], undecided: str | None
    ) -> None:
        self.project = project
        self.name = name
        self.make = make
        self.tell = tell
        self.suite: SuiteSettings = suite_settings(project, name)
        settings = replace(self.suite.gate, undecided=undecided) if undecided else self.suite.gate
        self.rule = rule_of(settings, self.suite.scorers, f"{FILE}: suites.{name}.gate")
        self.exceptions = exceptions_of(project, name)
        self.notes: list[str] = []

    def gate(self, *, task: str, run: str, against: str, label: str, changes: Mapping[str, Any]) -> Gated:
        before = side_named(self.project, against, self.name)
        if run:
            path = find_run(self.project.runs, run)
            return self._judged(before, read_run(path), None, "the candidate is a stored run", {}, None)
        (ready,) = self._prepared(task, label, changes)
        early = _not_comparable(before, ready, self.rule, self.exceptions)
        if early is not None:  # said before anything is paid for
            early = self._offering(early, before)
            return self._gated(early, before, Outcomes.of(ready.header))
        stopping = None
        if self.suite.gate.early_stop:
            ready, stopping = self._stopping(before, ready)
        result = self.make(ready, until=stopping, closing=self.project.close)
        after = read_run(result.path)
        again, why = self._again(ready)
        places = {ready.plan.dataset[index].id: ready.plan.dataset.place(index) for index in ready.plan.chosen}
        look = stopping.look if stopping is not None else None
        if stopping is not None and stopping.said and not after.complete:
            after.stopped = str(result.summary.end.reason if result.summary.end else "stopped early")
        return self._judged(before, after, again, why, places, look, task=task)

    def _prepared(self, task: str, label: str, changes: Mapping[str, Any]) -> list[Prepared]:
        reference, version = reference_of(self.suite, task or self.suite.task)
        found = prepare_suite(self.project, self.name, task=reference, version=version, label=label, **changes)
        if len(found) != 1:
            specs = ", ".join(repr(each.header.task) for each in found)
            what = f"has {len(found)} variants: a gate judges one" if found else f"no variant is {version!r}"
            raise ConfigError(Problem(f"{FILE}: suites.{self.name}.matrix", what, f"name it with --task: {specs}"))
        return found

    def _again(self, ready: Prepared) -> tuple[Again | None, str]:
        if not ready.plan.task.timed:
            return None, "the candidate's outputs are a recording"

        def again(cases: Sequence[str], times: int) -> Outcomes:
            self.tell(f"{len(cases)} cases failed: each is tried again")
            part = Part(purpose="flips", of=ready.header.run, only=frozenset(cases))
            return self._more(ready.header.task, part, times)

        return again, ""

    def _more(self, spec: str, part: Part, trials: int) -> Outcomes:
        """Run some cases again, without the reply cache."""
        fresh = self.project.anew()
        reference, version = reference_of(self.suite, spec)
        (ready,) = prepare_suite(fresh, self.name, task=reference, version=version, part=part, trials=trials)
        result = self.make(ready, closing=fresh.close)
        if result.summary.state != "complete":
            reason = result.summary.end.reason if result.summary.end else "cut off"
            self.notes.append(f"Trying again ended early ({reason}): what is missing counts as not confirmed.")
        return read_run(result.path)

    def _stopping(self, before: Outcomes, ready: Prepared) -> tuple[Prepared, Stopping | None]:
        plan = ready.plan
        cases = [plan.dataset[index] for index in plan.chosen]
        why = ""
        if plan.trials > 1:
            why = "there are several trials"
        elif len(cases) < LEAST_CASES:
            why = f"there are fewer than {LEAST_CASES} cases"
        elif any(case.cluster for case in cases) and len({case.cluster or case.id for case in cases}) < len(cases):
            why = "cases share origins (cluster)"
        if why:
            self.notes.append(f"early_stop is off: {why}.")
            return ready, None
        gating = [name for name in self.rule.primary or self.suite.scorers if name in before.scorers]
        alphas = {name: self._mean_alpha(before, ready, name, len(gating)) for name in gating}
        stopping = Stopping(before, cases, alphas=alphas, max_drop=self.rule.max_drop)
        order = fair_order(list(plan.chosen), cases, ready.header.seed)
        return Prepared(replace(plan, chosen=order), ready.header, ready.path, ready.done), stopping

    def _mean_alpha(self, before: Outcomes, ready: Prepared, name: str, gating: int) -> float:
        """The level that the mean layer of a scorer will run at: shared with the flip layer, and among scorers."""
        mark = ready.header.scorers[name].pass_at
        flips = ready.plan.task.timed and bool(
            eligible(before, before.cases, name, 1.0 if mark is None else mark).chances
        )
        return self.rule.alpha / (2 if flips else 1) / gating

    def _judged(
        self,
        before: Outcomes,
        after: Outcomes,
        again: Again | None,
        why: str,
        places: dict[str, str],
        look: Look | None,
        *,
        task: str = "",
    ) -> Gated:
        none = without_verdict(Comparison(before, after), self.rule, self.exceptions)
        if none is not None:
            return self._gated(none, before, after, places)
        pool = pooled(after, earlier_runs(self.project.runs, after))
        if pool.runs:
            runs = "1 earlier run" if pool.runs == 1 else f"{pool.runs} earlier runs"
            self.notes.append(f"The same commit was gated before: the trials of {runs} count as well.")
        spend = self.rule.undecided == "spend" and look is None
        more = self._baseline_again(before) if spend and again is not None else None
        if more is not None:
            look = Look(information=SPENT_AT, number=0, bought=True)
        rule = self.rule
        verdict = decide(
            Comparison(before, pool.after), rule, again=again, why_not_again=why, exceptions=self.exceptions, look=look
        )
        if more is not None:
            before, pool.after, verdict = self._spend(before, pool.after, verdict, more, again)
        elif spend and verdict.verdict == "UNDECIDED":
            self.notes.append("No more trials were bought: the baseline's version cannot be run here.")
        verdict = self._finished(verdict, before, pool.after)
        return self._gated(verdict, before, pool.after, places)

    def _gated(
        self, verdict: Verdict, before: Outcomes, after: Outcomes, places: dict[str, str] | None = None
    ) -> Gated:
        return Gated(verdict, before, after, journal=self.project.runs / f"{before.run}{SUFFIX}", places=places)

    def _spend(
        self, before: Outcomes, after: Outcomes, verdict: Verdict, more: Callable[[], Outcomes], again: Again | None
    ) -> tuple[Outcomes, Outcomes, Verdict]:
        """Buy more trials of all cases on both sides for as long as the verdict is open."""
        for number in range(1, len(SPENT_AT)):
            if verdict.verdict != "UNDECIDED" or verdict.refused:
                break
            self.tell(f"undecided: {_TRIALS_MORE} more trials of every case, on both sides")
            if number == 1:
                self.notes.append("Trials were bought: the looks at 1, 3 and 5 of each case share the error rates.")
            before.pool(more())
            part = Part(purpose="trials", of=after.run)
            after.pool(self._more(after.task, part, _TRIALS_MORE))
            verdict = decide(
                Comparison(before, after),
                self.rule,
                again=again,
                exceptions=self.exceptions,
                look=Look(information=SPENT_AT, number=number, bought=True),
            )
        return before, after, verdict

    def _baseline_again(self, before: Outcomes) -> Callable[[], Outcomes] | None:
        """What runs the baseline's version again, if it is to be had here: its task, with the same components."""
        reference, version = reference_of(self.suite, before.task)
        part = Part(purpose="trials", of=before.run)
        try:
            (ready,) = prepare_suite(
                self.project.anew(), self.name, task=reference, version=version, part=part, trials=1
            )
        except (InputError, ValueError):
            return None
        if not ready.plan.task.timed or without_commit(ready.header.components) != without_commit(before.components):
            return None
        return lambda: self._more(before.task, part, _TRIALS_MORE)

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

    def _finished(self, verdict: Verdict, before: Outcomes, after: Outcomes) -> Verdict:
        if verdict.verdict == "NOT_COMPARABLE":
            verdict = self._offering(verdict, before)
        lines = reach(before, after, self.rule, verdict) if verdict.verdict == "UNDECIDED" else []
        stopped = f"{after.stopped} after {after.rows} of {after.expected_rows} rows" if after.stopped else ""
        return replace(
            verdict,
            remarks=(*verdict.remarks, *self.notes),
            reach=tuple(lines),
            stopped=stopped,
            next=verdict.next or tuple(_next(verdict, self.name, after)),
        )


def _broken(after: Outcomes) -> str:
    """Why the candidate's run gives nothing to judge, if it does not."""
    if not after.cases:
        return "the candidate's run has no rows"
    if not after.complete and not after.stopped:
        return f"the candidate's run is partial: {after.rows} of {after.expected_rows} rows are done"
    if after.all_failed:
        return "the candidate's run has nothing but errors to show"
    return ""


def without_verdict(comparison: Comparison, rule: Rule, exceptions: Exceptions) -> Verdict | None:
    """What is said of runs that give nothing to judge: a candidate that broke, a baseline that is partial."""
    broken = _broken(comparison.after)
    if not broken and (comparison.before.pinned or comparison.before.complete):
        return None
    verdict = decide(comparison, rule, exceptions=exceptions)
    reason = broken or "the baseline's run is not complete"
    return replace(verdict, verdict="NOT_COMPARABLE", reasons=(reason,), broken=bool(broken))


def _not_comparable(before: Outcomes, ready: Prepared, rule: Rule, exceptions: Exceptions) -> Verdict | None:
    """The verdict on a candidate whose rulers are not the baseline's, before it is run; None where they are."""
    after = Outcomes.of(ready.header)
    comparison = Comparison(before, after)
    gating = [name for name in rule.primary or tuple(after.scorers) if exceptions.of_scorer(name) is None]
    wrong = [
        f"{name}: {why}"
        for name, why in comparison.rulers.items()
        if name in gating and (name in before.scorers or rule.primary)
    ]
    if not wrong:
        return None
    verdict = decide(comparison, rule, exceptions=exceptions)
    return replace(verdict, reasons=tuple(wrong))


def _next(verdict: Verdict, suite: str, after: Outcomes) -> list[str]:
    """Commands to go on with."""
    run = after.run
    if verdict.verdict == "NOT_COMPARABLE":
        return []
    found = [f"gatewatch show {run} --case {row.id}" for row in verdict.rows[:1] if row.effect in ("loss", "new")]
    if verdict.verdict == "REGRESSED":
        found += [
            f'gatewatch accept {row.id} --reason "..." --until DATE --owner NAME' for row in verdict.rows[:1] if row.why
        ]
    if verdict.verdict == "UNDECIDED":
        found.append(f"gatewatch plan {suite}")
    if verdict.verdict == "PASS":
        found.append(f"gatewatch baseline pin {run}")
    return found
