"""Records in the forms of two shared collections of results, as files by their paths.

Every Eval Ever (schema 0.3.0 of its package `every-eval-ever`) has one JSON document a run. The Hugging Face Hub reads
`.eval_results/*.yaml` of a model's repository (huggingface.co/docs/hub/eval-results): one value a benchmark and task.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from methods.registry import installed
from protocols.text import plural
from reports.stats.nested import NestedRun, nested_sample
from reports.stats.verdict import auc_standard_error
from reports.tables.measured import weight_labels
from reports.tables.nesting import given_lists
from results.metrics import AUROC, STORED_METRICS, Metric, stored_value
from results.record import Record
from results.spec import canonical

EVAL_SCHEMA = "0.3.0"
LIBRARY = "swanbench"


def eval_documents(records: Iterable[Record], organization: str) -> dict[str, str]:
    """One document of Every Eval Ever a finished run, by its path in the collection; equal runs give equal files."""
    return {
        f"data/{LIBRARY}/{_model(record)}/{UUID(record.key[:32], version=4)}.json": _json(
            _document(record, organization)
        )
        for record in records
        if record.metrics and record.provenance
    }


def hub_results(records: Iterable[Record], hub_datasets: Mapping[str, str]) -> dict[str, str]:
    """A file of results a method for its repository on the Hub: an entry a series on a dataset that the Hub knows.

    `hub_datasets` are ids on the Hub by ours. A value is the mean AUROC over the runs of a series, as a fraction.
    """
    series: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.metrics and record.provenance and record.spec.split.dataset in hub_datasets:
            series[record.series].append(record)
    entries: defaultdict[str, list[str]] = defaultdict(list)
    for runs in series.values():
        entries[runs[0].spec.method].append(_hub_entry(runs, hub_datasets))
    return {f"{_safe(method)}/.eval_results/{LIBRARY}.yaml": "".join(texts) for method, texts in entries.items()}


def _document(record: Record, organization: str) -> dict[str, Any]:
    provenance, model = record.provenance, _model(record)
    if provenance is None:
        raise ValueError(f"record {record.key} has no provenance")
    created = str(int(datetime.fromisoformat(provenance.started).timestamp()))
    code = {"git_commit": provenance.git_commit or "unknown", "code_digest": provenance.code_digest}
    return {
        "schema_version": EVAL_SCHEMA,
        "evaluation_id": f"{LIBRARY}/{model}/{created}/{record.key[:8]}",
        "evaluation_timestamp": provenance.started,
        "retrieved_timestamp": created,
        "source_metadata": {
            "source_name": LIBRARY,
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            "evaluator_relationship": "third_party",
        },
        "eval_library": {"name": LIBRARY, "version": provenance.package_version, "additional_details": code},
        "model_info": {
            "name": _title(record),
            "id": model,
            "additional_details": {
                "deployment_type": "self_deployed",
                "model_availability": "unknown",
                "recipe": record.spec.recipe,
                "weights": ", ".join(f"{arch} {label}" for arch, label in provenance.weights.items()),
                "precision": record.spec.fit.precision,
                "parameters": canonical(record.spec.fit.params).decode(),
            },
        },
        "evaluation_results": [_result(record, metric) for metric in STORED_METRICS],
    }


def _result(record: Record, metric: Metric) -> dict[str, Any]:
    spec, counts = record.spec, record.counts
    score = stored_value(metric, record)
    details: dict[str, Any] = {"score": score, "details": _details(record)}
    if metric is AUROC and counts and score is not None:
        error = auc_standard_error(score, counts.test_anomaly, counts.test_normal)
        details["uncertainty"] = {
            "standard_error": {"value": error, "method": "Hanley-McNeil"},
            "num_samples": counts.test_anomaly + counts.test_normal,
        }
    return {
        "evaluation_result_id": f"{record.key}.{metric.id}",
        "evaluation_name": f"{LIBRARY}.{_task(record)}",
        "source_data": {
            "dataset_name": spec.split.dataset,
            "source_type": "other",
            "additional_details": {"manifest_sha256": spec.split.dataset_fingerprint, "test_list_sha256": spec.test},
        },
        "metric_config": {
            "metric_id": metric.id,
            "metric_name": metric.heading,
            "metric_kind": metric.id,
            "metric_unit": "proportion",
            "lower_is_better": metric.better == "lower",
            "score_type": "continuous",
            "min_score": metric.low,
            "max_score": metric.high,
        },
        "score_details": details,
    }


def _details(record: Record) -> dict[str, str]:
    """Facts of a run as texts, the only form that these details have."""
    spec = record.spec
    facts = {
        "run": spec.name,
        "key": record.key,
        "protocol": spec.split.rule,
        **{name: text for name, text in spec.split.coordinate_texts.items() if text},
        "split_seed": str(spec.split_seed),
        "training_seed": str(spec.fit.seed),
        "split_options": canonical(spec.split.options).decode(),
        "deviations": "; ".join(spec.deviations),
        "notes": "; ".join(record.notes),
    }
    return {name: text for name, text in facts.items() if text}


def _hub_entry(runs: list[Record], hub_datasets: Mapping[str, str]) -> str:
    """YAML of one value; its texts are quoted as JSON, which YAML reads."""
    first, done = runs[0], [run for run in runs if run.metrics]
    values = [run.metrics.auroc for run in done if run.metrics]
    sample = nested_sample(map(NestedRun, values, given_lists(done))).sample
    started = max(run.provenance.started for run in runs if run.provenance)
    splits = f" on {sample.n} splits" if sample.n != len(values) else ""
    spread = f", std {sample.std:.4f}" if sample.std is not None else ""
    weights = [f"weights {label}" for label in weight_labels(first)]
    facts = [f"recipe {first.spec.recipe}", *weights, first.spec.fit.precision, *first.spec.deviations]
    notes = "; ".join([f"AUROC, mean of {plural(len(values), 'run')}{splits}{spread}", *facts])
    return (
        f"- dataset:\n    id: {json.dumps(hub_datasets[first.spec.split.dataset])}\n"
        f"    task_id: {json.dumps(_task(first))}\n"
        f"  value: {sample.mean!r}\n  date: {json.dumps(started)}\n  notes: {json.dumps(notes)}\n"
    )


def _task(record: Record) -> str:
    split = record.spec.split
    return "_".join([split.rule, split.dataset, *filter(None, split.coordinate_texts.values())])


def _model(record: Record) -> str:
    """Path of a method in a collection: who provides it, then its id."""
    info = installed.methods().get(record.spec.method)
    return f"{info.package if info and info.is_plug_in else LIBRARY}/{_safe(record.spec.method)}"


def _safe(method: str) -> str:
    """The id of a method as the name of a folder, whatever a record of others says."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", method)


def _title(record: Record) -> str:
    info = installed.methods().get(record.spec.method)
    return info.title if info else record.spec.method


def _json(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
