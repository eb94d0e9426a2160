"""From `[monitors]` and `[online]` to what a worker needs: monitors, a store, how requests are taken in."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from gatewatch.config import units
from gatewatch.config.alerting import alarming, channels
from gatewatch.config.forecast import cost_of_call
from gatewatch.config.load import FILE
from gatewatch.config.parts import project_slice
from gatewatch.config.project import Problems, Project
from gatewatch.config.settings import MonitoredScorer, MonitorSettings
from gatewatch.core import marks
from gatewatch.core.clock import wall
from gatewatch.core.errors import ConfigError, InputError, Problem, did_you_mean
from gatewatch.core.money import parse_budget
from gatewatch.core.rates import Rule
from gatewatch.core.trace import Trace
from gatewatch.online.graves import FILE as GRAVES
from gatewatch.online.graves import Graves
from gatewatch.online.housekeeping import Keeping
from gatewatch.online.ingest import Ways
from gatewatch.online.monitor import Monitor, Watch
from gatewatch.online.notify import Telling
from gatewatch.online.outage import Breaker, WatchedModels
from gatewatch.online.redact import Rules, redact, redacted_name, redacted_text
from gatewatch.online.settings import checked
from gatewatch.online.traits import traits
from gatewatch.online.watch import Watcher
from gatewatch.online.worker import Worker
from gatewatch.scorers.base import Models, Scorer

if TYPE_CHECKING:
    from gatewatch.store.base import Store
    from gatewatch.store.database import Database


HIGH_COST = "high_cost"
_TYPICAL = 4000
"""Characters of a typical request and its answer, from which the cost of a judgement is guessed until one was made."""


class Online(Struct, frozen=True, kw_only=True):
    """What a worker of a project needs."""

    monitors: tuple[Monitor, ...]
    spool: Path
    ways: Ways
    keeping: Keeping
    concurrency: int
    scorer_timeout: float
    lease_s: float
    models: WatchedModels

    @property
    def breakers(self) -> dict[str, Breaker]:
        """The breakers of the models that were bound so far."""
        return self.models.breakers


def online(project: Project, *, bound: bool = True, clock: Callable[[], float] = wall) -> Online:
    """All that the project says of live traffic, ready to be used; with `bound` false only to be checked.

    A model's key need not be on the machine where a project is checked.

    Raises:
        ConfigError: with everything that is wrong.
    """
    problems = Problems()
    models = WatchedModels(project, clock)
    settings, where = project.settings.online, f"{FILE}: online"
    keep = problems.read(units.seconds, settings.keep, f"{where}.keep", 1.0)
    hold = problems.read(units.seconds, settings.hold, f"{where}.hold", 1.0)
    monitors = tuple(_monitors(project, problems, models if bound else None, hold))
    room = problems.read(units.size, settings.payloads, f"{where}.payloads", 1)
    spool = project.root / settings.spool
    if not settings.spool.strip() or "\0" in settings.spool or spool.resolve() == project.root.resolve():
        what = f"must be a folder of its own, got {settings.spool!r}"
        problems.append(Problem(f"{where}.spool", what, "workers remove what they have taken in"))
    if flaw := checked("drop_fields", settings.drop_fields)[1]:
        problems.append(Problem(f"{where}.drop_fields", flaw))
    lease = problems.read(units.seconds, settings.lease, f"{where}.lease", 1.0)
    slice_of: Callable[[Any], Any] | None = None
    with problems.gather():
        slice_of = project_slice(project)
    problems.raise_any()
    return Online(
        monitors=monitors,
        spool=spool,
        ways=Ways(
            keep_s=keep,
            slice_of=slice_of,
            price=project.prices.cost,
            redact=redaction(project),
            redact_text=redacted_text if settings.redact == "pii" else None,
            redact_name=redacted_name if settings.redact == "pii" else None,
            traits=traits,
        ),
        keeping=Keeping(traces_s=keep, hold_s=hold, payload_rate=settings.payload_rate, payload_bytes=room),
        concurrency=settings.concurrency,
        scorer_timeout=settings.scorer_timeout,
        lease_s=lease,
        models=models,
    )


def worker_of(project: Project, store: "Store", *, owner: str, clock: Callable[[], float] = wall) -> Worker:
    """A worker for a project's monitors over its store.

    Raises:
        ConfigError: with everything that is wrong in what the project says of live traffic.
    """
    found = online(project, clock=clock)
    return Worker(
        store,
        found.monitors,
        spools=[found.spool],
        ways=found.ways,
        owner=owner,
        clock=clock,
        concurrency=found.concurrency,
        scorer_timeout=found.scorer_timeout,
        lease_s=found.lease_s,
        keeping=found.keeping,
        breakers=found.breakers,
        find=partial(_found, project, found.models),
        versions=versions(project),
        graves=graves_of(project),
        watcher=Watcher(store, found.monitors, alarming(project), keep_s=found.keeping.traces_s),
        telling=Telling(store, channels(project), owner=owner, clock=clock),
    )


def _found(project: Project, models: WatchedModels, name: str) -> Watch | None:
    """A scorer that a back-fill asks for by its name, where the project has one that may look at live traffic."""
    try:
        return historian(project, name, "a back-fill", models)
    except InputError:
        return None


def historian(project: Project, name: str, where: str, models: Models, budget: str = "") -> Watch:
    """A scorer that is to look at stored traffic.

    Raises:
        ConfigError: when there is none of that name, it needs what live traffic does not have or a whole session, or
            with a budget the price of a model that it asks is unknown.
    """
    scorer = monitored(project, name, where)
    if "session" in scorer.needs:
        what = f"{name!r} looks at whole sessions, which cannot be back-filled"
        raise ConfigError(Problem(where, what, "a monitor scores sessions that end from now on"))
    if scorer.bind_models is not None:
        scorer = scorer.bind_models(models)
    return Watch(scorer=scorer, rules=(), guess=_guess(project, scorer, where, budget))


def versions(project: Project) -> dict[str, str]:
    """The fingerprints of the project's scorers, and of ours that its suites and monitors name; one that lacks its
    model's key has none.

    Raises:
        ConfigError: with what is wrong in the project's own.
    """
    suites = (name for suite in project.settings.suites.values() for name in suite.scorers)
    watched = (each.use for monitor in project.settings.monitors.values() for each in monitor.scorers)
    found = {}
    for name in dict.fromkeys([*project.scorers(), *suites, *watched]):
        with suppress(InputError):
            found[name] = project.bound(project.named(name, name)).fingerprint
    return found


def graves_of(project: Project) -> Graves:
    """The project's list of what was erased."""
    return Graves(project.root / ".gatewatch" / GRAVES)


def redaction(project: Project) -> Callable[[Trace], Trace]:
    """What takes out of a trace what the project does not want to be kept."""
    settings = project.settings.online
    rules = Rules(pii=settings.redact == "pii", drop_fields=settings.drop_fields)
    return partial(redact, rules=rules)


def store_of(project: Project) -> "Store":
    """The project's store of live traffic.

    Raises:
        ConfigError: for an address that no store is known for.
        StoreError: when it cannot be opened.
    """
    from gatewatch.store.open import open_store

    return open_store(store_address(project), project=name_of(project))


def store_there(project: Project) -> "Store | None":
    """The project's store, if it has one yet: none is made.

    Raises:
        ConfigError: for an address that no store is known for.
        StoreError: when it cannot be opened.
    """
    from gatewatch.store.open import SQLITE, is_postgres

    address = store_address(project)
    if not is_postgres(address) and not Path(address.removeprefix(SQLITE)).is_file():
        return None
    return store_of(project)


def base_of(project: Project) -> "Database":
    """The base of the project's store: where projects and tokens are.

    Raises:
        ConfigError: for an address that no store is known for.
        StoreError: when it cannot be opened, or is of another version.
    """
    from gatewatch.store import schema
    from gatewatch.store.open import open_database

    db = open_database(store_address(project))
    try:
        schema.ready(db)
    except BaseException:
        db.close()
        raise
    return db


def name_of(project: Project) -> str:
    """The name under which a project is registered in a store: its own, in letters that such a name may have."""
    name = re.sub(r"[^a-z0-9_-]+", "-", project.settings.project.name.lower()).strip("-_")[:63]
    return name or "default"


def store_address(project: Project) -> str:
    """The address of the project's store; a path in it does not depend on where a command is called. It may have a
    password in it: messages call a store by its `name`.

    Raises:
        ConfigError: for one that no store is known for, and for a PostgreSQL where the project has no name.
    """
    from gatewatch.store.open import SQLITE, is_postgres

    address, where = project.settings.project.store, f"{FILE}: project.store"
    if is_postgres(address) and "\0" not in address:
        if not project.settings.project.name:
            what = "is shared by projects, and this one has no name"
            raise ConfigError(Problem(f"{FILE}: project.name", f"missing: a PostgreSQL {what}"))
        return address
    path = address.removeprefix(SQLITE)
    if path == address or not path or "\0" in path:
        begins = re.split("[:=@]", address)[0]  # what follows may be a password
        what = f"expected sqlite:///PATH or postgresql://USER@HOST/DATABASE, got {begins!r}"
        raise ConfigError(Problem(where, what))
    return f"{SQLITE}{project.root / path}"


def _monitors(project: Project, problems: Problems, models: WatchedModels | None, hold: float) -> Iterator[Monitor]:
    flows: dict[str, str] = {}
    for name, settings in project.settings.monitors.items():
        where = f"{FILE}: monitors.{name}"
        if settings.flow in flows:
            what = f"the flow {settings.flow!r} has a monitor already, {flows[settings.flow]!r}"
            problems.append(Problem(f"{where}.flow", what, "put the scorers of a flow into one monitor"))
        flows.setdefault(settings.flow, name)
        always = _always(settings, where, problems)
        named = [each.use for each in settings.scorers]
        watches = []
        for place, each in enumerate(settings.scorers):
            at = f"{where}.scorers[{place}]"
            if each.use in named[:place]:
                problems.append(Problem(at, f"{each.use!r} is given twice"))
            with problems.gather():
                scorer = monitored(project, each.use, at)
                if models is not None and scorer.bind_models is not None:
                    scorer = scorer.bind_models(models)
                watches.append(_watch(scorer, each, always, at, _guess(project, scorer, at, settings.budget)))
        budget = None
        if settings.budget:
            budget = problems.read(units.dollars_per_day, settings.budget, f"{where}.budget", 0.0)
        yield Monitor(
            name=name,
            flow=settings.flow,
            watches=tuple(watches),
            always=always,
            budget=budget,
            hold_s=hold,
            payload_rate=settings.payload_rate,
            session_end_s=problems.read(units.seconds, settings.session_end, f"{where}.session_end", 1.0),
        )


def _always(settings: MonitorSettings, where: str, problems: Problems) -> tuple[Rule, ...]:
    found = []
    known = (*marks.MARKS, HIGH_COST)
    for place, name in enumerate(settings.always):
        if name not in known:
            what = f"{name!r} is no mark of a request"
            problems.append(Problem(f"{where}.always[{place}]", what, did_you_mean(name, known)))
        elif name != HIGH_COST:
            found.append(Rule(1.0, marks=marks.bits([name])))
        elif not settings.high_cost:
            problems.append(Problem(f"{where}.high_cost", "missing", 'always has "high_cost": say from which cost on'))
        else:
            limit = problems.read(parse_budget, settings.high_cost, f"{where}.high_cost", 0.0)
            found.append(Rule(1.0, cost_over=limit))
    return tuple(found)


def monitored(project: Project, name: str, where: str) -> Scorer:
    """A scorer that is to look at live traffic, by its name; its models are not bound yet.

    Raises:
        ConfigError: when there is none, or it needs what live traffic does not have.
    """
    scorer = project.named(name, where)
    if scorer.reference_based:
        what = f"{name!r} needs what was expected, which live traffic does not have"
        raise ConfigError(Problem(where, what, "use it in a suite, and here one that looks at the output alone"))
    for model in scorer.models:
        project.model_settings(model)
    return scorer


def _guess(project: Project, scorer: Scorer, where: str, budget: str) -> float:
    """What one score may cost, by the prices of the models that it asks.

    Raises:
        ConfigError: where there is a budget, and a price is unknown: it could not be kept.
    """
    total = 0.0
    for name in scorer.models:
        settings = project.model_settings(name)
        cost = cost_of_call(project, settings, _TYPICAL + scorer.prompt_length)
        if cost is None and budget:
            what = f"cannot be kept to the budget: the price of {settings.model!r} ([models.{name}]) is unknown"
            hint = f'add [prices."{settings.model}"] with input and output'
            raise ConfigError(Problem(where, what, hint))
        total += cost or 0.0
    return total


def _watch(scorer: Scorer, settings: MonitoredScorer, always: tuple[Rule, ...], where: str, guess: float) -> Watch:
    per_day, share = None, 1.0
    if isinstance(settings.sample, str):
        try:
            per_day = units.per_day(settings.sample)
        except ValueError as error:
            raise ConfigError(Problem(f"{where}.sample", str(error))) from None
    else:
        share = settings.sample
    rules = [Rule(share)]
    rules += [Rule(rate, slice=name) for name, rate in settings.slices.items()]
    rules += [Rule(rate, tag=name) for name, rate in settings.tags.items()]
    rules += [Rule(rate, variant=name) for name, rate in settings.variants.items()]
    if share < 1.0 or per_day is not None:
        rules += always
    return Watch(scorer=scorer, rules=tuple(rules), per_day=per_day, guess=guess)
