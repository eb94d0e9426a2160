"""What a monitor of a project can see: what is asked for, and what is wrong in it."""

from pathlib import Path

import pytest

from config.building import opened, write
from gatewatch.config.monitor_reach import monitor_reach
from gatewatch.config.monitors import store_of
from gatewatch.core.errors import InputError
from gatewatch.core.watch import SIGNALS
from gatewatch.online.foresee import Asked, Foreseen

NOW = 1_790_000_000.0
TOML = """
[monitors.m]
flow = "f"
scorers = [{ use = "pii" }, { use = "refusal" }]
reference = "learn 3d 500"
session_end = "10m"
alert = { rules = { pii = { below = 0.9 } } }

[alerts]
false_alarms = "1 per 30d"

[monitors.other]
flow = "g"
scorers = [{ use = "pii" }]
"""


def reach(folder: Path, name: str = "m", *, scored: str = "pii", **given: str) -> tuple[Asked, list[Foreseen]]:
    project = opened(folder)
    store = store_of(project)
    try:
        store.work("f", scored, "f" * 12, "rule")
        return monitor_reach(project, store, name, **{"drop": "5pp", "within": "24h", **given}, now=NOW)
    finally:
        store.close()


def test_it_is_asked_by_the_monitors_reference_and_all_detectors_of_the_project(tmp_path: Path) -> None:
    asked, found = reach(write(tmp_path, TOML), drop="3pp", within="2d")
    assert asked == Asked(
        drop=0.03,
        within_h=48.0,
        days=asked.days,
        detectors=3 * 2 + 1 + 2 * (len(SIGNALS) + 1),  # scores may fall or rise; a floor; outputs longer or shorter
        reference_days=3.0,
        reference_n=500,
        session_end_s=600.0,
    )
    assert asked.days <= 30.0
    assert [(each.scorer, each.flaw.split(":")[0]) for each in found] == [("pii", "too little is known")]


def test_what_is_wrong_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path, TOML)
    for given, said in (
        ({"name": "n"}, "there is no monitor 'n'"),
        ({"drop": "0pp"}, "--drop: must be above 0"),
        ({"drop": "much"}, "expected 0.05 or"),
        ({"within": "soon"}, "--within: expected a duration"),
        ({"name": "other"}, "has scored nothing yet"),
    ):
        with pytest.raises(InputError, match=said):
            reach(folder, **given)
