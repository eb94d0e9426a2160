"""How long a reviewer waits for the next item: from the key that submits a label until the next one is painted.

A page of a queue of 400 conversations in Chromium, over a server in a process of its own. The item that is next was
fetched before; what is waited for is that the label is kept. Wall time is the median and the least of 30 items, and
the processor time is that of the browser's main thread (CDP `Performance`, thread ticks).

    python -m benchmarks.pages_review
"""

import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median

from benchmarks.measure import Report
from benchmarks.pages import Visit, chromium
from benchmarks.pages_monitor import serving
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.core import codec
from gatewatch.core.clock import wall
from gatewatch.core.review import Item
from gatewatch.core.trace import Span, Trace

ITEMS, TIMES, LIMIT_MS = 400, 30, 150.0
TOML = '[project]\nname = "bot"\n\n[loop]\nkinds = ["wrong policy", "made up", "rude"]\n'
WATCH = """() => {
  window.took = [];
  let begun = 0, last = document.getElementById("item").dataset.item;
  const pressed = (event) => { if (event.ctrlKey && event.key === "Enter") begun = performance.now(); };
  document.addEventListener("keydown", pressed, true);
  new MutationObserver(() => {
    const item = document.getElementById("item");
    if (!begun || item.dataset.item === last) return;
    const from = begun;
    begun = 0;
    last = item.dataset.item;
    requestAnimationFrame(() => setTimeout(() => window.took.push(performance.now() - from)));
  }).observe(document.querySelector("main"), { childList: true });
}"""


def request(number: int) -> Trace:
    """A conversation with context and a tool."""
    said = [{"role": "system", "content": "Be kind. " * 20}, {"role": "user", "content": f"Cancel order {number}."}]
    step = Span(name="cancel", kind="tool", input={"order": number}, output="done")
    return Trace(
        id=f"{number:032x}",
        input={"messages": said},
        context=("Orders may be cancelled for 30 days. " * 10,),
        spans=(step,),
        output="It is cancelled. " * 30,
    )


def fill(folder: Path) -> None:
    """A project with a queue."""
    (folder / "gatewatch.toml").write_text(TOML)
    now = wall()
    traces = [request(number) for number in range(1, ITEMS + 1)]
    items = [
        (Item(queue="failures", flow="support", trace=each.id, judged=0.9, added=now), codec.encode(each))
        for each in traces
    ]
    with closing(store_of(Project.open(folder))) as store:
        store.add_items(items, now)


def main() -> None:
    """Label some of it, by keys."""
    report = Report()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        fill(folder)
        with serving(folder) as (url, _), chromium() as browser:
            visit = Visit(browser, f"{url}/review/next")
            page = visit.page
            page.evaluate(WATCH)
            before = visit.worked()
            for _ in range(TIMES):
                name = page.locator("#item").get_attribute("data-item")
                page.keyboard.press("y")
                page.wait_for_timeout(200)
                page.keyboard.press("Control+Enter")
                page.locator(f'#item:not([data-item="{name}"])').wait_for()
                page.wait_for_timeout(200)
            worked = (visit.worked() - before) / TIMES
            took = page.evaluate("window.took")
            report.line("from submit to the next item painted: median", median(took), "ms", limit=LIMIT_MS)
            report.line("the least", min(took), "ms")
            report.line("the browser's main thread, an item all in all", worked, "ms", limit=LIMIT_MS)
            visit.close()
    report.exit()


if __name__ == "__main__":
    main()
