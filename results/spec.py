"""Specs of fits and runs, and the canonical JSON by which they are hashed into keys.

A fit is one training; a run is a fit scored on one test list, which gives one AUC.
"""

import hashlib
import json
from functools import cached_property
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from protocols.coordinates import COORDINATE_FIELDS, Coordinates
from protocols.values import ParamValue

_Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]

_ALWAYS_HASHED = {"known_class", "normal_class", "shots", "gamma"}
"""Coordinates that a series holds even where they are unset; newer ones only where set, so that no series moves."""

_SPLIT_OPTION = "split option "
"""Start of a deviation that is an option of the split."""
_INSTEAD_OF = " (recipe: "
"""Text after the value in a deviation that is a parameter."""

EMPTY_LIST = hashlib.sha256().hexdigest()
"""The fingerprint of a list without images."""

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def canonical(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys, no spaces and the shortest float text.

    Raises:
        ValueError: a float is NaN or infinite.
    """
    return _ENCODER.encode(msgspec.to_builtins(value)).encode()


def digest(value: Any) -> str:
    """Hexadecimal SHA-256 of the canonical JSON of `value` (a struct, or what JSON can hold)."""
    return hashlib.sha256(canonical(value)).hexdigest()


class PoolPart(msgspec.Struct, frozen=True, kw_only=True):
    """Part of an external pool from one prepared dataset: fingerprints of its manifest and of the list of ids."""

    dataset: str
    fingerprint: str
    images: str


class FitSpec(msgspec.Struct, frozen=True, kw_only=True, dict=True):  # dict: of what is computed once
    """Everything that `fit` is given; its canonical JSON is hashed into `fit_key` (design section 6).

    `params` are the detector's resolved hyper-parameters, `pools` maps the id of an external pool to its parts in the
    order of their ids, `weights` an architecture to the digest of its file, `source` is the fit_key of a fit whose
    state this one starts from. `train_anomaly` is the fingerprint of the empty list for a detector that is given none;
    `size` is 0 where `resize` is `none`.
    """

    detector: str
    version: Annotated[int, Meta(ge=0, le=2**53)]
    params: dict[str, ParamValue]
    dataset_fingerprint: str
    train_normal: str
    train_anomaly: str
    size: Annotated[int, Meta(ge=0, le=2**53)]
    resize: str
    pools: dict[str, tuple[PoolPart, ...]]
    weights: dict[str, str]
    precision: str
    seed: _Seed
    source: str | None = None

    @cached_property
    def fit_key(self) -> str:
        return digest(self)


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Order (`listing` or `ranked`) and batching of the test images where scores depend on them."""

    order: str
    batch: Annotated[int, Meta(ge=1, le=2**53)]


class SplitDefinition(Coordinates, frozen=True, kw_only=True):
    """Definition of a split without its seed: the part of a series that is not in the fingerprints of its lists.

    Under the rule cross_domain `dataset` is the target and `shots` are the labelled anomalies of `source_dataset`.
    """

    dataset: str
    dataset_fingerprint: str
    rule: str
    options: dict[str, ParamValue] = msgspec.field(default_factory=dict)


class RunSpec(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A fit and the test list it is scored on.

    Only `fit`, `test` (fingerprint of the test list) and `evaluation` (None where scores are independent of their
    batch) are hashed into `key`; the rest says how a person would name the run. `source` is the fit whose key
    `fit.source` is, on the source dataset or, for a method with a base, on the same split. `deviations` are the reasons
    why this run is not the paper's beyond recipe and weights: overridden parameters, other data or size, an assumed
    method.
    """

    fit: FitSpec
    test: str
    evaluation: Evaluation | None
    method: str
    recipe: str
    split: SplitDefinition
    split_seed: _Seed
    source: FitSpec | None = None
    deviations: list[str] = []

    @cached_property
    def key(self) -> str:
        return self.key_of(self.fit.fit_key)

    def key_of(self, fit_key: str) -> str:
        """The key, from that of its fit, which is hashed once where both are needed."""
        return digest({"fit": fit_key, "test": self.test, "evaluation": self.evaluation})

    @cached_property
    def series(self) -> str:
        """Hash of the key without seeds and lists and of the split's definition: runs that share it may be averaged."""
        fit = _seedless(self.fit)
        if self.source is not None:
            fit["source"] = _seedless(self.source)
        split = {
            name: value
            for name, value in msgspec.to_builtins(self.split).items()
            if value is not None or name not in COORDINATE_FIELDS or name in _ALWAYS_HASHED
        }
        return digest({"fit": fit, "evaluation": self.evaluation, "split": split})

    @property
    def is_fine_tuned(self) -> bool:
        """True where the fit goes on from one of the same method on another dataset, not from that of a base."""
        return self.source is not None and self.split.source_dataset is not None

    @property
    def settings(self) -> dict[str, str]:
        """Parameters and split options that are not the recipe's, by name, as the deviations have them.

        Those of a base fit have the base in front: `dra.budget.epochs`.
        """
        settings = {}
        for text in self.deviations:
            name, _, value = text.partition(" = ")
            value, is_set, _ = value.partition(_INSTEAD_OF)
            if name.startswith(_SPLIT_OPTION):
                settings[name.removeprefix(_SPLIT_OPTION)] = value
            elif is_set:
                settings[name.removeprefix(f"{self.method}.")] = value.strip("'")
        return dict(sorted(settings.items()))

    @property
    def name(self) -> str:
        """Readable name, such as `hard-elpv-mono-dra-10-s0-1a2b3c4d`, its `settings` before the seed."""
        texts = {name: text for name, text in self.split.coordinate_texts.items() if text}
        source = texts.pop("source_dataset", None)
        subset = [texts.pop(name) for name in list(texts) if COORDINATE_FIELDS[name].role == "subset"]
        parts = [self.split.rule, *([source, "to"] if source else []), self.split.dataset, *subset]
        parts += [self.method, *texts.values()]
        parts += [f"{name}={value}" for name, value in self.settings.items()]
        seeds = f"s{self.fit.seed}" if self.split_seed == self.fit.seed else f"s{self.fit.seed}.{self.split_seed}"
        return "-".join([*parts, seeds, self.key[:8]])


def _seedless(fit: FitSpec) -> dict[str, Any]:
    """A fit without its seed and the lists that the seed decides."""
    plain: dict[str, Any] = msgspec.to_builtins(fit)
    return {name: value for name, value in plain.items() if name not in {"seed", "train_normal", "train_anomaly"}}
