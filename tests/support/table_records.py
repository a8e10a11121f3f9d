"""Records of runs that nobody made, as the papers' tables take them."""

from records import make_fit, make_provenance, make_record, make_spec, make_split

from results.record import Counts

GENUINE = "genuine:resnet18-f37072fd.pth"


def make_table_record(
    auroc=0.75,
    *,
    method="dra",
    dataset="elpv",
    rule="hard",
    known_class="mono",
    normal_class=None,
    shots=10,
    gamma=None,
    source_dataset=None,
    seed=0,
    split_seed=None,
    recipe="official",
    weights=GENUINE,
    version=1,
    params=None,
    deviations=(),
    failed=None,
    code="c0de",
    numerics="cpu avx2 torch 2.14",
    started="2026-01-01T00:00:00Z",
    notes=(),
    history=None,
):
    """A record of a run as the harness leaves it; `failed` is the error of a failed one."""
    split_seed = seed if split_seed is None else split_seed
    lists = f"{split_seed}/{known_class}/{normal_class}/{shots}/{gamma}/{source_dataset}"
    fit = make_fit(
        detector=method,
        version=version,
        params={"optim.lr": 2e-4, "recipe_like": recipe, **(params or {})},
        dataset_fingerprint=f"manifest of {dataset}",
        train_normal=f"normals of {dataset} {split_seed}",
        train_anomaly=f"anomalies {lists}",
        weights={"resnet18": f"digest of {weights}"},
        precision="bf16",
        seed=seed,
    )
    split = make_split(
        dataset=dataset,
        dataset_fingerprint=f"manifest of {dataset}",
        rule=rule,
        known_class=known_class,
        normal_class=normal_class,
        shots=shots,
        gamma=gamma,
        source_dataset=source_dataset,
    )
    spec = make_spec(
        fit,
        split,
        test=f"test {lists}",
        evaluation=None,
        method=method,
        recipe=recipe,
        split_seed=split_seed,
        deviations=list(deviations),
    )
    return make_record(
        spec,
        auroc,
        average_precision=auroc,
        failed=failed,
        counts=Counts(train_normal=1131, train_anomaly=10, test_normal=377, test_anomaly=402),
        provenance=make_provenance(
            code_digest=code,
            numerics_class=numerics,
            weights={"resnet18": weights},
            cpu="test",
            started=started,
        ),
        notes=list(notes),
        history=history or {},
    )
