"""How the loop stands, over HTTP: to whom it is told, and of what."""

from pathlib import Path

from gatewatch.core.clock import wall
from gatewatch.core.trace import Trace
from gatewatch.store.open import open_store
from gatewatch.store.rows import Arrival, Arrivals
from offline.joining import a_row, a_run
from web.serving import served


def test_how_the_loop_stands(tmp_path: Path) -> None:
    (tmp_path / ".gatewatch" / "runs").mkdir(parents=True)
    a_run(tmp_path / ".gatewatch" / "runs", "r-1", [a_row("r-1", f"c{n}") for n in range(3)])
    with served(tmp_path) as server:
        store = open_store(tmp_path / ".gatewatch" / "gatewatch.db", project="bot")
        trace = Trace(id="t", flow="support", input="a secret")
        store.take_in(Arrivals((Arrival(trace, b'{"input":"a secret"}', wall() - 60, 0.5),)), wall())
        store.close()
        with server.client(server.token("read")) as client:
            reply = client.get("/v1/overview")
            assert client.get("/v1/overview?flow=x").status_code == 422
        with server.client(server.token("ingest")) as client:
            assert client.get("/v1/overview").status_code == 403
        with server.client() as client:
            assert client.get("/v1/overview").status_code == 401
            assert "/v1/overview" in client.get("/openapi.json").json()["paths"]
        told = reply.json()
        assert (told["kind"], told["version"]) == ("gatewatch.overview", 1)
        (gate,) = told["gates"]
        assert (gate["suite"], gate["last"]["run"], gate["last"]["on"]) == ("support", "r-1", "newest")
        assert gate["last"]["cell"]["n"] == 3
        (flow,) = told["flows"]
        assert (flow["flow"], flow["requests"], flow["alerts"]) == ("support", 1.0, [])
        assert told["needs"] == []
        assert "a secret" not in reply.text
