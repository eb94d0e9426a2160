"""What a run says in the end, counted from the rows of its journal, so that no total can disagree with them.

Rows are read one after the other and forgotten: what stays is a few sums for each scorer and slice, eight bytes of
latency for each row, and, where there are several trials, one number for each case.
"""

import re
from array import array
from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from gatewatch.core.money import Cost
from gatewatch.core.run import Row, RunEnd, RunHeader
from gatewatch.core.score import STATUSES, Score, models_named
from gatewatch.core.trace import Usage
from gatewatch.scorers.votes import was_shown_both_ways
from gatewatch.stats.intervals import Interval, MeanEstimate, pass_at_k, pass_hat_k

_ERROR_LENGTH = 240
_LONG_NUMBER = re.compile(r"[0-9a-f]*[0-9][0-9a-f]{3,}|[0-9]{4,}")
LOST_SHARE = 0.05
"""The share of scores lost to scorer errors above which a mean is called unreliable."""


class Figure(Struct, frozen=True, omit_defaults=True):
    """A mean over cases, with the interval that its data can carry (95 %, two-sided), if any.

    `n` counts the cases that enter it, `states` the cells (case x trial) by what became of them. A case that failed
    is a 0, a scorer's error is not in the mean: `low` and `high` say where the mean would lie if the lost cells were
    all 0 or all 1.
    """

    mean: float | None
    interval: tuple[float, float] | None
    n: int
    states: dict[str, int]
    method: str = ""
    low: float | None = None
    high: float | None = None


class ScorerSummary(Struct, frozen=True, omit_defaults=True):
    """One scorer over a run: its figure, the same by slice, and its pass rate where it has a pass mark.

    `pass_hat_k[k-1]` is the probability that k trials of a case all pass (pass^k), `pass_at_k[k-1]` that one of k does.
    `models` are a judge's models as their providers name them. `orders` counts the labels of pairs that were shown in
    both orders.
    """

    figure: Figure
    slices: dict[str, Figure] = {}
    pass_at: float | None = None
    passed: Figure | None = None
    pass_hat_k: tuple[float, ...] = ()
    pass_at_k: tuple[float, ...] = ()
    flaky: int = 0
    models: tuple[str, ...] = ()
    orders: dict[str, int] = {}


class Tokens(Struct, frozen=True):
    """Tokens over a run; None when no row states them. `unknown` counts the rows (or scores) that state none."""

    input_tokens: int | None
    output_tokens: int | None
    unknown: int


class Summary(Struct, frozen=True, kw_only=True):
    """A run, counted. `failed` counts the rows whose task gave no answer, `open` the cases that may fail yet."""

    header: RunHeader
    end: RunEnd | None
    rows: int
    expected_rows: int
    states: dict[str, int]
    scorers: dict[str, ScorerSummary]
    slices: dict[str, int]
    task_cost: Cost
    judge_cost: Cost
    task_tokens: Tokens
    judge_tokens: Tokens
    latency_s: dict[str, float | None]
    timed: int
    errors: dict[str, int]
    scorer_errors: dict[str, int] = {}
    notes: dict[str, int]
    damaged: int = 0
    failed: int = 0
    open: int = 0
    running: bool = False

    @property
    def state(self) -> str:
        """`complete`, `running`, `partial` or `broken`. A run whose end was never written was cut off: partial."""
        if self.rows >= self.expected_rows and not self.states.get("not_scored"):
            return "complete"
        if self.running:
            return "running"
        return "broken" if self.end is not None and self.end.state == "broken" else "partial"

    @property
    def all_failed(self) -> bool:
        """Whether the run has nothing but errors to show."""
        nothing = self.states.get("scored", 0) + self.states.get("skipped", 0) == 0 and any(self.states)
        return self.rows == self.failed or nothing


class _Counter:
    """Sums for one scorer in one slice, or in all."""

    __slots__ = ("by_case", "estimate", "states", "trials")

    def __init__(self, trials: int) -> None:
        self.trials = trials
        self.states: Counter[str] = Counter()
        self.estimate = MeanEstimate()
        # Of each case: the sum of its values, how many they are, how many a scorer's error took, and its cluster.
        self.by_case: dict[str, tuple[float, int, int, str]] = {}

    def add(self, row: Row, status: str, value: float | None) -> None:
        self.states[status] += 1
        if self.trials == 1:
            if value is not None:
                self.estimate.add(value, row.cluster)
            return
        lost = value is None and status == "scorer_error"
        if value is not None or lost:
            total, n, before, _ = self.by_case.get(row.case, (0.0, 0, 0, ""))
            self.by_case[row.case] = (total + (value or 0.0), n + (not lost), before + lost, row.cluster)

    def figure(self) -> Figure:
        for total, n, _, cluster in self.by_case.values():
            if n:
                self.estimate.add(total / n, cluster)
        found = self.estimate.result()
        low = high = None
        if self.states["scorer_error"] and found.mean is not None:
            low, high = self._bounds(found.mean * found.n, found.n)
        self.by_case = {}
        return Figure(
            mean=found.mean,
            interval=_pair(found.interval),
            n=found.n,
            states=dict(self.states),
            method=found.interval.method if found.interval else "",
            low=low,
            high=high,
        )

    def _bounds(self, total: float, n: int) -> tuple[float, float]:
        """Where the mean would lie if all that a scorer's errors took were 0, and if all were 1."""
        if self.trials == 1:
            lost = self.states["scorer_error"]
            return total / (n + lost), (total + lost) / (n + lost)
        cases = self.by_case.values()
        low = sum(total / (n + lost) for total, n, lost, _ in cases) / len(cases)
        return low, low + sum(lost / (n + lost) for _, n, lost, _ in cases) / len(cases)


def _pair(interval: Interval | None) -> tuple[float, float] | None:
    return None if interval is None else (interval.low, interval.high)


class _Passes:
    """How many trials of each case passed, for a scorer whose values can be called passed or failed."""

    def __init__(self, pass_at: float | None, trials: int) -> None:
        self.pass_at = pass_at
        self.binary = True
        self.rate = _Counter(trials)
        self.counts: dict[str, list[int]] | None = {} if trials > 1 else None

    def add(self, row: Row, score: Score) -> None:
        value = score.value
        if value is None:
            return
        self.binary = self.binary and value in (0.0, 1.0)
        passed = score.status == "scored" and value >= (1.0 if self.pass_at is None else self.pass_at)
        if self.pass_at is not None:
            self.rate.add(row, "scored", float(passed))
        if self.counts is not None:
            count = self.counts.setdefault(row.case, [0, 0])
            count[0] += 1
            count[1] += passed

    def over_trials(self) -> tuple[tuple[float, ...], tuple[float, ...], int]:
        """pass^k and pass@k for every k that all cases have trials for, and the number of cases that are flaky."""
        if not self.counts or not (self.binary or self.pass_at is not None):
            return (), (), 0
        most = min(n for n, _ in self.counts.values())
        cases = len(self.counts)
        hat = tuple(sum(pass_hat_k(n, c, k) for n, c in self.counts.values()) / cases for k in range(1, most + 1))
        at = tuple(sum(pass_at_k(n, c, k) for n, c in self.counts.values()) / cases for k in range(1, most + 1))
        return hat, at, sum(0 < c < n for n, c in self.counts.values())


class Tally:
    """Counts rows as they come."""

    def __init__(self, header: RunHeader) -> None:
        self.header = header
        self.rows = 0
        self._all = {name: _Counter(header.trials) for name in header.scorers}
        self._slices: dict[str, dict[str, _Counter]] = {name: {} for name in header.scorers}
        self._passes = {name: _Passes(ref.pass_at, header.trials) for name, ref in header.scorers.items()}
        self._slice_rows: Counter[str] = Counter()
        self._slice_cases: dict[str, set[str]] = {}
        self._latencies = array("d")
        self._task_cost, self._judge_cost = _CostSum(), _CostSum()
        self._task_tokens, self._judge_tokens = _TokenSum(), _TokenSum()
        self._errors, self._scorer_errors = _Kinds(), _Kinds()
        self._notes: Counter[str] = Counter()
        self._open: set[str] = set()
        self._models: dict[str, set[str]] = {}
        self._orders: dict[str, Counter[str]] = {}

    def add(self, row: Row) -> None:
        """Count one whole row."""
        trace = row.trace
        assert trace is not None
        self.rows += 1
        if row.open is not None:
            self._open.add(row.case)
        if row.slice:
            self._slice_rows[row.slice] += 1
            if self.header.trials > 1:
                self._slice_cases.setdefault(row.slice, set()).add(row.case)
        if trace.latency_s is not None and trace.error is None:
            self._latencies.append(trace.latency_s)
        if trace.error is not None:
            self._errors.add(trace.error.message)
        for note in row.notes:
            self._notes[note] += 1
        self._task_cost.add(trace.cost)
        self._task_tokens.add(trace.usage)
        for name, score in row.scores.items():
            self._score(row, name, score)
        for name in row.missing:
            self._all[name].states["not_scored"] += 1

    def _score(self, row: Row, name: str, score: Score) -> None:
        self._all[name].add(row, score.status, score.value)
        if score.status == "scorer_error":
            self._scorer_errors.add(f"{name}: {score.explanation}")
        if row.slice:
            slices = self._slices[name]
            counter = slices.get(row.slice)
            if counter is None:
                counter = slices[row.slice] = _Counter(self.header.trials)
            counter.add(row, score.status, score.value)
        passes = self._passes[name]
        if passes.counts is not None or passes.pass_at is not None:
            passes.add(row, score)
        if score.model:
            self._models.setdefault(name, set()).update(models_named(score.model).values())
        if score.source == "judge" and score.value is not None and was_shown_both_ways(score):
            self._orders.setdefault(name, Counter())[score.label] += 1
        if score.cost is not None:
            self._judge_cost.add(score.cost)
            self._judge_tokens.add(score.usage)

    def summary(self, end: RunEnd | None = None, damaged: int = 0, *, running: bool = False) -> Summary:
        """All that was counted. It ends the counting."""
        states: Counter[str] = Counter()
        scorers: dict[str, ScorerSummary] = {}
        for name, counter in self._all.items():
            states.update(counter.states)
            passes = self._passes[name]
            hat, at, flaky = passes.over_trials()
            scorers[name] = ScorerSummary(
                figure=counter.figure(),
                slices={slice_name: inner.figure() for slice_name, inner in sorted(self._slices[name].items())},
                pass_at=passes.pass_at,
                passed=passes.rate.figure() if passes.pass_at is not None else None,
                pass_hat_k=hat,
                pass_at_k=at,
                flaky=flaky,
                models=tuple(sorted(self._models.get(name, ()))),
                orders=dict(self._orders.get(name, ())),
            )
        expected = self.header.dataset.cases * self.header.trials
        order = (*STATUSES, "not_scored")
        counted = {status: states[status] for status in order if states[status]}
        if expected > self.rows:
            counted["not_run"] = (expected - self.rows) * max(1, len(self.header.scorers))
        return Summary(
            header=self.header,
            end=end,
            rows=self.rows,
            expected_rows=expected,
            states=counted,
            scorers=scorers,
            slices={
                name: len(self._slice_cases.get(name, ())) or rows for name, rows in sorted(self._slice_rows.items())
            },
            task_cost=self._task_cost.result(),
            judge_cost=self._judge_cost.result(),
            task_tokens=self._task_tokens.result(),
            judge_tokens=self._judge_tokens.result(),
            latency_s=percentiles(self._latencies),
            timed=len(self._latencies),
            errors=self._errors.result(),
            scorer_errors=self._scorer_errors.result(),
            notes=dict(self._notes.most_common(20)),
            damaged=damaged,
            running=running,
            failed=self._errors.count,
            open=len(self._open),
        )


class _Kinds:
    """Messages counted by kind: those that differ in long numbers only (ids, times) are of one kind."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    @property
    def count(self) -> int:
        return self._counts.total()

    def add(self, message: str) -> None:
        line = _cut(message.split("\n", maxsplit=1)[0])
        kind = _LONG_NUMBER.sub("#", line)
        self._counts[kind] += 1
        self._first.setdefault(kind, line)

    def result(self) -> dict[str, int]:
        """The commonest kinds, each shown by its first message."""
        return {self._first[kind]: count for kind, count in self._counts.most_common(20)}


def _cut(line: str) -> str:
    """A line that is not too long, cut between words where they are short."""
    if len(line) <= _ERROR_LENGTH:
        return line
    whole, _, _ = line[: _ERROR_LENGTH - 1].rpartition(" ")
    return f"{whole} …" if 2 * len(whole) > _ERROR_LENGTH else f"{line[: _ERROR_LENGTH - 1]}…"


class _CostSum:
    """A sum of costs; a row that states none is unknown."""

    __slots__ = ("amount", "unknown")

    def __init__(self) -> None:
        self.amount, self.unknown = 0.0, 0

    def add(self, cost: Cost | None) -> None:
        if cost is None:
            self.unknown += 1
        else:
            self.amount += cost.amount
            self.unknown += cost.unknown

    def result(self) -> Cost:
        return Cost(self.amount, self.unknown)


class _TokenSum:
    def __init__(self) -> None:
        self.input: int | None = None
        self.output: int | None = None
        self.unknown = 0

    def add(self, usage: Usage | None) -> None:
        if usage is None or (usage.input_tokens is None and usage.output_tokens is None):
            self.unknown += 1
            return
        if usage.input_tokens is not None:
            self.input = (self.input or 0) + usage.input_tokens
        if usage.output_tokens is not None:
            self.output = (self.output or 0) + usage.output_tokens

    def result(self) -> Tokens:
        return Tokens(self.input, self.output, self.unknown)


def percentiles(values: Iterable[float]) -> dict[str, float | None]:
    """The 50th, 95th and 99th percentile, by linear interpolation (Hyndman and Fan's type 7, numpy's default)."""
    ordered = sorted(values)

    def at(share: float) -> float | None:
        if not ordered:
            return None
        place = share * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (ordered[above] - ordered[below]) * (place - below)

    return {"p50": at(0.50), "p95": at(0.95), "p99": at(0.99)}
