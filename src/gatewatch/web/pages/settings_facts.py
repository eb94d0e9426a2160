"""What the settings' pages tell: how a project's store and workers are, its models, what Gatewatch is made of."""

import platform
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, requires
from threading import Lock
from typing import Any

from msgspec import Struct

from gatewatch.config.effective import Section
from gatewatch.config.project import Project
from gatewatch.core.clock import monotonic, wall
from gatewatch.core.errors import GatewatchError
from gatewatch.online.channels import public
from gatewatch.online.worker import ENDED
from gatewatch.store.base import Store
from gatewatch.store.counts import Counts
from gatewatch.web.host import Served

STATES = {
    "waiting": "to be scored when its time comes",
    "leased": "being scored",
    "failed": "given up after all its tries",
    "over_budget": "the budget of its day was spent",
    "no_payload": "what was said in the request was not kept any more",
    "expired": "it came to its turn too late",
}
"""What a state of scoring means, in the order in which they are shown."""
GIVEN_UP = ("failed", "over_budget", "no_payload", "expired")
_COUNTED_S = 30.0
_SEEN_S = 86_400.0
_HEALTHY_S = 60.0
_NOTICES = 1000
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_FOR_DEVELOPERS = re.compile(r"""extra == ["']dev["']""")


class Worker(Struct, frozen=True):
    """A worker that was heard of in the last day; `at` in seconds since the epoch."""

    name: str
    at: float
    at_work: bool
    note: str
    scorers: int


class Health(Struct, frozen=True):
    """How a project is: what is in its store, who works, what waits, and what came to nothing."""

    counts: Counts
    lag_s: float
    workers: tuple[Worker, ...]
    undelivered: tuple[tuple[str, int, str], ...]

    @property
    def at_work(self) -> int:
        """How many workers are at work."""
        return sum(each.at_work for each in self.workers)

    @property
    def given_up(self) -> int:
        """How many scores will never be there."""
        return sum(self.counts.tasks.get(state, 0) for state in GIVEN_UP)


class Counting:
    """Counts what is in stores, which goes through their rows: of each project every half a minute at most."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, Counts]] = {}
        self._lock = Lock()

    def of(self, served: Served) -> Counts:
        """What is in a project's store."""
        with self._lock:
            at, found = self._seen.get(served.name, (0.0, None))
            if found is None or monotonic() - at > _COUNTED_S:
                found = served.store.counts()
                self._seen[served.name] = monotonic(), found
            return found


def health(served: Served, counting: Counting) -> Health:
    """How a project is now."""
    now = wall()
    heard = served.store.workers(now - _SEEN_S)
    workers = [
        Worker(name, each.at, each.note != ENDED and abs(now - each.at) < _HEALTHY_S, each.note, len(each.scorers))
        for name, each in heard.items()
    ]
    workers.sort(key=lambda each: (not each.at_work, -each.at))
    return Health(counting.of(served), served.settler.lag_s(), tuple(workers), tuple(_undelivered(served.store)))


def _undelivered(store: Store) -> Iterator[tuple[str, int, str]]:
    """Channels that did not take what they were sent: how many notices wait, and why the last was not taken."""
    found: dict[str, tuple[int, str]] = {}
    for notice, reason in store.untold(_NOTICES):
        to = public(notice.to)
        number, why = found.get(to, (0, ""))
        found[to] = number + 1, reason or why
    for to, (number, why) in found.items():
        yield to, number, why


class Model(Struct, frozen=True):
    """A model that the project names, and what a million tokens cost in US dollars; None where that is not known."""

    name: str
    model: str
    key_env: str
    lacks: str
    used_by: tuple[str, ...]
    rates: Mapping[str, Any]


def models(project: Project, sections: list[Section]) -> list[Model]:
    """The project's models, with the scorers that ask them."""
    settings, prices, found = project.settings, project.prices, list[Model]()
    lacking = {
        section.name: ", ".join(each.lacks for each in section.settings if each.lacks)
        for section in sections
        if section.name.startswith("models.")
    }
    for name, each in settings.models.items():
        users = tuple(scorer for scorer, table in settings.scorers.items() if table.get("model") == name)
        base = "" if each.base_url.startswith("$") else each.base_url
        rates = {} if each.path else prices.rates(each.model, base)
        lacks = lacking.get(f"models.{name}", "")
        found.append(Model(name, each.model or each.path, each.key_env, lacks, users, rates))
    return found


def matching(sections: list[Section], text: str, *, all_: bool) -> list[Section]:
    """Sections with the settings in whose key, value or meaning a text is; those that nobody set with `all_` alone."""
    words = text.lower()
    found = []
    for section in sections:
        settings = tuple(
            each
            for each in section.settings
            if (all_ or each.source != "default" or each.lacks)
            and (not words or any(words in part.lower() for part in (section.name, each.key, each.value, each.means)))
        )
        if settings:
            found.append(Section(section.name, settings))
    return found


class Part(Struct, frozen=True):
    """A library that Gatewatch uses here."""

    name: str
    version: str
    licence: str


@cache
def parts() -> tuple[Part, ...]:
    """The libraries that Gatewatch needs, those that are installed, by name."""
    try:
        needed = [each for each in requires("gatewatch") or () if not _FOR_DEVELOPERS.search(each)]
    except PackageNotFoundError:  # run from a folder of sources
        return ()
    names = {found[0] for each in needed if (found := _NAME.match(each))}
    installed = []
    for name in sorted(names, key=str.lower):
        try:
            told = distribution(name).metadata
        except PackageNotFoundError:
            continue
        installed.append(Part(name, told["Version"], _licence(told)))
    return tuple(installed)


def _licence(told: Any) -> str:
    short = told["License-Expression"] or told["License"] or ""
    if short and "\n" not in short and len(short) < 60:
        return str(short)
    named = [each.rpartition(" :: ")[2] for each in told.get_all("Classifier") or () if each.startswith("License ::")]
    return ", ".join(named)


def about(project: Project | None) -> dict[str, str]:
    """What this server runs."""
    from gatewatch import __version__

    found = {"Gatewatch": __version__, "Licence": "Apache-2.0", "Python": platform.python_version()}
    if project is not None:
        try:
            found["Prices"] = project.prices.snapshot
        except GatewatchError:
            return found
    return found
