"""A task that is an HTTP endpoint: JSON is posted, and paths say where the answer's parts lie in the reply."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gatewatch.core import codec
from gatewatch.core.case import Case
from gatewatch.core.spans import recorder
from gatewatch.core.trace import Trace
from gatewatch.offline.task import TaskFailed, fields_at, reply_of, trace_of
from gatewatch.offline.tasks.command import traceparent
from gatewatch.offline.template import fill, names_in, unknown_name, values_of

if TYPE_CHECKING:
    import httpx

_SHOWN = 300
PATHS = ("output", "context", "input_tokens", "output_tokens", "cost", "error")


class HttpTask:
    """An endpoint that is posted to once for each case.

    `body` is a template (see `offline.template`); without one, `{"id", "input", "context", "trial"}` is sent. `paths`
    name where in the reply's JSON the parts lie (`{"output": "choices[0].message.content"}`); without any, the reply
    is an object with `output`, as a command writes it.
    """

    timed = True
    own_deadline = False
    abandoned = 0

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        paths: Mapping[str, str] | None = None,
        method: str = "POST",
        concurrency: int = 32,
    ) -> None:
        self.spec = url
        self.versions: dict[str, str] = {}
        self._url = url
        self._method = method
        self._headers = dict(headers or {})
        self._body = body
        self._paths = dict(paths or {})
        self._names = names_in(body)
        self._concurrency = concurrency
        self._client: httpx.AsyncClient | None = None

    def flaw(self, case: Case, trials: int) -> str:
        """Why the body cannot be made from this case, or nothing."""
        return unknown_name(self._names, values_of(case, 0)) if self._names else ""

    async def answer(self, case: Case, trial: int) -> Trace:
        """Post once.

        Raises:
            TaskFailed: for no connection, a status that is not 2xx, or a reply that is not as declared.
        """
        import httpx

        if self._client is None:
            limits = httpx.Limits(max_connections=self._concurrency, max_keepalive_connections=self._concurrency)
            self._client = httpx.AsyncClient(timeout=None, limits=limits)  # the run has the deadline  # noqa: S113
        given: Any = {"id": case.id, "input": case.input, "context": case.context, "trial": trial}
        if self._body is not None:
            given = fill(self._body, values_of(case, trial))
        headers = httpx.Headers({"content-type": "application/json"})
        headers.update(self._headers)
        current = recorder.get()
        if current is not None:
            headers.setdefault("traceparent", traceparent(current.trace_id))
        try:
            response = await self._client.request(self._method, self._url, content=codec.encode(given), headers=headers)
        except httpx.HTTPError as error:
            raise TaskFailed(f"{self._url}: {str(error) or type(error).__name__}") from None
        if not response.is_success:
            raise TaskFailed(f"{self._url}: HTTP {response.status_code}: {response.text[:_SHOWN]}".rstrip(": "))
        try:
            value = codec.parse(response.content)
        except (ValueError, RecursionError):
            raise TaskFailed(f"{self._url}: the reply is not JSON: {response.text[:_SHOWN]}") from None
        return trace_of(reply_of(self._parts(value) if self._paths else value))

    def _parts(self, value: Any) -> dict[str, Any]:
        found = fields_at(value, self._paths)
        if "output" not in found and found.get("error") is None:
            raise TaskFailed(
                f"{self._url}: nothing at {self._paths.get('output')!r} in {codec.text_of(value)[:_SHOWN]}"
            )
        tokens = {name: found.pop(name) for name in ("input_tokens", "output_tokens") if name in found}
        return {**found, "usage": tokens} if tokens else found

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
