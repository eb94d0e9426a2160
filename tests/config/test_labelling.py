"""Labels for calibration: what chance drew tells of all traffic, what was mined never does."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from config.building import nothing_asked, opened, problems
from gatewatch.config.calibrate import calibrate_scorer
from gatewatch.config.label_lines import export
from gatewatch.config.labelling import answers_for, draw_items, pool
from gatewatch.config.monitors import online
from gatewatch.config.project import Project
from gatewatch.core import codec
from gatewatch.core.label import LabelLine
from gatewatch.core.review import Item, Label
from gatewatch.loop.draw import draw
from gatewatch.online.housekeeping import Keeping, keep_house
from gatewatch.online.monitor import DAY_S
from online.living import START, Living, request, thumb
from store.making import a_store, backend

__all__ = ["backend"]

TOML = """
[project]
name = "bot"
scorers = "evals.py"

[monitors.support]
flow = "support"
scorers = [{ use = "polite", sample = 0.5 }, { use = "talk" }, { use = "untried", sample = 0 }]
always = ["thumbs_down"]
"""
EVALS = """
from gatewatch import scorer

@scorer
def polite(output: str) -> bool:
    return "please" in output

@scorer
def untried(output: str) -> bool:
    return True

@scorer
def talk(session) -> bool:
    return True
"""
COUNT = 300


class Traffic:
    """Live traffic of which it is known what is right: the judge is `polite`, which is wrong on a fifth."""

    def __init__(self, folder: Path, count: int = COUNT, seed: int = 1) -> None:
        random = Random(seed)
        (folder / "gatewatch.toml").write_text(TOML)
        (folder / "evals.py").write_text(EVALS)
        self.project: Project = opened(folder)
        (folder / "aside").mkdir()
        self.living = Living(folder / "aside")
        self.living.store = self.store = a_store(folder)
        self.right: dict[str, bool] = {}
        traces, thumbs = [], []
        for number in range(count):
            thumbed = random.random() < 0.15
            right = random.random() < (0.25 if thumbed else 0.9)
            said = right if random.random() < 0.8 else not right
            session = f"s{number // 3}" if number % 2 else ""
            traces.append(request(number, output="yes please" if said else "no", session=session))
            self.right[traces[-1].id] = right
            if thumbed:
                thumbs.append(thumb(number))
        self.living.arrive(*traces)
        self.living.hear(*thumbs)
        self.monitors = online(self.project, bound=False).monitors
        self.living.work(*self.monitors)

    @property
    def truth(self) -> float:
        """The share of all traffic that is right."""
        return sum(self.right.values()) / len(self.right)

    def a_day_later(self) -> None:
        """Payloads are thinned: a tenth outlives its hold, and all with a thumb down."""
        self.living.now += 1.5 * DAY_S
        while keep_house(self.store, self.monitors, Keeping(), now=self.living.now):
            pass

    def draw(self, most: int = 60, seed: int = 0) -> list[Item]:
        """Draw by chance."""
        found = draw_items(
            self.project, self.store, "support", "polite", most=most, days=7, seed=seed, now=self.living.now + 60
        )
        return list(found.items)

    def mined(self, most: int = 40) -> list[Item]:
        """What mining puts up: requests that went wrong, whatever is known of them."""
        wrong = [row for row in self.store.latest("support", most=5000) if not self.right[row.id]][:most]
        items = [
            (
                Item(queue="failures", flow="support", trace=row.id, seq=row.seq, signs=("thumbs_down",), added=START),
                b"{}",
            )
            for row in wrong
        ]
        return self.store.add_items(items, START)

    def label(self, *items: Item, by: str = "ana") -> None:
        """A reviewer who knows says of items what is so."""
        for item in items:
            self.store.label(Label(item=item.id, by=by, at=START, value=float(self.right[item.trace])), START)

    def export(self, folder: Path) -> list[LabelLine]:
        """The lines that come of it."""
        export(self.project, self.store, folder / "labels.jsonl", "polite", verdicts=folder / "verdicts.jsonl")
        return [codec.decode(line, LabelLine) for line in (folder / "labels.jsonl").read_bytes().splitlines()]

    def calibrated(self, folder: Path) -> Any:
        """What `calibrate` makes of them."""
        return calibrate_scorer(
            self.project,
            "polite",
            folder / "labels.jsonl",
            verdicts=folder / "verdicts.jsonl",
            make=nothing_asked,
        )


@pytest.fixture
def traffic(tmp_path: Path) -> Traffic:
    return Traffic(tmp_path)


def test_what_was_mined_changes_no_calibration(tmp_path: Path) -> None:
    traffic = Traffic(tmp_path, 800)
    traffic.label(*traffic.draw(160))
    traffic.export(tmp_path)
    alone = traffic.calibrated(tmp_path)
    traffic.label(*traffic.mined(100))
    lines = traffic.export(tmp_path)
    both = traffic.calibrated(tmp_path)
    assert (alone.left_out, both.left_out) == (0, 100)
    assert both.found == alone.found
    assert both.found.word == "USABLE"
    assert both.found.corrected is not None
    assert both.found.corrected.low < traffic.truth < both.found.corrected.high
    assert {(line.source, line.pi is None) for line in lines} == {("random", False), ("mined", True)}


def test_a_request_that_was_mined_and_drawn_counts_once(traffic: Traffic, tmp_path: Path) -> None:
    drawn = traffic.draw(60)
    again = [replace(item, id=0, queue="failures", scorer="", pi=None) for item in drawn]
    mined = traffic.store.add_items([(item, b"{}") for item in again], START)
    assert {item.id for item in mined}.isdisjoint(item.id for item in drawn)
    traffic.label(*drawn, *mined)
    lines = traffic.export(tmp_path)
    assert len(lines) == 120
    calibrated = traffic.calibrated(tmp_path)
    assert (calibrated.found.labels, calibrated.left_out) == (60, 60)


def test_no_path_gives_a_mined_item_a_probability(traffic: Traffic) -> None:
    (item,) = traffic.mined(1)
    with pytest.raises(ValueError, match="chance drew it"):
        replace(item, pi=0.5)
    with pytest.raises(ValueError, match="chance drew it"):
        codec.decode(codec.encode({**_plain(item), "pi": 0.5}), Item)
    drawn = replace(item, id=0, queue="calibration", pi=0.5)
    traffic.store.add_items([(drawn, b"{}")], START)
    kept = traffic.store.item(item.id)
    assert kept is not None
    assert (kept.queue, kept.pi) == ("failures", None)


def _plain(item: Item) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(codec.encode(item))
    return found


def test_after_thinning_the_estimate_is_right_in_the_mean(tmp_path: Path) -> None:
    """Half is scored, a tenth kept, thumbs-down always both: by the weights it is all traffic again."""
    traffic = Traffic(tmp_path, 1500)
    traffic.a_day_later()
    found = pool(traffic.store, "support", "polite", START - DAY_S, traffic.living.now)
    assert found.no_payload > 0
    assert {each.pi for each in found.scored} == {0.5, 1.0}
    totals, errors = [], []
    for seed in range(60):
        drawn = draw(found.scored, 60, scorer="polite", seed=seed)
        assert {round(each.pi / share, 9) for each in drawn for share in [_share(each, drawn, found.scored)]} <= {
            0.1,
            1.0,
        }
        weights = [1 / each.pi for each in drawn]
        right = sum(w for w, each in zip(weights, drawn, strict=True) if traffic.right[each.scored.row.id])
        totals.append(sum(weights))
        errors.append(right / totals[-1] - traffic.truth)
    # What was kept is one sample of the traffic; the draws are many samples of that.
    assert abs(sum(errors) / len(errors)) < 0.06
    assert 1000 < sum(totals) / len(totals) < 2000


def _share(each: Any, drawn: list[Any], scored: Any) -> float:
    same: Callable[[float], bool] = lambda value: value == each.scored.value  # noqa: E731
    return sum(same(one.scored.value) for one in drawn) / sum(same(one.value) for one in scored)


def test_a_larger_draw_takes_the_smaller_and_raises_its_probabilities(traffic: Traffic) -> None:
    first = traffic.draw(40)
    second = traffic.draw(80)
    assert {item.id for item in first} < {item.id for item in second}
    before = {item.id: item.pi for item in first}
    for item in second:
        if item.id in before:
            assert item.pi == pytest.approx(2 * before[item.id])  # type: ignore[operator]
    third = traffic.draw(40)
    assert {item.id: item.pi for item in third} == {item.id: item.pi for item in second if item.id in before}


def test_another_seed_is_refused_once_there_was_one(traffic: Traffic) -> None:
    traffic.draw(20, seed=4)
    assert problems(lambda: traffic.draw(20, seed=5)) == [
        "polite: was drawn for by seed 4 before: by another the probabilities of the two would not add up"
        " (give --seed 4)"
    ]


def test_what_cannot_be_drawn_is_said(traffic: Traffic) -> None:
    def drawing(flow: str, scorer: str) -> Callable[[], object]:
        return lambda: draw_items(traffic.project, traffic.store, flow, scorer, most=9, days=7, seed=0, now=START)

    assert problems(drawing("suport", "polite")) == ['suport: there is no such flow (did you mean "support"?)']
    assert problems(drawing("support", "helpful"))[0].startswith("helpful: scored nothing of 'support' yet")
    assert problems(drawing("support", "talk"))[0].startswith("talk: judges whole sessions")


def test_exporting_again_changes_nothing_and_loses_nothing(traffic: Traffic, tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    theirs = b'{"case": "c1", "value": true, "by": "bo"}\n# a note\n\n{"trace": "x", "value": 1, "source": "thumbs"}\n'
    path.write_bytes(theirs)
    drawn = traffic.draw(20)
    traffic.label(*drawn)
    done = export(traffic.project, traffic.store, path, "polite", verdicts=None)
    assert (done.new, done.changed, done.there) == (20, 0, 0)
    written = path.read_bytes()
    assert written.startswith(theirs)
    done = export(traffic.project, traffic.store, path, "polite", verdicts=None)
    assert (done.new, done.changed, done.there) == (0, 0, 20)
    assert path.read_bytes() == written
    other = replace(drawn[0], trace="")
    traffic.store.label(Label(item=other.id, by="ana", at=START, value=0.0, comment="no"), START)
    traffic.store.withdraw_label(drawn[1].id, "ana")
    done = export(traffic.project, traffic.store, path, "polite", verdicts=None)
    assert (done.new, done.withdrawn, done.changed + done.there) == (0, 1, 19)
    assert len(path.read_bytes().splitlines()) == len(written.splitlines()) - 1
    assert path.read_bytes().startswith(theirs)


def test_verdicts_are_of_what_is_labelled_and_of_the_judge_as_it_is(traffic: Traffic, tmp_path: Path) -> None:
    drawn = traffic.draw(20)
    traffic.label(*drawn[:9])
    traffic.store.label(Label(item=drawn[9].id, by="ana", at=START, skipped=True), START)
    verdicts = tmp_path / "verdicts.jsonl"
    done = export(traffic.project, traffic.store, tmp_path / "l.jsonl", "polite", verdicts=verdicts)
    assert (done.verdicts, done.outdated, done.drawn) == (9, 0, 9)
    lines = [json.loads(line) for line in verdicts.read_bytes().splitlines()]
    assert {line["case"]: line["value"] for line in lines} == {item.trace: item.judged for item in drawn[:9]}
    traffic.store.work("support", "polite", "another", "rule")
    done = export(traffic.project, traffic.store, tmp_path / "l.jsonl", "polite", verdicts=verdicts)
    assert (done.verdicts, done.outdated) == (0, 9)


def test_a_scorer_that_is_no_more_is_labelled_by_numbers(traffic: Traffic) -> None:
    assert answers_for(traffic.project, "gone").value("0.25") == 0.25
    assert answers_for(traffic.project, "refusal").told == "y (good), n (bad)"
