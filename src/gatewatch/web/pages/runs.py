"""Runs: every run in a line, each scorer beside the pinned baseline; two of them are chosen and compared."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.run_briefs import RunBrief, RunBriefs
from gatewatch.config.stored_runs import StoredRun
from gatewatch.offline.compare import COMMIT
from gatewatch.offline.matrix import cell
from gatewatch.offline.result import run_paths
from gatewatch.web.aside import aside
from gatewatch.web.pages import run
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.exports import exported, form_of
from gatewatch.web.pages.house import Found, House, Screen
from gatewatch.web.pages.numbers import WAYS
from gatewatch.web.pages.run_view import sign_of

WINDOW = 48
STATES = ("complete", "running", "partial", "broken", "unreadable")
_SCORERS_BESIDE = 6
_BARS = 48
_ALL_S = 60.0
_FOUND, _FOUND_AMONG = 8, 200
_COLUMNS = (
    *("run", "name", "suite", "state", "word", "commit", "dataset", "version", "rows", "failed", "lost"),
    *("cost", "judge_cost", "p50_s", "p95_s", "seconds", "at", "by"),
)


class Line(Struct, frozen=True):
    """A run of the list: what is stored, and what was read of it, if it was."""

    run: StoredRun
    brief: RunBrief | None

    @property
    def sign(self) -> tuple[str, str, str]:
        """The class, the sign and the word of how it stands: what a gate said of it, else how it ended."""
        return sign_of(self.brief)

    @property
    def commit(self) -> str:
        """The commit that it is of, if it is known."""
        return self.run.header.components.get(COMMIT, "")


class Bar(Struct, frozen=True):
    """A run in the strip of one scorer."""

    run: str
    mean: float
    low: float | None
    high: float | None
    way: str


def chosen_by(asked: Asked) -> dict[str, str]:
    """The filter that an address has."""
    return {
        "q": asked.get("q"),
        "suite": asked.get("suite"),
        "dataset": asked.get("dataset"),
        "state": asked.get("state", among=STATES),
        "scorer": asked.get("scorer"),
    }


def fitting(listed: list[StoredRun], by: dict[str, str]) -> list[StoredRun]:
    """The runs that a filter lets through, but for how they ended."""
    words = by["q"].lower()

    def fits(each: StoredRun) -> bool:
        header = each.header
        texts = (header.run, header.name, header.suite, header.task, header.components.get(COMMIT, ""))
        return (
            (not words or any(words in text.lower() for text in texts))
            and by["suite"] in ("", header.suite)
            and by["dataset"] in ("", header.dataset.path)
            and (not by["scorer"] or by["scorer"] in header.scorers)
        )

    return [each for each in listed if fits(each)]


def routes(house: House) -> list[Route]:
    """The routes of the screen."""

    async def runs(request: Request) -> Response:
        asked = await house.enter(request)
        data = await aside(lambda: _window(house, asked))
        if asked.fragment == "live":
            return await house.fragment(asked, "runs/live.html", **data)
        if asked.fragment:
            return await house.fragment(asked, "runs/list_rows.html", **data)
        return await house.page(asked, "runs/page.html", title="Runs", screen="runs", **data)

    async def export(request: Request) -> Response:
        asked = await house.enter(request)
        form, by = form_of(request), chosen_by(asked)
        joining = house.joins.of(asked.visitor.project, asked.store)
        found = await aside(lambda: fitting(joining.runs.listed(), by))
        names = list(dict.fromkeys(name for each in found for name in each.header.scorers))
        columns = [*_COLUMNS, *(f"{name}.{what}" for name in names for what in ("mean", "low", "high", "delta"))]

        def lines() -> Iterator[dict[str, Any]]:
            for each in found:
                (brief,) = joining.briefs.of([each], seconds=_ALL_S)
                if not by["state"] or (brief is not None and brief.state == by["state"]):
                    yield _told(Line(each, brief))

        return exported(form, "gatewatch.runs", columns, lines(), by)

    return [Route("/runs", runs), Route("/runs.{form}", export), *run.routes(house)]


def _window(house: House, asked: Asked) -> dict[str, Any]:
    joining = house.joins.of(asked.visitor.project, asked.store)
    listed = joining.runs.listed()
    by, offset = chosen_by(asked), asked.number("offset")
    found = fitting(listed, by)
    if by["state"]:  # how a run ended is known only once it was read
        briefs = joining.briefs.of(found, seconds=_ALL_S)
        pairs = [
            (each, brief) for each, brief in zip(found, briefs, strict=True) if brief and brief.state == by["state"]
        ]
        found = [each for each, _ in pairs]
    part = found[offset : offset + WINDOW]
    lines = [Line(each, brief) for each, brief in zip(part, joining.briefs.of(part), strict=True)]
    scorers = _scorers(lines, by["scorer"])
    same = _on_one_ruler(lines, scorers[0]) if scorers else []
    return {
        "by": by,
        "lines": lines,
        "scorers": scorers,
        "offset": offset,
        "after": offset + WINDOW,
        "total": len(found),
        "all": len(listed),
        "bars": _bars(same, scorers[0]) if scorers else [],
        "base": _base(joining.briefs, same[0].run, scorers[0]) if same else None,
        "bars_of": same[0].run.header.suite if same else "",
        "live": any(each.brief is None or each.brief.state == "running" for each in lines),
        "columns": {  # one that would say the same in every row is not there
            "commit": any(each.components.get(COMMIT) for each in (one.header for one in listed)),
            "dataset": len({(each.header.dataset.path, each.header.dataset.version) for each in listed}) > 1,
            "cost": any(line.brief is not None and line.brief.cost.amount for line in lines),
        },
        "want": asked.request.query_params.getlist("want")[:WINDOW],
        "choices": [
            ("suite", "Suite", _options("any suite", [each.header.suite for each in listed]), by["suite"]),
            (
                "dataset",
                "Dataset",
                _options("any dataset", [each.header.dataset.path for each in listed]),
                by["dataset"],
            ),
            (
                "scorer",
                "Scorer",
                _options("any scorer", [n for each in listed for n in each.header.scorers]),
                by["scorer"],
            ),
            ("state", "State", _options("any state", list(STATES)), by["state"]),
        ],
    }


def _options(every: str, names: list[str]) -> list[tuple[str, str]]:
    return [("", every), *((name, name) for name in dict.fromkeys(names) if name)]


def _scorers(lines: list[Line], first: str) -> list[str]:
    """The scorers that have a column: those of most runs first, but for one that is chosen."""
    counts: dict[str, int] = {}
    for line in lines:
        for name in line.run.header.scorers:
            counts[name] = counts.get(name, 0) + 1
    names = sorted(counts, key=lambda name: (name != first, -counts[name]))
    return names[:_SCORERS_BESIDE]


def _on_one_ruler(lines: list[Line], name: str) -> list[Line]:
    """Those of a window whose scores under a scorer can stand on one axis: of the newest one's suite, by the same
    scorer as that (not only one of the same name)."""

    def ruler(line: Line) -> tuple[str, str] | None:
        header = line.run.header
        return (header.suite, header.scorers[name].fingerprint) if name in header.scorers else None

    first = next((found for line in lines if (found := ruler(line)) is not None), None)
    return [] if first is None else [line for line in lines if ruler(line) == first]


def _bars(lines: list[Line], name: str) -> list[Bar]:
    """One scorer over the runs of a window, the oldest first."""
    found = []
    for line in reversed(lines[:_BARS]):
        one = None if line.brief is None else line.brief.scorers.get(name)
        if one is not None and one.mean is not None:
            low, high = one.interval or (None, None)
            found.append(Bar(line.run.header.run, one.mean, low, high, WAYS[one.way]))
    return found


def _base(briefs: RunBriefs, like: StoredRun, name: str) -> float | None:
    """What the pinned baseline of a run's suite has under a scorer, if that is the same scorer."""
    pinned = briefs.baseline(like)
    ref = None if pinned is None else pinned.scorers.get(name)
    if pinned is None or ref is None or ref.fingerprint != like.header.scorers[name].fingerprint:
        return None
    return cell(pinned, name).mean


def _told(line: Line) -> dict[str, Any]:
    header, brief = line.run.header, line.brief
    told: dict[str, Any] = {
        "run": header.run,
        "name": header.name,
        "suite": header.suite,
        "commit": line.commit,
        "dataset": header.dataset.path,
        "version": header.dataset.version,
        "at": line.run.at,
        "by": "" if line.run.kept is None else line.run.kept.author,
    }
    if brief is not None:
        told |= {
            "state": brief.state,
            "word": brief.word,
            "rows": brief.rows,
            "failed": brief.failed,
            "lost": brief.lost,
            "cost": brief.cost.total,
            "judge_cost": brief.judge_cost.total,
            "p50_s": brief.latency_s.get("p50"),
            "p95_s": brief.latency_s.get("p95"),
            "seconds": brief.seconds,
        }
        for name, one in brief.scorers.items():
            low, high = one.interval or (None, None)
            told |= {f"{name}.mean": one.mean, f"{name}.low": low, f"{name}.high": high, f"{name}.delta": one.delta}
    return told


def _find(asked: Asked, text: str) -> list[Found]:
    """The runs that the menu offers for a text."""
    words = text.lower()
    names = [] if asked.project is None else [path.stem for path in run_paths(asked.project.runs)]
    names += [kept.run for kept in asked.store.runs(most=_FOUND_AMONG)]
    fitting = [name for name in dict.fromkeys(names) if words in name.lower()]
    return [Found(name, "run", f"/runs/{name}") for name in fitting[:_FOUND]]


SCREEN = Screen(key="runs", path="/runs", title="Runs", group="Loop", icon="runs", chord="r", routes=routes, find=_find)
