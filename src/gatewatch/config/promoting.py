"""Promoting, composed: from a failure, an item or a request to a change in the outbox, and into the dataset's file."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.config import units
from gatewatch.config.load import FILE, shortest
from gatewatch.config.monitors import redaction
from gatewatch.config.parts import project_slice
from gatewatch.config.project import Problems, Project
from gatewatch.config.promotable import Asked, sources
from gatewatch.config.proposed import case_in, proposed, there_in
from gatewatch.config.runs import suite_settings
from gatewatch.config.writable import may_write
from gatewatch.core import codec
from gatewatch.core.case import Case
from gatewatch.core.change import Change, change_name
from gatewatch.core.clock import now as today
from gatewatch.core.errors import ConfigError, InputError, Problem, did_you_mean
from gatewatch.core.failure import FailureState
from gatewatch.core.review import Item, Label
from gatewatch.core.spots import replaced
from gatewatch.loop.guard import guarded
from gatewatch.loop.promote import Source, Terms, change_of, made_case
from gatewatch.loop.pull import Applied, apply, here
from gatewatch.loop.same import Decision, There, Way, agrees, alike, decided
from gatewatch.offline.dataset_edit import NotWritable
from gatewatch.scorers.base import Scorer

if TYPE_CHECKING:
    from gatewatch.store.base import Store

_UNGUARDED: tuple[FailureState, ...] = ("new", "in_review")
_BEFORE: tuple[FailureState, ...] = (*_UNGUARDED, "regressed", "ignored", "fixed")


class Planned(Struct, frozen=True):
    """A request, the case that it makes, and what becomes of that."""

    source: Source
    case: Case
    decision: Decision
    notes: tuple[str, ...] = ()


class Promoted(Struct, frozen=True, kw_only=True):
    """What became of a request: the change that brings its case, if any does, and what became of that in this checkout.
    Where that is None, it waits for `gatewatch pull`, because of `waits`."""

    planned: Planned
    change: Change | None = None
    applied: Applied | None = None
    waits: str = ""
    notes: tuple[str, ...] = ()


class Look(Struct, frozen=True):
    """A request before it is promoted: the case that it would make, the cases that ask nearly the same, each with how
    nearly, and what would become of it; `problems` say why nothing would, as things stand."""

    source: Source
    case: Case | None = None
    alike: tuple[tuple[There, float], ...] = ()
    decision: Decision | None = None
    problems: tuple[Problem, ...] = ()


class Looks(Struct, frozen=True):
    """Requests before they are promoted, and into which suite's dataset they would go; `writable` says whether that
    file may be written here, else they wait in the outbox."""

    suite: str
    path: str
    looks: tuple[Look, ...]
    left: tuple[str, ...]
    writable: bool


class Outcome(Struct, frozen=True):
    """All that became of what was to be promoted, into which suite's dataset; and what was not, and why."""

    suite: str
    path: str
    promoted: tuple[Promoted, ...] = ()
    refused: tuple[Problem, ...] = ()
    left: tuple[str, ...] = ()


def promote(project: Project, store: "Store", what: Sequence[str], asked: Asked, now: float) -> Outcome:
    """Make cases of what people found wrong.

    Each is written into the store's outbox first, all or none; then into the dataset's file, where that may be done
    here. When it is stopped in between, it can be called again: nothing is lost, and nothing is there twice.

    Args:
        project: the project.
        store: its store.
        what: failures (F3: all of its items that were found wrong), items (I7), requests by their ids.
        asked: how.
        now: in seconds since the epoch.

    Raises:
        InputError: what is named is not there; or with why nothing of it can be promoted.
        StoreError: what was done until then stays done.
    """
    found, left = sources(store, what, asked)
    name = _suite(project, asked.suite, found)
    dataset = suite_settings(project, name).dataset
    path = shortest(project.root / dataset)
    terms, problems = _terms(project, asked, now), Problems()
    there = there_in(store, path, dataset, every=asked.outbox)
    planned = _planned(project, name, found, terms, asked.way, there, path, problems)
    if not planned:
        problems.raise_any()
    made = [
        change_of(each.decision, each.case, suite=name, path=dataset, terms=terms, source=each.source)
        for each in planned
    ]
    if asked.dry:
        done = [Promoted(planned=each) for each in planned]
        return Outcome(name, str(path), tuple(done), tuple(problems), tuple(left))
    for each in planned:
        _put_up(project, store, each.source, asked, now)
    where = here(project.root)
    done = []
    for each, change in zip(planned, _proposed(store, made, planned, now), strict=True):
        with problems.gather():
            done.append(_finished(project, store, each, change, asked, where, now))
    return Outcome(name, str(path), tuple(done), tuple(problems), tuple(left))


def look(project: Project, store: "Store", what: Sequence[str], asked: Asked, now: float) -> Looks:
    """See what would become of requests if they were promoted, each by itself; nothing is written.

    Raises:
        InputError: what is named is not there, or it is not known into which dataset it would go.
    """
    found, left = sources(store, what, asked)
    name = _suite(project, asked.suite, found)
    dataset = suite_settings(project, name).dataset
    path = shortest(project.root / dataset)
    terms, there = _terms(project, asked, now), there_in(store, path, dataset, every=asked.outbox)
    looks = []
    for source in found:
        case, like, problems = None, tuple[tuple[There, float], ...](), Problems()
        decision = None
        with problems.gather():
            case = made_case(source, terms)
            like = tuple(alike(case, there))
            decision = decided(case, there, str(path), asked.way)
        looks.append(Look(source, case, like, decision, tuple(problems)))
    writable = not asked.outbox and path.is_file() and may_write(path)
    return Looks(name, str(path), tuple(looks), tuple(left), writable)


def _planned(
    project: Project,
    suite: str,
    found: Sequence[Source],
    terms: Terms,
    way: Way,
    there: list[There],
    path: Path,
    problems: Problems,
) -> list[Planned]:
    """What becomes of each request, held against the dataset and against those before it."""
    scorers = _scorers(project, suite)
    planned = []
    for source in found:
        with problems.gather():
            case = made_case(source, terms)
            notes = tuple(guarded(source, case, scorers, suite))
            decision = decided(case, there, str(path), way)
            planned.append(Planned(source, case, decision, notes))
            there = _with(there, decision)
    return planned


def _terms(project: Project, asked: Asked, now: float) -> Terms:
    loop, problems = project.settings.loop, Problems()
    days = problems.read(units.seconds, loop.open, f"{FILE}: loop.open", 86_400.0) / 86_400
    slice_of: Callable[[Any], Any] | None = None
    with problems.gather():
        slice_of = project_slice(project)
    problems.raise_any()
    until = asked.until or today().date() + timedelta(days=max(1, round(days)))
    if until < today().date():
        raise ConfigError(Problem("--until", f"{until} has passed already", "give a day to come"))
    return Terms(
        by=asked.by,
        at=now,
        until=until,
        owner=asked.owner or loop.owner,
        strict=asked.strict or loop.strict,
        expected=asked.expected,
        slice=asked.slice,
        redact=redaction(project),
        clean=_cleaning(project),
        slice_of=slice_of,
    )


def _cleaning(project: Project) -> Callable[[Any], Any]:
    """What takes personal data and secrets out of what people wrote, where the project does not keep them."""
    if project.settings.online.redact != "pii":
        return lambda value: value
    from gatewatch.online.redact import find

    return lambda value: replaced(value, find, numbers=True)[0]


# Where it goes


def _suite(project: Project, named: str, sources: Sequence[Source]) -> str:
    """The suite into whose dataset something goes: the one named, the only one, the one that the flow's monitor shows
    beside, or the one that is called as the flow.

    Raises:
        ConfigError: it is not known which.
    """
    suites = project.settings.suites
    if named:
        if named not in suites:
            raise ConfigError(Problem("--suite", f"there is no suite {named!r}", did_you_mean(named, suites)))
        return named
    if not suites:
        raise ConfigError(Problem(FILE, "has no [suites]", "a case goes into the dataset of a suite"))
    if len({each.dataset for each in suites.values()}) == 1:
        return next(iter(suites))
    flows = {source.trace.flow for source in sources}
    beside = {each.flow: each.baseline for each in project.settings.monitors.values() if each.baseline}
    found = {beside.get(flow, flow if flow in suites else "") for flow in flows}
    if len(found) == 1 and (only := found.pop()) in suites:
        return only
    what = f"which suite is meant for {', '.join(sorted(flows)) or 'it'} is not known"
    raise ConfigError(Problem("--suite", what, f"give one of {', '.join(suites)}"))


def _with(there: list[There], decision: Decision) -> list[There]:
    """The cases as they are once a decision is carried out, so that the next request is held against them."""
    if decision.kind == "new":
        return [*there, There(decision.case)]
    if decision.into is None:
        return there
    return [replace(each, case=decision.case) if each is decision.into else each for each in there]


def _scorers(project: Project, suite: str) -> dict[str, Scorer]:
    """The scorers of a suite that can be had here: one that lacks its model's key says nothing of whether it needs what
    is expected any less."""
    where = f"{FILE}: suites.{suite}.scorers"
    return {name: project.named(name, where) for name in suite_settings(project, suite).scorers}


# The outbox, and the file


def _put_up(project: Project, store: "Store", source: Source, asked: Asked, now: float) -> None:
    """Keep a request that was named by its id as an item that nobody has to look at, so that an erasure finds its case
    by whose it was, however long ago the request itself has expired."""
    row = store.find(source.trace.id)
    if source.item is not None or row is None:
        return
    item = Item(
        queue="failures",
        flow=row.flow,
        trace=row.id,
        seq=row.seq,
        slice=row.slice,
        session=row.session,
        user=row.user,
        needed=project.settings.loop.reviewers,
        added=now,
    )
    (kept,) = store.add_items([(item, codec.encode(source.trace))], now)
    if kept.id:
        said = Label(item=kept.id, by=asked.by, at=now, expected=asked.expected, comment="promoted", settles=True)
        store.label(said, now)


def _proposed(
    store: "Store", made: Sequence[Change], planned: Sequence[Planned], now: float
) -> list[tuple[Change | None, Change]]:
    """For each: the change as it is in the outbox, and as it was meant. Of a case that is there, the one that waits to
    bring it, if any does: whoever wrote it was stopped before they said so."""
    new = [change for change, each in zip(made, planned, strict=True) if each.decision.kind != "there"]
    kept = iter(store.propose(new, now) if new else [])
    found: list[tuple[Change | None, Change]] = []
    for change, each in zip(made, planned, strict=True):
        if each.decision.kind != "there":
            found.append((next(kept)[0], change))
            continue
        into = each.decision.into
        waiting = store.change(into.change) if into and into.change else None
        found.append((waiting or _waiting(store, change.path, each.decision.case.id), change))
    return found


def _waiting(store: "Store", dataset: str, case: str) -> Change | None:
    pending = proposed(store, dataset, every=False)
    return next((each for each in pending if _case_id(each) == case), None)


def _case_id(change: Change) -> str:
    case = case_in(change)
    return str(change.body.get("into", "")) or ("" if case is None else case.id)


def _finished(
    project: Project,
    store: "Store",
    planned: Planned,
    changes: tuple[Change | None, Change],
    asked: Asked,
    where: str,
    now: float,
) -> Promoted:
    """Write a change into the file, if that may be done, and say so where it is to be known."""
    change, meant = changes
    found = Promoted(planned=planned, change=change, notes=planned.notes)
    if change is not None:
        if not change.id:
            raise InputError(Problem(planned.source.trace.id, "was erased: nothing is made of it"))
        if change.state in ("pulled", "merged") and planned.decision.kind == "new" and not asked.outbox:
            said = f"{change_name(change.id)} brought it before, and it was taken out of the file: it is there again"
            change, found = replace(change, body=meant.body), replace(found, notes=(*found.notes, said))
        _check_other(change, planned)
        found = _written(project, store, replace(found, change=change), asked, where, now)
        what = f"{planned.source.trace.id} {change_name(change.id)} case {planned.decision.case.id} of {meant.path}"
        store.note(now, asked.by, "promote", what)
    if planned.source.failure is not None:
        reason = f"case {planned.decision.case.id} of {meant.path}"
        number = planned.source.failure.id
        before = _BEFORE if change is not None else _UNGUARDED  # where nothing new was made, nothing guards it anew
        store.turn_failure(number, "promoted", who=asked.by, reason=reason, now=now, among=before)
    return found


def _check_other(change: Change, planned: Planned) -> None:
    """That nobody promoted the same query meanwhile, and expects something else.

    Raises:
        InputError: somebody did.
    """
    there, case = case_in(change), planned.case
    if planned.decision.kind != "new" or there is None or case.expected is None:
        return
    if not agrees(there.expected, case.expected):
        what = f"{change.by} promoted the same meanwhile ({change_name(change.id)}), and expects something else"
        raise InputError(Problem(planned.source.trace.id, what, "--merge takes the new one"))


def _written(project: Project, store: "Store", found: Promoted, asked: Asked, where: str, now: float) -> Promoted:
    change = found.change
    assert change is not None
    if asked.outbox:
        return replace(found, waits="as --outbox says") if change.state == "pending" else found
    try:
        applied = apply(change, shortest(project.root), (change.path,))
    except NotWritable as error:
        return replace(found, waits=error.problems[0].what)
    turned = store.turn_change(change.id, "pulled", now, where=where)
    return replace(found, applied=applied, change=turned or change)
