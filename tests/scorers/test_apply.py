import asyncio
import math
import sys
import threading
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy
import pytest

from gatewatch.core.case import Case
from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.core.threads import DaemonPool
from gatewatch.core.trace import Fault, Trace
from gatewatch.scorers.apply import apply, apply_inline, to_score, verdict_without_call
from gatewatch.scorers.base import Scorer, built_in, scorer

ANSWER = Trace(output="x")


class Scalar:
    """As numpy's numbers and tensors are: no Python number, but it can be made one."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value


def returning(result: Any) -> Scorer:
    return built_in("given", lambda output: result, version="1")


@pytest.mark.parametrize(
    ("result", "value"),
    [
        (True, 1.0),
        (False, 0.0),
        (1, 1.0),
        (0, 0.0),
        (0.25, 0.25),
        (-0.0, 0.0),
        (Fraction(1, 4), 0.25),
        (Decimal("0.25"), 0.25),
        (Scalar(0.25), 0.25),
        (Scalar(1.0), 1.0),
    ],
)
def test_a_number_is_a_score(result: Any, value: float) -> None:
    found = to_score(result, returning(result))
    assert (found.value, found.status) == (value, "scored")
    assert type(found.value) is float


def test_numpy_scalars_are_numbers() -> None:
    for result, value in ((numpy.float32(0.5), 0.5), (numpy.bool_(True), 1.0), (numpy.int64(0), 0.0)):
        assert to_score(result, returning(result)) == Score(value)
    assert to_score(numpy.float64("nan"), returning(None)).status == "scorer_error"


def test_none_is_nothing_to_say() -> None:
    assert to_score(None, returning(None)) == Score(status="skipped")
    assert to_score(Score(label="no claim"), returning(None)) == Score(label="no claim", status="skipped")
    assert to_score(Score(status="scorer_error"), returning(None)).status == "scorer_error"


def test_a_score_is_kept_with_all_that_it_says() -> None:
    given = Score(1, "right", "as it should be", cost=Cost(0.01), model="m")
    found = to_score(given, returning(given))
    assert found == Score(1.0, "right", "as it should be", cost=Cost(0.01), model="m")
    assert to_score(Score(True), returning(None)).value == 1.0


@pytest.mark.parametrize(
    "result", [float("nan"), float("inf"), -0.1, 1.1, 5, Scalar(float("nan")), Score(1.5), Score(float("nan")), 10**400]
)
def test_what_is_not_in_0_to_1_is_an_error_and_never_a_value(result: Any) -> None:
    found = apply_inline(returning(result), ANSWER)
    assert (found.value, found.status) == (None, "scorer_error")
    assert found.explanation


@pytest.mark.parametrize("result", ["yes", "1", [1], {"score": 1}, (True,), object(), 1j, b"1"])
def test_what_is_no_score_is_an_error_that_names_its_type(result: Any) -> None:
    found = apply_inline(returning(result), ANSWER)
    assert (found.value, found.status) == (None, "scorer_error")
    assert type(result).__name__ in found.explanation


@pytest.mark.parametrize(
    "error", [ValueError("bad"), SystemExit(3), StopIteration(), AssertionError(), RecursionError()]
)
def test_a_scorer_that_raises_or_exits_is_an_error_that_says_where(error: BaseException) -> None:
    @scorer
    def falls(output: str) -> bool:
        raise error

    @scorer
    async def falls_later(output: str) -> bool:
        raise error

    for found in (apply_inline(falls, ANSWER), asyncio.run(apply(falls, ANSWER))):
        assert (found.value, found.status) == (None, "scorer_error")
        assert found.explanation.startswith(f"{type(error).__name__}: {error}")
        assert f"{__file__}:" in found.explanation
    if not isinstance(error, StopIteration):  # in a coroutine Python makes it a RuntimeError
        assert asyncio.run(apply(falls_later, ANSWER)).explanation.startswith(type(error).__name__)
    assert asyncio.run(apply(falls_later, ANSWER)).status == "scorer_error"


def test_sys_exit_on_a_thread_is_an_error_too() -> None:
    @scorer
    def leaves(output: str) -> bool:
        sys.exit("enough")

    async def go() -> list[Score]:
        pool = DaemonPool(2)
        return [await apply(leaves, ANSWER, timeout=30, threads=pool) for _ in range(5)]

    assert {(each.status, each.explanation.partition(" (")[0]) for each in asyncio.run(go())} == {
        ("scorer_error", "SystemExit: enough")
    }


def test_an_interruption_is_not_an_error_of_the_scorer() -> None:
    @scorer
    def interrupted(output: str) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply_inline(interrupted, ANSWER)


def test_a_long_explanation_is_cut() -> None:
    @scorer
    def falls(output: str) -> bool:
        raise ValueError("x" * 10_000)

    assert len(apply_inline(falls, ANSWER).explanation) == 2000


def test_an_application_that_failed_scores_0_without_being_asked() -> None:
    def never(output: Any) -> bool:
        raise AssertionError("not to be called")

    asked = built_in("never", never, version="1")
    error = Trace(error=Fault("boom"))
    late = Trace(error=Fault("no answer within 2 s", "timeout"))
    for found in (apply_inline(asked, error), asyncio.run(apply(asked, error))):
        assert (found.value, found.status) == (0.0, "task_error")
    assert (apply_inline(asked, late).value, apply_inline(asked, late).status) == (0.0, "timeout")


def test_a_case_without_what_a_scorer_needs_is_skipped_also_when_the_application_failed() -> None:
    @scorer
    def same(output: str, expected: str) -> bool:
        return output == expected

    for trace in (ANSWER, Trace(error=Fault("boom"))):
        for case in (None, Case(input="?")):
            assert apply_inline(same, trace, case) == Score(status="skipped", explanation="no expected")
    case = Case(input="?", expected="x")
    assert apply_inline(same, ANSWER, case).value == 1.0
    assert apply_inline(same, Trace(error=Fault("boom")), case).status == "task_error"


def test_verdict_without_call_gives_the_arguments() -> None:
    @scorer
    def fits(output: str, input: Any) -> bool:  # noqa: A002
        return True

    assert verdict_without_call(fits, Trace(output=5, input="?"), None) == (None, {"output": "5", "input": "?"})


def test_a_scorer_may_be_asynchronous() -> None:
    @scorer
    async def slow(output: str) -> float:
        await asyncio.sleep(0)
        return 0.5

    assert asyncio.run(apply(slow, ANSWER)).value == 0.5
    assert asyncio.run(apply(slow, ANSWER, timeout=30)).value == 0.5


def test_a_time_out_is_an_error_of_the_scorer() -> None:
    release = threading.Event()

    @scorer
    async def never(output: str) -> bool:
        await asyncio.Event().wait()
        return True

    @scorer
    def hangs(output: str) -> bool:
        release.wait(30)
        return True

    async def go() -> list[Score]:
        pool = DaemonPool(2)
        found = [await apply(each, ANSWER, timeout=0.01, threads=pool) for each in (never, hangs)]
        assert pool.abandoned == 1
        release.set()
        return found

    for found in asyncio.run(go()):
        assert found == Score(status="scorer_error", explanation="no answer within 0.01 s")


def test_ours_run_on_the_calling_thread_and_the_users_on_another() -> None:
    def thread(output: Any) -> Score:
        return Score(1.0, threading.current_thread().name)

    async def go() -> tuple[Score, Score, Score]:
        pool = DaemonPool(1)
        return (
            await apply(built_in("ours", thread, version="1"), ANSWER, threads=pool),
            await apply(scorer(thread), ANSWER, threads=pool),
            await apply(scorer(thread), ANSWER),
        )

    ours, users, without_threads = asyncio.run(go())
    here = threading.current_thread().name
    assert (ours.label, without_threads.label) == (here, here)
    assert users.label == "gatewatch-worker"


def test_cancelling_the_run_is_not_an_error_of_the_scorer() -> None:
    @scorer
    async def never(output: str) -> bool:
        await asyncio.Event().wait()
        return True

    async def go() -> None:
        task = asyncio.create_task(apply(never, ANSWER, timeout=30))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())


def test_a_time_out_of_the_scorers_own_is_its_error() -> None:
    @scorer
    async def asks(output: str) -> bool:
        raise TimeoutError("the service did not answer")

    assert "the service did not answer" in asyncio.run(apply(asks, ANSWER)).explanation


def test_a_time_out_of_the_scorers_own_is_not_told_as_ours() -> None:
    @scorer
    async def asks(output: str) -> bool:
        raise TimeoutError("the service did not answer")

    assert "the service did not answer" in asyncio.run(apply(asks, ANSWER, timeout=30)).explanation


def test_a_failed_application_scores_0_although_it_left_no_context() -> None:
    @scorer
    def grounded(output: str, context: Any) -> bool:
        return True

    assert apply_inline(grounded, Trace(error=Fault("boom")), Case(input="?")).status == "task_error"


@pytest.mark.parametrize("threads", [False, True])
def test_a_scorer_that_raises_cancelled_is_an_error(threads: bool) -> None:
    @scorer
    def falls(output: str) -> bool:
        raise asyncio.CancelledError

    async def go() -> Score:
        return await apply(falls, ANSWER, threads=DaemonPool(1) if threads else None)

    assert asyncio.run(go()).status == "scorer_error"


def test_an_error_that_cannot_be_written_is_an_error() -> None:
    class UnspeakableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    @scorer
    def falls(output: str) -> bool:
        raise UnspeakableError

    assert apply_inline(falls, ANSWER).status == "scorer_error"


@pytest.mark.parametrize("status", ["skipped", "scorer_error"])
def test_a_score_that_is_unknown_has_no_value(status: Any) -> None:
    assert not to_score(Score(0.5, status=status), returning(None)).counts


@pytest.mark.parametrize(
    "given",
    [Score(status="timeout"), Score(1.0, status="task_error"), Score(0.0, label=None), Score(0.0, cost=Cost(math.nan))],  # type: ignore[arg-type]
)
def test_a_score_that_a_scorer_may_not_give_is_its_error(given: Score) -> None:
    found = to_score(given, returning(None))
    assert (found.status, found.value) == ("scorer_error", None)
