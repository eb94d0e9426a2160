"""Requests that went wrong, for tests of what becomes of them: a project, and a store with items and labels."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from gatewatch.config.promotable import Asked
from gatewatch.config.promoting import Outcome, promote
from gatewatch.core import codec
from gatewatch.core.case import Case, Expected
from gatewatch.core.failure import Failure
from gatewatch.core.review import Item, Label
from gatewatch.core.trace import Trace
from gatewatch.offline.dataset import open_dataset
from gatewatch.store.base import Store
from gatewatch.store.looping import Mined
from gatewatch.store.rows import Arrival, Arrivals

NOW = 1_790_000_000.0
FLOW = "support"
UNTIL = date(2099, 1, 31)
TOML = """
[project]
name = "bot"

[suites.support]
dataset = "datasets/support.jsonl"
task = "replay:answers.jsonl"
scorers = ["exact"]
"""
DATASET = '{"id": "greet", "input": "Hello there", "expected": "Hello! How can I help?"}\n'


def a_project(folder: Path, toml: str = TOML, dataset: str = DATASET) -> Path:
    """A project with a suite; its dataset's file."""
    (folder / "gatewatch.toml").write_text(toml)
    (folder / "datasets").mkdir(exist_ok=True)
    path = folder / "datasets" / "support.jsonl"
    path.write_text(dataset)
    return path


def trace(number: int, asked: str | dict[str, Any] = "Can I return shoes after 30 days?", **given: Any) -> Trace:
    """A request that was answered wrong."""
    known: dict[str, Any] = {"id": f"{number:032x}", "flow": FLOW, "input": asked, "output": "No."}
    return Trace(**known | given)


def arrive(store: Store, *traces: Trace, now: float = NOW) -> None:
    """Requests arrive, one a second."""
    kept = [Arrival(each, codec.encode(each), now + place, 0.5) for place, each in enumerate(traces)]
    store.take_in(Arrivals(tuple(kept)), now)


def mined(store: Store, *traces: Trace, name: str = "returns: days, shoes", scorer: str = "") -> Failure:
    """A failure that was mined, with an item for each of its requests, which arrive, too."""
    arrive(store, *traces)
    failure = Failure(flow=FLOW, sign="thumbs_down", name=name, first=NOW, last=NOW, opened=NOW, updated=NOW)
    items = [
        (
            Item(
                queue="failures",
                flow=FLOW,
                trace=each.id,
                session=each.session,
                scorer=scorer,
                signs=("thumbs_down",),
                judged=0.2,
                added=NOW,
            ),
            codec.encode(each),
        )
        for each in traces
    ]
    kept = store.keep_mined([Mined(failure=failure, items=items)], NOW, read_at=store.mined_at())
    assert kept is not None
    return kept[0]


def said(store: Store, item: int, value: float = 0.0, expected: str | Expected | None = None, **given: Any) -> None:
    """A reviewer says something of an item."""
    known: dict[str, Any] = {"by": "ana", "at": NOW}
    assert store.label(Label(item=item, value=value, expected=expected, **known | given), NOW) is not None


def promoted(folder: Path, store: Store, *what: str, now: float = NOW, **asked: Any) -> Outcome:
    """Promote what is named, in the project of a folder."""
    from gatewatch.config.project import Project

    known: dict[str, Any] = {"by": "mia", "until": UNTIL}
    return promote(Project.open(folder), store, what, Asked(**known | asked), now)


def cases(path: Path) -> list[Case]:
    """The cases of a dataset."""
    return list(open_dataset(path))


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a dataset, as JSON."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def states(outcome: Outcome) -> Sequence[tuple[str, str]]:
    """What became of each request, and how far its change is."""
    return [
        (each.planned.decision.kind, each.change.state if each.change is not None else "") for each in outcome.promoted
    ]
