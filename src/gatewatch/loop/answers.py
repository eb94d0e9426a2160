"""How people may label an item: by which key, on which scorer's scale, and what that is worth in 0..1."""

from collections.abc import Iterator
from math import isfinite

from msgspec import Struct

from gatewatch.core.label import Value
from gatewatch.scorers.scale import Scale

_KEYS = "123456789"


class Choice(Struct, frozen=True):
    """A key, what it stands for, and what that is worth in 0..1; None for what cannot be judged."""

    key: str
    word: str
    value: float | None


class Answers(Struct, frozen=True):
    """What a reviewer is asked, and the keys by which it is answered; `numbers` says that any number in 0..1 is one.
    `guide` is by what to judge: the text that the judge goes by."""

    question: str
    choices: tuple[Choice, ...]
    scale: Scale | None = None
    numbers: bool = True
    guide: str = ""

    def value(self, text: str) -> float | None:
        """What a word or a number that is typed stands for; None for a choice that says that it cannot be judged.

        A whole number is a grade where there are grades; with a point in it, it is in 0..1.

        Raises:
            ValueError: for what is not on the scale; it says what may be given.
        """
        given = text.strip()
        for each in self.choices:
            if given == each.word or (given == each.key and self.scale is not None):  # a typed 1 is no tenth
                return each.value
        if given.lower() in ("y", "yes", "n", "no") and not self._of_choices:
            return float(given.lower().startswith("y"))
        scale = self.scale
        if scale is not None and scale.kind == "graded" and given.isascii() and given.isdecimal() and len(given) < 5:
            return scale.value(int(given))
        number = _number(given)
        if number is None or not (self.numbers or number in (0, 1)) or self._of_choices:
            raise ValueError(f"{text!r} is no answer: {self.told}")
        return number

    @property
    def keys(self) -> dict[str, Choice]:
        """The choices that have a key, by it."""
        return {each.key: each for each in self.choices if each.key}

    @property
    def told(self) -> str:
        """What may be given, in words."""
        typed = [each for each in self.choices if self.scale is not None or not each.key.isdecimal()]
        named = ", ".join(f"{each.key} ({each.word})" if each.key else each.word for each in typed)
        if self.scale is not None and self.scale.kind == "graded" and not self.choices:
            named = f"a grade in {self.scale.low}..{self.scale.high}"
        return f"{named}, or a number in 0..1, such as 0.5" if self.numbers else named

    def line_value(self, value: float) -> Value:
        """A value as a line of labels states it, on the scorer's own scale (see `core.label.LabelLine`)."""
        if self._of_choices:
            worth = {each.value: each.word for each in reversed(self.choices) if each.value is not None}
            return worth[min(worth, key=lambda each: abs(each - value))]
        scale = self.scale
        if scale is not None and scale.kind == "graded":
            grade = scale.low + value * (scale.high - scale.low)
            return round(grade) if abs(grade - round(grade)) < 1e-6 else value
        return float(value) if self.numbers else value == 1.0

    @property
    def _of_choices(self) -> bool:
        return self.scale is not None and self.scale.kind == "choice"


_RIGHT = (Choice("y", "right", 1.0), Choice("n", "wrong", 0.0))


def answers(scorer: str = "", scale: Scale | None = None, *, binary: bool = False) -> Answers:
    """How an item on a scorer's scale is labelled; without one, whether the answer is right.

    Args:
        scorer: its name, "" for none.
        scale: its rubric's, where it has one.
        binary: whether it says good or bad, and nothing between.

    Raises:
        ValueError: for a judge of pairs: of a live request there is only one answer.
    """
    if not scorer:
        return Answers("Is the answer right?", _RIGHT)
    if scale is None or scale.kind in ("binary", "policy"):
        question = f"Is the answer good or bad? ({scorer} judges it)"
        tenths = () if binary or scale is not None else tuple(Choice(key, f"0.{key}", int(key) / 10) for key in _KEYS)
        return Answers(question, (Choice("y", "good", 1.0), Choice("n", "bad", 0.0), *tenths), scale, bool(tenths))
    if scale.kind == "choice":
        keys = iter(_KEYS)
        named = tuple(Choice(next(keys, ""), name, worth) for name, worth in scale.choices)
        return Answers(f"{scorer}: which?", named, scale, numbers=False)
    if scale.kind == "graded":
        return Answers(f"{scorer}: {scale.low} to {scale.high}?", tuple(_grades(scale)), scale)
    raise ValueError(f"{scorer!r} is a judge of pairs, and a live request has one answer")


def _grades(scale: Scale) -> Iterator[Choice]:
    """A key for each grade, where one digit names it."""
    if scale.high <= len(_KEYS):
        for grade in range(scale.low, scale.high + 1):
            yield Choice(
                str(grade), {scale.low: "worst", scale.high: "best"}.get(grade, str(grade)), scale.value(grade)
            )


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if isfinite(found) and 0 <= found <= 1 else None
