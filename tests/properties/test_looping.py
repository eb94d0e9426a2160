"""What is whose to label, and what labels come to, against a model in plain dictionaries, after any steps."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import Struct
from msgspec.structs import replace

from gatewatch.checks.looping import item, label, put
from gatewatch.checks.traffic import NOW
from gatewatch.core.review import Item, Label
from gatewatch.store.labels import state_of
from store.making import Backend, on_postgres, on_sqlite

ITEMS = 4
numbers = st.integers(1, ITEMS)
people = st.sampled_from(["ana", "bob", "eve"])


class Said(Struct):
    until: float = 0.0
    label: Label | None = None


class LoopMachine(RuleBasedStateMachine):
    make: Backend

    @initialize(needed=st.lists(st.integers(1, 2), min_size=ITEMS, max_size=ITEMS))
    def begin(self, needed: list[int]) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = type(self).make(Path(self.folder.name))
        self.now = NOW
        self.order: list[Item] = put(
            self.store, *(item(f"{n}", needed=each, severity=n % 2) for n, each in enumerate(needed))
        )
        self.order.sort(key=lambda each: (-each.severity, each.id))
        self.said: dict[int, dict[str, Said]] = {each.id: {} for each in self.order}

    def state(self, one: Item) -> str:
        return state_of(one.needed, [each.label for each in self.said[one.id].values() if each.label])

    def taken(self, one: Item, by: str) -> int:
        """How many others have labelled an item, or have it now."""
        return sum(
            each.until > self.now or (each.label is not None and not each.label.skipped)
            for name, each in self.said[one.id].items()
            if name != by
        )

    @rule(by=people, besides=st.sets(numbers, max_size=1))
    def claim(self, by: str, besides: set[int]) -> None:
        open_ = [each for each in self.order if self.state(each) == "waiting" and each.id not in besides]
        mine = [each for each in open_ if by in self.said[each.id]]
        had = [each for each in mine if self.said[each.id][by].until > self.now and not self.said[each.id][by].label]
        spoke = [each for each in mine if self.said[each.id][by].label]
        free = [each for each in open_ if each not in spoke and self.taken(each, by) < each.needed]
        found = self.store.claim(by, self.now, self.now + 60, besides=besides)
        assert [found.item.id] if found else [each.id for each in (had or free)[:1]] == []
        if found:
            self.said[found.item.id].setdefault(by, Said()).until = self.now + 60

    @rule(by=people, number=numbers)
    def claim_named(self, by: str, number: int) -> None:
        one = next(each for each in self.order if each.id == number)
        others = [each.until > self.now for name, each in self.said[number].items() if name != by]
        free = self.taken(one, by) < one.needed if self.state(one) == "waiting" else not any(others)
        assert bool(self.store.claim(by, self.now, self.now + 60, item=number)) == free
        if free:
            self.said[number].setdefault(by, Said()).until = self.now + 60

    @rule(by=people, number=numbers, value=st.sampled_from([None, 0.0, 1.0]), settles=st.booleans())
    def say(self, by: str, number: int, value: float | None, settles: bool) -> None:
        given = label(number, by, value, skipped=value is None, settles=settles)
        assert self.store.label(given, self.now) is not None
        self.said[number].pop(by, None)  # those that are given come last
        self.said[number][by] = Said(label=replace(given, at=self.now))

    @rule(by=people, number=numbers)
    def withdraw(self, by: str, number: int) -> None:
        self.store.withdraw_label(number, by)
        if self.said[number].get(by, Said()).label:
            del self.said[number][by]

    @rule(by=people, number=numbers)
    def let_go_of(self, by: str, number: int) -> None:
        self.store.let_go_of(number, by)
        if found := self.said[number].get(by):
            found.until = 0.0

    @rule(seconds=st.sampled_from([1, 61]))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def items_are_as_their_labels_say(self) -> None:
        if hasattr(self, "said"):
            assert {each.id: each.state for each in self.store.items()} == {
                each.id: self.state(each) for each in self.order
            }
            for number, said in self.said.items():
                assert {each.by: each for each in self.store.labels([number])} == {
                    by: each.label for by, each in said.items() if each.label
                }

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()


class OnSQLite(LoopMachine):
    make = staticmethod(on_sqlite)


class OnPostgres(LoopMachine):
    make = staticmethod(on_postgres)


TestOnSQLite = OnSQLite.TestCase
TestOnSQLite.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestOnPostgres = OnPostgres.TestCase
TestOnPostgres.settings = settings(max_examples=10, stateful_step_count=25, deadline=None)
