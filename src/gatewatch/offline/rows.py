"""The rows that moved: one for each case and scorer whose value differs, the gravest first."""

from collections.abc import Mapping

import msgspec

from gatewatch.offline.accept import Exceptions
from gatewatch.offline.attribution import causes
from gatewatch.offline.compare import Comparison, Pairs
from gatewatch.offline.flips import TRIES, failed_tries, history_of, is_mixed
from gatewatch.offline.verdict import RowDiff


def moved_rows(
    comparison: Comparison,
    pairs: Mapping[str, Pairs],
    exceptions: Exceptions | None = None,
    why: Mapping[tuple[str, str], str] | None = None,
) -> list[RowDiff]:
    """Every case that a scorer gave another value, and every row that a layer blocks for.

    Args:
        comparison: the two runs.
        pairs: of every scorer, all its pairs.
        exceptions: what was accepted.
        why: by case and scorer, the layer that blocks because of it.
    """
    found: list[RowDiff] = []
    reasons = dict(why or {})
    nothing_changed = not causes(comparison)
    for each in pairs.values():
        places = each.differences.nonzero()[0]
        moved = zip(each.places[places], each.before[places].tolist(), each.after[places].tolist(), strict=True)
        for place, before, after in moved:
            found.append(_row(comparison, each, comparison.paired[place], before, after, nothing_changed))
    seen = {(row.id, row.scorer) for row in found}
    for case, name in reasons:
        if (case, name) not in seen:
            found.append(_standing(comparison, case, name))
    if reasons or (exceptions is not None and (exceptions.entries or exceptions.open)):
        found = [
            msgspec.structs.replace(
                row,
                why=reasons.get((row.id, row.scorer), ""),
                accepted=_accepted(row, exceptions),
            )
            for row in found
        ]
    return sorted(found, key=_gravity)


def _accepted(row: RowDiff, exceptions: Exceptions | None) -> str:
    """Why a row is accepted; that an open case rose needs no reason."""
    if exceptions is None or (row.effect == "win" and row.id in exceptions.open):
        return ""
    return exceptions.reason(row.id, row.scorer)


def _row(
    comparison: Comparison, pairs: Pairs, case: str, before: float, after: float, nothing_changed: bool
) -> RowDiff:
    mark, bar = pairs.mark, pairs.bar
    outcome = comparison.after.cases[case]
    crossed, flaky, confirmed, values = "", False, None, []
    if mark is not None and bar is not None:
        crossed = "broke" if after < bar <= before else "fixed" if before < bar <= after else ""
        values = outcome.tried(pairs.name)
        flaky = is_mixed(values, mark) or is_mixed(history_of(comparison.before.cases[case], pairs.name), mark)
        if len(values) > 1 and values[0] < mark:
            confirmed = failed_tries(outcome, pairs.name, mark) == TRIES
        # What stays down is another version, whatever is recorded of it.
        flaky = flaky or (nothing_changed and bool(crossed) and not confirmed)
    return RowDiff(
        id=case,
        scorer=pairs.name,
        effect="loss" if after < before else "win",
        before=before,
        after=after,
        slice=outcome.slice,
        crossed=crossed,  # type: ignore[arg-type]
        must_pass=outcome.must_pass,
        confirmed=confirmed,
        flaky=flaky,
        outcomes=tuple(values) if len(values) > 1 else (),
    )


def _standing(comparison: Comparison, case: str, name: str) -> RowDiff:
    """A row that blocks although it did not move: a must-pass case that is new, or failed before."""
    outcome = comparison.after.cases[case]
    paired = case in comparison.before.cases and comparison.before.cases[case].hash == outcome.hash
    values = outcome.tried(name)
    return RowDiff(
        id=case,
        scorer=name,
        effect="tie" if paired else "new",
        before=comparison.before.cases[case].value(name) if paired else None,
        after=outcome.value(name),
        slice=outcome.slice,
        must_pass=outcome.must_pass,
        confirmed=True if len(values) >= TRIES else None,
        outcomes=tuple(values) if len(values) > 1 else (),
    )


def _gravity(row: RowDiff) -> tuple[bool, str, bool, bool, bool, float, str, str]:
    """Sorts rows: what blocks first, then falls before rises, what was confirmed, what is not accepted, by how far."""
    moved = (row.after or 0.0) - (row.before or 0.0)
    return (
        not row.why,
        row.why,
        row.effect == "win",
        bool(row.accepted) or row.flaky,
        not (row.confirmed or row.must_pass),
        moved if row.effect != "win" else -moved,
        row.id,
        row.scorer,
    )
