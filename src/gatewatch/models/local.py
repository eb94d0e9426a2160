"""A sentence embedder in a folder of this machine: a BERT of the MiniLM kind, computed with numpy. No network, no
torch.

The folder holds what such models are published with: `config.json`, `model.safetensors`, `tokenizer.json`, and where
there is one `1_Pooling/config.json` and `sentence_bert_config.json`. The vector is the mean over the tokens of the
last layer (or the first token's, where the pooling says so), scaled to length 1. A model that is computed otherwise is
refused.

Source: Devlin et al., BERT, arXiv 1810.04805; Reimers and Gurevych, Sentence-BERT, arXiv 1908.10084; the error
function of GELU by Abramowitz and Stegun, formula 7.1.26 (within 1.5e-7).
"""

import asyncio
import json
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from gatewatch.core.errors import ModelError, said_by
from gatewatch.models.embeddings import Embedding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_NEEDED = ("config.json", "model.safetensors", "tokenizer.json")
_POOLING, _SENTENCES, _MODULES = "1_Pooling/config.json", "sentence_bert_config.json", "modules.json"
_LONGEST = 512
_COMPUTED = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}


def check_folder(path: Path) -> list[str]:
    """What is wrong with a folder that is to hold a model: one text for each problem."""
    if not path.is_dir():
        return [f"path: there is no folder {path}"]
    problems = [f"path: {path} has no {name}" for name in _NEEDED if not (path / name).is_file()]
    problems += [f"path: {path}: {what}" for what in ([] if problems else _flaws(path))]
    try:
        import safetensors
        import tokenizers
    except ImportError:
        return [*problems, 'a local model needs libraries: pip install "gatewatch[embeddings]"']
    assert safetensors
    assert tokenizers
    return problems


def _flaws(path: Path) -> list[str]:
    """In what the model of a folder is another than is computed here."""
    try:
        config, pooling, modules = _stated(path, "config.json"), _pooling(path), _listed(path)
    except ValueError as error:
        return [str(error)]
    found = [
        f"its {key} is {config[key]!r}, and only {known!r} is computed here"
        for key, known in _COMPUTED.items()
        if config.get(key, known) != known
    ]
    if pooling not in (["cls"], ["mean"]):
        found.append(f"its pooling is {' and '.join(pooling)}, and only cls or mean alone is computed here")
    more = [each for each in modules if each not in ("Transformer", "Pooling", "Normalize")]
    return found + [f"it has a module {each}, which is not computed here" for each in more]


def _stated(path: Path, name: str) -> dict[str, Any]:
    """What a file of a model states; nothing, where there is none."""
    if not (path / name).is_file():
        return {}
    try:
        found = json.loads((path / name).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{name} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{name} is not a JSON object")
    return found


def _pooling(path: Path) -> list[str]:
    """How the tokens' vectors become one, such as "mean": stated by a flag for each way, or by its name."""
    stated = _stated(path, _POOLING)
    if named := stated.get("pooling_mode"):
        return sorted(map(str, named)) if isinstance(named, list) else [str(named)]
    flags = [key.removeprefix("pooling_mode_") for key, on in stated.items() if key.startswith("pooling_mode_") and on]
    return sorted(flag.removesuffix("_tokens").removesuffix("_token") for flag in flags) or ["mean"]


def _listed(path: Path) -> list[str]:
    """The kinds of modules that a model is made of, as far as they are stated."""
    if not (path / _MODULES).is_file():
        return []
    try:
        found = json.loads((path / _MODULES).read_text(encoding="utf-8"))
        return [str(each["type"]).rpartition(".")[2] for each in found]
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"{_MODULES} is not a list of modules") from None


class LocalEmbedder:
    """A configured model that embeds texts on this machine, one at a time, on a thread."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self.path = path
        self._lock = Lock()

    @property
    def name(self) -> str:
        """The name it is configured under."""
        return self._name

    @cached_property
    def identity(self) -> dict[str, Any]:
        """All that decides a vector, by its content: where the folder lies is no part of what it measures."""
        files = [*_NEEDED, *(name for name in (_POOLING, _SENTENCES) if (self.path / name).is_file())]
        return {name: sha256((self.path / name).read_bytes()).hexdigest()[:16] for name in files}

    async def embed(self, text: str) -> Embedding:
        """The embedding of a text; of one that is longer than the model reads, of its beginning.

        Raises:
            ModelError: when the folder does not hold such a model.
        """
        vector = await asyncio.to_thread(self._vector, text)
        return Embedding(vector=vector, model=self.path.name)

    async def close(self) -> None:
        """Nothing is held but memory."""

    def _vector(self, text: str) -> tuple[float, ...]:
        try:
            with self._lock:
                return self._encoder(text)
        except Exception as error:  # of a damaged file the libraries raise what is theirs
            raise ModelError("refused", f"{self._name} ({self.path}): {said_by(error)}") from None

    @cached_property
    def _encoder(self) -> "_Encoder":
        return _Encoder(self.path)


class _Encoder:
    def __init__(self, path: Path) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        if flaws := _flaws(path):
            raise ValueError("; ".join(flaws))
        config = _stated(path, "config.json")
        tensors = load_file(path / "model.safetensors")
        self.tensors = {name.removeprefix("bert."): value.astype("float32") for name, value in tensors.items()}
        self.heads, self.layers = int(config["num_attention_heads"]), int(config["num_hidden_layers"])
        self.epsilon = float(config.get("layer_norm_eps", 1e-12))
        longest = int(config.get("max_position_embeddings", _LONGEST))
        longest = min(longest, int(_stated(path, _SENTENCES).get("max_seq_length") or longest))
        self.first = _pooling(path) == ["cls"]
        self.tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(longest)

    def __call__(self, text: str) -> tuple[float, ...]:
        import numpy as np

        ids = self.tokenizer.encode(text.encode(errors="replace").decode()).ids
        x = self._embedded(np.asarray(ids, dtype=np.int64))
        for layer in range(self.layers):
            x = self._layer(x, f"encoder.layer.{layer}.")
        pooled = x[0] if self.first else x.mean(axis=0)
        return tuple(map(float, pooled / max(float(np.linalg.norm(pooled)), 1e-12)))

    def _embedded(self, ids: "NDArray[np.int64]") -> "Floats":
        words = self.tensors["embeddings.word_embeddings.weight"][ids]
        places = self.tensors["embeddings.position_embeddings.weight"][: len(ids)]
        kind = self.tensors["embeddings.token_type_embeddings.weight"][0]
        return self._normed(words + places + kind, "embeddings.LayerNorm")

    def _layer(self, x: "Floats", at: str) -> "Floats":
        import numpy as np

        def split(name: str) -> "Floats":
            found = self._linear(x, f"{at}attention.self.{name}")
            return found.reshape(len(x), self.heads, -1).transpose(1, 0, 2)

        q, k, v = split("query"), split("key"), split("value")
        weights = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
        weights = np.exp(weights - weights.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        mixed = (weights @ v).transpose(1, 0, 2).reshape(len(x), -1)
        x = self._normed(x + self._linear(mixed, f"{at}attention.output.dense"), f"{at}attention.output.LayerNorm")
        inner = _gelu(self._linear(x, f"{at}intermediate.dense"))
        return self._normed(x + self._linear(inner, f"{at}output.dense"), f"{at}output.LayerNorm")

    def _linear(self, x: "Floats", at: str) -> "Floats":
        return x @ self.tensors[f"{at}.weight"].T + self.tensors[f"{at}.bias"]  # type: ignore[no-any-return]

    def _normed(self, x: "Floats", at: str) -> "Floats":
        import numpy as np

        centred = x - x.mean(axis=-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.epsilon)
        return centred / scale * self.tensors[f"{at}.weight"] + self.tensors[f"{at}.bias"]  # type: ignore[no-any-return]


def _gelu(x: "Floats") -> "Floats":
    import numpy as np

    z = np.abs(x) / np.sqrt(2.0)
    t = 1.0 / (1.0 + 0.3275911 * z)
    rest = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = np.sign(x) * (1.0 - rest * np.exp(-z * z))
    return (0.5 * x * (1.0 + erf)).astype(x.dtype)  # type: ignore[no-any-return]
