"""A joined diff for programs: one JSON object with the verdict, the counts of every filter, and a window of rows."""

from typing import Any

from msgspec.structs import replace

from gatewatch.offline.joined import Joined, View
from gatewatch.offline.reports.moves import slices_moved
from gatewatch.offline.reports.tables import as_json as verdict_json
from gatewatch.offline.reports.words import headline

JOINED_KIND = "gatewatch.joined"


def as_json(joined: Joined, view: View, *, offset: int = 0, limit: int = 48) -> dict[str, Any]:
    """The joined diff as `compare --rows --json` prints it and `GET /v1/compare` answers.

    `verdict` is what `compare --json` prints, without its rows. `rows` are those of the filter, in order, from `offset`
    on, `limit` at most; `total` is how many there are, `counts` how many each filter would show, all else being alike.
    `next` is the offset of the next window, if there is one.

    Raises:
        InputError: the view names a scorer or a slice that there is not.
    """
    places = joined.look(view)
    end = offset + limit
    return {
        "kind": JOINED_KIND,
        "version": 1,
        "headline": headline(joined.verdict),
        "worst_slice": worst_slice(joined),
        "verdict": _verdict(joined),
        "filter": {
            "filter": view.show,
            "scorer": view.scorer,
            "slice": view.slice,
            "q": view.search,
            "sort": view.sort,
        },
        "counts": joined.counts(view),
        "total": len(places),
        "offset": offset,
        "next": end if end < len(places) else None,
        "rows": joined.rows(places[offset:end]),
    }


def worst_slice(joined: Joined) -> dict[str, Any] | None:
    """The slice that fell furthest beyond what chance allows, or that gates and did not pass; None where none did."""
    for part, name, figures in slices_moved(joined.verdict)[:1]:
        if (figures.delta or 0.0) < 0.0:
            return {"slice": part, "scorer": name, "delta": figures.delta, "interval": figures.interval}
    return None


def _verdict(joined: Joined) -> dict[str, Any]:
    """The verdict as `compare --json` prints it, without the rows."""
    return {key: value for key, value in verdict_json(replace(joined.verdict, rows=())).items() if key != "rows"}
