"""The project of the current folder, with its store, for as long as a command looks at them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewatch.config.project import Project
    from gatewatch.store.base import Store


@contextmanager
def opened() -> "Iterator[tuple[Project, Store]]":
    """The project, and its store, which is closed when this is left.

    Raises:
        ConfigError: with what is wrong in gatewatch.toml.
        StoreError: the store cannot be opened.
    """
    from gatewatch.config.monitors import store_of
    from gatewatch.config.project import Project

    project = Project.open()
    store = store_of(project)
    try:
        yield project, store
    finally:
        store.close()
