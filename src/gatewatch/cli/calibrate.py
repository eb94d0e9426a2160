"""`gatewatch calibrate`: how far a judge may be trusted."""

from collections.abc import Iterator
from math import isnan
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

import click

from gatewatch.cli.terminal import counted, only_json, print_json, shown, tell, while_heard

if TYPE_CHECKING:
    from gatewatch.config.calibrations import Kept
    from gatewatch.offline.result import Prepared, RunResult
    from gatewatch.scorers.calibrate import Calibration, Figure

_CODES = {"USABLE": 0, "NOT USABLE": 1, "TOO FEW LABELS": 3}
_SHOWN = 300
_SUSPECTS = "How many labels to look at again are shown of each kind."


@click.command(name="calibrate")
@click.argument("scorer")
@click.option("--labels", required=True, type=click.Path(path_type=Path), help="People's labels, as JSON lines.")
@click.option("--run", default="", help="The run that was labelled; by default the newest that has most of the cases.")
@click.option("--verdicts", type=click.Path(path_type=Path), help="Recorded verdicts as JSON lines: nothing is asked.")
@click.option("--good", default="", help="The choice whose rate is meant, where people choose.")
@click.option("--pass-at", type=click.FloatRange(0, 1), help="From which value on a grade is a pass; else the suites'.")
@click.option("--all", "everything", is_flag=True, help="Ask about every row of the run, not only the labelled ones.")
@click.option("--anew", is_flag=True, help="People labelled the outputs of this run, whatever was labelled before.")
@click.option("--replace", is_flag=True, help="Keep this calibration even where the one that is kept says more.")
@click.option("--suspects", type=click.IntRange(0), default=5, show_default=True, help=_SUSPECTS)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
@click.option("--plain", is_flag=True, help="Plain lines in the place of a live display.")
def command(
    scorer: str,
    *,
    labels: Path,
    run: str,
    verdicts: Path | None,
    good: str,
    pass_at: float | None,
    everything: bool,
    anew: bool,
    replace: bool,
    suspects: int,
    as_json: bool,
    plain: bool,
) -> int:
    """Hold a SCORER's verdicts against people's labels, and keep what comes of it in calibrations/.

    SCORER is a rubric's file, or the name of a scorer of the project. Its verdicts are those of the run that was
    labelled, where it has them; else the stored outputs are judged now.

    Exit codes: 0 USABLE, 1 NOT USABLE, 3 TOO FEW LABELS, 2 wrong usage, 4 the scorer failed on all that is labelled.
    """
    if pass_at is not None and isnan(pass_at):  # which no range keeps out
        raise click.BadParameter("nan is not in 0..1", param_hint="--pass-at")
    from gatewatch.cli.run import shown_run
    from gatewatch.config.calibrate import calibrate_scorer
    from gatewatch.config.calibrations import better_kept, calibration_path, write_calibration
    from gatewatch.config.forecast import forecast
    from gatewatch.config.load import shortest
    from gatewatch.config.project import Project

    with only_json(as_json):
        project = Project.open(required=verdicts is None)

        def make(ready: "Prepared") -> "RunResult":
            tell(f"{ready.header.run}: {shown(forecast(project, ready))}")
            return shown_run(ready, plain=plain or as_json, closing=project.close)

        kept = calibrate_scorer(
            project,
            scorer,
            labels,
            run=run,
            verdicts=verdicts,
            good=good,
            pass_at=pass_at,
            everything=everything,
            anew=anew,
            make=make,
        )
        path, better = calibration_path(project.root, kept.scorer), None
        if kept.fingerprint:
            better = None if replace else better_kept(project.root, kept)
            if better is None:
                write_calibration(project.root, kept)
    with while_heard():
        if as_json:
            print_json(kept)
        else:
            for line in lines(kept, suspects):
                click.echo(shown(line))
            if kept.fingerprint and better is None:
                click.echo(f"\nkept in {shown(shortest(path))}")
    if better is not None:
        on = counted(better.found.labels - better.found.missing, "labelled output")
        there = f"{shortest(path)} says {better.found.word}, on {on}"
        tell(shown(f"! not kept: {there}, by the same ruler (--replace keeps this one in its place)"))
    return _CODES[kept.found.word]


def lines(kept: "Kept", suspects: int) -> Iterator[str]:
    """A calibration in words, the verdict first, with so many labels to look at again of each kind."""
    found = kept.found
    yield f"{kept.scorer}: {found.word}"
    yield f"  {found.why}"
    yield ""
    judged = f"of {kept.judged}" if kept.judged else ""
    judged += f" on outputs of {kept.run}" if kept.run not in ("", kept.judged) else ""
    left = f"; {counted(kept.left_out, 'line')} left out: chosen for what they are, with no pi" if kept.left_out else ""
    left += f"; {counted(kept.elsewhere, 'line')} of what has no verdict here" if kept.elsewhere else ""
    yield f"{counted(found.labels, 'labelled output')} ({kept.labels}), verdicts {judged}{left}"
    if kept.marked_by:
        by = ", ".join(f"[suites.{each}]" for each in kept.marked_by)
        yield f"good is {kept.pass_at:g} or more, by pass_at of {by}"
    if found.missing:
        yield f"! {counted(found.missing, 'verdict')} missing: unknown, and no loss to either side"
    for why, count in kept.failures.items():
        yield f"! {kept.scorer} failed on {count} of {found.labels}: {shorten(why, _SHOWN)}"
    if found.split:
        yield f"! people are split on {found.split}: in no figure of agreement"
    yield ""
    yield from _figures(found)
    yield from _confusion(found)
    yield from _rate(found)
    for name, part in found.slices.items():
        figures = (("agreement", part.agreement), ("AUC", part.auc), ("J", None if part.auc else part.youden))
        said = "".join(f"   {what} {_in_words(figure)}" for what, figure in figures if figure is not None)
        yield f"  slice {name}: {counted(part.labels, 'labelled output')}, {part.good} good by people's word{said}"
    for bias in found.biases:
        mark = "!" if bias.warns else " "
        yield f"{mark} {bias.kind}: {bias.value:.3f} [{bias.low:.3f}, {bias.high:.3f}] {bias.says} (n {bias.n})"
    yield from _again(found, suspects)


def _again(found: "Calibration", most: int) -> Iterator[str]:
    """The labels to look at again, by kind: where people part, and where the scorer and people do."""
    if not found.suspects:
        return
    split = [suspect for suspect in found.suspects if suspect.why == "people are split"]
    apart = [suspect for suspect in found.suspects if suspect.why != "people are split"]
    yield ""
    yield f"labels to look at again ({len(found.suspects)}):"
    for kind, some in (("people are split", split), ("the verdict and people part", apart)):
        if some:
            more = f", {most} shown (--suspects {len(some)} for all)" if len(some) > most else ""
            yield f"  {kind} ({len(some)}{more})"
        for suspect in some[:most]:
            people = ", ".join(map(_value, suspect.people))
            verdict = "missing" if suspect.verdict is None else _value(suspect.verdict)
            both = "" if suspect.why in ("people are split", "contradicted") else f" ({suspect.why})"
            yield f"    {suspect.id}: people say {people}; the verdict is {verdict}{both}"
            if suspect.explanation:
                yield f"      {shorten(suspect.explanation, _SHOWN)}"


def _figures(found: "Calibration") -> Iterator[str]:
    if found.agreement is not None:
        yield f"  agreement     {_in_words(found.agreement)}   {found.agreed} of {sum(found.counts)}"
    for name, figure in (
        ("kappa", found.kappa),
        ("sensitivity", found.sensitivity),
        ("specificity", found.specificity),
        ("PPV", found.ppv),
        ("NPV", found.npv),
        ("J", found.youden),
        ("AUC", found.auc),
    ):
        if figure is not None:
            yield f"  {name:<13} {_in_words(figure)}"
    if found.weighted_kappa is not None:
        yield f"  {'kappa by grade':<13} {_in_words(found.weighted_kappa)}, weighted by the square of the difference"
    if found.ceiling is not None:
        alpha = "" if found.alpha is None else f"   Krippendorff's alpha {found.alpha:.3f}"
        alpha += "" if found.fleiss is None else f", Fleiss' kappa {found.fleiss:.3f}"
        yield f"  {'people':<13} {found.ceiling:.3f}: how often two of them agree, the ceiling{alpha}"


def _confusion(found: "Calibration") -> Iterator[str]:
    if not found.confusion:
        return
    columns = sorted({column for row in found.confusion.values() for column in row})
    width = max(map(len, [*columns, *found.confusion, "people"])) + 2
    yield ""
    yield "  people \\ verdict".ljust(width + 10) + "".join(name.rjust(width) for name in columns)
    for name, row in sorted(found.confusion.items()):
        yield f"  {name}".ljust(width + 10) + "".join(str(row.get(column, 0)).rjust(width) for column in columns)
    yield ""


def _rate(found: "Calibration") -> Iterator[str]:
    if found.rate is not None:
        yield f"  the rate by the verdicts   {found.rate:.3f} of {counted(found.population, 'verdict')}, uncorrected"
    if found.labelled_rate is not None:
        yield f"  by the labels alone        {_in_words(found.labelled_rate)}"
    if found.corrected is not None:
        yield f"  as people would say        {_in_words(found.corrected)}"
    if found.mean is not None:
        yield f"  people's mean grade        {_in_words(found.mean)}"


def _in_words(figure: "Figure") -> str:
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def _value(value: object) -> str:
    return {True: "good", False: "bad"}[value] if isinstance(value, bool) else str(value)
