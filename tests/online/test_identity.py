import os

import pytest

from gatewatch.online.identity import Incoming, header, incoming, span_id, trace_id

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    "said", [f"00-{TRACE}-{PARENT}-01", f" 00-{TRACE}-{PARENT}-00 ", f"cc-{TRACE}-{PARENT}-01-more"]
)
def test_a_valid_header_is_read(said: str) -> None:
    assert incoming(said) == Incoming(TRACE, PARENT)


@pytest.mark.parametrize(
    "said",
    [
        "",
        None,
        7,
        f"00-{TRACE}-{PARENT}",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\n00",
    ],
)
def test_what_is_not_valid_is_ignored(said: object) -> None:
    assert incoming(said) is None


def test_what_is_sent_can_be_read() -> None:
    trace, span = trace_id(), span_id()
    assert incoming(header(trace, span)) == Incoming(trace, span)


def test_ids_are_not_given_twice() -> None:
    assert len({trace_id() for _ in range(10_000)}) == 10_000
    assert all(len(trace_id()) == 32 and len(span_id()) == 16 for _ in range(100))


def test_a_forks_child_gives_other_ids() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, trace_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100).decode() != trace_id()
    os.close(reading)
    os.close(writing)
