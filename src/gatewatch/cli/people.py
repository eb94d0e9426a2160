"""A judge's rate as people would state it, beside the judge's own, where the judge has a calibration to rely on."""

from typing import TYPE_CHECKING, Any

import click

from gatewatch.cli.terminal import shown

if TYPE_CHECKING:
    from gatewatch.offline.result import RunResult
    from gatewatch.scorers.calibrate import Figure


def as_people_would(result: "RunResult") -> None:
    """Print a line for each such judge of a run."""
    for name, figure in _figures(result).items():
        ends = f"[{figure.low:.3f}, {figure.high:.3f}]"
        click.echo(shown(f"{name}: as people would say {figure.value:.3f} {ends}, by its calibration"))


def told(plain: dict[str, Any], result: "RunResult") -> dict[str, Any]:
    """A run's summary as JSON, with what people would say in it."""
    for name, figure in _figures(result).items():
        plain["scorers"][name]["calibrated"] = {"mean": figure.value, "interval": [figure.low, figure.high]}
    return plain


def _figures(result: "RunResult") -> "dict[str, Figure]":
    if not any(ref.source == "judge" for ref in result.summary.header.scorers.values()):
        return {}
    from gatewatch.config.calibrations import on_human_scale

    return on_human_scale(result.path.parents[2], result.summary)
