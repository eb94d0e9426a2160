"""Customers of Quillmoor Outfitters as they come: they ask, the bot answers, some of them say what they think of it.

    python live.py                      # a day of customers, up to now
    python live.py --version quicker    # the same, answered by another version

They come all at once here, and each says when it is meant to have come. `gatewatch work --once` takes them in and
scores them, `gatewatch trends support` says how the bot is doing.
"""

import argparse
import json
import random
import time
from pathlib import Path

from bot import answer

from gatewatch import capture, feedback

HERE = Path(__file__).parent
A_DAY = 160
DAY_S = 86_400
RELEASES = {"good": "41", "quicker": "42"}
ASKING = (
    "Where is my order {}?",
    "{} status please",
    "When does {} arrive?",
    "has {} left your warehouse yet?",
    "What about order {}, it is late",
    "Track {} for me",
)


def questions():
    """What customers ask, and what is right to tell them: as in the dataset, and of orders with the new numbers."""
    lines = (HERE / "datasets" / "support.jsonl").read_text(encoding="utf-8").splitlines()
    usual = []
    for case in map(json.loads, lines):
        if isinstance(case["input"], str) and not case.get("retired") and not case.get("provenance"):
            expected = case["expected"]
            usual.append((case["input"], expected if isinstance(expected, str) else expected.get("answer", "")))
    orders = json.loads((HERE / "shop.json").read_text(encoding="utf-8"))["orders"]
    recent = {number: order["day"] for number, order in orders.items() if len(number) > len("QM-10432")}
    return usual, [(words.format(number), day) for number, day in recent.items() for words in ASKING]


def come(luck, version, begin, end):
    """Customers between two times, answered by one version."""
    usual, of_new_orders = questions()
    number = round(A_DAY * (end - begin) / DAY_S)
    for place in range(number):
        question, fact = luck.choice(of_new_orders if luck.random() < 0.2 else usual)
        user, versions = f"customer-{luck.randrange(90)}", {"release": RELEASES.get(version, version)}
        with capture(flow="support", input=question, user=user, versions=versions) as request:
            request.wall = begin + (place + luck.random()) * (end - begin) / number  # when it began
            request.output = answer(question, version=version)
        right = fact.lower() in request.output.lower()
        if luck.random() < (0.01 if right else 0.4):
            feedback(request.trace_id, thumbs="down")
        elif luck.random() < 0.1:
            feedback(request.trace_id, thumbs="up")


def main():
    """Send the requests of some days."""
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--version", default="good", help="the version of bot.py that answers")
    options.add_argument("--days", type=float, default=1.0, help="for how many days, up to now")
    given = options.parse_args()
    end = time.time()
    come(random.Random(), given.version, end - given.days * DAY_S, end)


if __name__ == "__main__":
    main()
