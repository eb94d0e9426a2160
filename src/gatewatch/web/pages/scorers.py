"""Scorers: the list, one of them with its rubric and how that changed, its calibration, and trying it on traces."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.dataset_versions import Version, Versions
from gatewatch.config.scorer_book import DAYS, Entry, ScorerBook, Whole, lived
from gatewatch.core.clock import wall
from gatewatch.core.errors import ConfigError
from gatewatch.web.pages import scorer_try
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.case_texts import Piece, pieces
from gatewatch.web.pages.house import Found, House, Screen
from gatewatch.web.pages.segments import segment
from gatewatch.web.refusals import Refused

_MOST_VERSIONS = 20
_KINDS = ("judge", "rule", "composite")


class Books:
    """The scorers of the checkout that a server was started in."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._book = None if house.own is None else ScorerBook(house.own)

    def of(self, asked: Asked) -> ScorerBook:
        """Those of whoever asks.

        Raises:
            Refused: there is no checkout of their project here.
        """
        if asked.project is None or self._book is None:
            hint = "run `gatewatch serve` in the checkout: scorers are code and rubrics, which are kept there"
            raise Refused(404, "this server has the store of the project, not its scorers", hint=hint)
        return self._book

    def entry(self, asked: Asked) -> Entry:
        """The scorer that a page is about.

        Raises:
            Refused: there is none of that name, or the project's scorers cannot be read.
        """
        try:
            return self.of(asked).entry(asked.store, asked.request.path_params["name"], wall())
        except ConfigError as error:
            raise Refused(404, error.problems[0].what, hint=error.problems[0].hint) from None

    def versions(self, asked: Asked) -> Versions:
        """What git has of files of the checkout."""
        return Versions(self.of(asked).project.root, self._house.joins.of(asked.visitor.project, asked.store).runs)


def routes(house: House) -> list[Route]:
    """The pages of scorers."""
    books = Books(house)

    async def listed(request: Request) -> Response:
        asked = await house.enter(request)
        data = await asyncio.to_thread(_list, books, asked)
        if asked.fragment:
            return await house.fragment(asked, "scorers/list_rows.html", **data)
        return await house.page(asked, "scorers/list.html", title="Scorers", screen="scorers", **data)

    async def one(request: Request) -> Response:
        asked = await house.enter(request)
        entry = await asyncio.to_thread(books.entry, asked)
        whole = await asyncio.to_thread(_whole, books, asked)
        data = headed(entry, "about") | {"whole": whole, "days": DAYS}
        data["versions"] = await asyncio.to_thread(_versions, books, asked, whole)
        return await house.page(asked, "scorers/about.html", **data)

    async def calibration(request: Request) -> Response:
        asked = await house.enter(request)
        entry = await asyncio.to_thread(books.entry, asked)
        return await house.page(asked, "scorers/calibration.html", **headed(entry, "calibration"), **_report(entry))

    return [
        Route("/scorers", listed),
        Route("/scorers/{name:path}/calibration", calibration),
        *scorer_try.routes(house, books.of, books.entry),
        Route("/scorers/{name:path}", one),
    ]


def headed(entry: Entry, tab: str) -> dict[str, Any]:
    """What the head of a scorer's page is made of."""
    return {"title": entry.listed.name, "screen": "scorers", "tab": tab, "entry": entry}


def _list(books: Books, asked: Asked) -> dict[str, Any]:
    text, kind = asked.get("q").lower(), asked.get("kind", among=_KINDS)
    which = asked.get("which", "here", among=("here", "all"))
    if asked.project is None:
        did = sorted(lived(asked.store, wall()).items())
        return {"entries": [], "live": did, "n": len(did), "all": len(did), "by": {}, "flaw": "", "days": DAYS}
    flaw = ""
    every: list[Entry] = []
    try:
        every = books.of(asked).entries(asked.store, wall())
    except ConfigError as error:
        flaw = str(error)
    some = [each for each in every if which == "all" or each.here]
    found = [
        each
        for each in some
        if text in f"{each.listed.name} {each.listed.group} {each.listed.says}".lower() and kind in ("", each.kind)
    ]
    return {
        "entries": found,
        "live": [],
        "n": len(found),
        "all": len(some),
        "here": sum(each.here for each in every),
        "every": len(every),
        "by": {"q": asked.get("q"), "kind": kind, "which": which},
        "flaw": flaw,
        "days": DAYS,
    }


def _whole(books: Books, asked: Asked) -> Whole:
    try:
        return books.of(asked).whole(asked.request.path_params["name"])
    except ConfigError as error:
        raise Refused(422, "the scorer cannot be made", hint=str(error)[:1000]) from None


def _versions(books: Books, asked: Asked, whole: Whole) -> list[tuple[Version, list[Piece]]]:
    """The versions of a rubric's file, the latest first, each with what differs from the one before it."""
    if not whole.path:
        return []
    found = books.versions(asked).texts(whole.path)[: _MOST_VERSIONS + 1]
    told: list[tuple[Version, list[Piece]]] = []
    for place, (version, text) in enumerate(found[:_MOST_VERSIONS]):
        told.append((version, pieces(found[place + 1][1], text) if place + 1 < len(found) else []))
    return told


def _report(entry: Entry) -> dict[str, Any]:
    """A calibration as a page shows it: its figures in order, and the columns of its confusion."""
    kept = entry.trust.kept
    if kept is None:
        return {"kept": None, "figures": [], "columns": []}
    found = kept.found
    figures = [
        ("Agreement", found.agreement, "how often it says what people say"),
        ("Cohen's kappa", found.kappa, "agreement beyond chance; 1 is perfect"),
        ("Kappa by grade", found.weighted_kappa, "weighted by the square of the difference"),
        ("Sensitivity", found.sensitivity, "of what people call good, the share that it passes"),
        ("Specificity", found.specificity, "of what people call bad, the share that it fails"),
        ("PPV", found.ppv, "of what it passes, the share that people call good"),
        ("NPV", found.npv, "of what it fails, the share that people call bad"),
        ("Youden's J", found.youden, "sensitivity + specificity − 1: how much of a drop it shows"),
        ("AUC", found.auc, "how often a good one ranks above a bad one"),
        ("By the labels alone", found.labelled_rate, "the rate of good ones, from the labels"),
        ("As people would say", found.corrected, "the rate over all that was scored, corrected by its errors"),
        ("People's mean grade", found.mean, "over all that was scored"),
    ]
    columns = sorted({column for row in found.confusion.values() for column in row})
    return {"kept": kept, "figures": [each for each in figures if each[1] is not None], "columns": columns}


def find(asked: Asked, text: str) -> list[Found]:
    """What the menu offers: scorers that the project has or uses."""
    if asked.project is None:
        return []
    names = dict.fromkeys(asked.project.settings.scorers)
    for suite in asked.project.settings.suites.values():
        names |= dict.fromkeys(suite.scorers)
    for monitor in asked.project.settings.monitors.values():
        names |= dict.fromkeys(each.use for each in monitor.scorers)
    return [Found(name, "scorer", f"/scorers/{segment(name)}") for name in names if text.lower() in name.lower()]


SCREEN = Screen(
    key="scorers",
    path="/scorers",
    title="Scorers",
    group="Loop",
    icon="scorers",
    chord="s",
    routes=routes,
    find=find,
)
