"""The kit of stores: SQLite and PostgreSQL hold to it, and it catches stores that are broken."""

from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gatewatch.checks.store import CHECKS, Check, check_store
from gatewatch.checks.traffic import NOW
from gatewatch.core.change import Change
from gatewatch.core.failure import Failure
from gatewatch.store.base import Store
from gatewatch.store.filling import BackfillState
from gatewatch.store.looping import Claim, Mined
from gatewatch.store.rows import Arrivals, Leased, Plan, Settled, TakenIn, Thinned, Unplanned, Work
from gatewatch.store.sql import SQLStore
from gatewatch.store.sqlite_file import SQLiteDatabase
from gatewatch.store.watching import WatchStep
from store.making import BACKENDS, Backend


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_holds_to_each_check(tmp_path: Path, check: Check, backend: Backend) -> None:
    store = backend(tmp_path)
    check(store)
    store.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_holds_to_the_kit(tmp_path: Path, backend: Backend) -> None:
    number = count()
    check_store(lambda: backend(tmp_path / f"{next(number)}"))


class TakesInTwice(SQLStore):
    """One that takes a repeated delivery for a new request."""

    def take_in(self, arrivals: Arrivals, now: float) -> TakenIn:
        seen, traces = set(), []
        for each in arrivals.traces:
            name = each.trace.id
            while name in seen:
                name += "-again"
            seen.add(name)
            traces.append(replace(each, trace=replace(each.trace, id=name)))
        return super().take_in(replace(arrivals, traces=tuple(traces)), now)


class SettlesLate(SQLStore):
    """One that lets any worker settle, whatever became of its lease."""

    def settle(self, settled: Iterable[Settled], now: float) -> int:
        every = list(settled)
        return super().settle([replace(each, attempt=n) for each in every for n in range(1, 4)], now)


class LeasesAnew(SQLStore):
    """One that leases to one worker what another has."""

    def lease(self, works: Iterable[int], owner: str, most: int, now: float, until: float, **more: Any) -> list[Leased]:
        return super().lease(works, owner, most, now, now, **more)


class DoublesBackfills(SQLStore):
    """One that does not see that another worker decided already."""

    def fill(self, backfill: int, plan: Plan) -> int:
        planned = {each.id: each.planned for each in self.backfills()}[backfill]
        return super().fill(backfill, replace(plan, read_at=(planned, (plan.read_at or (0, 0))[1])))


class LeasesWhatIsStopped(SQLStore):
    """One whose back-fills cannot be stopped."""

    def turn_backfill(self, backfill: int, state: BackfillState, **more: Any) -> bool:
        return True


class FirstComeFirstServed(SQLStore):
    """One that knows no shares."""

    def lease(
        self, works: Iterable[int], owner: str, most: int, now: float, until: float, *, backfills: Any = (), **more: Any
    ) -> list[Leased]:
        found: list[Leased] = []
        for work in works:
            found += super().lease([work], owner, most - len(found), now, until, **more)
        return found or super().lease((), owner, most, now, until, backfills=backfills, **more)


class ForgetsChanges(SQLStore):
    """One that does not say that marks changed."""

    def unplanned(self, work: Work, most: int) -> Unplanned:
        return replace(super().unplanned(work, most), changed=())


class ForgetsToMove(SQLStore):
    """One that keeps the probability of the time of sampling."""

    def plan(self, work: int, plan: Plan) -> int:
        return super().plan(work, replace(plan, moved=()))


class Generous(SQLStore):
    """One that knows no limit."""

    def reserve(self, budget: str, limit: float, amount: float, task: int) -> bool:
        return super().reserve(budget, limit * 2, amount, task)


class KeepsPayloads(SQLStore):
    """One that thins nothing."""

    def thin(self, decided: Sequence[Thinned], enough: int | None = None) -> int:
        return super().thin([replace(each, gone=False) for each in decided], enough)


class LetsGoOfAll(SQLStore):
    """One that does not know when there is room enough."""

    def let_go(self, enough: int, most: int) -> int:
        return super().let_go(2**60, most)


class ThinsByOldMarks(SQLStore):
    """One that does not see that marks changed since it was decided what is to go."""

    def thin(self, decided: Sequence[Thinned], enough: int | None = None) -> int:
        marks = {row.seq: row.marks for row in self.held(NOW * 2, 1000)}
        return super().thin([replace(each, marks=marks.get(each.seq, 0)) for each in decided], enough)


class KeepsWhatIsLate(SQLStore):
    """One that does not see that another monitor was quicker."""

    def keep(self, step: WatchStep, now: float) -> bool:
        return super().keep(replace(step, read_at=self.unheard({}, 0).read_at), now)


class TellsAgain(SQLStore):
    """One that forgets that a notice was delivered."""

    def told(self, notice: int, now: float, *, retry_at: float | None = None, reason: str = "") -> None:
        super().told(notice, now, retry_at=now if retry_at is None else retry_at, reason=reason)


class MinesOverOthers(SQLStore):
    """One that does not see that another miner was quicker."""

    def keep_mined(self, found: Sequence[Mined], now: float, *, read_at: int) -> list[Failure] | None:
        return super().keep_mined(found, now, read_at=self.mined_at())


class ClaimsForAll(SQLStore):
    """One that gives an item to whoever asks."""

    def claim(self, by: str, now: float, until: float, **more: Any) -> Claim | None:
        found = super().claim(by, now, now, **more)
        return found and replace(found, until=until)


class ProposesAgain(SQLStore):
    """One that does not know its keys."""

    def propose(self, changes: Sequence[Change], now: float) -> list[tuple[Change, bool]]:
        for kept in self.changes(["pending", "pulled", "merged"]):
            self.turn_change(kept.id, "withdrawn", now)
        return super().propose(changes, now)


class Raises(SQLStore):
    """One that cannot read what it keeps."""

    def payload(self, seq: int) -> bytes | None:
        raise ValueError("no")


BROKEN: Sequence[tuple[type[SQLStore], str]] = (
    (TakesInTwice, "came twice in one batch"),
    (SettlesLate, "whose lease ran out settled"),
    (LeasesAnew, "leased to two workers"),
    (DoublesBackfills, "decision out of date was kept"),
    (LeasesWhatIsStopped, "it was stopped twice"),
    (FirstComeFirstServed, "of eight places"),
    (ForgetsChanges, "has a new mark"),
    (ForgetsToMove, "did not move"),
    (Generous, r"it set aside \[True, True, True\]"),
    (KeepsPayloads, "after thinning"),
    (LetsGoOfAll, "more than was needed"),
    (ThinsByOldMarks, "marks that it has no more"),
    (KeepsWhatIsLate, "out of date was kept"),
    (TellsAgain, "or quiet no more, is told"),
    (MinesOverOthers, "though others were quicker"),
    (ClaimsForAll, "is given another|two have the same item"),
    (ProposesAgain, "a key is there twice"),
    (Raises, "keeps_what_arrives: it raised ValueError: no"),
)


@pytest.mark.parametrize(("broken", "message"), BROKEN)
def test_a_broken_store_is_caught_and_named(tmp_path: Path, broken: type[SQLStore], message: str) -> None:
    number = count()

    def make() -> Store:
        return broken(SQLiteDatabase.open(tmp_path / f"{next(number)}.db"))

    with pytest.raises(AssertionError, match=message):
        check_store(make)
