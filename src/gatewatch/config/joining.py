"""Joined diffs of a project's runs: which two are meant, by what rule, and as few of them made twice as can be."""

from pathlib import Path

from msgspec import Struct

from gatewatch.config.once import Once
from gatewatch.config.run_briefs import RunBriefs
from gatewatch.config.run_reads import RunReads
from gatewatch.config.sides import exceptions_of, rule_for
from gatewatch.config.stored_runs import StoredRun, StoredRuns, mark_of
from gatewatch.core.errors import InputError, NoVerdict, Problem
from gatewatch.offline.accept import Exceptions
from gatewatch.offline.baseline import baseline_name, read_baseline
from gatewatch.offline.gated import Gated, compared
from gatewatch.offline.joined import Joined
from gatewatch.offline.matrix import Matrix, matrix
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.verdict import Verdict

BASELINE = "baseline"
MOST = 8
"""How many comparisons are held, and"""
MOST_CASES = 400_000
"""how many cases all of them together have at most; one is held however many it has."""


class Sides(Struct, frozen=True):
    """Which two sides are compared, by names that mean them: a run's id, or "baseline"."""

    baseline: str
    candidate: str
    suite: str


class Joining:
    """Makes joined diffs, and holds the last of them; threads may share it. `runs` are those that can be joined,
    `briefs` and `reads` what there is to say of single ones."""

    def __init__(self, runs: StoredRuns) -> None:
        self.runs = runs
        self.briefs = RunBriefs(runs)
        self.reads = RunReads(runs)
        self._held: Once[Joined] = Once(MOST, weigh=lambda joined: len(joined.ids), heaviest=MOST_CASES)
        self._matrices: Once[Matrix] = Once(MOST)

    def sides(self, baseline: str = "", candidate: str = "", suite: str = "") -> Sides:
        """The two sides that are meant where one is left open: the latest run, and its suite's pinned baseline, or the
        run of that suite before it.

        Raises:
            InputError: there is no such run.
            NoVerdict: there is nothing to hold the run against.
        """
        if candidate:
            run = self.runs.named(candidate)
        else:
            fitting = [each for each in self.runs.listed() if suite in ("", each.header.suite)]
            if not fitting:
                what = f"there is no run of {suite!r}" if suite else "there are no runs"
                raise InputError(Problem("run", what, "make one with `gatewatch run SUITE`, or push one"))
            run = fitting[0]
        name = suite or baseline_name(Outcomes.of(run.header))
        if baseline and baseline != BASELINE:
            return Sides(self.runs.named(baseline).header.run, run.header.run, name)
        if self.runs.baseline(name) is not None:
            return Sides(BASELINE, run.header.run, name)
        if baseline:
            raise NoVerdict(f"there is no pinned baseline of {name}: `gatewatch baseline pin RUN` makes one")
        earlier = [each for each in self.runs.listed() if each.header.suite == run.header.suite and each.at < run.at]
        if not earlier:
            raise NoVerdict(f"{run.header.run} has nothing to be held against: no baseline, and no earlier run")
        return Sides(earlier[0].header.run, run.header.run, name)

    def joined(self, sides: Sides) -> Joined:
        """The joined diff of two sides, made once for as long as what it is made from stays as it is.

        Raises:
            InputError: one of them cannot be read, or is the other.
            StoreError: the store cannot be read.
        """
        after = self.runs.named(sides.candidate)
        pinned = self.runs.baseline(sides.suite) if sides.baseline == BASELINE else None
        before = None if pinned is not None else self.runs.named(sides.baseline)
        state = mark_of(pinned) if pinned is not None else before.key if before is not None else ""
        key = (state, after.key, self.runs.rules())
        joined = self._held.get(key, lambda: self._made(sides, before, after))
        # Texts are read from the journals, and copies of these may have been let go of since.
        for each in (before, after):
            if each is not None:
                self.runs.journal(each)
        if pinned is not None and joined.origin is not None:
            self._journal_of(joined.before.run)
        return joined

    def verdict(self, sides: Sides) -> Verdict:
        """What a gate would say of two sides that runs nothing again; it is not held.

        Raises:
            InputError: one of them cannot be read, or is the other.
            StoreError: the store cannot be read.
        """
        before = None if sides.baseline == BASELINE else self.runs.named(sides.baseline)
        return self._gated(sides, before, self.runs.named(sides.candidate)).verdict

    def matrix(self, names: list[str]) -> Matrix:
        """Several runs beside the first of them.

        Raises:
            InputError: one of them cannot be read.
        """
        found = [self.runs.named(name) for name in names]
        return self._matrices.get(
            (*(each.key for each in found), self.runs.rules()),
            lambda: matrix(
                [read_run(self.runs.journal(each)) for each in found], lambda side: rule_for(self.runs.project, side)
            ),
        )

    def _made(self, sides: Sides, first: StoredRun | None, second: StoredRun) -> Joined:
        gated = self._gated(sides, first, second)
        project = self.runs.project
        return Joined(gated, Exceptions() if project is None else exceptions_of(project, gated.after.suite))

    def _gated(self, sides: Sides, first: StoredRun | None, second: StoredRun) -> Gated:
        runs = self.runs
        after = read_run(runs.journal(second))
        if first is None:
            pinned = runs.baseline(sides.suite)
            assert pinned is not None
            before = read_baseline(pinned)
            journal = self._journal_of(before.run)
        else:
            before, journal = read_run(runs.journal(first)), None
        if after.run == before.run:  # as `compare` has it: runs that a baseline has outcomes of may be held against it
            raise InputError(Problem(after.run, "is what it would be held against", "name another run"))
        return compared(before, after, rule=rule_for(runs.project, after), journal=journal)

    def _journal_of(self, run: str) -> Path | None:
        """The journal of the run that a baseline was made from, as far as it is still there."""
        try:
            return self.runs.journal(self.runs.named(run))
        except InputError:
            return None
