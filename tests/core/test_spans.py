import asyncio
import contextvars
from collections.abc import Iterator
from contextlib import suppress
from threading import Lock, Thread
from typing import Any

import pytest

from gatewatch.core import spans
from gatewatch.core.money import Cost
from gatewatch.core.spans import Recorder, note, recorder, span
from gatewatch.core.trace import Usage


@pytest.fixture
def current() -> Iterator[Recorder]:
    """The recorder of the request being answered."""
    made = Recorder()
    token = recorder.set(made)
    yield made
    recorder.reset(token)


def test_without_a_recorder_nothing_is_recorded_and_nothing_fails() -> None:
    assert recorder.get() is None
    with span("search", kind="retrieval", input=object()) as step:
        step.output = object()
    note(context=object(), cost=1.0, usage=Usage(1), versions={"prompt": "1"})


def test_a_span_is_recorded_from_entry_to_exit(current: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([current.started + 1.5, current.started + 4.0])
    monkeypatch.setattr(spans, "monotonic", lambda: next(times))
    with span("ask", kind="llm", input={"q": "?"}, temperature=0) as step:
        step.output, step.model, step.cost = "x", "m", 0.25
        step.usage = Usage(1, 2)
        step.attributes["seed"] = 7
    (found,) = current.spans
    assert (found.name, found.kind, found.parent, found.error) == ("ask", "llm", None, None)
    assert (found.input, found.output, found.model, found.cost, found.usage) == (
        {"q": "?"},
        "x",
        "m",
        0.25,
        Usage(1, 2),
    )
    assert found.attributes == {"temperature": 0, "seed": 7}
    assert found.started_s == pytest.approx(1.5)
    assert found.latency_s == pytest.approx(2.5)


def test_parents_stand_before_their_children(current: Recorder) -> None:
    with span("a"):
        with span("b"), span("c"):
            pass
        with span("d"):
            pass
    with span("e"):
        pass
    assert [(each.name, each.parent) for each in current.spans] == [
        ("a", None),
        ("b", 0),
        ("c", 1),
        ("d", 0),
        ("e", None),
    ]


def test_an_error_is_recorded_and_goes_on(current: Recorder) -> None:
    with pytest.raises(KeyError), span("outer"), span("inner"):
        raise KeyError("k")
    assert [each.error.message if each.error else None for each in current.spans] == ["KeyError: 'k'"] * 2
    with suppress(SystemExit), span("leaves"):
        raise SystemExit(2)
    assert current.spans[-1].error is not None


def test_parents_hold_across_tasks_that_run_at_once(current: Recorder) -> None:
    async def search(name: str, turn: asyncio.Event, other: asyncio.Event) -> None:
        with span(name):
            other.set()
            await turn.wait()
            with span(f"{name} inner"):
                pass

    async def go() -> None:
        one, other = asyncio.Event(), asyncio.Event()
        with span("root"):
            await asyncio.gather(search("a", one, other), search("b", other, one))

    asyncio.run(go())
    names = [each.name for each in current.spans]
    parents = {each.name: None if each.parent is None else names[each.parent] for each in current.spans}
    assert parents == {"root": None, "a": "root", "b": "root", "a inner": "a", "b inner": "b"}


def test_what_has_no_json_is_kept_as_its_repr(current: Recorder) -> None:
    with span("s", input={"a": object, "b": [1, (2,)], "c": {"d": Lock, "n": float("nan")}}) as step:
        step.output = Lock
    (found,) = current.spans
    assert found.input == {"a": repr(object), "b": [1, [2]], "c": {"d": repr(Lock), "n": "nan"}}
    assert found.output == repr(Lock)
    cycle: list[Any] = []
    cycle.append(cycle)
    with span("s", input=cycle):
        pass
    assert current.spans[-1].input == ["[[...]]"]


def test_a_recording_is_a_copy(current: Recorder) -> None:
    messages = ["one"]
    with span("s", input=messages):
        pass
    messages.append("two")
    assert current.spans[0].input == ["one"]


def test_notes_are_added_up(current: Recorder) -> None:
    note(context=["p", {"id": "d1"}], usage=Usage(1, 2), cost=0.25, versions={"prompt": "v3"})
    note(usage=Usage(1), cost=0.5, versions={"prompt": "v4", "index": 2})  # type: ignore[dict-item]
    note()
    assert current.context == ["p", {"id": "d1"}]
    assert current.usage == Usage(2, 2)
    assert current.cost == Cost(0.75)
    assert current.versions == {"prompt": "v4", "index": "2"}


def test_spans_of_two_threads_do_not_take_each_others_place(current: Recorder) -> None:
    class Interrupted(list[Any]):
        """A list at whose length another thread gets its turn."""

        def __len__(self) -> int:
            length = super().__len__()
            if length == 1 and not started:
                started.append(True)
                thread = Thread(target=contextvars.copy_context().run, args=(other,))
                thread.start()
                thread.join()
            return length

    def other() -> None:
        with span("other"):
            pass

    started: list[bool] = []
    current.spans = Interrupted()
    with span("one"):
        pass
    assert sorted(each.name for each in current.spans) == ["one", "other"]


def test_a_span_may_be_left_in_another_context(current: Recorder) -> None:
    def stream() -> Iterator[int]:
        with span("stream"):
            yield 1

    started = stream()
    contextvars.copy_context().run(next, started)
    started.close()  # type: ignore[attr-defined]
    assert current.spans[0].latency_s is not None


def test_a_value_whose_repr_raises_does_not_fail_the_application(current: Recorder) -> None:
    class Unspeakable:
        def __repr__(self) -> str:
            raise RuntimeError("no words")

    with span("s", input=Unspeakable()):
        pass


def test_a_request_inside_another_has_its_own_parents(current: Recorder) -> None:
    inner = Recorder()
    with span("first"), span("outer"):
        token = recorder.set(inner)
        with span("inner"):
            pass
        recorder.reset(token)
    assert inner.spans[0].parent is None
