"""Alerts by a real worker: killed between sending and noting it, ended, and with JSON on standard output."""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Event

from msgspec.structs import replace

from cli.traffic import TOML, project
from config.building import gatewatch
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.core.clock import wall
from gatewatch.store.watching import WatchStep
from online.receiving import Answer, Received, Receiver, an_alert


def an_open_alert(folder: Path, to: str) -> None:
    with closing(store_of(Project.open(folder))) as store:
        alert = replace(an_alert(1, to=(to,)), kind="never", opened=wall(), updated=wall())  # which no step ends
        assert store.keep(WatchStep(read_at=store.unheard({}, 1).read_at, alerts=(alert,)), wall())


def test_killed_between_sending_and_noting_it_the_same_comes_again_under_its_key(tmp_path: Path) -> None:
    project(tmp_path)
    dead = Event()
    worker: list[subprocess.Popen[bytes]] = []

    def answer(_: Received) -> Answer:
        if not dead.is_set():
            os.kill(worker[0].pid, signal.SIGKILL)
            dead.set()
        return Answer()

    with Receiver(answer) as receiver:
        an_open_alert(tmp_path, f"webhook:{receiver.url}/")
        worker.append(
            subprocess.Popen(
                [sys.executable, "-m", "gatewatch", "work"],
                cwd=tmp_path,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        assert worker[0].wait(60) == -signal.SIGKILL
        with closing(store_of(Project.open(tmp_path))) as store:
            ((notice, _),) = store.untold()
            store.told(notice.id, wall(), retry_at=wall())  # as if the dead worker's lease had run out
        again = gatewatch(tmp_path, "work", "--once")
        assert again.returncode == 0, again.stderr
    first, second = receiver.received
    assert (first.key, first.body) == (second.key, second.body)
    with closing(store_of(Project.open(tmp_path))) as store:
        assert not store.untold()


def test_one_line_on_standard_output_which_is_left_to_the_json_where_that_is_asked_for(tmp_path: Path) -> None:
    project(tmp_path, TOML)
    an_open_alert(tmp_path, "stdout")
    told = gatewatch(tmp_path, "work", "--once", "--json")
    assert json.loads(told.stdout)["kind"] == "gatewatch.work"
    assert "! ticket support: helpful fell by 4.1 points" in told.stderr
