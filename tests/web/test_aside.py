"""What reads journals holds up nothing else of the server."""

from pathlib import Path
from threading import Event, Thread

import pytest

from gatewatch.config.stored_runs import StoredRuns
from offline.joining import two_runs
from web.serving import served


def test_pages_that_read_runs_for_long_hold_up_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, begun = Event(), Event()
    listed = StoredRuns.listed

    def slow(self: StoredRuns, *, parts: bool = False) -> object:
        begun.set()
        go_on.wait(30)
        return listed(self, parts=parts)

    two_runs(tmp_path / ".gatewatch" / "runs")
    with served(tmp_path) as server:
        token = server.token("read")
        monkeypatch.setattr(StoredRuns, "listed", slow)

        def look() -> None:
            with server.client(token) as client:
                client.get("/runs")

        readers = [Thread(target=look) for _ in range(40)]
        for each in readers:
            each.start()
        try:
            assert begun.wait(20)
            with server.client(server.token("review")) as client:
                assert client.get("/readyz", timeout=10).status_code == 200
                assert client.get("/v1/failures", timeout=10).status_code == 200  # its token was not known yet
        finally:
            go_on.set()
            for each in readers:
                each.join()
