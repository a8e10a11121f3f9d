"""Records of runs of Table 2 of DRA that nobody made: half on ELPV and comparable, half with random weights."""

import functools
import hashlib
import itertools
import random
from collections.abc import Iterator
from pathlib import Path

from benchmark.planning.inputs.fit_params import fit_params
from benchmark.views.derived import RecordDeriver
from methods.backbones.table import genuine_files
from methods.registry import installed
from methods.registry.recipe import EVALUATION, resolve
from protocols.datasets.registry import our_datasets
from protocols.values import ParamValue
from reports.layouts.layout import auc_layout
from results.record import Counts, Metrics, Provenance, Record, encode_record
from results.spec import EMPTY_LIST, Evaluation, FitSpec, RunSpec, SplitDefinition
from results.store import Store


def made_records(count: int) -> Iterator[Record]:
    """`count` finished runs, each with a seed of its own; every second one is comparable."""
    places = [dict(leaf) for leaf in sorted(auc_layout("dra:2").leaves)]
    comparable = [at for at in places if at["dataset"] == "elpv" and not installed.get(at["method"]).assumed]
    drawn = random.Random(0)  # noqa: S311 - numbers for a measurement
    for seed, half in zip(range(count), itertools.cycle([comparable, places]), strict=False):
        yield made_record(half[seed // 2 % len(half)], seed, drawn.uniform(0.6, 0.9), genuine=half is comparable)


@functools.cache
def official_params(method: str, dataset: str) -> dict[str, ParamValue]:
    return resolve(installed.get(method), "official", dataset, {}).params


def made_record(at: dict[str, str], seed: int, auroc: float, *, genuine: bool) -> Record:
    """A run at the coordinates of a printed cell, with the parameters of the official recipe."""
    info, name = installed.get(at["method"]), at["dataset"]
    params = official_params(info.id, name)
    archs = info.backbones(params)
    weights = {row.id: file for row, file in reversed(list(genuine_files())) if row.id in archs}
    release = our_datasets()[name].releases[""][0]
    shots = int(at["shots"]) if at["shots"] else None
    split = SplitDefinition(
        dataset=name,
        dataset_fingerprint=release.fingerprint or fingerprint(name),
        rule="hard",
        known_class=at["known_class"],
        shots=shots,
    )
    size = params.get("img_size")
    fit = FitSpec(
        detector=info.detector_id,
        version=info.version,
        params=fit_params(params),
        dataset_fingerprint=split.dataset_fingerprint,
        train_normal=fingerprint(f"normal {seed}"),
        train_anomaly=fingerprint(f"anomaly {seed}") if shots else EMPTY_LIST,
        size=size if isinstance(size, int) else 224,
        resize="squash",
        pools={},
        weights={arch: file.sha256 if genuine else "random" for arch, file in weights.items()},
        precision="fp32",
        seed=seed,
    )
    order, batch = (params.get(name) for name in EVALUATION)
    spec = RunSpec(
        fit=fit,
        test=fingerprint(f"test {seed}"),
        evaluation=None if info.scores_independently(params) else Evaluation(order=str(order), batch=batch),
        method=info.id,
        recipe="official",
        split=split,
        split_seed=seed,
    )
    return Record(
        key=spec.key,
        fit_key=fit.fit_key,
        series=spec.series,
        spec=spec,
        status="done",
        metrics=Metrics(auroc=auroc, average_precision=auroc),
        counts=Counts(train_normal=100, train_anomaly=shots or 0, test_normal=30, test_anomaly=30),
        timings={"fit": 60.0, "score": 1.0},
        history={"loss": [1 / (epoch + 1) for epoch in range(30)]},
        provenance=Provenance(
            package_version="0.1.0",
            git_commit=None,
            git_dirty=None,
            code_digest="f" * 64,
            numerics_class="cpu",
            weights={arch: f"genuine:{file.name}" if genuine else "random" for arch, file in weights.items()},
            device="cpu",
            cpu="one",
            libraries={"torch": "2.6.0", "numpy": "2.2.0"},
            threads=1,
            started="2026-01-01T00:00:00+00:00",
            test_evaluations=1,
        ),
    )


def fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_records(folder: Path, count: int) -> None:
    """Write made records, each with the words that its key says, such as that it is not on the paper's data."""
    store, derive = Store(folder), RecordDeriver()
    for record in (derive(made).record for made in made_records(count)):
        path = store.record_path(record.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_record(record))
