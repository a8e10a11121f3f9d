"""Trunks: networks of the table up to the maps that are read, without their classifier."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torchvision.models.feature_extraction import create_feature_extractor

from methods.backbones.find import RANDOM, WeightsFile, read
from methods.backbones.networks import new_network
from methods.backbones.table import BACKBONES
from methods.errors import MethodError
from protocols.text import near_miss


class TimmTrunk(nn.Module):
    """A network of timm, cut behind the deepest of `nodes`, modules of its `feature_info`; what follows is left out.

    (B, 3, S, S) -> the list of the maps (B, C, h, w) at the nodes, or the only one where `alone`. A vision
    transformer's are those of its patches, after its last layer norm.
    """

    def __init__(self, network: Any, nodes: Sequence[str], *, alone: bool) -> None:
        super().__init__()
        modules = [feature["module"] for feature in network.feature_info]
        indices = [modules.index(node) for node in nodes]
        self._indices = sorted(indices)
        self._order = [self._indices.index(index) for index in indices]
        self._alone = alone
        network.prune_intermediate_layers(self._indices, prune_norm=False, prune_head=True)
        self.network = network

    def forward(self, images: Tensor) -> Tensor | list[Tensor]:
        maps: list[Tensor] = self.network.forward_intermediates(
            images, indices=self._indices, norm=True, output_fmt="NCHW", intermediates_only=True
        )
        return maps[0] if self._alone else [maps[position] for position in self._order]


def build_trunk(arch: str, weights: WeightsFile, nodes: Sequence[str] = ()) -> nn.Module:
    """The trunk of `arch` with the values of `weights`, or its package's own initialisation where these are random.

    It gives the deepest map (B, C, h, w) of images (B, 3, S, S), or with `nodes` the list of the maps there. A
    network of torchvision keeps its names of parameters. Initialisation draws from torch's global generator. Raises
    MethodError for an unknown architecture or node, a package that is not installed, and a file that does not hold the
    trunk.
    """
    trunk_ids = [row.id for row in BACKBONES.values() if not row.is_measure]
    if arch not in trunk_ids:
        raise MethodError(f"no trunk named '{arch}': {near_miss(arch, trunk_ids, 'known are ' + ', '.join(trunk_ids))}")
    row = BACKBONES[arch]
    for node in nodes:
        if node not in row.taps:
            text = near_miss(node, row.taps, "they are " + ", ".join(row.taps))
            raise MethodError(f"{arch} is not read at '{node}': {text}")
    network = new_network(row)
    if weights.digest != RANDOM:
        network.load_state_dict(read(weights), strict=False)  # which has looked that only the classifier is missing
    read_at = list(nodes) or [row.deepest]
    if row.source == "timm":
        return TimmTrunk(network, read_at, alone=not nodes)
    return _extractor(network, read_at, alone=not nodes)


def _extractor(network: nn.Module, nodes: list[str], *, alone: bool) -> nn.Module:
    """Torchvision's feature extractor with the maps for its result, in place of a dictionary of them."""
    extractor: Any = create_feature_extractor(network, nodes)
    for graph in (extractor.train_graph, extractor.eval_graph):
        output = next(node for node in graph.nodes if node.op == "output")
        maps = [output.args[0][node] for node in nodes]
        output.args = (maps[0] if alone else maps,)
    extractor.recompile()
    trunk: nn.Module = extractor
    return trunk
