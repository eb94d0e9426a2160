"""One judge throughout a run: scores of two models are of two rulers, and no mean over both means anything."""

from collections.abc import Mapping

from msgspec.structs import replace

from gatewatch.core.score import Score, models_named

Judges = Mapping[str, Mapping[str, str]]
"""By scorer, what its models' providers call them, by the name each is configured under."""


class Steady:
    """Notices when a judge's model becomes another one in the middle of a run."""

    def __init__(self, known: Judges) -> None:
        self._named = {scorer: dict(models) for scorer, models in known.items()}

    def checked(self, scorer: str, score: Score) -> Score:
        """The score, or an error of the scorer when another model gave it than gave the first ones."""
        if not score.model:
            return score
        known = self._named.setdefault(scorer, {})
        for configured, provider in models_named(score.model).items():
            first = known.setdefault(configured, provider)
            if first != provider:
                what = f"the judge's model changed in the middle of the run: {first} answered before, {provider} now"
                why = f"{what}; ask for a dated model, and start a new run"
                return replace(score, value=None, label="", parts={}, status="scorer_error", explanation=why)
        return score
