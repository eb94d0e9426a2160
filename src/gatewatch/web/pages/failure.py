"""One failure: requests that show it, what is known of it, what people made of it, and its chain."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, get_args

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.chains import Chain, chain_of
from gatewatch.core import codec
from gatewatch.core.case import Expected
from gatewatch.core.clock import wall
from gatewatch.core.errors import InputError
from gatewatch.core.failure import Failure, failure_name, number_in
from gatewatch.core.review import Item, Label
from gatewatch.core.trace import Trace
from gatewatch.loop.attend import Act, attend
from gatewatch.loop.label import item_name, said_by
from gatewatch.loop.likeness import asked as asks
from gatewatch.offline.dataset import open_dataset
from gatewatch.web.forms import form
from gatewatch.web.pages import answers
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.house import House
from gatewatch.web.pages.reviewers import account_of, reviewer_of
from gatewatch.web.refusals import Refused

_EACH = 5
_MOST = 1000
_SHOWN = 2000
_PARTS = 8


class Example(Struct, frozen=True):
    """A request of a failure: what was asked and answered, and what people said of it, as far as that may be seen by
    somebody who is to label it still."""

    item: Item
    asked: str
    answered: str
    error: bool
    said: tuple[tuple[str, str], ...]
    labelled: int


class Suggested(Struct, frozen=True):
    """What a label of it will probably say, and why; and what a case like it expects."""

    word: str
    why: str
    case: str = ""
    expected: str = ""


def routes(house: House) -> list[Route]:
    """The page of a failure, its chain, and what is done about it."""

    async def shown(request: Request) -> Response:
        asked = await house.enter(request)
        found = await asyncio.to_thread(_known, asked)
        examples = await asyncio.to_thread(_examples, asked, found)
        data: dict[str, Any] = {
            "failure": found,
            "name": failure_name(found.id),
            "typical": [each for each in examples if each.item.representative][:_EACH],
            "edge": [each for each in examples if not each.item.representative][:_EACH],
            "n_items": len(examples),
            "chosen": [item_name(each.item.id) for each in examples if each.item.representative][:_EACH],
            "counts": _counts(examples),
            "suggested": await asyncio.to_thread(_suggested, asked, found),
            "slices": parts(found.slices),
            "versions": parts(found.versions),
            "traces": any(each.key == "traces" for each in house.screens),
            "tab": "examples",
        }
        return await house.page(asked, "failure.html", title=failure_name(found.id), screen="failures", **data)

    async def chained(request: Request) -> Response:
        asked = await house.enter(request)
        found = await asyncio.to_thread(_known, asked)
        chain = await asyncio.to_thread(_chain, asked, found)
        data: dict[str, Any] = {"failure": found, "name": failure_name(found.id), "chain": chain, "tab": "chain"}
        return await house.page(asked, "failure_chain.html", title=failure_name(found.id), screen="failures", **data)

    async def turn(request: Request) -> Response:
        asked = await house.enter(request, "review")
        said = await form(request)
        act = said.get("act", "")
        if act not in get_args(Act):
            raise Refused(422, "there is no such thing to do", where="act")
        there = await asyncio.to_thread(_known, asked, noted=False)
        by = reviewer_of(asked) or account_of(asked)

        def done() -> Failure:
            given: dict[str, str] = {name: said.get(name, "").strip() for name in ("reason", "owner", "name")}
            return attend(asked.store, there, act, by=by, now=wall(), account=account_of(asked), **given)  # type: ignore[arg-type]

        try:
            await asyncio.to_thread(done)
        except InputError as error:
            raise Refused(409, str(error), hint="load the failure's page again") from None
        return answers.elsewhere(asked.url(f"/failures/{failure_name(there.id)}"))

    return [
        Route("/failures/{name}", shown),
        Route("/failures/{name}/chain", chained),
        Route("/failures/{name}/turn", turn, methods=["POST"]),
    ]


def _known(asked: Asked, *, noted: bool = True) -> Failure:
    """The failure that a path names, with a note in the audit that somebody looked at it."""
    name = asked.request.path_params["name"]
    number = number_in(name, "F")
    found = None if number is None else asked.store.failure(number)
    if found is None:
        raise Refused(404, f"there is no failure {name[:40]!r}", hint="the list has those there are")
    if noted:
        asked.store.note(wall(), account_of(asked), "read", failure_name(found.id))
    return found


def _examples(asked: Asked, failure: Failure) -> list[Example]:
    """The requests of a failure, and what was said of them: of one that waits for labels to whoever gave theirs."""
    items = asked.store.items(failure=failure.id, queue="failures", most=_MOST)
    labels: dict[int, list[Label]] = {}
    for label in asked.store.labels([each.id for each in items]):
        labels.setdefault(label.item, []).append(label)
    reviewer = reviewer_of(asked)
    some = [each for each in items if each.representative][:_EACH]
    some += [each for each in items if not each.representative][:_EACH]
    texts = {each.id: asked.store.item_trace(each.id) for each in some}
    found = []
    for item in items:
        said = labels.get(item.id, [])
        open_ = item.state != "waiting" or any(each.by == reviewer for each in said)
        trace = None
        with suppress(ValueError):
            trace = codec.decode(texts.get(item.id) or b"{}", Trace)
        error = "" if trace is None or trace.error is None else trace.error.message
        found.append(
            Example(
                item,
                "" if trace is None else asks(trace.input)[:_SHOWN],
                error or ("" if trace is None else codec.text_of(trace.output)[:_SHOWN]),
                bool(error),
                tuple((each.by, said_by(each)) for each in said) if open_ else (),
                sum(not each.skipped for each in said),
            )
        )
    return found


def _counts(examples: list[Example]) -> dict[str, int]:
    states = [each.item.state for each in examples]
    return {state: states.count(state) for state in ("waiting", "disputed", "settled")}


def _suggested(asked: Asked, failure: Failure) -> Suggested:
    if failure.sign.startswith("unlike"):
        return Suggested("", "Nothing bad is known of these: they are unlike any case. Say whether they were answered.")
    why = f"all of them were found by {failure.sign}"
    if not failure.nearest or failure.novelty == "new" or asked.project is None:
        return Suggested("wrong", why)
    for suite in asked.project.settings.suites.values():
        with suppress(InputError):
            for case in open_dataset(asked.project.root / suite.dataset):
                if case.id == failure.nearest:
                    said = case.expected
                    answer = said.answer if isinstance(said, Expected) else said
                    expected = answer or ("" if said is None else codec.indented(said))
                    return Suggested("wrong", why, case.id, expected[:_SHOWN])
    return Suggested("wrong", why, failure.nearest)


def _chain(asked: Asked, failure: Failure) -> Chain | None:
    """The chain of a failure; None where the project's files are elsewhere."""
    if asked.project is None:
        return None
    try:
        return chain_of(asked.project, failure_name(failure.id), "failure", asked.store)
    except InputError as error:
        raise Refused(409, str(error)) from None


def parts(counts: Mapping[str, int]) -> list[tuple[str, int, float]]:
    """Counts, the largest first, each with its share of all; what is beyond the eighth is one line."""
    some = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    whole = sum(counts.values()) or 1
    told: list[tuple[str, int, float]] = [(name or "(none)", n, n / whole) for name, n in some[:_PARTS]]
    if rest := sum(n for _, n in some[_PARTS:]):
        told.append((f"{len(some) - _PARTS} others", rest, rest / whole))
    return told
