"""Work of the pages: one at a time, not begun twice, its outcome kept, its failure told."""

from threading import Event

from gatewatch.core.errors import GatewatchError
from gatewatch.web.pages.jobs import Job, Jobs

PATIENCE_S = 10.0


def over(jobs: Jobs, job: Job) -> None:
    """Wait for some work."""
    done = Event()
    jobs.start(f"after {id(job)}", lambda _: done.set())  # one at a time: it comes after what was begun
    assert done.wait(PATIENCE_S)


def test_what_is_under_way_is_not_begun_twice_and_others_wait() -> None:
    jobs, held, began = Jobs(), Event(), Event()

    def work(_: Job) -> str:
        began.set()
        held.wait(PATIENCE_S)
        return "first"

    first = jobs.start("a", work)
    assert began.wait(PATIENCE_S)
    assert jobs.start("a", lambda _: "second") is first
    other = jobs.start("b", lambda _: "other")
    assert other.state == "waiting"
    held.set()
    over(jobs, other)
    assert (first.result, other.result) == ("first", "other")
    assert jobs.last("a") is first
    assert not first.under_way


def test_a_failure_is_told_and_what_was_found_before_is_kept() -> None:
    jobs = Jobs()
    good = jobs.start("a", lambda _: 1)
    over(jobs, good)

    def refused(_: Job) -> None:
        raise GatewatchError("the file is gone")

    bad = jobs.start("a", refused)
    over(jobs, bad)
    assert (bad.state, bad.said) == ("failed", "the file is gone")
    assert jobs.last("a") is good
    worse = jobs.start("a", lambda _: 1 // 0)
    over(jobs, worse)
    assert worse.said == "this is a fault of gatewatch: ZeroDivisionError"
