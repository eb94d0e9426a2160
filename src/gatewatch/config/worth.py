"""What scorers found for what they cost: alerts, regressions that a gate saw, failures that were mined by them."""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from gatewatch.config.costs import Line, Spend, put_together
from gatewatch.config.project import Project
from gatewatch.config.stored_runs import StoredRun, StoredRuns
from gatewatch.config.verdicts import verdict_of
from gatewatch.store.base import Store

_ALERTS = 1000
_VERDICTS = 500


class Worth(Struct, frozen=True, kw_only=True):
    """A scorer: what it cost, live and offline, and what it found in the same time.

    `alerts` is how many were told of it, `regressions` how many runs a gate found worse by it, `failures` how many were
    mined by what it said.
    """

    scorer: str
    line: Line
    live: float
    alerts: int = 0
    regressions: int = 0
    failures: int = 0

    @property
    def found(self) -> int:
        """All that it found."""
        return self.alerts + self.regressions + self.failures

    @property
    def each(self) -> float | None:
        """What each of these cost; None where nothing was found, or the price is not known."""
        return self.line.cost / self.found if self.found and not self.line.unknown else None


class Regressions:
    """Reads of which scorers a gate said that a run was worse, each run's verdict once."""

    def __init__(self, runs: StoredRuns) -> None:
        self._runs = runs
        self._held: dict[str, tuple[str, ...]] = {}

    def between(self, since: float, until: float) -> Counter[str]:
        """How many runs of a window each scorer found worse, of those whose verdict is kept here."""
        project = self._runs.project
        found: Counter[str] = Counter()
        if project is not None:
            for run in self._runs.listed()[:_VERDICTS]:
                if since <= run.at < until and run.path is not None:
                    found.update(self._of(project, run))
        return found

    def _of(self, project: Project, run: StoredRun) -> tuple[str, ...]:
        if run.key not in self._held:
            scorers = verdict_of(project, run.header.run).get("scorers", {})
            worse = [name for name, each in scorers.items() if each.get("verdict") == "REGRESSED"]
            if len(self._held) > 10 * _VERDICTS:
                self._held.clear()
            if not scorers:  # a gate may still say something of it
                return ()
            self._held[run.key] = tuple(worse)
        return self._held[run.key]


def worths(
    store: Store, regressions: Regressions, spends: Iterable[Spend], since: float, until: float
) -> Sequence[Worth]:
    """Every scorer that cost something in a window, the dearest first, and what it found in it."""
    paid = [each for each in spends if each.scorer]
    live = {line.key: line.cost for line in put_together((each for each in paid if each.live), "scorer")}
    alerts = Counter(
        each.name for each in store.alerts(every=True, most=_ALERTS) if since <= each.opened < until and not each.quiet
    )
    mined = Counter(
        each.sign.removeprefix("score:")
        for each in store.failures()
        if since <= each.opened < until and each.sign.startswith("score:")
    )
    worse = regressions.between(since, until)
    return [
        Worth(
            scorer=line.key,
            line=line,
            live=live.get(line.key, 0.0),
            alerts=alerts[line.key],
            regressions=worse[line.key],
            failures=mined[line.key],
        )
        for line in put_together(paid, "scorer")
    ]
