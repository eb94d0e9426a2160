"""The tool-call scorer against recorded calls of real models that a leaderboard has judged."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from gatewatch import run
from gatewatch.scorers.agent import tool_calls
from shared import rows

CATEGORIES = ("simple", "multiple_function", "parallel_function")
MODEL = "gpt-4o-2024-08-06-FC"


def accepted(value: Any) -> Iterator[Any]:
    """Every value that a right one stands for: inside of objects, each field lists what is right for it."""
    if isinstance(value, dict) and all(isinstance(each, list) for each in value.values()):
        for chosen in product(*value.values()):
            given = {key: each for key, each in zip(value, chosen, strict=True) if each != ""}
            yield from (given,) if not any(isinstance(each, dict) for each in chosen) else _deeper(given)
    elif isinstance(value, list):
        yield from (list(each) for each in product(*(tuple(accepted(item)) for item in value)))
    else:
        yield value


def _deeper(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for chosen in product(*(tuple(accepted(each)) for each in value.values())):
        yield dict(zip(value, chosen, strict=True))


def expected_call(call: dict[str, Any]) -> dict[str, Any]:
    """A leaderboard's right call as one of ours: "" among a parameter's values says that it may be left out."""
    values = {
        key: [one for each in given if each != "" for one in accepted(each)] for key, given in call["args"].items()
    }
    return {
        "name": call["name"].replace(".", "_"),  # names with a dot cannot be given to the models
        "accept": values,
        "optional": [key for key, given in call["args"].items() if "" in given],
    }


def made_calls(result: Any) -> list[dict[str, Any]]:
    """A recorded result as calls: text says that none was made."""
    if not isinstance(result, list):
        return []
    return [
        {"name": name, "arguments": given} for each in result if isinstance(each, dict) for name, given in each.items()
    ]


@pytest.mark.parametrize(
    "name", [MODEL, "gpt-4o-2024-05-13-FC", "gpt-4o-mini-2024-07-18-FC", "gpt-4-turbo-2024-04-09-FC"]
)
def test_agrees_with_the_leaderboard(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    items = {x["source_id"]: x for x in rows("tool_calls_bfcl", "items.jsonl.gz") if x["category"] in CATEGORIES}
    recorded = [
        x
        for x in rows("tool_calls_bfcl", "results.jsonl.gz")
        if x["model"] == name and x["category"] in CATEGORIES and x["run"] == "2024-08-11"
    ]
    cases = [
        {
            "id": x["source_id"],
            "input": x["question"],
            "expected": {"tool_calls": [expected_call(call) for call in x["expected_calls"]]},
            "slice": x["category"],
        }
        for x in (items[each["source_id"]] for each in recorded)
    ]
    replies = [{"id": x["source_id"], "output": {"tool_calls": made_calls(x["result"])}} for x in recorded]
    Path("outputs.jsonl").write_text("".join(json.dumps(reply) + "\n" for reply in replies))
    result = run("replay:outputs.jsonl", on=cases, scorers=[tool_calls(strings="loose")])
    valid = {x["source_id"]: x["valid"] for x in recorded}
    agreed = Counter(bool(row.scores["tool_calls"].value) == valid[row.case] for row in result.rows())
    assert agreed[True] / agreed.total() >= 0.98, agreed
