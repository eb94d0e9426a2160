"""A verdict as JUnit XML, for CI systems that list tests: a suite for the gate, and one for each scorer."""

from collections.abc import Mapping
from xml.etree import ElementTree as Xml

from gatewatch.offline.report import number
from gatewatch.offline.reports.moves import by_case, change, notes, outcomes
from gatewatch.offline.reports.texts import RowTexts
from gatewatch.offline.reports.worddiff import as_lines, condensed, word_diff
from gatewatch.offline.reports.words import headline, move, open_case, plain, pp, says
from gatewatch.offline.verdict import Figures, OpenCase, RowDiff, Verdict

IN_DETAIL = 200
"""How many cases, the gravest first, have their texts in the file."""
_SHORT = 200
_KINDS = ("failure", "error", "skipped")


def as_junit(verdict: Verdict, texts: Mapping[str, RowTexts] | None = None) -> str:
    """The report as JUnit XML.

    The suite "gate" has one test case, the verdict; the suite "open" one for each open case, if there are any. Each
    scorer's suite has one for the scorer as a whole and one for each row that moved. What blocks is a failure, what has
    no verdict or is open is skipped, everything else passes.
    """
    known = texts or {}
    detailed = {case.id for case in by_case(verdict.rows)[:IN_DETAIL] if case.id in known}
    root = Xml.Element("testsuites", name=_line(f"gatewatch {verdict.suite}"))
    _gate(Xml.SubElement(root, "testsuite", name="gate"), verdict)
    if verdict.open:
        suite = Xml.SubElement(root, "testsuite", name="open")
        for each in verdict.open:
            _open(suite, each)
    for scorer in dict.fromkeys([*verdict.scorers, *(row.scorer for row in verdict.rows)]):
        suite = Xml.SubElement(root, "testsuite", name=_line(scorer) or "(no name)")
        figures = verdict.scorers.get(scorer)
        if figures is not None:
            _scorer(suite, scorer, figures)
        for row in verdict.rows:
            if row.scorer == scorer:
                _row(suite, row, known[row.id] if row.id in detailed else None)
    for element in [*root, root]:
        cases = list(element.iter("testcase"))
        counts = [sum(case.find(kind) is not None for case in cases) for kind in _KINDS]
        element.set("tests", str(len(cases)))
        for name, count in zip(("failures", "errors", "skipped"), counts, strict=True):
            element.set(name, str(count))
    Xml.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{Xml.tostring(root, encoding="unicode")}\n'


def _line(text: str) -> str:
    """Text on one line, in letters that XML 1.0 may have."""
    return plain(text)


def _lines(text: str) -> str:
    return "\n".join(plain(line) for line in text.split("\n"))


def _case(suite: Xml.Element, name: str, group: str, properties: Mapping[str, str]) -> Xml.Element:
    case = Xml.SubElement(suite, "testcase", classname=_line(group) or "(no name)", name=_line(name) or "(no name)")
    found = Xml.SubElement(case, "properties")
    for key, value in properties.items():
        Xml.SubElement(found, "property", name=key, value=_line(value))
    return case


def _outcome(case: Xml.Element, kind: str, message: str, text: str = "") -> None:
    Xml.SubElement(case, kind, message=plain(message, _SHORT)).text = _lines(text) if text else None


def _gate(suite: Xml.Element, verdict: Verdict) -> None:
    word = verdict.verdict.replace("_", " ")
    case = _case(suite, "verdict", "gate", {"verdict": verdict.verdict, "rule": verdict.rule})
    said = "\n".join([*verdict.reasons, *verdict.reach])
    message = f"{word}: {headline(verdict)}"
    if verdict.broken:
        _outcome(case, "error", message, said)
    elif verdict.verdict == "REGRESSED":
        _outcome(case, "failure", message, said)
    elif verdict.verdict != "PASS":
        _outcome(case, "skipped", message, said)
    Xml.SubElement(case, "system-out").text = _lines(f"{message}\n{said}")


def _open(suite: Xml.Element, each: OpenCase) -> None:
    about = {"state": each.state, "until": each.until, "owner": each.owner}
    case = _case(suite, each.id, "open", about)
    if each.passes or each.state == "locked":  # what is locked and fails is a failure of the scorer's suite
        return
    _outcome(case, "failure" if each.state == "expired" else "skipped", open_case(each))


def _scorer(suite: Xml.Element, scorer: str, figures: Figures) -> None:
    low, high = figures.interval or (None, None)
    case = _case(
        suite,
        f"{scorer} as a whole",
        scorer,
        {
            "gating": str(figures.gating).lower(),
            "baseline": number(figures.baseline),
            "candidate": number(figures.candidate),
            "delta": pp(figures.delta),
            "interval": f"{pp(low)} {pp(high)}",
            "p": "—" if figures.p_adjusted is None else f"{figures.p_adjusted:.4g}",
            "wins": str(figures.wins),
            "losses": str(figures.losses),
            "n": str(figures.n),
        },
    )
    if not figures.gating:
        return
    said = "\n".join(figures.reasons)
    message = f"{scorer}: {move(figures.baseline, figures.candidate)}, {says(figures)}"
    if figures.verdict == "REGRESSED":
        _outcome(case, "failure", message, said)
    elif figures.verdict != "PASS":
        _outcome(case, "skipped", message, said)


def _row(suite: Xml.Element, row: RowDiff, texts: RowTexts | None) -> None:
    case = _case(
        suite,
        row.id,
        row.scorer,
        {
            "baseline": number(row.before),
            "candidate": number(row.after),
            "delta": pp(change(row)),
            "slice": row.slice,
            "flaky": str(row.flaky).lower(),
            "accepted": row.accepted,
        },
    )
    said = [f"{row.scorer}: {move(row.before, row.after)}", *notes(row), *filter(None, [outcomes(row)])]
    if row.why:
        _outcome(case, "failure", ", ".join(said), "\n".join(said))
    if texts is not None:
        Xml.SubElement(case, "system-out").text = _lines("\n".join(_told(row, texts)))


def _told(row: RowDiff, texts: RowTexts) -> list[str]:
    """What was asked, what either side answered, and what the scorer said of it."""
    found = [
        f"{label}: {text}"
        for label, text in (
            ("input", texts.input),
            ("expected", texts.expected),
            ("error before", texts.error_before),
            ("error", texts.error_after),
            ("scorer, before", texts.scores_before.get(row.scorer, (None, ""))[1]),
            ("scorer, after", texts.scores_after.get(row.scorer, (None, ""))[1]),
        )
        if text
    ]
    if texts.before is not None and texts.after is not None:
        return found + as_lines(condensed(word_diff(texts.before, texts.after)))
    if texts.before is not None:
        return found + as_lines([("del", texts.before)])
    return found + (as_lines([("ins", texts.after)]) if texts.after is not None else [])
