"""Recorded conversations that arrive turn by turn, mixed and out of order: one table, and samples of whole sessions."""

from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import pytest

from gatewatch.core.rates import Rule, u_of
from gatewatch.core.trace import Span, Trace
from gatewatch.online.ledger import ledger
from gatewatch.online.trends import trend
from gatewatch.scorers.session import turns
from gatewatch.store.rows import Session
from online.living import FLOW, START, Living, monitor, watch
from shared import known_answers, rows


def conversations() -> list[list[Trace]]:
    """Each dialogue's requests in order: what the user said, what was answered, the API calls between."""
    found = []
    for number, dialog in enumerate(rows("sessions_tm4", "dialogs.jsonl.gz")):
        requests: list[Trace] = []
        for turn in dialog["turns"]:
            if turn["speaker"] == "user":
                requests.append(_asked(dialog["source_id"], number, len(requests), turn))
            elif requests:
                last = requests[-1]
                requests[-1] = Trace(**{**_fields(last), "output": turn["text"]})
        found.append(requests)
    return found


def _asked(session: str, number: int, place: int, turn: dict[str, Any]) -> Trace:
    calls = [each["api_call"] for each in turn.get("api", []) if "api_call" in each]
    return Trace(
        id=f"{number:016x}{place:016x}",
        flow=FLOW,
        session=session,
        input=turn["text"],
        output="",
        started=START + 60 * place + number / 1000,
        spans=tuple(Span(name=name, kind="tool") for name in calls),
    )


def _fields(trace: Trace) -> dict[str, Any]:
    return {name: getattr(trace, name) for name in trace.__struct_fields__}


def table(living: Living) -> dict[str, Session]:
    return {each.id: each for each in living.store.ended(FLOW, START + 10**6, 10_000)}


def test_the_table_of_sessions_does_not_depend_on_the_order_of_arrival(tmp_path: Path) -> None:
    dialogs = conversations()
    known = known_answers("sessions_tm4")
    every = [request for dialog in dialogs for request in dialog]
    assert (len(dialogs), len(every)) == (known["sessions"], sum(len(dialog) for dialog in dialogs))
    tables = []
    for seed in (None, 1, 2):
        living = Living(tmp_path / f"{seed}")
        arriving = list(every)
        if seed is not None:
            Random(seed).shuffle(arriving)
            arriving += arriving[:200]  # some come twice
        for start in range(0, len(arriving), 500):
            living.arrive(*arriving[start : start + 500])
        found = table(living)
        counts = [session.turns for session in found.values()]
        assert (len(counts), sum(counts)) == (len(dialogs), len(every))
        tables.append({name: (each.turns, each.last_at) for name, each in found.items()})
        for dialog in dialogs[::50]:
            stored = living.store.session(FLOW, dialog[0].session)
            assert [row.id for row in stored] == [request.id for request in dialog]
        living.store.close()
    assert tables[0] == tables[1] == tables[2]


def test_what_is_recorded_is_what_is_known(tmp_path: Path) -> None:
    known = known_answers("sessions_tm4")
    dialogs = list(rows("sessions_tm4", "dialogs.jsonl.gz"))
    asked = [sum(turn["speaker"] == "user" for turn in dialog["turns"]) for dialog in dialogs]
    spoken = [len(dialog["turns"]) for dialog in dialogs]
    assert known["turns"] in (sum(asked), sum(spoken))
    counts = asked if known["turns"] == sum(asked) else spoken
    assert (median(counts), max(counts)) == (known["median turns"], known["max turns"])


@pytest.mark.parametrize("share", [0.1])
def test_a_sample_of_sessions_has_them_whole(tmp_path: Path, share: float) -> None:
    dialogs = conversations()
    living = Living(tmp_path)
    arriving = [request for dialog in dialogs for request in dialog]
    Random(3).shuffle(arriving)
    living.arrive(*arriving)
    living.now = START + 10**4
    living.work(monitor(watch(turns(), Rule(share))))
    sampled = 0
    for dialog in dialogs:
        name = dialog[0].session
        told = [ledger(living.store, row) for row in living.store.session(FLOW, name)]
        scored = [entry for each in told for entry in each.entries if entry.fate == "scored"]
        assert len(scored) == (u_of(name, "") < share)
        assert all(entry.score and entry.score.label.startswith(f"{len(dialog)} turn") for entry in scored)
        sampled += len(scored)
    assert 0.05 * len(dialogs) < sampled < 0.15 * len(dialogs)
    found = trend(living.store, FLOW, since=START - 1, until=living.now, tier="day")
    sizes = {(each.scorer, each.source): each.total.estimate.n for each in found.scorers}
    assert (sizes["turns", "rule"], sizes["turns", "signal"]) == (sampled, len(dialogs))
    living.store.close()
