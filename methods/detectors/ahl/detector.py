"""AHL on DRA and on DevNet: stored maps of the base's trunk, tasks, and the training of new heads (spec ahl)."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from methods.backbones.table import BACKBONES
from methods.detector import FitContext, TrainData
from methods.detectors.ahl.batches import MeanMaps
from methods.detectors.ahl.features import FrozenTrunk, MapTable, image_maps, joined
from methods.detectors.ahl.heads import AHLHeads, DevNetHeads, DRAHeads, start_heads
from methods.detectors.ahl.params import AHLParams
from methods.detectors.ahl.pseudo import PseudoImages, needed_versions
from methods.detectors.ahl.tasks import MetaTask, build_tasks, clusters_of, normals_of_pairs
from methods.detectors.ahl.training import CollaborativeTraining
from methods.detectors.dra.detector import LevelMaps
from methods.errors import MethodError
from methods.nn.data.loader import in_batches
from methods.nn.data.transforms import normalise
from methods.nn.params import Params, read_params
from methods.nn.training.loop import TrainingLoop
from protocols.images.store import Images

MEAN_MAPS = "reference."


class AHLNetwork(nn.Module):
    """The frozen trunk of the base fit, and the unified model's heads."""

    def __init__(self, frozen: FrozenTrunk, heads: AHLHeads) -> None:
        super().__init__()
        self.frozen = frozen
        self.heads = heads


class AHL(ABC):
    """Anomaly heterogeneity learning on the maps of a base fit, whose state is `TrainData.init` (spec ahl 1).

    With `reference.mode` redraw each test image is compared with training normals of its own, which `state` does not
    hold: a detector that was loaded rather than fitted cannot score then.
    """

    base = ""

    def __init__(self, params: Params, context: FitContext) -> None:
        self.params = read_params(AHLParams, params)
        self.context = context
        self.history: dict[str, list[float]] = {}
        self._network: AHLNetwork | None = None
        self._references: MeanMaps | None = None
        self._fixed: LevelMaps | None = None

    @abstractmethod
    def new_heads(self, channels: int) -> AHLHeads:
        """The heads as torch's layers start, on the CPU."""

    @property
    def network(self) -> AHLNetwork:
        """The network; raises MethodError before there is one."""
        if self._network is None:
            raise MethodError(f"{type(self).__name__} has nothing to score with yet: call fit or load first")
        return self._network

    def fit(self, data: TrainData) -> None:
        """Store maps, build tasks, train; raises MethodError without a base fit, and what `TrainingLoop.run` raises."""
        if data.init is None:
            raise MethodError(f"AHL starts from a fit of {self.base}: give its state as TrainData.init")
        frozen = self._frozen(data.init)
        heads = self._new_heads(data.init)
        table, tasks = self._stored(data, frozen)
        training = CollaborativeTraining(heads, table, tasks, self.params, self.context)
        self._network = AHLNetwork(frozen, heads)
        self._references = training.references
        self._fixed = training.references.fixed if training.references else None
        loop = TrainingLoop(
            training.state,
            training.optimisers,
            training.train_step,
            steps=training.tasks,
            total=self.params.budget_epochs * training.tasks,
            context=self.context,
        )
        self.history = loop.run()

    def _frozen(self, state: Mapping[str, Tensor]) -> FrozenTrunk:
        return FrozenTrunk(state, self.params.backbone, self.params.pyramid, self.context)

    def _new_heads(self, base: Mapping[str, Tensor] | None) -> AHLHeads:
        with self.context.seeded("heads"):
            heads = self.new_heads(BACKBONES[self.params.backbone].channels)
        if base is not None:
            start_heads(heads, self.params, base, self.context)
        return heads.to(self.context.device)

    def _stored(self, data: TrainData, frozen: FrozenTrunk) -> tuple[MapTable, list[MetaTask]]:
        """Maps of all training images and of the pseudo anomalies that tasks hold, and these tasks."""
        maps = [self._training_maps(frozen, data.normal, "normal")]
        tasks = self._tasks(maps[0], len(data.anomaly))
        if len(data.anomaly):
            maps.append(self._training_maps(frozen, data.anomaly, "anomaly"))
        versions = needed_versions(tasks)
        if versions:
            maps.append(PseudoImages(data, self.params, self.context).maps(frozen, versions))
        first = len(data.normal) + len(data.anomaly)
        rows = {version: first + number for number, version in enumerate(versions)}
        return MapTable(joined(maps), len(data.normal), len(data.anomaly), rows), tasks

    def _training_maps(self, frozen: FrozenTrunk, images: Images, group: str) -> LevelMaps:
        if self.params.features.transform == "test":
            return image_maps(frozen, images)
        return image_maps(frozen, images, lambda number: self.context.generator(f"features.{group}.angle", number))

    def _tasks(self, maps: LevelMaps, n_seen: int) -> list[MetaTask]:
        params, context = self.params, self.context
        level = maps[0].mean((1, 2)) if params.clusters.features == "pooled" else maps[0].flatten(1)
        clusters = clusters_of(level.cpu().numpy(), params.clusters, context)
        normals = normals_of_pairs(
            clusters,
            params.clusters.assign,
            all_normals=params.tasks.all_normals,
            n_normal=len(maps[0]),
            context=context,
        )
        return build_tasks(normals, n_seen, params.tasks, params.pseudo, context)

    def score(self, images: Images, batch: int | None = None) -> npt.NDArray[np.float64]:
        """Scores (n,), `batch` images at a time in the given order; MethodError before `fit` or `load`."""
        scores = np.empty(len(images))
        network = self.network.eval()
        with torch.inference_mode():
            for span, pixels in in_batches(images, self.params.evaluation_batch if batch is None else batch):
                maps = [level.permute(0, 3, 1, 2) for level in network.frozen.maps(normalise(pixels))]
                references = self._test_references(range(span.start, span.stop))
                scores[span] = network.heads.total(network.heads(maps, references)).cpu().numpy()
        return scores

    def _test_references(self, places: range) -> LevelMaps | None:
        """Mean maps for the test images at these places, drawn for each by itself where they are not kept."""
        if self._fixed is not None or not self.network.heads.reads_references:
            return self._fixed
        if self._references is None:
            raise MethodError(
                "AHL draws reference images from the training set when it scores, and this one was loaded without it: "
                "call fit, or set reference.mode to fixed"
            )
        return joined([self._references.drawn("reference.test", position) for position in places])

    def state(self) -> dict[str, Tensor]:
        """Trunk, heads, and the mean maps of fixed references."""
        return dict(self._state_parts())

    def _state_parts(self) -> Iterator[tuple[str, Tensor]]:
        yield from self.network.frozen.state_dict().items()
        yield from self.network.heads.state_dict().items()
        for level, maps in enumerate(self._fixed or ()):
            yield f"{MEAN_MAPS}{level}", maps

    def kept_state(self) -> dict[str, Tensor]:
        """`state`; where each test image draws its own references, with the mean maps of the first."""
        maps = self._test_references(range(1))
        return {**self.state(), **{f"{MEAN_MAPS}{level}": each for level, each in enumerate(maps or ())}}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over the `state` of another detector with the same parameters."""
        heads = self._new_heads(None)
        heads.load_state_dict({name: state[name] for name in heads.state_dict()})
        self._network = AHLNetwork(self._frozen(state), heads)
        self._references = None
        levels = range(sum(name.startswith(MEAN_MAPS) for name in state))
        self._fixed = [state[f"{MEAN_MAPS}{level}"].to(self.context.device) for level in levels] or None


class AHLDRA(AHL):
    """AHL on the trunk of a DRA fit, with DRA's four heads (spec ahl 3.1)."""

    base = "dra"

    def new_heads(self, channels: int) -> DRAHeads:
        return DRAHeads(channels, self.params, self.context.precision)


class AHLDevNet(AHL):
    """AHL on the trunk of a DevNet fit, with DevNet's one head (spec ahl 3.2)."""

    base = "devnet"

    def new_heads(self, channels: int) -> DevNetHeads:
        return DevNetHeads(channels, self.params)
