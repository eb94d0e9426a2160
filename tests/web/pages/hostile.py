"""Two runs whose every field has what would do harm if it were taken for more than text."""

from pathlib import Path
from typing import Any

from gatewatch.core.score import Score
from gatewatch.core.trace import Span
from offline.joining import a_row, a_run

TEXTS = (
    "<script>document.title='taken'</script>",
    '"><svg onload=document.title="taken">',
    '=HYPERLINK("http://elsewhere.example")',
    "\u202egnp.exe\u202c",
    "\x1b[31mred\x1b[0m\x00",
    "![a](http://elsewhere.example/x.png)",
    "<style>*{display:none}</style>",
    "{{ 7 * 7 }}",
    "\ud800 alone",
)


def hostile_runs(folder: Path) -> None:
    """The journals of two such runs, "calm" and "wild"."""
    folder.mkdir(parents=True, exist_ok=True)
    before, after = [], []
    for number, text in enumerate(TEXTS):
        tool = Span(name=text, kind="tool", input={text: text})
        fields: dict[str, Any] = {"slice_": text, "asked": text, "expected": text}
        before.append(a_row("calm", f"{number} {text}", f"calm {text}", **fields, tools=(tool,)))
        score = Score(0.0, label=text, explanation=text, model=text)
        output: Any = {text: [text, {"deep": text}]} if number % 2 else f"wild {text}"
        after.append(a_row("wild", f"{number} {text}", output, **fields, exact=score, helpful=0.1))
    before.append(a_row("calm", "failing", "fine"))
    after.append(a_row("wild", "failing", error=TEXTS[0] + TEXTS[1], asked=TEXTS[0]))
    before.append(a_row("calm", "long", "a " * 2_000_000))
    after.append(a_row("wild", "long", "a " * 1_000_000 + TEXTS[0] + "a " * 1_000_000, exact=0.0))
    a_run(folder, "calm", before, name=TEXTS[1], components={"prompt": TEXTS[0], "model": "m"})
    a_run(folder, "wild", after, name=TEXTS[0], components={"prompt": TEXTS[1], "model": "m"})
