"""Traffic for tests of mining: requests that ask something, and what was said of them."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from gatewatch.checks.traffic import DAY, FLOW, NOW, request, take
from gatewatch.core import codec, marks
from gatewatch.core.case import Case
from gatewatch.core.rates import Epoch, Rule, u_of
from gatewatch.core.score import Score, Source
from gatewatch.core.trace import Fault, Trace
from gatewatch.loop.golden import Golden
from gatewatch.loop.mine import Mining, mine
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrival, Plan, Settled

REFUND = "how do i get a refund for the {} that came damaged"
INVOICE = "please send the invoice for order {} with our vat number"
PASSWORD = "the password of my account does not work since {}, reset it"
THINGS = {
    REFUND: (
        "blender bought last week, it leaks", "big kettle", "lamp and its shade", "garden chairs", "sale table",
        "sofa, which was a present", "carpet", "mirror of my mother", "alarm clock", "radio that you sent again",
    ),
    INVOICE: (
        "41 of our office in Graz", "7731", "A-12 from last spring", "nine hundred", "number 6, paid by card",
        "5512, which my boss wants", "77 in English", "B-3", "31 and for 32", "1000, with the new address",
    ),
    PASSWORD: (
        "yesterday", "I changed phones", "this morning at six", "the update", "Monday, and my wife's neither",
        "you wrote to me", "a week", "I typed it wrong thrice", "June", "the new app came",
    ),
}  # fmt: skip
"""What requests about one thing say in other words."""


def asked(number: int, text: str, **given: Any) -> Arrival:
    """A request, numbered, that asks something; further fields of its trace."""
    traits: Mapping[str, str] = given.pop("traits", {})
    at, found = given.pop("at", NOW), given.pop("marks", ())
    trace = Trace(id=f"{number:032x}", flow=FLOW, input=text, **{"output": "it is so", **given})
    arrival = request(
        trace.id,
        at=at,
        u=u_of(trace.session, trace.id),
        marks=marks.bits(found) | (marks.bits(["error"]) if trace.error else 0),
        payload=codec.encode(trace),
        **{key: getattr(trace, key) for key in ("session", "slice", "versions", "error", "user")},
    )
    return replace(arrival, traits=traits)


def failed(number: int, message: str, text: str = "what now", **given: Any) -> Arrival:
    """A request that gave no answer."""
    return asked(number, text, output=None, error=Fault(message), **given)


def about(template: str, first: int, number: int, **given: Any) -> list[Arrival]:
    """Requests about one thing, each in other words."""
    things = THINGS.get(template, ("",))
    return [asked(first + each, template.format(things[each % len(things)]), **given) for each in range(number)]


def judge(
    store: Store,
    values: Mapping[int, float | None],
    *,
    name: str = "helpful",
    rate: float = 1.0,
    source: Source = "judge",
    split: bool = False,
    fingerprint: str = "f" * 12,
) -> None:
    """Give requests, by their numbers, a score: those that chance chooses at a rate; others a good one."""
    work = store.work(FLOW, name, fingerprint, source)
    new = store.unplanned(work, 100_000)
    epoch = Epoch(work.planned + 1, new.through, (Rule(rate),))
    tasks = tuple((row.seq, NOW, rate) for row in new.new if row.u < rate)
    store.plan(work.id, Plan(tasks, (), epoch, new.through, new.changes))
    leased = store.lease([work.id], "w", 100_000, NOW, NOW + 60)
    found = []
    for each in leased:
        value = values.get(int(each.row.id, 16), 1.0)
        status = "scored" if value is not None else "scorer_error"
        score = Score(value, "", "", status, name, source, fingerprint, split=split)  # type: ignore[arg-type]
        found.append(Settled(each.task, each.attempt, score))
    store.settle(found, NOW)


def cases(*texts: str) -> Golden:
    """A golden dataset of some cases: c0, c1 ..."""
    return Golden(Case(id=f"c{number}", input=text) for number, text in enumerate(texts))


def mined(store: Store, golden: Golden | None = None, *, now: float = NOW, days: float = 7.0, **given: Any) -> Mining:
    """Mine what happened until some time."""
    options = {"pass_at": {}, **given}
    return mine(store, FLOW, since=now - days * DAY, until=now + 1, golden=golden or cases(), **options)


def arrive(store: Store, *some: Iterable[Arrival], now: float = NOW) -> None:
    """Have a store take in requests."""
    take(store, *(each for part in some for each in part), now=now)


def names(found: Mining) -> dict[str, int]:
    """The failures that have requests: how many, by sign and name."""
    return {f"{each.sign} {each.name}": each.n for each in found.failures if each.n}
