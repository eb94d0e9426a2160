"""Whatever the OpenAPI document allows, and much that it does not, is answered: never with a fault of the server."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from web.serving import TOML, Served, a_trace, frames, served, stretch


@schemathesis.serializer("application/x-ndjson", "application/x-protobuf")
def as_bytes(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """What is generated for a body that is no JSON."""
    return value if isinstance(value, bytes) else str(getattr(value, "data", value)).encode("utf-8", "replace")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    toml = TOML + "feedback_rate = 100000\nfeedback_total = 100000\n"
    with served(tmp_path_factory.mktemp("openapi"), toml) as found:
        with found.client(found.token()) as client:
            stretch(client, frames(a_trace("a", external_id="m1")))
        yield found


def hammered(server: Served, examples: int, mode: GenerationMode) -> set[int]:
    """The statuses with which examples of every operation are answered, each of which is one that is documented."""
    token = server.token("admin")
    headers = {"authorization": f"Bearer {token}"}
    with server.client() as client:
        document = client.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=server.url)
    seen: set[int] = set()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode))
        def each(case: Any) -> None:
            said = case.call(headers=headers, timeout=120)
            seen.add(said.status_code)
            assert said.status_code < 500 or (said.status_code == 503 and "retry-after" in said.headers)
            documented = {*case.operation.definition.raw["responses"], "404", "405", "406"}
            assert str(said.status_code) in documented, (case.operation.label, said.status_code, said.text)

        with suppress(Unsatisfiable):  # there is no wrong way to call an operation that takes nothing
            each()
    return seen


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_nothing_that_is_sent_is_a_fault_of_the_server(server: Served, mode: GenerationMode) -> None:
    assert hammered(server, 10, mode) & ({200, 201} if mode is GenerationMode.POSITIVE else {400, 415, 422})


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_nor_is_much_more_of_it(server: Served, mode: GenerationMode) -> None:
    hammered(server, 100, mode)
