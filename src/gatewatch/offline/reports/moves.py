"""The rows and slices that moved, in the order in which a reader wants them."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from gatewatch.offline.reports.words import LAYERS, direction, plain, pp
from gatewatch.offline.verdict import Figures, RowDiff, Verdict


class Moved(Struct, frozen=True):
    """A case and all of its rows that moved, the gravest first."""

    id: str
    rows: tuple[RowDiff, ...]

    @property
    def blocks(self) -> bool:
        """Whether a layer of the gate blocks because of it."""
        return any(row.why for row in self.rows)

    @property
    def fell(self) -> bool:
        """Whether it blocks, or fell under some scorer."""
        return any(row.why or row.effect == "loss" for row in self.rows)


def by_case(rows: Iterable[RowDiff]) -> list[Moved]:
    """The rows case by case: those that fell first, otherwise as they stand."""
    found: dict[str, list[RowDiff]] = {}
    for row in rows:
        found.setdefault(row.id, []).append(row)
    return sorted((Moved(case, tuple(each)) for case, each in found.items()), key=lambda case: not case.fell)


def blocking(verdict: Verdict) -> list[RowDiff]:
    """The rows that a layer of the gate blocks for."""
    return [row for row in verdict.rows if row.why]


def glyph(row: RowDiff) -> str:
    """✕ it blocks, ▼ it fell, ▲ it rose, ~ it is flaky, = it stayed, + it is new."""
    if row.why:
        return "✕"
    if row.flaky:
        return "~"
    return {"loss": "▼", "win": "▲", "tie": "=", "new": "+"}[row.effect]


def change(row: RowDiff) -> float | None:
    """By how much the value of a row changed."""
    return None if row.before is None or row.after is None else row.after - row.before


def delta(row: RowDiff) -> str:
    """The change of a row in percentage points."""
    moved = change(row)
    return "—" if moved is None else f"{pp(moved)} pp"


def notes(row: RowDiff) -> list[str]:
    """What else there is to say of a row."""
    found = []
    if row.must_pass:
        found.append("must-pass")
    if row.why:
        found.append(f"blocks ({LAYERS.get(row.why, plain(row.why))})")
    if row.crossed:
        found.append(row.crossed)
    if row.flaky:
        found.append("flaky")
    if row.effect == "new":
        found.append("new case")
    if row.accepted:
        found.append(f"accepted: {plain(row.accepted)}")
    return found


def outcomes(row: RowDiff) -> str:
    """What came of every try, first to last: as ✓ and ✕ where values are 0 or 1, else as numbers."""
    values = row.outcomes
    if not values:
        return ""
    if not set(values) <= {0.0, 1.0}:
        tried = " ".join(f"{value:.2f}" for value in values)
        return f"{tried} ({len(values)} tries, all failed)" if row.confirmed else f"{tried} ({len(values)} tries)"
    signs = "".join("✓" if value else "✕" for value in values)
    failed = sum(not value for value in values)
    return f"{signs} {failed} of {len(values)} failed" + (", flaky" if 0 < failed < len(values) else "")


def slices_moved(verdict: Verdict) -> list[tuple[str, str, Figures]]:
    """The slices worth a look, the worst first: (slice, scorer, figures).

    Those that gate and did not pass, those that fell more than chance allows, and then those that moved at all.
    """
    cells = [(part, name, each) for part, scorers in verdict.slices.items() for name, each in scorers.items()]
    shown = [cell for cell in cells if (cell[2].gating and cell[2].verdict != "PASS") or cell[2].wins or cell[2].losses]
    return sorted(shown, key=_badness)


def _badness(cell: tuple[str, str, Figures]) -> tuple[bool, bool, float, float, str, str]:
    part, name, figures = cell
    p = 1.0 if figures.p is None else figures.p
    return direction(figures) != "fell", not figures.gating, figures.delta or 0.0, p, part, name


def ids_of(rows: Sequence[RowDiff]) -> list[str]:
    """The cases of some rows, each once."""
    return list(dict.fromkeys(row.id for row in rows))
