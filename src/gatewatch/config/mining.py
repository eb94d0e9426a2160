"""What mining is made of: a flow's store, the datasets and pass marks of suites, and the models of `[loop]`."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from gatewatch.config.load import FILE
from gatewatch.config.project import Project
from gatewatch.config.settings import SuiteSettings
from gatewatch.core.case import Case
from gatewatch.core.errors import ConfigError, InputError, Problem, did_you_mean
from gatewatch.core.money import Cost
from gatewatch.loop.embedded import Embedded
from gatewatch.loop.golden import Golden
from gatewatch.loop.mine import Mining, Namer, mine
from gatewatch.loop.naming import by_model
from gatewatch.offline.dataset import open_dataset

if TYPE_CHECKING:
    from gatewatch.store.base import Store


class Mined(Struct, frozen=True):
    """What was mined, held against how many cases, and what models cost for it."""

    mining: Mining
    cases: int
    cost: Cost


class _Models:
    """The models of `[loop]`, as far as they are named, and what they cost."""

    def __init__(self, project: Project, runner: asyncio.Runner) -> None:
        embed, namer = project.settings.loop.embed, project.settings.loop.namer
        self._runner = runner
        self._model = project.model(namer) if namer else None
        self._named = Cost()
        self.space = Embedded(project.embedder(embed), runner.run) if embed else None

    @property
    def namer(self) -> Namer | None:
        """What names groups."""
        return self._name if self._model is not None else None

    @property
    def cost(self) -> Cost:
        """What was paid until now."""
        return self._named if self.space is None else self._named + self.space.cost

    def _name(self, groups: Sequence[Sequence[str]]) -> list[str]:
        assert self._model is not None
        names, cost = self._runner.run(by_model(self._model, groups))
        self._named += cost
        return names


def mined(
    project: Project,
    store: "Store",
    flow: str,
    *,
    since: float,
    until: float,
    suites: Collection[str] = (),
    told: Callable[[str], None] = lambda _: None,
) -> Mined:
    """Mine a flow of a project: what was found is kept in its store.

    Args:
        project: the project.
        store: its store.
        flow: the flow.
        since: when the window begins, in seconds since the epoch.
        until: when it ends: now.
        suites: those whose datasets and pass marks count; all by default.
        told: is told how far it is, in words.

    Raises:
        InputError: there is no such flow or suite, a dataset is wrong, or a model of `[loop]` is not configured.
        ModelError: the model that embeds gave no usable answer.
        StoreBusy: others mined all the time.
    """
    known_flow(store, flow)
    chosen = _suites(project, suites)
    golden = Golden(_cases(project, chosen))
    with _models(project) as models:
        found = mine(
            store,
            flow,
            since=since,
            until=until,
            golden=golden,
            pass_at=pass_marks(chosen.values()),
            space=models.space,
            namer=models.namer,
            named_by=project.settings.loop.namer,
            reviewers=project.settings.loop.reviewers,
            told=told,
        )
        return Mined(found, len(golden), models.cost)


def known_flow(store: "Store", flow: str) -> None:
    """Make sure that there is a flow.

    Raises:
        InputError: there is none of that name.
    """
    if not store.latest(flow, most=1) and not store.failures(flow):
        raise InputError(Problem(flow, "there is no such flow", did_you_mean(flow, store.flows())))


def pass_marks(suites: Collection[SuiteSettings]) -> dict[str, float]:
    """The pass mark of each scorer that some suites state one for: the highest, where they state several."""
    found: dict[str, float] = {}
    for suite in suites:
        for name, mark in suite.pass_at.items():
            found[name] = max(mark, found.get(name, 0.0))
    return found


def _suites(project: Project, names: Collection[str]) -> Mapping[str, SuiteSettings]:
    every = project.settings.suites
    for name in names:
        if name not in every:
            raise ConfigError(Problem(f"{FILE}: suites.{name}", "there is no such suite", did_you_mean(name, every)))
    return {name: every[name] for name in names or every}


def _cases(project: Project, suites: Mapping[str, SuiteSettings]) -> Iterator[Case]:
    """The cases of the suites' datasets, each file once."""
    for path in dict.fromkeys(suite.dataset for suite in suites.values()):
        yield from open_dataset(project.root / path)


@contextmanager
def _models(project: Project) -> Iterator[_Models]:
    with asyncio.Runner() as runner:
        try:
            yield _Models(project, runner)
        finally:
            runner.run(project.close())
