"""PatchCore as anomalib has it: how far an image's patches are from a memory bank of those of normal images.

The method's work is anomalib's (extra `anomalib`); ours are the trunk's weights and precision, batches and seeds.
"""

import contextlib
import importlib
import io
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from methods.backbones.features import FeatureReader, FrozenNetwork, Maps
from methods.detector import DeadlineReached, FitContext, TrainData
from methods.devices import accumulated, placed
from methods.errors import MethodError
from methods.nn.data.loader import batches
from methods.nn.data.samplers import Indices
from methods.nn.data.transforms import normalise
from methods.nn.params import Params, read_params
from methods.nn.precision import autocast, full_precision
from methods.uploads import upload
from protocols.images.store import Images


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchCoreParams:
    backbone: str
    layers: tuple[str, ...]
    coreset_ratio: float
    coreset_candidates: int | None
    neighbours: int
    batch_size: int
    evaluation_batch: int = 64


class PatchExtractor(nn.Module):
    """The feature extractor of anomalib in the precision of the run; what follows it stays in float32.

    anomalib's model asks it for the maps of the images that it was last told of by `given`, whatever pixels it gets.
    """

    def __init__(self, inner: nn.Module, layers: Sequence[str], precision: str) -> None:
        super().__init__()
        self.inner = inner
        self.given: Maps = []
        self._layers = tuple(layers)
        self._precision = precision

    def levels(self, images: Tensor) -> Maps:
        """(B, 3, S, S) -> the map (B, C, h, w) of each layer."""
        with autocast(images.device, self._precision):
            maps = self.inner(images)
        return [maps[layer] for layer in self._layers]

    def forward(self, _: Tensor) -> dict[str, Tensor]:
        """The maps that were given, in float32, by the name of their layer."""
        return {name: full_precision(level) for name, level in zip(self._layers, self.given, strict=True)}


class PatchCore:
    """Patch features of normal images, thinned out to a coreset; an image's score is that of its farthest patch.

    A fit keeps no checkpoint: one that `--max-time` stopped starts over.
    """

    def __init__(self, params: Params, context: FitContext) -> None:
        self.params = read_params(PatchCoreParams, params)
        self.context = context
        self.history: dict[str, list[float]] = {}
        self._model: Any = None

    def fit(self, data: TrainData) -> None:
        """Fill the memory bank; `history` counts the patches that it was chosen from, `patches`, and its own, `bank`.

        Raises:
            DeadlineReached: the time was over.
            ValueError: the share of the patches that the bank keeps is less than one patch.
        """
        model = self._new_model().train()
        features = self._features(model)
        for index in batches(len(data.normal), self.params.batch_size):
            patches = self._outputs(model, features, data.normal, index)
            chosen = self._candidates(index, len(patches) // len(index), len(data.normal))
            model.embedding_store[-1] = patches if chosen is None else patches[chosen]
            self._advance(int(index[-1]) + 1, len(data.normal))
        patches = torch.vstack(model.embedding_store)
        model.embedding_store.clear()
        model.memory_bank = self._coreset(patches)
        self.history = {"patches": [float(len(patches))], "bank": [float(len(model.memory_bank))]}
        self._model = model.eval()

    def score(self, images: Images, batch: int | None = None) -> npt.NDArray[np.float64]:
        """Scores (n,), `batch` images at a time; MethodError before `fit` or `load`."""
        if self._model is None:
            raise MethodError("PatchCore has nothing to score with yet: call fit or load first")
        scores = np.empty(len(images))
        size = self.params.evaluation_batch if batch is None else batch
        features = self._features(self._model)
        with torch.inference_mode():
            for index in batches(len(images), size):
                outputs = self._outputs(self._model, features, images, index)
                scores[index] = accumulated(outputs.pred_score).cpu().numpy()
        return scores

    def maps(self, images: Images, batch: int | None = None) -> npt.NDArray[np.float32]:
        """The maps (n, S, S) of anomalib: the distance of each patch from the bank, blurred; MethodError as `score`."""
        if self._model is None:
            raise MethodError("PatchCore has nothing to score with yet: call fit or load first")
        maps = np.empty((len(images), images.size, images.size), np.float32)
        features = self._features(self._model)
        with torch.inference_mode():
            for index in batches(len(images), self.params.evaluation_batch if batch is None else batch):
                maps[index] = self._outputs(self._model, features, images, index).anomaly_map[:, 0].cpu().numpy()
        return maps

    def state(self) -> dict[str, Tensor]:
        return {} if self._model is None else dict(self._model.state_dict())

    def load(self, state: Mapping[str, Tensor]) -> None:
        model = self._new_model()
        model.load_state_dict(state)
        self._model = model.eval()

    def _new_model(self) -> Any:
        """The model of anomalib with our trunk's values and an empty bank."""
        arch = self.params.backbone
        with self.context.seeded("patchcore"):
            model = _anomalib("models.image.patchcore.torch_model").PatchcoreModel(
                layers=list(self.params.layers),
                backbone=arch,
                pre_trained=False,
                num_neighbors=self.params.neighbours,
            )
        network, weights = model.feature_extractor.feature_extractor, self.context.backbone(arch).state_dict()
        network.load_state_dict({name: weights[name] for name in network.state_dict()})
        layers = self.params.layers
        model.feature_extractor = PatchExtractor(model.feature_extractor, layers, self.context.precision)
        return placed(model.requires_grad_(False), self.context.device)

    def _features(self, model: Any) -> FeatureReader:
        extractor: PatchExtractor = model.feature_extractor
        return self.context.features.reader(
            FrozenNetwork(
                extractor.inner,
                self.params.backbone,
                self.params.layers,
                "imagenet",
                lambda pixels: extractor.levels(normalise(upload(pixels, self.context.device))),
            )
        )

    def _outputs(self, model: Any, features: FeatureReader, images: Images, index: Indices) -> Any:
        """What anomalib's model makes of the maps of the images at positions `index`."""
        model.feature_extractor.given = features(images, index)
        sides = torch.empty(1, device=self.context.device).expand(len(index), 3, images.size, images.size)
        return model(sides)  # of which only the shape is read

    def _candidates(self, index: Indices, each: int, images: int) -> Indices | None:
        """Indices of a batch's patches that may come into the bank; None for all. An image has `each` patches."""
        limit = self.params.coreset_candidates
        if limit is None or limit >= images * each:
            return None
        order = torch.randperm(images * each, generator=self.context.generator("candidates"))
        chosen = order[:limit].sort().values.numpy()
        start = int(index[0]) * each
        first, last = np.searchsorted(chosen, [start, start + len(index) * each])
        return np.asarray(chosen[first:last] - start)

    def _coreset(self, patches: Tensor) -> Tensor:
        """The share `coreset.ratio` of patches (m, d) that anomalib's greedy k-centre selection takes."""
        sampler = _anomalib("models.components").KCenterGreedy(patches, self.params.coreset_ratio)
        sampler.update_distances = Nearest(sampler, self._advance)
        # anomalib draws its own progress bar on stderr, which is the harness's.
        with seeded_globals(self.context, "coreset"), contextlib.redirect_stderr(io.StringIO()):
            bank: Tensor = sampler.sample_coreset()
        return bank

    def _advance(self, done: int, total: int) -> None:
        self.context.progress(done, total)
        if self.context.deadline is not None and time.monotonic() >= self.context.deadline:
            raise DeadlineReached


class Nearest:
    """`update_distances` of anomalib's sampler, equal in every bit, in memory of its own and with progress.

    anomalib's makes tensors as large as all features at each of thousands of steps and keeps a small one beside them;
    glibc's heap cannot use such a gap again, so that 20,000 patches took 20 GB.
    """

    def __init__(self, sampler: Any, progress: Callable[[int, int], None]) -> None:
        self._sampler = sampler
        self._progress = progress
        self._done = 0
        self._scratch: tuple[Tensor, Tensor] | None = None

    def __call__(self, cluster_center: Tensor) -> None:
        """Take the centre at this place (a scalar tensor) into the distances from the nearest centre."""
        sampler, features = self._sampler, self._sampler.features
        if self._scratch is None:
            self._scratch = torch.empty_like(features), features.new_empty(len(features), 1)
            sampler.min_distances = torch.full_like(self._scratch[1], torch.inf)
        difference, distances = self._scratch
        torch.sub(features, features[cluster_center], out=difference)
        torch.linalg.norm(difference, ord=2, dim=1, keepdim=True, out=distances)
        torch.minimum(sampler.min_distances, distances, out=sampler.min_distances)
        self._done += 1
        self._progress(self._done, sampler.coreset_size)


@contextlib.contextmanager
def seeded_globals(context: FitContext, stream: str) -> Iterator[None]:
    """Run a block that draws from the global generators of torch, on any device, and of NumPy from streams of its own.

    anomalib's sparse projection draws its counts and signs from torch's and its columns from NumPy's; the coreset's
    first patch is drawn on the patches' device.
    """
    seed = int(torch.randint(2**32, (), generator=context.generator(f"{stream}.numpy")))
    before = np.random.get_state()  # noqa: NPY002 - the global generator is the one that anomalib takes
    with context.seeded(stream):
        np.random.seed(seed)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002


def _anomalib(module: str) -> Any:
    """A module of anomalib, imported without the warnings of what it imports (timm's old paths)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(f"anomalib.{module}")
