"""Personal data that an answer holds is in no file that is kept, and the detectors still say that it leaked."""

import subprocess
import sys
from pathlib import Path

import pytest

from gatewatch.core.marks import names
from shared import rows

TYPES = {"EMAIL_ADDRESS", "CREDIT_CARD", "US_SSN", "IP_ADDRESS", "IBAN_CODE"}
CONFIG = """
[monitors.m]
flow = "support"
scorers = [ { use = "pii" }, { use = "secrets" } ]
"""
APP = """
import json, sys
from gatewatch import configure, feedback, record
configure(redact=sys.argv[1] or None, user_key="k")
for line in open("texts.jsonl"):
    text = json.loads(line)
    trace = record(
        flow="support", input=f"q {text}", output={"answer": text, text[:200]: 1}, user=text[:60], context=[text],
        tags=(text[:40],), error=f"failed on {text}" if len(text) % 7 == 0 else None, external_id=text,
    )
    feedback(trace, thumbs="down", comment=text, user=text[:60])
    feedback(external_id=text, thumbs="down")
    feedback(external_id=f"of no request: {text}", thumbs="down")
record(flow="support", input="key", output="AKIAQWERTYUIOPASDFGH is the key")
for name in ("ann", "bob"):
    record(flow="support", input=name, output="yes", external_id=f"{name}@example.com")
feedback(external_id="ann@example.com", thumbs="up")
"""


def gold() -> tuple[list[str], list[str]]:
    """Texts with values of the supported types, and these values."""
    texts, values = [], []
    for name in ("synth_v2", "generated_large"):
        for row in rows("guard_pii", f"{name}.jsonl.gz"):
            mine = [span["value"] for span in row["spans"] if span["type"] in TYPES]
            if mine:
                texts.append(row["text"])
                values += mine
    return texts, values


@pytest.mark.parametrize("at_capture", ["pii", ""])
def test_no_value_is_kept_and_the_leak_is_still_seen(tmp_path: Path, at_capture: str) -> None:
    import json

    texts, values = gold()
    assert len(values) > 200
    (tmp_path / "gatewatch.toml").write_text(CONFIG)
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(each) + "\n" for each in texts))
    run = subprocess.run([sys.executable, "app.py", at_capture], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    segments = list((tmp_path / ".gatewatch" / "spool").glob("*.seg"))
    written = b"".join(each.read_bytes() for each in segments)
    if at_capture:
        assert not [each for each in values if each.encode() in written]
    else:
        assert [each for each in values if each.encode() in written]
    work = [sys.executable, "-m", "gatewatch", "work", "--once"]
    done = subprocess.run(work, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kept = b"".join(each.read_bytes() for each in (tmp_path / ".gatewatch").rglob("*") if each.is_file())
    assert len(kept) > 10_000
    assert not [each for each in values if each.encode() in kept]
    assert b"AKIAQWERTYUIOPASDFGH" not in kept
    from gatewatch.config.monitors import store_of
    from gatewatch.config.project import Project

    store = store_of(Project.open(tmp_path))
    leaked = [
        kept_score.score.value
        for row in store.latest(most=10_000)
        for kept_score in store.scores(row.seq)
        if kept_score.score.name == "pii"
    ]
    held = [store.payload(row.seq) or b"" for row in store.latest(most=10_000)]
    assert not [each for each in values if any(each.encode() in payload for payload in held)]
    said = "".join(
        f"{each.score.name} {each.score.explanation}"
        for row in store.latest(most=10_000)
        for each in store.scores(row.seq)
    )
    assert not [each for each in values if each in said]
    ann, bob = (store.find(f"{name}@example.com") for name in ("ann", "bob"))
    assert ann is not None and bob is not None and ann.id != bob.id
    assert (names(ann.marks), names(bob.marks)) == (("thumbs_up",), ())
    assert store.counts().parked == len(texts)
    store.close()
    assert b"ann@example" not in kept
    assert leaked.count(0.0) == len(texts)
    assert "thumbs" in said
    assert not [each for each in values if each in run.stderr + done.stdout + done.stderr]
