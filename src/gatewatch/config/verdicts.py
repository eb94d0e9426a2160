"""Verdicts as they are kept, beside the runs that they are about: for who pins a run, and for later."""

from pathlib import Path
from typing import Any

from gatewatch.config.project import Project
from gatewatch.core import codec
from gatewatch.offline.reports.tables import as_json
from gatewatch.offline.verdict import Verdict

FOLDER = Path(".gatewatch") / "verdicts"


def keep_verdict(project: Project, verdict: Verdict) -> None:
    """Write a verdict, as `gate --json` prints it, under the name of the candidate's run.

    It is a record, not a part of the gate: where it cannot be written the verdict stands all the same.
    """
    if verdict.candidate is None:
        return
    path = _path(project, verdict.candidate.run)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(codec.encode(as_json(verdict)) + b"\n")
    except OSError:
        return


def verdict_of(project: Project, run: str) -> dict[str, Any]:
    """The verdict that a gate last gave on a run, as `gate --json` printed it; empty where there is none."""
    try:
        found = codec.parse(_path(project, run).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def said_of(project: Project, run: str) -> str:
    """The word that a gate last said of a run, or nothing."""
    return str(verdict_of(project, run).get("verdict", ""))


def _path(project: Project, run: str) -> Path:
    return project.root / FOLDER / f"{run}.json"
