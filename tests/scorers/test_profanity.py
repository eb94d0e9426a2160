from pathlib import Path

import pytest

from gatewatch.core.trace import Trace
from gatewatch.scorers.apply import apply_inline
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.profanity import profanity
from shared import rows


def clean(scorer: Scorer, output: str) -> bool:
    return apply_inline(scorer, Trace(output=output)).value == 1.0


@pytest.mark.parametrize(
    "text", ["Shit happens", "this is bullSHIT!", "what the fuck", "sh1t", "fuuuuck", "a$$hole", "he is a BITCH."]
)
def test_found(text: str) -> None:
    assert not clean(profanity(), text)


@pytest.mark.parametrize(
    "text",
    [
        "Scunthorpe is a town, and Dickens a writer",
        "the class will assess the cocktail",
        "shitake should be spelled shiitake",
        "a bass, a grass, a pass",
        "version 5.0.3 of the API",
        "",
    ],
)
def test_not_found(text: str) -> None:
    assert clean(profanity(), text)


def test_what_is_merely_coarse() -> None:
    assert clean(profanity(), "Damn, it is cold")
    assert not clean(profanity(least="mild"), "Damn, it is cold")


def test_it_says_what_it_found() -> None:
    score = apply_inline(profanity(), Trace(output="shit, SHIT and fuck"))
    assert (score.label, score.explanation) == ("2 found", "fuck, shit")


def test_words_of_ones_own(tmp_path: Path) -> None:
    assert not clean(profanity(words=["Rival Inc", "@acme"]), "ask rival inc. about it")
    assert not clean(profanity(words=["Rival Inc", "@acme"]), "ask @ACME")
    (tmp_path / "words.txt").write_text("\ufeffrival\n\nother\n")
    assert not clean(profanity(words=tmp_path / "words.txt"), "a rival")
    assert clean(profanity(words=["rival"]), "shit")
    with pytest.raises(ValueError, match="cannot be read"):
        profanity(words=tmp_path / "none.txt")
    with pytest.raises(ValueError, match="at least one word"):
        profanity(words=[])
    with pytest.raises(ValueError, match='least must be "mild" or "strong", got \'all\''):
        profanity(least="all")  # type: ignore[arg-type]


def test_comments_that_people_called_toxic() -> None:
    comments = [(row["label"], row["text"]) for row in rows("guard_toxicity", "surge_comments.jsonl.gz")]
    flagged = [label for label, text in comments if not clean(profanity(), text)]
    assert len(flagged) >= 90
    assert sum(flagged) / len(flagged) >= 0.85


def test_a_list_of_others_is_matched_as_whole_words() -> None:
    words = [row["text"] for row in rows("guard_toxicity", "profanity_list.jsonl.gz")]
    scorer = profanity(words=words, disguised=False)
    comments = [(row["label"], row["text"]) for row in rows("guard_toxicity", "surge_comments.jsonl.gz")]
    flagged = [label for label, text in comments if not clean(scorer, text)]
    assert (len(flagged), sum(flagged)) == (94, 84)  # of the part of that list that is here
