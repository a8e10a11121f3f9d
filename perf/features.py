"""What kept feature maps cost and save: processor time over that of computing the maps (`methods.backbones.features`).

For KDAD's teacher and PatchCore's trunk, with random weights on made-up images: `new` computes and keeps rows, `first`
reads them and compares their digests, as each process does once, `read` reads them again. Prints one line of JSON a
network, size and precision: medians of the rounds, each measured one after the other in one process, and the bytes of
a row.

    python perf/features.py --images 64 --repeats 3
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmark.execution.stores.feature_files import kept_features
from benchmark.execution.stores.feature_store import StoredFeatures
from methods.backbones.features import FeatureReader, FrozenNetwork, Maps, computed_maps
from methods.backbones.find import RANDOM, WeightsFile
from methods.backbones.trunk import build_trunk
from methods.devices import placed
from methods.nn.data.loader import batches
from methods.nn.data.transforms import normalise
from methods.nn.precision import autocast
from protocols.catalogue.data_folder import adopt_dataset
from protocols.images.store import Images, ImageStore

CASES = {
    "resnet18": (("layer2", "layer3"), (128, 256)),
    "vgg16": (("features.9", "features.16", "features.23", "features.30"), (128,)),
}
BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_images(folder / "raw/train/good", options.images)
        make_images(folder / "raw/test/good", 1)
        make_images(folder / "raw/test/defect", 1)
        dataset = adopt_dataset(folder / "raw", "made", folder / "data")
        for arch, (layers, sizes) in CASES.items():
            for size in sizes:
                store = ImageStore.open(dataset, size=size, cache_dir=folder / "cache")
                images = store.images(row.id for row in dataset.rows)
                for precision in ("fp32", "bf16"):
                    report = measured(frozen_network(arch, layers, precision), images, folder, options.repeats)
                    sys.stdout.write(
                        json.dumps({"network": arch, "size": size, "precision": precision, **report}) + "\n"
                    )
                    sys.stdout.flush()


def make_images(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (256, 256, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03}.png", compress_level=1)


def frozen_network(arch: str, layers: tuple[str, ...], precision: str) -> FrozenNetwork:
    network = placed(build_trunk(arch, WeightsFile(arch, None, RANDOM, RANDOM), layers).eval(), "cpu")

    def maps(pixels: torch.Tensor) -> Maps:
        with autocast(pixels.device, precision):
            levels: Maps = network(normalise(pixels))
        return levels

    return FrozenNetwork(network, arch, layers, f"imagenet {precision}", maps)


def measured(frozen: FrozenNetwork, images: Images, folder: Path, repeats: int) -> dict[str, float]:
    """Median ratios over the repeats, and the bytes of a row."""
    rounds = []
    seconds(lambda chosen, index: computed_maps(frozen, chosen, index), images)  # kernels are chosen at their first use
    row_bytes = 0
    for number in range(repeats):
        parent = folder / f"features{number}-{frozen.arch}-{images.size}-{frozen.transform[-4:]}"
        source = StoredFeatures(parent, 2**34, {"code": "perf"}, print)
        computed = seconds(lambda chosen, index: computed_maps(frozen, chosen, index), images)
        new = seconds(source.reader(frozen), images)
        reader = source.reader(frozen)
        rounds.append([new / computed, seconds(reader, images) / computed, seconds(reader, images) / computed])
        row_bytes = max(kept.meta.row_bytes for kept in kept_features(parent) if kept.meta is not None)
    medians = [round(statistics.median(values), 4) for values in zip(*rounds, strict=True)]
    return dict(zip(("new", "first", "read"), medians, strict=True)) | {"row_bytes": row_bytes}


def seconds(reader: FeatureReader, images: Images) -> float:
    """Processor time of reading all images in batches."""
    start = time.process_time()
    for index in batches(len(images), BATCH):
        reader(images, index)
    return time.process_time() - start


if __name__ == "__main__":
    main()
