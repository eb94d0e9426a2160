"""`gatewatch push`: a run of this project, to a server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.building import run
from gatewatch.checks.runs import journal_of, read_back
from gatewatch.offline.push import push
from web.pushing import Serving, serving

RUN = "main-20261126-101010-abcd"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    project = tmp_path / "project"
    runs = project / ".gatewatch" / "runs"
    runs.mkdir(parents=True)
    (project / "gatewatch.toml").write_text("")
    (runs / f"{RUN}.jsonl").write_bytes(journal_of(RUN, 3000))
    monkeypatch.chdir(project)
    with serving(tmp_path / "server") as found:
        monkeypatch.setenv("GATEWATCH_TOKEN", found.sends)
        yield found


def test_it_is_told_what_was_sent(server: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    size = len(journal_of(RUN, 3000))
    assert run(capsys, "push", "latest", "--to", server.url) == (
        0,
        f"{RUN} is kept by {server.url}: {size:,} bytes, 1 part\n",
        "",
    )
    assert len(read_back(server.store, RUN)) == size
    assert run(capsys, "push", "main", "--to", server.url)[:2] == (0, f"{RUN} is there already\n")


def test_as_json(server: Serving, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWATCH_SERVER", server.url)
    monkeypatch.setenv("MINE", server.sends)
    monkeypatch.delenv("GATEWATCH_TOKEN")
    code, out, _ = run(capsys, "push", RUN, "--token-env", "MINE", "--json")
    size = len(journal_of(RUN, 3000))
    assert code == 0
    assert json.loads(out) == {
        "kind": "gatewatch.push",
        "version": 1,
        "to": server.url,
        "run": RUN,
        "suite": "main",
        "state": "complete",
        "size": size,
        "parts": 1,
        "sent": 1,
        "kept_before": False,
    }


def test_a_wrong_token_is_told_and_not_shown(
    server: Serving, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWATCH_TOKEN", "canary")
    code, out, err = run(capsys, "push", RUN, "--to", server.url)
    assert (code, out) == (2, "")
    assert "status 401 the token is not known" in err and "role ingest or review" in err
    assert "canary" not in err


def test_a_server_that_is_not_there_is_told_after_some_tries(
    server: Serving, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    assert push.__kwdefaults__ is not None
    monkeypatch.setitem(push.__kwdefaults__, "wait", waited.append)
    code, _, err = run(capsys, "push", RUN, "--to", "http://127.0.0.1:9")
    assert (code, len(waited)) == (4, 7)
    assert "error: http://127.0.0.1:9 did not take it in 8 tries: ConnectError" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((RUN,), "Missing option '--to'"),
        ((RUN, "--to", "gatewatch.example"), "must begin with http:// or https://"),
        (("nothing", "--to", "http://127.0.0.1:9"), "no such run in"),
    ],
)
def test_wrong_words_are_told(
    server: Serving, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    code, _, err = run(capsys, "push", *words)
    assert code == 2 and says in err
