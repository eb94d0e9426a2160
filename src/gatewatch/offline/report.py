"""The summary of a run as people read it in a terminal.

Names and messages may come from a model: they are put in as plain text, without control characters, never as markup.
"""

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gatewatch.core.run import RunHeader
from gatewatch.core.score import STATUSES
from gatewatch.offline.summary import LOST_SHARE, Figure, ScorerSummary, Summary, Tokens

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

SUMMARY_KIND = "gatewatch.summary"
_SLICES_SHOWN = 12
_SCORERS_BESIDE = 3
_NAME_LENGTH = 28
_ERRORS_SHOWN = 5
# What CI systems take for a command: `::error ...` at the start of a line, `##[...]` and `##vso[...]` anywhere.
_COMMAND = re.compile(r"##(?=\w*\[)|(?<!\S):{2,}")


def as_text(summary: Summary, *, width: int = 100) -> str:
    """The report as plain text, `width` columns wide."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=width, no_color=True, highlight=False, force_terminal=False)
    for part in renderables(summary):
        console.print(part)
    return out.getvalue().rstrip("\n")


def clean(text: str) -> str:
    """Text without control characters, marks that turn its direction and commands of CI systems, on one line."""
    if not (text.isascii() and text.isprintable()):
        letters = (letter for letter in text if letter.isspace() or letter.isprintable())
        text = "".join(" " if letter.isspace() else letter for letter in letters)
    return pulled_apart(text)


def pulled_apart(text: str) -> str:
    """Text in which a CI system finds no command."""
    return _COMMAND.sub(lambda found: " ".join(found[0]), text)


def number(value: float | None) -> str:
    """A score to three decimals; a dash for none."""
    return "—" if value is None else f"{value:.3f}"


def seconds(value: float | None) -> str:
    """A duration to three significant digits."""
    if value is None:
        return "—"
    for unit, size in (("µs", 1e-6), ("ms", 1e-3)):
        rounded = float(f"{value / size:.3g}")
        if rounded < 1000:
            return f"{rounded:g} {unit}"
    return f"{float(f'{value:.3g}'):g} s"


def interval_text(figure: Figure) -> str:
    """A figure's interval in brackets, or why it has none."""
    if figure.interval is None:
        return "too few cases" if figure.n else "—"
    return f"[{number(figure.interval[0])}, {number(figure.interval[1])}]"


def renderables(summary: Summary) -> "Iterator[RenderableType]":
    """The parts of the report, in order, for a rich console."""
    from rich.text import Text

    header = summary.header
    yield Text(clean(header.run), style="bold")
    trials = f" x {header.trials} trials" if header.trials > 1 else ""
    yield Text(
        clean(
            f"{header.dataset.cases} cases{trials} of {header.dataset.path}@{header.dataset.version} · {header.task}"
        ),
        style="dim",
    )
    if summary.scorers:
        yield from _scorers(summary)
    yield from _slices(summary)
    yield Text("")
    yield from _facts(summary)
    yield from _troubles(summary)


def _table(*columns: "str | Text") -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    first, *numbers = columns
    table.add_column(Text(str(first)), overflow="fold")
    for column in numbers:
        table.add_column(Text(column) if isinstance(column, str) else column, justify="right", no_wrap=True)
    return table


def _scorers(summary: Summary) -> "Iterator[Table]":
    """The figures and what became of the cells: in one table where it is narrow enough for 80 columns, else in two."""
    from rich.text import Text

    present = [status for status in (*STATUSES, "not_scored") if summary.states.get(status)]
    passes = any(scorer.passed for scorer in summary.scorers.values())
    beside = present if len(present) <= 2 and not passes else []
    table = _table("scorer", "mean", "95 % interval", "cases", *(["passed"] if passes else []), *map(_words, beside))
    for name, scorer in summary.scorers.items():
        figure = scorer.figure
        row: list[str | Text] = [Text(clean(name)), number(figure.mean), interval_text(figure), str(figure.n)]
        if passes:
            shown = (
                scorer.passed and f"{number(scorer.passed.mean)} {interval_text(scorer.passed)} at {scorer.pass_at:g}"
            )
            row.append(shown or "—")
        row += [str(figure.states.get(status, 0)) for status in beside]
        table.add_row(*row)
    yield table
    if present in (beside, ["scored"]):
        return
    cells = _table("cells", *map(_words, present))
    for name, scorer in summary.scorers.items():
        cells.add_row(Text(clean(name)), *(str(scorer.figure.states.get(status, 0)) for status in present))
    yield cells


def _words(status: str) -> str:
    return status.replace("_", " ")


def _slices(summary: Summary) -> "Iterator[RenderableType]":
    """Slices by scorers, the worst first by the first scorer; three scorers to a table, for 80 columns."""
    from rich.text import Text

    scorers = [(name, scorer) for name, scorer in summary.scorers.items() if scorer.slices]
    if len(summary.slices) < 2 or not scorers:
        return
    first = scorers[0][1].slices
    worst_first = sorted(summary.slices, key=lambda name: _rank(first.get(name)))
    for start in range(0, len(scorers), _SCORERS_BESIDE):
        part = scorers[start : start + _SCORERS_BESIDE]
        yield Text("")
        table = _table("slice", "cases", *(_short(name) for name, _ in part))
        for name in worst_first[:_SLICES_SHOWN]:
            figures = [_compact(scorer.slices.get(name)) for _, scorer in part]
            table.add_row(Text(_cut(clean(name))), str(summary.slices[name]), *figures)
        if len(worst_first) > _SLICES_SHOWN:
            table.add_row(f"... and {len(worst_first) - _SLICES_SHOWN} more", "", *("" for _ in part))
        yield table


def _short(name: str) -> "Text":
    """A name that takes no more columns than the figures below it."""
    from rich.text import Text

    short = Text(clean(name))
    short.truncate(len("0.00 [0.00, 0.00]"), overflow="ellipsis")
    return short


def _cut(name: str) -> str:
    return name if len(name) <= _NAME_LENGTH else name[: _NAME_LENGTH - 1] + "…"


def _rank(figure: Figure | None) -> tuple[bool, float]:
    mean = None if figure is None else figure.mean
    return mean is None, mean or 0.0


def _compact(figure: Figure | None) -> str:
    """A figure in few columns: its mean and interval to two decimals."""
    if figure is None or figure.mean is None:
        return "—"
    if figure.interval is None:
        return f"{figure.mean:.2f} (too few)"
    return f"{figure.mean:.2f} [{figure.interval[0]:.2f}, {figure.interval[1]:.2f}]"


def _facts(summary: Summary) -> "Iterator[Text]":
    from rich.text import Text

    for name, scorer in summary.scorers.items():
        if scorer.pass_hat_k:
            hat = "  ".join(f"{value:.4f}" for value in scorer.pass_hat_k)
            yield Text(clean(f"{name}: pass^1..{len(scorer.pass_hat_k)} = {hat}; {scorer.flaky} cases are flaky"))
    if summary.timed:
        shown = " · ".join(f"{name} {seconds(value)}" for name, value in summary.latency_s.items())
        yield Text(f"latency  {shown} ({summary.timed} answers)")
    else:
        yield Text("latency  unknown")
    judged = any(ref.source == "judge" for ref in summary.header.scorers.values())
    yield Text(f"cost     task {summary.task_cost}" + (f" · judge {summary.judge_cost}" if judged else ""))
    yield Text(f"tokens   task {_tokens(summary.task_tokens)}" + _judge_tokens(summary))
    if summary.open:
        cases = "1 case" if summary.open == 1 else f"{summary.open:,} cases"
        yield Text(f"open     {cases} may fail until a fix is there; what they were given is in the means")
    pace = summary.end.pace if summary.end else {}
    for model, state in pace.items():
        settled = f"{state['rate']:.3g} requests/s" if state.get("rate") else f"{state.get('limit')} at once"
        if state.get("refusals") or state.get("retries"):
            times = f"{state.get('refusals', 0)} refusals, {state.get('retries', 0)} retries"
            yield Text(clean(f"pace     {model}: {settled}, {times}"))


def _tokens(tokens: Tokens) -> str:
    if tokens.input_tokens is None and tokens.output_tokens is None:
        return "unknown"
    known = f"{_count(tokens.input_tokens)} in, {_count(tokens.output_tokens)} out"
    return known + (f" + {tokens.unknown} rows unknown" if tokens.unknown else "")


def _count(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _judge_tokens(summary: Summary) -> str:
    return f" · judge {_tokens(summary.judge_tokens)}" if summary.judge_tokens.input_tokens is not None else ""


def _troubles(summary: Summary) -> "Iterator[Text]":
    from rich.text import Text

    for name, scorer in summary.scorers.items():
        figure = scorer.figure
        cells = sum(n for state, n in figure.states.items() if state not in ("skipped", "not_scored"))
        lost = figure.states.get("scorer_error", 0)
        if lost and figure.low is not None and figure.high is not None:
            sure = " (unreliable)" if lost > LOST_SHARE * cells else ""
            yield Text(
                clean(
                    f"! {name}: {lost} of {cells} scores were lost to scorer errors{sure}; "
                    f"the mean lies between {number(figure.low)} and {number(figure.high)}"
                ),
                style="yellow",
            )
        elif lost:
            yield Text(clean(f"! {name}: all {lost} scores were lost to scorer errors"), style="yellow")
    for model, names in floating(summary).items():
        what = f"! {', '.join(names)}: {model} answered, which was asked for by another name"
        yield Text(clean(f"{what}: when that alias moves, so do the scores; ask for the dated name"), style="yellow")
    yield from _leans(summary)
    for kinds in (summary.errors, summary.scorer_errors, summary.notes):
        for message, count in list(kinds.items())[:_ERRORS_SHOWN]:
            yield Text(clean(f"! {count} x {message}"), style="yellow")
        if len(kinds) > _ERRORS_SHOWN:
            yield Text(f"! ... and {len(kinds) - _ERRORS_SHOWN} more kinds of error", style="yellow")
    if summary.damaged:
        yield Text(f"! {summary.damaged} records of the journal are torn or damaged and were left out", style="yellow")
    if summary.all_failed and summary.rows:
        yield Text("NOTHING BUT ERRORS: no score was given", style="bold yellow")
    if summary.state != "complete":
        why = summary.end.reason if summary.end and summary.end.reason else "it was cut off"
        why = "it is going on" if summary.running else why
        yield Text(
            clean(f"{summary.state.upper()}: {summary.rows} of {summary.expected_rows} rows; {why}"),
            style="bold yellow",
        )


def _leans(summary: Summary) -> "Iterator[Text]":
    """Judges of pairs that go by position, where that is sure."""
    from rich.text import Text

    from gatewatch.scorers.bias import surely_by_position

    for name, scorer in summary.scorers.items():
        lean = surely_by_position(scorer.orders) if scorer.orders else None
        if lean is not None:
            share = f"{lean.value:.3f} [{lean.low:.3f}, {lean.high:.3f}]"
            what = f"! {name}: the judge goes by position: {share} of its verdicts are for what stood first"
            yield Text(clean(what), style="yellow")


def floating(summary: Summary) -> dict[str, list[str]]:
    """The models that answered judges under another name than they were asked for, each with those judges.

    Such a name is an alias, which the provider may move to another model. A provider's own prefix does not count.
    """
    asked = {str(prices.get("model")) for prices in summary.header.prices.values()}
    asked |= {name.rpartition("/")[2] for name in asked}
    found: dict[str, list[str]] = {}
    for name, scorer in summary.scorers.items():
        for model in scorer.models if summary.header.prices else ():
            if model.rpartition("/")[2] not in asked:
                found.setdefault(model, []).append(name)
    return found


def as_json(summary: Summary) -> dict[str, Any]:
    """The summary in the form that `run --json` and `show --json` print (see the reference)."""
    header = summary.header
    return {
        "kind": SUMMARY_KIND,
        "version": 1,
        "run": header.run,
        "name": header.name,
        "suite": header.suite,
        "state": summary.state,
        "reason": summary.end.reason if summary.end else "",
        "dataset": header.dataset,
        "task": header.task,
        "components": header.components,
        "cases": header.dataset.cases,
        "trials": header.trials,
        "row_count": summary.rows,
        "open": summary.open,
        "states": summary.states,
        "scorers": {name: _scorer_json(header, name, scorer) for name, scorer in summary.scorers.items()},
        "cost": {
            "task": summary.task_cost.total,
            "judge": summary.judge_cost.total,
            "currency": "USD",
            "known": {"task": summary.task_cost.amount, "judge": summary.judge_cost.amount},
            "unknown": {"task": summary.task_cost.unknown, "judge": summary.judge_cost.unknown},
        },
        "usage": {"task": summary.task_tokens, "judge": summary.judge_tokens},
        "latency_s": {**summary.latency_s, "n": summary.timed},
        "errors": summary.errors,
        "scorer_errors": summary.scorer_errors,
        "notes": summary.notes,
        "damaged": summary.damaged,
        "pace": summary.end.pace if summary.end else {},
    }


def _scorer_json(header: RunHeader, name: str, scorer: ScorerSummary) -> dict[str, Any]:
    def figure(found: Figure) -> dict[str, Any]:
        plain: dict[str, Any] = {
            "mean": found.mean,
            "interval": found.interval,
            "n": found.n,
            "states": found.states,
            "method": found.method,
        }
        if found.low is not None:
            plain["if_errors_were"] = [found.low, found.high]
        return plain

    plain = figure(scorer.figure)
    plain["fingerprint"] = header.scorers[name].fingerprint
    if scorer.models:
        plain["models"] = scorer.models
    if scorer.slices:
        plain["slices"] = {slice_name: figure(inner) for slice_name, inner in scorer.slices.items()}
    if scorer.passed is not None:
        plain["pass_at"] = scorer.pass_at
        plain["passed"] = figure(scorer.passed)
    if scorer.pass_hat_k:
        plain |= {"pass_hat_k": scorer.pass_hat_k, "pass_at_k": scorer.pass_at_k, "flaky": scorer.flaky}
    return plain
