"""`gatewatch show`: a run's summary, its rows, or one case in full; or the chain of what was promoted."""

import csv
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unicodedata import normalize

import click

if TYPE_CHECKING:
    from gatewatch.config.chains import Kind
    from gatewatch.core.run import Row, ScorerRef
    from gatewatch.offline.result import RunResult

_SHOWN_VALUE = 4000
_KINDS = ["run", "failure", "item", "change", "case"]


@click.command(name="show")
@click.argument("what", default="latest")
@click.option("--rows", "show_rows", is_flag=True, help="List the rows, the worst first.")
@click.option("--failed", is_flag=True, help="List only rows with an error, a score of 0, or one under its pass mark.")
@click.option("--case", "case_id", default="", help="Show every trial of this case in full.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many rows to list.")
@click.option("--as", "kind", type=click.Choice(_KINDS), help="What WHAT is, where it could be several things.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
@click.option("--csv", "as_csv", is_flag=True, help="Print every row (or every failed one) as CSV.")
def command(
    what: str,
    *,
    show_rows: bool,
    failed: bool,
    case_id: str,
    limit: int,
    kind: str | None,
    as_json: bool,
    as_csv: bool,
) -> int | None:
    """Show WHAT: a run (its id, the start of it, its name, a file, or "latest"); or the chain of what was promoted.

    A failure (F3), an item of review (I7), a change (C3) or a case (its id) is shown link by link: request, scores,
    failure, labels, case, runs, verdicts. A name that is a run's, too, shows the run.
    """
    from gatewatch.cli.people import as_people_would, told
    from gatewatch.cli.rows import print_rows
    from gatewatch.cli.terminal import print_json, print_summary
    from gatewatch.core.errors import InputError, Problem, nearest
    from gatewatch.offline.report import as_json as to_json
    from gatewatch.offline.result import RunResult

    if isinstance(path := _meant(what, kind), str):
        if show_rows or failed or case_id or as_csv:
            raise click.UsageError("--rows, --failed, --case and --csv are of runs")
        _show_chain(what, cast("Kind", path), as_json=as_json)
        return None
    result = RunResult(path)
    scorers = list(result.summary.header.scorers)
    case_id = normalize("NFC", case_id)  # as a dataset's ids are
    if case_id and not any(row.case == case_id for row in result.rows()):
        near = nearest(case_id, (row.case for row in result.rows()))
        hint = f"did you mean {' or '.join(near)}?" if near else "list them with --rows"
        raise InputError(Problem(case_id, f"no such case in {result.id}", hint))
    if as_csv:
        _write_csv(_chosen(result, failed=failed, case_id=case_id), scorers)
        return None
    listing = show_rows or failed or bool(case_id)
    rows = list(_chosen(result, failed=failed, case_id=case_id)) if listing else []
    if as_json:
        whole = told(to_json(result.summary), result)
        print_json(whole | {"rows": [_as_json(row, result.id) for row in rows]} if listing else whole)
    elif case_id:
        for row in rows:
            _print_text(_in_full(row, result.id, scorers))
    elif failed and not rows:
        click.echo("no row failed")
    elif listing:
        print_rows(sorted(rows, key=_badness), scorers, limit)
    else:
        print_summary(result.summary)
        as_people_would(result)
    return None


def _meant(what: str, kind: str | None) -> "Path | str":
    """The run that is meant, or as what else a name is to be shown.

    Raises:
        InputError: nothing is called so.
    """
    from gatewatch.cli.terminal import tell
    from gatewatch.config.chains import kind_of
    from gatewatch.config.load import find
    from gatewatch.config.project import Project, runs_of
    from gatewatch.core.errors import InputError
    from gatewatch.offline.result import find_run

    if kind is not None and kind != "run":
        return kind
    here = Path.cwd()
    try:
        path = find_run(runs_of(here), what)
    except InputError:
        other = kind_of(Project.open(), what) if kind is None and find(here) is not None else None
        if other is None:
            raise
        return other
    with suppress(InputError):  # a run is shown, whatever the project's settings look like
        if kind is None and what not in ("latest", path.stem) and (other := kind_of(Project.open(), what)) is not None:
            tell(f"! {what} is a {other}, too: --as {other} shows that")
    return path


def _show_chain(what: str, kind: "Kind", *, as_json: bool) -> None:
    from gatewatch.cli.chain_text import as_object, lines_of
    from gatewatch.cli.terminal import console, print_json
    from gatewatch.config.chains import chain_of
    from gatewatch.config.project import Project
    from gatewatch.offline.report import clean

    found = chain_of(Project.open(), what, kind)
    if as_json:
        print_json(as_object(found) | ({"failure": _failure(what)[0]} if kind == "failure" else {}))
        return
    told = _failure(what)[1] if kind == "failure" else []
    for label, said in told:
        click.echo(clean(f"{label:<10} {said}"))
    for line in lines_of(found, console(100).width, after="label" if told else None):
        click.echo(clean(line))


def _failure(name: str) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """A failure for programs and for people, with what was asked and answered; that is noted in the audit."""
    from gatewatch.cli.failure_text import lines_of
    from gatewatch.cli.opened import opened
    from gatewatch.cli.terminal import who
    from gatewatch.core.clock import wall
    from gatewatch.core.failure import told

    with opened() as (_, store):
        failure = store.failure(int(name[1:]))
        assert failure is not None
        store.note(wall(), who(), "read", name.upper())
        return told(failure), list(lines_of(failure, store))


def _chosen(result: "RunResult", *, failed: bool, case_id: str) -> "Iterator[Row]":
    for row in result.rows():
        if case_id and row.case != case_id:
            continue
        if failed and not _failed(row, result.summary.header.scorers):
            continue
        yield row


def _failed(row: "Row", scorers: "dict[str, ScorerRef]") -> bool:
    """Whether a row has an error, a score of 0, or one under its pass mark."""
    if row.trace is not None and row.trace.error is not None:
        return True
    for name, score in row.scores.items():
        mark = scorers[name].pass_at if name in scorers else None
        if score.status == "scorer_error" or (
            score.value is not None and (score.value == 0 or score.value < (mark or 0))
        ):
            return True
    return False


def _badness(row: "Row") -> tuple[float, str, int]:
    """Sorts rows with the worst first: by their lowest score, an unknown one counting as just above 0."""
    values = [score.value for score in row.scores.values() if score.value is not None]
    if any(score.status == "scorer_error" for score in row.scores.values()):
        values.append(0.001)
    if row.trace is not None and row.trace.error is not None:
        values.append(0.0)
    return min(values, default=1.0), row.case, row.trial


def _as_json(row: "Row", run: str) -> dict[str, Any]:
    """A row as it is kept, with what a label may name it by: its trace's id, and a digest of its output."""
    from gatewatch.core import codec

    trace_id, digest = _names(row, run)
    return {**codec.parse(codec.encode(row)), "trace_id": trace_id, "output_digest": digest}


def _names(row: "Row", run: str) -> tuple[str, str]:
    from gatewatch.core import codec
    from gatewatch.core.run import trace_id
    from gatewatch.offline.outcomes import digest_of

    output, error = (None, None) if row.trace is None else (row.trace.output, row.trace.error)
    return trace_id(run, row.case, row.trial), digest_of(codec.encode(output), error)


def _in_full(row: "Row", run: str, scorers: list[str]) -> "Iterator[tuple[str, str]]":
    from gatewatch.core.codec import text_of
    from gatewatch.offline.report import number, seconds

    yield "case", f"{row.case}  trial {row.trial}" + (f"  slice {row.slice}" if row.slice else "")
    trace = row.trace
    if trace is None:
        return
    yield "input", text_of(trace.input)
    if row.expected is not None:
        yield "expected", text_of(row.expected)
    if trace.error is not None:
        yield "error", f"{trace.error.message}\n{trace.error.detail}".strip()
    else:
        yield "output", text_of(trace.output)
    if trace.context is not None:
        yield "context", text_of(trace.context)
    depths: list[int] = []
    for span in trace.spans:
        depths.append(0 if span.parent is None or span.parent >= len(depths) else depths[span.parent] + 1)
        asked = f"({text_of(span.input)[:300]})" if span.input is not None else ""
        facts = "  ".join(part for part in (span.model, seconds(span.latency_s)) if part)
        said = f"failed: {span.error.message}" if span.error else text_of(span.output)[:300]
        yield f"  {'  ' * depths[-1]}{span.kind}", f"{span.name}{asked}  {facts}  {said}".rstrip()
    # As the suite has them: a row's own order is that in which they were ready.
    for name in sorted(row.scores, key=lambda name: scorers.index(name) if name in scorers else len(scorers)):
        score = row.scores[name]
        said = " · ".join(part for part in (score.status, score.label, score.model, score.explanation) if part)
        yield f"  {name}", f"{number(score.value)}  {said}"
        for part, inner in score.parts.items():
            said = " · ".join(each for each in (inner.status, inner.label, inner.explanation) if each)
            yield f"    {part}", f"{number(inner.value)}  {said}"
    for note in row.notes:
        yield "note", note
    cost = "unknown" if trace.cost is None else str(trace.cost)
    yield "took", f"{seconds(trace.latency_s)}, cost {cost}"
    trace_id, digest = _names(row, run)
    yield "trace id", trace_id
    yield "digest", f"{digest}, of the output"


def _print_text(lines: "Iterator[tuple[str, str]]") -> None:
    from rich.table import Table
    from rich.text import Text

    from gatewatch.cli.terminal import console
    from gatewatch.offline.report import clean

    drawn = console(100)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in lines:
        whole = value if len(value) <= _SHOWN_VALUE else f"{value[:_SHOWN_VALUE]} ... ({len(value):,} characters)"
        table.add_row(Text(clean(label)), Text("\n".join(clean(line) for line in whole.split("\n"))))
    drawn.print(table)
    drawn.print()


def _write_csv(rows: "Iterator[Row]", scorers: list[str]) -> None:
    """Every row as CSV. A cell that a spreadsheet would take for a formula gets an apostrophe before it."""
    from gatewatch.core.codec import text_of
    from gatewatch.offline.reports.tables import inert

    writer = csv.writer(sys.stdout, lineterminator="\n")
    usual = ("case", "trial", "slice", "output", "error", "latency_s", "cost", "input_tokens", "output_tokens")
    writer.writerow([inert(name) for name in (*usual, *(f"score.{name}" for name in scorers), "states")])
    for row in rows:
        trace = row.trace
        assert trace is not None
        usage = trace.usage
        cells: list[Any] = [
            row.case,
            row.trial,
            row.slice,
            text_of(trace.output),
            trace.error.message if trace.error else "",
            trace.latency_s,
            trace.cost.total if trace.cost else None,
            usage.input_tokens if usage else None,
            usage.output_tokens if usage else None,
            *(row.scores[name].value if name in row.scores else None for name in scorers),
            " ".join(f"{name}={score.status}" for name, score in row.scores.items() if score.status != "scored"),
        ]
        writer.writerow([inert(cell) if isinstance(cell, str) else "" if cell is None else cell for cell in cells])
