"""Runs over HTTP: what is taken, what is refused and how it is said, and the journal as it comes back."""

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gatewatch.checks.runs import journal_of, pushed, upload_of
from gatewatch.core import codec
from gatewatch.store.uploads import LONGEST, PART
from web.pushing import Serving, serving

RUN = "main-20261126-101010-abcd"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path) as found:
        yield found


@pytest.fixture
def client(server: Serving) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {server.sends}"}) as found:
        yield found


def announced(journal: bytes, **changes: Any) -> bytes:
    upload = upload_of(RUN, journal)
    told = {"digest": upload.digest, "size": upload.size, "header": upload.header.decode()}
    return codec.encode(told | changes)


def looking(server: Serving, at: str) -> httpx.Response:
    return httpx.get(f"{server.url}{at}", headers={"authorization": f"Bearer {server.looks}"})


def test_a_run_is_sent_in_parts_listed_and_comes_back_as_it_was(server: Serving, client: httpx.Client) -> None:
    journal = journal_of(RUN, PART + 5000)
    digest = hashlib.sha256(journal).hexdigest()
    begun = client.post(f"/v1/runs/{RUN}", content=announced(journal))
    assert begun.status_code == 200
    assert begun.json() == {"run": RUN, "kept": False, "missing": [0, 1], "part_bytes": PART}
    first = client.put(f"/v1/runs/{RUN}/parts/0?digest={digest}", content=journal[:PART])
    packed = gzip.compress(journal[PART:])
    second = client.put(f"/v1/runs/{RUN}/parts/1?digest={digest}", content=packed, headers={"content-encoding": "gzip"})
    assert (first.status_code, second.status_code) == (200, 200)
    done = client.post(f"/v1/runs/{RUN}/done?digest={digest}")
    assert (done.status_code, done.json()["state"], done.json()["by"]) == (200, "complete", server.who)
    listed = looking(server, "/v1/runs?suite=main").json()
    assert (listed["kind"], [each["run"] for each in listed["runs"]]) == ("gatewatch.runs", [RUN])
    assert listed["runs"][0] == done.json() and listed["runs"][0]["header"]["run"] == RUN
    assert looking(server, "/v1/runs?suite=other").json()["runs"] == []
    back = looking(server, f"/v1/runs/{RUN}")
    assert (back.content, back.headers["x-gatewatch-digest"]) == (journal, digest)
    assert back.headers["content-type"].startswith("application/x-ndjson")
    assert client.post(f"/v1/runs/{RUN}", content=announced(journal)).json()["kept"] is True


def test_every_route_is_described(server: Serving, client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths["/v1/runs/{run}"]) == {"get", "post"} and set(paths["/v1/runs"]) == {"get"}
    assert paths["/v1/runs/{run}/parts/{part}"]["put"]["requestBody"]["required"]
    assert {"404", "409"} <= paths["/v1/runs/{run}/done"]["post"]["responses"].keys()


def test_that_a_journal_was_read_is_noted(server: Serving) -> None:
    pushed(server.store, RUN, journal_of(RUN, 2000))
    assert looking(server, "/v1/runs").status_code == 200
    assert server.store.audit(0, 9) == []
    assert looking(server, f"/v1/runs/{RUN}").status_code == 200
    assert looking(server, "/v1/runs/none").status_code == 404
    who = server.looks.split("_")[2]
    assert [(each.who, each.action, each.what) for each in server.store.audit(0, 9)] == [(who, "read", f"run {RUN}")]


def test_who_may_only_look_sends_nothing_and_who_may_only_send_sees_nothing(
    server: Serving, client: httpx.Client
) -> None:
    looks = {"authorization": f"Bearer {server.looks}"}
    assert client.post(f"/v1/runs/{RUN}", content=b"{}", headers=looks).status_code == 403
    assert client.put(f"/v1/runs/{RUN}/parts/0?digest=x", content=b"", headers=looks).status_code == 403
    assert client.post(f"/v1/runs/{RUN}/done?digest=x", headers=looks).status_code == 403
    assert client.get("/v1/runs").status_code == client.get(f"/v1/runs/{RUN}").status_code == 403
    assert httpx.get(f"{client.base_url}/v1/runs").status_code == 401


def test_another_journal_is_refused_with_what_differs(server: Serving, client: httpx.Client) -> None:
    pushed(server.store, RUN, journal_of(RUN, 2000))
    refused = client.post(f"/v1/runs/{RUN}", content=announced(journal_of(RUN, 3000, seed=1)))
    assert refused.status_code == 409
    assert refused.json()["error"].startswith("another journal is kept under this id: it differs in seed; ")
    shorter = client.post(f"/v1/runs/{RUN}", content=announced(journal_of(RUN, 1000)))
    assert shorter.status_code == 409 and "its header is the same, its rows are not" in shorter.json()["error"]


def test_what_was_not_announced_is_not_taken(server: Serving, client: httpx.Client) -> None:
    digest = "0" * 64
    for reply in (
        client.put(f"/v1/runs/{RUN}/parts/0?digest={digest}", content=b"x"),
        client.post(f"/v1/runs/{RUN}/done?digest={digest}"),
        looking(server, f"/v1/runs/{RUN}"),
    ):
        assert reply.status_code == 404 and reply.json()["error"]


HEADER = codec.parse(upload_of(RUN, journal_of(RUN, 10)).header)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (HEADER | {"version": 2}, "was written by a newer Gatewatch (format 2; this one reads up to 1)"),
        (HEADER | {"version": "9"}, "its first line is not that of a run: Expected `int`"),
        (HEADER | {"version": None}, "its first line is not that of a run: Expected `int`"),
        (HEADER | {"kind": "gatewatch.baseline"}, "is a gatewatch.baseline, not a gatewatch.run"),
        (HEADER | {"run": "another"}, "its header is that of 'another'"),
        (HEADER | {"run": "../../etc/passwd"}, "is no run's id"),
        (HEADER | {"suite": "../main"}, "'../main' is no suite's name"),
        (HEADER | {"suite": "<script>"}, "is no suite's name"),
        ([HEADER], "its first line is not that of a run"),
        ({"kind": "gatewatch.run"}, "missing required field"),
    ],
)
def test_a_header_that_is_no_runs_is_refused_by_name(client: httpx.Client, header: Any, says: str) -> None:
    reply = client.post(f"/v1/runs/{RUN}", content=announced(b"x", header=codec.encode(header).decode()))
    assert reply.status_code == 400
    assert says in reply.json()["error"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"nothing", 400),
        (b"[]", 400),
        (b'{"digest": 1}', 400),
        (b"[" * 100_000, 400),
        (announced(journal_of(RUN, 10), size=0), 400),
        (announced(journal_of(RUN, 10), size=-5), 400),
        (announced(journal_of(RUN, 10), size=LONGEST + 1), 400),
        (announced(journal_of(RUN, 10), size=10**30), 400),
        (announced(journal_of(RUN, 10), digest="A" * 64), 400),
        (announced(journal_of(RUN, 10), digest="0" * 63), 400),
        (announced(journal_of(RUN, 10), header="[" * 100_000), 400),
        (b'{"digest": "%s", "size": 9, "header": "\\ud800"}' % (b"0" * 64), 400),
        (b'{"digest": "%s", "size": 9, "header": "\xff"}' % (b"0" * 64), 400),
        (announced(journal_of(RUN, 10), header="x" * 300_000), 413),
        (b" " * 600_000, 413),
    ],
)
def test_hostile_announcements_are_refused_and_nothing_breaks(
    server: Serving, client: httpx.Client, body: bytes, status: int
) -> None:
    reply = client.post(f"/v1/runs/{RUN}", content=body)
    assert (reply.status_code, bool(reply.json()["error"])) == (status, True)
    assert looking(server, "/v1/runs").json()["runs"] == []


@pytest.mark.parametrize("run", ["UPPER", ".hidden", "-x", "a" * 101, "a%00b", "%2e%2e", "a b", "\u00fc"])
def test_a_run_of_another_name_is_refused(client: httpx.Client, run: str) -> None:
    assert client.post(f"/v1/runs/{run}", content=announced(journal_of(RUN, 10))).status_code in (400, 404)


def test_a_part_that_is_too_long_or_a_bomb_is_refused(server: Serving, client: httpx.Client) -> None:
    journal = journal_of(RUN, 2000)
    digest = hashlib.sha256(journal).hexdigest()
    assert client.post(f"/v1/runs/{RUN}", content=announced(journal)).status_code == 200
    at = f"/v1/runs/{RUN}/parts/0?digest={digest}"
    bomb = gzip.compress(bytes(200_000_000), 9)
    assert client.put(at, content=bomb, headers={"content-encoding": "gzip"}).status_code == 413
    assert client.put(at, content=bytes(PART + 1)).status_code == 413
    assert client.put(at, content=journal[:-1]).status_code == 400
    assert client.put(f"/v1/runs/{RUN}/parts/1?digest={digest}", content=b"x").status_code == 400
    assert client.put(f"/v1/runs/{RUN}/parts/-1?digest={digest}", content=b"x").status_code == 422
    assert client.put(f"/v1/runs/{RUN}/parts/{10**30}?digest={digest}", content=b"x").status_code == 422
    assert client.post(f"/v1/runs/{RUN}/done?digest={digest}").status_code == 400  # a part is missing
    assert server.store.runs() == []
