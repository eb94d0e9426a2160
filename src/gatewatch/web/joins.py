"""The runs of each project that a server answers for, and their comparisons: made when first asked for, and held."""

import shutil
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock

from gatewatch.config.joining import Joining
from gatewatch.config.project import Project
from gatewatch.config.stored_runs import StoredRuns
from gatewatch.core.clock import wall
from gatewatch.store.base import Store
from gatewatch.web.visitors import Visitor

_NOTED_S = 3600.0
_MOST_NOTED = 10_000


class Joins:
    """The comparisons of every project; threads may share it.

    Args:
        own: the name of the project whose checkout this is.
        project: that checkout, or None.
    """

    def __init__(self, own: str, project: Project | None) -> None:
        self._own, self._project = own, project
        self._folder: Path | None = None
        self._made: dict[str, Joining] = {}
        self._noted: dict[tuple[str, str, str], float] = {}
        self._lock = Lock()

    def of(self, name: str, store: Store) -> Joining:
        """Those of a project, whose store is given."""
        if self._project is not None and name == self._own:
            self._project.follow()
        with self._lock:
            found = self._made.get(name)
            if found is None:
                if self._folder is None:
                    self._folder = Path(mkdtemp(prefix="gatewatch-runs-"))
                project = self._project if name == self._own else None
                copies = self._folder / str(len(self._made))
                found = self._made[name] = Joining(StoredRuns(project, store, copies))
            return found

    def note(self, store: Store, visitor: Visitor, *runs: str) -> None:
        """Note that somebody read what was said in runs: for each run once an hour, whatever is looked at in it."""
        now = wall()
        for run in runs:
            key = (visitor.project, visitor.author, run)
            with self._lock:
                known = 0 <= now - self._noted.get(key, -_NOTED_S) < _NOTED_S
                if not known:
                    if len(self._noted) >= _MOST_NOTED:
                        self._noted.clear()
                    self._noted[key] = now
            if not known:
                store.note(now, visitor.author, "read", f"run {run}")

    def close(self) -> None:
        """Let go of the journals that were copied from stores."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
