"""The strip over Runs, and the links between parts of a run: one ruler on an axis, and what is chosen stays."""

import os
import re
from html import unescape
from pathlib import Path

from gatewatch.core.run import ScorerRef
from offline.joining import SCORERS, a_row, a_run, two_runs
from web.serving import served


def test_a_strip_has_one_ruler_and_links_keep_the_filter(tmp_path: Path) -> None:
    folder = tmp_path / ".gatewatch" / "runs"
    two_runs(folder)
    other = {**SCORERS, "exact": ScorerRef("0" * 12)}
    os.utime(a_run(folder, "three", [a_row("three", "a", exact=0.0)], scorers=other))
    with served(tmp_path) as server, server.client(server.token("read")) as client:
        strip = client.get("/runs?scorer=exact").text
        assert 'class="trend"' not in strip  # the newest run alone has this ruler
        page = client.get("/runs/two?filter=errors&scorer=exact&q=fell").text
    tabs = re.findall(r'href="([^"]*/runs/two/(?:slices|log)[^"]*)"', page)
    beside = re.findall(r'href="([^"]*/runs/(?:one|three)\?[^"]*)"', page)
    assert len(tabs) == 2 and beside
    for each in tabs + beside:
        assert "filter=errors" in each and "q=fell" in unescape(each) and "scorer=exact" in each
