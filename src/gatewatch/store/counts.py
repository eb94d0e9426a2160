"""How much a store has in it."""

from collections.abc import Mapping

from msgspec import Struct


class Counts(Struct, frozen=True):
    """What a store has in it, and how large it is; `tasks`, `items` and `changes` by state."""

    traces: int = 0
    payloads: int = 0
    payload_bytes: int = 0
    scores: int = 0
    tasks: Mapping[str, int] = {}
    parked: int = 0
    failures: int = 0
    items: Mapping[str, int] = {}
    labels: int = 0
    changes: Mapping[str, int] = {}
    losses: Mapping[str, int] = {}
    file_bytes: int = 0
    schema: int = 0
