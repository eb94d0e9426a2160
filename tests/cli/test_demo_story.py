"""The story of `gatewatch demo`, turn by turn, by what it leaves behind: on the embedded store, and on PostgreSQL."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.test_demo import OFFLINE, gatewatch, sections
from gatewatch.checks.provider import FakeProvider
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.offline.dataset import open_dataset
from gatewatch.store.base import Store
from store.postgres import server

ANYWHERE = OFFLINE.split("sys.addaudithook")[0] + "from gatewatch.cli.main import main\nmain()\n"


class Told:
    """A demo that was told: what it said, and where it left what."""

    def __init__(self, project: Path, shown: str, store: Store, *, offline: bool) -> None:
        self.project, self.shown, self.store = project, shown, store
        self._offline = offline

    def json(self, *words: str) -> tuple[int, Any]:
        """A command's exit code and its object."""
        code = OFFLINE if self._offline else ANYWHERE
        done = subprocess.run(
            [sys.executable, "-c", code, *words, "--json"],
            cwd=self.project,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp(request.param)
    project = folder / "gatewatch-demo"
    if request.param == "sqlite":
        done = gatewatch(folder, "demo")
    else:
        project.mkdir()
        packaged = Path(__file__).parents[2] / "src" / "gatewatch" / "cli" / "demo_project" / "gatewatch.toml"
        named = f'scorers = "evals.py"\nstore = "{server().address()}"'
        (project / "gatewatch.toml").write_text(packaged.read_text().replace('scorers = "evals.py"', named))
        done = subprocess.run(
            [sys.executable, "-c", ANYWHERE, "demo"], cwd=folder, capture_output=True, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    store = store_of(Project.open(project))
    yield Told(project, done.stdout, store, offline=request.param == "sqlite")
    store.close()


def promoted(told: Told) -> list[str]:
    return [each.body["case"]["id"] for each in told.store.changes(kind="case")]


def test_the_gate_passes_the_change_at_first(told: Told) -> None:
    said = sections(told.shown)["gatewatch gate support --task quicker"]
    assert "✓ PASS" in said and "identical: every output is the same, byte for byte" in said
    assert "exit code 0: the change may go live" in said


def test_traffic_flows_and_is_scored(told: Told) -> None:
    counts = told.store.counts()
    assert counts.traces == 36 * 54 * 3 // 4  # 162 a day, for nine days
    works = {each.scorer for each in told.store.works()}
    assert {"on_topic", "pii", "short_enough"} <= works


def test_the_change_raises_an_alarm_that_names_it(told: Told) -> None:
    (alert,) = [each for each in told.store.alerts(flow="support", every=True) if each.kind == "quality"]
    assert (alert.name, alert.quiet) == ("on_topic", "")
    assert any(marker.what == "release=42" for marker in alert.evidence.markers)
    assert alert.evidence.effect is not None and alert.evidence.effect < -0.05


def test_the_failure_is_mined_labelled_and_closed(told: Told) -> None:
    (failure,) = [each for each in told.store.failures("support") if each.state == "fixed"]
    assert failure.sign == "score:on_topic"
    assert failure.low is not None and failure.high is not None and failure.share is not None
    assert 0.0 < failure.low < failure.share < failure.high < 0.5
    assert set(failure.versions) == {"knowledge_base=2026-11, release=42"}
    items = told.store.items(failure=failure.id)
    assert len(items) >= 2
    labels = told.store.labels(item.id for item in items)
    assert {(label.by, label.value) for label in labels} == {("mia", 0.0)}
    assert all(item.pi is None for item in items)  # what was mined says nothing of the traffic


def test_its_cases_are_in_the_dataset_with_where_they_come_from(told: Told) -> None:
    cases = {case.id: case for case in open_dataset(told.project / "datasets" / "support.jsonl")}
    ids = promoted(told)
    assert len(cases) == 124 + len(ids)
    traces = {item.trace for item in told.store.items(queue="failures")}
    for each in ids:
        case = cases[each]
        assert case.must_pass and case.open is None, "its fix was seen: it is locked"
        assert case.provenance["trace"] in traces
        assert case.provenance["labels"][0]["by"] == "mia"
    assert {change.state for change in told.store.changes()} == {"pulled"}


def test_the_baseline_was_made_anew_with_them(told: Told) -> None:
    lines = (told.project / "baselines" / "support.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["reason"].startswith("order numbers of six digits are guarded")
    assert set(promoted(told)) <= {json.loads(line)["case"] for line in lines[1:]}


def test_the_gate_stops_the_same_change_now(told: Told) -> None:
    said = sections(told.shown)["gatewatch gate support --task quicker, again"]
    assert "✕ REGRESSED" in said and "exit code 1: the change is stopped" in said
    code, verdict = told.json("gate", "support", "--task", "quicker")
    assert (code, verdict["verdict"]) == (1, "REGRESSED")
    blocked = {row["id"] for row in verdict["rows"] if row.get("why")}
    assert blocked == set(promoted(told))


def test_the_chain_of_each_case_can_be_printed(told: Told) -> None:
    for case in promoted(told):
        code, chain = told.json("show", case)
        assert (code, chain["missing"]) == (0, [])
        steps = list(dict.fromkeys(link["step"] for link in chain["links"]))
        expected = [
            "trace",
            "score",
            "failure",
            "item",
            "label",
            "change",
            "case",
            "run",
            "baseline",
            "verdict",
            "audit",
        ]
        assert steps == expected
        verdicts = [link["said"] for link in chain["links"] if link["step"] == "verdict"]
        assert any(said.startswith("REGRESSED, blocked by it") for said in verdicts)


def judged(request: Any) -> str:
    """A judge's verdict: about an order or a gift card that was named, its number has to be in the answer."""
    asked = request["messages"][-1]["content"]
    named = re.findall(r"\b(?:QM|GC)[- ]?([0-9]{4,})\b", asked, re.IGNORECASE)
    good = all(asked.count(number) > 1 for number in named)
    return json.dumps({"explanation": "as far as it can be seen", "verdict": "pass" if good else "fail"})


@pytest.mark.slow
def test_with_a_key_a_model_judges(tmp_path: Path) -> None:
    with FakeProvider(judged) as provider:
        environment = {**os.environ, "OPENAI_BASE_URL": provider.base_url, "OPENAI_API_KEY": "k"}
        words = [sys.executable, "-c", ANYWHERE, "demo"]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(provider.requests) > 100
    assert "on_topic fell from " in done.stdout
    assert "exit code 1: the change is stopped" in sections(done.stdout)["gatewatch gate support --task quicker, again"]
