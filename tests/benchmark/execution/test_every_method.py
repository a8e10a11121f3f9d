"""Every detector through the command line: the same bits in other processes and at any `--jobs`."""

import golden
import numpy as np
import pytest
from msgspec import UNSET

from benchmark.execution.stores.models.keeping import open_model
from benchmark.paths import AUDITS_FOLDER, Folders
from methods.registry import installed
from protocols.catalogue.data_folder import open_dataset
from protocols.images.decode import ImageReader, image_array
from results.store import Store

SUITE = """
id = "{rule}"
title = "Every detector"
rule = "{rule}"
recipe = "quick"
methods = {methods}
seeds = [0]
{more}
[datasets]
{datasets}
"""
BY_RULE = {
    "one_class": ("csi", "csi_gan"),
    "labelled_share": ("agad",),
    "general": tuple(name for name in golden.DETECTORS if name not in {"csi", "csi_gan", "agad"}),
}
SMALL = golden.SMALL | {"img_size": 32, "gan.size": 32, "evaluation.batch": 4, "optim.warmup_epochs": 0}
DATA = {
    "one_class": ("", 'shades = ["0"]'),
    "labelled_share": ('gammas = ["0.10"]', 'shades = ["0"]'),
    "general": ("shots = [10]", "leather = []"),
}

DRAWING = {"dra"}
"""Methods whose records compare each test batch with references of its own; a kept model has one set."""
MAPPED = {"devnet", "dra", "dra_non_disentangled", "flos", "frozen_patches", "kdad", "minns", "mlep", "saoe"}
"""Methods with heat maps, as their recipe quick stands."""


@pytest.fixture
def run(drifting, rows):
    """Runs all detectors at some `--jobs` into a folder of its own; gives the bytes of their scores by method."""
    drifting.prepare("shades", rows["class_set"]())
    for name, shade in (("leather", 60), ("carpet", 90)):
        drifting.prepare(name, rows["texture"](shade))
    paths = []
    for rule, methods in BY_RULE.items():
        more, datasets = DATA[rule]
        if rule == "general":
            more += f"\nalso = {[str(path) for path in paths]}"
        paths.append(drifting.house.root / f"{rule}.toml")
        paths[-1].write_text(SUITE.format(rule=rule, methods=list(methods), more=more, datasets=datasets))
    small = [
        word
        for methods in BY_RULE.values()
        for name in methods
        for parameter, value in SMALL.items()
        if parameter in installed.get(name).params
        for word in ("--set", f"{name}.{parameter}={value}")
    ]

    def at(jobs, *more, within="."):
        folder = drifting.house.root / f"runs{jobs}"
        words = ("--weights", "random", "--jobs", jobs, "--threads", 1, "--results", folder)
        done = drifting.house.bench("run", "--suite", paths[-1], *small, *words, *more)
        assert done.returncode == 0, done.stderr
        assert "is not kept" not in done.stderr, done.stderr
        store = Store(folder / within)
        for record in store.records():
            if record.audit is not UNSET:
                assert len(record.audit) == len(record.history["loss"])
                assert record.audit[-1] == record.metrics.auroc
        return {record.spec.method: store.scores(record.key).values.tobytes() for record in store.records()}

    return at


def by_kept_models(house):
    """Of each method the bytes of the scores that its kept model gives the test images as loose ones, and heat maps."""
    store = Store(house.root / "runs1")
    found = {}
    for record in store.records():
        dataset = open_dataset(house.root / "data", record.spec.split.dataset)
        reader = ImageReader(dataset)
        images = [image_array(reader.load(dataset.row(id_))) for id_ in store.scores(record.key).ids]
        model = open_model(
            store,
            record.fit_key,
            Folders(house.root, house.root, store.root, None, house.root),
            weights=(),
            device="cpu",
        )
        maps = model.maps(images) if model.contents.facts.map_range else None
        found[record.spec.method] = model.score(images).tobytes(), maps
    return found


@pytest.mark.slow
def test_every_detector_gives_the_same_bits_at_any_jobs_after_every_epoch_and_from_its_kept_model(run, drifting):
    alone = run(1, "--keep-models")
    for method, (kept, maps) in by_kept_models(drifting.house).items():
        assert (kept == alone[method]) == (method not in DRAWING), method
        assert maps is None or (maps.shape[1:] == (32, 32) and np.isfinite(maps).all()), method
        assert (maps is not None) == (method in MAPPED), method
    assert sorted(alone) == sorted(name for names in BY_RULE.values() for name in names) == sorted(golden.DETECTORS)
    assert run(2) == alone
    between = {name for name in alone if installed.get(name).capabilities.scored_between_epochs}
    assert {"dra", "devnet", "kdad", "saoe"} <= between
    audited = run(1, "--audit-selection", within=AUDITS_FOLDER)
    assert audited == {name: scores for name, scores in alone.items() if name in between}
