"""The scorers of a project as people look at them: who uses each, whether it may be trusted, what it costs, how often
it fails."""

import inspect
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from msgspec import Struct

from gatewatch.config.calibrations import Kept, read_calibration
from gatewatch.config.load import FILE
from gatewatch.config.project import Project
from gatewatch.config.scorer_list import Listed, list_scorers
from gatewatch.config.stored_runs import Mark, mark_of
from gatewatch.core.errors import ConfigError, InputError, Problem, among_many
from gatewatch.offline.baseline import baseline_path, read_baseline
from gatewatch.offline.outcomes import Outcomes
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.fingerprint import changed
from gatewatch.scorers.judge import rubric_of
from gatewatch.scorers.rubric import Rubric
from gatewatch.store.base import Store

DAYS = 30.0
"""Over how many days what scorers did live is counted."""
_DAY_S = 86_400.0
_MOST_HELD = 20

Kind = Literal["judge", "composite", "rule"]


class Did(Struct, frozen=True):
    """What a scorer did: scores, those that it failed to give (`errors`), those where it had nothing to say. `where`
    says in what that was: live, or the baseline of a suite. `cost` is in US dollars, of `judged` scores; `unknown`
    calls have no known price."""

    n: int = 0
    errors: int = 0
    skipped: int = 0
    where: str = ""
    cost: float = 0.0
    judged: int = 0
    unknown: int = 0

    @property
    def share(self) -> float | None:
        """The share of errors among what it was asked; None where it was asked nothing."""
        return self.errors / (self.n + self.errors) if self.n + self.errors else None

    @property
    def each(self) -> float | None:
        """What one score cost, in US dollars; None where it is not known."""
        return None if not self.judged or self.unknown else self.cost / self.judged


class Trust(Struct, frozen=True):
    """A calibration that is kept of a scorer, when it was made, in seconds since the epoch, and why it is void, or "".
    `flaw` says why the file cannot be read."""

    kept: Kept | None = None
    at: float = 0.0
    void: str = ""
    flaw: str = ""


class Entry(Struct, frozen=True, kw_only=True):
    """A scorer in the list."""

    listed: Listed
    kind: Kind
    suites: tuple[str, ...] = ()
    monitors: tuple[str, ...] = ()
    trust: Trust = Trust()
    did: Did = Did()

    @property
    def here(self) -> bool:
        """Whether it is the project's own, or used in it."""
        return self.listed.group == "project" or bool(self.suites or self.monitors)


class Whole(Struct, frozen=True, kw_only=True):
    """All that a scorer is made of: its settings in gatewatch.toml, digests of its parts, its rubric, or its code."""

    settings: dict[str, Any]
    parts: dict[str, str]
    members: tuple[str, ...] = ()
    rubric: Rubric | None = None
    path: str = ""
    code: str = ""


class ScorerBook:
    """The scorers of a project; threads may share it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._listed: list[Listed] | None = None
        self._pinned: dict[Mark, Mapping[str, Did]] = {}
        self._lock = Lock()

    def entries(self, store: Store, now: float) -> list[Entry]:
        """Every scorer there is: the project's first, then ours by group.

        Raises:
            ConfigError: with what is wrong in the project's scorers.
        """
        with self._lock:
            if self._listed is None:
                self._listed = list_scorers(self.project)
        live = lived(store, now)
        own = self.project.scorers()
        return [self._entry(each, own.get(each.name), live.get(each.name)) for each in self._listed]

    def entry(self, store: Store, name: str, now: float) -> Entry:
        """One scorer by its name.

        Raises:
            ConfigError: there is none of that name.
        """
        every = self.entries(store, now)
        for each in every:
            if each.listed.name == name:
                return each
        names = [each.listed.name for each in every]
        raise ConfigError(Problem("scorer", f"there is no scorer {name!r}", among_many(name, names, "see the list")))

    def _entry(self, listed: Listed, scorer: Scorer | None, live: Did | None) -> Entry:
        settings, name = self.project.settings, listed.name
        suites = tuple(suite for suite, each in settings.suites.items() if name in each.scorers)
        monitors = tuple(
            monitor for monitor, each in settings.monitors.items() if name in {used.use for used in each.scorers}
        )
        kind: Kind = "rule"
        if listed.models:
            kind = "judge"
        if listed.group == "composite" or (scorer is not None and scorer.parts):
            kind = "composite"
        return Entry(
            listed=listed,
            kind=kind,
            suites=suites,
            monitors=monitors,
            trust=self._trust(listed) if kind != "rule" or listed.group == "project" else Trust(),
            did=live or self._offline(name, suites),
        )

    def _trust(self, listed: Listed) -> Trust:
        try:
            kept = read_calibration(self.project.root, listed.name)
        except InputError as error:
            return Trust(flaw=str(error.problems[0]))
        if kept is None:
            return Trust()
        at = 0.0
        with suppress(ValueError):
            at = datetime.fromisoformat(kept.at).timestamp()
        if kept.fingerprint == listed.fingerprint or not listed.fingerprint:
            return Trust(kept, at)
        parts: dict[str, str] = {}
        with suppress(ConfigError):
            parts = self.project.scorer(listed.name, FILE).identity.parts
        return Trust(kept, at, f"{', '.join(changed(kept.parts, parts)) or 'its version'} changed since")

    def _offline(self, name: str, suites: tuple[str, ...]) -> Did:
        """What it did in the first pinned baseline that has it."""
        for suite in suites:
            path = baseline_path(self.project.root, suite)
            mark = mark_of(path)
            if mark not in self._pinned:
                if len(self._pinned) >= _MOST_HELD:
                    self._pinned.clear()
                found: Mapping[str, Did] = {}
                with suppress(InputError):
                    found = _of_baseline(read_baseline(path), suite) if path.is_file() else {}
                self._pinned[mark] = found
            if name in self._pinned[mark]:
                return self._pinned[mark][name]
        return Did()

    def whole(self, name: str) -> Whole:
        """What a scorer is made of.

        Raises:
            ConfigError: it cannot be made.
        """
        own = self.project.scorers().get(name)
        scorer = own
        if scorer is None:
            with suppress(ConfigError):
                scorer = self.project.named(name, "scorer")
        if scorer is None:
            return Whole(settings={}, parts={})
        with suppress(ConfigError):
            scorer = self.project.bound(scorer)
        rubric = rubric_of(scorer)
        path = ""
        if rubric is not None and rubric.path:
            file = Path(rubric.path.partition("#")[0])
            for folder in (Path.cwd(), self.project.root):
                with suppress(ValueError):
                    if (folder / file).is_file():
                        path = (folder / file).resolve().relative_to(self.project.root.resolve()).as_posix()
        code = ""
        if own is not None and rubric is None and name not in self.project.settings.scorers:
            with suppress(OSError, TypeError):
                code = inspect.getsource(scorer.fn)
        return Whole(
            settings=dict(self.project.settings.scorers.get(name, {})),
            parts=dict(scorer.identity.parts),
            members=tuple(part.name for part in scorer.parts),
            rubric=rubric,
            path=path,
            code=code,
        )


def _of_baseline(found: Outcomes, suite: str) -> dict[str, Did]:
    counts: dict[str, list[int]] = {name: [0, 0, 0] for name in found.scorers}
    for outcome in found.cases.values():
        for trial in outcome.trials:
            for name, mark in trial.scores.items():
                if name in counts:
                    counts[name][{"scorer_error": 1, "skipped": 2}.get(mark.status, 0)] += 1
    return {name: Did(n, errors, skipped, f"baseline of {suite}") for name, (n, errors, skipped) in counts.items()}


def lived(store: Store, now: float) -> dict[str, Did]:
    """What each scorer did live in the last 30 days, by its name, whatever its fingerprint was."""
    counts: dict[str, list[int]] = {}
    since = now - DAYS * _DAY_S
    for flow in store.flows():
        for cell in store.cells(flow, "day", since, now):
            if cell.source in ("rule", "judge"):
                found = counts.setdefault(cell.scorer, [0, 0, 0])
                found[0] += cell.n
                found[1] += cell.unknown
                found[2] += cell.skipped
    money: dict[str, list[float]] = {}
    for spent in store.spend(since, now):
        if spent.kind == "judge":
            sums = money.setdefault(spent.scorer, [0.0, 0, 0])
            sums[0] += spent.cost
            sums[1] += spent.scores
            sums[2] += spent.unknown
    return {
        name: Did(n, errors, skipped, "live", *_money(money.get(name))) for name, (n, errors, skipped) in counts.items()
    }


def _money(sums: list[float] | None) -> tuple[float, int, int]:
    return (0.0, 0, 0) if sums is None else (sums[0], int(sums[1]), int(sums[2]))
