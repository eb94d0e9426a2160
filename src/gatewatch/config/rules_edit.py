"""A rule of an alert in gatewatch.toml: a snippet to copy, or written into the file, of which nothing else changes."""

import re
from collections.abc import Mapping
from difflib import unified_diff
from typing import Any

from gatewatch.core import toml

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = re.compile(r"^[ \t]*\[(?!\[)([^\]\n]*)\][ \t]*(?:#[^\n]*)?$", re.MULTILINE)
_ALERT = re.compile(r"^[ \t]*alert[ \t]*=[ \t]*(?=\{)", re.MULTILINE)


def snippet(monitor: str, name: str, rule: Mapping[str, Any]) -> str:
    """A rule as it would stand in the file, in a table of its own."""
    lines = [f"[monitors.{_key(monitor)}.alert.rules.{_key(name)}]"]
    return "\n".join([*lines, *(f"{_key(key)} = {_value(value)}" for key, value in rule.items())]) + "\n"


def inline(name: str, rule: Mapping[str, Any]) -> str:
    """A rule in one line, as commands take it: `helpful = { drop = "3pp" }`."""
    return f"{_key(name)} = {_value(dict(rule))}"


def edited(text: str, monitor: str, name: str, rule: Mapping[str, Any]) -> str | None:
    """The file with a rule in the place of the one of its name, or beside the others.

    Returns:
        None where that cannot be done without changing what else the file says; then the snippet is to be copied.
    """
    before = toml.parse(text)
    if monitor not in before.get("monitors", {}):
        return None
    alert = before["monitors"][monitor].get("alert", {})
    wanted = {**alert, "rules": {**alert.get("rules", {}), name: dict(rule)}}
    for made in (_in_place(text, monitor, wanted), _in_table(text, monitor, name, rule)):
        if made is not None and _says(made, before, monitor, wanted):
            return made
    return None


def difference(before: str, after: str, path: str) -> list[str]:
    """What changes in a file, line by line, as `diff -u` has it."""
    return list(unified_diff(before.splitlines(), after.splitlines(), path, path, lineterm="", n=3))


def _says(text: str, before: dict[str, Any], monitor: str, alert: dict[str, Any]) -> bool:
    """Whether a text says the same as the file did, but for a monitor's `alert`."""
    try:
        found = toml.parse(text)
        there = found["monitors"][monitor].pop("alert")
    except (ValueError, KeyError, AttributeError):
        return False
    rest = {**before, "monitors": {**before["monitors"]}}
    rest["monitors"][monitor] = {key: value for key, value in before["monitors"][monitor].items() if key != "alert"}
    return bool(there == alert and found == rest)


def _in_place(text: str, monitor: str, alert: Mapping[str, Any]) -> str | None:
    """With the value of `alert = { ... }` in the monitor's table replaced, or added at its end where there is none."""
    span = _table(text, ("monitors", monitor))
    if span is None:
        return None
    begin, end = span
    found = _ALERT.search(text, begin, end)
    line = f"alert = {_value(dict(alert))}"
    if found is None:
        body = text[begin:end].rstrip()
        return f"{text[:begin]}{body}\n{line}\n{text[begin + len(body) :].lstrip(chr(10)) and chr(10)}{text[end:]}"
    close = _closing(text, found.end())
    return None if close is None else text[: found.start()] + line + text[close:]


def _in_table(text: str, monitor: str, name: str, rule: Mapping[str, Any]) -> str | None:
    """With the rule's own table replaced, or put at the end of the file."""
    made = snippet(monitor, name, rule)
    span = _table(text, ("monitors", monitor, "alert", "rules", name))
    if span is None:
        return f"{text.rstrip()}\n\n{made}"
    begin, end = span
    return text[:begin] + "\n" + made.split("\n", 1)[1] + ("\n" if text[end:] else "") + text[end:]


def _table(text: str, path: tuple[str, ...]) -> tuple[int, int] | None:
    """Where the body of a table begins and ends."""
    headers = list(_HEADER.finditer(text))
    for place, each in enumerate(headers):
        if _path(each[1]) == path:
            end = headers[place + 1].start() if place + 1 < len(headers) else len(text)
            return each.end(), end
    return None


def _path(header: str) -> tuple[str, ...]:
    """The keys of a table's header."""
    try:
        level: Any = toml.parse(f"[{header}]")
    except ValueError:
        return ()
    keys = []
    while isinstance(level, dict) and level:
        key, level = next(iter(level.items()))
        keys.append(key)
    return tuple(keys)


def _closing(text: str, begin: int) -> int | None:
    """Behind the brace that closes the one at a place; texts are passed over."""
    depth, quote = 0, ""
    place = begin
    while place < len(text):
        letter = text[place]
        if quote:
            if letter == "\\" and quote == '"':
                place += 1
            elif letter == quote:
                quote = ""
        elif letter in "\"'":
            quote = letter
        elif letter == "{":
            depth += 1
        elif letter == "}":
            depth -= 1
            if not depth:
                return place + 1
        place += 1
    return None


def _key(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return (
            "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }" if value else "{}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _text(str(value))


def _text(value: str) -> str:
    letters = []
    for letter in value:
        if letter in '"\\':
            letters.append("\\" + letter)
        elif ord(letter) < 0x20 or letter == "\x7f":
            letters.append(f"\\u{ord(letter):04x}")
        else:
            letters.append(letter)
    return '"' + "".join(letters) + '"'
