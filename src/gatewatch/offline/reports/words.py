"""A verdict in words and figures: what all of its faces say alike. Plain strings, not escaped for any face."""

import re
from collections.abc import Iterable
from typing import Literal

from gatewatch.core.money import Cost, dollars
from gatewatch.offline.report import number, pulled_apart, seconds
from gatewatch.offline.verdict import Accepted, Figures, OpenCase, Side, Verdict

MINUS = "\u2212"
GLYPHS = {"PASS": "✓", "REGRESSED": "✕", "UNDECIDED": "~", "NOT_COMPARABLE": "≠"}
LAYERS = {"A": "contract", "B": "flips", "C": "mean"}
_SHOWN_IDS = 5
_SHOWN = 60
_OPEN_SHOWN = 20
_BECAME = {
    True: (
        "passes now (locks at the next `gatewatch rebaseline`)",
        "pass now (they lock at the next `gatewatch rebaseline`)",
    ),
    False: ("fails", "fail"),
    None: ("is not judged", "are not judged"),
}
_STEERING = re.compile(r"[^ -~]+")

Direction = Literal["fell", "slid", "maybe", "rose", "noise", "none"]


def plain(text: str, most: int = 0) -> str:
    """Text on one line that steers nothing, with `most`, of so many characters at most.

    Control characters, marks that turn the direction of text and letters without width are written as escapes: they
    may be all that two answers differ in. What a CI system would take for a command is pulled apart.
    """
    shown = text[: most + 1] if most else text
    if not (shown.isascii() and shown.isprintable()):
        shown = _STEERING.sub(lambda found: found[0] if found[0].isprintable() else _visible(found[0]), shown)
    shown = pulled_apart(shown)
    return f"{shown[: most - 1]}…" if most and len(shown) > most else shown


def _visible(text: str) -> str:
    return "".join(
        letter if letter.isprintable() else " " if letter.isspace() else letter.encode("unicode_escape").decode()
        for letter in text
    )


# Figures


def signed(value: float | None, digits: int = 1) -> str:
    """A figure with its sign, to some decimals; more of them where it would be 0 without being that."""
    if value is None:
        return "—"
    if value == 0:
        return f"{0:.{digits}f}"
    if abs(value) < 0.5 * 10**-digits:
        digits += 1
    return f"{value:+.{digits}f}".replace("-", MINUS)


def pp(value: float | None) -> str:
    """A difference of two means in percentage points, signed."""
    return signed(None if value is None else value * 100)


def interval(found: tuple[float, float] | None) -> str:
    """An interval in percentage points, in brackets."""
    return "—" if found is None else f"[{pp(found[0])}, {pp(found[1])}]"


def probability(p: float | None) -> str:
    """A p-value to two digits that mean something."""
    if p is None:
        return "—"
    if p < 0.001:
        return "<0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def move(before: float | None, after: float | None) -> str:
    """A score before and after."""
    return f"{number(before)} → {number(after)}"


def ratio(before: float | None, after: float | None) -> str:
    """By how much an amount changed, in percent of what it was, or nothing where that is unknown."""
    if before is None or after is None or before <= 0 or before == after:
        return ""
    return f" ({signed((after / before - 1) * 100, 0)} %)"


def counted(count: int, noun: str) -> str:
    """A number and its noun: 1 case, 2 cases."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


# What a scorer's figures say


def direction(figures: Figures) -> Direction:
    """Which way a scorer moved, as far as that is sure.

    "slid" is a fall that is sure, and so small that the rule lets it through; "maybe" one whose interval does not reach
    0, but which is one of so many that it is not sure; "rose" is a rise as sure as a fall has to be to block; "noise"
    is anything else that chance may have done.
    """
    if figures.verdict == "REGRESSED":
        return "fell"
    if figures.delta is None:
        return "none"
    if figures.rose and figures.interval is not None and figures.interval[0] > 0:
        return "rose"
    if figures.interval is not None and figures.interval[1] < 0:
        return "slid" if figures.verdict == "PASS" else "maybe"
    return "noise"


def sure(figures: Figures) -> bool:
    """Whether a scorer moved for more reasons than chance, as far as that can be known."""
    return direction(figures) in ("fell", "slid", "rose")


def says(figures: Figures) -> str:
    """A scorer's own verdict in a word or two: with its glyph where it gates, else what is to be read from it."""
    way = direction(figures)
    found = {"slid": "small fall", "maybe": "maybe fell", "none": "no pairs"}.get(way, way)
    if not figures.gating:
        return f"info: {found}"
    if figures.verdict == "PASS":
        return f"✓ {found}" if way != "none" else "✓"
    return f"{GLYPHS[figures.verdict]} {figures.verdict.lower().replace('_', ' ')}"


def headline(verdict: Verdict) -> str:
    """The verdict in a sentence, without the word itself."""
    drop = f"{verdict.max_drop * 100:g} pp"
    gating = {name: each for name, each in verdict.scorers.items() if each.gating}
    if verdict.broken:
        return "the candidate's run broke"
    if verdict.verdict == "NOT_COMPARABLE":
        return "the two runs cannot be compared"
    if verdict.verdict == "PASS":
        if verdict.identical:
            return "what gates did not move" if verdict.rows else "nothing moved between the two"
        if len(gating) == 1:
            ((name, only),) = gating.items()
            return f"{plain(name, _SHOWN)} did not fall by {drop} or more{_around(only)}"
        return f"none of {len(gating)} scorers fell by {drop} or more" if gating else "nothing fell"
    if verdict.verdict == "REGRESSED":
        return "; ".join(_falls(verdict, gating)) or (plain(verdict.reasons[0]) if verdict.reasons else "it got worse")
    if verdict.refused:
        return plain(verdict.reasons[0])
    still = {name: each for name, each in gating.items() if each.verdict != "PASS"}
    if len(still) == 1:
        ((name, only),) = still.items()
        if only.delta is not None:
            return f"too few cases to tell whether {plain(name, _SHOWN)} fell by {drop} or not{_around(only)}"
    if still:
        return f"too few cases to tell whether {_named(still)} fell by {drop} or not"
    return plain(verdict.reasons[0]) if verdict.reasons else "there is not enough to tell"


def _named(names: Iterable[str]) -> str:
    """Three names at most, so that a sentence remains one."""
    found = [plain(name, _SHOWN) for name in names]
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(found[:3]) + more if more else " and ".join(found)


def _falls(verdict: Verdict, gating: dict[str, Figures]) -> list[str]:
    """What got worse: must-pass cases, cases that used to pass, means."""
    found = []
    must = {row.id for row in verdict.rows if row.why == "A"}
    if must:
        found.append("a must-pass case fails" if len(must) == 1 else f"{len(must):,} must-pass cases fail")
    broken = sum(each.flips.confirmed for each in gating.values() if each.flips and each.verdict == "REGRESSED")
    if broken and any(row.why == "B" for row in verdict.rows):
        found.append("a case that always passed fails" if broken == 1 else f"{broken:,} cases that always passed fail")
    cells = [(plain(name, _SHOWN), each) for name, each in gating.items()]
    cells += [
        (f"{plain(name, _SHOWN)} in {plain(part, _SHOWN)}", each)
        for part, scorers in verdict.slices.items()
        for name, each in scorers.items()
        if each.gating
    ]
    fell = [(name, each) for name, each in cells if each.verdict == "REGRESSED" and (each.delta or 0) < 0]
    found += [
        f"{name} fell by {-(each.delta or 0) * 100:.1f} pp{_around(each, delta=False)}" for name, each in fell[:3]
    ]
    return found + ([f"{len(fell) - 3} more fell"] if len(fell) > 3 else [])


def _around(figures: Figures, *, delta: bool = True) -> str:
    if figures.interval is None:
        return f" ({pp(figures.delta)} pp)" if delta and figures.delta is not None else ""
    low, high = figures.interval
    change = f"{pp(figures.delta)} pp, " if delta else ""
    return f" ({change}95 % interval {pp(low)} to {pp(high)})"


# Lines of facts, each with a label


def title(side: Side | None) -> str:
    """A side as a heading names it."""
    if side is None:
        return "—"
    facts = []
    if side.pinned:
        facts.append("pinned" if side.pinned == "pinned" else f"pinned {plain(side.pinned)[:10]}")
    if side.commit:
        facts.append(f"commit {plain(side.commit)}")
    name = plain(side.run if side.pinned else side.label or side.run)
    return f"{name} ({', '.join(facts)})" if facts else name


def pairs(verdict: Verdict) -> str:
    """How many cases were compared, of how many."""
    sides = [side for side in (verdict.baseline, verdict.candidate) if side is not None]
    most = max((side.cases for side in sides), default=0)
    of = f" of {most:,}" if most > verdict.paired else ""
    trials = " → ".join(dict.fromkeys(str(side.trials) for side in sides))
    dataset = " → ".join(dict.fromkeys(plain(side.dataset, _SHOWN) for side in sides if side.dataset))
    counted = f"{verdict.paired:,}{of} cases paired" + (f", trials {trials}" if trials not in ("", "1") else "")
    return f"{counted}, {dataset}" if dataset else counted


def changes(verdict: Verdict) -> list[str]:
    """What changed between the two: the sentence about it, then each component where there are several."""
    found = [plain(verdict.attribution)] if verdict.attribution else []
    if len(verdict.changed) > 1 or not verdict.attribution:
        found += [
            f"{plain(name, _SHOWN)}: {plain(one, _SHOWN) or '(none)'} → {plain(other, _SHOWN) or '(none)'}"
            for name, (one, other) in verdict.changed.items()
        ]
    return found


def facts(verdict: Verdict) -> list[tuple[str, list[str]]]:
    """What stands beside the figures, by label: layers, power, cost, latency, errors, open cases, ceilings, exceptions,
    cases."""
    before, after = verdict.baseline, verdict.candidate
    found = [
        ("layers", [f"{plain(e.name)} {'on' if e.on else 'off'}: {plain(e.said)}" for e in verdict.layers]),
        ("detects", _power(verdict)),
    ]
    if before is not None and after is not None:
        found += [
            ("cost", _costs(before, after, verdict)),
            ("latency", _latencies(before, after)),
            ("errors", [f"{_failed(before)} → {_failed(after)} rows without an answer"]),
        ]
    found += [
        ("open", opened(verdict)),
        ("ceilings", [("✕ " if each.blocks else "") + plain(each.said or each.name) for each in verdict.ceilings]),
        ("accepted", [_accepted(each) for each in verdict.accepted]),
        ("cases", _cases(verdict)),
        ("look at", [f"{plain(name)} in {plain(part)} (q = {q:.2g})" for name, part, q in verdict.explore]),
    ]
    return [(label, lines) for label, lines in found if lines]


def _power(verdict: Verdict) -> list[str]:
    found = []
    for name, each in verdict.scorers.items():
        if not each.gating or each.mde is None:
            continue
        said = f"{plain(name)}: a fall of {each.mde * 100:.1f} pp, with 80 % power in {counted(each.n, 'pair')}"
        if each.needed is not None and each.verdict == "UNDECIDED":
            said += f"; {counted(each.needed, 'case')} would decide (assumes no true difference)"
        found.append(said)
    return found


def _costs(before: Side, after: Side, verdict: Verdict) -> list[str]:
    found = []
    for name, one, other in (("task", before.cost, after.cost), ("judge", before.judge_cost, after.judge_cost)):
        free = all(cost is not None and not cost.unknown and not cost.amount for cost in (one, other))
        if (one is None and other is None) or (free and name == "judge"):
            continue
        each = _per_row(one, before.rows), _per_row(other, after.rows)
        whole = f"{_total(one)} → {_total(other)} in all"
        if each == (None, None):
            found.append(f"{name} unknown" if _total(one) == _total(other) else f"{name} {whole}")
        else:
            found.append(f"{name} {_amount(each[0])} → {_amount(each[1])} a row{ratio(*each)}, {whole}")
    if verdict.reruns:
        found.append(f"{counted(verdict.reruns, 're-run')}: {_total(verdict.rerun_cost)}")
    return found


def _per_row(cost: Cost | None, rows: int) -> float | None:
    return None if cost is None or cost.total is None or not rows else cost.total / rows


def _amount(value: float | None) -> str:
    return "—" if value is None else dollars(value)


def _total(cost: Cost | None) -> str:
    return "—" if cost is None else str(cost)


def _latencies(before: Side, after: Side) -> list[str]:
    names = [
        name
        for name in dict.fromkeys([*before.latency_s, *after.latency_s])
        if before.latency_s.get(name) is not None or after.latency_s.get(name) is not None
    ]
    said = []
    for name in names:
        one, other = before.latency_s.get(name), after.latency_s.get(name)
        said.append(f"{plain(name)} {seconds(one)} → {seconds(other)}{ratio(one, other)}")
    return [" · ".join(said)] if said else []


def _failed(side: Side) -> str:
    return f"{side.failed:,} of {side.rows:,}" if side.rows else "—"


def _accepted(each: Accepted) -> str:
    state = {"holds": "", "expired": "EXPIRED: ", "idle": "not needed any more: "}[each.state]
    return plain(f"{state}{each.what}: {each.reason} (until {each.until}, {each.owner}; {each.where})")


def opened(verdict: Verdict) -> list[str]:
    """What became of open cases: in all, then each, and those that are locked."""
    may = [each for each in verdict.open if each.state != "locked"]
    locked = tuple(each.id for each in verdict.open if each.state == "locked")
    found = []
    if may:
        counts = [(sum(each.passes is passes for each in may), words) for passes, words in _BECAME.items()]
        said = ", ".join(f"{count:,} {words[count > 1]}" for count, words in counts if count)
        found.append(f"{counted(len(may), 'promoted case')} that may fail: {said}")
        found += [open_case(each) for each in may[:_OPEN_SHOWN]]
        found += [f"... and {len(may) - _OPEN_SHOWN:,} more"] if len(may) > _OPEN_SHOWN else []
    if locked:
        found.append(f"{len(locked):,} fixed, must pass from now on: {listed(locked)}")
    return found


def open_case(each: OpenCase) -> str:
    """An open case in a line."""
    said = {True: "passes", False: "fails", None: "no scorer has a value for it"}[each.passes]
    tried = f", {each.tries} tries" if each.tries > 1 else ""
    until = f"{'was open' if each.state == 'expired' else 'open'} until {each.until}"
    whose = f", {plain(each.owner, _SHOWN)}" if each.owner else ""
    sign = "✕ " if each.state == "expired" and not each.passes else ""
    return f"{sign}{plain(each.id, _SHOWN)}: {said}{tried} ({until}{whose})"


def _cases(verdict: Verdict) -> list[str]:
    groups = ((verdict.new, "new"), (verdict.altered, "changed"), (verdict.removed, "gone"))
    return [f"{len(ids):,} {word}: {listed(ids)}" for ids, word in groups if ids]


def listed(ids: tuple[str, ...], most: int = _SHOWN_IDS) -> str:
    """The first few of some ids."""
    more = f" ... and {len(ids) - most:,} more" if len(ids) > most else ""
    return ", ".join(plain(each, _SHOWN) for each in ids[:most]) + more
