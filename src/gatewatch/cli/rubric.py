"""`gatewatch rubric`: rubrics before they are put to work."""

from collections.abc import Iterator
from textwrap import shorten
from typing import TYPE_CHECKING

import click

from gatewatch.cli.terminal import only_json, print_json, shown, while_heard

if TYPE_CHECKING:
    from gatewatch.config.trial import Trial

_SHOWN = 300


@click.group(name="rubric")
def command() -> None:
    """Try rubrics before they are put to work."""


@command.command(name="try")
@click.argument("rubric")
@click.option("--run", default="latest", help="The run whose traces are judged; by default the newest.")
@click.option("--other", default="", help="For a pairwise rubric: the run whose outputs they are compared with.")
@click.option("--case", "cases", multiple=True, help="Only this case; may be given again.")
@click.option("--limit", default=5, type=click.IntRange(1), show_default=True, help="How many traces at the most.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def try_(rubric: str, *, run: str, other: str, cases: tuple[str, ...], limit: int, as_json: bool) -> int:
    """Judge a few stored traces by a RUBRIC (a file, or the name of a scorer), and say what that cost.

    Nothing is kept but the replies, in the reply cache.
    """
    from gatewatch.config.project import Project
    from gatewatch.config.trial import try_scorer

    with only_json(as_json):
        trial = try_scorer(Project.open(), rubric, run=run, other=other, cases=cases, limit=limit)
    with while_heard():
        if as_json:
            print_json({"kind": "gatewatch.trial", "version": 1, "trial": trial})
        else:
            for line in _lines(trial):
                click.echo(shown(line))
    return 4 if all(each.score.status == "scorer_error" for each in trial.tried) else 0


def _lines(trial: "Trial") -> Iterator[str]:
    against = f" against {trial.other}" if trial.other else ""
    yield f"{trial.scorer} ({trial.fingerprint}) on {trial.run}{against}"
    for each in trial.tried:
        score = each.score
        value = "-" if score.value is None else f"{score.value:.3f}"
        cost = "" if score.cost is None else f"  {score.cost}"
        yield ""
        yield f"{each.case}  {value}  {score.label or score.status}{cost}"
        yield f"  output  {shorten(each.output, _SHOWN) or '(empty)'}"
        for name, part in score.parts.items():
            yield f"  {name}: {part.label}, {shorten(part.explanation, _SHOWN)}"
        if score.explanation and not score.parts:
            yield f"  why     {shorten(score.explanation, _SHOWN)}"
    yield ""
    if trial.mean.mean is not None:
        ends = trial.mean.interval
        interval = "" if ends is None else f" [{ends.low:.3f}, {ends.high:.3f}]"
        yield f"mean {trial.mean.mean:.3f}{interval} of {trial.mean.n}   cost {trial.cost}"
    else:
        yield f"no score   cost {trial.cost}"
    for bias in trial.biases:
        mark = "!" if bias.warns else " "
        yield f"{mark} {bias.kind} {bias.value:.3f} [{bias.low:.3f}, {bias.high:.3f}]: {bias.says}"
