"""The mean layer: every scorer, over all cases and by slice, with what may be concluded from it.

The cells that gate share the rate of false blocks by Holm's method; so, apart from them, do all others, which warn
only.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from gatewatch.offline.compare import Comparison, Pairs
from gatewatch.offline.figures import figures
from gatewatch.offline.rule import Rule
from gatewatch.offline.stopping import Look
from gatewatch.offline.verdict import Figures, Flips, Word
from gatewatch.stats.multiple import benjamini_hochberg, holm

LOST_SHARE = 0.05
"""The share of pairs lost to scorer errors above which a scorer is given no verdict."""
_EXPLORED = _PASS_LEVEL = 0.05

Cells = dict[tuple[str, str], Figures]
"""Figures by scorer and slice; the slice is empty for all cases."""


def concluded(
    comparison: Comparison,
    pairs: Mapping[str, Pairs],
    rule: Rule,
    gating: Sequence[str],
    flip: Mapping[str, Flips],
    look: Look | None,
) -> Cells:
    """The figures of every scorer and slice, each with its verdict.

    Args:
        comparison: the two runs.
        pairs: by scorer, what is to be judged.
        rule: by what to judge.
        gating: the scorers that gate.
        flip: by gating scorer, what the flip layer found, where it is on.
        look: where the data stand, when they are looked at several times.
    """
    raw: Cells = {}
    level = _PASS_LEVEL if look is None else look.pass_level(_PASS_LEVEL)
    for name, each in pairs.items():
        alpha = rule.alpha / 2 if name in flip else rule.alpha
        for part, some in {"": each, **comparison.slices(each)}.items():
            raw[name, part] = replace(
                figures(comparison, some, alpha=alpha, max_drop=rule.max_drop, level=level, seed=rule.seed),
                gating=name in gating and (not part or part in rule.slices),
                flips=None if part else flip.get(name),
            )
    evidence = {cell: _evidence(cell[0], each, rule, look) for cell, each in raw.items()}
    for gates in (True, False):
        cells = [cell for cell, each in raw.items() if each.gating is gates and each.n]
        evidence |= zip(cells, holm([evidence[cell] for cell in cells]), strict=True)
    return {cell: _judged(cell, each, evidence[cell], comparison, rule, look) for cell, each in raw.items()}


def _evidence(name: str, found: Figures, rule: Rule, look: Look | None) -> float:
    """One p-value for a cell: of the mean layer, or of both layers together (Bonferroni)."""
    p = 1.0 if found.p is None or (found.delta or 0.0) > -rule.min_effect else found.p
    if look is not None and found.gating:  # the layer may use only a part of its error rate now
        alpha = rule.alpha if found.flips is None else rule.alpha / 2
        said = look.said.get(name)
        p = 0.0 if said == "regressed" else 1.0 if said == "no drop" else min(1.0, p * alpha / look.level(alpha))
    return p if found.flips is None else min(1.0, 2 * min(p, found.flips.p))


def _judged(
    cell: tuple[str, str], found: Figures, adjusted: float, comparison: Comparison, rule: Rule, look: Look | None
) -> Figures:
    name, part = cell
    where = f"{name} in {part}" if part else name
    word: Word = "UNDECIDED"
    reasons: list[str] = []
    stopped = look is not None and found.gating and look.said.get(name) == "no drop"
    ruled_out = found.lower is not None and found.lower > -rule.max_drop
    if refused(found):
        reasons.append(f"{where}: {found.errors} of {found.n + found.errors} pairs were lost to scorer errors")
    elif found.n and adjusted <= rule.alpha:
        word, reasons = "REGRESSED", _why_regressed(where, found, rule)
    elif found.n and (comparison.identical or stopped or ruled_out):
        word = "PASS"
    elif found.n:
        reasons.append(f"{where}: a fall of {rule.max_drop * 100:g} pp cannot be ruled out")
    else:
        reasons.append(f"{where}: no pairs")
    return replace(found, verdict=word, reasons=tuple(reasons), p_adjusted=adjusted if found.n else None)


def _why_regressed(where: str, found: Figures, rule: Rule) -> list[str]:
    reasons = []
    level = rule.alpha if found.flips is None else rule.alpha / 2
    by_flips = found.flips is not None and found.flips.confirmed > 0 and found.flips.p <= level
    if by_flips and found.flips is not None:
        count = found.flips.confirmed
        cases = "1 case that always passed has" if count == 1 else f"{count} cases that always passed have"
        reasons.append(f"{where}: {cases} now failed three times of three (p = {found.flips.p:.2g})")
    if found.p is not None and found.delta is not None and (found.p <= level or not by_flips):
        reasons.append(
            f"{where}: the mean fell by {-found.delta * 100:.1f} pp ({found.losses} down, {found.wins} up; "
            f"p = {found.p:.2g})"
        )
    return reasons


def refused(found: Figures) -> bool:
    """Whether too many pairs were lost to scorer errors for anything to be said."""
    return found.errors > LOST_SHARE * (found.n + found.errors)


def explore(cells: Cells) -> tuple[tuple[str, str, float], ...]:
    """Cells that only warn and did not survive Holm, but would by Benjamini and Hochberg: worth a look, no more."""
    rest = [cell for cell, each in cells.items() if not each.gating and each.p is not None]
    found = zip(rest, benjamini_hochberg([cells[cell].p or 0.0 for cell in rest]), strict=True)
    return tuple((*cell, q) for cell, q in found if q <= _EXPLORED and cells[cell].verdict != "REGRESSED")
