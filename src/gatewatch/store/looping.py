"""What a store keeps for the loop: failures, what people are asked to label and their labels, and the outbox."""

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from gatewatch.core.change import Change, ChangeKind, ChangeState
from gatewatch.core.erasure import Subject
from gatewatch.core.failure import Failure, FailureState
from gatewatch.core.review import Item, ItemState, Label, Queue


class Mined(Struct, frozen=True, kw_only=True):
    """What mining found of one failure: the failure (its number 0 where it is new), and requests to be labelled, each
    with its trace (JSON). Of a failure that is there, `id`, `opened`, `state`, `owner`, `who`, `reason` and `fixed`
    stay what they are, except that `came_back` turns one that was fixed to "regressed"; `updated` is when it is kept,
    and so is `opened` of a new one."""

    failure: Failure
    items: Sequence[tuple[Item, bytes]] = ()
    came_back: bool = False


class Claim(Struct, frozen=True):
    """An item that a reviewer has for a while, with its trace (JSON) as it was when it was put there."""

    item: Item
    trace: bytes
    until: float


class Looping(Protocol):
    """What every store can do for the loop."""

    # Reading what mining looks at

    def payloads(self, seqs: Collection[int]) -> dict[int, bytes]:
        """The payloads (JSON) of some requests by number, of those that have one."""
        ...

    # Failures

    def keep_mined(self, found: Sequence[Mined], now: float, *, read_at: int) -> list[Failure] | None:
        """Keep what mining found, whole, and give the failures with their numbers, in the same order; None, and nothing
        kept, where others kept what they mined, or requests were erased, since `read_at` (see `mined_at`). A request
        that an item is of already, in the same queue and on the same scale, gets no other, but the item moves to the
        failure given."""
        ...

    def mined_at(self) -> int:
        """A number that goes up with all that `keep_mined` keeps, and when requests are erased."""
        ...

    def failures(self, flow: str = "", states: Collection[FailureState] = ()) -> list[Failure]:
        """Failures of a flow or of all, in some states or in any, by number."""
        ...

    def failure(self, number: int) -> Failure | None:
        """A failure by its number."""
        ...

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
        """Turn a failure's state (only from one `among` some, where they are given; `fixed` is the time with the state
        "fixed", and stays otherwise), its owner and its name, and give it as it is then; None where there is none."""
        ...

    # Review

    def add_items(self, items: Sequence[tuple[Item, bytes]], now: float) -> list[Item]:
        """Put requests up to be labelled, each with its trace (JSON); one that is there, in the same queue and on the
        same scale, is not put there again; it becomes what `core.review.drawn_again` says. One of somebody who was
        erased is not kept. Gives all of them as they are then, in the same order: with their numbers, 0 for what is not
        kept."""
        ...

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
        """Items by number, of those that fit all that is given."""
        ...

    def item(self, number: int) -> Item | None:
        """An item by its number."""
        ...

    def item_trace(self, number: int) -> bytes | None:
        """The trace (JSON) of an item."""
        ...

    def items_of(self, subject: Subject) -> list[Item]:
        """Items of somebody, by number: the requests of some may be long gone by their age."""
        ...

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
        """The next item that needs this reviewer, theirs until a time: one that they already have, else the gravest
        (then the oldest) whose labels and live claims are together fewer than it needs. Not one that they labelled or
        skipped, nor `besides` some. None where there is none.

        Or the `item` that is named, whatever else is given, and also to be labelled anew or settled: None where others
        have it, or labelled it as often as it needs while it waits.

        A failure that is "new" turns "in_review" with the first of its items that somebody claims or labels."""
        ...

    def let_go_of(self, item: int, by: str) -> None:
        """End a claim without a label."""
        ...

    def label(self, label: Label, now: float) -> Item | None:
        """Keep a label, in the place of the same reviewer's earlier one, and give the item as it is then; None where
        there is no such item. It ends the reviewer's claim.

        The item is settled with one that `settles`, or when as many as it needs have labelled it and agree (all on the
        same side, see `core.review.is_right`); it is disputed when they do not. Skipped ones do not count."""
        ...

    def withdraw_label(self, item: int, by: str) -> Item | None:
        """Take a reviewer's label of an item back, and give the item as it is then."""
        ...

    def labels(self, items: Iterable[int]) -> list[Label]:
        """The labels of some items, by item, then in the order in which they were given."""
        ...

    def labels_by(self, by: str, *, since: float = 0.0, most: int = 1000) -> list[Label]:
        """What a reviewer said since some time, the last first."""
        ...

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
        """The items that need a reviewer, in the order in which `claim` would give them, from one on; and how many
        there are in all."""
        ...

    def claimed(self, by: str, now: float) -> list[tuple[Item, float]]:
        """The items that a reviewer has, and until when, by number."""
        ...

    # The outbox

    def propose(self, changes: Sequence[Change], now: float) -> list[tuple[Change, bool]]:
        """Put changes into the outbox, all or none, and give each as it is there, and whether it is new: one whose key
        is there already (and not withdrawn) is not put there again; one of a request that was erased is not kept, and
        has the number 0. An erasure finds the changes of a request whose age is over by its item."""
        ...

    def changes(
        self,
        states: Collection[ChangeState] = (),
        *,
        kind: ChangeKind | None = None,
        failure: int = 0,
        after: int = 0,
        most: int = 1000,
    ) -> list[Change]:
        """Changes by number, of those that fit all that is given."""
        ...

    def change(self, number: int) -> Change | None:
        """A change by its number."""
        ...

    def turn_change(self, number: int, state: ChangeState, now: float, *, where: str = "") -> Change | None:
        """Move a change on (pending, pulled, merged; never back, and only what is pending is withdrawn), and give it as
        it is then; None where there is none."""
        ...
