"""VGG-16's convolutions, read after each of its pools; parameters carry torchvision's names."""

from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers


class VGG16Trunk(nn.Module):
    """VGG-16 without batch norm and classifier; random weights are drawn as torchvision draws them.

    (B, 3, S, S) -> the maps after pools 1 to 5, the k-th of them floor(S / 2^k) square, no value below 0
    (spec 7.1, 7.3).
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = make_layers(cfgs["D"], batch_norm=False)
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type] # these convolutions have one

    def forward(self, images: Tensor) -> list[Tensor]:
        return maps_after_pools(self.features, images)


def maps_after_pools(layers: nn.Sequential, images: Tensor) -> list[Tensor]:
    """Run `layers` one after another; the output of each max-pool, in order."""
    maps = []
    for layer in layers:
        images = layer(images)
        if isinstance(layer, nn.MaxPool2d):
            maps.append(images)
    return maps
