"""Scores of a tiny fixed fit of each detector, and how to record them: `python tests/support/golden.py`.

Record after a deliberate change of a detector's numbers, together with a raised `version` in its recipe.
"""

import hashlib
import json

import numpy as np
from repository import ROOT

from benchmark.numerics import cpu_name, numerics_class
from methods.backbones.find import RANDOM, WeightsFile
from methods.checks import ArrayImages, MemoryCheckpoint
from methods.detector import FitContext, TrainData
from methods.registry import installed
from methods.registry.recipe import resolve

FILE = ROOT / "tests" / "methods" / "data" / "golden.json"
DETECTORS = (
    "agad",
    "csi",
    "csi_gan",
    "deep_sad",
    "devnet",
    "dra",
    "dra_non_disentangled",
    "flos",
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
)
"""Variants with code that no detector's own case runs through."""
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


def scores(method, seed=0, precision="fp32", device="cpu", checkpoint=None):
    """Scores of the twelve test images after the fit, which goes on from `checkpoint`, if one is given."""
    detector, params = fitted(method, seed, precision, device, checkpoint)
    return detector.score(images("t", pictures(6, 60, False), pictures(6, 80, True)), params["evaluation.batch"])


def fitted(method, seed=0, precision="fp32", device="cpu", checkpoint=None, overrides=None):
    """The detector after the tiny fit, with its parameters."""
    info = installed.get(method)
    small = {name: value for name, value in SMALL.items() if name in info.params} | (overrides or {})
    params = resolve(info, "official", "toy", small).params
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
    detector.fit(
        TrainData(
            normal=images("n", pictures(12, 0, False)),
            anomaly=images("a", pictures(3, 40, True)),
            pools={pool: images("p", 255 - pictures(5, 100, False)) for pool in info.pools(params)},
        )
    )
    return detector, params


def here():
    """The numerics class with a digest of the processor's name: kernels may block by its caches."""
    kind = numerics_class(device="cpu", precision="fp32", threads=THREADS)
    return f"{kind}-{hashlib.sha256(cpu_name().encode()).hexdigest()[:8]}"


def read():
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


if __name__ == "__main__":
    import torch

    torch.set_num_threads(THREADS)
    stored = read()
    for name in DETECTORS + NEEDING_PACKAGES + VARIANTS:
        if lacking := installed.get(name).lacking():
            print(f"left as it is: {lacking}")  # noqa: T201
            continue
        of_version = stored.setdefault(name, {}).setdefault(str(installed.get(name).version), {})
        of_version[here()] = [float(value).hex() for value in scores(name)]
    FILE.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", encoding="utf-8")
