"""Asking axe-core whether a page can be used by everybody: WCAG 2.2 AA, in the theme that it is in."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page

from shared import ROOT, required

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def axe_file() -> Path:
    """axe.min.js, or a skip where it is not installed."""
    named = os.environ.get("GATEWATCH_AXE", "")
    folders = [Path(named)] if named else []
    folders.append(ROOT / ".venv-node" / "node_modules" / "axe-core")
    for folder in folders:
        if (folder / "axe.min.js").is_file():
            return folder / "axe.min.js"
    message = "axe-core is not there: `npm install --prefix .venv-node axe-core`, or GATEWATCH_AXE names its folder"
    if required("chromium"):
        pytest.fail(message)
    pytest.skip(message)


def axe(page: Page) -> None:
    """Fail on each violation that axe-core finds on a page.

    Its script is run by the debugger, which the page's policy does not bind.
    """
    page.evaluate(axe_file().read_text())
    found = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", RULES)
    told = [
        f"{each['id']}: {each['help']}\n"
        + "\n".join(f"    {node['html'][:200]}\n    {node['failureSummary'][:400]}" for node in each["nodes"][:5])
        for each in found["violations"]
    ]
    assert not told, "\n".join(told)
