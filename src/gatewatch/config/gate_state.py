"""How the gate of each suite stands: the last run of what is in use, what is blocked, whether the baseline is due."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from msgspec import Struct

from gatewatch.config.dataset_state import DatasetState, DatasetStates
from gatewatch.config.joining import BASELINE, Joining, Sides
from gatewatch.config.mainline import Mainline
from gatewatch.config.run_briefs import RunBrief
from gatewatch.config.stored_runs import Mark, StoredRun, mark_of
from gatewatch.core.errors import GatewatchError, InputError
from gatewatch.offline.baseline import read_baseline
from gatewatch.offline.compare import COMMIT
from gatewatch.offline.matrix import Cell, cell
from gatewatch.offline.outcomes import Outcomes

BLOCKED_S = 14 * 86_400.0
"""For how long, in seconds, a candidate that was blocked, and not tried since, is told of."""
_HISTORY = 14
_CANDIDATES = 8
_SMALL = 4_000_000
"""Up to how many bytes of journal a verdict that no gate kept is worked out here."""
_PATIENCE_S = 0.4

On = Literal["main", "task", "newest"]


class LastRun(Struct, frozen=True, kw_only=True):
    """The last run of what is in use, and what the gate says of it ("" where nothing can be said).

    `on` says how that is known: its commit is in the "main" branch; it is of the suite's own "task"; or it is only the
    "newest". `cell` is the first gating scorer's, beside the pinned baseline. `pinned`: the baseline is made of it.
    """

    run: str
    name: str
    at: float
    state: str
    word: str
    on: On
    cell: Cell | None
    failed: int = 0
    pinned: bool = False


class Blocked(Struct, frozen=True):
    """A candidate whose newest run the gate fails."""

    run: str
    name: str
    at: float


class PinnedState(Struct, frozen=True, kw_only=True):
    """The pinned baseline of a suite: since when, of which run, its first gating scorer, and why it is due to be pinned
    anew (empty: it is not)."""

    run: str
    at: float | None
    cell: Cell | None
    due: tuple[str, ...] = ()


class GateState(Struct, frozen=True, kw_only=True):
    """How the gate of a suite stands. `scorer` is the first that gates; `history` has its means over the last runs of
    what is in use, the oldest first (None: unknown); `sizes` how many cases each of these had."""

    suite: str
    scorer: str
    last: LastRun | None
    history: tuple[float | None, ...] = ()
    sizes: tuple[int, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    pinned: PinnedState | None = None
    dataset: DatasetState | None = None
    flaw: str = ""


class GateStates:
    """Tells how gates stand; what is read from files is held for as long as these stay as they are.

    Args:
        joining: the runs of a project, and their comparisons.
    """

    def __init__(self, joining: Joining) -> None:
        self._joining = joining
        self._runs = joining.runs
        self._briefs = joining.briefs
        self._datasets = DatasetStates()
        self._baselines: dict[Mark, Outcomes | str] = {}
        self._words: dict[tuple[object, ...], str] = {}
        root = None if self._runs.project is None else self._runs.project.root
        self._mainline = Mainline(root)

    def every(self, now: float) -> list[GateState]:
        """Every suite that the project has, or of which there are runs, by name.

        Raises:
            StoreError: the store cannot be read.
        """
        project = self._runs.project
        listed = self._runs.listed()
        names = dict.fromkeys([*(project.settings.suites if project else ()), *(each.header.suite for each in listed)])
        return [self._one(name, [e for e in listed if e.header.suite == name], now) for name in sorted(names) if name]

    def _one(self, suite: str, runs: list[StoredRun], now: float) -> GateState:
        project = self._runs.project
        settings = None if project is None else project.settings.suites.get(suite)
        own = [each for each in runs if settings is None or each.header.task == settings.task]
        newest, on = self._last(own or runs, bool(own) and settings is not None)
        scorer = _first(settings.gate.primary, settings.scorers) if settings else ""
        if not scorer and newest is not None:
            scorer = next(iter(newest.header.scorers), "")
        pinned, flaw = self._pinned(suite)
        mark = self._mark(suite)
        dataset = None
        if project is not None and settings is not None:
            dataset = self._datasets.of(project.root / settings.dataset, settings.dataset, pinned, mark, now)
        if newest is None:
            told = None if pinned is None else _told(pinned, scorer, _due(pinned, dataset, None, ()))
            return GateState(suite=suite, scorer=scorer, last=None, pinned=told, dataset=dataset, flaw=flaw)
        line = [newest, *(each for each in own or runs if each.at < newest.at)][:_HISTORY]
        briefs = self._briefs.of(line, seconds=_PATIENCE_S)
        gating = settings.scorers if settings else ()
        due = () if pinned is None else _due(pinned, dataset, newest, gating)
        return GateState(
            suite=suite,
            scorer=scorer,
            last=self._told(newest, briefs[0], on, scorer),
            history=tuple(_mean(each, scorer) for each in reversed(briefs)),
            sizes=tuple(each.header.dataset.cases for each in reversed(line)),
            blocked=tuple(self._blocked(runs, newest, now)),
            pinned=None if pinned is None else _told(pinned, scorer, due),
            dataset=dataset,
            flaw=flaw,
        )

    def _last(self, runs: Sequence[StoredRun], of_task: bool) -> tuple[StoredRun | None, On]:
        """The newest run of what is in use: by its commit where git can tell."""
        for each in runs[:_CANDIDATES]:
            if self._mainline.has(each.header.components.get(COMMIT, "")):
                return each, "main"
        return (runs[0] if runs else None), "task" if of_task else "newest"

    def _told(self, run: StoredRun, brief: RunBrief | None, on: On, scorer: str) -> LastRun:
        pinned = brief is not None and brief.pinned
        return LastRun(
            run=run.header.run,
            name=run.header.name or run.header.task,
            at=run.at,
            state=brief.state if brief else "",
            word=(brief.word if brief else "") or ("" if pinned else self._word(run)),
            on=on,
            cell=brief.scorers.get(scorer) if brief else None,
            failed=brief.failed if brief else 0,
            pinned=pinned,
        )

    def _blocked(self, runs: Sequence[StoredRun], last: StoredRun, now: float) -> Iterable[Blocked]:
        """Candidates beside what is in use, each by its newest run, that the gate fails."""
        mine = (last.header.name, last.header.task)
        seen = {mine}
        for each in runs:
            label = (each.header.name, each.header.task)
            if label in seen or each.at < now - BLOCKED_S or len(seen) > _CANDIDATES:
                continue
            seen.add(label)
            (brief,) = self._briefs.of([each], seconds=_PATIENCE_S)
            word = brief.word if brief else ""
            if (word or self._word(each)) == "REGRESSED":
                yield Blocked(each.header.run, each.header.name or each.header.task, each.at)

    def _word(self, run: StoredRun) -> str:
        """What a gate would say of a run that none was asked about here, beside the pinned baseline; "" for nothing."""
        mark = self._mark(run.header.suite)
        if mark is None or run.size > _SMALL:
            return ""
        key = (run.key, mark, self._runs.rules())
        if key not in self._words:
            try:
                found: str = self._joining.verdict(Sides(BASELINE, run.header.run, run.header.suite)).verdict
            except GatewatchError:
                found = ""
            if len(self._words) > 500:
                self._words.clear()
            self._words[key] = found
        return self._words[key]

    def _mark(self, suite: str) -> Mark | None:
        path = self._path(suite)
        return None if path is None else mark_of(path)

    def _path(self, suite: str) -> Path | None:
        return self._runs.baseline(suite)

    def _pinned(self, suite: str) -> tuple[Outcomes | None, str]:
        """The pinned baseline, and why it cannot be read."""
        path = self._path(suite)
        if path is None:
            return None, ""
        mark = mark_of(path)
        if mark not in self._baselines:
            if len(self._baselines) > 20:
                self._baselines.clear()
            try:
                self._baselines[mark] = read_baseline(path)
            except InputError as error:
                self._baselines[mark] = str(error.problems[0])
        found = self._baselines[mark]
        return (None, found) if isinstance(found, str) else (found, "")


def _first(primary: str | Sequence[str], scorers: Sequence[str]) -> str:
    """The first scorer that gates."""
    if isinstance(primary, str) and primary:
        return primary
    return next(iter([*(primary if not isinstance(primary, str) else ()), *scorers]), "")


def _told(pinned: Outcomes, scorer: str, due: tuple[str, ...]) -> PinnedState:
    found = cell(pinned, scorer) if scorer in pinned.scorers else None
    return PinnedState(run=pinned.run, at=_moment(pinned.pinned), cell=found, due=due)


def _due(
    pinned: Outcomes, dataset: DatasetState | None, last: StoredRun | None, scorers: Iterable[str]
) -> tuple[str, ...]:
    """What a baseline was measured on that is another now."""
    found = []
    if dataset is not None and not dataset.flaw:
        if dataset.new:
            found.append(f"{dataset.new:,} {'case is' if dataset.new == 1 else 'cases are'} new or changed")
        if dataset.gone:
            found.append(f"{dataset.gone:,} {'case is' if dataset.gone == 1 else 'cases are'} gone")
    rulers = {} if last is None else last.header.scorers
    for name in dict.fromkeys([*scorers, *rulers]):
        before, after = pinned.scorers.get(name), rulers.get(name)
        if before is None:
            found.append(f"it does not have {name}")
        elif after is not None and after.fingerprint != before.fingerprint:
            found.append(f"{name} is another version")
    return tuple(found)


def _mean(brief: RunBrief | None, scorer: str) -> float | None:
    found = brief.scorers.get(scorer) if brief else None
    return None if found is None else found.mean


def _moment(text: str) -> float | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
