"""Base of CSI and CSI-GAN: train in turns, keep the features of the training set, score in batches."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from methods.detector import FitContext, TrainData
from methods.detectors.csi.encoder import FeatureNetwork
from methods.detectors.csi.lars import LARS, Schedule
from methods.detectors.csi.losses import nt_xent, shift_losses, shift_targets
from methods.detectors.csi.memory_bank import FeatureExtractor, MemoryBank, ShiftFeatures
from methods.detectors.csi.params import ContrastiveParams
from methods.detectors.csi.views import AugmentationDraw, Views
from methods.devices import placed
from methods.errors import MethodError
from methods.nn.data.epochs import ShuffledEpochs
from methods.nn.training.loop import Optimisers, TrainingLoop, TrainStep
from methods.nn.training.optimisers import new_adam
from protocols.images.store import Images

ContrastiveFields = TypeVar("ContrastiveFields", bound=ContrastiveParams)
ContrastiveNetwork = TypeVar("ContrastiveNetwork", bound=nn.Module)
FIRST_LAYER = "trunk.conv1.weight"
REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {"mean": torch.mean, "sum": torch.sum}


@dataclass(frozen=True)
class CSILoss:
    """L_CSI = contrast + shift classification of base views (2B, C, S, S), reduced over all anchors (CSI spec 4)."""

    views: Views
    temperature: float
    reduction: str

    @classmethod
    def from_params(cls, views: Views, params: ContrastiveParams) -> Self:
        return cls(views, params.loss_temperature, params.loss_reduction)

    def __call__(self, network: FeatureNetwork, base: Tensor, draw: AugmentationDraw) -> dict[str, Tensor]:
        """The terms by name; without shifts the contrast alone."""
        reduce, shifts = REDUCTIONS[self.reduction], self.views.shifts
        outputs = network(self.views.shifted(base, 2, draw))
        terms = {"contrast": reduce(nt_xent(outputs.z, self.temperature))}
        if shifts > 1:
            targets = shift_targets(len(base) // 2, shifts, 2, base.device)
            terms["shift"] = reduce(shift_losses(outputs.logits, targets))
        return terms


def feature_network(params: ContrastiveParams, context: FitContext, channels: int, shifts: int) -> FeatureNetwork:
    with context.seeded("features"):
        return FeatureNetwork(params.network_width, params.network_stem, channels, shifts, context.precision)


def feature_optimiser(network: nn.Module, params: ContrastiveParams) -> torch.optim.Optimizer:
    """Adam without weight decay, or SGD wrapped by LARS (C19)."""
    lr = params.optim_lr
    if params.optim_kind == "adam":
        return new_adam(network, lr=lr)
    return LARS(
        network.parameters(),
        lr=lr,
        momentum=params.optim_momentum,
        decay=params.optim_weight_decay,
        trust=params.lars_trust,
    )


def feature_schedule(params: ContrastiveParams, steps: int) -> Schedule:
    return Schedule(
        kind=params.optim_schedule,
        lr=params.optim_lr,
        epochs=params.budget_epochs,
        steps=steps,
        warmup=params.optim_warmup_epochs,
        factor=params.optim_warmup_factor,
    )


def minimise(terms: Mapping[str, Tensor], optimiser: torch.optim.Optimizer, rate: float) -> dict[str, Tensor]:
    """One step of `optimiser` at a rate on the sum of `terms`; the losses, detached, with their sum."""
    loss = torch.stack(list(terms.values())).sum()
    set_rate(optimiser, rate)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return {"loss": loss.detach(), **{name: value.detach() for name, value in terms.items()}}


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


class ContrastiveDetector(ABC, Generic[ContrastiveFields, ContrastiveNetwork]):
    """Base of CSI and CSI-GAN; a subclass says what its networks are, how a step trains them, and its score."""

    def __init__(self, params: ContrastiveFields, context: FitContext) -> None:
        self.params = params
        self.context = context
        self.history: dict[str, list[float]] = {}
        self.views = Views.from_params(params, context)
        self._network: ContrastiveNetwork | None = None
        self._bank: MemoryBank | None = None

    @abstractmethod
    def new_network(self, channels: int) -> ContrastiveNetwork:
        """The networks as a fit starts from them, on the CPU, for images of `channels`."""

    @abstractmethod
    def features_of(self, network: ContrastiveNetwork) -> FeatureNetwork:
        """The feature extractor among the networks."""

    @abstractmethod
    def training_steps(self, data: TrainData, passes: ShuffledEpochs) -> tuple[Optimisers, TrainStep]:
        """The optimisers of a fit, and what a step does with them."""

    @abstractmethod
    def score_of(self, bank: MemoryBank, features: ShiftFeatures) -> Tensor:
        """Anomaly scores (n,) float64."""

    @property
    def output(self) -> str:
        """Output of the feature extractor that is compared: "z" or "features"."""
        return "z"

    def fit(self, data: TrainData) -> None:
        """Train on the normals; raises what `TrainingLoop.run` does, and MethodError where there is no normal image."""
        passes = ShuffledEpochs(self.context, "batch", len(data.normal), self.params.batch_size, keep_rest=True)
        self._build(self.new_network(self.views.channels(data.normal)))
        optimisers, train_step = self.training_steps(data, passes)
        total = self.params.budget_epochs * passes.steps
        training = TrainingLoop(
            self.network, optimisers, train_step, steps=passes.steps, total=total, context=self.context
        )
        self.history = training.run()
        self._bank = MemoryBank(self._extractor().features(data.normal, self.params.features_batch))

    def score(self, images: Images, batch: int | None = None) -> npt.NDArray[np.float64]:
        """Scores (n,), `batch` images at a time in the given order; MethodError before `fit` or `load`."""
        size = self.params.evaluation_batch if batch is None else batch
        features = self._extractor().features(images, size)
        return self.score_of(self.bank, features).numpy()

    def state(self) -> dict[str, Tensor]:
        """The networks and the features of the training set."""
        return {**self.network.state_dict(), **self.bank.state()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over the `state` of another detector with the same parameters."""
        tensors = dict(state)
        self._bank = MemoryBank.taken_from(tensors)
        network = self.new_network(next(tensors[name].shape[1] for name in tensors if name.endswith(FIRST_LAYER)))
        network.load_state_dict(tensors)
        self._build(network)

    @property
    def network(self) -> ContrastiveNetwork:
        """The networks; raises MethodError before there are any."""
        if self._network is None:
            raise self._not_ready()
        return self._network

    @property
    def bank(self) -> MemoryBank:
        """The features of the training set; raises MethodError before there are any."""
        if self._bank is None:
            raise self._not_ready()
        return self._bank

    def _build(self, network: ContrastiveNetwork) -> None:
        self._network = placed(network, self.context.device)

    def _extractor(self) -> FeatureExtractor:
        return FeatureExtractor.from_params(self.features_of(self.network), self.views, self.params, self.output)

    def _not_ready(self) -> MethodError:
        return MethodError(f"{type(self).__name__} has nothing to score with yet: call fit or load first")
