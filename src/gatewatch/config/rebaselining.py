"""Re-baselining, composed: run the grown dataset, lock what is fixed, pin, and close the failures that it guards.

Each step finds what the one before left, so that one who is stopped half-way can begin again and ends up the same.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.config.baselines import Pinned, more_trials, pinned_of, prepare_more, whole_run
from gatewatch.config.candidates import Execute, Maker
from gatewatch.config.gates import gate_by
from gatewatch.config.load import shortest
from gatewatch.config.monitors import store_of, store_there
from gatewatch.config.project import Project
from gatewatch.config.runs import Part
from gatewatch.config.sides import side_named
from gatewatch.core import codec
from gatewatch.core.case import Case, in_tier
from gatewatch.core.change import Change, ChangeState, change_name
from gatewatch.core.clock import now, wall
from gatewatch.core.errors import DatasetError, InputError, StoreError
from gatewatch.core.failure import FailureState, failure_name
from gatewatch.core.money import Cost
from gatewatch.loop.pull import baseline_change
from gatewatch.loop.rebaseline import (
    brought,
    confirmed,
    failures_fixed,
    guarding,
    locked,
    locks,
    marks_of,
    refusal,
    stated,
    still_open,
    to_confirm,
)
from gatewatch.offline.baseline import baseline_path, write_baseline
from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.dataset_edit import edit_case
from gatewatch.offline.flips import TRIES
from gatewatch.offline.gated import Gated
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.pooling import trials_of
from gatewatch.offline.result import execute, find_run
from gatewatch.store.base import Store

_GUARDED: tuple[FailureState, ...] = ("promoted",)
_PROPOSED: tuple[ChangeState, ...] = ("pending", "pulled", "merged")


class Ask(Struct, frozen=True, kw_only=True):
    """How a suite is to be re-baselined.

    `run` is one that was made already, `task` another task than the suite's, `trials` how many trials of each case it
    is to have. `even_so` pins what the gate is against. `outbox` leaves the files to `gatewatch pull`.
    """

    by: str
    reason: str
    run: str = ""
    task: str = ""
    trials: int | None = None
    even_so: bool = False
    outbox: bool = False


class Rebaselined(Struct, frozen=True, kw_only=True):
    """What came of it.

    `gated` is the verdict beside the baseline so far, None where there was none or it is of this run. `refused` says
    why nothing was pinned. `locked` are cases whose fix was confirmed, each with where it stands, `waiting` those that
    stay open. `failures` are the numbers of those that are closed. `change` waits in the outbox.
    """

    run: str
    gated: Gated | None = None
    refused: str = ""
    pinned: Pinned | None = None
    locked: dict[str, str] = {}
    waiting: tuple[str, ...] = ()
    failures: tuple[int, ...] = ()
    change: Change | None = None
    cost: Cost = Cost()
    judge_cost: Cost = Cost()
    notes: tuple[str, ...] = ()


def rebaseline(
    project: Project,
    suite: str,
    ask: Ask,
    *,
    make: Execute = execute,
    tell: Callable[[str], None] = lambda _text: None,
) -> Rebaselined:
    """Run a suite's dataset, pin the run, lock the cases whose fix it confirms, close the failures that they guard.

    Raises:
        ConfigError: with all that is wrong in the project.
        InputError: when the run cannot be a baseline, or a file cannot be written.
        NoVerdict: a judge is not calibrated where that is required.
        RunBroken: when a run could not go on.
    """
    return _Rebaselining(project, suite, ask, make, tell).done()


class _Rebaselining:
    def __init__(self, project: Project, suite: str, ask: Ask, make: Execute, tell: Callable[[str], None]) -> None:
        changes = {"trials": None if ask.run else ask.trials}
        self.maker = Maker(project, suite, changes=changes, make=make, tell=tell)
        self.project, self.suite, self.ask, self.make, self.tell = project, suite, ask, make, tell
        self.notes: list[str] = []
        self.tried: list[Outcomes] = []
        self.recorded = False

    def done(self) -> Rebaselined:
        ask, project = self.ask, self.project
        gated, after = self._judged()
        verdict = None if gated is None else gated.verdict
        refused = "" if verdict is None else refusal(verdict)
        if verdict is not None and refused and (verdict.broken or not ask.even_so):
            return Rebaselined(run="" if verdict.candidate is None else after.run, gated=gated, refused=refused)
        whole = whole_run(find_run(project.runs, str(after.path)))
        more = more_trials(
            project, whole, ask.trials if ask.run else None, make=self.make, forecast=lambda _ready: None
        )
        marks = marks_of(after)
        self._confirm(after, whole, marks)
        fixed = confirmed(after, marks, 1 if self.recorded else TRIES)
        places = {} if ask.outbox else self._locked(whole, fixed)
        pinned = self._pinned(whole, more, fixed, stated(ask.reason, verdict, refused))
        change = self._proposed(pinned) if ask.outbox else None
        if not ask.outbox:
            write_baseline(pinned.path, pinned.header, pinned.lines)
        made = [whole, *self.tried]
        return Rebaselined(
            run=whole.run,
            gated=gated,
            pinned=pinned,
            locked={case: places.get(case, "") for case in fixed},
            waiting=tuple(still_open(after, fixed)),
            failures=tuple(self._closed(after, marks, fixed, whole.run)),
            change=change,
            cost=sum((each.task_cost for each in made), Cost()),
            judge_cost=sum((each.judge_cost for each in made), Cost()),
            notes=(*self.maker.notes, *self.notes, *pinned.notes),
        )

    # The run, and what is tried again

    def _judged(self) -> tuple[Gated | None, Outcomes]:
        """The run, held against the baseline so far, if there is another one."""
        ask, project = self.ask, self.project
        given = read_run(find_run(project.runs, ask.run)) if ask.run else None
        if baseline_path(project.root, self.suite).is_file():
            if given is None or side_named(project, "baseline", self.suite).run != given.run:
                run = "" if given is None else str(given.path)
                gated = gate_by(self.maker, task=ask.task, run=run, undecided="warn", whole=True, even_so=ask.even_so)
                gated.verdict = replace(gated.verdict, next=())  # which would be to re-baseline
                return gated, gated.after
            self.notes.append(f"{given.run} is pinned already: it is not held against itself")
        if given is not None:
            return None, given
        return None, read_run(self.maker.run(self.maker.prepared(ask.task, "")).path)

    def _confirm(self, after: Outcomes, whole: Outcomes, marks: Mapping[str, float]) -> None:
        """Try open cases that passed again, one time after the other, until each was tried three times or failed."""
        for each in trials_of(self.project.runs, whole, "flips") if self.ask.run else ():
            each.cases = {case: found for case, found in each.cases.items() if whole.cases[case].open is not None}
            self._take(each, after)
        self.recorded = self._is_recording()
        for _ in range(0 if self.recorded else TRIES - 1):
            cases = to_confirm(after, marks)
            why = self._why_not_again(whole) if cases else ""
            if why:
                some = "1 open case passes" if len(cases) == 1 else f"{len(cases)} open cases pass"
                self.notes.append(f"{some}, and cannot be tried three times, which locking takes: {why}")
            if why or not cases:
                return
            what = "1 open case passed: it is" if len(cases) == 1 else f"{len(cases)} open cases passed: each is"
            self.tell(f"{what} tried again")
            part = Part(purpose="flips", of=whole.run, only=frozenset(cases))
            self._take(self.maker.more(whole.task, part, 1), after)

    def _take(self, more: Outcomes, after: Outcomes) -> None:
        self.tried.append(more)
        after.try_again(more)

    def _is_recording(self) -> bool:
        """Whether the suite's answers are recorded: there is no other to be had."""
        try:
            return not self.maker.prepared(self.ask.task, "").plan.task.timed
        except InputError:
            return False

    def _why_not_again(self, whole: Outcomes) -> str:
        try:
            if self.ask.run:
                prepare_more(self.project.anew(), whole, 1)
        except InputError as error:
            return str(error)
        return ""

    # What is written

    def _locked(self, whole: Outcomes, fixed: Collection[str]) -> dict[str, str]:
        """Where the lines stand in which cases were locked. The baseline locks those all the same that could not be."""
        path = shortest(self.project.root / self.maker.suite.dataset)
        places = {}
        for case in fixed:
            lock = partial(_lock, hash_=whole.cases[case].hash, run=whole.run)
            try:
                made = edit_case(path, case, lock)
            except DatasetError as error:
                self.notes.append(f"{case} is fixed, and its line says open still: {error}")
                continue
            if made.after.open is None:
                places[case] = f"{path}:{made.line}"
            else:
                self.notes.append(f"{path}:{made.line}: {case} was changed since it was run, and stays open")
        return places

    def _pinned(self, whole: Outcomes, more: Sequence[Outcomes], fixed: Collection[str], reason: str) -> Pinned:
        """The baseline, with the version that the dataset has now, if its cases are those that were run."""
        dataset = open_dataset(shortest(self.project.root / self.maker.suite.dataset))
        hashes = {case.id: case.hash for case in dataset if in_tier(case, whole.dataset.tier)}
        for case in fixed:
            whole.cases[case].must_pass = True
        same = hashes == {case: outcome.hash for case, outcome in whole.cases.items()}
        version = dataset.version if same else ""
        return pinned_of(self.project, whole, more=more, tried=self.tried, reason=reason, version=version)

    def _proposed(self, pinned: Pinned) -> Change:
        """The baseline, put into the outbox."""
        path = baseline_path(self.project.root, self.suite)
        data = b"".join(codec.encode(each) + b"\n" for each in (pinned.header, *pinned.lines))
        before = path.read_bytes() if path.is_file() else b""
        named = path.relative_to(self.project.root).as_posix()
        change = baseline_change(named, data, before, suite=self.suite, by=self.ask.by, at=wall())
        store = store_of(self.project)
        try:
            ((kept, new),) = store.propose([change], wall())
            if new:
                store.note(wall(), self.ask.by, "rebaseline", f"{self.suite} {change_name(kept.id)}")
            return kept
        finally:
            store.close()

    def _closed(self, after: Outcomes, marks: Mapping[str, float], fixed: Collection[str], run: str) -> list[int]:
        """The failures that were turned to "fixed": those that the store knows to be promoted, all of whose cases are
        in the files, must pass, and did, as far as they are of this suite. Numbers in a dataset say nothing: they may
        be of another store. While the baseline waits in the outbox nothing guards yet, and nothing is closed."""
        if self.ask.outbox:
            return []
        try:
            store = store_there(self.project)
        except StoreError as error:
            self.notes.append(f"failures were not closed, the store cannot be opened: {error}")
            return []
        if store is None:
            return []
        found = []
        here = self.maker.suite.dataset
        try:
            guards = _guards(store)
            mine = {number: paths[here] for number, paths in guards.items() if here in paths}
            cases = self._cases(here)
            for number in failures_fixed(mine, cases, after.cases, marks, fixed):
                if not all(self._all_lock(path, names) for path, names in guards[number].items() if path != here):
                    continue
                reason = f"{self.ask.reason} (run {run})"
                store.turn_failure(number, "fixed", who=self.ask.by, reason=reason, now=wall(), among=_GUARDED)
                store.note(wall(), self.ask.by, "fixed", f"{failure_name(number)} {run}")
                found.append(number)
        finally:
            store.close()
        return found

    def _cases(self, dataset: str) -> dict[str, Case]:
        return {case.id: case for case in open_dataset(shortest(self.project.root / dataset))}

    def _all_lock(self, dataset: str, names: Collection[str]) -> bool:
        """Whether all cases of another dataset that guard a failure must pass, too."""
        try:
            return all(map(locks, guarding(names, self._cases(dataset))))
        except DatasetError as error:
            self.notes.append(f"{dataset} cannot be read, and may have open cases of the same failure: {error}")
            return False


def _guards(store: Store) -> dict[int, dict[str, set[str]]]:
    """By promoted failure, the cases that were promoted from it, by dataset; without those of which one waits."""
    found: dict[int, dict[str, set[str]]] = {}
    for failure in store.failures(states=_GUARDED):
        changes = store.changes(_PROPOSED, kind="case", failure=failure.id)
        if any(each.state == "pending" for each in changes):
            continue
        for each in changes:
            found.setdefault(failure.id, {}).setdefault(each.path, set()).add(brought(each))
    return found


def _lock(case: Case, *, hash_: str, run: str) -> Case:
    """A case that is locked, unless it is another by now than the one that was run."""
    return locked(case, run, now().date()) if case.hash == hash_ else case
