"""What people say of a run's judges: their rate as people would state it, or why no calibration bears it out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewatch.cli.terminal import shown

if TYPE_CHECKING:
    from gatewatch.offline.result import RunResult
    from gatewatch.scorers.calibrate import Figure


def as_people_would(result: "RunResult") -> None:
    """Print a line for each judge of a run: its rate as people would state it, or why it is not to be relied on."""
    for name, figure in _figures(result).items():
        ends = f"[{figure.low:.3f}, {figure.high:.3f}]"
        click.echo(shown(f"{name}: as people would say {figure.value:.3f} {ends}, by its calibration"))
    root = _root(result)
    if root is not None:
        from gatewatch.config.calibrations import unreliable

        for name, why in unreliable(root, result.summary).items():
            click.echo(shown(f"! {name}: {why}"))


def told(plain: dict[str, Any], result: "RunResult") -> dict[str, Any]:
    """A run's summary as JSON, with what people would say in it."""
    for name, figure in _figures(result).items():
        plain["scorers"][name]["calibrated"] = {"mean": figure.value, "interval": [figure.low, figure.high]}
    return plain


def _figures(result: "RunResult") -> "dict[str, Figure]":
    root = _root(result)
    if root is None:
        return {}
    from gatewatch.config.calibrations import on_human_scale

    return on_human_scale(root, result.summary)


def _root(result: "RunResult") -> Path | None:
    """The folder of the project whose calibrations speak of a run, where it has a judge."""
    above = result.path.absolute().parents
    judged = any(ref.source == "judge" for ref in result.summary.header.scorers.values())
    return above[2] if judged and above[0].name == "runs" and above[1].name == ".gatewatch" else None
