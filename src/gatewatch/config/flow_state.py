"""How each flow of live traffic stands: its score against the baseline, what is sampled, what waits, what was told."""

from collections.abc import Sequence

from msgspec import Struct

from gatewatch.config.live import Asked, Live, Queue, flows_of, live
from gatewatch.config.project import Project
from gatewatch.config.shown import told_of
from gatewatch.core.watch import Alert
from gatewatch.online.beside import Beside
from gatewatch.online.monitor import DAY_S
from gatewatch.online.window import Figure
from gatewatch.online.worker import ENDED
from gatewatch.store.base import Store

WEEK_DAYS, MONTH_DAYS = 7, 30
WORKING_S = 60.0
"""After how many seconds without a sign of life a worker is not taken to be at work."""
_SEEN_S = DAY_S


class FlowState(Struct, frozen=True, kw_only=True):
    """How a flow stood in the last seven days. `scorer` is the one that is laid beside the baseline ("" for none),
    `means` its means by day (None: unknown). `requests` is about how many there were, `newest` when the last came
    (seconds since the epoch), `alerts` what was told of and is not resolved.
    """

    flow: str
    monitor: str
    scorer: str
    total: Figure | None
    beside: Beside | None
    means: tuple[float | None, ...]
    requests: float
    queue: Queue
    newest: float | None
    alerts: tuple[Alert, ...]

    @property
    def difference(self) -> float | None:
        """Live less the baseline's, where the two can be held against each other."""
        return None if self.beside is None else self.beside.difference

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """The 95 % interval of the difference."""
        found = None if self.beside is None else self.beside.interval
        return (None, None) if found is None else (found.low, found.high)

    @property
    def sampled(self) -> float | None:
        """The share of requests that the scorer scored; None where there is nothing to share."""
        return min(1.0, self.queue.scored / self.queue.requests) if self.scorer and self.queue.requests else None

    @property
    def fell(self) -> bool:
        """Whether it is surely below the baseline."""
        return self.ends[1] is not None and self.ends[1] < 0

    @property
    def gravity(self) -> tuple[int, float]:
        """By what flows are ordered, the gravest first: alerts, then a sure fall, then how far it fell."""
        page = sum(each.severity == "page" for each in self.alerts)
        return -(4 * bool(page) + 2 * bool(self.alerts) + self.fell), self.difference or 0.0


class Workers(Struct, frozen=True):
    """The workers of the last day: how many are at work, when one was last heard of (seconds since the epoch; None:
    never in that time), and whether that one ended as it should."""

    at_work: int
    heard: float | None
    ended: bool


def flow_state(store: Store, project: Project | None, flow: str, now: float) -> FlowState:
    """How a flow stands; its cost is in the number of days, not of requests or scores."""
    found = week(store, project, flow, now)
    days = dict(found.points)
    first = found.asked.since - found.asked.since % DAY_S
    means = [days.get(first + n * DAY_S) for n in range(int((now - first) // DAY_S) + 1)]
    return FlowState(
        flow=flow,
        monitor=monitor_of(project, flow),
        scorer=found.ruler.scorer if found.ruler else "",
        total=found.total,
        beside=found.beside,
        means=tuple(None if each is None else each.estimate.mean for each in means),
        requests=found.signals.every,
        queue=found.queue,
        newest=store.newest([flow]).get(flow),
        alerts=told_of(store, flow),
    )


def week(store: Store, project: Project | None, flow: str, now: float) -> Live:
    """The last seven days of a flow, by day, without what only Monitor draws."""
    wish = Asked(flow=flow, since=now - WEEK_DAYS * DAY_S, until=now + 1, tier="day")
    return live(store, project, wish, drawn=False)


def month(store: Store, project: Project | None, flow: str, scorer: str, now: float) -> Live:
    """The last thirty days of a flow and a scorer of it, by day."""
    since = now - MONTH_DAYS * DAY_S
    return live(store, project, Asked(flow=flow, scorer=scorer, since=since, until=now + 1, tier="day"))


def monitor_of(project: Project | None, flow: str) -> str:
    """The monitor that watches a flow, "" for none that is known."""
    if project is None:
        return ""
    return next((name for name, each in project.settings.monitors.items() if each.flow == flow), "")


def watched(store: Store, project: Project | None, most: int) -> Sequence[str]:
    """The flows that are told of: those that are watched, then others that there are requests of."""
    return flows_of(store, project)[:most]


def workers(store: Store, now: float) -> Workers:
    """Who is at work."""
    heard = store.workers(now - _SEEN_S).values()
    last = max(heard, key=lambda each: each.at, default=None)
    at_work = sum(each.note != ENDED and abs(now - each.at) < WORKING_S for each in heard)
    return Workers(at_work, None if last is None else last.at, last is not None and last.note == ENDED)
