"""What each heuristic catches on recorded data with known labels: precision, recall, accuracy, area under the curve."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gatewatch.core import pii
from gatewatch.core.trace import Trace
from gatewatch.scorers.apply import apply_inline
from gatewatch.scorers.guards import attack_signs, refusal_sign
from gatewatch.scorers.language import SUPPORTED, language_of
from gatewatch.scorers.profanity import profanity
from gatewatch.scorers.retrieval import lexical_grounding
from gatewatch.stats.agreement import auc

ROOT = Path(__file__).resolve().parents[1]
_PII = {"EMAIL_ADDRESS": "email", "CREDIT_CARD": "card", "IBAN_CODE": "iban", "US_SSN": "us_ssn", "IP_ADDRESS": "ip"}
_NAMED = {"en", "de", "fr", "es", "it", "pt", "nl", "sv", "pl", "ru", "zh", "ja", "ko", "ar"}


class Figure(NamedTuple):
    """One measured figure: of which scorer, on what, what it is, and over how many."""

    scorer: str
    data: str
    what: str
    value: float
    n: int


def shared() -> Path:
    """Where the recorded data lies."""
    folder = Path(os.environ.get("GATEWATCH_SHARED", "../shared"))
    return (folder if folder.is_absolute() else ROOT / folder) / "data"


def _rows(*parts: str) -> Iterator[dict[str, Any]]:
    with gzip.open(shared().joinpath(*parts), "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def figures() -> list[Figure]:
    """Every figure; each is a count over recorded data, so that it is the same whenever it is asked for."""
    return [*_personal(), *_attacks(), *_refusals(), *_languages(), *_profanity(), *_grounding()]


def _share(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


def _personal() -> Iterator[Figure]:
    found: dict[str, list[bool]] = {kind: [] for kind in _PII}
    wrong: dict[str, int] = dict.fromkeys(_PII, 0)
    clean: list[bool] = []
    for file in ("synth_v2.jsonl.gz", "generated_large.jsonl.gz"):
        for row in _rows("guard_pii", file):
            hits = pii.find(row["text"])
            if not row["spans"]:
                clean.append(bool(hits))
            for span in row["spans"]:
                if span["type"] in _PII:
                    inside = [h for h in hits if h.start <= span["start"] and span["end"] <= h.end]
                    found[span["type"]].append(any(h.type == _PII[span["type"]] for h in inside))
            for hit in hits:
                kind = next(name for name, short in _PII.items() if short == hit.type)
                wrong[kind] += not any(s["start"] < hit.end and hit.start < s["end"] for s in row["spans"])
    for kind, flags in found.items():
        yield Figure("pii", f"guard_pii, {_PII[kind]}", "recall", _share(flags), len(flags))
        yield Figure(
            "pii", f"guard_pii, {_PII[kind]}", "precision", sum(flags) / (sum(flags) + wrong[kind]), len(flags)
        )
    yield Figure("pii", "guard_pii, texts without personal data", "flagged", _share(clean), len(clean))


def _attacks() -> Iterator[Figure]:
    flags: dict[tuple[str, int], list[bool]] = {}
    for row in _rows("guard_injection", "prompts.jsonl.gz"):
        flags.setdefault((row["origin"], row["label"]), []).append(bool(attack_signs(row["text"])))
    for (origin, label), found in sorted(flags.items(), key=lambda pair: (-pair[0][1], pair[0][0])):
        what = "recall" if label else "false positives"
        yield Figure("injection", f"guard_injection, {origin}", what, _share(found), len(found))


def _refusals() -> Iterator[Figure]:
    rows = [
        (refusal_sign(row["completion"]) is not None, row["human"] == "2_full_refusal")
        for row in _rows("guard_refusal", "completions.jsonl.gz")
    ]
    yield from _detector("refusal", "guard_refusal, full refusals", rows)
    right = [one == other for one, other in rows]
    yield Figure("refusal", "guard_refusal, full refusals", "accuracy", _share(right), len(right))
    answers = list(_rows("guard_jailbreak_responses", "responses.jsonl.gz"))
    for jailbroken in (False, True):
        flags = [refusal_sign(row["response"]) is not None for row in answers if row["jailbroken"] is jailbroken]
        data = f"guard_jailbreak_responses, {'jailbroken' if jailbroken else 'not jailbroken'}"
        yield Figure("refusal", data, "flagged", _share(flags), len(flags))


def _detector(scorer: str, data: str, rows: list[tuple[bool, bool]]) -> Iterator[Figure]:
    hits = sum(flag and true for flag, true in rows)
    yield Figure(scorer, data, "precision", hits / sum(flag for flag, _ in rows), len(rows))
    yield Figure(scorer, data, "recall", hits / sum(true for _, true in rows), len(rows))


def _languages() -> Iterator[Figure]:
    named, others, unsupported = [], [], []
    for row in _rows("guard_langid", "sentences.jsonl.gz"):
        code = {"nb": "no", "nn": "no"}.get(row["language"], row["language"])
        found = language_of(row["text"])
        if code in _NAMED:
            named.append(found == code)
        elif code in SUPPORTED:
            others.append(found == code)
        else:
            unsupported.append(found == "unknown")
    yield Figure("language", "guard_langid, 14 large languages", "accuracy", _share(named), len(named))
    yield Figure("language", "guard_langid, the others it tells apart", "accuracy", _share(others), len(others))
    yield Figure("language", "guard_langid, all other languages", "unknown", _share(unsupported), len(unsupported))


def _profanity() -> Iterator[Figure]:
    scorer = profanity()
    for file, data in (("surge_comments", "toxic comments"), ("hatecheck", "hateful phrases")):
        rows = [
            (apply_inline(scorer, Trace(output=row["text"])).value == 0.0, bool(row["label"]))
            for row in _rows("guard_toxicity", f"{file}.jsonl.gz")
        ]
        yield from _detector("profanity", f"guard_toxicity, {data}", rows)


def _grounding() -> Iterator[Figure]:
    def area(scored: list[tuple[float | None, bool]]) -> float:
        found = auc([1.0 if value is None else value for value, _ in scored], [good for _, good in scored])
        assert found is not None
        return found[0]

    scorer = lexical_grounding()

    def value(output: str, context: Any) -> float | None:
        return apply_inline(scorer, Trace(output=output, context=context)).value

    answers = []
    for row in _rows("rag_qa_feedback", "qa_feedback_dev.jsonl.gz"):
        passages = tuple({"title": each["title"], "text": " ".join(each["sentences"])} for each in row["passages"])
        answers.append((value(row["outputs"][0], passages), not row["output1_unsupported"]))
    data = "rag_qa_feedback, answers with unsupported claims"
    yield Figure("lexical_grounding", data, "AUC", area(answers), len(answers))
    documents = {row["source_id"]: row["doc"] for row in _rows("summedits", "docs.jsonl.gz")}
    edits = [
        (value(row["summary"], documents[row["source_id"]]), bool(row["human_consistent"]))
        for row in _rows("summedits", "summaries.jsonl.gz")
    ]
    yield Figure("lexical_grounding", "summedits, small edits of facts", "AUC", area(edits), len(edits))


def table(found: list[Figure]) -> list[str]:
    """The figures as lines of a Markdown table."""
    lines = ["| scorer | recorded data | figure | value | n |", "|---|---|---|---|---|"]
    return lines + [f"| `{f.scorer}` | {f.data} | {f.what} | {f.value:.3f} | {f.n:,} |" for f in found]
