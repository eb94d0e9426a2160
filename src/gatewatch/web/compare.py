"""Two runs side by side, over HTTP: the one joined diff that pages, commands and programs read alike.

GET /v1/compare                 ?baseline=, ?candidate=, ?suite=, ?filter=, ?scorer=, ?slice=, ?q=, ?sort=, ?offset=,
                                ?limit=: the verdict, and rows
GET /v1/compare/case/{case}     the same two, ?trial=, ?by=, ?whole=: a case of both sides, all of it
GET /v1/compare/matrix          ?run=, twice or more: scorers by runs, beside the first

That the texts of a run were read is noted.
"""

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from gatewatch.config.joining import Joining
from gatewatch.core.errors import GatewatchError, InputError, NoVerdict, StoreError
from gatewatch.offline.case_pair import case_pair
from gatewatch.offline.joined import Joined, Show, Sort, View
from gatewatch.offline.joined_json import as_json as joined_json
from gatewatch.offline.reports.textdiff import By
from gatewatch.store.base import Store
from gatewatch.web.aside import aside
from gatewatch.web.host import Host
from gatewatch.web.joins import Joins
from gatewatch.web.refusals import Refused, as_json, known_parameters
from gatewatch.web.visitors import Visitor

MOST_ROWS = 500
_MOST_OFFSET = 10_000_000
_MOST_RUNS = 20
_Name = Annotated[str, Query(max_length=200)]
T = TypeVar("T")


def router(host: Host, joins: Joins) -> APIRouter:
    """The routes by which runs are compared."""
    routes = APIRouter(prefix="/v1/compare", tags=["comparing"], dependencies=[Depends(known_parameters)])

    async def enter(request: Request) -> tuple[Joining, Store, Visitor]:
        visitor = await host.visitors.who(request, "read")
        served = await host.served(visitor.project)
        return joins.of(visitor.project, served.store), served.store, visitor

    @routes.get("")
    async def compare(
        request: Request,
        baseline: Annotated[
            _Name, Query(description='A run\'s id or name, or "baseline"; left out: the pinned one, or the run before.')
        ] = "",
        candidate: Annotated[_Name, Query(description="A run's id, name or suite; left out: the latest.")] = "",
        suite: _Name = "",
        filter: Show = "regressed",  # noqa: A002 - what it is called in addresses
        scorer: _Name = "",
        slice: _Name = "",  # noqa: A002 - the vocabulary's word
        q: Annotated[str, Query(max_length=400, description="Text in id, slice, input or outputs.")] = "",
        sort: Sort = "worst",
        offset: Annotated[int, Query(ge=0, le=_MOST_OFFSET)] = 0,
        limit: Annotated[int, Query(ge=0, le=MOST_ROWS)] = 48,
    ) -> Response:
        """Two runs row by row, filtered and sorted, with the verdict, as `gatewatch compare --rows --json` tells it."""
        joining, store, visitor = await enter(request)
        view = View(show=filter, scorer=scorer, slice=slice, search=q, sort=sort)

        def told() -> object:
            found = joined_of(joining, baseline, candidate, suite)
            joins.note(store, visitor, found.before.run, found.after.run)
            return asked(lambda: joined_json(found, view, offset=offset, limit=limit), status=422)

        return as_json(await aside(told))

    @routes.get("/case/{case:path}")
    async def one(
        request: Request,
        case: str,
        baseline: _Name = "",
        candidate: _Name = "",
        suite: _Name = "",
        trial: Annotated[int, Query(ge=0, le=10_000)] = 0,
        by: By = "word",
        whole: Annotated[bool, Query(description="Texts in full, rather than their first 65,536 characters.")] = False,
    ) -> Response:
        """A case of both sides: what was asked, expected and answered, what differs, and what each scorer said."""
        joining, store, visitor = await enter(request)

        def told() -> object:
            found = joined_of(joining, baseline, candidate, suite)
            joins.note(store, visitor, found.before.run, found.after.run)
            return asked(lambda: case_pair(found, case, trial=trial, by=by, whole=whole))

        return as_json(await aside(told))

    @routes.get("/matrix")
    async def beside(
        request: Request, run: Annotated[list[str], Query(min_length=2, max_length=_MOST_RUNS)]
    ) -> Response:
        """Scorers by runs: each run beside the first."""
        joining, _, _ = await enter(request)
        return as_json(await aside(lambda: asked(lambda: joining.matrix(run))))

    return routes


def joined_of(joining: Joining, baseline: str, candidate: str, suite: str) -> Joined:
    """The joined diff that an address means.

    Raises:
        Refused: there is none; with what there is.
    """
    return asked(lambda: joining.joined(joining.sides(baseline, candidate, suite)))


def asked(call: Callable[[], T], *, status: int = 404) -> T:
    """What a call gives; what it cannot find is told as a refusal.

    Raises:
        Refused: with the first thing that is wrong, and what there is.
    """
    try:
        return call()
    except StoreError:
        raise
    except InputError as error:
        first = error.problems[0]
        raise Refused(status, first.what, where=first.where, hint=first.hint) from None
    except NoVerdict as error:
        raise Refused(404, str(error)) from None
    except GatewatchError as error:
        raise Refused(404, str(error)) from None
