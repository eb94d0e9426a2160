"""`gatewatch run`: a suite's task over its dataset, every row scored and kept."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gatewatch.offline.result import RunResult
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
    concurrency: int | None,
    seed: int | None,
    budget: str | None,
    resume: bool,
    as_json: bool,
    plain: bool,
) -> int:
    """Run a SUITE's task over its dataset and score every row."""
    from gatewatch.cli.progress import Progress
    from gatewatch.cli.terminal import print_json, print_summary
    from gatewatch.cli.watchdog import GRACE_S, Watchdog
    from gatewatch.config.forecast import forecast
    from gatewatch.config.project import Project
    from gatewatch.config.runs import prepare_suite
    from gatewatch.offline.result import execute
    from gatewatch.offline.summary import as_json as to_json

    project = Project.open()
    prepared = prepare_suite(
        project,
        suite,
        task=task,
        label=name,
        limit=limit,
        resume=resume,
        trials=trials,
        tier=tier,
        concurrency=concurrency,
        seed=seed,
        budget=budget,
    )
    results: list[RunResult] = []
    for position, ready in enumerate(prepared):
        last = position == len(prepared) - 1
        if not as_json:
            click.echo(f"{ready.header.run}: {forecast(project, ready)}", err=True)
        # The longest that one call may block the event loop, and a little.
        longest = ready.plan.timeout + ready.plan.scorer_timeout + GRACE_S
        advice = f"What was done is kept. Mend what hangs, then: gatewatch run {suite} --resume"
        with (
            Watchdog(longest, advice) as watchdog,
            Progress(ready, pace=project.pace, plain=plain or as_json) as progress,
        ):
            result = execute(ready, watch=progress.row, beat=watchdog.beat, closing=project.close if last else None)
        results.append(result)
        if not as_json:
            print_summary(result.summary)
            click.echo(f"\nshow it again: gatewatch show {result.id}   rows: gatewatch show {result.id} --rows")
    summaries = [result.summary for result in results]
    if as_json:
        objects = [to_json(summary) for summary in summaries]
        print_json(objects[0] if len(objects) == 1 else {"kind": "gatewatch.runs", "version": 1, "runs": objects})
    return max(exit_code(summary) for summary in summaries)


def exit_code(summary: "Summary") -> int:
    """0 for a run that is complete and has something to show, else 4."""
    return 4 if summary.state != "complete" or summary.all_failed else 0
