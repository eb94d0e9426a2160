"""`gatewatch ship`: every record reaches a server elsewhere, whatever the server does on the way."""

import gzip
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli.building import run
from cli.traffic import answered, project, traffic
from gatewatch.core import codec
from gatewatch.online import ship as shipping
from gatewatch.online.ingest import alone
from gatewatch.online.segments import segments
from online.capturing import capturing


class Server:
    """Takes stretches over HTTP, after some trouble: `troubles` are what it does instead, one for each request.

    A status is answered with it; "drop" takes the whole body, keeps it, and breaks the connection without a reply.
    """

    def __init__(self, troubles: list[Any]) -> None:
        self.troubles = troubles
        self.got: list[dict[str, Any]] = []
        """Every stretch that arrived, repeated ones too."""
        self.statuses: list[Any] = []
        self.arrived = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def answer(self, asked: BaseHTTPRequestHandler) -> None:
        body = asked.rfile.read(int(asked.headers["content-length"]))
        trouble = self.troubles.pop(0) if self.troubles else 200
        self.statuses.append(trouble)
        if trouble in (200, "drop"):
            lines = gzip.decompress(body).splitlines(keepends=True)
            self.got.append({"headers": dict(asked.headers), "path": asked.path, "lines": lines})
        if trouble == "drop":
            asked.connection.shutdown(socket.SHUT_RDWR)
            asked.close_connection = True
            return
        asked.send_response(trouble)
        if trouble == 503:
            asked.send_header("retry-after", "7")
        said = b"no such token" if trouble == 401 else b""
        asked.send_header("content-length", str(len(said)))
        asked.end_headers()
        asked.wfile.write(said)
        if trouble == 200:
            self.arrived.set()

    def records(self) -> list[tuple[str, bytes]]:
        """What a server keeps that goes by the headers: each stretch once."""
        kept: dict[tuple[str, str], list[tuple[str, bytes]]] = {}
        for each in self.got:
            found = [codec.unframe(line) for line in each["lines"]]
            assert None not in found
            place = each["headers"]["x-gatewatch-segment"], each["headers"]["x-gatewatch-stretch"]
            again = kept.setdefault(place, [record for record in found if record is not None])
            assert again == found, "a stretch that is sent again is the same"
        return [record for stretch in kept.values() for record in stretch]

    def ids(self) -> list[str]:
        return [str(codec.parse(payload)["id"]) for kind, payload in self.records() if kind == "trace"]


@contextmanager
def serving(*troubles: Any) -> Iterator[Server]:
    server = Server(list(troubles))
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        thread.join()
        server.http.server_close()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shipping, "_FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(shipping, "_LONGEST_WAIT_S", 0.01)
    monkeypatch.setattr(shipping, "_LONGEST_ASKED_S", 0.01)
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield project(tmp_path)
    for number, handler in kept.items():
        signal.signal(number, handler)


def spool(here: Path) -> Path:
    return here / ".gatewatch" / "spool"


def test_every_record_arrives_and_its_segment_goes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = traffic(here, 50)
    (segment,) = segments(spool(here))
    with serving() as server:
        code, out, _ = run(capsys, "ship", "--to", server.url, "--once")
    assert code == 0
    assert out.startswith("sent ")
    assert set(ids) <= set(server.ids())
    assert len(server.ids()) == 50
    assert [kind for kind, _ in server.records()].count("feedback") == 3
    (got,) = server.got
    assert got["path"] == "/v1/segments"
    headers = {name.lower(): value for name, value in got["headers"].items()}
    assert headers["x-gatewatch-segment"] == f"{socket.gethostname()}/{segment.name}"
    assert headers["x-gatewatch-stretch"] == f"0-{sum(map(len, got['lines']))}"
    assert (headers["content-type"], headers["content-encoding"]) == ("application/x-ndjson", "gzip")
    assert "authorization" not in headers
    assert segments(spool(here)) == []


def test_the_token_is_sent(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    traffic(here, 2)
    monkeypatch.setenv("GATEWATCH_TOKEN", "one")
    monkeypatch.setenv("OTHER", "two")
    with serving() as server:
        run(capsys, "ship", "--to", server.url, "--once")
        traffic(here, 2)
        run(capsys, "ship", "--to", server.url, "--once", "--token-env", "OTHER")
    assert [each["headers"]["authorization"] for each in server.got] == ["Bearer one", "Bearer two"]


def test_a_server_in_trouble_is_tried_again_until_it_has_everything(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    traffic(here, 50)
    with serving(503, 429, 500, "drop", 408) as server:
        code, _, _ = run(capsys, "ship", "--to", server.url, "--once")
    assert code == 0
    assert server.statuses == [503, 429, 500, "drop", 408, 200]
    assert len(server.got) == 2  # the one whose reply was lost came again
    assert server.got[0]["headers"]["x-gatewatch-stretch"] == server.got[1]["headers"]["x-gatewatch-stretch"]
    assert len(server.ids()) == len(set(server.ids())) == 50
    assert segments(spool(here)) == []


def test_it_waits_as_long_as_it_is_asked_to_and_longer_each_time(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    monkeypatch.undo()  # the waits are the real ones here, and are only noted
    traffic(here, 2)
    waits: list[float] = []
    with serving(500, 503, 500, 500) as server, httpx.Client(base_url=server.url) as client:
        shipping.ship(spool(here), client, source="here", wait=waits.append)
    assert waits == [0.5, 7.0, 2.0, 4.0]


def test_long_segments_go_in_stretches_that_follow_each_other(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "_MOST_BYTES", 2000)
    traffic(here, 50)
    with serving(200, 200, "drop", 200, 503) as server:
        run(capsys, "ship", "--to", server.url, "--once")
    assert len(server.ids()) == len(set(server.ids())) == 50
    ends = [tuple(map(int, each["headers"]["x-gatewatch-stretch"].split("-"))) for each in server.got]
    followed = list(dict.fromkeys(ends))
    assert len(ends) == len(followed) + 1
    assert [first for first, _ in followed] == [0, *[last for _, last in followed[:-1]]]


def test_a_refusal_ends_it_and_nothing_is_removed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traffic(here, 5)
    before = {path: path.read_bytes() for path in segments(spool(here))}
    with serving(401) as server:
        code, _, err = run(capsys, "ship", "--to", server.url, "--once")
        assert code == 4
        assert err == f"error: {server.url} refuses what it is sent: status 401 no such token\n"
        assert {path: path.read_bytes() for path in segments(spool(here))} == before
        assert run(capsys, "ship", "--to", server.url, "--once")[0] == 0
    assert len(server.ids()) == 5


def test_a_living_process_s_segment_is_sent_as_it_grows(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as server, capturing(spool(here)) as captured:
        answered(1)
        captured.records()
        run(capsys, "ship", "--to", server.url, "--once")
        assert len(server.ids()) == 1
        answered(2)
        captured.records()
        run(capsys, "ship", "--to", server.url, "--once")
        assert len(server.ids()) == 2
        assert len(segments(spool(here))) == 1


def test_damaged_records_are_told_as_a_loss(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traffic(here, 5)
    (segment,) = segments(spool(here))
    segment.write_bytes(segment.read_bytes().replace(b'"q1"', b'"qX"'))
    with serving() as server:
        run(capsys, "ship", "--to", server.url, "--once")
    assert len(server.ids()) == 4
    losses = [codec.parse(payload)["reasons"] for kind, payload in server.records() if kind == "loss"]
    assert losses == [{"damaged record": 1}]


def test_a_spool_without_a_project(
    tmp_path: Path, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic(here, 3)
    (here / "elsewhere").mkdir()
    (here / "gatewatch.toml").unlink()
    monkeypatch.chdir(here / "elsewhere")
    with serving() as server:
        code, _, _ = run(capsys, "ship", "--to", server.url, "--once", "--spool", str(spool(here)))
    assert (code, len(server.ids())) == (0, 3)


def test_it_goes_on_until_it_is_told_to_end(here: Path) -> None:
    traffic(here, 3)
    with serving(503) as server:
        ship = subprocess.Popen(
            [sys.executable, "-m", "gatewatch", "ship", "--to", server.url],
            cwd=here,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert ship.stderr is not None
        assert ship.stderr.readline() == f"{spool(here)} -> {server.url}\n"
        assert server.arrived.wait(30)
        ship.send_signal(signal.SIGTERM)
        out, _ = ship.communicate(timeout=30)
    assert ship.returncode == 143
    assert out.startswith("sent ")
    assert len(server.ids()) == 3


def test_it_waits_for_a_folder_that_is_not_there_yet(here: Path) -> None:
    words = [sys.executable, "-m", "gatewatch", "ship", "--spool", str(spool(here))]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with (
        serving() as server,
        subprocess.Popen([*words, "--to", server.url], cwd=here, stdout=-1, stderr=-1, text=True, env=env) as ship,
    ):
        assert ship.stderr is not None
        assert "not there yet" in ship.stderr.readline()
        traffic(here, 2)
        assert server.arrived.wait(30)
        ship.send_signal(signal.SIGTERM)
        ship.communicate(timeout=30)
    assert (ship.returncode, len(server.ids())) == (143, 2)


def test_it_sends_what_is_left_when_it_is_told_to_end(here: Path) -> None:
    traffic(here, 3)
    words = [sys.executable, "-m", "gatewatch", "ship"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with (
        serving(503) as server,  # it is asked to wait for 7 s, and told to end meanwhile
        subprocess.Popen([*words, "--to", server.url], cwd=here, stdout=-1, stderr=-1, text=True, env=env) as ship,
    ):
        assert ship.stderr is not None
        while "does not take" not in ship.stderr.readline():
            assert ship.poll() is None
        traffic(here, 2)  # the application's last requests
        ship.send_signal(signal.SIGTERM)
        out, _ = ship.communicate(timeout=30)
    assert (ship.returncode, len(set(server.ids()))) == (143, 5)
    assert out == "sent 7 records\n" and segments(spool(here)) == []


def test_once_waits_while_another_process_sends(here: Path) -> None:
    import httpx

    traffic(here, 3)
    with serving() as server, httpx.Client(base_url=server.url) as client, ExitStack() as held:
        assert held.enter_context(alone(spool(here)))
        assert shipping.ship(spool(here), client, source="a") == shipping.Shipped()
        with pytest.raises(shipping.Refused, match="another process has it, and is not done after 9 s"):
            shipping.ship(spool(here), client, source="a", patience_s=9, wait=lambda _: None)
        assert shipping.ship(spool(here), client, source="a", patience_s=9, wait=lambda _: held.close()).records
    assert len(server.ids()) == 3


def test_there_is_nothing_to_send(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        assert run(capsys, "ship", "--to", server.url, "--once")[:2] == (0, "sent 0 records\n")
    assert server.got == []


def test_what_is_no_address_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "ship", "--to", "example.org", "--once")
    assert code == 2
    assert "must begin with http:// or https:// and name a host, got 'example.org'" in err


def test_once_gives_up_where_nobody_answers_and_keeps_what_it_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from gatewatch.online import ship as module

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "_FIRST_WAIT_S", 0.001)
    segment = tmp_path / "spool" / "1-1-0.seg"
    segment.parent.mkdir()
    segment.write_bytes(codec.frame("trace", b'{"id":"a"}'))
    code, _, err = run(capsys, "ship", "--to", "http://127.0.0.1:9", "--spool", "spool", "--once")
    assert code == 4 and "did not take it in 6 tries" in err and "it stays in the spool" in err
    assert segment.exists()


@pytest.mark.parametrize("token", ["caf\u00e9", "a\nb"])
def test_a_token_that_cannot_be_sent_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEWATCH_TOKEN", token)
    code, _, err = run(capsys, "ship", "--to", "http://127.0.0.1:9", "--spool", ".", "--once")
    assert code == 2 and "GATEWATCH_TOKEN: the value" in err and token not in err


def test_a_spool_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "ship", "--to", "http://127.0.0.1:9", "--spool", "none", "--once")
    assert code == 2 and "none: there is no such folder" in err
