"""Where the recorded data lies that some tests read: in `GATEWATCH_SHARED`, outside the repository.

A test that needs it skips with a reason where it is absent; where `GATEWATCH_REQUIRE` names it, as in CI, that
skip is a failure.
"""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def required(need: str) -> bool:
    """Whether CI promises that a need is met."""
    return need in os.environ.get("GATEWATCH_REQUIRE", "").split(",")


def shared_path(*parts: str) -> Path:
    """The path of a file in the shared folder, or a skip."""
    folder = Path(os.environ.get("GATEWATCH_SHARED", "../shared"))
    path = (folder if folder.is_absolute() else ROOT / folder).joinpath(*parts)
    if not path.exists():
        message = f"{path} is not there: set GATEWATCH_SHARED to the folder that has {'/'.join(parts)}"
        if required("shared"):
            pytest.fail(message)
        pytest.skip(message)
    return path


def rows(*parts: str) -> Iterator[dict[str, Any]]:
    """The rows of a gzipped JSONL file in the shared folder's data."""
    with gzip.open(shared_path("data", *parts), "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def known_answers(data_set: str) -> dict[str, Any]:
    """What is known to be right about a data set."""
    answers: dict[str, Any] = json.loads(shared_path("data", "KNOWN_ANSWERS.json").read_text())[data_set]
    return answers
