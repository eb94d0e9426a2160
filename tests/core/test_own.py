"""Files that are their owner's alone."""

import os
from pathlib import Path

from gatewatch.core.own import make_own
from gatewatch.models.cache import ReplyCache
from gatewatch.models.protocol import ChatReply
from gatewatch.store.open import open_store


def test_one_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "there"
    path.write_text("x")
    path.chmod(0o644)
    make_own(path)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("x", 0o644)


def test_stores_and_caches_are_the_owners_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = open_store(tmp_path / "gatewatch.db")
        store.heartbeat("a", 1.0)
        cache = ReplyCache(tmp_path / "cache.db")
        cache.set("k", ChatReply(text="a"))
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        store.close()
        cache.close()
    finally:
        os.umask(before)
    assert {"gatewatch.db", "gatewatch.db-wal", "cache.db", "cache.db-wal"} <= modes.keys()
    assert set(modes.values()) == {0o600}
