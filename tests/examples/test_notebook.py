"""The notebook in `examples/` runs, on the packaged records and on a results folder."""

import os
import subprocess
import sys

import numpy as np
import pytest
from repository import ROOT

from results.reference import reference_records
from results.scores import Scores
from results.store import Store


@pytest.fixture
def notebook(tmp_path):
    def run(*words):
        return subprocess.run(
            [sys.executable, "-W", "error", ROOT / "examples" / "records_notebook.py", *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    return run


def test_it_prints_the_packaged_runs_their_means_and_their_cells(notebook):
    out = notebook()
    assert [record.spec.name for record in reference_records() if record.spec.name not in out] == []
    mono = [
        record.metrics.auroc
        for record in reference_records()
        if (record.spec.method, record.spec.split.known_class, record.spec.fit.precision) == ("dra", "mono", "bf16")
    ]
    assert f"{np.mean(mono):.3f} {np.std(mono, ddof=1):.3f}" in " ".join(out.split())
    assert "elpv mono dra 0.731" in " ".join(out.split())


def test_it_prints_the_scores_of_a_results_folder(notebook, tmp_path):
    record = next(record for record in reference_records() if record.spec.split.rule == "hard")
    scores = Scores(("a", "b", "c"), ("normal", "poly", "poly"), np.array([0.25, 0.5, 0.75]))
    Store(tmp_path / "runs").put(record, scores)
    assert f"{record.spec.name} normal 1.0 0.250" in " ".join(notebook("runs").split())
