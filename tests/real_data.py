"""Recorded data of others in our own formats: dataset lines and replay lines (see the formats at the edges)."""

from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any

from shared import rows

BFCL = "tool_calls_bfcl"


def bfcl_cases() -> list[dict[str, Any]]:
    """The function calling questions as dataset lines, the category as the slice.

    Names are as models with function calling see them: '_' for '.', and where one function is offered, that one's name.
    Where no call fits the question, none may be made.
    """
    return [
        {
            "id": item["source_id"],
            "input": item["question"],
            "expected": {
                "tool_calls": [_expected_call(call, item["functions"]) for call in item["expected_calls"] or []]
            },
            "slice": item["category"],
        }
        for item in rows(BFCL, "items.jsonl.gz")
    ]


def _expected_call(call: dict[str, Any], functions: list[dict[str, Any]]) -> dict[str, Any]:
    name = functions[0]["name"] if len(functions) == 1 else call["name"]
    accept = {name: [each for value in values for each in _written_out(value)] for name, values in call["args"].items()}
    optional = [name for name, values in call["args"].items() if "" in values]
    return {"name": name.replace(".", "_"), "accept": accept, "optional": optional}


def _written_out(value: Any) -> Iterator[Any]:
    """Every value that is accepted: an object in the data has, for each of its keys, a list of accepted values."""
    if isinstance(value, dict):
        choices = [_written_out_key(key, values) for key, values in value.items()]
        for parts in product(*choices):
            yield {key: each for part in parts for key, each in part.items()}
    elif isinstance(value, list):
        yield from map(list, product(*(list(_written_out(each)) for each in value)))
    else:
        yield value


def _written_out_key(key: str, values: Any) -> list[dict[str, Any]]:
    accepted = values if isinstance(values, list) else [values]
    return [{} if each == "" else {key: whole} for each in accepted for whole in _written_out(each)]


def bfcl_replay(model: str, run: str) -> list[dict[str, Any]]:
    """What a model answered on a date, as replay lines; what was not recorded is left out.

    A list of calls is an output with `tool_calls`, whose arguments are JSON text as the model wrote it. Text is
    an answer without a call.
    """
    return [_replay_line(row) for row in bfcl_results() if (row["model"], row["run"]) == (model, run)]


@cache
def bfcl_results() -> tuple[dict[str, Any], ...]:
    """The recorded results as they are, among them whether the benchmark's own checker called each one `valid`."""
    return tuple(rows(BFCL, "results.jsonl.gz"))


def _replay_line(row: dict[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = {"id": row["source_id"], "output": row["result"]}
    if isinstance(row["result"], list):
        calls = [(name, arguments) for call in row["result"] for name, arguments in call.items()]
        line["output"] = {"tool_calls": [{"name": name, "arguments": arguments} for name, arguments in calls]}
    if row["latency_s"] is not None:
        line["latency_s"] = row["latency_s"]
    if row["in_tok"] is not None:
        line["usage"] = {"input_tokens": row["in_tok"], "output_tokens": row["out_tok"]}
    return line
