"""Base of the detectors with a network: build it, train it, score in batches, hand over its weights."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from methods.detector import FitContext, TrainData
from methods.devices import placed
from methods.errors import MethodError
from methods.nn.data.loader import in_batches
from methods.nn.training.supervised import LossTerms, TrainParams, TrainSettings, train
from methods.uploads import upload
from protocols.images.store import Images

DetectorFields = TypeVar("DetectorFields", bound=TrainParams)
DetectorNetwork = TypeVar("DetectorNetwork", bound=nn.Module)
Scorer = Callable[[Tensor, int], Tensor]


class NeuralDetector(ABC, Generic[DetectorFields, DetectorNetwork]):
    """Base of the neural detectors; a subclass reads its parameters, builds its network, has losses and a scorer."""

    def __init__(self, params: DetectorFields, context: FitContext) -> None:
        self.params = params
        self.context = context
        self.history: dict[str, list[float]] = {}
        self._network: DetectorNetwork | None = None

    @abstractmethod
    def new_network(self) -> DetectorNetwork:
        """The network as a fit starts from it, on the CPU."""

    @abstractmethod
    def loss_terms(self, data: TrainData) -> LossTerms:
        """The losses of a step on `data` with `self.network`, which `train` minimises."""

    @abstractmethod
    def scorer(self) -> Scorer:
        """A function that scores a batch: images (B, S, S, C) uint8 on the device, its number -> (B,) float64."""

    def fit(self, data: TrainData) -> None:
        """Train on `data`, from the state `data.init` where there is one; raises what `train` raises."""
        self.build(data.init)
        settings = TrainSettings.from_params(self.params)
        self.history = train(self.network, self.loss_terms(data), settings, self.context)

    def score(self, images: Images, batch: int | None = None) -> npt.NDArray[np.float64]:
        """Scores (n,), `batch` images at a time in the given order; MethodError before `fit` or `load`."""
        scores = np.empty(len(images))
        self.network.eval()
        with torch.inference_mode():
            score = self.scorer()
            size = self.params.evaluation_batch if batch is None else batch
            under_way: tuple[slice, Tensor] | None = None
            for number, (span, pixels) in enumerate(in_batches(images, size)):
                result = score(upload(pixels, self.context.device), number)
                if under_way is not None:
                    scores[under_way[0]] = under_way[1].cpu().numpy()
                under_way = span, result
            if under_way is not None:
                scores[under_way[0]] = under_way[1].cpu().numpy()
        return scores

    def state(self) -> dict[str, Tensor]:
        """The tensors that `load` needs; they share memory with the detector."""
        return dict(self.network.state_dict())

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over the `state` of another detector with the same parameters."""
        self.build(state)

    def build(self, state: Mapping[str, Tensor] | None = None) -> None:
        """Make the network, on the run's device, with the values of `state` where there is one."""
        network = self.new_network()
        if state is not None:
            network.load_state_dict(state)
        self._network = placed(network, self.context.device)

    @property
    def network(self) -> DetectorNetwork:
        """The network; raises MethodError before there is one."""
        if self._network is None:
            raise MethodError(f"{type(self).__name__} has nothing to score with yet: call fit or load first")
        return self._network
