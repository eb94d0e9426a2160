"""Fills a project as its users would: runs, a baseline, gates, ten days of customers, failures, labels, promotions.

    python -m web.filled_story FOLDER

It is a program of its own, since what is captured belongs to a process. The judge is a server of this machine.
"""

import asyncio
import json
import random
import shutil
import sys
from collections.abc import Iterator
from contextlib import chdir, closing, contextmanager, redirect_stdout, suppress
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import gatewatch
from gatewatch import capture, feedback
from gatewatch.checks.provider import FakeProvider, Reply
from gatewatch.cli.main import gatewatch as typed_command
from gatewatch.config.imports import import_module
from gatewatch.config.monitors import store_of, worker_of
from gatewatch.config.project import Project
from gatewatch.core.clock import wall
from gatewatch.core.errors import GatewatchError
from gatewatch.store.base import Store

NOBODY = "http://127.0.0.1:9/v1"
FILES = Path(__file__).parent / "filled_project"
DAYS, A_DAY, PASSES, DAY_S = 10, 150, 5, 86_400.0
"""For how long customers come, how many a day, and how often a day the worker looks."""
BOOTS, SIZES = ("boots", "a tent", "a jacket"), ("small", "middle", "large")


def cases() -> Iterator[dict[str, Any]]:
    """Sixty cases in five slices."""
    for number in range(20):
        order = f"{10_400 + number}" if number % 4 else f"{104_000 + number}"
        tools = [{"name": "order_status", "arguments": {"order_id": order}}]
        expected = {"answer": f"day {int(order) % 9}", "tool_calls": tools}
        yield {
            "id": f"ord-{number:02}",
            "input": f"Where is my order #{order}?",
            "expected": expected,
            "slice": "orders",
        }
    for number in range(16):
        text = f"May I return {BOOTS[number % 3]}, {SIZES[number // 3 % 3]}, after {number + 3} days?"
        yield {
            "id": f"ret-{number:02}",
            "input": text,
            "expected": "30 days",
            "slice": "returns",
            "cluster": BOOTS[number % 3],
        }
    for number in range(12):
        text = f"What is left on my gift card{'?' * (number % 5 + 1)}"
        yield {"id": f"gift-{number:02}", "input": f"{text} ({number})", "expected": "EUR", "slice": "gifts"}
    for number in range(6):
        yield {
            "id": f"json-{number}",
            "input": f"json of article {'x' * number}",
            "expected": "stock",
            "slice": "exports",
        }
    for number in range(6):
        text = "What does the guarantee say?" if number < 4 else "<script>alert(1)</script> tell me of script"
        yield {
            "id": f"misc-{number}",
            "input": f"{text} {number}",
            "expected": "two years" if number < 4 else "You wrote",
        }


def judgement(request: dict[str, Any]) -> Reply:
    """The judge's reply: what puts a customer off does not pass; it errs now and then, and says why."""
    asked = json.dumps(request, ensure_ascii=False)
    bad = any(part in asked for part in ("I cannot find", "14 days", "Ask the maker"))
    odd = sum(asked.encode()) % 29 == 0
    passed = bad == odd
    why = "The customer is left without an answer." if not passed else "It says what was asked, and no more."
    return Reply(text=json.dumps({"explanation": why, "verdict": "pass" if passed else "fail"}))


def typed(*words: str) -> str:
    """Do what a command does, and give what it prints. What its exit code says is left aside: a gate may fail here."""
    said = StringIO()
    with redirect_stdout(said):
        typed_command.main(list(words), prog_name="gatewatch", standalone_mode=False)
    return said.getvalue()


def offline() -> None:
    """Four versions of the bot, and two gates."""
    lines = [json.dumps(case, ensure_ascii=False) + "\n" for case in cases()]
    Path("datasets").mkdir(exist_ok=True)
    Path("datasets/support.jsonl").write_text("".join(lines), encoding="utf-8")
    typed("run", "support", "--name", "main", "--plain")
    typed("baseline", "pin", "main", "--reason", "the version in use", "--plain")
    for task in ("mended", "rewrite", "broken"):
        with suppress(GatewatchError):
            typed("gate", "support", "--task", task, "--name", task, "--plain")


def live(project: Project, store: Store) -> None:
    """Ten days of customers, with a worker beside; the last two days are answered by the rewrite."""
    answer = import_module(project.root, "bot.py", "bot.py").answer
    luck, end = random.Random(7), wall()
    asked = [case["input"] for case in cases()]
    asked += [
        f"I bought boots in the sale {days} days ago and want to return them: too {size}"
        for days in range(9)
        for size in SIZES
    ]
    gatewatch.configure(spool=project.root / project.settings.online.spool)
    part = DAY_S / PASSES
    for left in range(DAYS * PASSES, 0, -1):
        begin, version = end - left * part, "rewrite" if left <= 2 * PASSES else "good"
        for place in range(A_DAY // PASSES):
            at = begin + (place + luck.random()) * part * PASSES / A_DAY
            come(luck, answer, luck.choice(asked), version, at)
        if left == 1:
            come(luck, partial(long_, answer), "What does the guarantee say, in full?", version, end - 60)
            come(luck, answer, "<script>alert(1)</script> script", version, end - 30)
        gatewatch.flush()
        worker = worker_of(project, store, owner="filled", clock=partial(float, begin + part))
        asyncio.run(worker.run(asyncio.Event(), once=True))
    asyncio.run(project.close())


def long_(answer: Any, text: str, *, version: str) -> str:
    """An answer of four megabytes."""
    return f"{answer(text, version=version)} {'And so on, at length. ' * 190_000}"


def come(luck: random.Random, answer: Any, text: str, version: str, at: float) -> None:
    """A customer, who asks, and may say what they think of it."""
    named = {"release": {"good": "41", "rewrite": "42"}[version]}
    user, session = f"customer-{luck.randrange(90)}", f"s-{luck.randrange(10**6)}" if luck.random() < 0.2 else ""
    with (
        suppress(ConnectionError),
        capture(flow="support", input=text, user=user, session=session, versions=named) as one,
    ):
        one.wall, one.latency_s = at, luck.lognormvariate(-0.3, 0.5) * (1.3 if version == "rewrite" else 1.0)
        if luck.random() < 0.01:
            raise ConnectionError("the help centre does not answer")
        one.output = answer(text, version=version)
    off = any(part in str(one.output) for part in ("I cannot find", "14 days"))
    if luck.random() < (0.4 if off else 0.01):
        feedback(one.trace_id, thumbs="down", comment="wrong <b>window</b>" if luck.random() < 0.5 else "")
    elif luck.random() < 0.1:
        feedback(one.trace_id, thumbs="up")


def loop(store: Store) -> None:
    """Failures, what two people say of some, what becomes of them; and a judge that is held against people."""
    typed("mark", "support", "release 42", "--at", "2d")
    typed("mine", "support", "--days", "3")
    found = sorted(store.failures("support"), key=lambda each: -each.impact)
    worst = next(each for each in found if each.sign == "score:helpful" and "return" in each.name)
    others = [each for each in found if each is not worst]
    items = store.items(failure=worst.id)
    for place, item in enumerate(items[:6]):
        for reviewer in ("mia", "bob"):
            value = "y" if reviewer == "bob" and place == 1 else "n"
            more = [] if value == "y" else ["--expected", "30 days", "--comment", "the window is 30 days"]
            typed("label", "put", f"I{item.id}", "--value", value, "--by", reviewer, *more)
    with suppress(GatewatchError):
        typed("promote", f"F{worst.id}", "--owner", "mia", "--outbox", "--merge", "--by", "mia")
    for each in others[-1:]:
        typed("mine", "support", "--ignore", f"F{each.id}", "--reason", "a test of ours")
    typed("label", "draw", "support", "--scorer", "helpful", "-n", "40", "--days", "9")
    for item in store.items(queue="calibration")[:36]:
        said = str(store.item_trace(item.id))
        good = not any(part in said for part in ("I cannot find", "14 days", "Ask the maker"))
        for reviewer in ("mia", "bob"):
            typed("label", "put", f"I{item.id}", "--value", "y" if good else "n", "--by", reviewer)
    typed(
        "label",
        "export",
        "labels.jsonl",
        "--scorer",
        "helpful",
        "--queue",
        "calibration",
        "--verdicts",
        "verdicts.jsonl",
    )
    with suppress(GatewatchError):
        typed("calibrate", "helpful", "--labels", "labels.jsonl", "--verdicts", "verdicts.jsonl", "--plain")


@contextmanager
def standing_in(url: str) -> Iterator[None]:
    """The judge is at an address meanwhile; afterwards it is where nobody answers."""
    settings = Path("gatewatch.toml")
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace(NOBODY, url), encoding="utf-8")
    yield
    settings.write_text(text, encoding="utf-8")


def main(folder: Path) -> None:
    """Fill a folder."""
    shutil.copytree(FILES, folder, dirs_exist_ok=True)
    with chdir(folder), FakeProvider(judgement) as judge, standing_in(judge.base_url):
        offline()
        project = Project.open()
        with closing(store_of(project)) as store:
            live(project, store)
            loop(store)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
