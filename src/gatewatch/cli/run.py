"""`gatewatch run`: a suite's task over its dataset, every row scored and kept."""

import shlex
from typing import TYPE_CHECKING

import click

from gatewatch.cli.people import as_people_would, told
from gatewatch.cli.terminal import only_json, print_json, print_summary, shown, tell, while_heard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gatewatch.config.project import Project
    from gatewatch.core.run import Row
    from gatewatch.offline.result import Prepared, RunResult
    from gatewatch.offline.summary import Summary


@click.command(name="run")
@click.argument("suite")
@click.option(
    "--task", default="", help="Another task: module:function, replay:FILE, command:LINE, a URL, or a [tasks] name."
)
@click.option("--name", default="", help="A name for the run, to find it by.")
@click.option("--trials", type=click.IntRange(1), help="How often each case is run.")
@click.option("--limit", type=click.IntRange(1), help="Run only the first cases, this many.")
@click.option("--tier", type=click.Choice(["pr", "nightly"]), help="Run the cases of this tier, and must_pass ones.")
@click.option("--case", "cases", multiple=True, help="Run this case alone, without the reply cache; may be repeated.")
@click.option("--concurrency", type=click.IntRange(1), help="How many cases are worked on at once.")
@click.option("--seed", type=int, help="The seed of the order in which cases are run.")
@click.option("--budget", help='The most that a run may cost, such as "2.00 USD".')
@click.option("--resume", is_flag=True, help="Go on with the suite's newest run, which was cut off.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
@click.option("--plain", is_flag=True, help="Plain lines in the place of a live display.")
def command(
    suite: str,
    *,
    task: str,
    name: str,
    trials: int | None,
    limit: int | None,
    tier: str | None,
    cases: tuple[str, ...],
    concurrency: int | None,
    seed: int | None,
    budget: str | None,
    resume: bool,
    as_json: bool,
    plain: bool,
) -> int:
    """Run a SUITE's task over its dataset and score every row."""
    from gatewatch.config.forecast import forecast
    from gatewatch.config.project import Project
    from gatewatch.config.runs import Part, prepare_suite
    from gatewatch.offline.report import as_json as to_json

    as_begun = {"--trials": trials, "--limit": limit, "--tier": tier, "--seed": seed, "--case": cases or None}
    given = [option for option, value in as_begun.items() if value is not None]
    if resume and given:
        raise click.UsageError(f"--resume goes on with a run as it began: leave out {' and '.join(given)}")
    with only_json(as_json):
        project = Project.open()
        part = None
        if cases:  # a part of no run: it stands for nothing, and says how often these cases pass
            project, part = project.anew(), Part(purpose="flips", of="", only=frozenset(cases))
        prepared = prepare_suite(
            project,
            suite,
            task=task,
            label=name,
            limit=limit,
            resume=resume,
            part=part,
            trials=trials,
            tier=tier,
            concurrency=concurrency,
            seed=seed,
            budget=budget,
        )
        _look_for(cases, prepared)
        for ready in prepared:  # all of them before the first costs anything
            tell(f"{ready.header.run}: {shown(forecast(project, ready))}")
        again = f"gatewatch run {suite} --resume" + (f" --name {shlex.quote(name)}" if name else "")
        results = [_run(project, ready, again, plain=plain or as_json, quiet=as_json) for ready in prepared]
    if as_json:
        objects = [told(to_json(result.summary), result) for result in results]
        with while_heard():
            print_json(objects[0] if len(objects) == 1 else {"kind": "gatewatch.runs", "version": 1, "runs": objects})
    return max(exit_code(result.summary) for result in results)


def _look_for(cases: tuple[str, ...], prepared: "list[Prepared]") -> None:
    """Make sure that the cases that were asked for are run.

    Raises:
        InputError: for those that there are not, or that are retired.
    """
    from gatewatch.core.errors import InputError, Problem

    for ready in prepared if cases else ():
        there = {ready.plan.dataset[index].id for index in ready.plan.chosen}
        if gone := [case for case in cases if case not in there]:
            what = "is no case of it that is run"
            raise InputError([Problem(f"{ready.header.dataset.path}: {each}", what) for each in gone])


def _run(project: "Project", ready: "Prepared", again: str, *, plain: bool, quiet: bool) -> "RunResult":
    """Make one run, shown as it goes, and say what came of it unless that is to be `quiet`.

    `again` is the command that would go on with it.
    """
    result = shown_run(ready, again=again, plain=plain, closing=project.close)
    if not quiet:
        with while_heard():
            print_summary(result.summary)
            as_people_would(result)
            more = f"go on with it:  {again}\n" if result.summary.state != "complete" else ""
            click.echo(f"\n{more}show it again:  gatewatch show {result.id}")
            click.echo(f"see its rows:   gatewatch show {result.id} --rows")
    return result


def shown_run(
    ready: "Prepared",
    *,
    again: str = "",
    plain: bool = False,
    until: "Callable[[Row], str] | None" = None,
    closing: "Callable[[], Awaitable[None]] | None" = None,
) -> "RunResult":
    """Make one run, shown as it goes and watched over; `again` is the command that would go on with it."""
    from gatewatch.cli.progress import Progress
    from gatewatch.cli.watchdog import GRACE_S, Watchdog
    from gatewatch.offline.result import execute

    # The longest that one call may block the event loop, and a little.
    longest = ready.plan.timeout + ready.plan.scorer_timeout + GRACE_S
    advice = f"What was done is kept. To go on with it unchanged: {again}" if again else "What was done is kept."
    progress = Progress(ready, plain=plain)
    try:
        with Watchdog(longest, advice) as watchdog, progress:
            return execute(ready, watch=progress.row, until=until, beat=watchdog.beat, closing=closing)
    except (KeyboardInterrupt, SystemExit):
        more = f"; go on with: {again}" if again else ""
        tell(f"stopped: {progress.done:,} of {ready.plan.cells:,} rows are done and kept{more}")
        raise


def exit_code(summary: "Summary") -> int:
    """0 for a run that is complete and has something to show, else 4."""
    return 4 if summary.state != "complete" or summary.all_failed else 0
