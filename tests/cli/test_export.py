"""`gatewatch export`: all that is kept of a user, for who asks; noted, and the owner's alone."""

import json
from pathlib import Path

import pytest

from cli.building import run
from cli.erasing import MIA, a_project, asked
from cli.traffic import spooling
from gatewatch import feedback


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEWATCH_USER_KEY", raising=False)
    return a_project(tmp_path)


def test_all_that_is_kept_of_a_user(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        mine = [asked(n, MIA, thumbs="up" if n == 1 else "") for n in range(3)]
        other = asked(8, "bob")
        feedback(other, thumbs="down", comment="not for me", user=MIA)
        feedback("nowhere", thumbs="down", comment="early", user=MIA)
        feedback("nowhere", thumbs="down", comment="his", user="bob")
    run(capsys, "work", "--once")
    code, out, _ = run(capsys, "export", "--user", MIA, "--json")
    told = json.loads(out)
    assert (code, told["kind"], told["requests"]) == (0, "gatewatch.exported", 3)
    path = Path(told["file"])
    assert path.parent == here / ".gatewatch" / "exports" and path.stat().st_mode & 0o777 == 0o600
    head, *lines = map(json.loads, path.read_text().splitlines())
    assert (head["kind"], head["version"], head["subject"]) == ("gatewatch.export", 1, "user")
    assert [line["request"]["id"] for line in lines[:3]] == mine
    assert lines[1]["trace"]["output"] == "yes please "
    assert [(s["score"]["name"], s["score"]["value"]) for s in lines[1]["scores"]] == [("thumbs", 1.0), ("polite", 1.0)]
    elsewhere, waiting = (line["feedback"] for line in lines[3:])
    assert elsewhere["scores"][0]["score"]["explanation"] == "not for me"
    assert (waiting["scores"][0]["explanation"], waiting["marks"]) == ("early", ["thumbs_down"])
    assert "his" not in path.read_text()


def test_a_file_that_is_there_is_not_written_over(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "export", "--user", MIA, "--out", "mia.jsonl")
    assert (code, out) == (0, "0 requests in mia.jsonl\n")
    assert "remove this one" in err and "no key of users" in err
    code, _, err = run(capsys, "export", "--user", MIA, "--out", "mia.jsonl")
    assert code == 2 and "is there already (name another file, or remove it)" in err
    (here / "link.jsonl").symlink_to(here / "elsewhere")
    assert run(capsys, "export", "--user", MIA, "--out", "link.jsonl")[0] == 2
    assert run(capsys, "export", "--user", "")[0] == 2
    assert run(capsys, "export", "--user", MIA, "--out", "gatewatch.toml/x")[0] == 2
