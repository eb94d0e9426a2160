"""What the pages of datasets stand on: the books of the checkout, versions, audits that were made, live traffic."""

from datetime import datetime
from pathlib import Path
from threading import Lock

from msgspec import Struct

from gatewatch.config.auditing import audit_dataset, live_of
from gatewatch.config.case_edit import may_write
from gatewatch.config.dataset_books import Book, Books, Known, books_of
from gatewatch.config.dataset_versions import Versions
from gatewatch.config.load import shortest
from gatewatch.config.stored_runs import StoredRuns
from gatewatch.core.clock import wall
from gatewatch.core.errors import ConfigError, DatasetError
from gatewatch.loop.audit import Audit, Unknown
from gatewatch.loop.audit_live import SliceMix, slice_mix, unknown_slices
from gatewatch.offline.baseline import baseline_path
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.house import House
from gatewatch.web.pages.jobs import Job
from gatewatch.web.refusals import Refused

AUDIT_DAYS = 30.0
"""For how many days nothing like a case must have been asked for it to be stale, as `gatewatch audit` has it."""
_MIX_S = 120.0


class Audited(Struct, frozen=True):
    """An audit that was made, when, in seconds since the epoch, and how long it took, in seconds."""

    audit: Audit
    at: float
    seconds: float


class Line(Struct, frozen=True, kw_only=True):
    """A dataset in the list. `flaw` says why it cannot be read. `pinned` are the suites that have a baseline, so that
    their gates use it. Of one that only runs tell of (there is no checkout), `runs` is how many had it."""

    name: str
    path: str
    suites: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    version: str = ""
    cases: int | None = None
    retired: int = 0
    slices: int | None = None
    promoted: float = 0.0
    audited: Audited | None = None
    fresh: bool = True
    flaw: str = ""
    runs: int = 0

    def share(self, *checks: str) -> float | None:
        """Which share of the cases the last audit found under some checks; None where it was not made, or could not
        tell."""
        counts = {} if self.audited is None else self.audited.audit.counts
        found = [counts[check].share for check in checks if check in counts]
        return max(found) if len(found) == len(checks) else None

    def why_unknown(self, check: str) -> str:
        """Why there is no share of a check."""
        if self.audited is None:
            return "not audited since the server started"
        return self.audited.audit.unchecked.get(check, "")


class Mix(Struct, frozen=True):
    """The slices of a dataset beside live traffic, or why they cannot be; `flow` and `days` say of what."""

    slices: tuple[SliceMix, ...]
    flow: str = ""
    days: float = AUDIT_DAYS
    requests: int = 0
    why: str = ""


class Shelf:
    """What is known of the datasets of a server; threads may share it."""

    def __init__(self, house: House) -> None:
        self.jobs = house.jobs
        self._house = house
        self._books = None if house.own is None else books_of(house.own)
        self._versions: Versions | None = None
        self._mixes: dict[tuple[str, str], tuple[float, Mix]] = {}
        self._lock = Lock()

    def runs(self, asked: Asked) -> StoredRuns:
        """The runs that whoever asks has."""
        return self._house.joins.of(asked.visitor.project, asked.store).runs

    def books(self, asked: Asked) -> Books:
        """The datasets of the checkout.

        Raises:
            Refused: there is no checkout of their project here.
        """
        if asked.project is None or self._books is None:
            hint = "its files are in the checkout: run `gatewatch serve` there, or look at the runs"
            raise Refused(404, "this server has the store of the project, not its datasets", hint=hint)
        return self._books

    def book(self, asked: Asked, name: str) -> Book:
        """A dataset by its name.

        Raises:
            Refused: there is none of that name, or it cannot be read.
        """
        books = self.books(asked)
        try:
            return books.of(books.named(name))
        except ConfigError as error:
            raise Refused(404, error.problems[0].what, hint=error.problems[0].hint) from None
        except DatasetError as error:
            raise Refused(422, "the dataset cannot be read", hint=str(error)[:2000]) from None

    def versions(self, asked: Asked, book: Book) -> Versions:
        """The versions of the checkout's datasets."""
        with self._lock:
            if self._versions is None:
                self._versions = Versions(self.books(asked).project.root, self.runs(asked))
            return self._versions

    # The list

    def lines(self, asked: Asked) -> list[Line]:
        """Every dataset, as a list has it."""
        if asked.project is None or self._books is None:
            return self._of_runs(asked)
        return [self._line(self._books, each) for each in self._books.known()]

    def _line(self, books: Books, known: Known) -> Line:
        pinned = tuple(name for name in known.suites if baseline_path(books.project.root, name).is_file())
        try:
            book = books.of(known)
        except DatasetError as error:
            return Line(name=known.name, path=known.path, suites=known.suites, pinned=pinned, flaw=str(error))
        audited = self.audited(known)
        return Line(
            name=known.name,
            path=known.path,
            suites=known.suites,
            pinned=pinned,
            version=book.dataset.version,
            cases=len(book.entries) - book.retired,
            retired=book.retired,
            slices=len(book.slices),
            promoted=seconds_of(book.promoted),
            audited=audited,
            fresh=audited is None or audited.audit.dataset_version == book.dataset.version,
        )

    def _of_runs(self, asked: Asked) -> list[Line]:
        """The datasets that pushed runs went over, where there is no checkout."""
        found: dict[str, Line] = {}
        for each in self.runs(asked).listed():
            ref = each.header.dataset
            known = found.get(ref.path)
            found[ref.path] = Line(
                name=Path(ref.path).stem,
                path=ref.path,
                suites=tuple(dict.fromkeys([*(known.suites if known else ()), each.header.suite])),
                version=known.version if known else ref.version,
                cases=known.cases if known else ref.cases,
                runs=(known.runs if known else 0) + 1,
            )
        return list(found.values())

    # Audits

    def job(self, known: Known) -> Job | None:
        """The audit of a dataset that was asked for last."""
        return self.jobs.of(audit_key(known.path))

    def audited(self, known: Known) -> Audited | None:
        """The last audit of a dataset that was made."""
        job = self.jobs.last(audit_key(known.path))
        return None if job is None else Audited(job.result, job.ended, job.ended - job.begun)

    def audit(self, asked: Asked, known: Known) -> Job:
        """Begin to audit a dataset, unless that is under way: of several suites that have it for the first that has a
        baseline."""
        project = self.books(asked).project
        pinned = [name for name in known.suites if baseline_path(project.root, name).is_file()]
        name = next(iter([*pinned, *known.suites]), str(shortest(project.root / known.path)))
        return self.jobs.start(audit_key(known.path), lambda _: audit_dataset(project, name, days=AUDIT_DAYS)[0])

    def may_write(self, asked: Asked, book: Book) -> bool:
        """Whether whoever asks may edit a dataset in its file."""
        return asked.may("review") and may_write(book.path)

    # Coverage

    def mix(self, asked: Asked, book: Book, flow: str) -> Mix:
        """The slices of a dataset beside those of live traffic; believed for two minutes."""
        key, now = (f"{book.known.path}\0{book.dataset.version}", flow), wall()
        with self._lock:
            found = self._mixes.get(key)
        if found is None or not 0 <= now - found[0] < _MIX_S:
            found = now, self._mixed(asked, book, flow)
            with self._lock:
                if len(self._mixes) > 50:
                    self._mixes.clear()
                self._mixes[key] = found
        return found[1]

    def _mixed(self, asked: Asked, book: Book, flow: str) -> Mix:
        project = self.books(asked).project
        suite = book.known.suites[0] if book.known.suites else ""
        live = live_of(project, suite, flow, AUDIT_DAYS)
        slices = [each.slice for each in book.entries if each.state != "retired"]
        if isinstance(live, Unknown):
            return Mix(tuple(_alone(slices)), why=live.why)
        why = unknown_slices(live)
        found = slice_mix(slices, live) if not why else _alone(slices)
        found.sort(key=lambda each: (not each.gap, -(each.live or 0.0), -each.cases, each.slice))
        return Mix(tuple(found), live.flow, live.days, len(live.parts), why)


def _alone(slices: list[str]) -> list[SliceMix]:
    """The slices of cases, where nothing is known of live traffic."""
    total = len(slices)
    found = {name: slices.count(name) for name in sorted(set(slices))}
    return [
        SliceMix(name, None, None, None, 0, cases, cases / total, 0, gap=False)
        for name, cases in sorted(found.items(), key=lambda each: -each[1])
    ]


def audit_key(path: str) -> str:
    """Under which key the audits of a dataset are kept, by its file from the project's folder."""
    return f"audit {path}"


def seconds_of(text: str) -> float:
    """A moment or day, as provenance has it, in seconds since the epoch; 0 for what is none."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else 0.0
    except ValueError:
        return 0.0
