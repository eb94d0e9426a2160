"""One case of two runs, made ready for its template: outputs with what differs, scores, calls, and what can be done."""

from collections.abc import Collection, Sequence
from shlex import quote
from typing import Any

from gatewatch.config.deciding import written
from gatewatch.config.joining import Sides
from gatewatch.offline.case_pair import CasePair
from gatewatch.offline.joined import Joined, View
from gatewatch.offline.reports.worddiff import Part
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.compare_acts import offered
from gatewatch.web.pages.compare_view import case_path, mark_of
from gatewatch.web.pages.texts import MOST, brief

VIEWS = ("side", "inline", "raw")
BYS = ("word", "line", "char")
_SIGNS = {"same": "=", "del": "-", "ins": "+"}
_TRIES = 5


def case_of(
    asked: Asked,
    sides: Sides,
    joined: Joined,
    pair: CasePair,
    query: dict[str, str],
    *,
    by: str,
    shape: str,
    view: View,
    screens: Collection[str],
) -> dict[str, Any]:
    """All that the template of a case needs; links go to the rows before and after it in the same view."""
    case = pair.row.id
    path = case_path(case, joined.places[case])

    def here(**changes: Any) -> str:
        return asked.url(path, **{**query, "trial": asked.number("trial"), **changes})

    parts = clipped(pair.output.parts) if pair.output is not None else []
    before, after = _neighbours(joined, view, joined.places[case])
    figures = joined.verdict.scorers
    return {
        "id": brief(case, 80),
        "case": case,
        "pair": pair,
        "sides": sides,
        "by": by,
        "shape": shape,
        "next_shape": here(view=VIEWS[(VIEWS.index(shape) + 1) % len(VIEWS)], by=by),
        "next_by": here(view=shape, by=BYS[(BYS.index(by) + 1) % len(BYS)]),
        "here": here,
        "left": [(_SIGNS[kind], text) for kind, text in parts if kind != "ins"],
        "right": [(_SIGNS[kind], text) for kind, text in parts if kind != "del"],
        "both": [(_SIGNS[kind], text) for kind, text in parts],
        "notes": pair.output.notes if pair.output is not None else (),
        "marks": {
            name: mark_of(cell, figures[name].sd if name in figures else None, flaky=pair.row.flaky)
            for name, cell in pair.row.scores.items()
        },
        "whole": lambda of: asked.url(
            "/compare/text", **{**query, "at": joined.places[case], "of": of, "trial": asked.number("trial")}
        ),
        "back": asked.url("/compare", **query),
        "before": None if before is None else asked.url(case_path(joined.ids[before], before), **query),
        "after": None if after is None else asked.url(case_path(joined.ids[after], after), **query),
        "at": joined.places[case],
        "command": f"gatewatch run {quote(joined.after.suite or 'SUITE')} --case {quote(case)} --trials {_TRIES}",
        "screens": screens,
        "query": query,
        "offer": offered(asked, joined.after.suite),
        "done": written(asked.project, asked.store, asked.get("done")),
        "trials": max(side.trials for side in (pair.baseline, pair.candidate) if side is not None),
    }


def clipped(parts: Sequence[Part], most: int = MOST) -> list[Part]:
    """The first parts, of so many characters in all."""
    found: list[Part] = []
    left = most
    for kind, text in parts:
        if left <= 0:
            found.append(("same", " … (more is not shown here)"))
            break
        found.append((kind, text[:left]))
        left -= len(text)
    return found


def _neighbours(joined: Joined, view: View, place: int) -> tuple[int | None, int | None]:
    """The places of the cases before and after one in a view; none where it is not in it."""
    places = joined.look(view)
    at = (places == place).nonzero()[0]
    if not len(at):
        return None, None
    here = int(at[0])
    before = int(places[here - 1]) if here else None
    return before, int(places[here + 1]) if here + 1 < len(places) else None
