"""Changes for git: what waits for a checkout, what some checkout has, and what is in the main branch."""

import asyncio
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.project import Project
from gatewatch.config.pulling import patch, waiting, withdraw
from gatewatch.core.change import Change, ChangeState, change_name
from gatewatch.core.clock import wall
from gatewatch.core.errors import InputError
from gatewatch.core.failure import failure_name, number_in
from gatewatch.web.pages import answers
from gatewatch.web.pages.answers import NOT_KEPT, SAFE
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.exports import exported, form_of
from gatewatch.web.pages.house import House
from gatewatch.web.pages.reviewers import account_of
from gatewatch.web.refusals import Refused

WINDOW = 48
_STATES: tuple[ChangeState, ...] = ("pending", "pulled", "merged", "withdrawn")
_TITLES = {"": "All", "pending": "Waiting", "pulled": "Pulled", "merged": "Merged", "withdrawn": "Withdrawn"}
_COLUMNS = (
    "change",
    "kind",
    "state",
    "path",
    "suite",
    "case",
    "failure",
    "trace",
    "by",
    "at",
    "moved",
    "where",
    "body",
)


def routes(house: House) -> list[Route]:
    """The list of changes, a patch of those that wait, and taking one back."""

    async def listed(request: Request) -> Response:
        asked = await house.enter(request)
        state, offset = asked.get("state", among=_STATES), asked.number("offset")
        every = await asyncio.to_thread(waiting, asked.store, ())
        fit = [each for each in reversed(every) if state in ("", each.state)]
        data: dict[str, Any] = {
            "state": state,
            "window": fit[offset : offset + WINDOW],
            "n": len(fit),
            "after": offset + WINDOW,
            "states": [(key, title, sum(key in ("", each.state) for each in every)) for key, title in _TITLES.items()],
            "pending": sum(each.state == "pending" for each in every),
            "about": about,
            "name": change_name,
            "here": asked.project is not None,
        }
        if asked.fragment:
            return await house.fragment(asked, "changes_rows.html", **data)
        return await house.page(asked, "changes.html", title="Changes for git", screen="failures", **data)

    async def shown(request: Request) -> Response:
        asked = await house.enter(request)
        change = await asyncio.to_thread(_known, asked)
        await asyncio.to_thread(_note, asked, "read", f"changes {change_name(change.id)}")
        data: dict[str, Any] = {
            "change": change,
            "name": change_name(change.id),
            "failure_name": failure_name,
            "about": about(change),
        }
        if asked.fragment:
            return await house.fragment(asked, "change.html", **data)
        return await house.page(asked, "change_page.html", title=change_name(change.id), screen="failures", **data)

    async def take_back(request: Request) -> Response:
        asked = await house.enter(request, "review")
        change = await asyncio.to_thread(_known, asked)
        name, now = change_name(change.id), wall()

        def done() -> None:
            withdraw(asked.store, name, now, account_of(asked))
            _note(asked, "change withdrawn", name)

        try:
            await asyncio.to_thread(done)
        except InputError as error:
            raise Refused(409, str(error)) from None
        return answers.elsewhere(asked.url("/failures/changes"))

    async def patched(request: Request) -> Response:
        asked = await house.enter(request)
        if asked.root is None:
            hint = "in a checkout: gatewatch pull --from this server"
            raise Refused(409, "a patch needs the project's files, and they are not here", hint=hint)
        text, problems = await asyncio.to_thread(lambda: patch(Project.open(asked.root), asked.store))
        await asyncio.to_thread(_note, asked, "export", "changes as a patch")
        left = "".join(f"# left out: {str(each).replace(chr(10), ' ')}\n" for each in problems)
        headers = SAFE | NOT_KEPT | {"content-disposition": 'attachment; filename="gatewatch.patch"'}
        return Response((left + text).encode("utf-8", "surrogateescape"), 200, headers, "text/x-diff; charset=utf-8")

    async def export(request: Request) -> Response:
        asked = await house.enter(request)
        state, kind = asked.get("state", among=_STATES), form_of(request)
        some = await asyncio.to_thread(waiting, asked.store, (state,) if state else ())  # type: ignore[arg-type]
        await asyncio.to_thread(_note, asked, "export", f"{len(some)} changes")
        return exported(kind, "gatewatch.changes", _COLUMNS, _exported(some), {"state": state})

    return [
        Route("/failures/changes", listed),
        Route("/failures/changes.patch", patched),
        Route("/failures/changes.{form}", export),
        Route("/failures/changes/{name}", shown),
        Route("/failures/changes/{name}/withdraw", take_back, methods=["POST"]),
    ]


def _note(asked: Asked, action: str, what: str) -> None:
    asked.store.note(wall(), account_of(asked), action, what)


def _known(asked: Asked) -> Change:
    name = asked.request.path_params["name"]
    number = number_in(name, "C")
    found = None if number is None else asked.store.change(number)
    if found is None:
        raise Refused(404, f"there is no change {name[:40]!r}", hint="the list has those there are")
    return found


def about(change: Change) -> str:
    """What a change is about, in a few words."""
    if change.kind == "case":
        case = change.body.get("case")
        into = change.body.get("into")
        name = case.get("id", "") if isinstance(case, dict) else ""
        return f"adds to case {into}" if into else f"case {name}"
    if change.kind == "accept":
        return " ".join(str(change.body.get(key, "")) for key in ("case", "scorer", "reason")).strip() or "an exception"
    return f"baseline of {change.suite}"


def _exported(some: list[Change]) -> Iterator[dict[str, Any]]:
    for each in some:
        told = {name: getattr(each, name) for name in _COLUMNS if name not in ("change", "case", "failure")}
        failure = failure_name(each.failure) if each.failure else ""
        yield told | {"change": change_name(each.id), "case": about(each), "failure": failure}
