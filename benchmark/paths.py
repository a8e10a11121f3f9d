"""Folders of a call: an option beats an environment variable beats the default."""

import os
from dataclasses import dataclass
from pathlib import Path

AUDITS_FOLDER = "audits"
"""Results folder, within another one, of runs whose test images were scored after every epoch."""


@dataclass(frozen=True)
class Folders:
    """Prepared data, cached image stores, records, and where weights are looked for."""

    data: Path
    cache: Path
    results: Path
    weights: str | None
    hub: Path


def resolve_folders(results: Path | None = None) -> Folders:
    """The folders of this call: `BENCH_DATA`, `BENCH_CACHE`, `BENCH_RESULTS`, `BENCH_WEIGHTS`, the torch hub cache."""
    import platformdirs

    env = os.environ
    torch_home = env.get("TORCH_HOME") or str(Path(env.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "torch")
    return Folders(
        data=Path(env.get("BENCH_DATA") or platformdirs.user_data_path("swanbench")),
        cache=Path(env.get("BENCH_CACHE") or platformdirs.user_cache_path("swanbench")),
        results=results or Path(env.get("BENCH_RESULTS") or "runs"),
        weights=env.get("BENCH_WEIGHTS") or None,
        hub=Path(torch_home).expanduser() / "hub",
    )
