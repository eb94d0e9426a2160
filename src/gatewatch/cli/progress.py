"""The live line of a run: how far it is, how it scores so far, what it costs, and how the provider takes it.

On a terminal the lines are redrawn at most four times a second; elsewhere a plain line is printed for each tenth of
the way, or every 30 seconds. All of it goes to standard error.
"""

import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from gatewatch.core.clock import monotonic
from gatewatch.core.money import dollars
from gatewatch.core.run import Row
from gatewatch.offline.report import clean, number
from gatewatch.offline.result import Prepared
from gatewatch.stats.intervals import MeanEstimate

if TYPE_CHECKING:
    from rich.live import Live

_LINE_EVERY_S = 30.0
_BAR = 24


class Progress:
    """Counts rows as they are finished and shows where the run stands."""

    def __init__(self, ready: Prepared, *, pace: Callable[[], dict[str, Any]], plain: bool = False) -> None:
        self._ready = ready
        self._pace = pace
        self._total = ready.plan.cells
        self._before = len(ready.done.finished) if ready.done else 0
        self._done = self._before
        self._spent = ready.done.spent if ready.done else 0.0
        self._spent_before = self._spent
        self._unknown = 0
        self._errors = 0
        self._scorer = ready.plan.scorers[0].name if ready.plan.scorers else ""
        self._score = MeanEstimate()
        self._began = monotonic()
        self._printed = (0, self._began)
        self._plain = plain or not sys.stderr.isatty()
        self._live: Live | None = None

    def __enter__(self) -> "Progress":
        if not self._plain:
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True, highlight=False)
            self._live = Live(get_renderable=self._renderable, console=console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def row(self, row: Row) -> None:
        """Take note of a finished row."""
        self._done += 1
        trace = row.trace
        if trace is not None:
            self._errors += trace.error is not None
            if trace.cost is not None:
                self._spent += trace.cost.amount
                self._unknown += trace.cost.unknown
        for score in row.scores.values():
            self._errors += score.status == "scorer_error"
            if score.cost is not None:
                self._spent += score.cost.amount
                self._unknown += score.cost.unknown
        first = row.scores.get(self._scorer)
        if first is not None and first.value is not None:
            self._score.add(first.value, row.cluster or row.case)
        if self._plain:
            self._print_line()

    def _print_line(self) -> None:
        tenth = self._done * 10 // self._total
        moment = monotonic()
        if tenth > self._printed[0] or moment - self._printed[1] >= _LINE_EVERY_S or self._done == self._total:
            self._printed = (tenth, moment)
            click.echo(" · ".join([f"{self._done}/{self._total}", *self._facts()]), err=True)

    def _facts(self) -> list[str]:
        facts = []
        estimate = self._score.result()
        if estimate.mean is not None:
            interval = estimate.interval
            around = f" [{number(interval.low)}, {number(interval.high)}]" if interval else ""
            facts.append(clean(f"{self._scorer} {number(estimate.mean)}{around}"))
        if self._spent or self._unknown:
            rows = self._done - self._before
            projected = self._spent_before + (self._spent - self._spent_before) / rows * (self._total - self._before)
            unknown = f" + {self._unknown} unknown" if self._unknown else ""
            facts.append(f"{dollars(self._spent)}{unknown} of about {dollars(projected)}")
        if self._errors:
            facts.append(f"{self._errors} errors")
        elapsed = monotonic() - self._began
        rate = (self._done - self._before) / elapsed if elapsed > 0 else 0.0
        left = f", {(self._total - self._done) / rate:.0f} s left" if rate and self._done < self._total else ""
        facts.append(f"{elapsed:.0f} s{left}")
        return facts

    def _renderable(self) -> Any:
        from rich.text import Text

        filled = _BAR * self._done // max(1, self._total)
        dataset = self._ready.header.dataset
        bar = "█" * filled + "░" * (_BAR - filled)
        lines = Text(
            clean(f"{dataset.path}@{dataset.version} · {self._ready.header.task}"), style="dim", overflow="ellipsis"
        )
        lines.append(f"\n{bar} {self._done}/{self._total} · " + " · ".join(self._facts()), style="not dim")
        for model, state in self._pace().items():
            rate = f" · {state['rate']:.3g}/s" if state.get("rate") else ""
            lines.append(
                f"\n{clean(model)}: {state.get('in_flight', 0)} of {state.get('limit')} in flight{rate}"
                f" · {state.get('refusals', 0)} refusals · {state.get('retries', 0)} retries"
            )
        return lines
