import asyncio
import threading
from typing import Any

import pytest
from msgspec.structs import replace

from gatewatch.core.case import Case
from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.core.threads import DaemonPool
from gatewatch.core.trace import Fault, Trace, Usage
from gatewatch.scorers.apply import apply, apply_inline
from gatewatch.scorers.base import Scorer, scorer
from gatewatch.scorers.composite import all_of, weighted
from gatewatch.scorers.safety import pii
from gatewatch.scorers.session import retries
from gatewatch.scorers.structure import valid_json
from gatewatch.scorers.text import exact, similarity


def gives(name: str, result: Any) -> Scorer:
    def score(output: str) -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    return scorer(name=name, version="1")(score)


def scored(made: Scorer, trace: Trace | None = None, case: Case | None = None) -> Score:
    return asyncio.run(apply(made, trace or Trace(output="x"), case))


def test_a_weighted_mean_with_its_parts() -> None:
    score = scored(weighted([(gives("a", 1.0), 3), (gives("b", Score(0.5, "half", "so so")), 1)]))
    assert score.value == pytest.approx(0.875)
    assert score.explanation == "a 1.00, b 0.50"
    assert score.parts == {"a": Score(1.0), "b": Score(0.5, "half", "so so")}


def test_all_must_pass() -> None:
    assert scored(all_of([gives("a", True), gives("b", 1.0)])).value == 1.0
    score = scored(all_of([gives("a", True), gives("b", 0.9), gives("c", False)]))
    assert (score.value, score.label) == (0.0, "failed: b, c")
    assert scored(all_of([gives("a", True), gives("b", 0.9)], pass_at=0.8)).value == 1.0


def test_a_part_that_cannot_be_told() -> None:
    lost = gives("b", RuntimeError("boom"))
    score = scored(weighted([(gives("a", 1.0), 1), (lost, 1)]))
    assert (score.value, score.status) == (None, "scorer_error")
    assert score.explanation.startswith("b: RuntimeError: boom")
    assert set(score.parts) == {"a", "b"}
    assert scored(all_of([gives("a", True), lost])).status == "scorer_error"
    assert scored(all_of([gives("a", False), lost])).value == 0.0  # it fails, whatever the other is


def test_a_part_that_has_nothing_to_say() -> None:
    silent = gives("b", None)
    assert scored(weighted([(gives("a", 1.0), 1), (silent, 1)])).status == "skipped"
    assert scored(all_of([gives("a", True), silent])).value == 1.0
    assert scored(all_of([silent])).status == "skipped"


def test_what_parts_cost_adds_up() -> None:
    paid = Score(1.0, cost=Cost(0.01), usage=Usage(10, 2), model="m-1", source="judge")
    score = scored(all_of([gives("a", paid), gives("b", paid), gives("c", True)]))
    assert (score.cost, score.usage, score.model) == (Cost(0.02), Usage(20, 4), "a=m-1, b=m-1")


def test_ours_are_scored_inline() -> None:
    made = all_of([valid_json(), pii()])
    assert (made.inline, made.is_async, made.binary, made.reference_based) == (True, False, True, False)
    assert apply_inline(made, Trace(output='{"a": 1}')).value == 1.0
    assert apply_inline(made, Trace(output='{"a": "mia@example.com"}')).label == "failed: pii"
    assert apply_inline(made, Trace(error=Fault("boom"))).status == "task_error"


def test_parts_that_need_a_reference() -> None:
    made = weighted([(exact(), 1), (similarity(), 1)])
    assert made.reference_based
    assert apply_inline(made, Trace(output="x"), Case(input="?")).status == "skipped"
    assert apply_inline(made, Trace(output="x"), Case(input="?", expected="x")).value == 1.0


def test_identity() -> None:
    one = weighted([(exact(), 1), (similarity(), 1)])
    assert one.fingerprint == weighted([(exact(), 1.0), (similarity(), 1.0)]).fingerprint
    assert one.fingerprint != weighted([(exact(), 2), (similarity(), 1)]).fingerprint
    assert one.fingerprint != weighted([(exact(ignore_case=True), 1), (similarity(), 1)]).fingerprint


def test_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="one part or more"):
        all_of([])
    with pytest.raises(ValueError, match="two parts have one name: exact, exact"):
        all_of([exact(), exact()])
    with pytest.raises(ValueError, match="the weight of exact must be above 0 and finite, got 0"):
        weighted([(exact(), 0)])
    with pytest.raises(ValueError, match=r"pass_at must be in 0\.\.1, got 2"):
        all_of([exact()], pass_at=2)


@scorer(version="1")
def like(output: str, other: Trace) -> bool:
    return bool(output == other.output)


@scorer(version="1")
async def second(session: tuple[Trace, ...]) -> bool:
    return len(session) == 2


@pytest.mark.parametrize("others", [[], [valid_json()], [gives("b", True)]])
def test_parts_are_given_what_lies_beside_the_trace(others: list[Scorer]) -> None:
    trace, case = Trace(output="1"), Case(input="?", expected="2")
    for beside, value in (({"other": Trace(output="1")}, 1.0), ({"other": Trace(output="3")}, 0.0), ({}, 0.0)):
        made = all_of([all_of([replace(like, inline=True), *others])])
        assert asyncio.run(apply(made, trace, case, beside=beside)).value == value
    session = {"session": (Trace(output="0"), trace)}
    assert asyncio.run(apply(all_of([second]), trace, beside=session)).value == 1.0
    assert asyncio.run(apply(all_of([second]), trace)).value == 0.0
    assert apply_inline(weighted([(retries(), 1)]), trace, beside=session).status == "scored"
    assert second.needs == ("session",)
    assert all_of([second]).needs == ("trace", "case", "session")


def test_a_case_that_is_skipped_is_skipped_when_its_task_failed_too() -> None:
    failed, bare, stated = Trace(error=Fault("boom")), Case(input="?"), Case(input="?", expected="x")
    mean, both = weighted([(exact(), 1), (pii(), 1)]), all_of([exact(), similarity()])
    for made in (mean, both, weighted([(both, 1), (gives("a", 1), 1)])):
        for trace in (Trace(output="x"), failed):
            assert scored(made, trace, bare).status == scored(made, trace).status == "skipped"
        assert scored(made, failed, stated).status == "task_error"
    either = all_of([exact(), pii()])
    assert scored(either, Trace(output="x"), bare).value == 1.0
    assert scored(either, failed, bare).status == "task_error"
    assert scored(mean, Trace(output="x"), bare).explanation == "nothing to say: exact"


def test_nothing_is_asked_where_a_mean_will_have_nothing_to_say() -> None:
    asked: list[str] = []

    @scorer
    async def dear(output: str) -> bool:
        asked.append(output)
        return True

    made = weighted([(dear, 1), (exact(), 1)])
    assert scored(made, case=Case(input="?")).status == "skipped"
    assert scored(made, case=Case(input="?", expected="x")).value == 1.0
    assert asked == ["x"]


def test_what_is_made_of_references_alone_needs_one() -> None:
    assert all_of([exact(), similarity()]).reference_based
    assert not all_of([exact(), pii()]).reference_based
    assert weighted([(exact(), 1), (pii(), 1)]).reference_based
    pair = {"other": Trace(output="x")}
    assert asyncio.run(apply(weighted([(like, 1)]), Trace(output="x"), beside=pair)).value == 1.0
    assert asyncio.run(apply(weighted([(like, 1)]), Trace(output="x"))).status == "skipped"


class Slow:
    """A scorer of the user's that is at work until it is `released`, or for so long that the test has failed."""

    def __init__(self) -> None:
        self.begun, self.released = threading.Event(), threading.Event()

    @property
    def scorer(self) -> Scorer:
        @scorer(name="slow", version="1")
        def slow(output: str) -> bool:
            self.begun.set()
            return self.released.wait(5)

        return slow


@pytest.mark.parametrize("others", [[], [valid_json()], [gives("a", True)]])
def test_a_part_of_the_users_that_takes_its_time_holds_nobody_up(others: list[Scorer]) -> None:
    slow, threads = Slow(), DaemonPool(3)

    async def both() -> Score:
        call = asyncio.ensure_future(apply(all_of([slow.scorer, *others]), Trace(output="1"), threads=threads))
        await asyncio.to_thread(slow.begun.wait, 5)
        slow.released.set()
        return await call

    assert asyncio.run(both()).value == 1.0


def test_a_part_that_does_not_come_back_is_given_up_and_the_others_are_not() -> None:
    slow, threads = Slow(), DaemonPool(2)
    made = all_of([slow.scorer, gives("a", True)])
    score = asyncio.run(apply(made, Trace(output="x"), timeout=0.05, threads=threads))
    slow.released.set()
    assert (score.status, score.explanation) == ("scorer_error", "slow: no answer within 0.05 s")
    assert score.parts["a"].value == 1.0
    assert threads.abandoned == 1


def test_a_part_that_asks_a_model_is_waited_for_while_another_is_given_up() -> None:
    slow, given_up = Slow(), asyncio.Event()

    class Telling(DaemonPool):
        async def call(self, *args: Any, **options: Any) -> Any:
            try:
                return await super().call(*args, **options)
            finally:
                given_up.set()

    @scorer(name="asks", version="1")
    async def asks(output: str) -> bool:
        return await given_up.wait()

    made = all_of([weighted([(slow.scorer, 1), (replace(asks, models=("judge",)), 1)])])
    score = asyncio.run(apply(made, Trace(output="x"), timeout=0.05, threads=Telling(2), patient=True))
    slow.released.set()
    parts = score.parts["weighted"].parts
    assert (parts["slow"].status, parts["asks"].value) == ("scorer_error", 1.0)
