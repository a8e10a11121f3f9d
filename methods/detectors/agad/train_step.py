"""One iteration of AGAD's Algorithm 1: forward passes of both kinds of images, then a step of G and one of D."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from methods.detector import FitContext
from methods.detectors.agad.batch_norm import initialise, passing
from methods.detectors.agad.discriminator import Discriminator, DiscriminatorOutput
from methods.detectors.agad.generators import Generator
from methods.detectors.agad.losses import AGADLosses, GroupOutputs, total
from methods.detectors.agad.params import AGADParams
from methods.nn.precision import autocast
from methods.nn.training.loop import Optimisers

NORMAL, ANOMALY = "normal", "anomaly"
Groups = Mapping[str, Tensor]
"""Images (n, C, S, S) of one or both kinds."""
GroupNetwork = Callable[[Tensor], tuple[Tensor, ...]]


class Networks(nn.Module):
    """G and D."""

    def __init__(self, generator: Generator, discriminator: Discriminator) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator


@dataclass(frozen=True)
class Streams:
    """Ways of anomalies and copies through batch norm (AGAD spec 6).

    joint: anomalies share batches with normals (A31). frozen: the kind of `batch_norm.NORMALISERS` that their passes
    are of under `freeze_bn`, else None.
    """

    joint: bool
    frozen: str | None

    @classmethod
    def from_params(cls, params: AGADParams) -> Self:
        frozen = params.freeze_bn_mode if params.freeze_bn else None
        return cls(joint=params.batch_norm_anomalies == "joint", frozen=frozen)


class AGADForward:
    """G(x), G(G(x)), D(x) and D(G(x)) of normals and anomalies.

    The order of the passes is normals (with anomalies), their copies, then anomalies where these are frozen.
    """

    def __init__(self, networks: Networks, losses: AGADLosses, streams: Streams, precision: str) -> None:
        self._networks = networks
        self._losses = losses
        self._streams = streams
        self._precision = precision

    def __call__(self, groups: Groups) -> dict[str, GroupOutputs]:
        with autocast(groups[NORMAL].device, self._precision):
            return self._in_order(groups)

    def _in_order(self, groups: Groups) -> dict[str, GroupOutputs]:
        frozen = self._streams.frozen
        if frozen is None or ANOMALY not in groups:
            return self._passes(groups)
        outputs = self._passes({NORMAL: groups[NORMAL]})
        with passing(self._networks, kind=frozen):
            return outputs | self._passes({ANOMALY: groups[ANOMALY]})

    def _passes(self, groups: Groups) -> dict[str, GroupOutputs]:
        generator, discriminator = self._networks.generator, self._networks.discriminator
        copies = self._generated(groups)
        again = {name: images for name, images in copies.items() if self._losses.needs_second_pass[name]}
        if self._losses.detached == "input":
            again = {name: images.detach() for name, images in again.items()}
        with passing(generator, auxiliary=True):
            remade = self._generated(again)
        real = self._each(discriminator, groups)
        with passing(discriminator, auxiliary=True):
            fake = self._each(discriminator, copies)
        return {
            name: GroupOutputs(
                x, copies[name], remade.get(name), DiscriminatorOutput(*real[name]), DiscriminatorOutput(*fake[name])
            )
            for name, x in groups.items()
        }

    def _generated(self, groups: Groups) -> dict[str, Tensor]:
        outputs = self._each(lambda images: (self._networks.generator(images),), groups)
        return {name: images for name, (images,) in outputs.items()}

    def _each(self, network: GroupNetwork, groups: Groups) -> dict[str, tuple[Tensor, ...]]:
        if not self._streams.joint or len(groups) < 2:
            return {name: network(images) for name, images in groups.items()}
        sizes = [len(images) for images in groups.values()]
        parts = [torch.split(output, sizes) for output in network(torch.cat(list(groups.values())))]
        return dict(zip(groups, zip(*parts, strict=True), strict=True))


class AGADTraining:
    """Iterations of the algorithm on `networks`, with the optimisers "generator" and "discriminator"."""

    def __init__(self, networks: Networks, params: AGADParams, context: FitContext, optimisers: Optimisers) -> None:
        self._networks = networks
        self._context = context
        self._optimisers = optimisers
        self._losses = AGADLosses.from_params(params)
        self._forward = AGADForward(networks, self._losses, Streams.from_params(params), context.precision)
        self._joining = params.loss_joining
        self._reset = params.discriminator_reset
        self._delta = params.discriminator_delta
        self._init = params.network_init

    def run(self, groups: Groups, step: int) -> dict[str, Tensor]:
        """Move both networks by the images of each group (n, C, S, S); the losses, detached, by name (A23)."""
        if self._joining != "alternating":
            return self._update(groups, tuple(groups), step)
        losses: dict[str, Tensor] = {}
        for name in groups:
            for term, value in self._update(groups, (name,), step).items():
                losses[term] = losses[term] + value if term in losses else value
        return losses

    def _update(self, groups: Groups, names: tuple[str, ...], step: int) -> dict[str, Tensor]:
        """One step of G, then one of D, both by the losses of the groups `names` in one forward pass of all."""
        outputs = self._forward(groups)
        terms: dict[str, Tensor] = {}
        judged = []
        for name in names:
            share = self._share(groups, name)
            terms |= {term: share * value for term, value in self._losses.generator(name, outputs[name]).items()}
            judged.append(share * self._losses.discriminator(name, outputs[name]))
        loss_g, loss_d = total(terms.values()), total(judged)
        self._gradients(loss_g, "generator", keep=True)
        self._gradients(loss_d, "discriminator", keep=False)
        for optimiser in self._optimisers.values():
            optimiser.step()
        reset = self._start_again_below(loss_d.detach(), step)
        losses = {"loss": loss_g, **terms, "discriminator": loss_d, "discriminator_reset": reset}
        return {name: value.detach() for name, value in losses.items()}

    def _share(self, groups: Groups, name: str) -> float:
        return len(groups[name]) / sum(map(len, groups.values())) if self._joining == "weighted" else 1.0

    def _gradients(self, loss: Tensor, name: str, *, keep: bool) -> None:
        """Of the parameters of one network alone: the other is a constant to it."""
        parameters = list(self._networks.get_submodule(name).parameters())
        for parameter in parameters:
            parameter.grad = None
        torch.autograd.backward(loss, inputs=parameters, retain_graph=keep)

    def _start_again_below(self, loss: Tensor, step: int) -> Tensor:
        """Give D new weights where its loss is below delta (A24); whether that happened, as 0 or 1."""
        happens = self._reset != "none" and float(loss) < self._delta
        if happens:
            with self._context.seeded("discriminator.reset", step):
                initialise(self._networks.discriminator, self._init)
            if self._reset == "reset_adam":
                self._optimisers["discriminator"].state.clear()
        return loss.new_tensor(float(happens))
