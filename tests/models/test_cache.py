"""The reply cache: what it keeps, what its keys hold, and that a bad file costs nothing but the cache."""

import logging
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from gatewatch.core.money import Cost
from gatewatch.core.trace import Usage
from gatewatch.models.cache import ReplyCache, reply_key
from gatewatch.models.protocol import ChatReply, ChatRequest
from meddling import comes_before

REPLY = ChatReply(text="ü \ud800", model="m", usage=Usage(1, 2), cost=Cost(0.5), latency_s=1.0, waited_s=2.0)


def test_what_was_set_is_got_at_no_cost(tmp_path: Path) -> None:
    cache = ReplyCache(tmp_path / "deep" / "cache.db")
    assert cache.get("k") is None
    cache.set("k", REPLY)
    cache.close()
    found = ReplyCache(tmp_path / "deep" / "cache.db").get("k")
    assert found is not None
    assert (found.text, found.usage, found.cached) == (REPLY.text, REPLY.usage, True)
    assert (found.cost, found.waited_s) == (Cost(), 0.0)


def test_everything_that_matters_is_in_the_key() -> None:
    request = ChatRequest(messages=({"role": "user", "content": "x"},))
    keys = {
        reply_key("http://a", "m", {}, request),
        reply_key("http://b", "m", {}, request),
        reply_key("http://a", "n", {}, request),
        reply_key("http://a", "m", {"temperature": 0}, request),
        reply_key("http://a", "m", {}, ChatRequest(messages=({"role": "user", "content": "y"},))),
        reply_key("http://a", "m", {}, ChatRequest(messages=request.messages, trial=1)),
        reply_key("http://a", "m", {}, ChatRequest(messages=request.messages, schema={"type": "object"})),
        reply_key("http://a", "m", {}, ChatRequest(messages=request.messages, tools=({"type": "function"},))),
    }
    assert len(keys) == 8


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b""])
def test_a_file_that_is_no_cache_is_no_obstacle(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "cache.db"
    path.write_bytes(content)
    cache = ReplyCache(path)
    with caplog.at_level(logging.WARNING):
        assert cache.get("k") is None
        cache.set("k", REPLY)
    cache.close()
    assert bool(caplog.records) == bool(content)


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = ReplyCache(tmp_path / "file" / "cache.db")
    cache.set("k", REPLY)
    assert cache.get("k") is None
    cache.close()


WRITER = """
import sys
from pathlib import Path
from gatewatch.models import cache as module
from gatewatch.models.cache import ReplyCache
module._BUSY_MS, module._OPEN_TRIES = 10**9, 10**9  # however slow the machine is, none gives the cache up
from gatewatch.models.protocol import ChatReply
cache = ReplyCache(Path(sys.argv[1]))
for n in range(100):
    cache.set(f"{sys.argv[2]}-{n}", ChatReply(text=f"{n}"))
"""


def test_several_processes_share_a_cache(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in ("a", "b", "c")]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    cache = ReplyCache(path)
    assert all(cache.get(f"{name}-{n}") is not None for name in ("a", "b", "c") for n in range(100))
    cache.close()


@pytest.mark.parametrize("moment", range(8))
def test_another_process_may_make_it_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, moment: int
) -> None:
    path = tmp_path / "cache.db"

    def rival() -> None:
        with monkeypatch.context() as patch, suppress(sqlite3.OperationalError):  # it may be kept out
            patch.setattr("gatewatch.models.cache._BUSY_MS", 0)
            patch.setattr("gatewatch.models.cache._OPEN_TRIES", 1)
            ReplyCache(path)._open().close()

    comes_before(moment, rival, monkeypatch)
    cache = ReplyCache(path)
    with caplog.at_level(logging.WARNING):
        cache.set("k", REPLY)
        assert cache.get("k") is not None
    assert not caplog.records
    cache.close()


def test_it_is_emptied_so_that_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    assert ReplyCache(path).clear() == 0 and not path.exists()
    cache = ReplyCache(path)
    for n in range(200):
        cache.set(f"{n}", ChatReply(text="PLANTED" * 50))
    (tmp_path / "cache.db.damaged-1").write_text("PLANTED")
    assert ReplyCache(path).clear() == 200
    assert cache.get("1") is None
    cache.set("1", ChatReply(text="new"))
    assert cache.get("1") is not None
    assert not any(b"PLANTED" in each.read_bytes() for each in tmp_path.iterdir())
    path.with_name("other.db").write_text("something else")
    with pytest.raises(OSError, match=r"other\.db"):
        ReplyCache(path.with_name("other.db")).clear()
