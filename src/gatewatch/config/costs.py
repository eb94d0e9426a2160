"""What a project costs, live and offline, by day: the application, judges, embeddings, and what the cache spared."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Literal

from msgspec import Struct

from gatewatch.config.project import Project
from gatewatch.config.stored_runs import StoredRun, StoredRuns
from gatewatch.core.errors import InputError, StoreError
from gatewatch.offline.paid import RunPaid, run_paid
from gatewatch.online.monitor import DAY_S
from gatewatch.online.monitor_costs import month_ahead, whole_days
from gatewatch.online.spending import month_of
from gatewatch.stats.intervals import Interval
from gatewatch.store.base import Store

Kind = Literal["app", "judge", "embedding"]
KINDS: tuple[Kind, ...] = ("judge", "embedding", "app")
"""In the order in which they are stacked: what a budget is for lies at the bottom."""
Key = Literal["kind", "flow", "scorer", "model", "run", "day"]
_MOST_HELD = 3000
_LONGEST = 200_000_000
_PATIENCE_S = 1.5


class Spend(Struct, frozen=True, kw_only=True):
    """Money of one day, in US dollars, without `unknown` calls, whose price is not known.

    `flow` is that of live requests, `run` and `suite` are of what was run offline; `scorer` is "" for the application.
    `saved` is what replies out of the reply cache would have cost. `scores` came of judges' calls, `rows` are those of
    a run, told once.
    """

    day: float
    kind: Kind
    flow: str = ""
    suite: str = ""
    run: str = ""
    scorer: str = ""
    model: str = ""
    calls: int = 0
    cost: float = 0.0
    unknown: int = 0
    saved: float = 0.0
    unsaid: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    scores: int = 0
    rows: int = 0

    @property
    def live(self) -> bool:
        """Whether it was spent on live traffic."""
        return not self.run


class Line(Struct, kw_only=True):
    """Money of some days put together, by a key: see `Spend`."""

    key: str
    calls: int = 0
    cost: float = 0.0
    unknown: int = 0
    saved: float = 0.0
    unsaid: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    scores: int = 0
    rows: int = 0
    by_kind: dict[str, float] = {}

    def add(self, each: Spend) -> None:
        """Put some money to it."""
        self.calls += each.calls
        self.cost += each.cost
        self.unknown += each.unknown
        self.saved += each.saved
        self.unsaid += each.unsaid
        self.input_tokens += each.input_tokens
        self.output_tokens += each.output_tokens
        self.scores += each.scores
        self.rows += each.rows
        self.by_kind[each.kind] = self.by_kind.get(each.kind, 0.0) + each.cost

    @property
    def told(self) -> float | None:
        """What it cost; None where all of it is unknown."""
        return None if self.unknown and self.unknown >= self.calls else self.cost

    @property
    def per_score(self) -> float | None:
        """What a score cost, at least where some calls are `unknown`; None where nothing is known, or there is none."""
        return self.cost / self.scores if self.scores and self.told is not None else None

    @property
    def per_row(self) -> float | None:
        """What a row of a run cost, at least where some calls are `unknown`; None where nothing is known, or there is
        none."""
        return self.cost / self.rows if self.rows and self.told is not None else None


class Ahead(Struct, frozen=True, kw_only=True):
    """What this month comes to if days go on as up to 28 whole ones did: so far, by its end, and the 95 % interval for
    days that differ as those did (None with fewer than 3 of them)."""

    month: float
    end: float | None
    interval: Interval | None
    days: int


class RunCosts:
    """Reads what runs cost, each once for as long as its journal stays as it is; threads may share it."""

    def __init__(self, runs: StoredRuns) -> None:
        self._runs = runs
        self._held: dict[str, RunPaid | None] = {}

    def between(self, since: float, until: float, embeds: Callable[[str], bool]) -> tuple[list[Spend], int]:
        """What runs of a window cost, and how many there was no time to read now.

        Args:
            since: from when on, in seconds since the epoch.
            until: up to when.
            embeds: whether a model, by its name, embeds texts.
        """
        found: list[Spend] = []
        late, end = 0, monotonic() + _PATIENCE_S
        for each in self._runs.listed(parts=True):
            at = _began(each)
            if not since <= at < until:
                continue
            if each.key not in self._held:
                if monotonic() > end or each.size > _LONGEST:
                    late += 1
                    continue
                self._keep(each)
            paid = self._held[each.key]
            if paid is not None:
                found += _spends(each, paid, at - at % DAY_S, embeds)
        return found, late

    def _keep(self, run: StoredRun) -> None:
        if len(self._held) >= _MOST_HELD:
            self._held.clear()
        try:
            self._held[run.key] = run_paid(Path(self._runs.journal(run)))
        except (InputError, StoreError, OSError):  # it is gone, or no run's any more
            self._held[run.key] = None


def _spends(run: StoredRun, paid: RunPaid, day: float, embeds: Callable[[str], bool]) -> Iterable[Spend]:
    left = paid.rows
    for each in paid.paid:
        kind: Kind = "app" if each.kind == "task" else "embedding" if embeds(each.model) else "judge"
        yield Spend(
            day=day,
            kind=kind,
            suite=run.header.suite,
            run=run.header.run,
            scorer=each.scorer,
            model=each.model,
            calls=each.calls,
            cost=each.cost,
            unknown=each.unknown,
            saved=each.saved,
            unsaid=each.unsaid,
            input_tokens=each.input_tokens,
            output_tokens=each.output_tokens,
            scores=each.scores,
            rows=left,
        )
        left = 0


def _began(run: StoredRun) -> float:
    try:
        return datetime.fromisoformat(run.header.started).timestamp()
    except ValueError:
        return run.at


def live_costs(store: Store, since: float, until: float, embeds: Callable[[str], bool]) -> list[Spend]:
    """What live traffic of a window cost: of whole days, as they are kept."""
    return [
        Spend(
            day=cell.day,
            kind="app" if cell.kind == "task" else "embedding" if embeds(cell.model) else "judge",
            flow=cell.flow,
            scorer=cell.scorer,
            model=cell.model,
            calls=cell.calls,
            cost=cell.cost,
            unknown=cell.unknown,
            input_tokens=cell.input_tokens,
            output_tokens=cell.output_tokens,
            scores=cell.scores,
        )
        for cell in store.spend(since, until)
    ]


def embedders(project: Project | None) -> Callable[[str], bool]:
    """What says whether a model embeds texts: it is configured as one that does, or its provider's name says so."""
    names = set()
    if project is not None:
        settings = project.settings
        used = {str(each.get("model", "embedder")) for each in settings.scorers.values() if _is_semantic(each)}
        used |= {settings.loop.embed} if settings.loop.embed else set()
        names = {model.model for name, model in settings.models.items() if name in used or model.path}
    return lambda model: model in names or "embed" in model.lower()


def _is_semantic(options: dict[str, object]) -> bool:
    return options.get("use") == "semantic_similarity"


def put_together(spends: Iterable[Spend], key: Key) -> list[Line]:
    """Money by one key, the dearest first; what the key says nothing of stands under ""."""
    found: dict[str, Line] = {}
    for each in spends:
        name = f"{datetime.fromtimestamp(each.day, UTC):%Y-%m-%d}" if key == "day" else str(getattr(each, key))
        if name not in found:
            found[name] = Line(key=name)
        found[name].add(each)
    return sorted(found.values(), key=lambda line: (-line.cost, -line.unknown, line.key))


def whole(spends: Iterable[Spend]) -> Line:
    """All of some money."""
    found = Line(key="")
    for each in spends:
        found.add(each)
    return found


def ahead(spends: Sequence[Spend], now: float) -> Ahead:
    """What this month comes to: `spends` are of it, and of 28 days before today at least."""
    first, after = month_of("", now)
    today = now - now % DAY_S
    days: dict[float, float] = {}
    for each in spends:
        days[each.day] = days.get(each.day, 0.0) + each.cost
    month = sum(cost for day, cost in days.items() if day >= first)
    before = whole_days(days, today)
    end, interval = month_ahead(before, (after - now) / DAY_S, month)
    return Ahead(month=month, end=end, interval=interval, days=len(before))
