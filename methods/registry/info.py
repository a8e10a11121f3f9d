"""Facts of a method that the harness knows without importing its Python file."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from importlib.util import find_spec
from typing import Annotated

import msgspec
from msgspec import Meta

from methods.backbones.table import BACKBONES
from methods.errors import MethodError
from methods.registry.params import Param, shown
from protocols.text import near_miss
from protocols.values import ParamValue

Id = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]*\Z")]
ParamBlock = dict[str, ParamValue]


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """Abilities of a detector.

    The rules it fits, whether it learns from labelled anomalies, whether an image's score is the same in any
    batch, and the backbones it needs as its recipe stands. `dependent_where` names values of parameters with which it
    is not the same after all, `native_images_where` those with which a fit is given the training normals at their own
    sizes too. `precision` says whether it computes in the precision of the run; without it, those with
    backbones do.
    """

    rules: tuple[Id, ...]
    anomalies: bool
    independent_scores: bool
    backbones: tuple[Id, ...] = ()
    dependent_where: dict[str, tuple[str, ...]] = {}
    native_images_where: dict[str, tuple[str, ...]] = {}
    precision: bool | None = None
    scored_between_epochs: bool = False


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """The method whose fit, on the same split and seed, a detector starts from.

    `recipe` names the parameter that says by which recipe, `shared` those that the base is given as they are.
    """

    method: Id
    recipe: str
    shared: tuple[str, ...] = ()


class RecipeBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Additions of one recipe: split options, and parameters of single datasets."""

    split: ParamBlock = {}
    dataset: dict[str, ParamBlock] = {}


class MethodInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A method as its TOML file describes it: a detector, or a variant of one.

    `detector` is `module:Class`, `detector_id` the id that keys hold (a variant's is that of its detector),
    `pool_values` the values of a parameter that name an external pool, `packages` what must be installed beside
    swanbench: name of the import -> what pip installs it by, `history` the numbers that a fit leaves: name or pattern
    (`bag*`) -> what it is, `origin` the file. `base` is set where a fit starts from that of another method.
    """

    id: str
    title: str
    summary: str
    citation: str
    detector: str
    detector_id: str
    version: int
    assumed: bool
    capabilities: Capabilities
    params: dict[str, Param]
    pool_values: dict[str, tuple[str, ...]]
    datasets: dict[str, ParamBlock]
    recipes: dict[str, RecipeBlock]
    origin: str
    packages: dict[str, str] = {}
    history: dict[str, str] = {}
    variant_of: str | None = None
    overrides: ParamBlock = {}
    base: Base | None = None

    @property
    def module(self) -> str:
        """Path of the Python module that holds the detector."""
        return self.detector.partition(":")[0]

    @property
    def package(self) -> str:
        """The top-level package of the detector's module."""
        return self.module.partition(".")[0]

    @property
    def is_plug_in(self) -> bool:
        """True where another package brings the detector: no golden scores of ours guard its numbers."""
        return self.package != "methods"

    @property
    def rules(self) -> tuple[str, ...]:
        return self.capabilities.rules

    @property
    def anomalies(self) -> bool:
        return self.capabilities.anomalies

    @property
    def independent_scores(self) -> bool:
        return self.capabilities.independent_scores

    @property
    def takes_precision(self) -> bool:
        """True where it computes in the precision of the run; others are given fp32, so that keys hold that."""
        stated = self.capabilities.precision
        return bool(self.capabilities.backbones) if stated is None else stated

    def scores_independently(self, params: Mapping[str, ParamValue]) -> bool:
        """True where, with these resolved parameters, an image's score is the same in any batch."""
        dependent = self.capabilities.dependent_where
        return self.independent_scores and not _is_any(params, dependent)

    def takes_native_images(self, params: Mapping[str, ParamValue]) -> bool:
        """True where, with these resolved parameters, a fit is given the training normals at their own sizes too."""
        return _is_any(params, self.capabilities.native_images_where)

    def history_meaning(self, name: str) -> str | None:
        """The recipe's words on a number of a fit's history; None where it has none."""
        exact = self.history.get(name)
        patterns = (text for pattern, text in self.history.items() if fnmatchcase(name, pattern))
        return exact or next(patterns, None)

    def lacking(self, params: Mapping[str, ParamValue] | None = None) -> str | None:
        """The sentence that names a package which the method needs and which is not installed; imports nothing.

        With resolved parameters also one that their backbones need.
        """
        for package, requirement in self.packages.items():
            if find_spec(package) is None:
                return f"{self.id} needs the package {package}: pip install '{requirement}'"
        archs = () if params is None else self.backbones(params)
        return next((lacking for arch in archs if arch in BACKBONES and (lacking := BACKBONES[arch].lacking)), None)

    def pools(self, params: Mapping[str, ParamValue]) -> tuple[str, ...]:
        """Ids of the external pools that these resolved parameters ask for, sorted."""
        return tuple(sorted({str(params[name]) for name, ids in self.pool_values.items() if params[name] in ids}))

    def backbones(self, params: Mapping[str, ParamValue]) -> tuple[str, ...]:
        """Architectures whose weights these resolved parameters need.

        The parameter `backbone`, whose value none needs none; all where there is no such parameter.
        """
        if "backbone" not in params:
            return self.capabilities.backbones
        chosen = params["backbone"]
        return () if chosen is None else (str(chosen),)

    def split(self, recipe: str) -> dict[str, ParamValue]:
        """Split options that the recipe sets."""
        return dict(self.recipes[recipe].split) if recipe in self.recipes else {}

    def check(self, name: str, value: object) -> ParamValue:
        """The value in its canonical form.

        Raises:
            MethodError: there is no such parameter, or the value is none that it may have, or one that is refused.
        """
        if name not in self.params:
            otherwise = f"see bench methods show {self.id}"
            raise MethodError(f"{self.id} has no parameter '{name}': {near_miss(name, self.params, otherwise)}")
        param = self.params[name]
        try:
            accepted = param.accept(value)
        except ValueError as error:
            raise MethodError(self._refusal(name, str(error), value)) from None
        if accepted in param.refused:
            raise MethodError(f"{self.id}.{name} = {accepted} {param.refused[str(accepted)]}")
        return accepted

    def leaks(self, params: Mapping[str, ParamValue]) -> tuple[str, ...]:
        """Ways of test labels into the scores by these resolved parameters, one text a parameter; mostly none."""
        return tuple(
            f"{self.detector_id}.{name} = {shown(params[name])} {param.leaking[str(params[name])]}"
            for name, param in self.params.items()
            if params.get(name) in param.leaking
        )

    def without_effect(self, params: Mapping[str, ParamValue]) -> dict[str, str]:
        """Parameters that say nothing at these values, with the reason: `where pseudo.source = cutmix`."""
        return {
            name: f"where {switch} = {shown(params[switch])}"
            for name, param in self.params.items()
            for switch, values in param.only_where.items()
            if params[switch] not in values
        }

    def check_alone(self, params: Mapping[str, ParamValue]) -> None:
        """Raise MethodError where a switch is on that a fit without labelled anomalies cannot have."""
        for name, param in self.params.items():
            if param.needs_anomalies and params.get(name):
                raise MethodError(
                    f"{self.detector_id}.{name} has no effect without labelled anomalies: give a gamma above 0.00"
                )

    def check_together(self, params: Mapping[str, ParamValue]) -> None:
        """Raise MethodError where a parameter exceeds the one that bounds it."""
        for name, param in self.params.items():
            bound = params[param.at_most] if param.at_most else None
            value = params[name]
            if isinstance(value, int | float) and isinstance(bound, int | float) and value > bound:
                text = f"at most '{param.at_most}', which is {shown(bound)}"
                raise MethodError(self._refusal(name, text, value))

    def _refusal(self, name: str, expected: str, value: object) -> str:
        must = f"the '{name}' parameter of {self.id} must be {expected}"
        return f"{must}. Got {shown(value)} instead: bench methods show {self.id}"


def _is_any(params: Mapping[str, ParamValue], values: Mapping[str, tuple[str, ...]]) -> bool:
    """True where a parameter has one of the values named for it; one without effect has none."""
    return any(params.get(name) in named for name, named in values.items())
