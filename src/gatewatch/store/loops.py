"""What a store that speaks SQL does for the loop."""

import zlib
from collections.abc import Collection, Iterable, Sequence

from gatewatch.core.change import Change, ChangeKind, ChangeState
from gatewatch.core.erasure import Subject
from gatewatch.core.failure import Failure, FailureState
from gatewatch.core.review import Item, ItemState, Label, Queue
from gatewatch.store import failures, labels, outbox, reviews
from gatewatch.store.database import Database
from gatewatch.store.looping import Claim, Mined


class SQLLooping:
    """What a store that speaks SQL does for the loop."""

    _db: Database

    def payloads(self, seqs: Collection[int]) -> dict[int, bytes]:
        """See `Looping`."""
        found = self._db.among("SELECT seq, body FROM payload WHERE seq IN {}", seqs)
        return {seq: zlib.decompress(body) for seq, body in found}

    def keep_mined(self, found: Sequence[Mined], now: float, *, read_at: int) -> list[Failure] | None:
        """See `Looping`."""
        return failures.keep_mined(self._db, found, now, read_at=read_at)

    def mined_at(self) -> int:
        """See `Looping`."""
        return failures.mined_at(self._db)

    def failures(self, flow: str = "", states: Collection[FailureState] = ()) -> list[Failure]:
        """See `Looping`."""
        return failures.failures(self._db, flow, states)

    def failure(self, number: int) -> Failure | None:
        """See `Looping`."""
        return failures.failure(self._db, number)

    def turn_failure(
        self,
        number: int,
        state: FailureState,
        *,
        who: str,
        reason: str,
        now: float,
        among: Collection[FailureState] = (),
        owner: str | None = None,
        name: str | None = None,
    ) -> Failure | None:
        """See `Looping`."""
        with self._db.transaction():
            return failures.turn(
                self._db, number, state, who=who, reason=reason, now=now, among=among, owner=owner, name=name
            )

    def add_items(self, items: Sequence[tuple[Item, bytes]], now: float) -> list[Item]:
        """See `Looping`."""
        with self._db.transaction():
            return reviews.put(self._db, items, now)

    def items(
        self,
        *,
        queue: Queue | None = None,
        flow: str = "",
        failure: int = 0,
        states: Collection[ItemState] = (),
        trace: str = "",
        after: int = 0,
        most: int = 1000,
    ) -> list[Item]:
        """See `Looping`."""
        return reviews.items(
            self._db, queue=queue, flow=flow, failure=failure, states=states, trace=trace, after=after, most=most
        )

    def item(self, number: int) -> Item | None:
        """See `Looping`."""
        return reviews.item(self._db, number)

    def item_trace(self, number: int) -> bytes | None:
        """See `Looping`."""
        return reviews.trace_of(self._db, number)

    def items_of(self, subject: Subject) -> list[Item]:
        """See `Looping`."""
        with self._db.transaction(write=False):
            return reviews.of(self._db, subject)

    def claim(
        self,
        by: str,
        now: float,
        until: float,
        *,
        queue: Queue | None = None,
        flow: str = "",
        failure: int = 0,
        item: int = 0,
        besides: Collection[int] = (),
    ) -> Claim | None:
        """See `Looping`."""
        return labels.claim(
            self._db, by, now, until, queue=queue, flow=flow, failure=failure, number=item, besides=besides
        )

    def let_go_of(self, item: int, by: str) -> None:
        """See `Looping`."""
        labels.let_go_of(self._db, item, by)

    def label(self, label: Label, now: float) -> Item | None:
        """See `Looping`."""
        return labels.label(self._db, label, now)

    def withdraw_label(self, item: int, by: str) -> Item | None:
        """See `Looping`."""
        return labels.withdraw(self._db, item, by)

    def labels(self, items: Iterable[int]) -> list[Label]:
        """See `Looping`."""
        return labels.labels(self._db, items)

    def labels_by(self, by: str, *, since: float = 0.0, most: int = 1000) -> list[Label]:
        """See `Looping`."""
        return labels.labels_by(self._db, by, since=since, most=most)

    def awaiting(
        self,
        by: str,
        now: float,
        *,
        queue: Queue | None = None,
        flow: str = "",
        failure: int = 0,
        skip: int = 0,
        most: int = 1000,
    ) -> tuple[list[Item], int]:
        """See `Looping`."""
        with self._db.transaction(write=False):
            return labels.awaiting(self._db, by, now, queue=queue, flow=flow, failure=failure, skip=skip, most=most)

    def claimed(self, by: str, now: float) -> list[tuple[Item, float]]:
        """See `Looping`."""
        return labels.claimed(self._db, by, now)

    def propose(self, changes: Sequence[Change], now: float) -> list[tuple[Change, bool]]:
        """See `Looping`."""
        return outbox.propose(self._db, changes, now)

    def changes(
        self,
        states: Collection[ChangeState] = (),
        *,
        kind: ChangeKind | None = None,
        failure: int = 0,
        after: int = 0,
        most: int = 1000,
    ) -> list[Change]:
        """See `Looping`."""
        return outbox.changes(self._db, states, kind=kind, failure=failure, after=after, most=most)

    def change(self, number: int) -> Change | None:
        """See `Looping`."""
        return outbox.change(self._db, number)

    def turn_change(self, number: int, state: ChangeState, now: float, *, where: str = "") -> Change | None:
        """See `Looping`."""
        return outbox.turn(self._db, number, state, now, where=where)
