"""`bench results verify`: the numbers of records, in a folder or a bundle, against their scores and keys."""

from typing import TYPE_CHECKING, Any

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import FilePath, counts_in_words, echo_json, json_option, note, say
from protocols.text import plural

if TYPE_CHECKING:
    from pathlib import Path

VERIFIED = {
    "verified": "what their scores give",
    "no_scores": "without scores",
    "failed": "of failed runs",
    "differs": "not what their keys or scores say",
    "unreadable": "left, since they cannot be read",
}
"""States of records in words."""


@click.command("verify")
@click.argument("bundles", metavar="[BUNDLE]...", nargs=-1, type=FilePath())
@click.option(
    "--results",
    type=FilePath(),
    multiple=True,
    metavar="DIR",
    help="Results folder (default: BENCH_RESULTS, else runs); repeatable; 'reference' is the packaged index.",
)
@click.option("--require-scores", is_flag=True, help="Exit with 1 also where a finished run has no scores.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, bundles: "tuple[Path, ...]", results: "tuple[Path, ...]", require_scores: bool, as_json: bool
) -> None:
    """Recompute the numbers of every record from its scores, and check what else its key tells of it.

    Scores must be of the test images in the key; AUROC, average precision and counts those of the scores; key, series,
    weights labels and deviations those of what is hashed. What differs or cannot be read is named, with exit status 1.
    A record without scores is named too: its numbers cannot be recomputed. Nothing is changed.

    BUNDLE is a file that `bench results attest` wrote, verified in place of a folder: its digests too, and the lists of
    each split, drawn again where the dataset is prepared here. It is not unpacked.
    """
    if bundles:
        if results or require_scores:
            raise BenchError("a BUNDLE has its records and scores in itself: leave out --results and --require-scores")
        ctx.exit(_verify_bundles(bundles, as_json=as_json))
    from benchmark.views.records import verify_records

    rows: list[dict[str, Any]] = []
    for folder in results or (None,):
        for checked in verify_records(folder):
            rows.append(
                {
                    "from": folder and str(folder),
                    "state": checked.state,
                    "name": checked.name,
                    "reasons": checked.reasons,
                }
            )
            for reason in checked.reasons or (["no scores lie beside it"] if checked.state == "no_scores" else []):
                note(f"{checked.name}: {reason}")
    if not rows:
        raise BenchError("there is no record to verify: give another folder with --results")
    wrong = {"differs", "unreadable"} | ({"no_scores"} if require_scores else set())
    if as_json:
        echo_json(rows)
    else:
        say(counts_in_words([row["state"] for row in rows], VERIFIED))
    ctx.exit(1 if any(row["state"] in wrong for row in rows) else 0)


def _verify_bundles(paths: "tuple[Path, ...]", *, as_json: bool) -> int:
    """The exit status of verifying bundles, after a line for each of their runs."""
    from benchmark.paths import resolve_folders
    from benchmark.views.runs.bundle_verifier import BundleVerifier
    from results.maintenance.bundles import read_bundle

    verify = BundleVerifier(resolve_folders().data, note)
    rows: list[dict[str, Any]] = []
    for path, bundle in [(path, read_bundle(path)) for path in paths]:
        attestation = bundle.attestation
        aurocs = {run.name: run.auroc for run in attestation.runs}
        verified = list(verify(bundle))
        for run in verified:
            undrawn = verify.undrawn.get(run.name)
            told = {"state": run.state, "name": run.name, "reasons": run.reasons, "lists_not_drawn": undrawn}
            rows.append({"from": str(path), "by": attestation.by, "sha256": bundle.digest, **told})
            if not as_json:
                say(f"{run.name}: {'; '.join(run.reasons) or _verified(aurocs[run.name], undrawn)}")
        if not as_json:
            right = sum(run.state == "verified" for run in verified)
            say(
                f"{path}: {plural(len(attestation.runs), 'run')} by {attestation.by} on "
                f"{plural(len(attestation.machines), 'machine')}, {right} as attested; SHA-256 {bundle.digest}"
            )
    if as_json:
        echo_json(rows)
    return 1 if any(row["state"] != "verified" for row in rows) else 0


def _verified(auroc: float, undrawn: str | None) -> str:
    """A run of a bundle that is as attested, in words; `undrawn` is why its lists were not drawn again."""
    lists = f"lists not drawn again, since {undrawn}" if undrawn else "lists as the rule draws them"
    return f"AUC {auroc:.4f} as its scores give it, {lists}"
