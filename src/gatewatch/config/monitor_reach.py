"""What a project's monitor can see: its scorers, its detectors and its reference, held against the stored traffic."""

from gatewatch.config import units
from gatewatch.config.alerting import alarming
from gatewatch.config.project import Project
from gatewatch.config.rules import points
from gatewatch.core.errors import InputError, Problem, did_you_mean
from gatewatch.online.foresee import Asked, Foreseen, foresee
from gatewatch.online.probe import score_probes, signal_probes
from gatewatch.store.base import Store
from gatewatch.store.rows import Work


def monitor_reach(
    project: Project, store: Store, name: str, *, drop: str, within: str, now: float
) -> tuple[Asked, list[Foreseen]]:
    """What the scorers of a monitor can see.

    Args:
        project: the project.
        store: its store.
        name: the monitor.
        drop: of a mean score: "5pp".
        within: how soon it is to be seen: "24h".
        now: in seconds since the epoch.

    Raises:
        ConfigError: with what is wrong in the project's monitors.
        InputError: when there is no such monitor, or it has scored nothing, or the drop or the time are none.
    """
    monitors = project.settings.monitors
    if name not in monitors:
        raise InputError(Problem("--monitor", f"there is no monitor {name!r}", did_you_mean(name, monitors)))
    fall = points(drop, "--drop")
    if not fall:
        raise InputError(Problem("--drop", "must be above 0"))
    try:
        within_h = units.seconds(within) / 3600
    except ValueError as error:
        raise InputError(Problem("--within", str(error))) from None
    every = alarming(project)
    (mine,) = (each for each in every if each.monitor == name)
    detectors = sum(
        len(signal_probes(each.rules))
        + sum(len(score_probes(scorer, each.rules.get(scorer))) for scorer in each.scorers)
        for each in every
    )
    asked = Asked(
        drop=fall,
        within_h=within_h,
        days=mine.false_alarm_days,
        detectors=detectors,
        reference_days=mine.reference_days,
        reference_n=mine.reference_n,
        session_end_s=mine.session_end_s,
    )
    newest: dict[str, Work] = {}
    for work in store.works():
        if work.flow == mine.flow and work.scorer in mine.scorers and work.source in ("rule", "judge"):
            newest[work.scorer] = work
    if not newest:
        raise InputError(Problem(name, "has scored nothing yet", "`gatewatch work` scores what is captured"))
    return asked, [foresee(store, newest[scorer], asked, now=now) for scorer in mine.scorers if scorer in newest]
