"""A small project with live traffic, captured for real, for the commands that look at it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gatewatch import Usage, capture, feedback, span
from online.capturing import Captured, capturing

TOML = """
[project]
name = "bot"
scorers = "evals.py"
slice = "evals:slice_of"

[prices.app-1]
input = 1.0
output = 2.0

[monitors.support]
flow = "support"
scorers = [{ use = "polite", sample = 0.3 }, { use = "pii" }]
always = ["thumbs_down", "error"]
"""
EVALS = """
from gatewatch import scorer

@scorer
def polite(output: str) -> bool:
    return "please" in output

def slice_of(input):
    return "odd" if int(input.removeprefix("q")) % 2 else "even"
"""


def project(folder: Path, toml: str = TOML, evals: str = EVALS) -> Path:
    """A project in a folder."""
    (folder / "gatewatch.toml").write_text(toml)
    (folder / "evals.py").write_text(evals)
    return folder


@contextmanager
def spooling(folder: Path) -> Iterator[Captured]:
    """What is captured meanwhile lies in the project's spool when this is left."""
    with capturing(folder / ".gatewatch" / "spool") as captured:
        yield captured
        captured.records()  # all of it is written


def answered(number: int, *, model: str = "app-1", session: str = "", output: str = "yes please") -> str:
    """A request that was answered, numbered by the caller; its trace id. Its external id is `m` and the number."""
    with capture(flow="support", input=f"q{number}", external_id=f"m{number}", session=session) as request:
        with span("answer", kind="llm") as step:
            step.model = model
            step.usage = Usage(input_tokens=1000, output_tokens=500)
        request.output = output
    return request.trace_id


def failed(number: int) -> None:
    """A request that failed."""
    try:
        with capture(flow="support", input=f"q{number}", external_id=f"m{number}"):
            raise ValueError("no")
    except ValueError:
        return


def traffic(folder: Path, number: int = 100) -> list[str]:
    """Requests by number: each tenth failed, each twentieth has a thumb down, a quarter is impolite. Their ids."""
    ids = []
    with spooling(folder):
        for each in range(number):
            if each % 10 == 9:
                failed(each)
                continue
            ids.append(answered(each, output="no" if each % 4 == 0 else "yes please"))
            if each % 20 == 0:
                feedback(ids[-1], thumbs="down", comment="write to mia@example.com")
    return ids
