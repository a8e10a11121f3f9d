"""Convolutional trunks without their classifier; parameters carry torchvision's names."""

from collections.abc import Callable

from torch import Tensor, nn
from torchvision.models.resnet import ResNet, resnet18

from methods.backbones.find import RANDOM, WeightsFile, read
from methods.backbones.vgg import VGG16Trunk
from methods.errors import MethodError
from protocols.text import near_miss


class ResNetTrunk(nn.Module):
    """A ResNet up to the last ReLU of layer4.

    (B, 3, S, S) -> (B, channels, ceil(S / 32), ceil(S / 32)), no value below 0 (spec 1.1).
    """

    def __init__(self, network: ResNet) -> None:
        super().__init__()
        self.conv1 = network.conv1
        self.bn1 = network.bn1
        self.relu = network.relu
        self.maxpool = network.maxpool
        self.layer1 = network.layer1
        self.layer2 = network.layer2
        self.layer3 = network.layer3
        self.layer4 = network.layer4

    def forward(self, images: Tensor) -> Tensor:
        stem = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(stem))))
        return maps


TRUNKS: dict[str, Callable[[], nn.Module]] = {"resnet18": lambda: ResNetTrunk(resnet18()), "vgg16": VGG16Trunk}
CHANNELS = {"resnet18": 512}


def build(arch: str, weights: WeightsFile) -> nn.Module:
    """The trunk of `arch` with the values of `weights`, or torchvision's own initialisation where these are random.

    Initialisation draws from torch's global generator. Raises MethodError for an unknown architecture and for a
    file that does not hold its trunk.
    """
    if arch not in TRUNKS:
        raise MethodError(f"no trunk named '{arch}': {near_miss(arch, TRUNKS, 'known are ' + ', '.join(TRUNKS))}")
    trunk = TRUNKS[arch]()
    if weights.digest != RANDOM:
        trunk.load_state_dict(read(weights))
    return trunk
