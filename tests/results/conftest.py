import msgspec
import pytest

from results.record import Counts, Metrics, Record
from results.spec import Evaluation, FitSpec, RunSpec, SplitDefinition


def make_spec(**changes):
    fit = FitSpec(
        detector="dra",
        version=1,
        params={"optim.lr": 2e-4, "heads": "s,p,r,n", "head.abs": True, "optim.clip_norm": None},
        dataset_fingerprint="d" * 64,
        train_normal="a" * 64,
        train_anomaly="b" * 64,
        size=224,
        resize="squash",
        pools={},
        weights={"resnet18": "c" * 64},
        precision="fp32",
        seed=0,
    )
    split = SplitDefinition(dataset="elpv", dataset_fingerprint="d" * 64, rule="hard", known_class="mono", shots=10)
    spec = RunSpec(
        fit=fit,
        test="e" * 64,
        evaluation=Evaluation(order="listing", batch=48),
        method="dra",
        recipe="official",
        split=split,
        split_seed=0,
    )
    for path, value in changes.items():
        owner, _, name = path.rpartition("__")
        if owner:
            spec = msgspec.structs.replace(
                spec, **{owner: msgspec.structs.replace(getattr(spec, owner), **{name: value})}
            )
        else:
            spec = msgspec.structs.replace(spec, **{name: value})
    return spec


def make_record(spec=None, auroc=0.75, **rest):
    spec = spec or make_spec()
    return Record(
        key=spec.key,
        fit_key=spec.fit.fit_key,
        series=spec.series,
        spec=spec,
        status="done",
        metrics=Metrics(auroc=auroc, average_precision=0.5),
        counts=Counts(train_normal=1131, train_anomaly=10, test_normal=1, test_anomaly=1),
        **rest,
    )


@pytest.fixture
def spec():
    return make_spec


@pytest.fixture
def record():
    return make_record
