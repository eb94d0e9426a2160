"""A server under attack: it answers with what it does not take, its memory is bounded, and honest clients get through.

How long those have to wait is in benchmarks/attack.py.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from benchmarks.attacks import (
    Met,
    Slow,
    Target,
    bombs,
    deep,
    honest,
    huge,
    memory,
    mutated,
    strangers,
    swollen,
)

from live.serving import Process, process, token
from shared import shared_path

MOST_MORE = 100_000_000
ATTACKS: dict[str, tuple[Callable[[Target, int], Met], set[int], int]] = {
    "bombs": (bombs, {413}, 5),
    "swollen": (swollen, {413}, 2),
    "huge": (huge, {413, 0}, 4),
    "deep": (deep, {400}, 2),
    "mutated": (lambda target, hard: mutated(target, hard, bodies()), {200, 400}, 5),
    "strangers": (strangers, {401}, 3),
}
"""Each attack: how it is met (0: the connection is closed), and how hard it is to be where time is short."""


def bodies() -> list[bytes]:
    """What real clients sent."""
    folder = shared_path("data", "otlp")
    return [path.read_bytes() for path in sorted(folder.glob("*/*.traces.pb"))]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Process]:
    with process(tmp_path) as found:
        yield found


def target_of(server: Process) -> Target:
    return Target(server.port, token(server.folder))


def bounded(server: Process, target: Target, attack: Callable[[], object]) -> None:
    """Whether an attack leaves memory as it was, and an honest client's spans are all taken meanwhile."""
    assert server.child is not None
    honest(target, threading.Event(), most=20)  # what is loaded once is loaded
    before, stop = memory(server.child.pid, "VmRSS"), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        others = pool.submit(honest, target, stop)
        try:
            attack()
        finally:
            stop.set()
        assert others.result()
    assert memory(server.child.pid) - before < MOST_MORE


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_met(server: Process, name: str) -> None:
    attack, may, hard = ATTACKS[name]
    target = target_of(server)

    def met() -> None:
        found = attack(target, hard)
        assert found.keys() <= may and max(may) in found, found

    bounded(server, target, met)
    assert server.end() == 143


def test_slow_senders_hold_up_nobody(server: Process) -> None:
    target = target_of(server)

    def slow() -> None:
        with Slow(target, 200):
            assert honest(target, threading.Event(), most=50)

    bounded(server, target, slow)


@pytest.mark.slow
def test_all_of_them_at_once_and_for_long(server: Process) -> None:
    target = target_of(server)

    def all_at_once() -> None:
        with Slow(target, 200), ThreadPoolExecutor(len(ATTACKS)) as pool:
            running = {name: pool.submit(attack, target, 10 * hard) for name, (attack, _, hard) in ATTACKS.items()}
            for name, each in running.items():
                assert each.result().keys() <= ATTACKS[name][1] | {503}, name

    bounded(server, target, all_at_once)
    assert server.end() == 143
