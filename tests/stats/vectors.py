"""The recorded reference vectors, and how a function is held against those of one method."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from shared import shared_path


def vectors(method: str) -> list[dict[str, Any]]:
    """All vectors of a method, of which there must be some."""
    every = json.loads(shared_path("vectors", "stats_vectors.json").read_text())["vectors"]
    chosen = [vector for vector in every if vector["method"] == method]
    assert chosen
    return chosen


def hold(method: str, ours: Callable[[dict[str, Any]], Any]) -> None:
    """Hold a function of a vector's inputs against what is expected: of a dict, the keys that it gives."""
    for vector in vectors(method):
        got, expected = ours(vector["inputs"]), vector["expected"]
        parts = [(got[key], expected[key], key) for key in got] if isinstance(got, dict) else [(got, expected, "")]
        assert parts
        for mine, theirs, key in parts:
            assert mine == pytest.approx(theirs, abs=vector["tol"]), f"{vector['id']} {key}"
