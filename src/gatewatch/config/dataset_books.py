"""The datasets of a project as people look at them: which there are, and their cases by what is asked of them.

A file is read when it is first asked for, and again when it has changed.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from msgspec import Struct

from gatewatch.config.load import shortest
from gatewatch.config.parts import project_slice
from gatewatch.config.project import Project
from gatewatch.config.stored_runs import Mark, mark_of
from gatewatch.core import codec
from gatewatch.core.case import Case, Tier
from gatewatch.core.errors import ConfigError, DatasetError, InputError, Problem, among_many
from gatewatch.loop.audit_history import history
from gatewatch.loop.finding import looked
from gatewatch.offline.baseline import baseline_path, read_baseline
from gatewatch.offline.dataset import Dataset, open_dataset
from gatewatch.offline.outcomes import Outcomes
from gatewatch.offline.plan import slice_name

State = Literal["open", "must_pass", "retired", "plain"]
Origin = Literal["promoted", "imported", "written"]
STATES: tuple[State, ...] = ("must_pass", "open", "retired", "plain")
ORIGINS: tuple[Origin, ...] = ("promoted", "imported", "written")
FOLDER = "datasets"
_MOST_HELD = 20


class Known(Struct, frozen=True):
    """A dataset: what it is called here, its file from the project's folder, and the suites that have it."""

    name: str
    path: str
    suites: tuple[str, ...] = ()


class Entry(Struct, frozen=True, gc=False):
    """A case as a list knows it: where it is in the dataset, in which line, and what it can be chosen by."""

    place: int
    line: int
    id: str
    slice: str
    tier: Tier
    state: State
    origin: Origin
    promoted: str = ""


class Chosen(Struct, frozen=True):
    """Which cases are wanted; what is "" chooses nothing. `text` may stand anywhere in a case's line."""

    text: str = ""
    slice: str = ""
    tier: str = ""
    state: str = ""
    origin: str = ""


class Book:
    """A dataset that was read, with an entry for each of its cases."""

    def __init__(self, known: Known, path: Path, dataset: Dataset, slice_of: Callable[[Any], Any] | None) -> None:
        self.known = known
        self.path = path
        self.dataset = dataset
        self.entries = tuple(_entry(place, case, dataset, slice_of) for place, case in enumerate(dataset))
        self.slices = Counter(each.slice for each in self.entries if each.state != "retired")
        self.promoted = max((each.promoted for each in self.entries), default="")
        self._by_id = {each.id: each for each in self.entries}

    @property
    def retired(self) -> int:
        """How many cases are retired."""
        return sum(each.state == "retired" for each in self.entries)

    def entry(self, case: str) -> Entry | None:
        """The entry of a case by its id."""
        return self._by_id.get(case)

    def case(self, entry: Entry) -> Case:
        """The case of an entry.

        Raises:
            DatasetError: its file was written to since.
        """
        return self.dataset[entry.place]

    def matching(self, by: Chosen) -> list[Entry]:
        """The entries that are wanted, in the order of the file."""
        found = [
            each
            for each in self.entries
            if (not by.slice or each.slice == by.slice)
            and (not by.tier or each.tier == by.tier)
            and (not by.state or each.state == by.state)
            and (not by.origin or each.origin == by.origin)
        ]
        words = by.text.casefold().split()
        return [each for each in found if self._has(each, words)] if words else found

    def _has(self, entry: Entry, words: list[str]) -> bool:
        text = codec.text_of(codec.plain(self.case(entry))).casefold()
        return all(word in text for word in words)


def _entry(place: int, case: Case, dataset: Dataset, slice_of: Callable[[Any], Any] | None) -> Entry:
    state: State = "retired" if case.retired else "must_pass" if case.must_pass else "open" if case.open else "plain"
    live = "trace" in case.provenance
    return Entry(
        place=place,
        line=int(dataset.place(place).rpartition(":")[2]),
        id=case.id,
        slice=case.slice or slice_name(slice_of, case),
        tier=case.tier,
        state=state,
        origin="promoted" if live else "imported" if case.provenance else "written",
        promoted=str(case.provenance.get("at", "")) if live else "",
    )


@lru_cache(4)
def books_of(project: Project) -> "Books":
    """The datasets of a project, the same for all who ask."""
    return Books(project)


class Books:
    """The datasets of a project; threads may share it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._held: dict[Mark, Book] = {}
        self._pinned: dict[Mark, Outcomes | None] = {}
        self._lock = Lock()

    def known(self) -> list[Known]:
        """Every dataset there is: those of suites, in their order, then other files of the folder of datasets."""
        suites: dict[str, list[str]] = {}
        for name, suite in self.project.settings.suites.items():
            suites.setdefault(Path(suite.dataset).as_posix(), []).append(name)
        paths = list(suites)
        for path in sorted((self.project.root / FOLDER).glob("*")):
            beside = path.relative_to(self.project.root).as_posix()
            if path.suffix.lower() in (".jsonl", ".csv") and path.is_file() and beside not in suites:
                paths.append(beside)
        stems = Counter(Path(path).stem for path in paths)
        return [
            Known(
                Path(path).stem if stems[Path(path).stem] == 1 else path.strip("/").replace("/", "."),
                path,
                tuple(suites.get(path, ())),
            )
            for path in paths
        ]

    def named(self, name: str) -> Known:
        """A dataset by what it is called here.

        Raises:
            ConfigError: there is none of that name.
        """
        every = self.known()
        for each in every:
            if each.name == name:
                return each
        names = [each.name for each in every]
        raise ConfigError(Problem("dataset", f"there is no dataset {name!r}", among_many(name, names, "see the list")))

    def of(self, known: Known) -> Book:
        """A dataset, read.

        Raises:
            DatasetError: with all that is wrong in it.
        """
        path = shortest(self.project.root / known.path)
        mark = mark_of(path)
        with self._lock:
            found = self._held.get(mark)
        if found is None or found.known != known:
            slice_of = None
            with suppress(InputError):
                slice_of = project_slice(self.project)
            found = Book(known, path, open_dataset(path), slice_of)
            with self._lock:
                if len(self._held) >= _MOST_HELD:
                    self._held.clear()
                self._held[mark] = found
        return found

    def readable(self) -> Iterator[Book]:
        """Every dataset that can be read."""
        for each in self.known():
            with suppress(DatasetError):
                yield self.of(each)

    def pinned(self, suite: str) -> Outcomes | None:
        """The pinned baseline of a suite, where it has one that can be read."""
        path = baseline_path(self.project.root, suite)
        mark = mark_of(path)
        if mark not in self._pinned:
            if len(self._pinned) >= _MOST_HELD:
                self._pinned.clear()
            self._pinned[mark] = None
            with suppress(InputError):
                self._pinned[mark] = read_baseline(path) if path.is_file() else None
        return self._pinned[mark]

    def passes(self, book: Book, entries: list[Entry]) -> dict[str, dict[str, tuple[bool, ...]]]:
        """By case and scorer, whether each of its last outcomes was a pass, the newest last: of the baseline of the
        first suite that has the dataset and a baseline, as far as the case is still what it was then."""
        for suite in book.known.suites:
            baseline = self.pinned(suite)
            if baseline is not None:
                cases = [looked(each.place, "", book.case(each)) for each in entries]
                return {case: dict(found) for case, found in history(baseline, cases).items()}
        return {}
