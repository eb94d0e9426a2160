"""A back-fill before it starts: what it would see, by its rule, and what that would cost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from config.building import model, write
from gatewatch.checks.traffic import FLOW, NOW, judged, lease, request, take
from gatewatch.config.backfills import Asked, Price, asked, foresee
from gatewatch.config.project import Project
from gatewatch.core.errors import InputError
from gatewatch.core.rates import Epoch, Rule
from gatewatch.store.base import Store
from gatewatch.store.open import open_store
from gatewatch.store.rows import Plan, Settled

RUBRIC = '---\nscale = "binary"\nmodel = "judge"\n---\nIs the answer helpful?\n'
EVALS = "from gatewatch import scorer\n\n@scorer\ndef short(output: str) -> bool:\n    return len(output) < 5\n"
HEAD = '[project]\nscorers = "evals.py"\n[scorers.helpful]\nrubric = "helpful.md"\n'


def project(folder: Path, prices: str = "input = 1.0\noutput = 1.0") -> Project:
    toml = HEAD + model("judge", "http://127.0.0.1:9/v1", price=prices)
    return Project.open(write(folder, toml, evals_py=EVALS, helpful_md=RUBRIC))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Ten requests, of which four are of a slice, three have a mark, and one has no payload; half are below u = 0.5."""
    made = open_store(tmp_path / "x.db")
    every = [
        request(f"{n}", u=n / 10, slice="de" if n < 4 else "", marks=n % 3 == 0, payload=b'{"input":"?"}' if n else b"")
        for n in range(10)
    ]
    take(made, *every)
    yield made
    made.close()


def wanted(project: Project, store: Store, scorer: str = "short", **more: Any) -> Asked:
    given: dict[str, Any] = {"since": 0.0, "until": NOW * 2, "rule": Rule(1.0)} | more
    return asked(project, store, FLOW, scorer, **given)


def test_what_a_rule_matches_and_what_of_it_is_to_be_scored(store: Store, tmp_path: Path) -> None:
    here = project(tmp_path)

    def told(**more: Any) -> tuple[int, int, int, int]:
        found = foresee(here, store, wanted(here, store, **more), NOW)
        return found.matching, found.with_payload, found.there, found.to_score

    assert told() == (10, 9, 0, 9)
    assert told(rule=Rule(0.5)) == (10, 9, 0, 4)
    assert told(rule=Rule(1.0, slice="de")) == (4, 3, 0, 3)
    assert told(mark="error") == (4, 3, 0, 3)


def test_what_has_its_score_already_is_not_scored_again(store: Store, tmp_path: Path) -> None:
    here = project(tmp_path)
    scorer = wanted(here, store).scorer
    work = store.work(FLOW, scorer.name, scorer.fingerprint, scorer.source)
    plan = Plan(tuple((seq, NOW, 1.0) for seq in (2, 3)), epoch=Epoch(1, 10, (Rule(1.0),)), through=10)
    store.plan(work.id, plan)
    (first, _) = lease(store, work)
    score = replace(judged(1.0), name=scorer.name, fingerprint=scorer.fingerprint)
    store.settle([Settled(first.task, first.attempt, score)], NOW)
    found = foresee(here, store, wanted(here, store), NOW)
    assert (found.there, found.to_score) == (2, 7)  # one has it, one is about to


def test_what_a_judge_will_cost(store: Store, tmp_path: Path) -> None:
    here = project(tmp_path)
    assert foresee(here, store, wanted(here, store), NOW).price == Price(0.0, source="it asks no model")
    guess = foresee(here, store, wanted(here, store, "helpful"), NOW).price
    assert guess.mean is not None and guess.mean > 0 and guess.source.startswith("a guess from the lengths of 9")
    half = foresee(here, store, wanted(here, store, "helpful", rule=Rule(0.5)), NOW).price
    assert half.mean == pytest.approx(guess.mean * 4 / 9)


def test_an_unknown_price_is_told_with_what_to_add(store: Store, tmp_path: Path) -> None:
    here = project(tmp_path, prices="")
    price = foresee(here, store, wanted(here, store, "helpful"), NOW).price
    assert price.mean is None and '[prices."judge-model"]' in price.source


def test_prices_of_many() -> None:
    assert Price(2.0, 1.0, 3.0, "x").times(10) == Price(20.0, 10.0, 30.0, "x")
    assert Price(None, source="x").times(10) == Price(None, source="x")


@pytest.mark.parametrize(
    ("flow", "more", "said"),
    [
        ("suport", {}, "there is no request of such a flow"),
        (FLOW, {"mark": "thumb_down"}, 'did you mean "thumbs_down"?'),
        (FLOW, {"since": NOW * 2, "until": NOW}, "is not after --since"),
        (FLOW, {"scorer": "shrt"}, "shrt"),
    ],
)
def test_what_cannot_be_asked_is_told(store: Store, tmp_path: Path, flow: str, more: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"scorer": "short", "since": 0.0, "until": NOW * 2, "rule": Rule(1.0)} | more
    with pytest.raises(InputError) as raised:
        asked(project(tmp_path), store, flow, **given)
    assert said in str(raised.value)
