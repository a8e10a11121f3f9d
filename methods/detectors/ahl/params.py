"""The hyper-parameters of AHL, as its recipes name them (spec ahl 7)."""

from dataclasses import dataclass
from typing import Literal

from methods.nn.networks.heads import TopK
from methods.nn.networks.pyramid import Pyramid
from methods.nn.pseudo_anomalies.cutmix import CutMix
from methods.nn.training.losses import FocalParams, ScoreLossParams


@dataclass(frozen=True, slots=True)
class FeatureParams:
    """Making of the stored maps: transform of normals and seen anomalies, batch norm of pseudo anomalies (H4, H16)."""

    transform: Literal["test", "train"]
    bn: Literal["eval", "single_image"]


@dataclass(frozen=True, slots=True)
class ClusterParams:
    """Clusters of the training normals (spec ahl 2.3; H5, H6, F3)."""

    count: int
    assign: Literal["kmeans", "prefix", "random"]
    features: Literal["map", "pooled"]
    restarts: int


@dataclass(frozen=True, slots=True)
class TaskParams:
    """Composition of support and query sets (spec ahl 2.4; H7, H8)."""

    all_normals: bool
    seen: Literal["independent", "disjoint", "shared_support"]


@dataclass(frozen=True, slots=True)
class TaskPseudoParams:
    """Pseudo anomalies of the tasks (spec ahl 2.5; H9, H10, H12); `rotation` in degrees."""

    share: float
    kinds: str | None
    pairing: Literal["same", "different"]
    rotation: float

    @property
    def chosen(self) -> tuple[str, ...]:
        return () if self.kinds is None else tuple(self.kinds.split(","))


@dataclass(frozen=True, slots=True)
class DraemParams:
    """Texture and colours of a DRAEM image, and the fate of an empty mask (H13 to H15)."""

    texture: str
    normalise: bool
    empty: Literal["keep", "redraw"]


@dataclass(frozen=True, slots=True)
class CutMixOtherParams:
    """Pixels that the patch of another image is cut from: its own, or those at the fit's size (H11, F16)."""

    crop: Literal["native", "resized"]


@dataclass(frozen=True, slots=True)
class TopKParams:
    rate: float
    rounding: str

    @property
    def pool(self) -> TopK:
        return TopK(self.rate, self.rounding)


@dataclass(frozen=True, slots=True)
class DeviationParams:
    """The deviation loss: margin, and how often its normal reference is drawn (spec 2.3)."""

    margin: float
    reference: Literal["redraw", "fixed_once", "exact"]

    @property
    def score_loss(self) -> ScoreLossParams:
        return ScoreLossParams("deviation", self.reference, self.margin)

    @property
    def unused_focal(self) -> FocalParams:
        return FocalParams(1.0, 0.0)


@dataclass(frozen=True, slots=True)
class RelearnedHeadParams:
    """The heads of AHL; a base with one head has neither a residual nor a normality head (spec ahl 3.1)."""

    init: Literal["kaiming_zero_bias", "torch_default", "base"]
    residual: Literal["released_dead", "released_live", "dra", "none"] = "none"
    n_abs: bool = True


@dataclass(frozen=True, slots=True)
class MeanMapParams:
    """References of the residual head (spec ahl 3.1; H17, F10); without effect where no head learns from them."""

    size: int = 5
    levels: Literal["same", "split"] = "same"
    mode: Literal["fixed", "redraw"] = "fixed"


@dataclass(frozen=True, slots=True)
class InnerParams:
    """Adaptation of a base model to its support set (spec ahl 4; H20, H21, F7)."""

    optimiser: Literal["sgd", "adam"]
    lr: float
    passes: int
    first_pass: Literal["last_batch", "chain"]
    order: Literal["first", "second_first_step", "second_all"] = "first"

    @property
    def is_chained(self) -> bool:
        """False where each batch of the first pass starts at the unified parameters again (F7)."""
        return self.first_pass != "last_batch"  # noqa: S105 - a pass over batches


@dataclass(frozen=True, slots=True)
class OuterParams:
    """Update of the unified model (spec ahl 4; F8)."""

    lr: float
    weight_decay: float
    clip_norm: float | None
    schedule: Literal["step10", "constant"]
    when: Literal["next_epoch_start", "epoch_end"]

    def rate(self, epoch: int) -> float:
        """The rate of a step that is made in `epoch`, counted from 0."""
        return self.lr * (0.1 ** (epoch // 10) if self.schedule == "step10" else 1.0)


@dataclass(frozen=True, slots=True)
class ImportanceParams:
    """The importance estimator and the weights that follow from it (spec ahl 5; H22 to H27, F11)."""

    kind: Literal["lstm", "none"]
    length: int = 5
    start: int = 5
    hidden: int | None = None
    lr: float = 2e-3
    weight_decay: float = 1e-3
    dropout: float = 0.5
    state: Literal["uniform", "zero"] = "zero"
    mode: Literal["train", "eval"] = "eval"
    predict: Literal["before_training", "after_training"] = "after_training"
    data: Literal["query_sets", "training_set"] = "training_set"
    reduction: Literal["double", "eq6"] = "eq6"
    floor: float = 0.0
    target: Literal["label", "margin"] = "label"


@dataclass(frozen=True, slots=True, kw_only=True)
class AHLParams:
    """All parameters of a fit of AHL; those of the base fit are the base's own."""

    backbone: str
    pyramid: Pyramid
    features: FeatureParams
    clusters: ClusterParams
    tasks: TaskParams
    pseudo: TaskPseudoParams
    cutmix: CutMix
    cutmix_other: CutMixOtherParams
    draem: DraemParams
    head: RelearnedHeadParams
    topk: TopKParams
    loss: DeviationParams
    devnet_loss: Literal["two_terms", "plain"] = "plain"
    reference: MeanMapParams
    batch_size: int
    budget_epochs: int
    budget_steps: int
    inner: InnerParams
    outer: OuterParams
    importance: ImportanceParams
    evaluation_batch: int = 48
