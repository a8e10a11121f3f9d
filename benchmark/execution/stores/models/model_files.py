"""Files of kept models: `models/<2 hex>/<fit_key>.safetensors`, which hold tensors and text alone.

The header's metadata are one JSON text under `swanbench`: the facts of the model, and a SHA-256 of the tensors and
these facts, which is compared whenever a file is read. One text, since the format writes several in any order, and the
same fit has to give the same bytes. The tensors are the detector's state, each name with `state.` in front, and
`train_normal_scores`, the scores of the training normals (n,) float64.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import torch
from msgspec import Meta
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from benchmark.execution.stores.digests import tensors_digest
from results.errors import ResultsError
from results.files import write_atomic
from results.spec import FitSpec

MODEL_SCHEMA = 1
HEADER = "swanbench"
STATE = "state."
TRAIN_SCORES = "train_normal_scores"
AGAIN = "remove it, and the run's command with --keep-models makes it again"


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that scoring needs to know of a model beside its tensors.

    `fit` is the hashed spec of its fit; `channels` those of the training images; `batch` is the number of images scored
    at a time, None where the recipe has no such parameter; `independent`: with these parameters an image's score is the
    same in any batch; `weights` are the labels of the ImageNet weights; `code_digest` is of the detector's code.
    `map_range` is the least and the greatest value of the heat maps of the training normals, None where the detector
    has none.
    """

    fit: FitSpec
    method: str
    dataset: str
    channels: Annotated[int, Meta(ge=1, le=3)]
    batch: Annotated[int, Meta(ge=1, le=1 << 20)] | None
    independent: bool
    weights: dict[str, str]
    threads: Annotated[int, Meta(ge=1, le=1 << 12)]
    numerics_class: str
    code_digest: str
    package_version: str
    map_range: tuple[float, float] | None = None
    schema: int = MODEL_SCHEMA


@dataclass(frozen=True)
class ModelContents:
    """Contents of a model's file; `train_scores` (n,) float64."""

    facts: ModelFacts
    state: Mapping[str, Tensor]
    train_scores: Tensor


def write_model(path: Path, contents: ModelContents) -> None:
    """Keep a model; raises ResultsError where it cannot be written."""
    tensors = {f"{STATE}{name}": value.detach().cpu().contiguous().clone() for name, value in contents.state.items()}
    tensors[TRAIN_SCORES] = contents.train_scores
    facts = msgspec.json.encode(contents.facts)
    header = _Header(sha256=_digest(facts, tensors), facts=msgspec.Raw(facts))
    write_atomic(path, save(tensors, {HEADER: msgspec.json.encode(header).decode()}))


def read_model(path: Path) -> ModelContents:
    """The model in a file.

    Raises:
        ResultsError: it cannot be read, is damaged, is of another fit than its name says, or of a newer version.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        header = msgspec.json.decode(metadata[HEADER], type=_Header)
        if msgspec.json.decode(header.facts, type=_Versioned).schema > MODEL_SCHEMA:
            raise ResultsError(f"the kept model {path} is of a newer version: upgrade swanbench to read it")
        facts = msgspec.json.decode(header.facts, type=ModelFacts)
        is_whole = header.sha256 == _digest(header.facts, tensors) and facts.fit.fit_key == path.stem
        scores = tensors.pop(TRAIN_SCORES)
    except OSError as error:
        raise ResultsError(f"cannot read the kept model {path} ({error.strerror or error})") from error
    except (SafetensorError, KeyError, msgspec.DecodeError, RecursionError) as error:
        raise ResultsError(f"the kept model {path} is damaged or none of swanbench: {AGAIN}") from error
    if not is_whole or not _are_scores(scores):
        raise ResultsError(f"the kept model {path} was changed since it was written: {AGAIN}")
    return ModelContents(facts, {name.removeprefix(STATE): value for name, value in tensors.items()}, scores)


def _are_scores(scores: Tensor) -> bool:
    """True for at least one finite float64 in a row."""
    return scores.dtype is torch.float64 and scores.ndim == 1 and len(scores) > 0 and bool(scores.isfinite().all())


class _Header(msgspec.Struct):
    sha256: str
    facts: msgspec.Raw


class _Versioned(msgspec.Struct):
    schema: int


def _digest(facts: bytes | msgspec.Raw, tensors: Mapping[str, Tensor]) -> str:
    return hashlib.sha256(b"%b\n%b" % (bytes(facts), tensors_digest(tensors).encode())).hexdigest()
