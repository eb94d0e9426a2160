"""Mining real questions and answers: what reference-free scorers find is bad more often than what chance would."""

import asyncio
from pathlib import Path

from gatewatch.core.trace import Trace
from gatewatch.scorers.apply import apply
from gatewatch.scorers.library import make
from gatewatch.stats.intervals import wilson
from gatewatch.store.open import open_store
from loop.mining import arrive, asked, judge, mined
from shared import known_answers, rows

SCORERS = ("refusal", "pii", "secrets", "injection", "profanity", "language")


def test_the_top_hundred_mined_are_bad_far_more_often_than_chance(tmp_path: Path) -> None:
    data = list(rows("halueval_general", "general.jsonl.gz"))
    known = known_answers("halueval_general")
    base = known["hallucination"] / known["n"]
    store = open_store(tmp_path / "store.db")
    for first in range(0, len(data), 500):
        some = enumerate(data[first : first + 500], first)
        arrive(store, [asked(number, row["query"], output=row["response"]) for number, row in some])
    for name in SCORERS:
        judge(store, asyncio.run(scored(name, data)), name=name, source="rule")
    found = mined(store, each=100)
    items = [item for failure in found.failures for item in store.items(failure=failure.id)]
    top = [int(item.trace, 16) for item in items][:100]
    bad = sum(data[number]["human_hallucination"] for number in top)
    store.close()
    assert len(top) == 100
    assert wilson(bad, 100).low > base, f"{bad} of 100, {wilson(bad, 100)}, and {base:.3f} by chance"


async def scored(name: str, data: list[dict[str, str]]) -> dict[int, float | None]:
    """What a scorer says of each answer."""
    scorer = make(name, {})
    found: dict[int, float | None] = {}
    for number, row in enumerate(data):
        found[number] = (await apply(scorer, Trace(input=row["query"], output=row["response"]), None)).value
    return {number: 1.0 if value is None else value for number, value in found.items()}
