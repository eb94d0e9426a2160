"""Which commits are in the main branch of a checkout, by what git has of it."""

import re
from pathlib import Path
from threading import Lock

from gatewatch.core.clock import monotonic
from gatewatch.loop.pull import Branch
from gatewatch.offline.compare import DIRTY

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_NOT_YET_S = 60.0
_MOST_HELD = 10_000


class Mainline:
    """The main branch of a checkout, asked of once a minute; threads may share it.

    Args:
        root: the checkout's folder, or None where there is none.
    """

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._branch: Branch | None = None
        self._known: dict[str, bool] = {}
        self._looked = -_NOT_YET_S
        self._lock = Lock()

    def has(self, commit: str) -> bool:
        """Whether a commit, as a run states it, is in the main branch: not where its tree had changes of its own, and
        not where git cannot tell."""
        if self._root is None or commit.endswith(DIRTY) or not _COMMIT.fullmatch(commit):
            return False
        with self._lock:
            if monotonic() - self._looked > _NOT_YET_S or len(self._known) > _MOST_HELD:
                self._branch = Branch(self._root)
                self._known = {}
                self._looked = monotonic()
            if commit not in self._known:
                self._known[commit] = self._branch is not None and self._branch.has(commit)
            return self._known[commit]
