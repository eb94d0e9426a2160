import json
from pathlib import Path
from typing import Any

import pytest

from cli.building import JUDGE, run
from gatewatch.checks.provider import FakeProvider, Reply
from gatewatch.scorers.library import BUILT_INS

CONFIG = (
    JUDGE
    + """
[suites.main]
dataset = "cases.jsonl"
task = "replay:one.jsonl"
scorers = ["valid_json"]
"""
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("cases", "one", "two"):
        key = "input" if name == "cases" else "output"
        lines = [json.dumps({"id": f"c{n}", key: f"{name} {n}"}) + "\n" for n in range(12)]
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    (tmp_path / "good.md").write_text('---\nscale = "1-5"\n---\nHow good is it?\n')
    (tmp_path / "better.md").write_text('---\nscale = "pairwise"\n---\nWhich is better?\n')
    return tmp_path


def test_a_few_traces_are_judged_with_what_that_costs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reply = json.dumps({"explanation": "Nearly.", "score": 4})
    with FakeProvider(lambda _request: reply) as provider:
        (project / "gatewatch.toml").write_text(CONFIG.format(url=provider.base_url))
        run(capsys, "run", "main")
        code, out, _ = run(capsys, "rubric", "try", "good.md", "--case", "c0", "--case", "c1")
        assert code == 0
        assert "\nc0  0.750  4  $" in out
        assert "  output  one 0\n  why     Nearly.\n" in out
        assert "mean 0.750" in out
        assert provider.accepted == 2
        code, out, _ = run(capsys, "rubric", "try", "good.md", "--case", "c7", "--json")
        found = json.loads(out)["tryout"]
        assert [each["case"] for each in found["tried"]] == ["c7"]
        assert found["cost"]["amount"] > 0
        code, _, err = run(capsys, "rubric", "try", "good.md", "--case", "none")
        assert code == 2
        assert "has no trace of the cases none" in err


def test_pairs_of_two_runs_with_the_lean_to_a_position(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reply = json.dumps({"explanation": "The first.", "verdict": "A"})
    with FakeProvider(lambda _request: reply) as provider:
        (project / "gatewatch.toml").write_text(CONFIG.format(url=provider.base_url))
        run(capsys, "run", "main", "--name", "one")
        run(capsys, "run", "main", "--task", "replay:two.jsonl", "--name", "two")
        words = ("rubric", "try", "better.md", "--run", "two", "--other", "one", "--limit", "12")
        code, out, _ = run(capsys, *words)
    assert code == 0
    assert "c0  0.500  first" in out
    assert "! position 1.000" in out
    assert "mean 0.500" in out


def test_a_composite_is_tried_beside_the_other_run_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reply = json.dumps({"explanation": "The first.", "verdict": "A"})
    composite = '[scorers.better]\nrubric = "better.md"\n[scorers.all]\nuse = "all_of"\nparts = ["better"]\n'
    with FakeProvider(lambda _request: reply) as provider:
        (project / "gatewatch.toml").write_text(CONFIG.format(url=provider.base_url) + composite)
        run(capsys, "run", "main", "--name", "one")
        run(capsys, "run", "main", "--task", "replay:two.jsonl", "--name", "two")
        code, _, _ = run(capsys, "rubric", "try", "all", "--run", "two", "--other", "one", "--case", "c0")
    shown = [json.dumps(each) for each in provider.requests]
    assert (code, len(shown)) == (0, 2)
    assert all("one 0" in each and "two 0" in each for each in shown)


def test_nothing_but_errors(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeProvider(lambda _request: "prose") as provider:
        (project / "gatewatch.toml").write_text(CONFIG.format(url=provider.base_url))
        run(capsys, "run", "main")
        code, out, _ = run(capsys, "rubric", "try", "good.md", "--limit", "1")
    assert code == 4
    assert "scorer_error" in out


def test_what_is_not_there(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "gatewatch.toml").write_text(CONFIG.format(url="http://127.0.0.1:9"))
    assert run(capsys, "rubric", "try", "none.md")[0] == 2
    assert run(capsys, "rubric", "try", "good.md")[0] == 2  # no run yet


# The list of scorers


def test_the_list(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "gatewatch.toml").write_text(
        CONFIG.format(url="http://127.0.0.1:9") + '[scorers.kind]\nrubric = "good.md"\n'
    )
    code, out, _ = run(capsys, "scorers", "--json")
    listed: dict[str, dict[str, Any]] = {each["name"]: each for each in json.loads(out)["scorers"]}
    assert code == 0
    assert set(BUILT_INS) < set(listed)
    kind = listed["kind"]
    assert (kind["group"], kind["gives"], kind["models"], kind["needs"]) == (
        "project",
        "0..1",
        ["judge"],
        ["input", "output"],
    )
    assert kind["cost"] > 0
    assert len(kind["fingerprint"]) == 12
    assert listed["faithfulness"]["cost"] > 0
    assert listed["regex"]["lacks"] == "the option pattern"
    assert all(each.get("says") for each in listed.values() if each["group"] != "project")
    code, out, _ = run(capsys, "scorers")
    assert code == 0
    assert out.count("\n") > len(listed)


def test_what_a_scorer_costs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        CONFIG.format(url="http://127.0.0.1:9")
        + '[models.here]\npath = "mini"\n[models.dear]\nmodel = "nobody-knows"\n'
    )
    text += '[scorers.near]\nuse = "semantic_similarity"\nmodel = "here"\n'
    (project / "gatewatch.toml").write_text(text + '[scorers.far]\nuse = "semantic_similarity"\nmodel = "dear"\n')
    costs = {
        name: run(capsys, "scorers", name)[1].partition("costs")[2].split("\n")[0] for name in ("near", "far", "pii")
    }
    assert {name: said.strip() for name, said in costs.items()} == {
        "near": "free (here)",
        "far": "unknown (dear)",
        "pii": "free",
    }
    rows = {line.split()[0]: line for line in run(capsys, "scorers")[1].splitlines() if line.strip()}
    assert ("free" in rows["near"], "dear" in rows["far"]) == (True, True)


def test_one_of_them(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "scorers", "similarity")
    assert code == 0
    assert out.startswith("similarity (text)\n  Make a scorer of how alike")
    assert "option       kind = 'ratio'" in out
    code, _, err = run(capsys, "scorers", "similarty")
    assert (code, 'did you mean "similarity"?' in err) == (2, True)


# What a judge's model is called


def test_an_alias_is_told_and_a_change_in_mid_run_is_an_error(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def answer(_request: dict[str, Any]) -> Reply:
        asked.append("")
        text = json.dumps({"explanation": "Nearly.", "score": 4})
        return Reply(text=text, model="judge-1-2026-06" if len(asked) > 5 else "judge-1-2026-01")

    with FakeProvider(answer) as provider:
        text = CONFIG.format(url=provider.base_url).replace('["valid_json"]', '["good"]')
        (project / "gatewatch.toml").write_text(text + 'concurrency = 1\n[scorers.good]\nrubric = "good.md"\n')
        code, out, _ = run(capsys, "run", "main", "--json")
        found = json.loads(out)["scorers"]["good"]
        assert (code, found["states"]) == (0, {"scored": 5, "scorer_error": 7})
        assert found["models"] == ["judge-1-2026-01", "judge-1-2026-06"]
        _, out, _ = run(capsys, "show")
    out = " ".join(out.split())  # however wide it was drawn
    assert "judge-1-2026-01 answered, which was asked for by another name" in out
    assert "the judge's model changed in the middle of the run: judge-1-2026-01 answered before" in out


def test_a_judges_fingerprint_is_the_same_wherever_it_is_told(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed() -> dict[str, Any]:
        return next(each for each in json.loads(run(capsys, "scorers", "--json")[1])["scorers"] if each["name"] == "k")

    with FakeProvider(lambda _: json.dumps({"explanation": "Nearly.", "score": 4})) as provider:
        text = CONFIG.format(url=provider.base_url).replace('["valid_json"]', '["k"]')
        text += '[scorers.k]\nrubric = "good.md"\n'
        (project / "gatewatch.toml").write_text(text)
        told = json.loads(run(capsys, "run", "main", "--json")[1])["scorers"]["k"]["fingerprint"]
        tried = json.loads(run(capsys, "rubric", "try", "k", "--json")[1])["tryout"]["fingerprint"]
        assert told == tried == listed()["fingerprint"]
        assert f"fingerprint  {told}" in run(capsys, "scorers", "k")[1]
        monkeypatch.delenv("NOT_SET", raising=False)
        (project / "gatewatch.toml").write_text(text.replace('key_env = ""', 'key_env = "NOT_SET"'))
        assert (listed().get("fingerprint"), listed()["lacks"]) == (None, "the variable NOT_SET")
        assert "needs variable NOT_SET" in run(capsys, "scorers")[1]
