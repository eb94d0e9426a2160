"""`gatewatch audit`: what in a dataset tests nothing, tests twice, or is not so, and what it lacks."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewatch.cli.terminal import console, counted, only_json, print_json, shown, tell, while_heard

if TYPE_CHECKING:
    from rich.console import Console

    from gatewatch.loop.audit import Audit
    from gatewatch.loop.finding import Finding

_EVERY = "all"
_FAIL = "Exit with 1 where a check found more than N cases (0 by default), or than P percent of them."
_APPLY = "Make the proposed edits in the dataset's file: of all checks, or of those named."
_DAYS = "For how many days nothing like a case must have been asked for it to be stale."
_MOST = "How many findings are shown of each check; 0 for all."


@click.command(name="audit")
@click.argument("dataset")
@click.option("--only", multiple=True, metavar="CHECK", help="Only this check; may be given again.")
@click.option("--fail-on", multiple=True, metavar="CHECK[:N|:P%]", help=_FAIL)
@click.option("--proposal", type=click.Path(path_type=Path), help="Write the proposed edits into this file, as a diff.")
@click.option("--apply", is_flag=False, flag_value=_EVERY, multiple=True, metavar="[CHECK]", help=_APPLY)
@click.option("--days", type=click.FloatRange(0, 3650, min_open=True), default=30, show_default=True, help=_DAYS)
@click.option("--flow", default="", help="The flow of live traffic that the dataset stands for.")
@click.option("--most", type=click.IntRange(0), default=10, show_default=True, help=_MOST)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(
    dataset: str,
    *,
    only: tuple[str, ...],
    fail_on: tuple[str, ...],
    proposal: Path | None,
    apply: tuple[str, ...],
    days: float,
    flow: str,
    most: int,
    as_json: bool,
) -> int:
    """Look for what is wrong with a DATASET, which is a suite's name or a file: duplicates, contradictions, labels that
    may be wrong, cases that leaked, that are stale, flaky or always pass, and slices that are missing.

    Nothing is run, and nothing is deleted: what is to go is retired, with a reason. What cannot be checked is named.

    Exit codes: 0 done, 1 a --fail-on tripped, 2 wrong usage or configuration, 3 a check of --fail-on could not be made.
    """
    from gatewatch.config.audit_limits import checks_named, limits, tripped
    from gatewatch.config.auditing import audit_dataset
    from gatewatch.config.project import Project
    from gatewatch.loop.amend import amend
    from gatewatch.loop.amend import proposal as diff_of

    wanted, held = checks_named("--only", only), limits(fail_on)
    applied = checks_named("--apply", () if _EVERY in apply else apply)
    with only_json(as_json):
        whole, path = audit_dataset(Project.open(required=False), dataset, days=days, flow=flow)
    found = whole.only(wanted) if wanted else whole
    if proposal is not None:
        _write(proposal, diff_of(path, found.proposed))
    edits = None
    if apply:
        edits = amend(path, (found.only(applied) if applied else found).proposed)
    over, unknown = tripped(held, whole)
    with while_heard():
        if as_json:
            told: dict[str, object] = {"proposed": len(found.proposed), "tripped": over, "unknown": unknown}
            told |= {} if edits is None else {"applied": edits}
            print_json({"kind": "gatewatch.audit", "version": 1, **_told(found), **told})
        else:
            _print(found, most)
            _say_edits(found, path, proposal, edits)
    for each in over:
        tell(shown(f"✕ {each.said}"))
    for each in unknown:
        tell(shown(f"? {each.said}"))
    return 1 if over else 3 if unknown else 0


def _write(path: Path, text: bytes) -> None:
    from gatewatch.core.errors import InputError, Problem

    try:
        path.write_bytes(text)
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be written: {error.strerror}")) from None


def _told(found: "Audit") -> dict[str, object]:
    from msgspec.structs import asdict

    return asdict(found)


def _print(found: "Audit", most: int) -> None:
    from rich.table import Table
    from rich.text import Text

    from gatewatch.loop.finding import CHECKS
    from gatewatch.offline.report import clean

    out = console(100)
    of = f" (suite {found.suite})" if found.suite else ""
    retired = f", {found.retired:,} retired" if found.retired else ""
    out.print(Text(clean(f"{found.dataset}{of}: {counted(found.cases, 'case')} in use{retired}"), "bold"))
    totals = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("check", "found", "cases", "share"):
        totals.add_column(heading, justify="left" if heading == "check" else "right", no_wrap=True)
    totals.add_column("")
    for check in CHECKS:
        count = found.counts.get(check)
        if count is not None:
            share = f"{count.share:.1%}" if count.cases else ""
            cells = (check, f"{count.findings:,}", f"{count.cases:,}" if count.cases else "", share, CHECKS[check])
            totals.add_row(*(Text(cell) for cell in cells))
    out.print(totals)
    for check in CHECKS:
        _print_check(out, check, [each for each in found.findings if each.check == check], most)
    if found.unchecked:
        out.print()
        out.print(Text("not checked", "bold"))
        for check, why in found.unchecked.items():
            out.print(Text(clean(f"  {check}: {why}")))


def _print_check(out: "Console", check: str, findings: "list[Finding]", most: int) -> None:
    """What one check found, the worst first: which cases and where, why, and what may be done."""
    from rich.table import Table
    from rich.text import Text

    from gatewatch.offline.report import clean

    if not findings:
        return
    out.print()
    out.print(Text(check, "bold"))
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1))
    for name in ("case", "why"):
        table.add_column(name, overflow="fold", ratio=1 if name == "case" else 2)
    for each in findings[: most or None]:
        where = [f"{id_}  {place}" for id_, place in zip(each.cases, each.where, strict=True)]
        case = Text(clean(where[0]) if where else "")
        case.append("".join(f"\n{clean(line)}" for line in where[1:]), "dim")
        why = Text(clean(each.why))
        why.append(f"\n→ {clean(each.do)}", "dim")
        table.add_row(case, why)
    out.print(table)
    if most and len(findings) > most:
        out.print(Text(f"  and {len(findings) - most:,} more (--most 0 shows all)", "dim"))


def _say_edits(found: "Audit", path: Path, proposal: Path | None, edits: int | None) -> None:
    number = len(found.proposed)
    if edits is not None:
        click.echo(shown(f"\n{path}: {counted(edits, 'case')} edited. Have it reviewed, and commit it."))
    elif proposal is not None:
        click.echo(shown(f"\n{proposal}: {counted(number, 'edit')} proposed; `git apply` takes it, or --apply"))
    elif number:
        click.echo(f"\n{counted(number, 'edit')} proposed: --proposal FILE writes them as a diff, --apply makes them")
