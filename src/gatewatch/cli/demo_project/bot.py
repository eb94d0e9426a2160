"""The support bot of Quillmoor Outfitters, an invented shop for tents and boots.

It looks up orders and gift cards, and answers everything else with the sentence of the help centre (kb.md) that fits
best. There is no model in it: it needs no key and no network.

Four versions stand side by side here. "good" is the one in use. The others would like to replace it:

- "worse" is a rewrite that was meant to make the bot simpler. Its author tried three questions and found nothing wrong.
- "quicker" is the version in use with its patterns compiled and its searches remembered. Since October orders have
  numbers of six digits, and its author did not know that.
- "reworded" finds the same and puts it into words of its own, as a model would: anew each time that it is asked, so
  that a fact may get lost or come in. The others answer the same question always in the same way.

`gatewatch run support` tries all of datasets/support.jsonl on the version in use. Whether the rewrite may replace it,
`gatewatch gate support --task rewrite` says.
"""

import json
import math
import random
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from gatewatch import note, span

HERE = Path(__file__).parent


# The help centre: articles, and the words in them.


def read_articles():
    """The articles of kb.md: id, title and sentences."""
    edition, *parts = (HERE / "kb.md").read_text(encoding="utf-8").split("\n## ")
    articles = []
    for part in parts:
        head, _, body = part.partition("\n")
        name, _, title = head.partition(": ")
        sentences = re.split(r"(?<=[.?!]) (?=[A-Z])", " ".join(body.split()))
        articles.append({"id": name, "title": title, "sentences": sentences})
    return articles, edition.rsplit(" ", 1)[1].strip()


def words_of(text):
    """The words of a text, as they stand."""
    return re.findall(r"[a-z0-9]+", text.lower())


STOP_WORDS = set(
    words_of(
        "a about an and any anything are as at be been but by can could did do does everything for from get got had "
        "has have how i if in is it its just long make me my no not now of off on or our please so some something "
        "still take takes tell than thank thanks that the their them then there they this to up us was we were what "
        "when where which who why will with would you your"
    )
)
SYNONYMS = {
    **dict.fromkeys(["shipping", "ship", "shipped", "shipment", "courier"], "delivery"),
    **dict.fromkeys(["package", "box"], "parcel"),
    **dict.fromkeys(["swap", "switch", "trade"], "exchange"),
    **dict.fromkeys(["fix", "fixed", "repaired", "mended"], "repair"),
    **dict.fromkeys(["guarantee", "guaranteed"], "warranty"),
    **dict.fromkeys(["login", "log", "signin"], "sign"),
    **dict.fromkeys(["delete", "remove", "erase"], "close"),
    **dict.fromkeys(["bill", "billed"], "invoice"),
    **dict.fromkeys(["voucher", "vouchers"], "gift card"),
    **dict.fromkeys(["reimburse", "reimbursed", "reimbursement"], "refund"),
    **dict.fromkeys(["broken", "crushed", "dented"], "damaged"),
    **dict.fromkeys(["rucksack", "rucksacks"], "backpack"),
    **dict.fromkeys(["fee", "fees", "price", "much"], "costs"),
    **dict.fromkeys(["abroad", "overseas", "countries"], "country"),
    **dict.fromkeys(["paid", "paying", "payment", "payments"], "pay"),
}


def stem(word):
    """A word without its ending: "returned", "returns" and "returning" are one."""
    for ending in ("ings", "ing", "ies", "ied", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
            break
    return word.rstrip("ey") if len(word) > 4 else word


def terms_of(text):
    """The words of a text that mean something, with synonyms as one, and without their endings."""
    words = [word for word in words_of(text) if word not in STOP_WORDS]
    return [stem(part) for word in words for part in SYNONYMS.get(word, word).split()]


def simpler_terms_of(text):
    """The same without the lists to be kept up: all words, without their endings."""
    return [stem(word) for word in words_of(text)]


ARTICLES, EDITION = read_articles()


# The search. An article is worth more to a question the more of its rarer words it has (BM25).


class Search:
    """Articles, ranked by the terms that they share with a question."""

    def __init__(self, terms):
        self.terms = terms
        self.counts = [Counter(terms(text_of(article))) for article in ARTICLES]
        self.mean_length = sum(count.total() for count in self.counts) / len(self.counts)
        among = Counter(term for count in self.counts for term in count)
        self.rarity = {term: math.log(1 + (len(ARTICLES) - n + 0.5) / (n + 0.5)) for term, n in among.items()}

    def __call__(self, question, most):
        """The best articles, the best first; none when they share nothing with the question."""
        asked = dict.fromkeys(self.terms(question))
        ranked = sorted(
            ((self.worth(asked, count), article) for count, article in zip(self.counts, ARTICLES, strict=True)),
            key=lambda found: -found[0],
        )
        return [{"score": round(worth, 2), **article} for worth, article in ranked[:most] if worth > 0]

    def worth(self, asked, count):
        """BM25 with its usual constants, k1 = 1.2 and b = 0.75."""
        length = 0.25 + 0.75 * count.total() / self.mean_length
        return sum(
            self.rarity[term] * count[term] * 2.2 / (count[term] + 1.2 * length) for term in asked if term in count
        )


def text_of(article):
    """What is searched: the title, which counts twice, and all sentences."""
    return " ".join([article["title"], article["title"], *article["sentences"]])


good_search = Search(terms_of)
worse_search = Search(simpler_terms_of)


def best_sentence(question, articles, search):
    """The sentence that answers: the one with the most of the question's words, from the better article if in doubt.

    It is given as its article and its number in there.
    """
    asked = dict.fromkeys(search.terms(question))

    def fit(place, article, sentence):
        said, title = search.terms(sentence), search.terms(article["title"])
        weights = (
            (1.0 if term in said else 0.8 if term in title else 0.0) * search.rarity.get(term, 0) for term in asked
        )
        return sum(weights) * 0.85**place

    fits = [
        (fit(place, article, sentence), -place, -number, article)
        for place, article in enumerate(articles)
        for number, sentence in enumerate(article["sentences"])
    ]
    _, _, number, article = max(fits, key=lambda found: found[:3])
    return article, -number


# The tools.


def look_up(table, key):
    """What the shop's database has under a key, or None."""
    return json.loads((HERE / "shop.json").read_text(encoding="utf-8"))[table].get(key)


def order_status(order_id):
    """The state of an order."""
    with span("order_status", kind="tool", input={"order_id": order_id}) as step:
        step.output = look_up("orders", order_id)
        return step.output


def gift_card_balance(card):
    """What is left on a gift card, in euros."""
    with span("gift_card_balance", kind="tool", input={"card": card}) as step:
        step.output = look_up("gift_cards", card)
        return step.output


# The words around what was found. A wording says an order, a gift card's balance, and what an article states.


class Wording(NamedTuple):
    """How answers are put."""

    refusal: str
    order: Callable
    balance: Callable
    article: Callable


ORDER_STATES = {
    "delivered": "was delivered on {day}",
    "shipped": "is with {carrier} and arrives on {day}",
    "packed": "is packed and leaves us on {day}",
    "cancelled": "was cancelled on {day}",
    "waiting for payment": "is on hold until {day}, because it has not been paid yet",
}


def say_order(order_id, order):
    """An order's state in a sentence, without anything about the person who ordered."""
    if order is None:
        return f"I can find no order with the number {order_id}."
    return f"Order {order_id} {ORDER_STATES[order['status']].format(**order)}."


def say_balance(card, balance):
    """What is left on a gift card, in a sentence."""
    return f"I can find no gift card {card}." if balance is None else f"Gift card {card} has {balance:.2f} euros left."


def quote(article, number):
    """A sentence of an article, and where it is from."""
    return f"{article['sentences'][number]} (From our help centre: {article['title']})"


WORDING = Wording(
    refusal="I am sorry, I do not know that. Our help desk does, on weekdays from 9 to 17.",
    order=say_order,
    balance=say_balance,
    article=quote,
)


# Other words. A model puts the same thing otherwise each time that it is asked, and so does this.


ASKED = Counter()
COUNTING = Lock()  # questions are answered on several threads
SEED = 15478  # a model has none; with one, and this one, every machine sees the same story
OPENINGS = ("The help centre says:", "In short:", "Our help centre has this:")


def dice(asked):
    """What draws numbers from 0 to 1: others each time that the same is asked, and the same in every process."""
    question = " / ".join(asked)
    with COUNTING:
        ASKED[question] += 1
        return random.Random(f"{SEED} {ASKED[question]} {question}").random


def shortened(sentence, chance):
    """At times, the sentence without what it ends on."""
    head = re.sub(r"(.*)(, | because | until | if ).*", r"\1", sentence).rstrip(",")
    whole = head == sentence or sentence.startswith("When ") or len(head.split()) < 5
    return sentence if whole or chance() > 0.3 else f"{head}."


def reworded(chance):
    """The wording of one answer."""
    refusal = "I do not know that, I am afraid. Please ask our help desk, on weekdays from 9 to 17."

    def say_order(order_id, order):
        if order is None:
            return f"There is no order with the number {order_id}, I am afraid."
        return shortened(f"Your order {order_id} {ORDER_STATES[order['status']].format(**order)}.", chance)

    def say_balance(card, balance):
        if balance is None:
            return f"There is no gift card {card}, I am afraid."
        return f"There are {balance:.2f} euros left on gift card {card}."

    def paraphrase(article, number):
        """The sentence, and at times one or two more; at times nothing, when the article fits the question badly."""
        if article["score"] < 3.3 and chance() < 0.3:
            return refusal
        last = number + 1 + (chance() < 0.8) + (chance() < 0.5)
        said = OPENINGS[int(chance() * len(OPENINGS))]
        for place, sentence in enumerate(article["sentences"][number:last]):
            if place == 0 or len(said) + len(sentence) < 220:
                said += f" {shortened(sentence, chance)}"
        return said

    return Wording(refusal, say_order, say_balance, paraphrase)


# The bot.


def answer(question="", messages=(), version="good"):
    """Answer a question, or the last one of a conversation."""
    reply = VERSIONS[version]
    note(versions={"knowledge_base": EDITION})
    return reply([turn["content"] for turn in messages if turn["role"] == "user"] or [question])


def found_in(articles):
    """What a search found, as it is recorded."""
    return [{"id": article["id"], "score": article["score"]} for article in articles]


def answer_well(asked, wording=WORDING):
    """The version that is in use."""
    question = asked[-1]
    orders = [f"QM-{number}" for number in re.findall(r"\bQM[- ]?(\d{5,6})\b", question, re.IGNORECASE)]
    cards = [f"GC-{number}" for number in re.findall(r"\bGC[- ]?(\d{4})\b", question, re.IGNORECASE)]
    if orders or cards:
        said = [wording.order(order, order_status(order)) for order in orders]
        return " ".join(said + [wording.balance(card, gift_card_balance(card)) for card in cards])
    if len(asked) > 1 and len(terms_of(question)) < 4:  # "And in a sale?" means little by itself
        question = f"{asked[-2]} {question}"
    with span("search", kind="retrieval", input=question) as step:
        articles = good_search(question, most=3)
        step.output = found_in(articles)
    note(context=[" ".join(article["sentences"]) for article in articles])
    if not articles or articles[0]["score"] < 2.0:
        return wording.refusal
    return wording.article(*best_sentence(question, articles, good_search))


def answer_reworded(asked):
    """What the version in use finds, in words of its own."""
    return answer_well(asked, reworded(dice(asked)))


def answer_worse(asked):
    """The rewrite: the best article is enough, and a database record says it all."""
    question = asked[-1]
    order = re.search(r"QM-\d{5,6}", question)
    if order:
        record = order_status(order[0])
        return f"Order {order[0]}: " + ", ".join(f"{key} {value}" for key, value in record.items())
    card = re.search(r"GC-\d{4}", question)
    if card:
        return say_balance(card[0], gift_card_balance(card[0]))
    with span("search", kind="retrieval", input=question) as step:
        articles = worse_search(question, most=1)
        step.output = found_in(articles)
    note(context=[" ".join(articles[0]["sentences"])])
    return quote(*best_sentence(question, articles, worse_search))


# The version in use, made quicker.


ORDER = re.compile(r"\bQM[- ]?(\d{5})\b", re.IGNORECASE)
CARD = re.compile(r"\bGC[- ]?(\d{4})\b", re.IGNORECASE)


@cache
def remembered(question):
    """What a search found, and what of it answers: looked for once."""
    articles = good_search(question, most=3)
    good_enough = articles and articles[0]["score"] >= 2.0
    return articles, best_sentence(question, articles, good_search) if good_enough else None


def answer_quicker(asked):
    """The version in use, with nothing done twice."""
    question = asked[-1]
    orders = [f"QM-{number}" for number in ORDER.findall(question)]
    cards = [f"GC-{number}" for number in CARD.findall(question)]
    if orders or cards:
        said = [say_order(order, order_status(order)) for order in orders]
        return " ".join(said + [say_balance(card, gift_card_balance(card)) for card in cards])
    if len(asked) > 1 and len(terms_of(question)) < 4:
        question = f"{asked[-2]} {question}"
    with span("search", kind="retrieval", input=question) as step:
        articles, best = remembered(question)
        step.output = found_in(articles)
    note(context=[" ".join(article["sentences"]) for article in articles])
    return quote(*best) if best else WORDING.refusal


VERSIONS = {
    "good": answer_well,
    "worse": answer_worse,
    "quicker": answer_quicker,
    "reworded": answer_reworded,
}
