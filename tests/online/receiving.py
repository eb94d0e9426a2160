"""A real HTTP server on loopback that receives word of alerts, well or badly, and keeps what it was sent."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import NamedTuple

from gatewatch.core import codec
from gatewatch.core.watch import Alert, AlertState, Evidence, Marker, Segment, Severity
from gatewatch.store.watching import Notice


class Received(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        return self.headers.get("idempotency-key", "")


class Answer(NamedTuple):
    """How a request is answered: with a status; not at all before the server ends (`hang`), nor ever (`cut`)."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""
    hang: bool = False
    cut: bool = False


class Receiver:
    """The server; `answer` says how each request is answered, and is called on its threads."""

    def __init__(self, answer: Callable[[Received], Answer] = lambda _: Answer()) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self._lock, self.closing = Lock(), Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers.get("content-length", 0))
                names = {name.lower(): value for name, value in self.headers.items()}
                receiver.handle(self, Received(self.command, self.path, names, self.rfile.read(size)))

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def handle(self, handler: BaseHTTPRequestHandler, received: Received) -> None:
        answer = self.answer(received)
        with self._lock:
            self.received.append(received)
        if answer.hang:
            self.closing.wait()
        if answer.hang or answer.cut:
            handler.close_connection = True
            return
        data = answer.text.encode()
        handler.send_response(answer.status)
        for name, value in (*answer.headers, ("content-length", str(len(data)))):
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    @property
    def keys(self) -> list[str]:
        return [each.key for each in self.received]

    def __enter__(self) -> "Receiver":
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class Outbox:
    """Notices in memory, as a store keeps them."""

    def __init__(self, *notices: Notice) -> None:
        self.waiting = {each.id: each for each in notices}
        self.due: dict[int, float] = {}
        self.reasons: dict[int, str] = {}
        self.fails: Exception | None = None

    def notices(self, owner: str, now: float, until: float, most: int) -> list[Notice]:
        if self.fails is not None:
            raise self.fails
        found = [each for each in self.waiting.values() if self.due.get(each.id, 0.0) <= now][:most]
        self.due |= {each.id: until for each in found}
        return found

    def told(self, notice: int, now: float, *, retry_at: float | None = None, reason: str = "") -> None:
        if self.fails is not None:
            raise self.fails
        if retry_at is None:
            self.waiting.pop(notice, None)
        else:
            self.due[notice], self.reasons[notice] = retry_at, reason


def an_alert(
    number: int = 1,
    *,
    flow: str = "support",
    title: str = "helpful fell by 4.1 points",
    severity: Severity = "ticket",
    state: AlertState = "open",
    part: str = "refunds",
    link: str = "",
    to: tuple[str, ...] = ("webhook:https://hooks.example/SECRET",),
) -> Alert:
    at = 1_795_000_000.0
    return Alert(
        id=number,
        key=f"{flow} quality helpful {number}",
        flow=flow,
        monitor="live",
        kind="quality",
        name="helpful",
        severity=severity,
        state=state,
        title=title,
        opened=at,
        updated=at + 1800,
        times=3,
        evidence=Evidence(
            n=412,
            before=0.871,
            after=0.83,
            effect=-0.041,
            low=-0.06,
            high=-0.022,
            onset=at - 3600,
            segments=(Segment("slice", part, 80, -0.092, -0.15, -0.03, 0.12),),
            traces=("4f" * 16, "5e" * 16),
            markers=(Marker(at - 4000, flow, "model=gpt-5-mini, prompt=4", "ci"),),
        ),
        owner="support team",
        runbook="https://wiki.example/helpful",
        link=link,
        to=to,
    )


def a_notice(number: int, to: str, **more: str) -> Notice:
    return Notice(id=number, key=f"notice-{number}", to=to, event="opened", alert=an_alert(number, **more))  # type: ignore[arg-type]


def said(received: Received) -> dict[str, object]:
    return dict(codec.parse(received.body))
