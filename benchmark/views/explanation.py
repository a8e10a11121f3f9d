"""Everything that made the number of a run, as `bench results why` prints it."""

from pathlib import Path

from results.record import Record


def explanation(record: Record, traceback: Path) -> list[str]:
    """Lines of text; `traceback` is where that of a failed run lies."""
    spec, fit = record.spec, record.spec.fit
    head = f"AUC {record.metrics.auroc!r}" if record.metrics else f"{record.status}: {record.error}"
    lines = [
        f"{spec.name}: {head}",
        f"key {record.key} = SHA-256 of fit, test list and evaluation",
        f"fit {record.fit_key}",
        f"  detector {fit.detector} version {fit.version}, recipe {spec.recipe}, seed {fit.seed}",
        f"  {fit.precision}, {fit.size} px ({fit.resize})",
        *(f"  {name} = {value}" for name, value in sorted(fit.params.items())),
        f"data {spec.split.dataset} {spec.split.dataset_fingerprint}",
        f"  split {spec.split.rule}, seed {spec.split_seed}, options {spec.split.options or 'none'}",
        f"  training normals {fit.train_normal}",
        f"  training anomalies {fit.train_anomaly}",
        f"  test list {spec.test}",
        "evaluation "
        + (
            f"{spec.evaluation.order} order, batches of {spec.evaluation.batch}"
            if spec.evaluation
            else "independent of batch and order"
        ),
        *(f"weights {arch} {digest}" for arch, digest in fit.weights.items()),
        *(f"pool {pool}: {one.dataset} {one.fingerprint}" for pool, parts in fit.pools.items() for one in parts),
        *([f"starts from the fit {fit.source} on {spec.split.source_dataset}"] if fit.source else []),
        *(f"deviation {text}" for text in spec.deviations),
        *(f"note {text}" for text in record.notes),
    ]
    made = record.provenance
    if made:
        lines += [
            f"made by swanbench {made.package_version}, commit {made.git_commit or 'unknown'}"
            + (" (changed since)" if made.git_dirty else ""),
            f"  code digest {made.code_digest}",
            f"  numerics class {made.numerics_class}, {made.cpu}, started {made.started}",
            "  " + ", ".join(f"{name} {version}" for name, version in made.libraries.items()),
            *(f"  weights {arch}: {label}" for arch, label in made.weights.items()),
        ]
    lines += [f"time {name} {seconds:.1f}" for name, seconds in record.timings.items()]
    if record.status == "failed":
        lines.append(f"traceback {traceback}; bench run ... --retry-failed tries again")
    return lines
