from gatewatch.core import codec
from gatewatch.core.money import Cost
from gatewatch.core.score import STATUSES, Score
from gatewatch.core.trace import Usage


def test_what_is_unknown_does_not_count_and_a_failure_does() -> None:
    assert Score(0.0).counts
    assert Score(0.0, status="task_error").counts
    assert Score(0.0, status="timeout").counts
    assert not Score(status="skipped").counts
    assert not Score(status="scorer_error").counts


def test_a_score_comes_back_and_defaults_are_not_written() -> None:
    score = Score(
        0.5, "good", "so it is", source="judge", cost=Cost(0.1), usage=Usage(1, 2), model="m", fingerprint="f"
    )
    assert codec.decode(codec.encode(score), Score) == score
    assert codec.encode(Score(1.0)) == b'{"value":1.0}'
    assert codec.encode(Score(status="skipped")) == b'{"status":"skipped"}'


def test_every_status_is_known_to_the_format() -> None:
    for status in STATUSES:
        assert codec.decode(codec.encode(Score(status=status)), Score).status == status
