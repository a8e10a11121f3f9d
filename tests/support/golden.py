"""Scores of a tiny fixed fit of each detector, and how to record them: `python tests/support/golden.py`.

Record after a deliberate change of a detector's numbers, together with a raised `version` in its recipe.
"""

import hashlib
import json
from dataclasses import replace

import numpy as np
from repository import ROOT

from benchmark.numerics import cpu_name, numerics_class
from methods.backbones.find import RANDOM, WeightsFile
from methods.checks import ArrayImages, MemoryCheckpoint
from methods.detector import FitContext, TrainData
from methods.registry import installed
from methods.registry.base import resolve_base
from methods.registry.recipe import resolve

FILE = ROOT / "tests" / "methods" / "data" / "golden.json"
DETECTORS = (
    "agad",
    "ahl_devnet",
    "ahl_dra",
    "csi",
    "csi_gan",
    "deep_sad",
    "devnet",
    "dra",
    "dra_non_disentangled",
    "flos",
    "frozen_logistic",
    "frozen_nearest",
    "frozen_patches",
    "kdad",
    "minns",
    "mlep",
    "saoe",
)
NEEDING_PACKAGES = ("patchcore",)
"""Detectors that an extra brings; their numbers may change with its version too."""
VARIANTS = (
    "agad_naive",
    "agad_unet_adv_prop_freeze_bn",
    "dra_cp_mix",
    "frozen_mahalanobis",
    "ahl_dra:paper",
    "ahl_devnet:paper",
)
"""Variants, and recipes beside the official one, with code that no detector's own case runs through."""
SMALL = {
    "budget.epochs": 1,
    "budget.steps": 2,
    "batch.size": 6,
    "batch.seen": 2,
    "batch.triplets": 2,
    "oe_batch": 3,
    "network.width": 4,
    "gan.width": 2,
    "gan.every": 1,
    "score.draws": 2,
}
OWN_SMALL = {
    "ahl": {"budget.epochs": 3, "clusters.count": 2, "inner.passes": 2, "importance.length": 1, "importance.start": 1}
}
"""By the start of a method's id: what its own code needs to be run through."""
THREADS = 1


def pictures(count, start, mark):
    """Made-up grey-striped RGB images (count, 32, 32, 3) by formula; `mark` adds a bright square."""
    k, i, j, c = np.ogrid[start : start + count, 0:32, 0:32, 0:3]
    images = ((37 * k + 11 * i + 5 * j * (k % 3 + 1) + 29 * c) % 200).astype(np.uint8)
    if mark:
        images[:, 8:20, 10:22] = 250
    return images


def images(name, *blocks):
    pixels = np.concatenate(blocks)
    return ArrayImages(pixels, tuple(f"{name}/{n:02}" for n in range(len(pixels))))


def scores(method, seed=0, precision="fp32", device="cpu", checkpoint=None, overrides=None):
    """Scores of the twelve test images after the fit, which goes on from `checkpoint`, if one is given."""
    detector, params = fitted(method, seed, precision, device, checkpoint, overrides)
    return detector.score(images("t", pictures(6, 60, False), pictures(6, 80, True)), params["evaluation.batch"])


def fitted(method, seed=0, precision="fp32", device="cpu", checkpoint=None, overrides=None):
    """The detector after the tiny fit, with its parameters."""
    name, _, recipe = method.partition(":")
    info = installed.get(name)
    params = resolve(info, recipe or "official", "toy", small_params(info) | (overrides or {})).params
    context = FitContext(
        seed=seed,
        threads=THREADS,
        precision=precision,
        device=device,
        weights={arch: WeightsFile(arch, None, RANDOM, RANDOM) for arch in info.backbones(params)},
        checkpoint=checkpoint or MemoryCheckpoint(),
        progress=lambda *_, **__: None,
        artefact=lambda *_: None,
    )
    detector = installed.load(info)(params, context)
    detector.fit(train_data(info, params, context))
    return detector, params


def small_params(info):
    own = next((values for start, values in OWN_SMALL.items() if info.id.startswith(start)), {})
    return {name: value for name, value in (SMALL | own).items() if name in info.params}


def train_data(info, params, context):
    """The images of a fit, after the fit of its base, where it has one."""
    data = TrainData(
        normal=images("n", pictures(12, 0, False)),
        anomaly=images("a", pictures(3, 40, True)),
        pools={pool: images("p", 255 - pictures(5, 100, False)) for pool in info.pools(params)},
    )
    if info.base is None:
        return data
    every = installed.methods()
    base = resolve_base(info, params, every, "toy", small_params(every[info.base.method]))
    detector = installed.load(base.info)(base.resolved.params, replace(context, checkpoint=MemoryCheckpoint()))
    detector.fit(train_data(base.info, base.resolved.params, context))
    return replace(data, init=detector.state(), native=images("n", pictures(12, 0, False)))


def here():
    """The numerics class with a digest of the processor's name: kernels may block by its caches."""
    kind = numerics_class(device="cpu", precision="fp32", threads=THREADS)
    return f"{kind}-{hashlib.sha256(cpu_name().encode()).hexdigest()[:8]}"


def kernels(kind):
    """Device and kernels of a class of `here`, such as cpu-avx2."""
    return "-".join(kind.split("-")[:2])


def read():
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


if __name__ == "__main__":
    import torch

    torch.set_num_threads(THREADS)
    stored = read()
    for name in DETECTORS + NEEDING_PACKAGES + VARIANTS:
        info = installed.get(name.partition(":")[0])
        if lacking := info.lacking():
            print(f"left as it is: {lacking}")  # noqa: T201
            continue
        of_version = stored.setdefault(name, {}).setdefault(str(info.version), {})
        of_version[here()] = [float(value).hex() for value in scores(name)]
    FILE.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", encoding="utf-8")
