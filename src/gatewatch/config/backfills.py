"""A back-fill before it starts: what it would see, and what that would probably cost."""

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from msgspec import Struct

from gatewatch.config.forecast import cost_of_call
from gatewatch.config.monitors import historian
from gatewatch.config.project import Problems, Project
from gatewatch.core import codec, marks
from gatewatch.core.errors import InputError, Problem, did_you_mean
from gatewatch.core.rates import Rule
from gatewatch.core.trace import Trace
from gatewatch.online.backfill import reaching, wanted
from gatewatch.online.monitor import DAY_S, Watch
from gatewatch.online.sample import facts_of, judged_cells
from gatewatch.scorers.base import Scorer
from gatewatch.stats.intervals import t_mean

if TYPE_CHECKING:
    from gatewatch.store.base import Store
    from gatewatch.store.filling import Backfill
    from gatewatch.store.rows import Row

_AT_ONCE = 2000
_LOOKED_AT = 100
_KNOWN_DAYS = 30
_ENOUGH = 5  # scores, for a day's mean


class Asked(Struct, frozen=True, kw_only=True):
    """What a back-fill is to see: the requests of a flow that are numbered from the first to the last of `numbers`, at
    the rule's rate."""

    flow: str
    watch: Watch
    rule: Rule
    numbers: tuple[int, int]

    @property
    def scorer(self) -> Scorer:
        """The scorer, with its models bound."""
        return self.watch.scorer


class Price(Struct, frozen=True):
    """What scoring will probably cost in US dollars, with an interval or a range where one is known, and where that
    comes from. None: the price is unknown."""

    mean: float | None
    low: float | None = None
    high: float | None = None
    source: str = ""

    def times(self, number: int) -> "Price":
        """The price of so many."""
        mean, low, high = (None if each is None else each * number for each in (self.mean, self.low, self.high))
        return Price(mean, low, high, self.source)


class Foreseen(Struct, frozen=True):
    """How many requests match, how many of these have a payload still, how many have the score (or a task) already, how
    many are to be scored, and what that will cost."""

    matching: int
    with_payload: int
    there: int
    to_score: int
    price: Price


def asked(
    project: Project,
    store: "Store",
    flow: str,
    scorer: str,
    *,
    since: float,
    until: float,
    rule: Rule,
    mark: str = "",
    budget: bool = False,
) -> Asked:
    """What a back-fill of a scorer over a flow's requests that arrived in a window is to see.

    Args:
        project: the project.
        store: its store.
        flow: the flow.
        scorer: the scorer's name.
        since: the window's start, in seconds since the epoch.
        until: its end.
        rule: the rate, and which requests.
        mark: the name of a mark that requests must have.
        budget: whether there is one, for which prices must be known.

    Raises:
        InputError: with all that is wrong.
    """
    problems, watch = Problems(), None
    known = {each.flow for each in store.works()} | {each.flow for each in project.settings.monitors.values()}
    if not store.latest(flow, most=1):
        problems.append(Problem(flow or "FLOW", "there is no request of such a flow", did_you_mean(flow, known)))
    if mark and mark not in marks.MARKS:
        problems.append(Problem("--mark", f"{mark!r} is no mark of a request", did_you_mean(mark, marks.MARKS)))
    if until <= since:
        problems.append(Problem("--until", "is not after --since", "both are when requests arrived"))
    with problems.gather():
        watch = historian(project, scorer, scorer or "SCORER", project, "yes" if budget else "")
    if watch is None or problems:
        raise InputError(problems)
    chosen = Rule(rule.rate, rule.slice, rule.variant, rule.tag, marks.bits([mark]) if mark else 0)
    return Asked(flow=flow, watch=watch, rule=chosen, numbers=store.numbered(since, until))


def under_way(store: "Store", asked: Asked) -> "list[Backfill]":
    """The back-fills that are running and score some of what one would that is asked for.

    Raises:
        InputError: one does just that already.
    """
    found, (first, last) = [], asked.numbers
    for each in store.backfills(running=True):
        same = (each.flow, each.scorer, each.fingerprint) == (asked.flow, asked.scorer.name, asked.scorer.fingerprint)
        if not same or each.last < first or last < each.first:
            continue
        if asked.rule in each.rules and each.first <= first:
            hint = "`gatewatch backfill list` shows how far it is; for what came after it was started, say --since"
            raise InputError(Problem(f"back-fill {each.id}", "is doing this already", hint))
        found.append(each)
    return found


def foresee(project: Project, store: "Store", asked: Asked, now: float) -> Foreseen:
    """What a back-fill will do: counted, by the rule that it will decide by. Every request of the range is looked
    at."""
    matching = with_payload = there = 0
    to_score: list[int] = []
    for row, done, stored in _rows(store, asked):
        if not asked.rule.matches(facts_of(row), row.marks | row.late):
            continue
        matching += 1
        with_payload += row.payload in ("held", "kept")
        there += done
        if not done and row.payload in ("held", "kept") and wanted(row, reaching([asked.rule], stored)):
            to_score.append(row.seq)
    price = _price(project, store, asked, to_score, now).times(len(to_score))
    return Foreseen(matching, with_payload, there, len(to_score), price)


def _rows(store: "Store", asked: Asked) -> "Iterator[tuple[Row, bool, bool]]":
    """The requests of a range, each with whether it has its score or task already, and whether its hold is over."""
    first, last = asked.numbers
    while first <= last:
        ruler = asked.flow, asked.scorer.name, asked.scorer.fingerprint
        found = store.unfilled(*ruler, (first, last), _AT_ONCE)
        for row in found.rows:
            yield row, row.seq in found.there, found.stored
        first = found.through + 1


def _price(project: Project, store: "Store", asked: Asked, seqs: Sequence[int], now: float) -> Price:
    """What one score will cost: as known ones did or, failing that, by the lengths of what is to be scored."""
    scorer = asked.scorer
    if not scorer.models:
        return Price(0.0, source="it asks no model")
    cells = judged_cells(store, asked.flow, scorer.name, now - _KNOWN_DAYS * DAY_S, now)
    scores, unknown = sum(cell.scores for cell in cells), sum(cell.unknown for cell in cells)
    if scores and not unknown:
        by_day: dict[float, list[float]] = {}
        for cell in cells:
            day = by_day.setdefault(cell.day, [0.0, 0.0])
            day[0], day[1] = day[0] + cell.cost, day[1] + cell.scores
        means = [cost / n for cost, n in by_day.values() if n >= _ENOUGH]
        low, high = (min(means), max(means)) if len(means) > 1 else (None, None)
        days = f"; the range is that of {len(means)} days' means" if len(means) > 1 else ""
        mean = sum(cell.cost for cell in cells) / scores
        return Price(mean, low, high, f"as the last {scores:,} scores cost{days}")
    costs = []
    for seq in seqs[:: max(1, len(seqs) // _LOOKED_AT)][:_LOOKED_AT]:
        cost = _by_length(project, scorer, store.payload(seq))
        if cost is None:
            return Price(None, source="unknown price: " + ", ".join(_unpriced(project, scorer)))
        costs.append(cost)
    if not costs:
        return Price(0.0, source="nothing is to be scored")
    source = f"a guess from the lengths of {len(costs):,} of them, with an answer of 300 tokens"
    if len(costs) < 2:
        return Price(costs[0], source=source)
    ends = t_mean(costs, bounds=(0.0, float("inf")))
    return Price(fmean(costs), ends.low, ends.high, source)


def _by_length(project: Project, scorer: Scorer, payload: bytes | None) -> float | None:
    try:
        trace = codec.decode(payload or b"{}", Trace)
    except ValueError:
        trace = Trace()
    length = scorer.prompt_length + sum(len(str(each or "")) for each in (trace.input, trace.output, trace.context))
    costs = [cost_of_call(project, project.model_settings(name), length) for name in scorer.models]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _unpriced(project: Project, scorer: Scorer) -> list[str]:
    named = {name: project.model_settings(name) for name in scorer.models}
    missing = [each.model for each in named.values() if cost_of_call(project, each, 1) is None]
    return [f'add [prices."{model}"] with input and output' for model in dict.fromkeys(missing)]
