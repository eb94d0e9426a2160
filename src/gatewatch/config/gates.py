"""From a suite to a gate's verdict: which baseline, which candidate, what may be run again, and by what rule."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.config.load import FILE, shortest
from gatewatch.config.parts import budget_of
from gatewatch.config.project import Problems, Project
from gatewatch.config.runs import Part, prepare_suite, suite_settings
from gatewatch.config.settings import GateSettings, SuiteSettings
from gatewatch.core.errors import ConfigError, InputError, NoVerdict, Problem, did_you_mean
from gatewatch.core.money import dollars
from gatewatch.core.run import RunHeader
from gatewatch.offline.accept import FILE as ACCEPTED
from gatewatch.offline.accept import Exceptions, read_exceptions
from gatewatch.offline.baseline import baseline_path, is_baseline, read_baseline
from gatewatch.offline.compare import COMMIT, Comparison
from gatewatch.offline.flips import LEAST_HISTORY, Again, eligible
from gatewatch.offline.gate import Rule, decide
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.pooling import earlier_runs, pooled
from gatewatch.offline.reach import reach
from gatewatch.offline.result import SUFFIX, Prepared, RunResult, execute, find_run
from gatewatch.offline.stopping import LEAST_CASES, Look, Stopping, fair_order
from gatewatch.offline.verdict import Verdict

SPENT_AT = (0.2, 0.6, 1.0)
"""With `undecided = "spend"`: the shares of all information at the looks with 1, 3 and 5 trials on both sides."""
_TRIALS_MORE = 2

Execute = Callable[..., RunResult]
"""How a prepared run is made: `offline.result.execute`, or that with a display around it."""


def points(value: float | str, where: str) -> float:
    """A share of 1 from a number, or from text such as "5pp".

    Raises:
        ConfigError: when it is neither.
    """
    if isinstance(value, str):
        text = value.strip().removesuffix("pp").strip()
        try:
            value = float(text) / 100
        except ValueError:
            raise ConfigError(Problem(where, f'expected 0.05 or "5pp", got {value!r}')) from None
    if not 0.0 <= value < 1.0:
        raise ConfigError(
            Problem(where, f"must be 0 or more and below 1, got {value:g}", '0.05 is five points, as is "5pp"')
        )
    return float(value)


def rule_of(settings: GateSettings, scorers: Sequence[str], where: str) -> Rule:
    """The rule that a suite's `gate` table states.

    Raises:
        ConfigError: with all that is wrong in it.
    """
    problems = Problems()
    primary = (settings.primary,) if isinstance(settings.primary, str) else settings.primary
    primary = tuple(name for name in primary if name)
    for key, names in (("primary", primary), ("min", tuple(settings.min))):
        problems += [
            Problem(f"{where}.{key}", f"{name!r} is not a scorer of this suite", did_you_mean(name, scorers))
            for name in names
            if name not in scorers
        ]
    max_drop = min_effect = 0.0
    max_cost: float | None = None
    with problems.gather():
        max_drop = points(settings.max_drop, f"{where}.max_drop")
    with problems.gather():
        min_effect = points(settings.min_effect, f"{where}.min_effect")
    with problems.gather():
        max_cost = budget_of(settings.max_cost, f"{where}.max_cost")
    problems.raise_any()
    return Rule(
        primary=primary,
        slices=settings.slices,
        alpha=settings.alpha,
        max_drop=max_drop,
        min_effect=min_effect,
        floors=settings.min,
        max_cost=max_cost,
        max_latency=settings.max_latency,
        undecided=settings.undecided,
    )


def side_named(project: Project, reference: str, suite: str) -> Outcomes:
    """The outcomes of "baseline" (the suite's pinned one), of a file, or of a run by its id or name.

    Raises:
        NoVerdict: when the baseline is meant and there is none.
        InputError: when nothing is meant, or it cannot be read.
    """
    path = baseline_path(project.root, suite)
    if reference == "baseline":
        if not path.is_file():
            raise NoVerdict(
                f"there is no baseline {shortest(path)}: make a run that is good (`gatewatch run {suite}`), then "
                f"`gatewatch baseline pin {suite}`"
            )
        return read_baseline(shortest(path))
    named = Path(reference)
    if reference.endswith(SUFFIX) and named.is_file():
        return read_baseline(named) if is_baseline(named) else read_run(named)
    return read_run(find_run(project.runs, reference))


class Gate(Struct, frozen=True, kw_only=True):
    """A gate that was run: its verdict, and the two sides, for reports that show more of them."""

    verdict: Verdict
    before: Outcomes
    after: Outcomes
    places: dict[str, str] = {}


def gate_suite(
    project: Project,
    name: str,
    *,
    task: str = "",
    run: str = "",
    against: str = "baseline",
    label: str = "",
    budget: str | None = None,
    make: Execute = execute,
    tell: Callable[[str], None] = lambda _text: None,
) -> Gate:
    """Hold a candidate of a suite against the baseline; it is run first unless a run is named.

    Args:
        project: the project.
        name: the suite.
        task: another task in the place of the suite's.
        run: a run that was made already: its id, name or file.
        against: "baseline", or another run, or a file.
        label: a name for the candidate's run.
        budget: the most that the candidate's run may cost, in place of the suite's.
        make: makes a prepared run.
        tell: is told what goes on.

    Raises:
        ConfigError: with all that is wrong in the project.
        NoVerdict: when there is no baseline.
        RunBroken: when a run could not go on.
    """
    return _Gating(project, name, make, tell).gate(task=task, run=run, against=against, label=label, budget=budget)


class _Gating:
    def __init__(self, project: Project, name: str, make: Execute, tell: Callable[[str], None]) -> None:
        self.project = project
        self.name = name
        self.make = make
        self.tell = tell
        self.suite: SuiteSettings = suite_settings(project, name)
        self.rule = rule_of(self.suite.gate, self.suite.scorers, f"{FILE}: suites.{name}.gate")
        self.exceptions = exceptions_of(project, name)
        self.notes: list[str] = []

    def gate(self, *, task: str, run: str, against: str, label: str, budget: str | None) -> Gate:
        before = side_named(self.project, against, self.name)
        if run:
            path = find_run(self.project.runs, run)
            return self._judged(before, read_run(path), None, "the candidate is a stored run", {}, None)
        (ready,) = self._prepared(task, label, budget)
        early = _not_comparable(before, ready, self.rule, self.exceptions)
        if early is not None:  # said before anything is paid for
            return Gate(verdict=early, before=before, after=Outcomes.of(ready.header))
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

    def _prepared(self, task: str, label: str, budget: str | None) -> list[Prepared]:
        reference, version = reference_of(self.suite, task or self.suite.task)
        found = prepare_suite(self.project, self.name, task=reference, version=version, label=label, budget=budget)
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
    ) -> Gate:
        broken = _broken(after)
        if broken:
            verdict = decide(Comparison(before, after), self.rule, exceptions=self.exceptions)
            verdict = replace(verdict, verdict="NOT_COMPARABLE", reasons=(broken,), broken=True)
            return Gate(verdict=verdict, before=before, after=after, places=places)
        if before.pinned == "" and not before.complete:
            verdict = decide(Comparison(before, after), self.rule, exceptions=self.exceptions)
            verdict = replace(verdict, verdict="NOT_COMPARABLE", reasons=("the baseline's run is not complete",))
            return Gate(verdict=verdict, before=before, after=after, places=places)
        pool = pooled(after, earlier_runs(self.project.runs, after))
        if pool.runs:
            self.notes.append(
                f"The same commit was gated before: the trials of {pool.runs} earlier runs count as well."
            )
        spend = self.rule.undecided == "spend" and look is None
        more = self._baseline_again(before) if spend and again is not None else None
        if more is not None:
            look = Look(information=SPENT_AT, number=0)
        rule = self.rule
        verdict = decide(
            Comparison(before, pool.after), rule, again=again, why_not_again=why, exceptions=self.exceptions, look=look
        )
        if more is not None:
            before, pool.after, verdict = self._spend(before, pool.after, verdict, more, again)
        elif spend and verdict.verdict == "UNDECIDED":
            self.notes.append("No more trials were bought: the baseline's version cannot be run here.")
        verdict = self._finished(verdict, before, pool.after)
        return Gate(verdict=verdict, before=before, after=pool.after, places=places)

    def _spend(
        self, before: Outcomes, after: Outcomes, verdict: Verdict, more: Callable[[], Outcomes], again: Again | None
    ) -> tuple[Outcomes, Outcomes, Verdict]:
        """Buy more trials of all cases on both sides for as long as the verdict is open."""
        for number in range(1, len(SPENT_AT)):
            if verdict.verdict != "UNDECIDED" or verdict.refused:
                break
            self.tell(f"undecided: {_TRIALS_MORE} more trials of every case, on both sides")
            before.pool(more())
            part = Part(purpose="trials", of=after.run)
            after.pool(self._more(after.task, part, _TRIALS_MORE))
            verdict = decide(
                Comparison(before, after),
                self.rule,
                again=again,
                exceptions=self.exceptions,
                look=Look(information=SPENT_AT, number=number),
            )
        return before, after, verdict

    def _baseline_again(self, before: Outcomes) -> Callable[[], Outcomes] | None:
        """What runs the version of the baseline again, if that is to be had here: its task, with the same components."""
        reference, version = reference_of(self.suite, before.task)
        part = Part(purpose="trials", of=before.run)
        try:
            (ready,) = prepare_suite(
                self.project.anew(), self.name, task=reference, version=version, part=part, trials=1
            )
        except (InputError, ValueError):
            return None
        if not ready.plan.task.timed or _apart(ready.header.components) != _apart(before.components):
            return None
        return lambda: self._more(before.task, part, _TRIALS_MORE)

    def _finished(self, verdict: Verdict, before: Outcomes, after: Outcomes) -> Verdict:
        lines = reach(before, after, self.rule, verdict) if verdict.verdict == "UNDECIDED" else []
        stopped = f"{after.stopped} after {after.rows} of {after.expected_rows} rows" if after.stopped else ""
        return replace(
            verdict,
            remarks=(*verdict.remarks, *self.notes),
            reach=tuple(lines),
            stopped=stopped,
            next=tuple(_next(verdict, self.name, before, after)),
        )


def _apart(components: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in components.items() if name != COMMIT}


def _broken(after: Outcomes) -> str:
    """Why the candidate's run gives nothing to judge, if it does not."""
    if not after.cases:
        return "the candidate's run has no rows"
    if not after.complete and not after.stopped:
        return f"the candidate's run is partial: {after.rows} of {after.expected_rows} rows are done"
    if after.all_failed:
        return "the candidate's run has nothing but errors to show"
    return ""


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
    return replace(verdict, reasons=tuple(wrong), next=tuple(_next(verdict, ready.header.suite, before, after)))


def _next(verdict: Verdict, suite: str, before: Outcomes, after: Outcomes) -> list[str]:
    """Commands to go on with."""
    run = after.run
    if verdict.verdict == "NOT_COMPARABLE":
        if any(name.startswith("scorer ") for name in verdict.changed):
            return [f"gatewatch rescore {'baseline' if before.pinned else before.run} --suite {suite}"]
        return [f"gatewatch baseline pin {run}"] if after.cases else []
    found = [f"gatewatch show {run} --case {row.id}" for row in verdict.rows[:1] if row.effect in ("loss", "new")]
    if verdict.verdict == "REGRESSED":
        found += [f'gatewatch accept {row.id} --reason "..." --until DATE' for row in verdict.rows[:1] if row.why]
    if verdict.verdict == "UNDECIDED":
        found.append(f"gatewatch plan {suite}")
    if verdict.verdict == "PASS":
        found.append(f"gatewatch baseline pin {run}")
    return found


def reference_of(suite: SuiteSettings, spec: str) -> tuple[str, str]:
    """A task's reference, and the variant of it that is meant, from a task as a run's header has it."""
    if suite.matrix and spec.startswith(f"{suite.task} "):
        return suite.task, spec
    head, _, tail = spec.rpartition(" ")
    if suite.matrix and head and "=" in tail:
        return head, spec
    return spec, ""


def exceptions_of(project: Project, suite: str) -> Exceptions:
    """The exceptions that a project has for a suite.

    Raises:
        InputError: with all that is wrong in accepted.toml.
    """
    path = project.root / ACCEPTED
    return read_exceptions(path, suite, shown=str(shortest(path)))
