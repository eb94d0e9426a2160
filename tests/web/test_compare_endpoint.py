"""The joined diff over HTTP: what pages, commands and programs read alike."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gatewatch.checks.runs import pushed
from gatewatch.core import codec
from offline.joining import two_runs
from web.serving import TOML, Served, served


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bot")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Served]:
    for number, path in enumerate(two_runs(folder / ".gatewatch" / "runs")):
        os.utime(path, (100 + number, 100 + number))
    with served(folder, TOML) as found:
        yield found


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[httpx.Client]:
    with server.client(server.token("read")) as found:
        yield found


def got(client: httpx.Client, at: str = "", **query: Any) -> Any:
    reply = client.get(f"/v1/compare{at}", params=query)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_left_open_the_latest_run_is_held_against_the_one_before(client: httpx.Client) -> None:
    told = got(client)
    assert told["verdict"]["baseline"]["run"] == "one" and told["verdict"]["candidate"]["run"] == "two"
    assert {row["id"] for row in told["rows"]} == {"fell", "slid", "broke"}
    assert told["total"] == told["counts"]["regressed"] == 3 and told["next"] is None


def test_a_window_goes_on_where_the_last_one_ended(client: httpx.Client) -> None:
    first = got(client, filter="all", limit=30, sort="run")
    second = got(client, filter="all", limit=30, sort="run", offset=first["next"])
    cases = [row["id"] for row in (*first["rows"], *second["rows"])]
    assert len(cases) == len(set(cases)) == first["total"] == 40 and second["next"] is None


def test_a_case_whole(client: httpx.Client) -> None:
    told = got(client, "/case/fell", candidate="two", baseline="one")
    assert told["output"]["parts"] == [["same", "within thirty "], ["del", "days"], ["ins", "weeks"]]
    assert told["kind"] == "gatewatch.case_pair" and [each["scorer"] for each in told["scores"]] == ["exact", "helpful"]


def test_more_than_two_runs(client: httpx.Client) -> None:
    told = got(client, "/matrix", run=["one", "two"])
    assert told["runs"] == ["one", "two"] and told["scorers"]["exact"][1]["losses"] == 2


@pytest.mark.parametrize(
    ("at", "status", "said"),
    [
        ("?candidate=three", 404, "the newest: two, one"),
        ("?candidate=..%2Fsecret", 404, "is no run's id"),
        ("?baseline=baseline", 404, "there is no pinned baseline of support"),
        ("?scorer=exat", 422, 'did you mean \\"exact\\"'),
        ("?filter=bad", 422, "Input should be"),
        ("?limit=501", 422, "less than or equal to 500"),
        ("?filtr=all", 422, "filter"),
        ("/case/zzz", 404, "there is no case"),
        ("/matrix?run=one", 422, "at least 2"),
    ],
)
def test_what_is_refused_says_what_there_is(client: httpx.Client, at: str, status: int, said: str) -> None:
    reply = client.get(f"/v1/compare{at}")
    assert reply.status_code == status and said in reply.text, reply.text


def test_who_may_only_send_may_not_compare(server: Served) -> None:
    with server.client(server.token("ingest")) as found:
        assert found.get("/v1/compare").status_code == 403
    with server.client() as found:
        assert found.get("/v1/compare").status_code == 401


def test_another_project_sees_its_own_runs_only(server: Served, tmp_path: Path) -> None:
    with server.client(server.token("read", "other")) as found:
        assert found.get("/v1/compare").status_code == 404
        assert "two" not in found.get("/v1/compare", params={"candidate": "two"}).text.replace("'two'", "")
        store = server.host._open("other").store
        for path in two_runs(tmp_path):
            pushed(store, path.stem, path.read_bytes())
        told = got(found, baseline="one", candidate="two")
        assert {row["id"] for row in told["rows"]} == {"fell", "slid", "broke"}


def test_that_texts_were_read_is_noted_once(server: Served) -> None:
    token = server.token("read")
    with server.client(token) as found:
        for _ in range(3):
            got(found)
    noted = server.host._open("bot").store.audit(0, 100)
    mine = [(each.action, each.what) for each in noted if each.who == token.split("_")[2]]
    assert sorted(mine) == [("read", "run one"), ("read", "run two")]


def test_the_command_prints_the_same(client: httpx.Client, folder: Path) -> None:
    def printed(*options: str) -> Any:
        command = [sys.executable, "-m", "gatewatch", "compare", "one", "two", *options, "--json"]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, check=True)
        return codec.parse(done.stdout)

    assert printed("--rows", "changed", "--sort", "cost") == got(client, filter="changed", sort="cost")
    assert printed("--case", "broke") == got(client, "/case/broke")


def test_every_route_is_described(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    names = {each["name"] for each in paths["/v1/compare"]["get"]["parameters"]}
    assert {"baseline", "candidate", "filter", "scorer", "slice", "q", "sort", "offset", "limit"} <= names
    assert {"404", "422"} <= paths["/v1/compare/case/{case}"]["get"]["responses"].keys()
