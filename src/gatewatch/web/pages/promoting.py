"""Promoting at a page: what would become of requests, to be looked at and corrected; then what became of them."""

import asyncio
from datetime import date, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config import units
from gatewatch.config.load import FILE
from gatewatch.config.project import Project
from gatewatch.config.promotable import Asked as Wanted
from gatewatch.config.promoting import Look, Looks, Promoted, look, promote
from gatewatch.core import codec
from gatewatch.core.clock import now as today
from gatewatch.core.clock import wall
from gatewatch.core.errors import GatewatchError, InputError, Problem
from gatewatch.loop.label import expected_of, expected_text, item_name, suggested
from gatewatch.offline.reports.worddiff import word_diff
from gatewatch.web.forms import form
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.house import House
from gatewatch.web.pages.reviewers import account_of, reviewer_of
from gatewatch.web.refusals import Refused

_MOST = 40
_DIFFED = 20_000
_SIGNS = {"same": "=", "del": "-", "ins": "+"}


class Draft(Struct, frozen=True):
    """What the form has of one request: as it was sent, or as labels and settings say."""

    expected: str
    slice: str
    owner: str
    until: str
    must: bool
    way: str
    take: bool = True


class Entry(Struct, frozen=True):
    """One request in the form: what would become of it, what is filled in, and what was wrong when it was sent.
    `suggested` is what can be corrected into what is right; `unsaid`, that no reviewer said what is."""

    name: str
    look: Look
    draft: Draft
    asked: str
    answered: str
    suggested: str
    unsaid: bool
    diff: tuple[tuple[str, str], ...]
    problems: tuple[Problem, ...] = ()


class Done(Struct, frozen=True):
    """One request that was promoted."""

    name: str
    promoted: Promoted


def routes(house: House) -> list[Route]:
    """The form, and what it sends."""

    async def asked_for(request: Request) -> Response:
        asked = await house.enter(request, "review")
        what = [name.strip()[:200] for name in request.query_params.getlist("what") if name.strip()][:_MOST]
        return await _form(house, asked, what, asked.get("suite"))

    async def send(request: Request) -> Response:
        asked = await house.enter(request, "review")
        said = await form(request)
        if asked.project is None:
            raise Refused(409, "of this project there is only the store here: promote in a checkout of it")
        what = [name[:200] for name in said.getlist("what")][:_MOST]
        done, wrong = await asyncio.to_thread(_promoted, asked, said, what)
        left = [name for name in what if name in wrong] or ([] if done else what)
        if left:
            return await _form(house, asked, left, said.get("suite", ""), said=said, wrong=wrong, done=done)
        data: dict[str, Any] = {"done": done, "title": "Promoted", "suite": said.get("suite", "")}
        return await house.page(asked, "promoted.html", screen="failures", **data)

    return [Route("/failures/promote", asked_for), Route("/failures/promote", send, methods=["POST"])]


async def _form(
    house: House,
    asked: Asked,
    what: list[str],
    suite: str,
    *,
    said: "ImmutableMultiDict[str, str] | None" = None,
    wrong: dict[str, tuple[Problem, ...]] | None = None,
    done: list[Done] | None = None,
) -> Response:
    data: dict[str, Any] = {"what": what, "done": done or [], "entries": [], "looks": None, "problems": ()}
    data |= {
        "unticked": said is not None and not wrong and not done,
        "suites": [],
        "suite": suite,
        "elsewhere": asked.project is None,
        "today": today().date().isoformat(),
    }
    if asked.project is not None and what:
        data["suites"] = list(asked.project.settings.suites)
        try:
            looks = await asyncio.to_thread(_looks, asked, what, suite)
            data |= {"looks": looks, "suite": looks.suite}
            data["dataset"] = asked.project.settings.suites[looks.suite].dataset
            project, refused = asked.project, wrong or {}
            data["entries"] = await asyncio.to_thread(
                lambda: [_entry(project, each, said, refused) for each in looks.looks]
            )
        except InputError as error:
            data["problems"] = error.problems
    return await house.page(
        asked,
        "promote.html",
        title="Promote",
        screen="failures",
        status=422 if wrong or data["unticked"] else 200,
        **data,
    )


def _looks(asked: Asked, what: list[str], suite: str) -> Looks:
    assert asked.project is not None
    project = Project.open(asked.project.root)
    wanted = Wanted(by=reviewer_of(asked) or account_of(asked), suite=suite, look=True)
    asked.store.note(wall(), account_of(asked), "read", " ".join(what)[:400])
    return look(project, asked.store, what, wanted, wall())


def _entry(
    project: Project, each: Look, said: "ImmutableMultiDict[str, str] | None", wrong: dict[str, tuple[Problem, ...]]
) -> Entry:
    source = each.source
    name = item_name(source.item.id) if source.item is not None else source.trace.id
    error = "" if source.trace.error is None else source.trace.error.message
    answered = error or codec.text_of(source.trace.output)
    draft = _sent(name, said) if said is not None and f"expected.{name}" in said else _drafted(project, each)
    short = bool(draft.expected) and len(answered) + len(draft.expected) < _DIFFED
    diff = tuple((_SIGNS[kind], text) for kind, text in word_diff(answered, draft.expected)) if short else ()
    asks = codec.text_of(source.trace.input if each.case is None else each.case.input)
    unsaid = each.case is None or each.case.expected is None
    problems = wrong.get(name, () if each.alike else each.problems)
    problems = tuple(replace(one, where=name) if one.where == source.trace.id else one for one in problems)
    return Entry(name, each, draft, asks, answered, suggested(source.trace), unsaid, diff, problems)


def _drafted(project: Project, each: Look) -> Draft:
    loop, case = project.settings.loop, each.case
    expected = "" if case is None else expected_text(case.expected)
    days = 30.0
    try:
        days = units.seconds(loop.open) / 86_400
    except ValueError as error:
        raise InputError(Problem(f"{FILE}: loop.open", str(error))) from None
    until = (today().date() + timedelta(days=max(1, round(days)))).isoformat()
    owner = case.open.owner if case is not None and case.open is not None else loop.owner
    return Draft(
        expected=expected,
        slice="" if case is None else case.slice,
        owner=owner,
        until=until,
        must=loop.strict,
        way="",
        take=bool(expected) and not each.problems,  # what would be refused, or guard a failure, is not done unasked
    )


def _sent(name: str, said: "ImmutableMultiDict[str, str]") -> Draft:
    def one(key: str) -> str:
        return said.get(f"{key}.{name}", "").strip()

    return Draft(
        expected=one("expected").replace("\r\n", "\n"),
        slice=one("slice"),
        owner=one("owner"),
        until=one("until"),
        must=one("must") == "yes",
        way=one("way"),
        take=one("take") == "yes",
    )


def _promoted(
    asked: Asked, said: "ImmutableMultiDict[str, str]", what: list[str]
) -> tuple[list[Done], dict[str, tuple[Problem, ...]]]:
    """What became of each request that was to be promoted, and what was wrong with the others."""
    assert asked.project is not None
    project = Project.open(asked.project.root)  # as its files are by now
    done: list[Done] = []
    wrong: dict[str, tuple[Problem, ...]] = {}
    for name in what:
        draft = _sent(name, said)
        if not draft.take:
            continue
        try:
            wanted = _wanted(asked, draft, said.get("suite", ""))
            found = promote(project, asked.store, [name], wanted, wall())
            done += [Done(name, each) for each in found.promoted]
            if found.refused:
                wrong[name] = found.refused
        except InputError as error:
            wrong[name] = tuple(error.problems)
        except GatewatchError as error:
            wrong[name] = (Problem(name, str(error)),)
    return done, wrong


def _wanted(asked: Asked, draft: Draft, suite: str) -> Wanted:
    until = None
    if not draft.must:
        try:
            until = date.fromisoformat(draft.until) if draft.until else None
        except ValueError:
            raise InputError(Problem("until", f"expected a day such as 2026-12-31, got {draft.until[:40]!r}")) from None
    return Wanted(
        by=reviewer_of(asked) or account_of(asked),
        suite=suite,
        expected=expected_of(draft.expected),
        owner=draft.owner[:200],
        until=until,
        strict=draft.must,
        way="merge" if draft.way == "merge" else "separate" if draft.way == "separate" else "",
        slice=draft.slice[:200],
    )
