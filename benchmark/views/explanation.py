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
        *(f"pool {pool}: {part.dataset} {part.fingerprint}" for pool, parts in fit.pools.items() for part in parts),
        *([f"starts from the fit {fit.source} on {spec.split.source_dataset}"] if fit.source else []),
        *(f"deviation {text}" for text in spec.deviations),
        *(f"note {text}" for text in record.notes),
        *(["note all images have one score: it tells nothing of the method"] if record.has_one_score else []),
    ]
    provenance = record.provenance
    if provenance:
        lines += [
            f"made by swanbench {provenance.package_version}, commit {provenance.git_commit or 'unknown'}"
            + (" (changed since)" if provenance.git_dirty else ""),
            f"  code digest {provenance.code_digest}",
            f"  numerics class {provenance.numerics_class}, {provenance.cpu}, started {provenance.started}",
            "  " + ", ".join(f"{name} {version}" for name, version in provenance.libraries.items()),
            *(f"  weights {arch}: {label}" for arch, label in provenance.weights.items()),
        ]
    lines += [f"time {name} {seconds:.1f}" for name, seconds in record.timings.items()]
    if record.status == "failed":
        lines.append(f"traceback {traceback}; bench run ... --retry-failed tries again")
    return lines
