"""What the tests of the verdict's faces share: verdicts made by hand, some with hostile text in every place."""

from typing import Any

from hypothesis import strategies as st

from gatewatch.core.money import Cost
from gatewatch.offline.reports.texts import RowTexts
from gatewatch.offline.verdict import Accepted, Ceiling, Figures, Flips, Layer, RowDiff, Side, Verdict, Word

HOSTILE = (
    "<script>alert(1)</script></details></summary></code>--><img src=http://evil/i.png onerror=alert(1)>"
    "![x](http://evil/p.png?q=) [link](http://evil/l) <http://evil/a> http://evil/b www.evil.com evil@evil.com "
    "@everyone #123 GH-7 a|b `c` ``` ~~~ ```` **d** __e__ $f$ \x1b[31mred\x1b]0;title\x07 \u202eturned\u2066 \u200b "
    "\x00\x07\x9b \ud800 ]]> <![CDATA[ &amp; \" ' [-g-] {+h+} [bold]i[/bold][/x]\r\n::error file=x::injected\n"
    "##[error]injected ##vso[task.x]\n```\n# heading\n- item\n| a | b |\n=cmd()"
)
WORDS: tuple[Word, ...] = ("PASS", "REGRESSED", "UNDECIDED", "NOT_COMPARABLE")

BEFORE = (
    "You can return boots within 30 days of purchase, as long as they are unused. Send them to our depot in Leeds. "
    "We pay for the label. Refunds take 5 days."
)
AFTER = (
    "You can return boots within 14 days of purchase, for store credit only. Send them to our depot in Leeds. "
    "We pay for the label. Refunds take five working days."
)


def figures(delta: float | None = 0.004, half: float = 0.015, **fields: Any) -> Figures:
    """The figures of a scorer over 240 pairs; of `delta`, `half` of an interval is on either side."""
    if delta is None:
        return Figures(**{"verdict": "UNDECIDED", "n": 0, **fields})
    baseline = fields.get("baseline", 0.812)
    usual: dict[str, Any] = {
        "verdict": "PASS",
        "n": 240,
        "baseline": baseline,
        "candidate": baseline + delta,
        "delta": delta,
        "interval": (delta - half, delta + half),
        "lower": delta - 0.84 * half,
        "method": "bootstrap",
        "p": 0.5,
        "p_adjusted": 1.0,
        "rose": delta > half,
        "wins": 9,
        "losses": 11,
        "ties": 220,
        "sd": 0.3,
        "mde": 0.048,
        "needed": 223,
    }
    return Figures(**{**usual, **fields})


def side(run: str = "support-20260301-120000-1a2b", **fields: Any) -> Side:
    """One of the two runs."""
    usual: dict[str, Any] = {
        "label": run,
        "task": "app:answer",
        "cases": 248,
        "rows": 248,
        "failed": 1,
        "cost": Cost(0.4216),
        "judge_cost": Cost(0.1031),
        "latency_s": {"p50": 0.812, "p95": 2.31, "p99": 4.02},
    }
    return Side(run=run, **{**usual, **fields})


def row(
    case: str = "refund-7", scorer: str = "helpful", before: float = 1.0, after: float = 0.0, **fields: Any
) -> RowDiff:
    """A row that moved."""
    effect = "loss" if after < before else "win"
    return RowDiff(**{"id": case, "scorer": scorer, "effect": effect, "before": before, "after": after, **fields})


RULE = (
    "REGRESSED if a must-pass case fails three times of three, or more cases fell and stayed down in re-runs than "
    "chance allows (α 2.5 %), or the mean fell (one-sided sign-flip test, α 2.5 %); exact, helpful gate, "
    "adjusted by Holm. PASS if the one-sided 95 % lower bound of the change is above −5 pp. UNDECIDED otherwise."
)


_PINNED: dict[str, Any] = {
    "pinned": "2026-03-01T09:12:00Z",
    "trials": 5,
    "rows": 1240,
    "cost": Cost(2.101),
    "judge_cost": Cost(0.49),
}


def passed(**fields: Any) -> Verdict:
    """A clean pass, with a win or two."""
    usual: dict[str, Any] = {
        "verdict": "PASS",
        "reasons": ("a fall of 5 pp or more is ruled out (95 % lower bound -0.9 pp, helpful)",),
        "rule": RULE,
        "suite": "support",
        "baseline": side("support-20260301-090000-aa10", **_PINNED),
        "candidate": side(),
        "changed": {"model": ("gpt-5-mini-2026-01-10", "gpt-5-mini-2026-02-20")},
        "attribution": "One component changed: model: gpt-5-mini-2026-01-10 → gpt-5-mini-2026-02-20.",
        "layers": (
            Layer(name="contract", on=True, said="12 must-pass cases"),
            Layer(name="flips", on=True, said="helpful: 4 of 180 fell, 0 stayed down"),
            Layer(name="mean", on=True, said="240 pairs"),
        ),
        "scorers": {"helpful": figures(), "exact": figures(0.0, 0.008, wins=0, losses=0, ties=240, p=1.0)},
        "rows": (row("hours-2", before=0.0, after=1.0, crossed="fixed"),),
        "paired": 240,
        "next": ("gatewatch show latest --case refund-7", "gatewatch baseline pin support"),
    }
    return Verdict(**{**usual, **fields})


def regressed(**fields: Any) -> Verdict:
    """A gate that blocks for every reason there is."""
    rows = [
        row(
            scorer="exact",
            must_pass=True,
            why="A",
            crossed="broke",
            slice="refunds",
            confirmed=True,
            outcomes=(0.0,) * 3,
        ),
        row(why="B", crossed="broke", slice="refunds", confirmed=True, outcomes=(0.0,) * 3),
        *(
            row(f"refund-{n}", why="B", crossed="broke", slice="refunds", confirmed=True, outcomes=(0.0,) * 3)
            for n in range(20, 26)
        ),
        row("gift-3", crossed="broke", slice="gift cards", confirmed=False, flaky=True, outcomes=(0.0, 1.0, 0.0)),
        row("order-12", scorer="polite", before=0.75, after=0.5, slice="orders"),
        row("order-40", scorer="polite", before=0.5, after=0.25, slice="orders", accepted="shorter on purpose (mia)"),
        *(row(f"order-{n}", before=0.8, after=0.6, slice="orders") for n in range(50, 64)),
        row("hours-2", before=0.0, after=1.0, crossed="fixed", slice="opening hours"),
    ]
    flips = Flips(eligible=180, flipped=9, confirmed=7, p=0.0004, fewest=4)
    down = {"verdict": "REGRESSED", "p": 0.0009, "p_adjusted": 0.0018, "losses": 31, "wins": 8, "ties": 201, "broke": 9}
    usual: dict[str, Any] = {
        "verdict": "REGRESSED",
        "reasons": (
            "must-pass case refund-7 failed three times of three (exact)",
            "helpful: 7 cases that used to pass failed three times of three (p = 0.0004)",
            "helpful: the mean fell by 6.3 pp (31 down, 8 up; p = 0.0009)",
        ),
        "changed": {"prompt": ("3f2a91c0d1e2", "9b1c77aa0312"), "model": ("gpt-5-mini", "gpt-5-nano")},
        "attribution": "2 components changed (prompt and model): the difference cannot be put down to one of them.",
        "remarks": ("The candidate was made from a tree with uncommitted changes.",),
        "layers": (
            Layer(name="contract", on=True, blocks=True, said="12 must-pass cases"),
            Layer(name="flips", on=True, blocks=True, said="helpful: 9 of 180 fell, 7 stayed down"),
            Layer(name="mean", on=True, said="240 pairs"),
        ),
        "scorers": {
            "helpful": figures(-0.0634, 0.038, flips=flips, **down),
            "exact": figures(-0.0083, 0.012, p=0.11, p_adjusted=0.22, losses=3, wins=1, ties=236, baseline=0.958),
            "polite": figures(0.021, 0.0142, gating=False, baseline=0.701, wins=40, losses=22, p=0.98),
            "concise": figures(-0.012, 0.031, gating=False, baseline=0.55, verdict="UNDECIDED", p=0.22),
        },
        "slices": {
            "refunds": {"helpful": figures(-0.2143, 0.11, **{**down, "n": 42, "wins": 0, "losses": 11})},
            "orders": {
                "helpful": figures(-0.0385, 0.07, n=104, verdict="UNDECIDED", p=0.14),
                "polite": figures(0.03, 0.05, n=104, gating=False),
            },
            "gift cards": {"helpful": figures(0.0, 0.19, n=31, verdict="UNDECIDED", wins=1, losses=1)},
            "opening hours": {"helpful": figures(0.0159, 0.06, n=63, gating=False, wins=1, losses=0)},
        },
        "explore": (("concise", "orders", 0.031),),
        "rows": tuple(rows),
        "new": ("fit-1", "fit-2"),
        "removed": ("old-9",),
        "altered": ("hours-1",),
        "ceilings": (
            Ceiling(
                name="cost", limit=0.005, value=0.0017, lower=0.0016, said="cost: $0.0017 a row, the ceiling is $0.005"
            ),
        ),
        "accepted": (
            Accepted(
                where="accepted.toml:3",
                what="case order-40 under polite",
                reason="shorter on purpose",
                until="2026-12-31",
                owner="mia",
            ),
        ),
        "reruns": 22,
        "rerun_cost": Cost(0.0312),
        "candidate": side(cost=Cost(0.398), failed=5, latency_s={"p50": 0.7, "p95": 2.9, "p99": 4.4}),
    }
    return passed(**{**usual, **fields})


def undecided(**fields: Any) -> Verdict:
    """Too few cases to tell."""
    usual: dict[str, Any] = {
        "verdict": "UNDECIDED",
        "reasons": ("helpful: a fall of 5 pp cannot be ruled out",),
        "scorers": {"helpful": figures(-0.012, 0.061, verdict="UNDECIDED", n=58, mde=0.098, needed=223, p=0.35)},
        "paired": 58,
        "reach": ("run 165 more cases (about $0.29), or", "gatewatch gate support --undecided spend"),
        "layers": (
            Layer(name="contract", on=False, said="no case is marked must_pass"),
            Layer(name="flips", on=False, said="the baseline has 1 outcomes of a case, 5 are needed"),
            Layer(name="mean", on=True, said="58 pairs"),
        ),
        "rows": (row("gift-3", crossed="broke"),),
    }
    return passed(**{**usual, **fields})


def not_comparable(**fields: Any) -> Verdict:
    """Nothing to be compared."""
    usual: dict[str, Any] = {
        "verdict": "NOT_COMPARABLE",
        "reasons": (
            "helpful: another ruler: rubric changed (1a2b3c4d5e6f → 6f5e4d3c2b1a)",
            "another dataset: only 12 of the baseline's 240 cases are in the candidate unchanged (5%)",
        ),
        "layers": (),
        "scorers": {},
        "rows": (),
        "paired": 12,
    }
    return passed(**{**usual, **fields})


def every() -> list[Verdict]:
    """A verdict of each kind, and odd ones."""
    return [
        passed(),
        passed(identical=True, rows=(), reasons=("identical: every output is the same, byte for byte",)),
        regressed(),
        undecided(),
        undecided(refused=True),
        undecided(reasons=("no scorer gates: every one is excepted",), scorers={"exact": figures(gating=False)}),
        not_comparable(),
        not_comparable(broken=True, stopped="the budget of $1.00 is used up"),
        Verdict(verdict="PASS", reasons=(), rule=""),
        Verdict(verdict="REGRESSED", reasons=(), rule=""),
        Verdict(verdict="UNDECIDED", reasons=(), rule="", scorers={"exact": figures(None)}, rows=(row(),)),
        Verdict(verdict="NOT_COMPARABLE", reasons=(), rule="", baseline=Side(run="a"), candidate=Side(run="b")),
    ]


TEXTS = {
    "refund-7": RowTexts(
        input="How long do I have to send boots back?",
        expected="30 days, unused.",
        before=BEFORE,
        after=AFTER,
        scores_before={"exact": (1.0, ""), "helpful": (1.0, "States the window and who pays.")},
        scores_after={"exact": (0.0, "30 days is missing"), "helpful": (0.0, "The window is wrong.")},
    ),
    "refund-20": RowTexts(
        input='{"question": "Where is my order?", "order": "A-17"}',
        before='{"tool": "lookup", "arguments": {"order": "A-17", "fields": ["state"]}}',
        after='{"arguments": {"fields": ["state", "price"], "order": "A-17"}, "tool": "search"}',
    ),
    "refund-21": RowTexts(input="Can I have my money back?", before=BEFORE, error_after="TimeoutError: 30 s"),
    "refund-22": RowTexts(input="Wo ist mein Paket?", before="In Leeds.", after="I am sorry, I cannot help with that."),
}


def hostile(text: str = HOSTILE, word: Word = "REGRESSED") -> Verdict:
    """A verdict with a text in every place that takes one."""
    moved = figures(-0.0634, 0.038, verdict=word, reasons=(text,), method=text)
    both = side(text, label=text, task=text, pinned=text, latency_s={text: 1.0})
    rows = [
        row(text, scorer=text, slice=text, why="A", must_pass=True, accepted=text, outcomes=(0.0, 0.5)),
        row("b" + text, scorer=text, slice=text, flaky=True),
        row("c" + text, scorer=text, before=0.0, after=1.0, why=text),
    ]
    return Verdict(
        verdict=word,
        reasons=(text, "more"),
        rule=text,
        suite=text,
        baseline=both,
        candidate=both,
        changed={text: (text, text), "b": (text, "")},
        attribution=text,
        remarks=(text,),
        layers=(Layer(name=text, on=True, said=text),),
        scorers={text: moved, "b" + text: figures(0.0, gating=False)},
        slices={text: {text: moved}},
        explore=((text, text, 0.02),),
        rows=tuple(rows),
        new=(text,),
        removed=(text,),
        altered=(text,),
        paired=3,
        ceilings=(Ceiling(name=text, limit=1.0, said=text),),
        accepted=(Accepted(where=text, what=text, reason=text, until=text, owner=text),),
        reach=(text,),
        next=(text,),
        stopped=text,
    )


def many_rows(count: int, **fields: Any) -> tuple[RowDiff, ...]:
    """Rows of as many cases, case-0 and on."""
    return tuple(row(f"case-{n}", **fields) for n in range(count))


def hostile_texts(text: str = HOSTILE) -> dict[str, RowTexts]:
    """The texts of that verdict's rows."""
    scores: dict[str, tuple[float | None, str]] = {text: (0.0, text)}
    both = RowTexts(
        input=text,
        expected=text,
        before=f"{text} a b c",
        after=f"{text}a x c",
        scores_before=scores,
        scores_after=scores,
        error_after=text,
    )
    return {text: both, "b" + text: RowTexts(before=text, after=text), "c" + text: RowTexts(after=text)}


_PIECES = (
    *(
        "`",
        "```",
        "~~~",
        "|",
        "\\",
        "\n",
        "\r",
        "\n\n",
        "    ",
        "\t",
        "<",
        ">",
        "&",
        "&lt;",
        "<!--",
        "-->",
        "</details>",
    ),
    *(
        "<script>",
        "<img src=x>",
        "![",
        "](",
        "]",
        "[",
        "http://evil",
        "https://e.e",
        "www.e.e",
        "ftp://e",
        "@a",
        "#1",
        "-",
    ),
    *(
        "GH-1",
        "a@b.c",
        "mailto:a@b.c",
        "*",
        "_",
        "~",
        "$",
        "=",
        "+",
        "1.",
        ":",
        "::",
        "]]>",
        "\x00",
        "\x1b[1m",
        "\u202e",
    ),
    *("\ud800", "\ufffe", "\U0001f600", "\u2028", "\x85", "'", '"', "javascript:", "onload=", "word ", " "),
)
TEXT = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(_PIECES), max_size=14).map("".join))
"""Any text, and text made of what means something to one face or the other."""
