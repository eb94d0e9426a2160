"""Failures: what goes wrong live, in groups, those that matter most first."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.core.clock import wall
from gatewatch.core.failure import Failure, FailureState, failure_name, number_in
from gatewatch.loop.mine import rank
from gatewatch.web.forms import form
from gatewatch.web.pages import answers, failure, outbox, promoting
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.exports import exported, form_of
from gatewatch.web.pages.house import Found, House, Screen
from gatewatch.web.pages.mining import Mines
from gatewatch.web.pages.reviewers import account_of
from gatewatch.web.refusals import Refused

WINDOW = 48
_DAYS = 14
_OPEN: tuple[FailureState, ...] = ("new", "regressed", "in_review", "promoted")
_VIEWS: dict[str, tuple[str, tuple[FailureState, ...]]] = {
    "": ("Open", _OPEN),
    "new": ("New", ("new",)),
    "regressed": ("Regressed", ("regressed",)),
    "in_review": ("In review", ("in_review",)),
    "promoted": ("Promoted", ("promoted",)),
    "fixed": ("Fixed", ("fixed",)),
    "ignored": ("Ignored", ("ignored",)),
    "all": ("All", (*_OPEN, "fixed", "ignored")),
}
_SORTS: dict[str, Callable[[Failure], Any]] = {
    "impact": lambda each: (-each.impact, each.share is None, rank(each)),
    "rank": rank,
    "n": lambda each: (-each.n, each.id),
    "share": lambda each: (-(each.share or 0.0), each.id),
    "severity": lambda each: (-each.severity, each.id),
    "first": lambda each: (-each.first, each.id),
    "last": lambda each: (-each.last, each.id),
    "name": lambda each: (each.name.casefold(), each.id),
}
_COLUMNS = (
    *("failure", "flow", "name", "sign", "state", "n", "share", "low", "high", "severity", "impact", "novelty"),
    *("nearest", "likeness", "first", "last", "owner", "who", "reason", "slices", "versions", "days"),
)


class Listed(Struct, frozen=True):
    """What the list shows: a window of failures, how many fit, counts by view, and what may be filtered by."""

    window: list[Failure]
    n: int
    views: list[tuple[str, str, int]]
    flows: list[str]
    signs: list[str]


def routes(house: House) -> list[Route]:
    """The list of failures, and what is done about all of them."""
    mines = Mines()

    async def listed(request: Request) -> Response:
        asked = await house.enter(request)
        by, offset = _chosen(asked), asked.number("offset")
        found = await asyncio.to_thread(_listed, asked, by, offset)
        data: dict[str, Any] = {
            "by": by,
            "offset": offset,
            "after": offset + WINDOW,
            "found": found,
            "job": _job(asked),
        }
        data |= {"trend": trend, "days": _DAYS, "views": found.views}
        data["flow_options"] = [(each, each) for each in found.flows]
        data["sign_options"] = [(each, each) for each in found.signs]
        if asked.fragment == "live":
            return await house.fragment(asked, "failures_job.html", **data)
        if asked.fragment:
            return await house.fragment(asked, "failures_rows.html", **data)
        flows = await asyncio.to_thread(asked.store.flows)
        return await house.page(asked, "failures.html", title="Failures", screen="failures", **data, all_flows=flows)

    def _job(asked: Asked) -> Any:
        last = mines.last(asked.served.name)
        return last if last is not None and (not last.ended or wall() - last.ended < 600) else None

    async def export(request: Request) -> Response:
        asked = await house.enter(request)
        by, kind = _chosen(asked), form_of(request)
        some = await asyncio.to_thread(lambda: _sorted(_fitting(asked.store.failures(by["flow"]), by), by))
        return exported(kind, "gatewatch.failures", _COLUMNS, _exported(some), by)

    async def mine(request: Request) -> Response:
        asked = await house.enter(request, "review")
        said = await form(request)
        flow, days = said.get("flow", ""), said.get("days", "7")
        if asked.root is None:
            hint = f"in a checkout of it: gatewatch mine {flow}"
            raise Refused(409, "of this project there is only the store here, not its settings", hint=hint)
        if flow not in await asyncio.to_thread(asked.store.flows):
            raise Refused(422, "there is no such flow", where="flow", hint="choose one of the list")
        if not (days.isascii() and days.isdecimal() and 0 < int(days) <= 366):
            raise Refused(422, "how many days back: 1 to 366", where="days")
        name = asked.served.name
        if not mines.begin(name, asked.root, asked.store, flow, int(days), account_of(asked)):
            under_way = mines.last(name)
            who = f" ({under_way.flow}, by {under_way.by})" if under_way else ""
            raise Refused(409, f"somebody mines already{who}", hint="wait until that is done")
        return answers.elsewhere(asked.url("/failures"))

    return [
        Route("/failures", listed),
        Route("/failures/mine", mine, methods=["POST"]),
        Route("/failures.{form}", export),
        *promoting.routes(house),
        *outbox.routes(house),
        *failure.routes(house),
    ]


def _chosen(asked: Asked) -> dict[str, str]:
    return {
        "q": asked.get("q"),
        "state": asked.get("state", among=tuple(_VIEWS)),
        "flow": asked.get("flow"),
        "sign": asked.get("sign"),
        "sort": asked.get("sort", "impact", among=tuple(_SORTS)),
    }


def _listed(asked: Asked, by: dict[str, str], offset: int) -> Listed:
    every = asked.store.failures()
    of = [each for each in every if by["flow"] in ("", each.flow)]
    fit = _fitting(of, {**by, "state": "all"})
    views = [(key, title, sum(each.state in states for each in fit)) for key, (title, states) in _VIEWS.items()]
    found = _sorted(_fitting(of, by), by)
    flows = sorted({each.flow for each in every})
    return Listed(found[offset : offset + WINDOW], len(found), views, flows, sorted({each.sign for each in of}))


def _fitting(every: list[Failure], by: dict[str, str]) -> list[Failure]:
    states, words = _VIEWS[by["state"]][1], by["q"].casefold()
    return [
        each
        for each in every
        if each.state in states
        and by["sign"] in ("", each.sign)
        and (words in f"{each.name}\n{each.sign}\n{each.owner}".casefold() or words == failure_name(each.id).lower())
    ]


def _sorted(some: list[Failure], by: dict[str, str]) -> list[Failure]:
    return sorted(some, key=_SORTS[by["sort"]])


def _exported(some: list[Failure]) -> Iterator[dict[str, Any]]:
    for each in some:
        told = {name: getattr(each, name) for name in _COLUMNS if name not in ("failure", "impact")}
        yield told | {"failure": failure_name(each.id), "impact": each.impact}


def trend(found: Failure, days: int = _DAYS) -> list[int]:
    """How many conversations of a failure began on each of the last days before it was mined last."""
    last = datetime.fromtimestamp(found.updated, UTC).date()
    if found.days:
        last = max(last, date.fromisoformat(max(found.days)))
    return [found.days.get((last - timedelta(days=back)).isoformat(), 0) for back in reversed(range(days))]


def badge(asked: Asked) -> int:
    """How many failures nobody looked at."""
    return len(asked.store.failures("", ("new", "regressed")))


def find(asked: Asked, text: str) -> list[Found]:
    """Failures whose name has a text, or that are called so."""
    number, words = number_in(text, "F"), text.casefold()
    return [
        Found(f"{failure_name(each.id)} {each.name}", "failure", f"/failures/{failure_name(each.id)}")
        for each in asked.store.failures()
        if each.id == number or (len(words) > 1 and words in each.name.casefold())
    ]


SCREEN = Screen(
    key="failures",
    path="/failures",
    title="Failures",
    group="Improve",
    icon="failures",
    chord="f",
    routes=routes,
    badge=badge,
    find=find,
)
