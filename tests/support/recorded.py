"""Records of runs that nobody made, as the harness would have left them."""

import hashlib

from records import make_fit, make_provenance, make_record, make_spec, make_split

from benchmark.planning.inputs.fit_params import fit_params
from methods.registry import installed
from methods.registry.recipe import resolve
from protocols.datasets.registry import dataset_infos
from results.record import Counts
from results.spec import EMPTY_LIST, Evaluation

GENUINE = "genuine:resnet18-f37072fd.pth"
DIGESTS = {
    GENUINE: "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    "custom:9400829f": "9400829ffbfef7693dafd7b2407eba6408c95dcef1359b06d81aa13ac231769b",
}
"""Labels of ResNet-18 weights, each with the digest that a key holds."""


def built(split, seed, auroc, *, recipe="official", params=None, provenance=None, evaluation=None, **run):
    """A finished record: `params` are those that differ from the recipe's, `run` its other facts."""
    info = installed.get(run["method"])
    fit = make_fit(
        detector=run.get("detector", info.id),
        version=info.version,
        params=fit_params(resolve(info, recipe, split.dataset, {}).params) | (params or {}),
        dataset_fingerprint=split.dataset_fingerprint,
        train_normal=run.get("train_normal", "a" * 64),
        train_anomaly=f"{seed:064x}" if info.anomalies else EMPTY_LIST,
        size=run["size"],
        weights=run.get("weights", {}),
        seed=seed,
    )
    spec = make_spec(
        fit,
        split,
        test=hashlib.sha256(str(split).encode()).hexdigest(),
        evaluation=evaluation,
        method=info.id,
        recipe=recipe,
        split_seed=seed,
    )
    counts = Counts(train_normal=100, train_anomaly=10 * info.anomalies, test_normal=30, test_anomaly=30)
    return make_record(spec, auroc, counts=counts, provenance=provenance)


def record(known_class, seed, auroc, *, recipe="official", weights=GENUINE):
    """A record of DRA on ELPV, hard setting, ten-shot."""
    return built(
        make_split(
            dataset_fingerprint=dataset_infos()["elpv"].releases[""][0].fingerprint,
            known_class=known_class,
        ),
        seed,
        auroc,
        method="dra",
        recipe=recipe,
        size=224,
        weights={"resnet18": DIGESTS[weights]},
        provenance=make_provenance(weights={"resnet18": weights}),
        evaluation=Evaluation(order="listing", batch=48),
    )
