"""The recipe index: what planning, keys and lists need to know of a method, read from its TOML file alone."""

import tomllib
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from methods.backbones.table import fitting_backbones
from methods.errors import MethodError
from methods.registry.info import Base, Capabilities, Id, MethodInfo, ParamBlock, RecipeBlock
from methods.registry.params import PER_DATASET, RECIPES, Param, assignment
from protocols.text import near_miss
from protocols.values import ParamValue

__all__ = [
    "EVALUATION",
    "PER_DATASET",
    "RECIPES",
    "MethodInfo",
    "Param",
    "ParamValue",
    "Resolved",
    "parse",
    "parse_assignment",
    "resolve",
]

EVALUATION: Mapping[str, ParamValue] = {"evaluation.order": "ranked", "evaluation.batch": 64}
"""Parameters that say how a fit is scored, with what holds where a recipe is silent; no part of what `fit` is given."""

_RECIPES = "it is official, paper or quick"
_Name = Annotated[str, Meta(min_length=1)]
_Target = Annotated[str, Meta(pattern=r"\A[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z")]
_Version = Annotated[int, Meta(ge=1)]
_Package = Annotated[str, Meta(pattern=r"\A[A-Za-z_]\w*\Z")]  # no dotted name: to find one imports its parent
_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class Resolved(msgspec.Struct, frozen=True):
    """The value of every parameter that has an effect, and what overrides changed: name -> (value before, value)."""

    params: dict[str, ParamValue]
    changed: dict[str, tuple[ParamValue, ParamValue]]


def resolve(info: MethodInfo, recipe: str, dataset: str, overrides: Mapping[str, object]) -> Resolved:
    """Parameters of a method: recipe, its dataset blocks, variant, then overrides (design section 2).

    A prepared variant of a dataset (`brain_mri@released_loader`) takes the blocks of the dataset.

    Raises:
        MethodError: unknown recipe or parameter, a value that it may not have, or an override without effect.
    """
    if recipe not in RECIPES:
        raise MethodError(f"unknown recipe '{recipe}': {near_miss(recipe, RECIPES, _RECIPES)}")
    base = dataset.partition("@")[0]
    params = {name: param.value(recipe) for name, param in info.params.items()}
    params |= info.datasets.get(base, {})
    params |= info.recipes[recipe].dataset.get(base, {}) if recipe in info.recipes else {}
    params |= info.overrides
    chosen = {name: info.check(name, value) for name, value in overrides.items()}
    changed = {name: (params[name], value) for name, value in chosen.items() if value != params[name]}
    params |= chosen
    info.check_together(params)
    idle = info.without_effect(params)
    for name in chosen:
        if name in idle:
            raise MethodError(f"{info.id}.{name} has no effect {idle[name]}: leave it out, or change that too")
    return Resolved({name: value for name, value in params.items() if name not in idle}, changed)


def parse_assignment(text: str) -> tuple[str, str, ParamValue]:
    """Method, parameter and value of `METHOD.PARAM=VALUE`; the value is TOML, or a bare word for a text.

    Raises:
        MethodError: the text has another form.
    """
    try:
        target, value = assignment(text)
    except ValueError as error:
        raise MethodError(f"--set takes METHOD.PARAM=VALUE {error}. Got '{text}' instead") from None
    method, dot, name = target.partition(".")
    if not (dot and method and name):
        raise MethodError(f"--set takes METHOD.PARAM=VALUE, such as dra.optim.lr=1e-3. Got '{text}' instead")
    return method, name, value


class _DetectorFile(msgspec.Struct, kw_only=True):
    id: Id
    title: _Name
    detector: _Target
    version: _Version
    capabilities: dict[str, Any]
    params: dict[str, dict[str, Any]] = {}
    summary: str = ""
    citation: str = ""
    assumed: bool = False
    packages: dict[_Package, _Name] = {}
    history: dict[_Name, _Name] = {}
    pools: dict[str, tuple[str, ...]] = {}
    dataset: dict[str, ParamBlock] = {}
    recipe: dict[str, dict[str, Any]] = {}
    base: dict[str, Any] | None = None


class _VariantFile(msgspec.Struct, kw_only=True):
    id: Id
    title: _Name
    variant_of: Id
    overrides: ParamBlock
    summary: str = ""
    citation: str = ""
    assumed: bool = False


def document(text: str, origin: str) -> dict[str, Any]:
    """The tables of a recipe file; a variant's has the key `variant_of`."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise MethodError(f"{origin} is not TOML: {error}") from None


def parse(text: str, origin: str, detectors: Mapping[str, MethodInfo] | None = None) -> MethodInfo:
    """A method from the text of its recipe file; `origin` names the file in messages.

    `detectors` holds the methods that the file may be a variant of.

    Raises:
        MethodError: not TOML, an unknown or missing key, a wrong type, or a value that its own parameter
            does not allow; the text names file and table.
    """
    tables = document(text, origin)
    if "variant_of" in tables:
        return variant(tables, origin, detectors or {})
    return detector(tables, origin)


def detector(tables: Mapping[str, Any], origin: str) -> MethodInfo:
    """The detector that a recipe file describes; see `parse`."""
    file = _convert(tables, _DetectorFile, origin)
    info = MethodInfo(
        id=file.id,
        title=file.title,
        summary=file.summary,
        citation=file.citation,
        detector=file.detector,
        detector_id=file.id,
        version=file.version,
        assumed=file.assumed,
        capabilities=_convert(file.capabilities, Capabilities, f"{origin}, [capabilities]"),
        params={n: _param(t, f'{origin}, [params."{n}"]') for n, t in file.params.items()},
        pool_values=file.pools,
        datasets=file.dataset,
        recipes={n: _convert(t, RecipeBlock, f"{origin}, [recipe.{n}]") for n, t in file.recipe.items()},
        packages=file.packages,
        history=file.history,
        origin=origin,
        base=None if file.base is None else _convert(file.base, Base, f"{origin}, [base]"),
    )
    _check_references(info)
    recipes = {}
    for recipe, block in info.recipes.items():
        checked = _blocks(info, block.dataset, f"recipe.{recipe}.dataset")
        recipes[recipe] = msgspec.structs.replace(block, dataset=checked)
    return msgspec.structs.replace(info, datasets=_blocks(info, info.datasets, "dataset"), recipes=recipes)


def variant(tables: Mapping[str, Any], origin: str, detectors: Mapping[str, MethodInfo]) -> MethodInfo:
    """The variant that a recipe file describes: its detector with other parameters; see `parse`."""
    file = _convert(tables, _VariantFile, origin)
    base = detectors.get(file.variant_of)
    if base is None or base.variant_of is not None:
        detector_ids = [name for name, info in detectors.items() if info.variant_of is None]
        text = near_miss(file.variant_of, detector_ids, "name the id of a detector")
        raise MethodError(f"{origin}: variant_of = '{file.variant_of}' is no detector: {text}")
    info = msgspec.structs.replace(
        base,
        id=file.id,
        title=file.title,
        summary=file.summary or base.summary,
        citation=file.citation or base.citation,
        assumed=file.assumed or base.assumed,
        origin=origin,
        variant_of=base.id,
    )
    return msgspec.structs.replace(info, overrides=_block(info, file.overrides, "[overrides]"))


def _param(table: Mapping[str, Any], location: str) -> Param:
    """A parameter; one of type `backbone` is a text that names a network which can be read at all of its `nodes`."""
    if table.get("type") != "backbone":
        return _convert(table, Param, location)
    rest = {key: value for key, value in table.items() if key not in {"type", "nodes"}}
    try:
        choices = fitting_backbones(msgspec.convert(table.get("nodes", ()), tuple[str, ...]))
    except msgspec.ValidationError as error:
        raise MethodError(f"{location} nodes: {error}") from None
    if not choices:
        raise MethodError(f"{location} nodes: no network is read at all of these: name nodes that one has")
    return _convert({**rest, "type": "str", "choices": choices}, Param, location)


def _convert(table: Mapping[str, Any], kind: type[_Struct], location: str) -> _Struct:
    fields = kind.__struct_fields__
    for key in table:
        if key not in fields:
            text = near_miss(key, fields, "keys are " + ", ".join(fields))
            raise MethodError(f"{location}: unknown key '{key}': {text}")
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise MethodError(f"{location}: {error}") from None


def _blocks(info: MethodInfo, blocks: Mapping[str, ParamBlock], location: str) -> dict[str, ParamBlock]:
    return {dataset: _block(info, block, f"[{location}.{dataset}]") for dataset, block in blocks.items()}


def _block(info: MethodInfo, block: ParamBlock, location: str) -> ParamBlock:
    try:
        return {name: info.check(name, value) for name, value in block.items()}
    except MethodError as error:
        raise MethodError(f"{info.origin}, {location}: {error}") from None


def _check_references(info: MethodInfo) -> None:
    """Raise MethodError where the file names a parameter, value or recipe that it does not have."""
    for name in info.params:
        _check_param(info, name)
    _check_capabilities(info)
    for name, ids in info.pool_values.items():
        choices = info.params[name].choices if name in info.params else ()
        unknown = [value for value in ids if value not in choices]
        if unknown or not choices:
            text = "each value must be among the choices of the parameter"
            raise MethodError(f'{info.origin}, [pools] "{name}": {text}')
    for recipe in info.recipes:
        if recipe not in RECIPES:
            text = near_miss(recipe, RECIPES, _RECIPES)
            raise MethodError(f"{info.origin}, [recipe.{recipe}]: {text}")


def _check_capabilities(info: MethodInfo) -> None:
    """Raise MethodError where capabilities or base name a parameter, or a value, that is not there."""
    for field in ("dependent_where", "native_images_where"):
        for name, values in getattr(info.capabilities, field).items():
            if name not in info.params or not set(values) <= set(info.params[name].choices):
                text = "name a parameter, and values among its choices"
                raise MethodError(f"{info.origin}, [capabilities] {field} '{name}': {text}")
    for name in (info.base.recipe, *info.base.shared) if info.base else ():
        if name not in info.params:
            raise MethodError(f"{info.origin}, [base] '{name}': {near_miss(name, info.params, 'name a parameter')}")


def _check_param(info: MethodInfo, name: str) -> None:
    """Raise MethodError where a parameter names another one, or a value, that is not there."""
    param, location = info.params[name], f'{info.origin}, [params."{name}"]'
    if param.at_most is not None and param.at_most not in info.params:
        text = near_miss(param.at_most, info.params, "name a parameter")
        raise MethodError(f"{location}: at_most = '{param.at_most}': {text}")
    if not {*param.refused, *param.leaking} <= {*param.choices}:
        raise MethodError(f"{location} refused and leaking: name values among its choices")
    for switch, values in param.only_where.items():
        choices = info.params[switch].choices or (True, False) if switch in info.params else ()
        if not values or not {*values} <= {*choices}:
            raise MethodError(f"{location} only_where '{switch}': name a parameter, and values among its choices")
