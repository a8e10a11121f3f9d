"""Parameters that several detectors share: those of trunk and pyramid, of batches, and of pseudo anomalies."""

from dataclasses import dataclass
from typing import Literal

from methods.detector import TrainData
from methods.nn.data.samplers import BatchComposition
from methods.nn.networks.pyramid import Pyramid
from methods.nn.pseudo_anomalies.cp_scar import CPScar
from methods.nn.pseudo_anomalies.cutmix import CutMix
from methods.nn.pseudo_anomalies.source import CPMix, Pseudo, pseudo_source
from methods.nn.training.supervised import TrainParams


@dataclass(frozen=True, slots=True, kw_only=True)
class PyramidParams(TrainParams):
    """Training of a trunk over the image pyramid; rotations in degrees."""

    backbone: str
    pyramid: Pyramid
    augment_rotation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchParams(PyramidParams):
    """Batches of normals and labelled anomalies."""

    batch_size: int
    batch_seen: int

    @property
    def quotas(self) -> BatchComposition:
        return BatchComposition(self.batch_size, self.batch_seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudoParams(BatchParams):
    """DRA's batches of normals, labelled and pseudo anomalies.

    CP-Scar and CP-Mix have parameters only where `pseudo.source` names them.
    """

    batch_pseudo_prob: float
    pseudo_resample_source: bool
    pseudo_source: str = "cutmix"
    cutmix: CutMix
    cp_scar: CPScar
    cp_mix_mode: Literal["coin", "sequential"] = "coin"

    @property
    def quotas(self) -> BatchComposition:
        return BatchComposition(self.batch_size, self.batch_seen, self.batch_pseudo_prob, self.pseudo_resample_source)

    def pseudo(self, data: TrainData) -> Pseudo:
        """The pseudo anomalies of a fit; raises MethodError where the run was given no pool of that name."""
        mix = CPMix(self.cp_mix_mode, self.cutmix, self.cp_scar)
        return pseudo_source(data, self.pseudo_source, {"cutmix": self.cutmix, "cp_scar": self.cp_scar, "cp_mix": mix})
