"""Checks of stores: runs that are pushed, in parts, each kept once and whole."""

from contextlib import suppress
from hashlib import sha256

from gatewatch.core import codec
from gatewatch.core.errors import InputError
from gatewatch.core.run import DatasetRef, RunEnd, RunHeader
from gatewatch.store.base import Store
from gatewatch.store.uploads import PART, AnotherJournal, Begun, KeptRun, NotBegun, Upload, parts_of

_NOW = 1_790_000_000.0
_WEEK_S = 7 * 86_400.0


def journal_of(run: str, size: int, *, seed: int = 0, ended: bool = True) -> bytes:
    """The journal of a run, of about a size in bytes, as plain as can be."""
    header = RunHeader(run=run, suite="main", task="x", dataset=DatasetRef("d.jsonl", "v", 1), scorers={}, seed=seed)
    lines = [codec.frame("head", codec.encode(header))]
    filler = sum(map(len, lines))
    number = 0
    while filler < size:
        lines.append(codec.frame("row", codec.encode({"case": f"{number}", "expected": f"{number:x}" * 500})))
        filler += len(lines[-1])
        number += 1
    if ended:
        lines.append(codec.frame("end", codec.encode(RunEnd("complete"))))
    return b"".join(lines)


def upload_of(run: str, journal: bytes, *, author: str = "") -> Upload:
    """What is announced of a journal."""
    record = codec.unframe(journal[: journal.find(b"\n") + 1])
    header = record[1] if record is not None else b""
    return Upload(run, "main", sha256(journal).hexdigest(), len(journal), header, author)


def pushed(store: Store, run: str, journal: bytes, *, now: float = _NOW) -> KeptRun:
    """Push a journal, whatever is missing of it."""
    upload = upload_of(run, journal, author="ci")
    for part in store.begin_upload(upload, now).missing:
        store.put_part(run, upload.digest, part, journal[part * PART : (part + 1) * PART])
    return store.finish_upload(run, upload.digest, now)


def read_back(store: Store, run: str) -> bytes:
    """A run's journal, as it is kept."""
    kept = store.run(run)
    assert kept is not None, f"{run} is not there"
    return b"".join(store.run_part(kept, part) for part in range(parts_of(kept.size)))


def keeps_runs_that_are_pushed(store: Store) -> None:
    """A journal comes back as it was; sent again it is one; what a cut left out is what is missing."""
    journal = journal_of("one", 2 * PART + 1000)
    upload = upload_of("one", journal, author="ci")
    assert store.begin_upload(upload, _NOW) == Begun(False, (0, 1, 2)), "a new journal's parts are not all missing"
    store.put_part("one", upload.digest, 1, journal[PART : 2 * PART])
    assert store.begin_upload(upload, _NOW) == Begun(False, (0, 2)), "a part that is there is missing"
    _refused(lambda: store.finish_upload("one", upload.digest, _NOW), "it was finished without all of its parts")
    _refused(lambda: store.put_part("one", upload.digest, 0, b"short"), "a part of another length was kept")
    _refused(lambda: store.put_part("one", upload.digest, 3, b"more"), "a part that it has not was kept")
    assert store.run("one") is None and store.runs() == [], "a journal that is not whole is a run"
    found = pushed(store, "one", journal)
    expected = KeptRun("one", "main", _NOW, "ci", upload.digest, len(journal), "complete", upload.header)
    assert found == expected == store.run("one"), f"it kept {found}"
    assert read_back(store, "one") == journal, "a journal came back as another"
    assert store.begin_upload(upload, _NOW + 1) == Begun(True), "a journal that is kept is wanted again"
    assert store.finish_upload("one", upload.digest, _NOW + 1) == expected, "a run that is kept was changed"


def keeps_one_journal_of_a_run(store: Store) -> None:
    """Another journal of a run's id is refused, but for one that goes on where the kept one was cut off."""
    cut = journal_of("two", 1000, ended=False)
    whole = journal_of("two", PART + 1000)
    assert whole.startswith(cut)
    assert pushed(store, "two", cut).state == "partial", "a run that was cut off is not partial"
    other = cut + codec.frame("row", b'{"case":"other"}') + whole[len(cut) :]
    changed = cut.replace(b'"case":"0"', b'"case":"9"') + whole[len(cut) :]
    _refused(lambda: pushed(store, "two", changed), "a journal with other rows took a run's place", AnotherJournal)
    assert read_back(store, "two") == cut, "a journal that was refused changed the kept one"
    assert pushed(store, "two", whole).state == "complete", "a run that was resumed is not complete"
    assert read_back(store, "two") == whole, "a longer journal was not kept"
    _refused(lambda: pushed(store, "two", cut), "a shorter journal took a run's place")
    _refused(lambda: pushed(store, "two", other), "a journal that does not go on from the kept one took its place")
    _refused(lambda: pushed(store, "two", journal_of("two", PART + 9000, seed=1)), "another run took a run's place")
    assert read_back(store, "two") == whole


def keeps_only_what_was_announced(store: Store) -> None:
    """A journal that is not as it was announced is let go of, and so is one that nobody finished for a week."""
    journal = journal_of("three", 1000)
    upload = upload_of("three", journal)
    store.begin_upload(upload, _NOW)
    store.put_part("three", upload.digest, 0, journal[:-3] + b"x}\n")
    _refused(lambda: store.finish_upload("three", upload.digest, _NOW), "a journal of another digest was kept")
    _refused(
        lambda: store.put_part("three", upload.digest, 0, journal), "what was let go of was still wanted", NotBegun
    )
    assert pushed(store, "three", journal).size == len(journal)
    late = upload_of("four", journal_of("four", 1000))
    store.begin_upload(late, _NOW)
    store.begin_upload(upload_of("five", journal_of("five", 1000)), _NOW + _WEEK_S + 1)
    _refused(lambda: store.finish_upload("four", late.digest, _NOW), "what nobody finished was still wanted", NotBegun)


def lists_runs(store: Store) -> None:
    """Runs are listed from the latest on, by suite and time."""
    for n in range(5):
        pushed(store, f"r{n}", journal_of(f"r{n}", 500), now=_NOW + n)
    assert [each.run for each in store.runs(most=3)] == ["r4", "r3", "r2"]
    assert [each.run for each in store.runs("main", since=_NOW + 3)] == ["r4", "r3"]
    assert store.runs("other") == []
    with suppress(NotBegun):  # a part that is not there
        store.run_part(store.runs()[0], 7)
        raise AssertionError("a part that is not there was given")


def _refused(call: object, why: str, kind: type[InputError] | tuple[type[InputError], ...] = InputError) -> None:
    assert callable(call)
    try:
        call()
    except kind as error:
        assert str(error), "a refusal says nothing"
        return
    raise AssertionError(why)


OF_RUNS = (keeps_runs_that_are_pushed, keeps_one_journal_of_a_run, keeps_only_what_was_announced, lists_runs)
