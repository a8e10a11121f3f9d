"""AGAD: a generator that reconstructs normal images and must fail on its own copies and on true anomalies."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from methods.detector import FitContext, TrainData
from methods.detectors.agad.batch_norm import passing, without_auxiliary
from methods.detectors.agad.discriminator import Discriminator, DiscriminatorPlan
from methods.detectors.agad.generators import Generator, GeneratorPlan
from methods.detectors.agad.params import AGADParams
from methods.detectors.agad.preprocessing import View
from methods.detectors.agad.train_step import ANOMALY, NORMAL, AGADTraining, Networks
from methods.devices import accumulated, placed
from methods.errors import MethodError
from methods.nn.data.epochs import ShuffledEpochs
from methods.nn.data.loader import in_batches
from methods.nn.data.samplers import Indices, Stream
from methods.nn.params import Params, read_params
from methods.nn.picture_grid import ROW_IMAGES, png
from methods.nn.training.loop import TrainingLoop
from methods.nn.training.optimisers import new_adam
from methods.uploads import upload
from protocols.images.store import Images

GENERATOR, VIEW = "generator.", "view."


class AGAD:
    """Adversarial training of generator and discriminator; the score is the length of x - G(x).

    A fit leaves the grid `training.png`: training normals and their reconstructions, then those of labelled anomalies.
    A scoring leaves `scored.png`: the images with the lowest scores and their reconstructions, then those with the
    highest.
    """

    def __init__(self, params: Params, context: FitContext) -> None:
        self.params = read_params(AGADParams, params)
        self.context = context
        self.history: dict[str, list[float]] = {}
        self._generator: Generator | None = None
        self._view: View | None = None

    def fit(self, data: TrainData) -> None:
        """Train on normals and labelled anomalies.

        Raises what `TrainingLoop.run` does, and MethodError where the parameters do not go together or with the images.
        """
        if self.params.freeze_bn and not len(data.anomaly):
            raise MethodError("agad.freeze_bn has no effect without labelled anomalies: give a gamma above 0.00")
        feed = AGADFeed(data, self.params, self.context)
        view = View.of_training(self.params, data.normal).to(self.context.device)
        networks = Networks(self._new_generator(view, auxiliary=self.params.adv_prop), self._discriminator(view))
        placed(networks, self.context.device)
        optimisers = {
            "generator": agad_adam(networks.generator, self.params),
            "discriminator": agad_adam(networks.discriminator, self.params),
        }
        rounds = AGADTraining(networks, self.params, self.context, optimisers)
        training = TrainingLoop(
            networks,
            optimisers,
            lambda step: rounds.run(feed.batch(step, view), step),
            steps=feed.steps,
            total=self.params.budget_epochs * feed.steps,
            context=self.context,
        )
        self.history = training.run()
        self._view, self._generator = view, networks.generator
        groups = [data.normal, data.anomaly] if len(data.anomaly) else [data.normal]
        self._leave("training.png", [(group, np.arange(min(ROW_IMAGES, len(group)))) for group in groups])

    def score(self, images: Images, batch: int | None = None) -> npt.NDArray[np.float64]:
        """Scores (n,), `batch` images at a time in the given order; MethodError before `fit` or `load`."""
        scores = np.empty(len(images))
        size = self.params.evaluation_batch if batch is None else batch
        with torch.inference_mode():
            for span, pixels in in_batches(images, size):
                inputs = self.view(upload(pixels, self.context.device))
                scores[span] = reconstruction_distances(inputs, self._reconstructed(inputs)).cpu().numpy()
        if len(images) >= 2 * ROW_IMAGES:
            order = np.argsort(scores, kind="stable")
            self._leave("scored.png", [(images, order[:ROW_IMAGES]), (images, order[-ROW_IMAGES:])])
        return scores

    def state(self) -> dict[str, Tensor]:
        """The generator without its auxiliary batch norm, and how it sees images."""
        generator = without_auxiliary(self.generator.state_dict())
        return {
            **{f"{GENERATOR}{name}": value for name, value in generator.items()},
            **{f"{VIEW}{name}": value for name, value in self.view.state_dict().items()},
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over the `state` of another detector with the same parameters."""
        view = View.of_state(self.params, _below(state, VIEW))
        generator = self._new_generator(view, auxiliary=False)
        generator.load_state_dict(_below(state, GENERATOR))
        self._view = view.to(self.context.device)
        self._generator = placed(generator, self.context.device)

    @staticmethod
    def network_parameters(params: Params, side: int, channels: int) -> int:
        """Parameters of the generator for images of `side` pixels with so many channels; built without memory."""
        with torch.device("meta"):
            plan = generator_plan(read_params(AGADParams, params), View("", channels, side), auxiliary=False)
            generator = Generator(plan)
        return sum(parameter.numel() for parameter in generator.parameters())

    @property
    def generator(self) -> Generator:
        """G; raises MethodError before there is one."""
        if self._generator is None:
            raise self._not_ready()
        return self._generator

    @property
    def view(self) -> View:
        """The images as G sees them; raises MethodError before there is a G."""
        if self._view is None:
            raise self._not_ready()
        return self._view

    def _new_generator(self, view: View, *, auxiliary: bool) -> Generator:
        with self.context.seeded("generator"):
            return Generator(generator_plan(self.params, view, auxiliary=auxiliary))

    def _discriminator(self, view: View) -> Discriminator:
        with self.context.seeded("discriminator"):
            return Discriminator(discriminator_plan(self.params, view))

    def _reconstructed(self, images: Tensor) -> Tensor:
        """G(x) by running statistics, or by those of the batch under `eval_bn` (A20); in float32."""
        self.generator.eval()
        kind = "batch" if self.params.eval_bn == "batch" else "running"
        with passing(self.generator, kind=kind):
            reconstructions: Tensor = self.generator(images)
        return reconstructions

    @torch.inference_mode()
    def _leave(self, name: str, parts: list[tuple[Images, Indices]]) -> None:
        """Write a grid with two rows for each part: images and their reconstructions."""
        rows = []
        for images, index in parts:
            batch = self.view.taken(images, index, self.context.uploads)
            for row in (batch, self._reconstructed(batch)):
                unit = self.view.to_unit(row)
                rows.append(torch.cat([unit, unit.new_ones(ROW_IMAGES - len(unit), *unit.shape[1:])]))
        self.context.artefact(name, png(rows))

    def _not_ready(self) -> MethodError:
        return MethodError("AGAD has nothing to score with yet: call fit or load first")


class AGADFeed:
    """Batches of normals, and of labelled anomalies where there are any; each follows from its step alone (A26).

    Normals come in full passes without what is left at the end of each, anomalies in passes of their own, or with
    replacement where they are fewer than their places.
    """

    def __init__(self, data: TrainData, params: AGADParams, context: FitContext) -> None:
        self._data = data
        self._context = context
        size = params.batch_size
        self.n_anomaly = anomaly_places(params, len(data.normal), len(data.anomaly))
        n_normal = size if params.batch_composition == "on_top" else size - self.n_anomaly
        if n_normal < 1:
            raise MethodError(f"agad.batch.seen leaves no place for normals in a batch of {size}: lower it")
        self._normal = ShuffledEpochs(context, "batch.normal", len(data.normal), n_normal, keep_rest=False)
        self._anomaly = Stream(context, "batch.anomaly", len(data.anomaly))
        self.steps = self._normal.steps if params.budget_steps is None else params.budget_steps
        """Steps in an epoch."""

    def batch(self, step: int, view: View) -> dict[str, Tensor]:
        """The images of each kind (n, C, S, S) as the networks see them."""
        groups = {NORMAL: view.taken(self._data.normal, self._normal.take(step), self._context.uploads)}
        if self.n_anomaly:
            groups[ANOMALY] = view.taken(self._data.anomaly, self._anomalies(step), self._context.uploads)
        return groups

    def _anomalies(self, step: int) -> Indices:
        count, places = len(self._data.anomaly), self.n_anomaly
        if count >= places:
            return self._anomaly.take(step * places, places)
        generator = self._context.generator("batch.anomaly.again", step)
        return torch.randint(count, (places,), generator=generator).numpy()


def anomaly_places(params: AGADParams, n_normal: int, n_anomaly: int) -> int:
    """Labelled anomalies in a batch: their share of the training images, rounded half up, but at least `batch.seen`.

    On top of the normals it is `batch.seen`; none where there are no anomalies. At least one place is left to normals.
    """
    size, least = params.batch_size, params.batch_seen
    if not n_anomaly:
        return 0
    if params.batch_composition == "on_top":
        return least
    share = math.floor(size * n_anomaly / (n_normal + n_anomaly) + 0.5)
    return max(least, min(share, size - 1))


def generator_plan(params: AGADParams, view: View, *, auxiliary: bool) -> GeneratorPlan:
    """Raises MethodError where `generator` and its switches do not go together."""
    kind, style, output = params.generator, params.unet_style, params.network_output
    deep = params.unetpp_deep_supervision
    if style == "pix2pix" and kind != "unet":
        raise MethodError(f"agad.unet.style = pix2pix goes with agad.generator = unet, not {kind}")
    if deep and kind != "unetpp":
        raise MethodError(f"agad.unetpp.deep_supervision goes with agad.generator = unetpp, not {kind}")
    if output == "sigmoid" and params.images_scaling != "unit":
        raise MethodError("agad.network.output = sigmoid takes images in [0, 1]: --set agad.images.scaling=unit, too")
    pix2pix = style == "pix2pix"
    unet_width = params.unet_pix2pix_width if pix2pix else params.unet_width
    return GeneratorPlan(
        kind="unet_pix2pix" if pix2pix else kind,
        side=view.side,
        channels=view.channels,
        width=params.naive_width if kind == "naive" else unet_width,
        nz=params.naive_nz,
        bottleneck=params.naive_bottleneck,
        slope=params.network_slope,
        heads=4 if deep else 1,
        output=output,
        init=params.network_init,
        auxiliary=auxiliary,
    )


def discriminator_plan(params: AGADParams, view: View) -> DiscriminatorPlan:
    return DiscriminatorPlan(
        kind=params.discriminator_kind,
        side=view.side,
        channels=view.channels,
        width=params.discriminator_width,
        nz=params.naive_nz,
        slope=params.network_slope,
        init=params.network_init,
        auxiliary=params.adv_prop and params.adv_prop_discriminator,
    )


def agad_adam(network: torch.nn.Module, params: AGADParams) -> torch.optim.Adam:
    """Adam at a constant rate without weight decay."""
    betas = params.optim_beta1, params.optim_beta2
    return new_adam(network, lr=params.optim_lr, betas=betas)


def reconstruction_distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean norms (n,) float64 over all pixels and channels (paper 3.3, AGAD spec 7)."""
    return (accumulated(a) - accumulated(b)).flatten(1).square().sum(1).sqrt()


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
