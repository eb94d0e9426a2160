"""Which failures `rebaseline` closes, where there are several datasets, stores and suites."""

import json
from pathlib import Path

from config.building import opened
from config.test_rebaselining import FIX, OPEN, brought, failing, made, project, version
from gatewatch.config.monitors import store_of
from gatewatch.core.failure import Failure
from gatewatch.store.looping import Mined


class TestFailures:
    def test_a_case_in_another_dataset_keeps_it_open(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path), FIX)
        failing(folder)
        store = store_of(opened(folder))
        brought(store, "y1", path="other.jsonl")
        store.close()
        (folder / "other.jsonl").write_text(OPEN.replace('"x1"', '"y1"'))
        assert made(folder).failures == ()
        (folder / "other.jsonl").write_text('{"id": "y1", "input": "low please", "must_pass": true}\n')
        assert made(folder).failures == (1,)

    def test_one_case_may_guard_two(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path), FIX)
        failing(folder)
        store = store_of(opened(folder))
        other = Failure(flow="support", sign="error", name="fails", first=1.0, last=2.0, opened=3.0, updated=3.0)
        kept = store.keep_mined([Mined(failure=other)], 3.0, read_at=store.mined_at())
        assert kept is not None
        store.turn_failure(kept[0].id, "promoted", who="mia", reason="", now=4.0)
        brought(store, "x1", failure=kept[0].id)
        store.close()
        assert made(folder).failures == (1, kept[0].id)

    def test_a_number_of_another_store_closes_nothing(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path), FIX)  # its case was promoted from an F1
        failing(folder)
        store = store_of(opened(folder))
        other = Failure(flow="support", sign="error", name="fails", first=1.0, last=2.0, opened=3.0, updated=3.0)
        kept = store.keep_mined([Mined(failure=other)], 3.0, read_at=store.mined_at())
        assert kept is not None
        store.turn_failure(kept[0].id, "promoted", who="mia", reason="", now=4.0)
        store.close()
        (folder / "cases.jsonl").write_text((folder / "cases.jsonl").read_text().replace('"F1"', f'"F{kept[0].id}"'))
        assert made(folder).failures == (1,)

    def test_a_recording_counts_as_it_is(self, tmp_path: Path) -> None:
        folder = project(tmp_path)
        failing(folder)
        made_by = (
            "".join(json.dumps({"id": f"c{n}", "output": f"Q{n}"}) + "\n" for n in range(20))
            + '{"id": "x1", "output": "low please"}\n'
        )
        (folder / "outputs.jsonl").write_text(made_by)
        file = folder / "gatewatch.toml"
        file.write_text(file.read_text().replace('"app:answer"', '"replay:outputs.jsonl"'))
        found = made(folder, even_so=True)
        assert (list(found.locked), found.failures) == (["x1"], (1,))
