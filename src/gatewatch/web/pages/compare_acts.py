"""What is decided at Compare: that a case's change is right, that the candidate is the baseline from now on."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.deciding import accept_baseline, accept_change, last_day
from gatewatch.core.clock import now, wall
from gatewatch.core.errors import InputError, Problem
from gatewatch.offline.accept import Entry
from gatewatch.web.compare import asked as found
from gatewatch.web.forms import form
from gatewatch.web.pages import answers
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.compare_view import case_path
from gatewatch.web.pages.house import House
from gatewatch.web.refusals import Refused

_DAYS = 90
_LONGEST = 1000


def until_day() -> str:
    """The last day that is offered for an exception."""
    return (now().date() + timedelta(days=_DAYS)).isoformat()


def routes(house: House) -> list[Route]:
    """The routes by which something is decided."""

    async def accept(request: Request) -> Response:
        asked = await house.enter(request, "review")
        said = await form(request)

        def act() -> str:
            entry = Entry(
                case=said.get("case", "")[:_LONGEST],
                scorer=said.get("scorer", "")[:_LONGEST],
                suite=said.get("suite", "")[:_LONGEST],
                reason=said.get("reason", "").strip()[:_LONGEST],
                owner=said.get("owner", "").strip()[:_LONGEST],
                until=last_day(said.get("until", "")),
            )
            if asked.project is None:  # with a checkout its dataset and scorers are asked
                _check(entry, said)
            return accept_change(asked.project, asked.store, entry, by=asked.visitor.author, now=wall())

        def _check(entry: Entry, said: Mapping[str, str]) -> None:
            joining = house.joins.of(asked.visitor.project, asked.store)
            joined = joining.joined(joining.sides(said.get("baseline", ""), said.get("candidate", ""), entry.suite))
            if entry.case not in joined.places:
                raise InputError(Problem("case", f"neither run has a case {entry.case[:100]!r}"))
            if entry.scorer and entry.scorer not in joined.scorers:
                raise InputError(Problem("scorer", f"these runs have no scorer {entry.scorer[:100]!r}"))

        where = await asyncio.to_thread(lambda: found(act, status=422))
        kept = {
            name: said.get(name, "") for name in ("baseline", "candidate", "filter", "scorer_in", "slice", "q", "sort")
        }
        return answers.elsewhere(asked.url(case_path(said.get("case", ""), 0), **_query(kept), done=where))

    async def baseline(request: Request) -> Response:
        asked = await house.enter(request, "review")
        said = await form(request)
        project = asked.project
        if project is None:
            hint = f"in a checkout of it: gatewatch baseline pin {said.get('run', '')[:200]} --reason ..."
            raise Refused(409, "a baseline belongs into git, and this server has no checkout of the project", hint=hint)

        def act() -> str:
            runs, reason = house.joins.of(asked.visitor.project, asked.store).runs, said.get("reason", "")[:_LONGEST]
            journal = runs.journal(runs.named(said.get("run", "")))
            return accept_baseline(project, asked.store, journal, reason=reason, by=asked.visitor.author, now=wall())

        where = await asyncio.to_thread(lambda: found(act, status=422))
        return answers.elsewhere(asked.url(f"/runs/{said.get('run', '')}", done=where))

    return [
        Route("/compare/accept", accept, methods=["POST"]),
        Route("/compare/baseline", baseline, methods=["POST"]),
    ]


def _query(kept: dict[str, str]) -> dict[str, str]:
    return {"scorer" if name == "scorer_in" else name: value for name, value in kept.items() if value}


def offered(asked: Asked, suite: str) -> dict[str, Any]:
    """What the form by which a change is accepted begins with."""
    return {"until": until_day(), "owner": asked.visitor.name, "suite": suite}
