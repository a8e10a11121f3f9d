"""DRA: disentangled representations of abnormality, four heads on one trunk (spec 2)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from methods.backbones.table import BACKBONES
from methods.detector import FitContext, TrainData
from methods.detectors.dra.references import ReferenceParams, References
from methods.devices import accumulated
from methods.errors import MethodError
from methods.nn.data.loader import Feed
from methods.nn.data.samplers import NORMAL, PSEUDO, SEEN, Indices
from methods.nn.data.transforms import join, normalise
from methods.nn.mapped_detector import MappedDetector
from methods.nn.networks.heads import CompositeHead, HolisticHead, TopK, TopKHead, head_positions
from methods.nn.networks.pyramid import PyramidTrunk
from methods.nn.neural_detector import Scorer
from methods.nn.params import Params, read_params
from methods.nn.supervised_params import PseudoParams
from methods.nn.training.losses import Criterion, FocalParams, ScoreLossParams
from methods.nn.training.supervised import LossTerms
from methods.uploads import upload

# In the order of the loss calls (spec 2.13): labels that a head learns from, those of them that are its target 1,
# and the sign of its score in the sum (spec 2.4, 2.7).
HEADS = {
    "n": ((NORMAL, SEEN, PSEUDO), (NORMAL,), -1),
    "s": ((NORMAL, SEEN), (SEEN,), 1),
    "p": ((NORMAL, PSEUDO), (PSEUDO,), 1),
    "r": ((NORMAL, SEEN, PSEUDO), (SEEN, PSEUDO), 1),
}
REFERENCE_IMAGES = "reference.images"
NO_REFERENCES = (
    "DRA draws reference images from the training set when it scores, and this one was loaded without it: call fit, or "
    "set reference.test_mode to fixed_after_training"
)
HeadScores = dict[str, Tensor]
LevelMaps = list[Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class DRAParams(PseudoParams):
    """The parameters `finetune.*` are there only in a fit that starts from another's state."""

    heads: tuple[str, ...]
    head_abs: bool
    g_n_abs: bool
    g_r_conv_block: bool
    topk_rate: float
    topk_rounding: str
    loss: ScoreLossParams
    focal: FocalParams
    finetune_reset_heads: bool = False
    finetune_freeze_g_s: bool = False
    reference: ReferenceParams


class DRANetwork(nn.Module):
    """Trunk and the heads g_n, g_s, g_p, g_r over the image pyramid; only those that `heads` names."""

    def __init__(self, params: DRAParams, context: FitContext) -> None:
        super().__init__()
        arch = params.backbone
        self.letters = [letter for letter in HEADS if letter in params.heads]
        self._run_trunk = PyramidTrunk(params.pyramid, arch, context.precision)
        self._joint = params.reference.joint_forward
        self._detach = params.reference.detach
        self.trunk = context.backbone(arch)
        for letter in self.letters:
            with context.seeded(f"head.{letter}"):
                self.add_module(f"g_{letter}", _head(letter, BACKBONES[arch].channels, params, context.precision))

    def forward(self, images: Tensor, n_references: int) -> HeadScores:
        """Normalised references, then the batch (N + B, 3, S, S) -> per head the level scores (levels, B)."""
        if n_references and not self._joint:
            references = self.maps(images[:n_references])
            return self.head_scores(self.maps(images[n_references:]), mean_maps(references))
        maps = self.maps(images)
        means = mean_maps([level[:n_references] for level in maps]) if n_references else None
        return self.head_scores([level[n_references:] for level in maps], means)

    def maps(self, images: Tensor) -> LevelMaps:
        return self._run_trunk(self.trunk, images)

    def head_scores(self, maps: LevelMaps, references: LevelMaps | None) -> HeadScores:
        """Level scores of all heads; residual = the references' mean map - the image's (spec 2.5)."""
        scores = {
            letter: torch.stack([self.head(letter)(level) for level in maps])
            for letter in self.letters
            if letter != "r"
        }
        if references is not None:
            scores["r"] = self.residual_scores(maps, references)
        return scores

    def residual_scores(self, maps: LevelMaps, references: LevelMaps) -> Tensor:
        means = [mean.detach() if self._detach else mean for mean in references]
        return torch.stack([self.head("r")(mean - level) for mean, level in zip(means, maps, strict=True)])

    def has(self, letter: str) -> bool:
        return letter in self.letters

    def head(self, letter: str) -> nn.Module:
        return self.get_submodule(f"g_{letter}")


def _head(letter: str, channels: int, params: DRAParams, precision: str) -> nn.Module:
    if letter == "n":
        return HolisticHead(channels, absolute=params.g_n_abs)
    pool = TopK(params.topk_rate, params.topk_rounding, params.head_abs)
    if letter == "r" and params.g_r_conv_block:
        return CompositeHead(channels, pool, precision)
    return TopKHead(channels, pool)


def mean_maps(maps: LevelMaps) -> LevelMaps:
    """M_r of each level: (N, C, h, w) -> (1, C, h, w)."""
    return [level.mean(0, keepdim=True) for level in maps]


def total_score(scores: HeadScores) -> Tensor:
    """Level scores per head -> (B,) float64: phi_s + phi_p + phi_r - phi_n of the heads at hand (2.7)."""
    terms = [HEADS[letter][2] * accumulated(levels).mean(0) for letter, levels in scores.items()]
    return torch.stack(terms).sum(0)


def head_losses(scores: HeadScores, labels: Indices, criterion: Criterion, step: int) -> dict[str, Tensor]:
    """The loss of each head on the mean of its level scores, over the images it learns from (spec 2.4)."""
    terms = {}
    for letter, (learns, positive, _) in HEADS.items():
        if letter in scores:
            places = torch.from_numpy(np.flatnonzero(np.isin(labels, learns)))
            targets = torch.from_numpy(np.isin(labels, positive))[places]
            chosen = scores[letter].mean(0)[upload(places, scores[letter].device)]
            terms[f"g_{letter}"] = criterion(chosen, targets, step, letter)
    return terms


class DRA(MappedDetector[DRAParams, DRANetwork]):
    """Heads for normality, seen, pseudo and latent residual anomalies, trained together (spec 2).

    With `reference.test_mode` redraw_per_batch each test batch is compared with reference images drawn from the
    training set, which `state` does not hold: a detector that was loaded rather than fitted can score only in the
    other modes, whose reference images are part of the state, or with the one set that `kept_state` adds.
    """

    def __init__(self, params: Params, context: FitContext) -> None:
        super().__init__(read_params(DRAParams, params), context)
        self._references: References | None = None
        self._kept: Tensor | None = None

    def new_network(self) -> DRANetwork:
        return DRANetwork(self.params, self.context)

    def fit(self, data: TrainData) -> None:
        """Train; from the state of a source fit as `finetune.reset_heads` and `finetune.freeze_g_s` say (D44)."""
        if data.init is not None and self.params.finetune_reset_heads:
            data = replace(data, init=self._with_new_heads(data.init))
        super().fit(data)

    def _with_new_heads(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        fresh = self.new_network().state_dict()
        return {**state, **{name: fresh[name] for name in fresh if not name.startswith("trunk.")}}

    def loss_terms(self, data: TrainData) -> LossTerms:
        params, context = self.params, self.context
        if data.init is not None and self.network.has("s"):
            self.network.head("s").requires_grad_(not params.finetune_freeze_g_s)
        criterion = Criterion(params.loss, params.focal, context)
        pseudo, quotas, rotation = params.pseudo(data), params.quotas, params.augment_rotation
        feed = Feed(data, pseudo, quotas, rotation, context, "batch")
        references = (
            References(data, pseudo, quotas, rotation, params.reference, context) if self.network.has("r") else None
        )
        self._references = references
        self._kept = None if references is None else references.kept_for_test()

        def terms(step: int) -> dict[str, Tensor]:
            images, labels = feed.batch(step)
            scores = self._scores(images, None if references is None else references.for_step(step))
            return head_losses(scores, labels, criterion, step)

        return terms

    def scorer(self) -> Scorer:
        """Raises MethodError, when called, where references have to be drawn and no training set is at hand."""
        network = self.network
        if self._kept is None:
            return lambda images, batch: total_score(self._scores(images, self._drawn(batch)))
        means_of_sets = self._means_of_sets(self._kept)

        def score(images: Tensor, _: int) -> Tensor:
            maps = network.maps(normalise(images))
            residual = torch.stack([network.residual_scores(maps, means) for means in means_of_sets]).mean(0)
            return total_score({**network.head_scores(maps, None), "r": residual})

        return score

    def position_scores(self, images: Tensor) -> list[Tensor]:
        """The sum of what g_s, g_p and g_r give each position; g_n sees the image as a whole.

        Raises MethodError where there is none of these heads.
        """
        network, references = self.network, self._kept_references()
        sets = [] if references is None else self._means_of_sets(references)
        local = [letter for letter in network.letters if letter in {"s", "p"}]
        if not local and not network.has("r"):
            raise MethodError(
                "the head g_n sees the image as a whole: a heat map needs g_s, g_p or g_r among dra.heads"
            )
        maps = network.maps(normalise(images))
        levels = [[head_positions(network.head(letter), level) for letter in local] for level in maps]
        for means in sets:
            for parts, mean, level in zip(levels, means, maps, strict=True):
                parts.append(head_positions(network.head("r"), mean - level) / len(sets))
        return [torch.stack(parts).sum(0) for parts in levels]

    def _means_of_sets(self, sets: Tensor) -> list[LevelMaps]:
        """M_r of each set of reference images (R, N, S, S, C)."""
        return [mean_maps(self.network.maps(normalise(each))) for each in sets.to(self.context.device)]

    def _kept_references(self) -> Tensor | None:
        """Sets of reference images that serve any image; None where no head compares with any."""
        if self._kept is not None or not self.network.has("r"):
            return self._kept
        if self._references is None:
            raise MethodError(NO_REFERENCES)
        return self._references.kept(0)[None]

    def kept_state(self) -> dict[str, Tensor]:
        """`state`; where each test batch draws its own references, with the set of reference.test_mode
        fixed_after_training, with which all images are compared then.
        """
        references = self._kept_references()
        return self.state() if references is None else {**self.state(), REFERENCE_IMAGES: references}

    def state(self) -> dict[str, Tensor]:
        """The network, and the reference images that a test needs, where they are kept."""
        state = super().state()
        return state if self._kept is None else {**state, REFERENCE_IMAGES: self._kept}

    def load(self, state: Mapping[str, Tensor]) -> None:
        super().load(state)
        self._references = None
        self._kept = state.get(REFERENCE_IMAGES)

    def build(self, state: Mapping[str, Tensor] | None = None) -> None:
        tensors = None if state is None else {name: state[name] for name in state if name != REFERENCE_IMAGES}
        super().build(tensors)

    def _scores(self, images: Tensor, references: Tensor | None) -> HeadScores:
        together = images if references is None else join(references, images)
        scores: HeadScores = self.network(normalise(together), len(together) - len(images))
        return scores

    def _drawn(self, batch: int) -> Tensor | None:
        if not self.network.has("r"):
            return None
        if self._references is None:
            raise MethodError(NO_REFERENCES)
        return self._references.for_test_batch(batch)
