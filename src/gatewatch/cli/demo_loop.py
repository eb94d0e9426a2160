"""What `gatewatch demo` shows of the loop: a failure found live becomes a case, and the gate stops what caused it."""

import json
import re
from io import StringIO
from typing import TYPE_CHECKING, Any

from gatewatch.cli.demo_gate import SUITE, print_gate
from gatewatch.cli.demo_live import FLOW, NEW
from gatewatch.cli.terminal import titled

if TYPE_CHECKING:
    from rich.console import Console

    from gatewatch.config.project import Project
    from gatewatch.core.review import Item
    from gatewatch.store.base import Store

_ORDER = re.compile(r"QM-\d+")
_REVIEWER = "mia"
_SHOWN_LABELS = 2
_WHY = "order numbers of six digits are guarded; release 42 was rolled back"


def loop(out: "Console", project: "Project", store: "Store") -> str:
    """Mine what failed, label it as a person would, promote it, renew the baseline, gate the change again. Each step is
    the command over it. Gives the id of a case that was promoted, "" where there is none."""
    from rich.text import Text

    from gatewatch.config.gates import gate_suite

    titled(
        out,
        f"gatewatch mine {FLOW} --days 1 --most 3",
        "What failed since, grouped by how it did, and held against the dataset.",
    )
    _typed("mine", FLOW, "--days", "1", "--most", "3")
    failures = [each for each in store.failures(FLOW) if each.sign == "score:on_topic"]
    if not failures:
        return ""
    worst = max(failures, key=lambda each: each.impact)
    name = f"F{worst.id}"
    items = store.items(failure=worst.id)
    titled(out, f"gatewatch label {name}", "A person looks at some of them, and says what would have been right.")
    _label(out, project, store, items)
    titled(
        out, f"gatewatch promote {name}", "What they found wrong becomes cases, which may fail until they are mended."
    )
    out.print(Text(_said("promote", name, "--owner", _REVIEWER).rstrip()))
    cases = [each.body["case"]["id"] for each in store.changes(kind="case", failure=worst.id)]
    titled(
        out,
        f"gatewatch rebaseline {SUITE} --reason ...",
        "The change is rolled back: the version before passes the new cases, which from now on must pass.",
    )
    out.print(Text(_said("rebaseline", SUITE, "--plain", "--reason", _WHY).rpartition("\n\n")[2].rstrip()))
    gated = gate_suite(project, SUITE, task=NEW, label=f"{NEW} again")
    print_gate(out, NEW, gated, "The same change as before. This time the gate knows.", again=True)
    if cases:
        titled(out, f"gatewatch show {cases[0]}", "Where a case comes from: each step from the request to the verdict.")
        _typed("show", cases[0])
    return cases[0] if cases else ""


def _label(out: "Console", project: "Project", store: "Store", items: "list[Item]") -> None:
    """Label items as `gatewatch label put` does, by what the shop's database says of the orders."""
    from rich.text import Text

    from gatewatch.core import codec
    from gatewatch.core.trace import Trace

    orders = json.loads((project.root / "shop.json").read_text(encoding="utf-8"))["orders"]
    done = 0
    for item in items:
        trace = codec.decode(store.item_trace(item.id) or b"{}", Trace)
        found = _ORDER.search(codec.text_of(trace.input))
        if found is None or found[0] not in orders:
            continue
        order = found[0]
        expected: dict[str, Any] = {"answer": orders[order]["day"]}
        expected["tool_calls"] = [{"name": "order_status", "arguments": {"order_id": order}}]
        if done < _SHOWN_LABELS:
            out.print(Text(f"  asked     {codec.text_of(trace.input)}"))
            out.print(Text(f"  answered  {codec.text_of(trace.output)}"))
            out.print(
                Text(f"  {_REVIEWER} says  wrong; right would be {orders[order]['day']}, by order_status({order})")
            )
            out.print()
        _said("label", "put", f"I{item.id}", "--value", "n", "--expected", json.dumps(expected), "--by", _REVIEWER)
        done += 1
    out.print(Text(f"{done} labelled by {_REVIEWER}, one after another: `gatewatch label status`"))


def _typed(*words: str) -> None:
    """Do what a command does, and print what it prints."""
    from gatewatch.cli.main import gatewatch

    gatewatch.main(list(words), prog_name="gatewatch", standalone_mode=False)


def _said(*words: str) -> str:
    """Do what a command does, and give what it prints."""
    from contextlib import redirect_stderr, redirect_stdout

    said = StringIO()
    with redirect_stdout(said), redirect_stderr(StringIO()):
        _typed(*words)
    return said.getvalue()
