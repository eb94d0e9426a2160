"""An item as a page shows it: what was asked, looked up, done and answered, and how it may be labelled."""

from contextlib import suppress
from typing import Any

from msgspec import Struct

from gatewatch.config.labelling import answers_for, claim_s, rules_of
from gatewatch.core import codec
from gatewatch.core.clock import wall
from gatewatch.core.errors import GatewatchError, InputError
from gatewatch.core.failure import number_in
from gatewatch.core.review import Item, Label
from gatewatch.core.trace import Trace
from gatewatch.loop.answers import Answers, answers
from gatewatch.loop.label import Part, expected_text, item_name, parts_of, suggested
from gatewatch.loop.review import Rules
from gatewatch.web.forms import Form
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.reviewers import account_of
from gatewatch.web.refusals import Refused

_FIELDS = ("value", "number", "expected", "comment", "severity")
CLAIM_S = 1800.0
"""For how long an item is a reviewer's, of a project whose settings are elsewhere."""
_LONG = 1600
_LAST = 4000


class Shown(Struct, frozen=True):
    """An item, as a reviewer sees it: `parts` with how much of each is shown at once, and how it may be labelled."""

    item: Item
    parts: tuple[tuple[int, Part, int], ...]
    asked: Answers
    rules: Rules
    suggested: str
    mine: Label | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return item_name(self.item.id)

    @property
    def peekable(self) -> bool:
        """Whether what the judge said may be looked at before: not where it is the judge that is calibrated."""
        return self.item.judged is not None and self.item.queue != "calibration"


def typed(shown: Shown, said: Form | None) -> dict[str, Any]:
    """What is in the fields of an item's form: as it was sent, else what its reviewer said before."""
    if said is not None:
        found: dict[str, Any] = {name: said.get(name, "") for name in _FIELDS}
        return found | {"kind": said.getlist("kind")}
    mine = shown.mine
    if mine is None:
        return dict.fromkeys(_FIELDS, "") | {"kind": []}
    word = _word(shown.asked, mine.value)
    return {
        "value": word,
        "number": "" if word or mine.value is None else f"{mine.value:g}",
        "expected": expected_text(mine.expected),
        "comment": mine.comment,
        "severity": mine.severity or "",
        "kind": list(mine.kinds),
    }


def _word(how: Answers, value: float | None) -> str:
    """The choice that has a value; "" where none has."""
    return next((each.word for each in how.choices if each.value == value), "")


def typed_value(how: Answers, value: float | None) -> str:
    """A value as its reviewer said it: the choice that has it, else the number; "" for none."""
    return _word(how, value) or ("" if value is None else f"{value:g}")


def known(asked: Asked) -> Item:
    """The item that a path names.

    Raises:
        Refused: there is none.
    """
    name = asked.request.path_params["name"]
    number = number_in(name, "I")
    found = None if number is None else asked.store.item(number)
    if found is None:
        raise Refused(404, f"there is no item {name[:40]!r}", hint="Review lists those that wait")
    return found


def shown(asked: Asked, item: Item, trace: bytes, mine: Label | None = None) -> Shown:
    """An item as a reviewer sees it; that somebody looks is noted in the audit."""
    asked.store.note(wall(), account_of(asked), "read", item.trace)
    parts: list[Part] = []
    ready = ""
    with suppress(ValueError):
        decoded = codec.decode(trace, Trace)
        parts, ready = parts_of(decoded), suggested(decoded)
    return Shown(item, fitting(parts), how(asked, item), rules(asked), ready, mine)


def fitting(parts: list[Part]) -> tuple[tuple[int, Part, int], ...]:
    """Parts with their places, and how many bytes of each are shown at once: more of the last, which is judged."""
    last = len(parts) - 1
    return tuple((place, part, _LAST if place == last else _LONG) for place, part in enumerate(parts))


def how(asked: Asked, item: Item) -> Answers:
    """How an item may be labelled: on its scorer's scale, or by a number where the project's settings are elsewhere."""
    if asked.project is not None:
        try:
            return answers_for(asked.project, item.scorer)
        except InputError as error:
            raise Refused(409, str(error)) from None
    return answers(item.scorer)


def rules(asked: Asked) -> Rules:
    """What reviewers have to say."""
    if asked.project is None:
        return Rules()
    try:
        return rules_of(asked.project)
    except GatewatchError as error:
        raise Refused(409, str(error), hint="correct gatewatch.toml, and start the server again") from None


def claim_length(asked: Asked) -> float:
    """For how many seconds an item is a reviewer's."""
    if asked.project is None:
        return CLAIM_S
    try:
        return claim_s(asked.project)
    except GatewatchError as error:
        raise Refused(409, str(error), hint="correct gatewatch.toml, and start the server again") from None
