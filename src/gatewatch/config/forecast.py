"""What a run will probably cost, said before it starts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gatewatch.config.project import Project
from gatewatch.core.errors import InputError
from gatewatch.core.money import dollars
from gatewatch.offline.journal import JournalReader
from gatewatch.offline.result import Prepared, run_paths, summarise
from gatewatch.offline.summary import Summary
from gatewatch.offline.tasks.prompt import PromptTask

if TYPE_CHECKING:
    from gatewatch.models.settings import ModelSettings

_LOOKED_AT = 20
_RUNS_LOOKED_AT = 5
_GUESSED_OUTPUT_TOKENS = 300


def forecast(project: Project, ready: Prepared) -> str:
    """One line about money: how many rows are left, what they will probably cost, and where that figure comes from."""
    left = ready.plan.cells - (len(ready.done.finished) if ready.done else 0)
    rows = f"{left:,} {'row' if left == 1 else 'rows'} to run" + (
        f" ({ready.plan.cells - left:,} done)" if ready.done else ""
    )
    per_row, source = _per_row(project, ready)
    if per_row is None:
        return f"{rows}; {source}"
    total = per_row * left
    text = f"{rows}; about {dollars(total)} ({source})"
    budget = ready.plan.budget
    spent = ready.done.spent if ready.done else 0.0
    if budget is not None and total + spent > budget:
        share = max(0.0, (budget - spent) / total)
        text += f"; the budget of {dollars(budget)} will stop it at about {share:.0%}"
    return text


def _per_row(project: Project, ready: Prepared) -> tuple[float | None, str]:
    """US dollars for one row, and where the figure comes from: an earlier run, or the length of the prompts."""
    for earlier in _earlier(project, ready):
        cost = (earlier.task_cost + earlier.judge_cost).total
        # Not one whose replies all came from the cache: this one may have to pay. Nor one with rows half done.
        if cost and not earlier.states.get("not_scored"):
            return cost / earlier.rows, f"as in {earlier.header.run}"
    if not ready.header.prices:
        counted = "; the budget counts what the task reports" if ready.plan.budget is not None else ""
        return None, "no model of gatewatch.toml is called" + counted
    return _guess(project, ready)


def _earlier(project: Project, ready: Prepared) -> Iterator[Summary]:
    """The newest runs of the same suite, task and scorers: a few, as some may have had their replies from the cache.

    A run that is gone on with is one of them.
    """
    left = _RUNS_LOOKED_AT if ready.header.prices else 1
    for path in run_paths(project.runs):
        try:
            header = JournalReader(path).header
        except InputError:
            continue
        same = header.suite == ready.header.suite and header.task == ready.header.task
        if same and header.scorers.keys() == ready.header.scorers.keys():
            found = summarise(path)
            if found.rows:
                yield found
            left -= 1
            if not left:
                return


def cost_of_call(project: Project, settings: "ModelSettings", characters: int) -> float | None:
    """About what a call costs in US dollars, with so many characters in its prompt; None where the price is unknown."""
    if settings.path:  # of this machine
        return 0.0
    stated = settings.parameters.get("max_tokens")
    tokens = min(stated, _GUESSED_OUTPUT_TOKENS) if isinstance(stated, int) else _GUESSED_OUTPUT_TOKENS
    return project.prices.estimate(settings.model, characters, tokens, settings.base_url)


def _guess(project: Project, ready: Prepared) -> tuple[float | None, str]:
    """From the prompts' lengths: a rough figure that says so."""
    looked_at = list(ready.plan.chosen[:_LOOKED_AT])
    task = ready.plan.task
    total = 0.0
    for index in looked_at:
        case = ready.plan.dataset[index]
        characters = len(str(case.input)) + len(str(case.expected or ""))
        calls: list[tuple[str, int]] = []
        if isinstance(task, PromptTask):
            calls.append((task.model_name, sum(len(str(message)) for message in task.messages(case))))
        for scorer in ready.plan.scorers:
            calls += [(name, characters + scorer.prompt_length) for name in scorer.models]
        for name, length in calls:
            settings = project.settings.models.get(name)
            if settings is None:  # a model that was handed over as an object
                continue
            cost = cost_of_call(project, settings, length)
            if cost is None:
                return None, f"no forecast: the price of {settings.model!r} is unknown"
            total += cost
    return total / len(looked_at), "a rough guess from the prompts' lengths"
