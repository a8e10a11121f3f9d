"""Specs and records of runs that nobody made. Each maker takes what should differ from a finished run of DRA on ELPV."""

import msgspec

from results.record import Counts, Metrics, Provenance, Record
from results.spec import Evaluation, FitSpec, RunSpec, SplitDefinition


def make_fit(**changes):
    values = {
        "detector": "dra",
        "version": 1,
        "params": {"optim.lr": 2e-4, "heads": "s,p,r,n", "head.abs": True, "optim.clip_norm": None},
        "dataset_fingerprint": "d" * 64,
        "train_normal": "a" * 64,
        "train_anomaly": "b" * 64,
        "size": 224,
        "resize": "squash",
        "pools": {},
        "weights": {"resnet18": "c" * 64},
        "precision": "fp32",
        "seed": 0,
    }
    return FitSpec(**(values | changes))


def make_split(**changes):
    values = {
        "dataset": "elpv",
        "dataset_fingerprint": "d" * 64,
        "rule": "hard",
        "known_class": "mono",
        "shots": 10,
    }
    return SplitDefinition(**(values | changes))


def make_spec(fit=None, split=None, **changes):
    """The spec of a run; `fit__size=32` changes the fit's size, and `split__` and `evaluation__` work alike."""
    spec = RunSpec(
        fit=fit or make_fit(),
        test="e" * 64,
        evaluation=Evaluation(order="listing", batch=48),
        method="dra",
        recipe="official",
        split=split or make_split(),
        split_seed=0,
    )
    for path, value in changes.items():
        owner, _, name = path.rpartition("__")
        changed = {name: value}
        if owner:
            changed = {owner: msgspec.structs.replace(getattr(spec, owner), **changed)}
        spec = msgspec.structs.replace(spec, **changed)
    return spec


def make_provenance(**changes):
    values = {
        "package_version": "0.1.0",
        "git_commit": None,
        "git_dirty": None,
        "code_digest": "f" * 64,
        "numerics_class": "cpu",
        "weights": {},
        "device": "cpu",
        "cpu": "one",
        "libraries": {},
        "threads": 1,
        "started": "2026-01-01T00:00:00+00:00",
        "test_evaluations": 1,
    }
    return Provenance(**(values | changes))


def make_record(spec=None, auroc=0.75, *, average_precision=0.5, failed=None, **changes):
    """The record that a run of `spec` leaves; `failed` is the error of a failed one."""
    spec = spec or make_spec()
    values = {
        "key": spec.key,
        "fit_key": spec.fit.fit_key,
        "series": spec.series,
        "spec": spec,
        "status": "failed" if failed else "done",
        "error": failed,
        "metrics": None if failed else Metrics(auroc=auroc, average_precision=average_precision),
        "counts": Counts(train_normal=1131, train_anomaly=10, test_normal=1, test_anomaly=1),
    }
    return Record(**(values | changes))
