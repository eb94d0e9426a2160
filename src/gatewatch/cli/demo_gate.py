"""What `gatewatch demo` shows of the offline half: a run, a baseline, and a gate's report with less in it."""

import sys
from collections import Counter
from typing import TYPE_CHECKING

from gatewatch.cli.terminal import titled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType

    from gatewatch.config.project import Project
    from gatewatch.offline.gated import Gated
    from gatewatch.offline.reports.moves import Moved
    from gatewatch.offline.verdict import Verdict

SUITE = "support"
TRIALS = 5
_CASES_SHOWN = 1
_REASONS_SHOWN = 4
_IDS_SHOWN = 12


def print_run(out: "Console", project: "Project") -> None:
    """Run the version in use; its summary is the one of `gatewatch run`, without its tables by slice."""
    from msgspec.structs import replace

    from gatewatch.config.runs import prepare_suite
    from gatewatch.offline.report import renderables
    from gatewatch.offline.result import execute

    (ready,) = prepare_suite(project, SUITE)
    summary = execute(ready).summary
    scorers = {name: replace(scorer, slices={}) for name, scorer in summary.scorers.items()}
    titled(out, f"gatewatch run {SUITE}", "The version in use, over all of its cases.")
    out.print()
    for part in renderables(replace(summary, scorers=scorers)):
        out.print(part)


def print_pinned(out: "Console", project: "Project") -> None:
    """Pin the version in use, with several answers to each case."""
    from rich.text import Text

    from gatewatch.config.baselines import pin

    pinned = pin(project, SUITE, trials=TRIALS)
    titled(
        out,
        f"gatewatch baseline pin {SUITE} --trials {TRIALS}",
        "What later versions are held against: five answers to each case show which ones always pass.",
    )
    out.print(Text(f"All of it is in {pinned.path}, a file to be committed with the code."))


# A gate's report: the one that `gatewatch gate` prints, with less in it.


def print_gate(out: "Console", task: str, gated: "Gated", about: str, *, again: bool = False) -> None:
    """The report of a gate, with less in it."""
    from rich.text import Text

    from gatewatch.offline.reports.cases import details, others
    from gatewatch.offline.reports.fact import Fact
    from gatewatch.offline.reports.terminal import STYLES, renderables
    from gatewatch.offline.reports.words import plain

    titled(out, f"gatewatch gate {SUITE} --task {task}{', again' if again else ''}", about)
    out.print()
    verdict = _shorter(gated.verdict)
    marks = not sys.stdout.isatty()
    # A little narrower than there is room for: a table that just fits folds the names of these scorers.
    parts = list(renderables(verdict, {}, width=out.width - 2, marks=marks))
    # It begins with the names of the runs, up to an empty line, and ends on its rows: some of them will do.
    begin = next(place for place, part in enumerate(parts) if not str(part)) + 1
    end = len(parts) - len([*details(verdict, {}, marks=marks), *others(verdict)])
    for part in [*parts[begin:end], *_some_rows(gated, _CASES_SHOWN, marks=marks)]:
        out.print(part)
    if gated.verdict.reach:
        out.print()
    for place, line in enumerate(gated.verdict.reach):
        out.print(Fact("to decide" if not place else "", Text(plain(line))))
    out.print()
    out.print(Fact("exit code", Text(_exit(gated.verdict), STYLES[gated.verdict.verdict])))


def _shorter(verdict: "Verdict") -> "Verdict":
    """A verdict without what a first look can do without: the rule, slices, latency, scorers that did not move."""
    from msgspec.structs import replace

    reasons = verdict.reasons
    if len(reasons) > _REASONS_SHOWN:  # the first are of cases, the last of the suite as a whole
        between = f"... and {len(reasons) - _REASONS_SHOWN} more like these"
        reasons = (*reasons[: _REASONS_SHOWN - 2], between, *reasons[-2:])
    return replace(
        verdict,
        reasons=reasons,
        rule="",
        changed={},
        attribution="",
        baseline=None,
        candidate=None,
        scorers={name: each for name, each in verdict.scorers.items() if each.gating or each.losses or each.wins},
        slices={},
        explore=(),
        reruns=0,
        reach=(),
        next=(),
    )


def _some_rows(gated: "Gated", most: int, *, marks: bool) -> "Iterator[RenderableType]":
    """Some of the cases that fell, in full, and the ids of those that block."""
    from msgspec.structs import replace
    from rich.text import Text

    from gatewatch.offline.reports.cases import details
    from gatewatch.offline.reports.fact import Fact
    from gatewatch.offline.reports.moves import blocking, ids_of
    from gatewatch.offline.reports.texts import texts_of
    from gatewatch.offline.reports.words import counted, listed

    fell = worst_first(gated.verdict)
    shown = fell[:most]
    if shown:
        texts = texts_of([case.id for case in shown], gated.before, gated.after, journal=gated.journal)
        rows = replace(gated.verdict, rows=tuple(row for case in shown for row in case.rows))
        gap, _, *cases = details(rows, texts, marks=marks)
        yield from (gap, Text(f"{len(shown)} of the {counted(len(fell), 'case')} that fell", "bold"), *cases)
    blocked = ids_of(blocking(gated.verdict))
    if blocked:
        yield Text("")
        yield Fact("blocking", Text(listed(tuple(blocked), _IDS_SHOWN)))


def worst_first(verdict: "Verdict") -> "list[Moved]":
    """The cases that fell: what must pass and what fell under most scorers first, but one of each kind before others.

    Cases are of a kind when they fell under the same scorers.
    """
    from gatewatch.offline.reports.moves import by_case

    turns: Counter[frozenset[str]] = Counter()
    ranked = []
    fell = [case for case in by_case(verdict.rows) if case.fell]
    for case in sorted(fell, key=lambda case: (not case.rows[0].must_pass, -len(case.rows))):
        kind = frozenset(row.scorer for row in case.rows)
        turns[kind] += 1
        ranked.append((turns[kind], case))
    return [case for _, case in sorted(ranked, key=lambda found: found[0])]


def _exit(verdict: "Verdict") -> str:
    """The exit code of `gatewatch gate`, and what it means to a CI job."""
    code = verdict.exit_code
    if code == 0 and verdict.verdict == "UNDECIDED":
        return "0: not to know is no failure, unless the gate is told so (with --undecided fail it is 3)"
    return {0: "0: the change may go live", 1: "1: the change is stopped", 3: "3: no verdict"}.get(code, f"{code}")
