import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewatch.checks.provider import FakeProvider, Reply
from gatewatch.core.case import Case
from gatewatch.core.money import Cost
from gatewatch.core.run import trace_id
from gatewatch.core.spans import Recorder, recorder
from gatewatch.core.trace import Fault, Trace, Usage
from gatewatch.offline.task import TaskFailed
from gatewatch.offline.tasks.http import HttpTask
from offline.making import ended, run, text_cases

CASE = Case(id="c1", input="q1", context=("p1", "p2"))


class Service:
    """A service on the loopback interface, and what it answers next."""

    def __init__(self) -> None:
        self.next: dict[str, Any] | Reply | Callable[[dict[str, Any]], dict[str, Any] | Reply] = {"output": "ok"}
        self.server = FakeProvider(self._answer)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any] | Reply:
        return self.next(request) if callable(self.next) else self.next

    @property
    def url(self) -> str:
        return f"{self.server.url}/answer"


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    with found.server:
        yield found


def answered(task: HttpTask, case: Case = CASE, trial: int = 0) -> Trace:
    async def ask() -> Trace:
        recorder.set(Recorder("ab" * 16))
        try:
            return await task.answer(case, trial)
        finally:
            await task.close()

    with ended():
        return asyncio.run(ask())


def failure(task: HttpTask) -> str:
    with pytest.raises(TaskFailed) as caught:
        answered(task)
    return str(caught.value)


class TestAsking:
    def test_without_a_body_the_case_is_sent(self, service: Service) -> None:
        assert answered(HttpTask(service.url), trial=3).output == "ok"
        assert service.server.requests == [{"id": "c1", "input": "q1", "context": ["p1", "p2"], "trial": 3}]

    def test_a_body_is_a_template(self, service: Service) -> None:
        body = {
            "question": "{question}",
            "n": "{n}",
            "meta": [{"case": "{id}/{trial}"}],
            "fixed": True,
            "all": "{input}",
        }
        task = HttpTask(service.url, body=body)
        case = Case(id="c1", input={"question": 'a "b"', "n": 3})
        answered(task, case)
        assert service.server.requests == [
            {
                "question": 'a "b"',
                "n": 3,
                "meta": [{"case": "c1/0"}],
                "fixed": True,
                "all": {"question": 'a "b"', "n": 3},
            }
        ]

    def test_a_name_that_the_case_does_not_have_is_a_flaw(self) -> None:
        task = HttpTask("http://127.0.0.1:1", body={"q": "{question}"})
        assert task.flaw(Case(input={"question": "x"}), 1) == ""
        assert task.flaw(Case(input="x"), 1) == (
            "the template names {question}, which the case does not have (known: context, id, input, trial)"
        )
        assert HttpTask("http://127.0.0.1:1").flaw(Case(input="x"), 1) == ""

    def test_headers(self, service: Service) -> None:
        answered(HttpTask(service.url, headers={"Authorization": "Bearer k", "X-Mode": "test"}))
        (headers,) = service.server.headers
        assert (headers["authorization"], headers["x-mode"]) == ("Bearer k", "test")
        assert headers["content-type"] == "application/json"
        assert headers["traceparent"] == f"00-{'ab' * 16}-{'ab' * 8}-01"

    def test_the_users_headers_win_whatever_their_case(self) -> None:
        task = HttpTask("http://x", headers={"Content-Type": "application/vnd.x+json", "Traceparent": "mine"})
        seen: list[Any] = []

        class Client:
            async def request(self, method: str, url: str, *, content: bytes, headers: Any) -> Any:
                seen.append((method, headers.get_list("content-type"), headers.get_list("traceparent")))
                raise TaskFailed("seen")

            async def aclose(self) -> None:
                pass

        task._client = Client()  # type: ignore[assignment]
        assert failure(task) == "seen"
        assert seen == [("POST", ["application/vnd.x+json"], ["mine"])]

    def test_the_traceparent_of_a_run_is_the_rows_trace(self, service: Service, tmp_path: Path) -> None:
        run(tmp_path, HttpTask(service.url), text_cases(1), trials=2, name="r1")
        assert sorted(headers["traceparent"].split("-")[1] for headers in service.server.headers) == sorted(
            [trace_id("r1", "c0", 0), trace_id("r1", "c0", 1)]
        )

    def test_any_text_goes_out_and_comes_back(self, service: Service) -> None:
        service.next = lambda request: {"output": request["input"]}
        text = 'é \ud800 \u202e "q"\n\x00' * 1000
        assert answered(HttpTask(service.url), Case(id="c", input=text)).output == text

    def test_connections_are_used_again(self, service: Service) -> None:
        task = HttpTask(service.url)

        async def twice() -> bool:
            await task.answer(CASE, 0)
            first = task._client
            await task.answer(CASE, 1)
            same = task._client is first
            await task.close()
            return same

        assert asyncio.run(twice())


class TestReplies:
    def test_without_paths_the_reply_is_as_a_commands(self, service: Service) -> None:
        service.next = {"output": ["x"], "usage": {"input_tokens": 1}, "cost": 0.5, "context": "p", "latency_s": 0.25}
        assert answered(HttpTask(service.url)) == Trace(
            output=["x"], usage=Usage(1), cost=Cost(0.5), context="p", latency_s=0.25
        )

    def test_paths(self, service: Service) -> None:
        service.next = {
            "choices": [{"message": {"content": "hi"}}],
            "usage": {"in": 3, "out": 4},
            "price": 0.5,
            "docs": ["p"],
        }
        paths = {
            "output": "choices[0].message.content",
            "input_tokens": "usage.in",
            "output_tokens": "usage.out",
            "cost": "price",
            "context": "docs",
            "error": "error.message",
        }
        assert answered(HttpTask(service.url, paths=paths)) == Trace(
            output="hi", usage=Usage(3, 4), cost=Cost(0.5), context=("p",)
        )
        service.next = {"error": {"message": "sold out"}}
        assert answered(HttpTask(service.url, paths=paths)).error == Fault("sold out")

    def test_an_output_that_is_null_is_an_output(self, service: Service) -> None:
        service.next = {"answer": None}
        assert answered(HttpTask(service.url, paths={"output": "answer"})) == Trace()

    @pytest.mark.parametrize(
        ("reply", "paths", "said"),
        [
            (Reply(status=500, text="boom"), {}, 'HTTP 500: {"error":{"message":"boom"'),
            (Reply(status=404, body=b""), {}, "HTTP 404"),
            (Reply(status=307, headers={"Location": "http://127.0.0.1:1/"}, body=b""), {}, "HTTP 307"),
            (Reply(text="<html>"), {}, "the reply is not JSON: <html>"),
            (Reply(body=b""), {}, "the reply is not JSON: "),
            (Reply(body=b"caf\xe9"), {}, "the reply is not JSON: caf"),
            (Reply(body=b'{"output": NaN}'), {}, 'the reply is not JSON: {"output": NaN}'),
            (Reply(body=b"[" * 100_000), {}, "the reply is not JSON: [[[["),
            ({"a": 1}, {"output": "b.c"}, "nothing at 'b.c' in {\"a\":1}"),
            ({"error": None}, {"output": "answer", "error": "error"}, "nothing at 'answer' in {\"error\":null}"),
        ],
    )
    def test_what_is_no_answer(
        self, service: Service, reply: dict[str, Any] | Reply, paths: dict[str, str], said: str
    ) -> None:
        service.next = reply
        assert failure(HttpTask(service.url, paths=paths)).startswith(f"{service.url}: {said}")

    def test_what_is_not_as_declared(self, service: Service) -> None:
        service.next = {"answer": "x", "tokens": "many"}
        assert failure(HttpTask(service.url, paths={"output": "answer", "input_tokens": "tokens"})) == (
            "the reply is not as it should be: usage.input_tokens: expected a whole number, got text"
        )
        assert failure(HttpTask(service.url)) == (
            'expected a JSON object with "output" or "error", got {"answer":"x","tokens":"many"}'
        )

    def test_a_long_page_is_cut(self, service: Service) -> None:
        service.next = Reply(text="x" * 10_000)
        assert len(failure(HttpTask(service.url))) < 400

    def test_a_body_that_is_cut_off(self, service: Service) -> None:
        service.next = Reply(text='{"output": "x"}', cut=True)
        assert failure(HttpTask(service.url)).startswith(f"{service.url}: peer closed connection")

    def test_nobody_there(self) -> None:
        with socket.socket() as deaf:  # it holds the port, so that nobody else can listen there
            deaf.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
            assert failure(HttpTask(url)) == f"{url}: All connection attempts failed"

    def test_an_address_that_is_none(self) -> None:
        said = "ftp://x: Request URL has an unsupported protocol 'ftp://'."
        assert failure(HttpTask("ftp://x")) == said


def test_one_that_hangs_or_drips_is_a_timeout_and_the_run_goes_on(service: Service, tmp_path: Path) -> None:
    def answer(request: dict[str, Any]) -> dict[str, Any] | Reply:
        if request["id"] == "c1":
            return Reply(hang=True)
        if request["id"] == "c2":
            return Reply(text=json.dumps({"output": "x" * 1000}), drip=True)
        return {"output": request["input"]}

    service.next = answer
    result = run(tmp_path, HttpTask(service.url), text_cases(5), timeout=0.5)
    found = {row.case: row.trace for row in result.rows() if row.trace is not None}
    late = Fault("no answer within 0.5 s", "timeout")
    assert {name: trace.error or trace.output for name, trace in found.items()} == {
        "c0": "q0",
        "c1": late,
        "c2": late,
        "c3": "q3",
        "c4": "q4",
    }
    assert all(trace.error or (trace.latency_s or 0) > 0 for trace in found.values())
