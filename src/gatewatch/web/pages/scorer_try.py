"""Trying a scorer: on stored requests or a text put in by hand, with what it costs said first, and held to a cap."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.project import Project
from gatewatch.config.scorer_book import Entry, ScorerBook
from gatewatch.config.scorer_list import cost_of
from gatewatch.config.tryout_live import BY_HAND, MOST, Given, Trial, Tried, by_hand, forecast, stored, try_on
from gatewatch.core.clock import wall
from gatewatch.core.errors import ConfigError
from gatewatch.scorers.base import Scorer
from gatewatch.web.forms import Form, form
from gatewatch.web.pages import answers
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.case_texts import text_of
from gatewatch.web.pages.house import House
from gatewatch.web.pages.jobs import Job, Jobs
from gatewatch.web.pages.reviewers import account_of
from gatewatch.web.pages.segments import segment
from gatewatch.web.refusals import Refused

_DEFAULT, _CAP = 10, 1.0
_DEAREST = 100.0
_SOON_S = 2.0


def routes(house: House, book_of: Callable[[Asked], ScorerBook], entry_of: Callable[[Asked], Entry]) -> list[Route]:
    """The page on which a scorer is tried."""
    jobs = Jobs()

    async def shown(request: Request) -> Response:
        asked = await house.enter(request)
        entry = await asyncio.to_thread(entry_of, asked)
        job = jobs.of(_key(asked, entry))
        if asked.fragment == "live":
            return await house.fragment(asked, "scorers/tried.html", entry=entry, job=job)
        data = await asyncio.to_thread(_form, book_of(asked).project, asked, entry)
        if data["given"]:
            what = f"{len(data['given'])} requests, to try {entry.listed.name}"
            await asyncio.to_thread(asked.store.note, wall(), asked.visitor.author, "read", what)
        head: dict[str, Any] = {
            "title": entry.listed.name,
            "screen": "scorers",
            "tab": "try",
            "entry": entry,
            "job": job,
        }
        return await house.page(asked, "scorers/try.html", **head, **data)

    async def result(request: Request) -> Response:
        asked = await house.enter(request)
        entry = await asyncio.to_thread(entry_of, asked)
        number = request.path_params["number"]
        trial = _trial(jobs.of(_key(asked, entry)), number)
        texts = _texts(trial.given) | {"explanation": "" if trial.score is None else trial.score.explanation}
        data = {"trial": trial, "entry": entry, "number": number, "texts": texts}
        whole = asked.get("whole", among=tuple(texts))
        if whole:
            data["text_"] = texts[whole]
        if asked.fragment:
            return await house.fragment(asked, "datasets/whole.html" if whole else "scorers/trial.html", **data)
        template = "datasets/whole_page.html" if whole else "scorers/trial_page.html"
        return await house.page(asked, template, title=entry.listed.name, screen="scorers", tab="try", **data)

    async def begin(request: Request) -> Response:
        asked = await house.enter(request, "review")
        fields = await form(request)
        entry = await asyncio.to_thread(entry_of, asked)
        own, name = book_of(asked).project, entry.listed.name
        cap = _amount(fields.get("cap", ""))
        scorer = await asyncio.to_thread(_scorer, own, name)
        if scorer.models and entry.listed.cost is None and fields.get("unknown") != "yes":
            hint = f'say that you know, or add [prices."MODEL"] to gatewatch.toml ({", ".join(entry.listed.models)})'
            raise Refused(409, "the price of its model is unknown, so that no cap can be held", hint=hint)
        given = await asyncio.to_thread(_chosen, asked, name, fields)

        def work(job: Job) -> Tried:
            job.total = len(given)

            def told(done: int) -> None:
                job.done = done

            return try_on(Project(own.root, own.settings), name, given, cap=cap, progress=told)

        what = f"{name} on {len(given)} {'text by hand' if given[0].name == BY_HAND else 'requests'}"
        await asyncio.to_thread(asked.store.note, wall(), asked.visitor.author, "tried", what)
        job = jobs.start(_key(asked, entry), work)
        await jobs.soon(job, 0.0 if scorer.models else _SOON_S)  # a rule is done at once
        query = {each: fields.get(each, "") for each in ("flow", "most", "ids")} if given[0].name != BY_HAND else {}
        return answers.elsewhere(asked.url(f"/scorers/{segment(name)}/try", **query) + "#tried")

    return [
        Route("/scorers/{name:path}/try", shown),
        Route("/scorers/{name:path}/try", begin, methods=["POST"]),
        Route("/scorers/{name:path}/try/{number:int}", result),
    ]


def _key(asked: Asked, entry: Entry) -> str:
    return f"try {asked.visitor.project} {asked.visitor.token} {account_of(asked)} {entry.listed.name}"


def _amount(text: str) -> float:
    """The most that may be spent, in US dollars, by what a form says."""
    try:
        found = float(text) if text.strip() else _CAP
    except ValueError:
        found = -1.0
    if not 0 <= found <= _DEAREST:
        raise Refused(422, f"the cap must be from 0 to {_DEAREST:g} US dollars, got {text[:40]!r}")
    return found


def _scorer(project: Project, name: str) -> Scorer:
    try:
        return project.scorer(name, "scorer")
    except ConfigError as error:
        raise Refused(409, error.problems[0].what, hint=error.problems[0].hint) from None


def _form(project: Project, asked: Asked, entry: Entry) -> dict[str, Any]:
    """What may be scored, and about what that would cost."""
    flows = asked.store.flows()
    flow = asked.get("flow", among=tuple(flows))
    most, ids = asked.number("most", _DEFAULT, least=1, most=MOST), asked.get("ids", longest=8000)
    given, missing = stored(asked.store, entry.listed.name, flow=flow, most=most, ids=ids.split())
    flaw = entry.listed.lacks
    cost: float | None = 0.0
    one = entry.listed.cost
    scorer = None
    try:
        scorer = project.named(entry.listed.name, "scorer")
        cost = forecast(project, scorer, given) if scorer.models else 0.0
        one = cost_of(project, scorer)
    except ConfigError as error:
        flaw = flaw or str(error.problems[0])
    return {
        "flows": [(each, each) for each in flows],
        "flow": flow,
        "most": most,
        "ids": ids,
        "given": [(each, _texts(each)) for each in given],
        "missing": missing,
        "cost": cost,
        "one": one,
        "flaw": flaw,
        "cap": _CAP,
        "needs_expected": scorer is not None and scorer.reference_based,
    }


def _texts(given: Given) -> dict[str, str]:
    return {"input": text_of(given.trace.input), "output": text_of(given.trace.output)}


def _chosen(asked: Asked, name: str, fields: Form) -> list[Given]:
    """What a form says is to be scored.

    Raises:
        Refused: there is none of it.
    """
    if fields.get("how") == "hand":
        texts = [fields.get(field, "").replace("\r\n", "\n") for field in ("input", "output", "expected", "context")]
        if not texts[1].strip():
            raise Refused(422, "there is no output to score", hint="put in what the application answered")
        return [by_hand(*texts)]
    stated = fields.get("most", "")
    most = int(stated) if stated.isascii() and stated.isdecimal() and len(stated) < 9 else _DEFAULT
    ids = fields.get("ids", "").split()[:MOST]
    given, missing = stored(asked.store, name, flow=fields.get("flow", ""), most=max(1, min(most, MOST)), ids=ids)
    if not given:
        raise Refused(404, "there is no request whose text is kept", hint="; ".join(missing)[:500])
    return given


def _trial(job: Job | None, number: int) -> Trial:
    tried: Tried | None = None if job is None else job.result
    if tried is None or not 0 <= number < len(tried.trials):
        raise Refused(404, "there is no such result", hint="try the scorer again: results are kept until the next try")
    return tried.trials[number]
