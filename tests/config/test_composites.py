from pathlib import Path

import pytest

from gatewatch.config.project import Project
from gatewatch.core.errors import ConfigError


def project(folder: Path, text: str) -> Project:
    (folder / "gatewatch.toml").write_text(text)
    return Project.open(folder)


def test_composites_are_made_of_the_projects_scorers_by_name(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        """
        [scorers.whole]
        use = "all_of"
        parts = ["quality", "pii"]
        pass_at = 0.8

        [scorers.quality]
        use = "weighted"
        parts = { loose = 0.7, numeric = 0.3 }

        [scorers.loose]
        use = "exact"
        ignore_case = true
        """,
    ).scorers()
    assert list(found) == ["loose", "quality", "whole"]
    assert set(found["whole"].identity.parts) == {"pass_at", "part quality", "part pii"}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('use = "all_of"', 'scorers.x.parts: must be a list of names (["valid_json", "pii"])'),
        (
            'use = "weighted"\nparts = ["pii"]',
            "scorers.x.parts: must be a table of weights",
        ),
        ('use = "weighted"\nparts = { pii = 0 }', "scorers.x: the weight of pii must be above 0 and finite, got 0"),
        ('use = "all_of"\nparts = ["pi"]', "scorers.x.parts: there is no scorer 'pi', or it is made of this one"),
        ('use = "all_of"\nparts = ["x"]', "scorers.x.parts: there is no scorer 'x', or it is made of this one"),
        ('use = "all_of"\nparts = ["regex"]', "scorers.x.parts: regex needs the option 'pattern'"),
        ('use = "all_of"\nparts = ["pii"]\nweight = 1', "scorers.x.weight: unknown field"),
    ],
)
def test_what_is_wrong(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        project(tmp_path, f"[scorers.x]\n{table}\n").scorers()
    assert said in str(caught.value)
