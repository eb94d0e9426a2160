"""The live lines of a run: how far it is, how it scores so far, what it costs, and how the provider takes it.

On a terminal the lines are redrawn at most four times a second; elsewhere a plain line is printed for each tenth of
the way, or every 30 seconds. All of it goes to standard error.
"""

import os
import sys
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING

from gatewatch.cli.terminal import counted, tell
from gatewatch.core.clock import monotonic
from gatewatch.core.money import Cost, dollars
from gatewatch.core.run import Row
from gatewatch.offline.journal import JournalReader
from gatewatch.offline.report import clean, number
from gatewatch.offline.result import Prepared
from gatewatch.stats.intervals import MeanEstimate

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

_LINE_EVERY_S = 30.0
_BAR = 24


class Progress:
    """Counts rows as they are finished and shows where the run stands.

    What an earlier stretch of a resumed run has done is read from its journal, so that score and cost are the run's.
    """

    def __init__(self, ready: Prepared, *, plain: bool = False) -> None:
        self._ready = ready
        self._total = ready.plan.cells
        self._scorer = ready.plan.scorers[0].name if ready.plan.scorers else ""
        self._score = MeanEstimate()
        self._counting = Lock()  # rows come in on the run's thread while the lines are drawn on another
        self.done = self._errors = self._unknown = 0
        self._spent = 0.0
        if ready.done is not None:
            for row in JournalReader(ready.path).rows():
                if row.key in ready.done.finished:
                    self._count(row)
        self._before = self.done
        self._began = monotonic()
        self._printed = (self.done * 10 // self._total, self._began)
        self._plain = plain or not sys.stderr.isatty() or os.environ.get("TERM") in ("dumb", "unknown")
        # Asked for now: the live display puts a stream of its own in the place of standard error.
        self._bar = ("█", "░") if (sys.stderr.encoding or "").lower().startswith("utf") else ("#", ".")
        self._live: Live | None = None

    def __enter__(self) -> "Progress":
        if not self._plain:
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True, highlight=False)
            self._live = Live(get_renderable=self.lines, console=console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def row(self, row: Row) -> None:
        """Take note of a finished row."""
        with self._counting:
            self._count(row)
        if self._plain:
            self._print_line()

    def _count(self, row: Row) -> None:
        self.done += 1
        costs = [score.cost for score in row.scores.values()]
        if row.trace is not None:
            self._errors += row.trace.error is not None
            costs.append(row.trace.cost)
        self._errors += sum(score.status == "scorer_error" for score in row.scores.values())
        for cost in costs:
            if cost is not None:
                self._spent += cost.amount
                self._unknown += cost.unknown
        first = row.scores.get(self._scorer)
        if first is not None and first.value is not None:
            # The trials of a case are no more independent than the cases of a cluster.
            self._score.add(first.value, row.cluster or (row.case if self._ready.plan.trials > 1 else ""))

    def _print_line(self) -> None:
        tenth = self.done * 10 // self._total
        moment = monotonic()
        if tenth > self._printed[0] or moment - self._printed[1] >= _LINE_EVERY_S or self.done == self._total:
            self._printed = (tenth, moment)
            tell(" · ".join([f"{self.done}/{self._total}", *self._results(), *self._course()]))

    def _results(self) -> list[str]:
        """The first scorer's mean so far, and the money."""
        facts = []
        with self._counting:
            estimate, spent, unpriced, done = self._score.result(), self._spent, self._unknown, self.done
        if estimate.mean is not None:
            interval = estimate.interval
            around = f" [{number(interval.low)}, {number(interval.high)}]" if interval else ""
            facts.append(clean(f"{self._scorer} {number(estimate.mean)}{around}"))
        if spent or unpriced:
            whole = "" if unpriced else f" of about {dollars(spent / done * self._total)}"
            facts.append(f"cost {Cost(spent, unpriced)}{whole}" if unpriced else f"{dollars(spent)}{whole}")
        return facts

    def _course(self) -> list[str]:
        """Errors, the time that has passed, and the time that is probably left."""
        elapsed = monotonic() - self._began
        done = self.done - self._before
        left = elapsed / done * (self._total - self.done) if done else 0.0
        facts = [counted(self._errors, "error")] if self._errors else []
        facts.append(_duration(elapsed) + (f", {_duration(left)} left" if left else ""))
        return facts

    def lines(self) -> "Text":
        """The lines as they stand, each cut to the width of whatever shows them."""
        from rich.text import Text

        header = self._ready.header
        filled = _BAR * self.done // self._total
        full, empty = self._bar
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(clean(f"{header.dataset.path}@{header.dataset.version} · {header.task}"), style="dim")
        text.append(f"\n{full * filled}{empty * (_BAR - filled)} ")
        text.append(" · ".join([f"{self.done}/{self._total}", *self._course()]))
        results = self._results()
        text.append("\n" + " · ".join(results) if results else "")
        for model, state in self._ready.plan.pace().items():
            rate = f" · {state['rate']:.3g}/s" if state.get("rate") else ""
            refusals, retries = counted(state["refusals"], "refusal"), f"{state['retries']} tried again"
            line = f"{model}: {state['in_flight']} of {state['limit']} in flight{rate} · {refusals}, {retries}"
            text.append("\n" + clean(line), style="dim")
        return text


def _duration(seconds: float) -> str:
    """A time to about two digits: 38 s, 12 min, 3 h 20 min."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
