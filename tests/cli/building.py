"""What tests of judging commands start from: a judge that is configured, and a command that is run and heard."""

import pytest

from gatewatch.cli.main import status

JUDGE = """
[models.judge]
model = "judge-1"
base_url = "{url}"
key_env = ""

[prices.judge-1]
input = 1.0
output = 1.0
"""


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """A command's exit code, and what it said on standard output and on standard error."""
    code = status(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err
