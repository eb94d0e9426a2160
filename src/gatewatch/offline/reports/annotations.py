"""A verdict as workflow commands of GitHub Actions, which show it beside the lines of the dataset."""

from collections.abc import Mapping

from gatewatch.offline.reports.moves import blocking, by_case, notes
from gatewatch.offline.reports.words import headline, move, open_case, opened, plain
from gatewatch.offline.verdict import Verdict

_LONGEST = 1000
_TITLE = 100


def as_annotations(verdict: Verdict, places: Mapping[str, str], *, most: int = 10) -> list[str]:
    """The commands, each a line, for a job's log: what blocks as errors, UNDECIDED as a notice, nothing for a pass, but
    for what is open.

    Args:
        verdict: what the gate says.
        places: where a case lies, as "file:line", by its id; cases without a place are shown without one.
        most: how many there may be: GitHub shows ten of a step. The last then says how many more there were.
    """
    told = _open(verdict, places)
    if verdict.verdict == "PASS" and not verdict.broken:
        return told[: max(0, most)]
    word = verdict.verdict.replace("_", " ")
    said = "\n".join(plain(line) for line in [*verdict.reasons, *verdict.reach])
    kind = "notice" if verdict.verdict == "UNDECIDED" and not verdict.broken else "error"
    whole = _command(kind, "", f"{verdict.suite or 'gate'}: {word}", f"{_first_up(headline(verdict))}\n{said}")
    cases = by_case(blocking(verdict))
    room = most - len(told)
    shown = cases if len(cases) < room else cases[: max(0, room - 2)]
    found = [whole, *told]
    for case in shown:
        lines = [f"{move(row.before, row.after)} {', '.join([row.scorer, *notes(row)])}" for row in case.rows]
        found.append(_command("error", places.get(case.id, ""), f"{case.id} {word}", "\n".join(map(plain, lines))))
    if len(cases) > len(shown):
        ids = ", ".join(plain(case.id, _TITLE) for case in cases[len(shown) :])
        found.append(_command("error", "", f"{len(cases) - len(shown):,} more cases block", ids))
    return found[: max(0, most)]


def _open(verdict: Verdict, places: Mapping[str, str]) -> list[str]:
    """A notice of what is open, if anything is; of cases whose day is past, the first two as errors."""
    late = [each for each in verdict.open if each.state == "expired" and not each.passes]
    found = [_command("error", places.get(each.id, ""), f"{each.id} was open", open_case(each)) for each in late[:2]]
    if any(each.state != "locked" for each in verdict.open):
        found.append(_command("notice", "", f"{verdict.suite or 'gate'}: open cases", "\n".join(opened(verdict))))
    return found


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


def _command(kind: str, place: str, title: str, message: str) -> str:
    file, _, line = place.rpartition(":")
    properties = {"title": plain(title, _TITLE)}
    if file and line.isdecimal() and line.isascii():
        properties = {"file": plain(file), "line": line, **properties}
    elif place:
        properties = {"file": plain(place), **properties}
    stated = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    text = message if len(message) <= _LONGEST else f"{message[: _LONGEST - 1]}…"
    return f"::{kind} {stated}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
