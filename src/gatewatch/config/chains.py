"""From a name to its chain: what the store, the datasets, the runs and the verdicts have of it, and what is missing."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from gatewatch.config.load import shortest
from gatewatch.config.monitors import store_there
from gatewatch.config.project import Project
from gatewatch.config.verdicts import verdict_of
from gatewatch.core.case import Case
from gatewatch.core.change import Change
from gatewatch.core.errors import InputError, Problem, StoreError, among_many
from gatewatch.core.failure import failure_name, number_in
from gatewatch.core.review import Item
from gatewatch.loop import chain
from gatewatch.loop.chain import Link
from gatewatch.loop.rebaseline import failure_of
from gatewatch.offline.baseline import baseline_path, read_baseline
from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.journal import JournalReader
from gatewatch.offline.outcomes import read_run
from gatewatch.offline.result import run_paths

if TYPE_CHECKING:
    from gatewatch.store.base import Store

Kind = Literal["failure", "item", "change", "case"]
_LETTERS: dict[str, Kind] = {"F": "failure", "I": "item", "C": "change"}
_RUNS = 10
_LOOKED_AT = 200
_REQUESTS = 20
_AUDIT = 10_000


class Chain(Struct, frozen=True):
    """All that is known of a name, link by link; `missing` says what is not, and why."""

    kind: Kind
    name: str
    links: tuple[Link, ...]
    missing: tuple[str, ...] = ()


class _Placed(Struct, frozen=True):
    """A case, where it stands, and of which suites."""

    case: Case
    place: str
    suites: tuple[str, ...]


def kind_of(project: Project, name: str) -> Kind | None:
    """What a name is one of, apart from a run's: a failure's, an item's, a change's (by its letter), or a case's."""
    if number_in(name, name[:1].upper()) is not None and name[:1].upper() in _LETTERS:
        return _LETTERS[name[:1].upper()]
    return "case" if any(each.case.id == name for each in _cases(project)) else None


def chain_of(project: Project, name: str, kind: Kind, store: "Store | None" = None) -> Chain:
    """The chain of a failure, an item, a change or a case; in a store that is open, if one is given.

    Raises:
        InputError: when there is none of that name, or the store that would know cannot be opened.
    """
    made = _Chain(project, name, kind, store)
    try:
        made.follow()
    finally:
        if store is None:
            made.close()
    return Chain(kind, name, chain.in_order(made.links), tuple(dict.fromkeys(made.missing)))


class _Chain:
    def __init__(self, project: Project, name: str, kind: Kind, store: "Store | None") -> None:
        self.project, self.name, self.kind = project, name, kind
        self.links: list[Link] = []
        self.missing: list[str] = []
        self.known = {name}
        self.store = store
        try:
            self.store = store or store_there(project)
            why = "" if self.store is not None else "there is no store here"
        except StoreError as error:
            why = f"the store cannot be opened: {error}"
        if why and kind != "case":
            raise InputError(Problem(name, f"is not to be found, {why}", "it is kept in the project's store"))
        if why:
            self.missing.append(f"requests, failures, labels and changes, but for what cases say: {why}")

    def close(self) -> None:
        if self.store is not None:
            self.store.close()

    def follow(self) -> None:
        every = list(_cases(self.project))
        cases = [each for each in every if each.case.id == self.name] if self.kind == "case" else self._named(every)
        if self.kind == "case" and not cases:
            hint = among_many(self.name, [each.case.id for each in every], "datasets list them")
            raise InputError(Problem(self.name, "is no case of a suite's dataset", hint))
        for each in cases:
            self._case(each)
        if self.store is not None:
            self.known |= {link.name for link in self.links if link.step not in ("score", "run", "verdict")}
            self.links += chain.of_audit(self.store.audit(0.0, _AUDIT), self.known)

    # What is kept in the store

    def _named(self, every: list[_Placed]) -> list[_Placed]:
        """The links of a failure, an item or a change up to its cases; and those."""
        store, number = self.store, int(self.name[1:])
        assert store is not None
        if self.kind == "failure":
            if store.failure(number) is None:
                raise self._unknown("failure")
            self._failure(number)
            for item in store.items(failure=number, most=_REQUESTS):
                self._item(item)
            self._changes(store.changes(failure=number))
            return [each for each in every if failure_of(each.case) == number]
        if self.kind == "item":
            found = store.item(number)
            if found is None:
                raise self._unknown("item")
            self._failure(found.failure)
            self._item(found)
            return [each for each in every if found.trace in chain.traces_of(each.case)]
        change = store.change(number)
        if change is None:
            raise self._unknown("change")
        self._changes([change])
        self._failure(change.failure)
        return [each for each in every if each.case.id in _cases_in(change)]

    def _unknown(self, what: str) -> InputError:
        return InputError(Problem(self.name, f"there is no such {what}", "the store is that of gatewatch.toml"))

    def _failure(self, number: int) -> None:
        found = self.store.failure(number) if self.store is not None and number else None
        if found is not None:
            self.links.append(chain.of_failure(found))
        elif number:
            self.missing.append(f"{failure_name(number)} is not in the store")

    def _item(self, item: Item) -> None:
        assert self.store is not None
        self._request(item.trace)
        self.links += chain.of_item(item, self.store.labels([item.id]))

    def _request(self, trace: str) -> None:
        row = self.store.find(trace) if self.store is not None else None
        if row is not None and self.store is not None:
            self.links += chain.of_request(row, self.store.scores(row.seq))
        elif self.store is not None:
            self.missing.append(f"request {trace} is not in the store any more")

    def _changes(self, changes: list[Change]) -> None:
        self.links += map(chain.of_change, changes)

    # A case, and what became of it

    def _case(self, placed: _Placed) -> None:
        case = placed.case
        number, traces = failure_of(case), chain.traces_of(case)
        if self.store is not None:
            self._failure(number or 0)
            for trace in traces[:_REQUESTS]:
                self._request(trace)
                for item in self.store.items(trace=trace):
                    self.links += chain.of_item(item, self.store.labels([item.id]))
            changes = self.store.changes(failure=number) if number else self.store.changes(kind="case")
            self._changes([each for each in changes if case.id in _cases_in(each)])
        kept = {(link.step, link.name) for link in self.links}
        labelled = any(link.step == "label" for link in self.links)
        for link in chain.of_provenance(case):
            if (link.step, link.name) not in kept and not (labelled and link.step == "label"):
                self.links.append(link)
        self.known |= set(traces)
        self.links.append(chain.of_case(case, placed.place))
        for suite in placed.suites:
            self._became(suite, case)

    def _became(self, suite: str, case: Case) -> None:
        """The newest runs of a suite that had a case, the verdicts on them, and the baseline."""
        found = 0
        for path in run_paths(self.project.runs)[:_LOOKED_AT]:
            header = _header(path)
            if header is None or header.suite != suite or header.purpose not in ("", "flips", "trials"):
                continue
            run = read_run(path)
            if case.id not in run.cases:
                continue
            self.links.append(chain.of_run(run, case.id, header.started))
            verdict = verdict_of(self.project, run.run)
            if verdict:
                self.links.append(chain.of_verdict(verdict, run.run, case.id, header.started))
            found += 1
            if found == _RUNS:
                break
        if not found:
            self.missing.append(f"no run of {suite} that had it is kept here")
        path = baseline_path(self.project.root, suite)
        baseline = read_baseline(shortest(path)) if path.is_file() else None
        if baseline is None or case.id not in baseline.cases:
            self.missing.append(f"the baseline of {suite} does not have it yet")
        else:
            self.links.append(chain.of_baseline(baseline, case.id))


def _cases(project: Project) -> Iterator[_Placed]:
    """The cases of the suites' datasets; those of a dataset that cannot be read are left out."""
    suites: dict[str, list[str]] = {}
    for name, suite in project.settings.suites.items():
        suites.setdefault(suite.dataset, []).append(name)
    for path, names in suites.items():
        try:
            dataset = open_dataset(shortest(project.root / path))
        except InputError:
            continue
        for place, case in enumerate(dataset):
            yield _Placed(case, dataset.place(place), tuple(names))


def _cases_in(change: Change) -> set[str]:
    """The ids of the cases that a change is about."""
    case: Any = change.body.get("case")
    found = {case.get("id") if isinstance(case, dict) else None, change.body.get("into")}
    return {each for each in found if isinstance(each, str) and each}


def _header(path: Path) -> Any:
    try:
        return JournalReader(path).header
    except InputError:
        return None
