"""Recorded data in which what changed is known: a mix is told as a mix, a fall is laid at its segment's door."""

import random
from collections import defaultdict

import pytest

from gatewatch.online.attribute import attribute
from gatewatch.online.detect import Finding, State, reference_of
from gatewatch.store.watching import Entry
from online.watching import folded, heard, plan, plan_of_signals, scored
from shared import rows


@pytest.fixture(scope="module")
def dialogs() -> dict[str, list[float]]:
    """By domain, the mean reward of each dialog's steps."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows("agent_steps_tm", "rated_steps.jsonl.gz"):
        found[row["domain"]][row["source_id"]].append(float(row["reward"]))
    return {domain: [sum(each) / len(each) for each in steps.values()] for domain, steps in found.items()}


def drawn(dialogs: dict[str, list[float]], coffee: float, n: int, random_: random.Random) -> list[tuple[str, float]]:
    found = []
    for _ in range(n):
        domain = "coffee" if random_.random() < coffee else "movie_tickets"
        found.append((domain, random_.choice(dialogs[domain])))
    return found


def fell(found: list[Finding]) -> list[Finding]:
    return [each for each in found if each.what == "fell"]


def test_two_products_in_another_mix(dialogs: dict[str, list[float]]) -> None:
    """Coffee goes well and tickets do not: with fewer of the first the mean falls, and no product became worse."""
    alarms = 0
    for seed in range(20):
        random_ = random.Random(seed)
        values = drawn(dialogs, 0.7, 2000, random_) + drawn(dialogs, 0.3, 2000, random_)
        assert sum(x for _, x in values[2000:]) < sum(x for _, x in values[:2000]) - 200
        found, _ = folded(scored(values), plan())
        alarms += len(fell(found))
        parts = heard([{}] * len(values))
        entries = [each._replace(slice=part) for each, (part, _) in zip(parts, values, strict=True)]
        more = heard([{}] * 300, part="coffee", begin=4.2 * 86_400, first=5000)
        told, _ = folded([*entries, *more], plan_of_signals())
        mixed = [each for each in told if each.what == "mix"]
        assert mixed, seed
        assert mixed[0].name == "slice"
        assert "coffee" in mixed[0].told
        assert not fell(told)
    assert alarms <= 1  # 40,000 conversations, where one alarm in 90,000 is allowed for


def test_a_fall_in_one_product(dialogs: dict[str, list[float]]) -> None:
    """Good and bad change places in coffee alone."""
    named = 0
    for seed in range(20):
        random_ = random.Random(seed)
        values = drawn(dialogs, 0.5, 2000, random_)
        turned = [(part, 1 - x if part == "coffee" else x) for part, x in drawn(dialogs, 0.5, 300, random_)]
        entries = scored(values + turned)
        found, state = folded(entries, plan())
        first = fell(found)[0]
        assert 2000 < first.number < 2100
        told = evidence_of(first, entries, state)
        named += told == ("slice", "coffee")
    assert named >= 19


def evidence_of(finding: Finding, entries: list[Entry], state: State) -> tuple[str, str] | None:
    assert finding.probe is not None
    reference, measured = reference_of(finding.probe, state)
    found = attribute(finding.probe, entries[: finding.number], reference, measured)
    assert found.evidence.effect is not None
    assert found.evidence.effect < 0
    return None if found.where is None else (found.where.by, found.where.name)


def test_another_language() -> None:
    """From 95 % English to 70 %, and 30 % German: it is the language that is named."""
    from gatewatch.core.trace import Trace
    from gatewatch.online.traits import traits

    texts: dict[str, list[str]] = defaultdict(list)
    for row in rows("guard_langid", "sentences.jsonl.gz"):
        texts[row["language"]].append(row["text"])
    for seed in range(5):
        random_ = random.Random(seed)
        spoken = ["en" if random_.random() < 0.95 else "fr" for _ in range(2000)]
        spoken += ["en" if random_.random() < 0.7 else "de" for _ in range(2000)]
        seen = [traits(Trace(input=random_.choice(texts[each]))) for each in spoken]
        found, _ = folded(heard([{}] * 4000, traits=seen), plan_of_signals())
        mixed = [each for each in found if each.what == "mix"]
        assert "language" in {each.name for each in mixed}
        assert any(each.name == "language" and "de 0% to" in each.told for each in mixed)


@pytest.mark.parametrize(
    ("model", "within"),
    [
        ("qwen/Qwen2.5-0.5B-Instruct", 35),
        ("anthropic/claude-3-sonnet", 150),
        ("meta-llama/Llama-2-7b-chat-hf", 400),
        ("google/gemini-1.5-flash-002", None),
        (None, None),
    ],
)
def test_one_model_in_the_place_of_another(model: str | None, within: int | None) -> None:
    """The monitor as it is: learnt from 1,000 rows, the model swapped at row 2,000 of 4,000, over 120 orders."""
    scores: dict[str, list[float]] = defaultdict(list)
    for row in rows("stream_hhem", "scores.jsonl.gz"):
        if row["answered"] and row["hhem"] is not None:
            scores[row["model"]].append(row["hhem"])
    before = after = early = minor = quiet = 0
    for seed in range(120):
        random_ = random.Random(seed)
        values = random_.choices(scores["openai/gpt-4o-mini"], k=2000)
        values += random_.choices(scores[model or "openai/gpt-4o-mini"], k=2000)
        entries = scored(("", x) for x in values)
        found, state = folded(entries, plan(days=80.0))
        alarms = fell(found)
        early += any(each.number <= 2000 for each in alarms)
        late = [each for each in alarms if each.number > 2000]
        if within is not None:
            after += bool(late) and late[0].number <= 2000 + within
        if not alarms:
            quiet += 1
        elif late and model is not None and within is None:
            probe = late[0].probe
            assert probe is not None
            effect = attribute(probe, entries[: late[0].number], *reference_of(probe, state)).evidence.effect or 0.0
            minor += abs(effect) < 0.02
        before += bool(alarms)
    assert early <= 2
    if within is not None:
        assert after >= 114
    elif model is None:
        assert before <= 2
    else:
        assert quiet + minor > 60
