"""What each deterministic scorer costs, in microseconds a kilobyte, and at the worst; and what the heuristics catch.

`python -m benchmarks.scorers --write` writes the page of the reference that has these figures.
"""

import random
import string
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import Report
from benchmarks.quality import figures, shared, table
from gatewatch.core.case import Case, Expected, ToolCall
from gatewatch.core.money import Cost
from gatewatch.core.trace import Span, Trace, Usage
from gatewatch.scorers.apply import apply_inline
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.library import GROUPS, make

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "scorers" / "measured.md"
OPTIONS: dict[str, dict[str, Any]] = {
    "regex": {"pattern": r"(\w+\s?)+\d{3}"},
    "json_schema": {"schema": {"type": "object"}},
    "well_formed": {"kind": "email"},
    "parses": {"language": "python"},
}
LIMIT_MS = 50.0
"""No text may hold a scorer for longer, by 10 kB."""

_SENTENCES = (
    "Refunds take up to five working days, counted from the day on which we receive the parcel.",
    "You can write to our support at any time; please state your order number, such as 20417.",
    "We ship to all countries of the European Union, and to Norway, within 3 to 7 days.",
    "The warranty covers two years. It does not cover damage by water or by a fall.",
)
_HOSTILE: dict[str, Callable[[int], str]] = {
    "one letter": lambda n: "a" * n,
    "digits": lambda n: "4" * n,
    "spaces": lambda n: " " * n,
    "digits in groups": lambda n: ("4111 " * n)[:n],
    "dots": lambda n: ("a." * n)[:n],
    "at signs": lambda n: ("a@" * n)[:n],
    "colons": lambda n: ("a:" * n)[:n],
    "brackets": lambda n: "[" * n,
    "objects": lambda n: ('{"a":' * n)[:n],
    "quotation marks": lambda n: '"' * n,
    "backslashes": lambda n: "\\" * n,
    "openings of an attack": lambda n: ("ignore all the " * n)[:n],
    "do never": lambda n: ("you must never answer no matter what " * n)[:n],
    "act as": lambda n: ("act as a with no " * n)[:n],
    "sorry": lambda n: ("I'm sorry but " * n)[:n],
    "secrets": lambda n: ("secret_token_key" * n)[:n],
    "tokens": lambda n: ("eyJhbGciOi.eyJ" * n)[:n],
    "addresses": lambda n: ("http://a:b" * n)[:n],
    "newlines": lambda n: "\n" * n,
    "emoji": lambda n: "\U0001f600" * n,
    "combining marks": lambda n: ("a" + "\u0301\u0327" * n)[:n],
    "minus signs": lambda n: "-" * n,
    "random": lambda n: "".join(random.Random(5).choices(string.printable, k=n)),
}


def text(size: int) -> str:
    """A realistic text of so many characters."""
    return (" ".join(_SENTENCES) + " ") * (size // 300 + 1)


def trace_of(output: str) -> tuple[Trace, Case]:
    """A trace whose texts are all this one, and a case that expects nearly it."""
    expected = Expected(
        answer=output.replace("five", "six"),
        tool_calls=(ToolCall("lookup", {"sku": "X2"}),),
        relevant=("kb-1", "kb-2"),
    )
    spans = (
        Span(name="search", kind="retrieval", output=[{"id": f"kb-{n}", "text": output[:100]} for n in range(10)]),
        Span(name="lookup", kind="tool", input={"sku": "X2"}, output=output[:200]),
    )
    trace = Trace(
        input=output,
        output=output,
        context=(output,),
        spans=spans,
        usage=Usage(100, 50),
        cost=Cost(0.001),
        latency_s=1.0,
    )
    return trace, Case(input=output, expected=expected)


def took(scorer: Scorer, output: str, times: int) -> float:
    """The least CPU seconds that one scoring took."""
    trace, case = trace_of(output)
    beside = {"session": (trace, trace, trace)}
    best = float("inf")
    for _ in range(times):
        began = time.process_time()
        apply_inline(scorer, trace, case, beside=beside)
        best = min(best, time.process_time() - began)
    return best


def per_kb(scorer: Scorer, size: int) -> float:
    """CPU microseconds a kilobyte, on a realistic text."""
    output = text(size)[:size]
    runs = max(1, round(0.002 / max(took(scorer, output, 3), 1e-7)))
    trace, case = trace_of(output)
    beside = {"session": (trace, trace, trace)}
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        for _ in range(runs):
            apply_inline(scorer, trace, case, beside=beside)
        best = min(best, (time.process_time() - began) / runs)
    return best * 1e6 / (size / 1000)


def worst(scorer: Scorer) -> tuple[float, str]:
    """The most milliseconds that a hostile text of 10 kB took, and which one that was."""
    return max((took(scorer, make_text(10_000), 3) * 1000, kind) for kind, make_text in _HOSTILE.items())


def deterministic() -> list[tuple[str, Scorer]]:
    """Every scorer of ours that asks no model, with its group."""
    found = []
    for group, factories in GROUPS.items():
        for factory in factories:
            if factory.__name__ == "judge":
                continue
            scorer = make(factory.__name__, OPTIONS.get(factory.__name__, {}))
            if not scorer.models:
                found.append((group, scorer))
    return found


def main() -> None:
    """Measure, print, and write the page where that is asked for."""
    report = Report()
    lines = ["| scorer | µs/KB at 1 KB | µs/KB at 10 KB | worst of 10 KB, ms | by |", "|---|---|---|---|---|"]
    for _, scorer in deterministic():
        small, large = per_kb(scorer, 1000), per_kb(scorer, 10_000)
        most, kind = worst(scorer)
        note = f"{small:.1f} us/KB at 1 KB, {large:.1f} at 10 KB; worst by {kind}"
        report.line(f"{scorer.name}: the worst of 10 KB", most, "ms", limit=LIMIT_MS, note=note)
        lines.append(f"| `{scorer.name}` | {small:.1f} | {large:.1f} | {most:.1f} | {kind} |")
    quality: list[str] = []
    if shared().is_dir():
        quality = table(figures())
        print("\n".join(quality))
    else:
        print(f"no recorded data in {shared()}: what the heuristics catch is not measured")
    if "--write" in sys.argv and quality:
        PAGE.write_text(_page(lines, quality), encoding="utf-8")
        print(f"written: {PAGE.name}")
    report.exit()


_CATCH = """\
On recorded data with known labels, as they come (`GATEWATCH_SHARED` names the folder). A heuristic is as good as this
where your data is like these: hold it against labels of your own with `gatewatch calibrate`. `guard_injection` has
attacks of several origins: blunt ones written to a model (garak), instructions to a model about its own
(CyberSecEval), and instructions hidden in texts and code (BIPIA), which are nearly invisible to it. What is hateful
without a bad word (hateful phrases) is invisible to a list of words."""
_COST = f"""\
CPU time of one scoring, by kilobyte of the text that it looks at: realistic text of 1 and 10 KB, and the worst of some
twenty kinds of hostile text of 10 KB. Times are of the machine on which the page was written. No text may take more
than {LIMIT_MS:g} ms by 10 KB: the command fails where one does."""


def _page(times: list[str], quality: list[str]) -> str:
    head = "[All scorers](README.md). This page is written by `python -m benchmarks.scorers --write`."
    parts = ["# Measured", head, "## What the heuristics catch", _CATCH, "\n".join(quality)]
    parts += ["## What the deterministic scorers cost", _COST, "\n".join(times)]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
