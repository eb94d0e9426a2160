"""Hooks around each case: what they do is told, and never costs another case, or an answer that was given."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.case import Case
from gatewatch.offline.result import RunResult
from gatewatch.scorers.base import scorer
from offline.making import run, text_cases

SHORT = 0.1


def echo(question: str) -> str:
    return question


class Panic(BaseException):
    """Some libraries' errors are no Exception."""


@pytest.fixture(autouse=True)
def hardly_any_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewatch.offline.run._GRACE_S", SHORT)


def outcome(result: RunResult) -> dict[str, Any]:
    return {row.case: row.trace.error or row.trace.output for row in result.rows() if row.trace is not None}


def notes_of(result: RunResult) -> dict[str, tuple[str, ...]]:
    return {row.case: row.notes for row in result.rows()}


@pytest.mark.parametrize("kind", ["sync", "async", "object"])
def test_are_called_around_each_case(tmp_path: Path, kind: str) -> None:
    events: list[str] = []

    def hook(what: str) -> Any:
        def call(case: Case) -> None:
            events.append(f"{what} {case.id}")

        async def call_later(case: Case) -> None:
            await asyncio.sleep(0)
            call(case)

        class Hook:
            async def __call__(self, case: Case) -> None:
                await call_later(case)

        return {"sync": call, "async": call_later, "object": Hook()}[kind]

    async def answer(case: Case) -> str:
        events.append(f"answer {case.id}")
        return "x"

    result = run(tmp_path, answer, text_cases(2), concurrency=1, setup=hook("up"), teardown=hook("down"))
    order = [row.case for row in result.rows()]
    assert events == [f"{what} {case}" for case in order for what in ("up", "answer", "down")]


@pytest.mark.parametrize("error", [ValueError("no database"), SystemExit(2), Panic("x")])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_set_up_that_fails_fails_its_case(tmp_path: Path, error: BaseException, kind: str) -> None:
    undone: list[str] = []

    def fail(case: Case) -> None:
        if case.id == "c1":
            raise error

    async def fail_later(case: Case) -> None:
        fail(case)

    result = run(
        tmp_path,
        echo,
        text_cases(3),
        setup=fail if kind == "sync" else fail_later,
        teardown=lambda case: undone.append(case.id),
    )
    found = outcome(result)
    assert (found["c0"], found["c2"]) == ("q0", "q2")
    assert found["c1"].message == f"{type(error).__name__}: {error}"
    assert sorted(undone) == ["c0", "c1", "c2"]


@pytest.mark.parametrize("error", [ValueError("no database"), SystemExit(2), Panic("x"), asyncio.CancelledError("x")])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_tear_down_that_fails_is_a_note(tmp_path: Path, error: BaseException, kind: str) -> None:
    def fail(case: Case) -> None:
        if case.id == "c1":
            raise error

    async def fail_later(case: Case) -> None:
        await asyncio.sleep(0)
        fail(case)

    result = run(tmp_path, echo, text_cases(3), concurrency=1, teardown=fail if kind == "sync" else fail_later)
    assert outcome(result) == {"c0": "q0", "c1": "q1", "c2": "q2"}
    notes = notes_of(result)
    assert (notes["c0"], notes["c2"]) == ((), ())
    (said,) = notes["c1"]
    assert said in {
        f"tear-down failed: {type(error).__name__}: {error}",
        f"tear-down failed: RuntimeError: {type(error).__name__}: {error}",
        "tear-down failed: it was cancelled, or did not come back in time",
    }
    assert list(result.summary.notes.values()) == [1]


@pytest.mark.parametrize("task", ["sync", "async"])
@pytest.mark.parametrize("kind", ["sync", "async", "stubborn"])
@pytest.mark.parametrize("when", ["setup", "teardown"])
def test_one_that_hangs(tmp_path: Path, when: str, kind: str, task: str) -> None:
    never = threading.Event()

    def hang(case: Case) -> None:
        if case.id == "c1":
            never.wait()

    async def hang_later(case: Case) -> None:
        while case.id == "c1" and not never.is_set():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if kind != "stubborn":
                    raise

    async def echo_later(question: str) -> str:
        return question

    # A scorer of the user's shares the threads of sync hooks.
    theirs = scorer(name="theirs", version="1")(lambda output: 1.0)
    try:
        hooks: dict[str, Any] = {when: hang if kind == "sync" else hang_later}
        answer = echo if task == "sync" else echo_later
        result = run(tmp_path, answer, text_cases(4), [theirs], concurrency=1, timeout=2 * SHORT, **hooks)
        found = outcome(result)
        assert [found[name] for name in ("c0", "c2", "c3")] == ["q0", "q2", "q3"]
        if when == "setup":
            assert found["c1"].kind == "timeout"
        else:
            assert found["c1"] == "q1"
            assert notes_of(result)["c1"][0].startswith("tear-down failed: ")
        assert result.summary.state == "complete"
    finally:
        never.set()
