"""Networks of the table, whole as their packages make them, classifiers included. Needs torch."""

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torchvision.models import get_model
from torchvision.models.vgg import VGG, cfgs, make_layers

from methods.backbones.table import Backbone
from methods.errors import MethodError


def new_network(backbone: Backbone) -> nn.Module:
    """The network with random weights, drawn from torch's global generator as its package draws them.

    Raises MethodError where the package is not installed.
    """
    network: nn.Module
    if backbone.lacking:
        raise MethodError(backbone.lacking)
    if backbone.id in OWN_CONSTRUCTORS:
        network = OWN_CONSTRUCTORS[backbone.id]()
    elif backbone.source == "timm":
        timm: Any = importlib.import_module("timm")
        network = timm.create_model(backbone.network, pretrained=False, num_classes=0, **backbone.options)
    else:
        network = get_model(backbone.network, weights=None, **backbone.options)
    return network


def _vgg16() -> VGG:
    """VGG-16 whose convolutions are drawn as if there were no classifier.

    torchvision draws the classifier first, and then the convolutions anew. On the meta device nothing is drawn.
    """
    layers = make_layers(cfgs["D"], batch_norm=False)
    with torch.device("meta"):
        network = VGG(layers, init_weights=False)
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type] # these convolutions have one
    return network


OWN_CONSTRUCTORS: dict[str, Callable[[], nn.Module]] = {"vgg16": _vgg16}
