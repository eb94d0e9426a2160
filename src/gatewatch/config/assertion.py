"""`gatewatch.gate(...)`: the gate as an assertion, in an ordinary test function or a script."""

from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from gatewatch.config.calibrations import require_calibrated
from gatewatch.config.gates import finished, pooling_notes
from gatewatch.config.project import Project
from gatewatch.config.rules import rule_of
from gatewatch.config.settings import GateSettings
from gatewatch.config.sides import exceptions_of, not_itself, side_named
from gatewatch.config.verdicts import keep_verdict
from gatewatch.core import shape
from gatewatch.core.errors import ConfigError, Problem, did_you_mean
from gatewatch.offline.baseline import baseline_name
from gatewatch.offline.compare import Comparison
from gatewatch.offline.gate import decide
from gatewatch.offline.gated import Gated
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.result import SUFFIX, RunResult, find_run


def gate(
    run: RunResult | str | Path,
    *,
    against: RunResult | str | Path = "baseline",
    undecided: Literal["warn", "fail"] | None = None,
    **settings: Any,
) -> Gated:
    """Hold a run against a baseline; `.check()` makes an assertion of the verdict.

    A run that was made in this process is run again where a case fell; one that is named by its id or file is judged by
    the trials that it has.

    Args:
        run: what `gatewatch.run` returned, or a run's id, name or file.
        against: "baseline" for the pinned one (`gatewatch baseline pin`), or another run.
        undecided: whether UNDECIDED warns (as it does unless the suite says otherwise) or fails.
        settings: any other key of a suite's `gate`: primary, slices, max_drop, min_effect, alpha, min, max_cost,
            max_latency, require_calibrated. What is not given is as the suite states it, if the run is of one.

    Raises:
        NoVerdict: when there is no baseline, or a judge is not calibrated where that is required.
        InputError: when something given is wrong.
    """
    project = Project.open(required=False)
    after = read_run(run.path if isinstance(run, RunResult) else find_run(project.runs, str(run)))
    name = baseline_name(after) if against == "baseline" else ""
    stated = _settings(project, after, {"undecided": undecided, **settings})
    rule = rule_of(stated, tuple(after.scorers), "gate")
    if stated.require_calibrated:
        require_calibrated(project.root, after.scorers, after.judges)
    if isinstance(against, RunResult):
        before = read_run(against.path)
    else:
        before = side_named(project, str(against), name)
    not_itself(before, after)
    exceptions = exceptions_of(project, after.suite)
    notes = pooling_notes(project, before, after)
    again = run.again if isinstance(run, RunResult) else None
    why = "" if again else "the candidate is a stored run"
    verdict = decide(Comparison(before, after), rule, again=again, why_not_again=why, exceptions=exceptions)
    verdict = finished(verdict, after.suite, before, after, rule, notes)
    if against == "baseline":
        keep_verdict(project, verdict)
    return Gated(verdict, before, after, journal=project.runs / f"{before.run}{SUFFIX}")


def _settings(project: Project, after: Outcomes, given: dict[str, Any]) -> GateSettings:
    """The settings of the run's suite, with those given over them.

    Raises:
        TypeError: for an argument that there is not.
        ConfigError: for a value that cannot be.
    """
    known = [key for key in GateSettings.__struct_fields__ if key != "early_stop"]
    given = {key: value for key, value in given.items() if value is not None}
    for key in given:
        if key not in known:
            raise TypeError(f"gate() has no argument {key!r} ({did_you_mean(key, known)})")
    found = shape.convert(given, GateSettings)
    if isinstance(found, list):
        raise ConfigError(Problem(f"gate.{where}", what, hint) for where, what, hint in found)
    suite = project.settings.suites.get(after.suite)
    whole = found if suite is None else replace(suite.gate, **{key: getattr(found, key) for key in given})
    if "undecided" in given and whole.undecided == "spend":
        raise ConfigError(Problem("gate.undecided", '"spend" is for `gatewatch gate`', 'here it is "warn" or "fail"'))
    return replace(whole, undecided="warn") if whole.undecided == "spend" else whole
