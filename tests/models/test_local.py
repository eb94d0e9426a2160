"""A small random BERT, written to a folder, against the same computed step by step here."""

import asyncio
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewatch.core.errors import ModelError
from gatewatch.models.local import LocalEmbedder, check_folder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "green", "shoes", "##s", "are", "cheap"]
SIZE, HEADS, LAYERS, INNER, LONGEST = 16, 4, 2, 32, 12


def shapes() -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS), SIZE),
        "embeddings.position_embeddings.weight": (LONGEST, SIZE),
        "embeddings.token_type_embeddings.weight": (2, SIZE),
        "embeddings.LayerNorm.weight": (SIZE,),
        "embeddings.LayerNorm.bias": (SIZE,),
    }
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        for name in ("query", "key", "value"):
            found[f"{at}attention.self.{name}.weight"] = (SIZE, SIZE)
            found[f"{at}attention.self.{name}.bias"] = (SIZE,)
        for name, out, into in (
            ("attention.output.dense", SIZE, SIZE),
            ("intermediate.dense", INNER, SIZE),
            ("output.dense", SIZE, INNER),
        ):
            found[f"{at}{name}.weight"] = (out, into)
            found[f"{at}{name}.bias"] = (out,)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            found[f"{at}{name}.weight"] = (SIZE,)
            found[f"{at}{name}.bias"] = (SIZE,)
    return found


@pytest.fixture(scope="module")
def weights() -> dict[str, Any]:
    draw = np.random.default_rng(3)
    return {name: draw.normal(0, 0.5, shape).astype("float32") for name, shape in shapes().items()}


@pytest.fixture
def folder(tmp_path: Path, weights: dict[str, Any]) -> Path:
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    path = tmp_path / "mini"
    path.mkdir()
    save_file({f"bert.{name}": value for name, value in weights.items()}, path / "model.safetensors")
    config = {"num_attention_heads": HEADS, "num_hidden_layers": LAYERS, "max_position_embeddings": LONGEST}
    (path / "config.json").write_text(json.dumps(config))
    tokenizer = Tokenizer(WordPiece({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.save(str(path / "tokenizer.json"))
    return path


def by_hand(weights: dict[str, Any], ids: list[int]) -> list[float]:
    """The same network in plain loops."""

    def linear(x: list[float], at: str) -> list[float]:
        w, b = weights[f"{at}.weight"], weights[f"{at}.bias"]
        return [sum(float(w[row][k]) * x[k] for k in range(len(x))) + float(b[row]) for row in range(len(b))]

    def normed(x: list[float], at: str) -> list[float]:
        mean = sum(x) / len(x)
        spread = math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + 1e-12)
        w, b = weights[f"{at}.weight"], weights[f"{at}.bias"]
        return [(v - mean) / spread * float(w[k]) + float(b[k]) for k, v in enumerate(x)]

    rows = [
        normed(
            [
                float(weights["embeddings.word_embeddings.weight"][token][k])
                + float(weights["embeddings.position_embeddings.weight"][place][k])
                + float(weights["embeddings.token_type_embeddings.weight"][0][k])
                for k in range(SIZE)
            ],
            "embeddings.LayerNorm",
        )
        for place, token in enumerate(ids)
    ]
    wide = SIZE // HEADS
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        q, k, v = ([linear(row, f"{at}attention.self.{name}") for row in rows] for name in ("query", "key", "value"))
        mixed = []
        for here in range(len(rows)):
            out: list[float] = []
            for head in range(HEADS):
                part = range(head * wide, (head + 1) * wide)
                raw = [sum(q[here][n] * k[there][n] for n in part) / math.sqrt(wide) for there in range(len(rows))]
                powers = [math.exp(each - max(raw)) for each in raw]
                shares = [each / sum(powers) for each in powers]
                out += [sum(share * v[there][n] for there, share in enumerate(shares)) for n in part]
            mixed.append(out)
        after = []
        for row, out in zip(rows, mixed, strict=True):
            dense = linear(out, f"{at}attention.output.dense")
            x = normed([a + b for a, b in zip(row, dense, strict=True)], f"{at}attention.output.LayerNorm")
            inner = [0.5 * z * (1 + math.erf(z / math.sqrt(2))) for z in linear(x, f"{at}intermediate.dense")]
            back = linear(inner, f"{at}output.dense")
            after.append(normed([a + b for a, b in zip(x, back, strict=True)], f"{at}output.LayerNorm"))
        rows = after
    pooled = [sum(row[k] for row in rows) / len(rows) for k in range(SIZE)]
    size = math.sqrt(sum(value**2 for value in pooled))
    return [value / size for value in pooled]


def vector(folder: Path, text: str) -> tuple[float, ...]:
    return asyncio.run(LocalEmbedder("mini", folder).embed(text)).vector


def test_it_computes_what_the_network_is(folder: Path, weights: dict[str, Any]) -> None:
    found = vector(folder, "Red shoes are CHEAP")
    ids = [2, *(WORDS.index(word) for word in ("red", "shoes", "are", "cheap")), 3]
    assert found == pytest.approx(by_hand(weights, ids), abs=1e-5)
    assert math.fsum(value**2 for value in found) == pytest.approx(1.0, abs=1e-5)


def test_a_text_that_is_too_long_is_cut(folder: Path) -> None:
    assert vector(folder, "red " * 10) == vector(folder, "red " * 500)


@pytest.mark.parametrize("text", ["", "unknown words only", "\ud800 half", "\x00"])
def test_any_text_has_a_vector(folder: Path, text: str) -> None:
    assert len(vector(folder, text)) == SIZE


def test_the_first_token_where_the_pooling_says_so(folder: Path) -> None:
    mean = vector(folder, "red shoes")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    first = vector(folder, "red shoes")
    assert first != mean
    for pooling, value in (("cls", first), ("mean", mean)):
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": pooling}))
        assert vector(folder, "red shoes") == value


def test_identity_is_the_content(folder: Path) -> None:
    before = LocalEmbedder("mini", folder).identity
    moved = folder.rename(folder.with_name("elsewhere"))
    assert LocalEmbedder("other", moved).identity == before
    config = json.loads((moved / "config.json").read_text()) | {"layer_norm_eps": 1e-5}
    (moved / "config.json").write_text(json.dumps(config))
    assert LocalEmbedder("other", moved).identity != before


@pytest.mark.parametrize("name", ["1_Pooling/config.json", "sentence_bert_config.json"])
def test_what_decides_a_vector_is_part_of_the_identity(folder: Path, name: str) -> None:
    before = LocalEmbedder("mini", folder).identity
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text('{"pooling_mode_mean_tokens": true, "max_seq_length": 4}')
    one = LocalEmbedder("mini", folder).identity
    (folder / name).write_text('{"pooling_mode_cls_token": true, "max_seq_length": 5}')
    assert before != one != LocalEmbedder("mini", folder).identity != before


@pytest.mark.parametrize(
    ("name", "stated", "said"),
    [
        ("config.json", {"model_type": "roberta"}, "its model_type is 'roberta', and only 'bert' is computed here"),
        ("config.json", {"hidden_act": "relu"}, "its hidden_act is 'relu', and only 'gelu' is computed here"),
        ("config.json", {"position_embedding_type": "relative_key"}, "its position_embedding_type is 'relative_key'"),
        (
            "1_Pooling/config.json",
            {"pooling_mode_max_tokens": True},
            "its pooling is max, and only cls or mean",
        ),
        (
            "1_Pooling/config.json",
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
            "its pooling is cls and mean, and only cls or mean alone is computed here",
        ),
        ("1_Pooling/config.json", {"pooling_mode": "lasttoken"}, "its pooling is lasttoken, and only cls or mean"),
        ("1_Pooling/config.json", [1], "1_Pooling/config.json is not a JSON object"),
        (
            "modules.json",
            [{"type": "sentence_transformers.models.Dense"}],
            "it has a module Dense, which is not computed",
        ),
        ("modules.json", {"a": 1}, "modules.json is not a list of modules"),
    ],
)
def test_another_kind_of_model_is_refused(folder: Path, name: str, stated: Any, said: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    before = json.loads((folder / name).read_text()) if name == "config.json" else {}
    (folder / name).write_text(json.dumps(before | stated if isinstance(stated, dict) else stated))
    (problem,) = check_folder(folder)
    assert problem.startswith(f"path: {folder}: {said}")
    with pytest.raises(ModelError, match=re.escape(said)):
        vector(folder, "red")


def test_the_kind_of_model_that_is_published(folder: Path) -> None:
    before = vector(folder, "red shoes")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps(config | {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"})
    )
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": SIZE, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    kinds = [f"sentence_transformers.models.{kind}" for kind in ("Transformer", "Pooling", "Normalize")]
    (folder / "modules.json").write_text(json.dumps([{"type": kind} for kind in kinds]))
    assert check_folder(folder) == []
    assert vector(folder, "red shoes") == before


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_file_that_is_cut_short(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"^mini \("):
        vector(folder, "red")


def test_what_is_wrong_with_a_folder(folder: Path, tmp_path: Path) -> None:
    assert check_folder(folder) == []
    assert check_folder(tmp_path / "none") == [f"path: there is no folder {tmp_path / 'none'}"]
    (folder / "tokenizer.json").unlink()
    assert check_folder(folder) == [f"path: {folder} has no tokenizer.json"]


def test_a_folder_that_holds_something_else(folder: Path) -> None:
    (folder / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="num_attention_heads"):
        vector(folder, "red")
