"""How a suite's dataset stands, without an audit: how much it grew, what is overdue, what tells nothing any more."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from gatewatch.config.stored_runs import Mark, mark_of
from gatewatch.core.errors import InputError
from gatewatch.loop.audit_history import history, saturated
from gatewatch.loop.finding import looked
from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.outcomes import Outcomes

PROMOTED_S = 30 * 86_400.0
"""For how long, in seconds, a case counts as promoted of late."""
_MOST_HELD = 100


class Overdue(Struct, frozen=True):
    """An open case whose day is past: the gate fails for it until it passes."""

    case: str
    until: str
    owner: str = ""


class DatasetState(Struct, frozen=True, kw_only=True):
    """A dataset, as its file stands now.

    `cases` are in use, beside `retired` ones. `promoted` came from live failures in the last 30 days, the last of all
    such at `last` (seconds since the epoch). `open` may fail yet, until a day that is past for those `overdue`.
    `saturated` passed in all of their last ten outcomes, as the pinned baseline knows them: None where there is none.
    `new` and `gone` count cases that the baseline does not have as they are, and that only it has. `flaw` says why
    nothing of this is known.
    """

    path: str
    version: str = ""
    cases: int = 0
    retired: int = 0
    promoted: int = 0
    last: float | None = None
    open: int = 0
    overdue: tuple[Overdue, ...] = ()
    saturated: int | None = None
    new: int = 0
    gone: int = 0
    flaw: str = ""


class DatasetStates:
    """Looks at datasets, at each once for as long as its file and its baseline stay as they are."""

    def __init__(self) -> None:
        self._held: dict[tuple[Mark, Mark | None, date, int], DatasetState] = {}

    def of(self, path: Path, named: str, baseline: Outcomes | None, pinned: Mark | None, now: float) -> DatasetState:
        """How a dataset stands.

        Args:
            path: its file.
            named: the file as the project names it.
            baseline: what is pinned of its suite, and
            pinned: the state of the file that this was read from.
            now: in seconds since the epoch.
        """
        today = datetime.fromtimestamp(now, UTC).date()
        key = (mark_of(path), pinned, today, int(now // 3600))
        found = self._held.get(key)
        if found is None:
            try:
                found = _looked(path, named, baseline, today, now)
            except InputError as error:
                found = DatasetState(path=named, flaw=str(error.problems[0]))
            if len(self._held) >= _MOST_HELD:
                self._held.clear()
            self._held[key] = found
        return found


def _looked(path: Path, named: str, baseline: Outcomes | None, today: date, now: float) -> DatasetState:
    dataset = open_dataset(path)
    every = [looked(place, dataset.place(place), case) for place, case in enumerate(dataset)]
    used = [each for each in every if not each.case.retired]
    came = [at for each in every if (at := promoted_at(each.case.provenance)) is not None]
    still = [(each.id, each.case.open) for each in used if each.case.open is not None]
    known = baseline.cases if baseline is not None else {}
    hashes = {each.id: each.hash for each in used}
    return DatasetState(
        path=named,
        version=dataset.version,
        cases=len(used),
        retired=len(every) - len(used),
        promoted=sum(now - PROMOTED_S <= at <= now for at in came),
        last=max(came, default=None),
        open=len(still),
        overdue=tuple(Overdue(case, str(each.until), each.owner) for case, each in still if each.until < today),
        saturated=None if baseline is None else sum(1 for _ in saturated(used, history(baseline, used))),
        new=sum(case not in known or known[case].hash != hash_ for case, hash_ in hashes.items()) if known else 0,
        gone=sum(case not in hashes for case in known),
    )


def promoted_at(provenance: dict[str, Any]) -> float | None:
    """When a case was promoted from a live failure, in seconds since the epoch; None of one that was not."""
    if not provenance.get("trace"):
        return None
    try:
        moment = datetime.fromisoformat(str(provenance.get("at", "")))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
