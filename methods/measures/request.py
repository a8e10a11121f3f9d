"""Measures that a fit may take beside its scores. They change no score, so they are in no key and no deviation."""

from collections.abc import Collection, Mapping
from importlib.util import find_spec

import msgspec

from methods.backbones.find import WeightsFile
from methods.errors import MethodError
from protocols.values import ParamValue

PREFIX = "measure."
FID = "measure.fid"
TRUNK = "measure.fid_trunk"
INCEPTION = "fid_inception_v3"
"""The network that FID is defined on; the distance on any other has another name."""


class Measures(msgspec.Struct, frozen=True):
    """The parameters `measure.*` of a fit, and the weights of the networks that they ask for, by architecture."""

    params: dict[str, ParamValue] = {}
    weights: dict[str, WeightsFile] = {}


NONE = Measures()


def own(params: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
    """Those of a method's resolved parameters that ask for measures."""
    return {name: value for name, value in params.items() if name.startswith(PREFIX)}


def networks(params: Mapping[str, ParamValue]) -> tuple[str, ...]:
    """Architectures that the measures asked for need weights of."""
    return (str(params[TRUNK]),) if params.get(FID) else ()


def check_packages(params: Mapping[str, ParamValue]) -> None:
    """Raise MethodError where a measure is asked for whose packages are not installed."""
    needed = ["torchmetrics"] if params.get(FID) else []
    needed += ["torch_fidelity"] if INCEPTION in networks(params) else []
    missing = [name.replace("_", "-") for name in needed if find_spec(name) is None]
    if missing:
        raise MethodError(f"{FID} needs {' and '.join(missing)}: pip install 'swanbench[fid]'")


def fid_name(file: WeightsFile) -> str:
    """Name of a Frechet distance on this network: `fid` on Inception's published weights alone."""
    if file.arch == INCEPTION and file.label.startswith("genuine:"):
        return "fid"
    return f"frechet_{file.arch}" + ("_random" if file.path is None else "")


def lacking(params: Mapping[str, ParamValue], history: Collection[str]) -> bool:
    """True where a fit with this history took no measure although these parameters ask for one."""
    return bool(params.get(FID)) and not any(name == "fid" or name.startswith("frechet_") for name in history)
