"""The errors a user may meet, and how they speak.

    GatewatchError              exit code 4: the run itself broke
    ├── InputError              exit code 2: something the user wrote is wrong; carries every problem at once
    │   ├── ConfigError         gatewatch.toml, or what it names
    │   ├── DatasetError        a dataset or replay file
    │   └── RubricError         a judge's rubric file
    ├── GateFailed              exit code 1: the gate says REGRESSED
    ├── NoVerdict               exit code 3: the gate has nothing to say, or the suite wants more than UNDECIDED
    ├── RunBroken               the run could not go on; what was done is kept and can be resumed
    ├── ModelError              an LLM provider gave no usable answer
    ├── BadPayload              what was posted to the server is not what it should be
    └── StoreError              where live traffic is kept cannot be used
        ├── StoreVersion        another Gatewatch's tables are in it
        ├── StoreBusy           others kept it locked for too long; worth another try
        ├── StoreFull           there is no room on its disk; worth another try when there is
        └── StoreRefused        what it is to keep cannot be kept, whatever its state is

Each names what was wrong, where, and what to do about it.
"""

from collections.abc import Iterable
from itertools import islice

from msgspec import Struct

SHOWN_PROBLEMS = 50


class Problem(Struct, frozen=True):
    """One thing that is wrong in something the user wrote.

    `where` is a path with a line (`data.jsonl:12`), a line and a column (`data.jsonl:12:7`) or a place in
    the configuration (`gatewatch.toml: suites.support.task`).
    """

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.hint})" if self.hint else "")


class GatewatchError(Exception):
    """The root of every error that Gatewatch raises on purpose."""

    exit_code = 4


class InputError(GatewatchError):
    """Something the user wrote is wrong; `problems` has every one that was found, not only the first."""

    exit_code = 2

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems[:SHOWN_PROBLEMS]]
        if len(self.problems) > SHOWN_PROBLEMS:
            lines.append(f"... and {len(self.problems) - SHOWN_PROBLEMS} more")
        return "\n".join(lines)


class ConfigError(InputError):
    """The configuration, or something that it names, is wrong."""


class DatasetError(InputError):
    """A dataset or a replay file is wrong."""


class RubricError(InputError):
    """A judge's rubric file is wrong."""


class GateFailed(GatewatchError, AssertionError):  # noqa: N818 - what happened
    """The gate says REGRESSED; the message is its report. It is an assertion's error too, as tests expect."""

    exit_code = 1


class NoVerdict(GatewatchError):  # noqa: N818 - what there is not
    """There is no verdict: no baseline, another ruler or dataset, no rows, or UNDECIDED where that is to fail."""

    exit_code = 3


class RunBroken(GatewatchError):  # noqa: N818 - it is a state of the run, and reads as one
    """The run could not go on. What was done is in its journal, and `--resume` goes on from there."""


class ModelError(GatewatchError):
    """An LLM provider gave no usable answer.

    `kind` is one of `refused` (a 4xx that will not change), `rate_limited`, `server`, `timeout`,
    `connection` and `malformed`.
    """

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


class BadPayload(GatewatchError):  # noqa: N818 - what it is
    """What was posted to the server cannot be read; whoever sent it need not send it again as it is."""


class TooMuch(BadPayload):
    """What was posted to the server says more than one request may; in smaller parts it is taken."""


class StoreError(GatewatchError):
    """Where live traffic is kept cannot be used; what was kept is left as it is."""


class StoreVersion(StoreError):  # noqa: N818 - what is wrong with it
    """A store has tables of another version; `what` says of which, and not where the store is."""

    def __init__(self, name: str, what: str) -> None:
        self.what = what
        super().__init__(f"{name}: {what}")


class StoreBusy(StoreError):  # noqa: N818 - what it is
    """Others kept the store locked for too long. Nothing was changed, and another try may do."""


class StoreFull(StoreError):  # noqa: N818 - what it is
    """There is no room on the store's disk. Nothing was changed; it can be read, and goes on when there is room."""


class StoreRefused(StoreError):  # noqa: N818 - what it did
    """The store cannot keep what it was given, whatever its state is. Nothing was changed; others can be kept."""


def said_by(error: BaseException) -> str:
    """An error's type and text; a user's own error may fail even at saying its text."""
    try:
        return f"{type(error).__name__}: {error}".removeprefix("Carried: ")
    except Exception:  # `__str__` is the user's code
        return type(error).__name__


def nearest(word: str, choices: Iterable[str], most: int = 3) -> list[str]:
    """The choices nearest to a word: those that are written much like it, else those that have it in them."""
    from difflib import get_close_matches

    names = sorted(set(choices))
    inside = (name for name in names if word and word in name)
    return get_close_matches(word, names, n=most, cutoff=0.6) or list(islice(inside, most))


def among_many(word: str, choices: Iterable[str], listed: str) -> str:
    """As `did_you_mean`, where there are too many choices to name: the nearest few, and what lists the rest."""
    from difflib import get_close_matches

    names = sorted(set(choices))
    if near := nearest(word, names, 1):
        return f'did you mean "{near[0]}"?'
    few = get_close_matches(word, names, n=3, cutoff=0.45)
    return f"the nearest are {', '.join(few)}; {listed}" if few else listed


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """A hint naming the choice nearest to a mistyped word, or all choices when none is near."""
    from difflib import get_close_matches

    names = sorted(set(choices))
    near = get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"known: {', '.join(names)}" if names else "none is defined"
