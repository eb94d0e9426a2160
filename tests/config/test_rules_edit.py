"""A rule is written into gatewatch.toml so that nothing else of it changes, or not at all."""

import tomllib

import pytest

from gatewatch.config.rules_edit import difference, edited, inline, snippet

INLINE = """# ours
[project]
name = "bot"   # the bot

[monitors.support]
flow = "support" # kept
scorers = [{ use = "polite" }]
alert = { rules = { polite = { drop = "3pp" }, error = { any = 1, owner = "a } b" } }, to = ["stdout"] } # here

[alerts]
false_alarms = "1 per 90d"
"""
TABLES = """
[monitors.support]
flow = "support"

[monitors.support.alert]
to = ["stdout"]

[monitors.support.alert.rules.polite]
drop = "3pp"
severity = "page"

[prices.x]
input = 1
"""


@pytest.mark.parametrize(
    "text", [INLINE, TABLES, '[monitors.support]\nflow = "support"\n', '[monitors."support"]\nflow = "support"']
)
@pytest.mark.parametrize("name", ["polite", "thumbs_down", "a b.c"])
def test_a_rule_is_written_and_nothing_else_changes(text: str, name: str) -> None:
    rule = {"rise": 0.02, "severity": "ticket", "owner": 'x"\\\n'}
    made = edited(text, "support", name, rule)
    assert made is not None
    before, after = tomllib.loads(text), tomllib.loads(made)
    assert after["monitors"]["support"]["alert"]["rules"].pop(name) == rule
    rules = before["monitors"]["support"].setdefault("alert", {}).setdefault("rules", {})
    rules.pop(name, None)
    assert after == before
    for comment in ("# ours", "# the bot", "# kept", "# here"):
        assert (comment in made) == (comment in text)


def test_what_cannot_be_written_surely_is_left_alone() -> None:
    assert edited(INLINE, "other", "polite", {"drop": 0.1}) is None
    dotted = '[monitors]\nsupport.flow = "support"\nsupport.alert.to = ["stdout"]\n'
    made = edited(dotted, "support", "polite", {"drop": 0.1})
    assert made is None or tomllib.loads(made)["monitors"]["support"]["alert"]["to"] == ["stdout"]


def test_a_rule_is_shown_as_it_is_written() -> None:
    assert tomllib.loads(snippet("a b", "helpful", {"drop": "3pp"})) == {
        "monitors": {"a b": {"alert": {"rules": {"helpful": {"drop": "3pp"}}}}}
    }
    assert inline("helpful", {"drop": "3pp"}) == 'helpful = { drop = "3pp" }'
    assert "+b" in difference("a\n", "b\n", "gatewatch.toml")
