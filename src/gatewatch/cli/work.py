"""`gatewatch work`: a worker that scores live traffic."""

import asyncio
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

import click

from gatewatch.cli.terminal import counted, log_to_standard_error, only_json, print_json, shown, tell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatewatch.online.worker import Done, Worker
    from gatewatch.store.base import Store
    from gatewatch.store.filling import Heard

_HEALTHY_S = 60.0


@click.command(name="work")
@click.option("--once", is_flag=True, help="Do what there is to do now, and end.")
@click.option("--check", is_flag=True, help="Say whether workers are at work (exit code 1 if not), and end.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(*, once: bool, check: bool, as_json: bool) -> int | None:
    """Take in what was captured, sample it, score it, keep it. Any number of workers may run.

    SIGTERM and Ctrl-C let what is under way finish, for as long as a scorer may take.
    """
    from gatewatch.config.monitors import store_of, worker_of
    from gatewatch.config.project import Project

    project = Project.open()
    if check:
        return _check(project, as_json=as_json)
    store = store_of(project)
    try:
        worker = worker_of(project, store, owner=f"{socket.gethostname()}:{os.getpid()}")
        if not once and not as_json:
            watched = ", ".join(f"{each.flow} ({counted(len(each.watches), 'scorer')})" for each in worker.monitors)
            tell(shown(f"at work: {worker.spools[0]} -> {project.settings.project.store}; {watched or 'no monitor'}"))
        _look_at_keys(worker, store)
        log_to_standard_error()
        with only_json(as_json):
            done, heard = asyncio.run(_run(worker, once=once, closing=project.close))
        leased = store.counts().tasks.get("leased", 0) if once else 0
    finally:
        store.close()
    _say(done, as_json=as_json)
    if leased:
        tell(
            f"{counted(leased, 'task')} are leased to other workers; what one that died had"
            f" is free after {worker.lease_s:.0f} s"
        )
    return 128 + heard if heard else None


def _look_at_keys(worker: "Worker", store: "Store") -> None:
    """Say so where users came under another key than the one that is here, by which erasing and exporting find them."""
    from gatewatch.core.people import ONE_KEY, others, told
    from gatewatch.online.framing import keys

    here = [key for spool in worker.spools for key in keys(str(spool))]
    unknown = others(store.user_keys(), here) if here else []
    if unknown:
        tell(shown(f"! {told(unknown)}: {ONE_KEY}"))


async def _run(worker: "Worker", *, once: bool, closing: Any) -> "tuple[Done, int]":
    stop = asyncio.Event()
    heard: list[int] = []

    def told(number: int) -> None:
        heard.append(number)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told, number)
    try:
        return await worker.run(stop, once=once), heard[0] if heard else 0
    finally:
        await closing()


def _say(done: "Done", *, as_json: bool) -> None:
    if as_json:
        print_json({"kind": "gatewatch.work", "version": 1, **_plain(done)})
        return
    taken = done.ingested
    click.echo(
        f"took in {counted(taken.traces, 'request')} and {counted(taken.said + taken.parked, 'piece')} of feedback"
        + (f" ({taken.parked:,} of no request that is here)" if taken.parked else "")
    )
    if taken.repeated or taken.lost:
        click.echo(f"  there already: {taken.repeated:,}; lost or damaged: {taken.lost:,} (`gatewatch db status`)")
    click.echo(f"scored {done.scored:,}, put off {done.put_off:,}, given up {done.given_up:,}")


def _plain(done: "Done") -> dict[str, Any]:
    import msgspec

    return dict(msgspec.to_builtins(done))


def _check(project: Any, *, as_json: bool) -> int:
    from gatewatch.config.monitors import store_of, versions
    from gatewatch.core.clock import wall

    now, mine = wall(), versions(project)
    store = store_of(project)
    try:
        workers, counts = at_work(store, now), store.counts()
    finally:
        store.close()
    others = {name: _others(heard.scorers, mine) for name, heard in workers.items()}
    if as_json:
        told = {
            name: {
                "seconds_ago": now - heard.at,
                "note": heard.note,
                "scorers": dict(heard.scorers),
                "other_versions": others[name],
            }
            for name, heard in workers.items()
        }
        print_json({"kind": "gatewatch.workers", "version": 1, "workers": told, "tasks": dict(counts.tasks)})
    else:
        for name, heard in sorted(workers.items()):
            click.echo(shown(f"{name}: {heard.note}, {now - heard.at:.0f} s ago"))
            for scorer in others[name]:
                click.echo(shown(f"  ! {scorer}: the worker has {heard.scorers[scorer]}, this project {mine[scorer]}"))
        click.echo(shown(f"tasks: {', '.join(f'{n} {state}' for state, n in sorted(counts.tasks.items())) or 'none'}"))
        if not workers:
            tell(f"no worker was heard of for {_HEALTHY_S:.0f} s: start one with `gatewatch work`")
        elif any(others.values()):
            tell("scores of two versions are not compared: bring the workers, or this folder, to the other version")
    return 0 if workers else 1


def at_work(store: "Store", now: float) -> "dict[str, Heard]":
    """The workers that are at work, as far as is known: heard of in the last minute, and not with their last word."""
    from gatewatch.online.worker import ENDED

    heard = store.workers(now - _HEALTHY_S)
    return {name: each for name, each in heard.items() if each.note != ENDED and each.at <= now + _HEALTHY_S}


def _others(theirs: "Mapping[str, str]", mine: "Mapping[str, str]") -> list[str]:
    """The scorers of which a worker has another version."""
    return sorted(name for name in theirs.keys() & mine.keys() if theirs[name] != mine[name])
