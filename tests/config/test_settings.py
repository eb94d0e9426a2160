"""The keys of gatewatch.toml: what they may be, their defaults, and that each is said to be what it is."""

import re

import msgspec
import pytest
from msgspec.structs import fields

from gatewatch.config import settings
from gatewatch.config.settings import MonitorSettings, Settings, SuiteSettings, TaskSettings
from gatewatch.core import shape

TABLES = [
    each
    for each in vars(settings).values()
    if isinstance(each, type) and issubclass(each, msgspec.Struct) and each.__module__ == settings.__name__
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_key_is_described_in_its_order(table: type[msgspec.Struct]) -> None:
    assert table.__doc__ is not None
    described = re.findall(r"^    ([a-z_]+): ", table.__doc__, re.MULTILINE)
    assert described == ([] if table is Settings else [field.name for field in fields(table)])


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_settings_cannot_be_changed(table: type[msgspec.Struct]) -> None:
    first = next(iter(table.__struct_fields__))
    required = {field.name: "" for field in fields(table) if field.required}
    with pytest.raises(AttributeError):
        setattr(table(**required), first, "other")


def test_the_defaults_of_a_suite() -> None:
    found = shape.convert({"dataset": "d", "task": "t", "scorers": ["a"]}, SuiteSettings)
    assert found == SuiteSettings(
        dataset="d", task="t", scorers=("a",), trials=None, tier=None, concurrency=32, timeout=120.0,
        scorer_timeout=60.0, seed=0, budget="", pass_at={}, setup="", teardown="", matrix={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [
        ("trials", 1, True),
        ("trials", 0, False),
        ("trials", 1.5, False),
        ("trials", True, False),
        ("concurrency", 1, True),
        ("concurrency", -1, False),
        ("timeout", 0.001, True),
        ("timeout", 0, False),
        ("timeout", 1, True),
        ("seed", -3, True),
        ("pass_at", {"a": 0.0}, True),
        ("pass_at", {"a": 1}, True),
        ("pass_at", {"a": 1.0001}, False),
        ("pass_at", {"a": float("nan")}, False),
        ("tier", "pr", True),
        ("tier", "nightly", True),
        ("tier", "weekly", False),
        ("scorers", [], True),
        ("matrix", {"a": [1, "b", {"c": []}]}, True),
        ("matrix", {"a": "b"}, False),
    ],
)
def test_what_a_key_of_a_suite_may_be(key: str, value: object, right: bool) -> None:
    found = shape.convert({"dataset": "d", "task": "t", "scorers": ["a"], key: value}, SuiteSettings, "suites.x")
    if right:
        assert isinstance(found, SuiteSettings)
        return
    assert isinstance(found, list)
    ((where, what, _),) = found
    assert where.startswith(f"suites.x.{key}")
    assert what


def test_a_command_may_be_text_or_words() -> None:
    for command, kept in (("a b", "a b"), (["a", "b"], ("a", "b"))):
        found = shape.convert({"command": command}, TaskSettings)
        assert isinstance(found, TaskSettings)
        assert found.command == kept


def test_a_monitored_scorer_is_a_table() -> None:
    found = shape.convert({"flow": "f", "scorers": [{"use": "pii"}, {"use": "exact", "sample": 0}]}, MonitorSettings)
    assert isinstance(found, MonitorSettings)
    assert [(each.use, each.sample) for each in found.scorers] == [("pii", 1.0), ("exact", 0.0)]
