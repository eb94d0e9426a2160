"""`gatewatch rebaseline`: run a suite's grown dataset, lock the cases whose fix is there, and pin a new baseline."""

from typing import TYPE_CHECKING, Any

import click

from gatewatch.cli.terminal import counted, only_json, print_json, shown, tell, while_heard

if TYPE_CHECKING:
    from gatewatch.config.baselines import Pinned
    from gatewatch.config.rebaselining import Rebaselined


@click.command(name="rebaseline")
@click.argument("suite")
@click.option("--reason", required=True, help="Why, for the file and for whoever looks at it later.")
@click.option("--run", "run", default="", help="A run that was made already: its id, its name, or a file.")
@click.option("--task", default="", help="Another task than the suite's.")
@click.option("--trials", type=click.IntRange(1), help="How many trials of each case it is to have.")
@click.option("--even-so", is_flag=True, help="Pin what the gate is against. That is in the file then, too.")
@click.option(
    "--outbox", is_flag=True, help="Write no file here: put the baseline into the outbox, for `gatewatch pull`."
)
@click.option("--by", default="", help="Who does it. Default: you, by your account.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
@click.option("--plain", is_flag=True, help="Plain lines in the place of a live display.")
def command(
    suite: str,
    *,
    reason: str,
    run: str,
    task: str,
    trials: int | None,
    even_so: bool,
    outbox: bool,
    by: str,
    as_json: bool,
    plain: bool,
) -> int:
    """Run a SUITE's dataset as it is now, show what moved beside the baseline so far, and pin it.

    Open cases that pass are tried again; those that pass three times of three are locked: they must pass from now on,
    and the failures that they guard are closed. A run that the gate calls REGRESSED, or cannot compare, is not pinned.

    Exit codes: 0 pinned; 1 it is worse, 3 there is no verdict on it, 4 the run broke, and nothing was pinned.
    """
    from gatewatch.cli.gate import Making
    from gatewatch.cli.terminal import who
    from gatewatch.config.project import Project
    from gatewatch.config.rebaselining import Ask, rebaseline

    if not reason.strip():
        raise click.UsageError("--reason is empty: say why the baseline is made anew")
    if run and task:
        raise click.UsageError("--run is a run that was made already: leave out --task")
    with only_json(as_json):
        project = Project.open()
        ask = Ask(
            by=by.strip() or who(),
            reason=reason.strip(),
            run=run,
            task=task,
            trials=trials,
            even_so=even_so,
            outbox=outbox,
        )
        found = rebaseline(project, suite, ask, make=Making(project, plain=plain or as_json), tell=tell)
    with while_heard():
        if as_json:
            print_json(as_object(suite, ask.reason, found))
        else:
            _print(suite, found)
    if found.refused:
        assert found.gated is not None
        tell(f"not pinned: {shown(found.refused)}")
        if not found.gated.verdict.broken:
            again = f"--run {found.run} " if found.run else ""
            tell(f'to pin it all the same:  gatewatch rebaseline {suite} {again}--even-so --reason "..."')
        return found.gated.verdict.exit_code
    return 0


def as_object(suite: str, reason: str, found: "Rebaselined") -> dict[str, Any]:
    """What came of it, in the form that `rebaseline --json` prints (see the reference)."""
    from gatewatch.core.change import change_name
    from gatewatch.core.failure import failure_name
    from gatewatch.offline.reports.tables import as_json

    pinned = found.pinned
    return {
        "kind": "gatewatch.rebaseline",
        "version": 1,
        "suite": suite,
        "run": found.run,
        "reason": reason if pinned is None else pinned.header.reason,
        "refused": found.refused,
        "verdict": None if found.gated is None else as_json(found.gated.verdict),
        "baseline": None
        if pinned is None
        else {"path": str(pinned.path), "dataset": pinned.header.dataset.version, "lines": len(pinned.lines)},
        "locked": [{"id": case, "place": place} for case, place in found.locked.items()],
        "open": list(found.waiting),
        "fixed": [failure_name(number) for number in found.failures],
        "change": None if found.change is None else change_name(found.change.id),
        "cost": {"task": found.cost.total, "judge": found.judge_cost.total},
        "notes": list(found.notes),
    }


def _print(suite: str, found: "Rebaselined") -> None:
    from gatewatch.cli.faces import show

    if found.gated is not None:
        show(found.gated, as_json=False)
        click.echo("")
    for note in found.notes:
        click.echo(f"! {shown(note)}")
    if found.pinned is not None:
        _print_pinned(suite, found, found.pinned)


def _print_pinned(suite: str, found: "Rebaselined", pinned: "Pinned") -> None:
    from gatewatch.core.change import change_name
    from gatewatch.core.failure import failure_name

    cases = len({line.case for line in pinned.lines})
    stands = "is the baseline" if found.change is None else "is to be the baseline"
    click.echo(shown(f"{suite}: {pinned.header.run} {stands}, {counted(cases, 'case')} of it"))
    click.echo(shown(f"  reason    {pinned.header.reason}"))
    for case, place in found.locked.items():
        where = f"  {place}" if place else ""
        click.echo(shown(f"  fixed     {case}{where}: 3 of 3 passed, must pass from now on"))
    if found.waiting:
        some = ", ".join(found.waiting[:5]) + (" ..." if len(found.waiting) > 5 else "")
        click.echo(shown(f"  open      {counted(len(found.waiting), 'case')} may fail yet: {some}"))
    for number in found.failures:
        click.echo(
            f"  closed    {failure_name(number)}: all of its cases pass; if it comes back live it is opened again"
        )
    judged = found.judge_cost.amount or found.judge_cost.unknown
    click.echo(f"  cost      task {found.cost}" + (f" · judge {found.judge_cost}" if judged else ""))
    if found.change is not None:
        click.echo(f"{change_name(found.change.id)} waits in the outbox: `gatewatch pull` writes it into a checkout.")
    else:
        files = [str(pinned.path), *dict.fromkeys(place.rpartition(":")[0] for place in found.locked.values() if place)]
        click.echo(shown(f"Have it reviewed, and commit it: {' '.join(files)}"))
