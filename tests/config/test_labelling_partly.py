"""Labels of a draw that is not done yet, and labels that were taken back."""

from pathlib import Path

import pytest

from config.test_labelling import Traffic
from gatewatch.config.label_lines import export
from gatewatch.core.review import Label
from online.living import START
from store.making import backend

__all__ = ["backend"]


def test_a_larger_draw_that_is_labelled_in_part_leaves_the_estimate_as_it_was(tmp_path: Path) -> None:
    traffic = Traffic(tmp_path)
    first = traffic.draw(20)
    traffic.label(*first)

    def failed() -> float:
        """The share of traffic that the judge fails, by the exported probabilities."""
        judged = {item.trace: item.judged for item in first}
        lines = traffic.export(tmp_path)
        weights = [(1 / line.pi, judged[line.trace]) for line in lines if line.pi]
        return sum(weight for weight, said in weights if said == 0) / sum(weight for weight, _ in weights)

    before = failed()
    traffic.draw(140)
    assert failed() == pytest.approx(before)
    done = export(traffic.project, traffic.store, tmp_path / "labels.jsonl", "polite", verdicts=None)
    assert done.unlabelled == 120


def test_a_label_that_was_taken_back_leaves_the_file(tmp_path: Path) -> None:
    traffic = Traffic(tmp_path)
    drawn = traffic.draw(20)
    traffic.label(*drawn)
    assert len(traffic.export(tmp_path)) == 20
    traffic.store.withdraw_label(drawn[0].id, "ana")
    traffic.store.label(Label(item=drawn[1].id, by="ana", at=START, skipped=True), START)
    path = tmp_path / "labels.jsonl"
    path.write_bytes(
        path.read_bytes() + b'{"trace": "%s", "scorer": "polite", "value": true}\n' % drawn[0].trace.encode()
    )
    done = export(traffic.project, traffic.store, path, "polite", verdicts=None)
    assert (done.withdrawn, done.there + done.changed, done.unlabelled) == (2, 18, 2)
    assert len(path.read_bytes().splitlines()) == 19  # and the line that somebody wrote
