"""`gatewatch rubric`: rubrics before they are put to work."""

from collections.abc import Iterator
from textwrap import shorten
from typing import TYPE_CHECKING

import click

from gatewatch.cli.terminal import only_json, print_json, shown, while_heard

if TYPE_CHECKING:
    from gatewatch.config.tryout import Tryout

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
    from gatewatch.config.tryout import try_scorer

    with only_json(as_json):
        tryout = try_scorer(Project.open(), rubric, run=run, other=other, cases=cases, limit=limit)
    with while_heard():
        if as_json:
            print_json({"kind": "gatewatch.tryout", "version": 1, "tryout": tryout})
        else:
            for line in _lines(tryout):
                click.echo(shown(line))
    return 4 if all(each.score.status == "scorer_error" for each in tryout.tried) else 0


def _lines(tryout: "Tryout") -> Iterator[str]:
    against = f" against {tryout.other}" if tryout.other else ""
    yield f"{tryout.scorer} ({tryout.fingerprint}) on {tryout.run}{against}"
    for each in tryout.tried:
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
    if tryout.mean.mean is not None:
        ends = tryout.mean.interval
        interval = "" if ends is None else f" [{ends.low:.3f}, {ends.high:.3f}]"
        yield f"mean {tryout.mean.mean:.3f}{interval} of {tryout.mean.n}   cost {tryout.cost}"
    else:
        yield f"no score   cost {tryout.cost}"
    for bias in tryout.biases:
        mark = "!" if bias.warns else " "
        yield f"{mark} {bias.kind} {bias.value:.3f} [{bias.low:.3f}, {bias.high:.3f}]: {bias.says}"
