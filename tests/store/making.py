"""A store in a file, for tests."""

from pathlib import Path

from gatewatch.store.base import Store
from gatewatch.store.open import open_store


def a_store(tmp_path: Path, *, busy_s: float = 5.0) -> Store:
    return open_store(tmp_path / "gatewatch.db", busy_s=busy_s)
