"""What reviewers give on the command line."""

import pytest

from gatewatch.cli.reviewer import expected_given
from gatewatch.core.errors import InputError


def test_a_file_without_an_end_is_refused() -> None:
    with pytest.raises(InputError, match="is longer than 1,000,000 bytes"):
        expected_given("@/dev/zero")
    with pytest.raises(InputError, match="cannot be read"):
        expected_given("@/no/such/file")
    assert expected_given("Yes.") == "Yes."
