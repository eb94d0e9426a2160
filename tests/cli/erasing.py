"""A project with a person in it, for what erases and exports them."""

import json
import zlib
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from cli.traffic import project
from gatewatch import capture, feedback, span
from gatewatch.checks.traffic import NOW
from gatewatch.core import codec
from gatewatch.models.cache import ReplyCache
from gatewatch.models.protocol import ChatReply
from gatewatch.store.open import open_store
from gatewatch.store.uploads import PART, Upload, parts_of

TOML = """
[project]
name = "bot"
scorers = "evals.py"

[online]
redact = "off"

[monitors.support]
flow = "support"
scorers = [{ use = "polite", sample = 1.0 }]
"""
EVALS = """
from gatewatch import scorer
from gatewatch.core.score import Score

@scorer
def polite(output: str) -> Score:
    return Score(value=float("please" in output), explanation=f"it says {output}")
"""
MIA = "mia-lindt-4711"
PLANTED = "PLANTED-c0ffee"


def a_project(folder: Path, store: str = "") -> Path:
    """A project in a folder; its store is elsewhere, where an address is given."""
    return project(folder, TOML.replace("\n[online]", f'store = "{store}"\n\n[online]') if store else TOML, EVALS)


def asked(number: int, user: str = "", *, session: str = "", planted: str = "", thumbs: str = "") -> str:
    """A request that was answered, in a captured process; its trace id."""
    external = f"m{number}{planted}"
    with capture(flow="support", input=f"q{number} {planted}", external_id=external, user=user, session=session) as it:
        with span("look", kind="tool") as step:
            step.output = f"found {planted}"
        it.output = f"yes please {planted}"
    if thumbs:
        feedback(it.trace_id, thumbs=thumbs, comment=f"no, {planted}", user=user)
    return it.trace_id


def other_files(root: Path, trace: str) -> None:
    """A cached reply, labels, a dataset with a promoted case, and a run, all of which speak of a request."""
    cache = ReplyCache(root / ".gatewatch" / "cache.db")
    for n in range(50):
        cache.set(f"{n}", ChatReply(text=f"because they say {PLANTED}" * 20))
    cache.close()
    (root / "labels").mkdir()
    labels = [{"trace": trace, "value": True, "comment": PLANTED}, {"trace": "f" * 32, "value": True}]
    labels.append({"case": "c1", "value": False, "by": "ana"})
    (root / "labels" / "helpful.jsonl").write_text("".join(json.dumps(each) + "\n" for each in labels))
    cases = [{"id": "c1", "input": "?"}, {"input": "?", "provenance": {"trace": trace}}, {"input": f"I am {MIA}."}]
    (root / "cases.jsonl").write_text("".join(json.dumps(each) + "\n" for each in cases))
    (root / "cases.csv").write_text(f"input,meta\n?,{MIA}x\n?,{MIA}\n")
    runs = root / ".gatewatch" / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    (runs / "old-1.jsonl").write_bytes(codec.frame("row", codec.encode({"case": "c2", "provenance": trace})))


def pushed(address: str | Path, run: str, *texts: str) -> None:
    """A run that was pushed to a store, with a row for each text; one called "cut..." was not finished."""
    header = codec.encode({"run": run, "suite": "s"})
    rows = [codec.frame("row", codec.encode({"case": f"c{n}", "trace": text})) for n, text in enumerate(texts)]
    body = codec.frame("head", header) + b"".join(rows)
    digest = sha256(body).hexdigest()
    store = open_store(address, project="bot")
    store.begin_upload(Upload(run, "s", digest, len(body), header), NOW)
    for part in range(parts_of(len(body))):
        store.put_part(run, digest, part, body[part * PART : (part + 1) * PART])
    if not run.startswith("cut"):
        store.finish_upload(run, digest, NOW)
    store.close()


def bytes_found(root: Path, *texts: str, besides: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """In which files of a project some texts stand, as they are or compressed as the store does."""
    found: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if not path.is_file() or name.startswith(besides or ("\0",)):
            continue
        data = path.read_bytes()
        for text in texts:
            wanted = text.encode()
            if wanted in data or any(wanted in part for part in _inflated(data)):
                found.setdefault(name, []).append(text)
    return found


def _inflated(data: bytes) -> list[bytes]:
    """What can be read of what is compressed in a file."""
    parts = []
    for begins in (b"\x78\x01", b"\x78\x9c"):  # quick, as payloads and spans are, and as runs that were pushed
        start = data.find(begins)
        while start >= 0:
            with suppress(zlib.error):
                parts.append(zlib.decompressobj().decompress(data[start : start + 200_000]))
            start = data.find(begins, start + 1)
    return parts
