"""A project whose traffic waits to be labelled, for tests of `gatewatch label`."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from cli.traffic import TOML, project
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.core import codec
from gatewatch.core.clock import wall
from gatewatch.core.review import Item
from gatewatch.core.trace import Span, Trace
from gatewatch.store.base import Store

LOOP = "\n[loop]\nreviewers = {reviewers}\n"
JUDGE = """
[models.judge]
model = "judge-1"
base_url = "http://127.0.0.1:9/v1"
key_env = ""

[scorers.helpful]
rubric = "helpful.md"
model = "judge"
"""
RUBRIC = '---\nscale = "1-5"\n---\nHow helpful is it?\n'


def reviewed(folder: Path, reviewers: int = 1) -> Path:
    """A project in a folder, with a judge that gives grades."""
    project(folder, TOML + JUDGE + LOOP.format(reviewers=reviewers))
    (folder / "helpful.md").write_text(RUBRIC)
    return folder


@contextmanager
def the_store(folder: Path) -> Iterator[Store]:
    """The project's store."""
    with closing(store_of(Project.open(folder))) as store:
        yield store


def waiting(folder: Path, *traces: Trace, needed: int = 1, **fields: Any) -> list[int]:
    """Put requests up to be labelled, as mining does; the numbers of their items."""
    known: dict[str, Any] = {"queue": "failures", "signs": ("thumbs_down",), "judged": 0.9, **fields}
    items = [
        (Item(flow="support", trace=each.id, needed=needed, added=wall(), **known), codec.encode(each))
        for each in traces
    ]
    with the_store(folder) as store:
        return [item.id for item in store.add_items(items, wall())]


def asked(number: int, **fields: Any) -> Trace:
    """A request that was answered."""
    return Trace(**{"id": f"{number:032x}", "input": f"question {number}", "output": f"answer {number}", **fields})


def agent(number: int) -> Trace:
    """A request of an agent that called a tool."""
    step = Span(name="cancel", kind="tool", input={"order": number}, output="done")
    return asked(number, spans=(step,), output="It is cancelled.")
