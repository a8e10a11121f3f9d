"""Every detector through the command line: the same bits in other processes and at any `--jobs`."""

import golden
import pytest

from methods.registry import installed
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

    def at(jobs):
        folder = drifting.house.root / f"runs{jobs}"
        words = ("--weights", "random", "--jobs", jobs, "--threads", 1, "--results", folder)
        done = drifting.house.bench("run", "--suite", paths[-1], *small, *words)
        assert done.returncode == 0, done.stderr
        store = Store(folder)
        return {record.spec.method: store.scores(record.key).values.tobytes() for record in store.records()}

    return at


@pytest.mark.slow
def test_every_detector_gives_the_same_bits_at_any_jobs(run):
    alone = run(1)
    assert sorted(alone) == sorted(name for names in BY_RULE.values() for name in names) == sorted(golden.DETECTORS)
    assert run(2) == alone
