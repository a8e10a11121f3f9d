"""`bench score`: scores of new images by a model that a run kept."""

import math
from typing import TYPE_CHECKING, Any

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import FilePath, check_output, note, put, results_option

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark.execution.stores.models.kept_model import KeptModel
    from benchmark.execution.stores.models.scoring import FolderScores
    from results.record import Record

FEW = 20
"""Training normals below which a quantile of their scores says little."""


@click.command("score", short_help="Score images of your own by a model that a run kept.")
@click.option("--run", "run", required=True, metavar="RUN", help="A run's name, or the beginning of one or of a key.")
@click.option(
    "--input", "source", required=True, type=FilePath(), metavar="PATH", help="A folder of images, or one image."
)
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@click.option("--output", type=FilePath(dir_okay=False), metavar="FILE", help="Default: stdout.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.95,
    show_default=True,
    help="Share of the training normals whose scores are not over the threshold.",
)
@click.option(
    "--heatmaps",
    type=FilePath(file_okay=False),
    metavar="DIR",
    help="Write a PNG an image: where it is anomalous. Only of methods that have such maps.",
)
@click.option(
    "--weights", multiple=True, metavar="[ARCH=]FILE", help="ImageNet weights of the run, as bench run has it."
)
@click.option("--device", default="cpu", show_default=True, help="Such as cuda; auto: an accelerator if there is one.")
@click.option("--threads", type=click.IntRange(1, 1 << 10), help="Default: those of the run, which give its bits.")
@results_option
def command(run: str, source: "Path", results: "Path | None", **options: Any) -> int:
    """Score images that belong to no dataset, by the model that `bench run --keep-models` kept of RUN.

    Images are decoded and resized as those of the run's dataset were. A row has the file, its score (higher is more
    anomalous), and whether it is over the threshold. The threshold is a quantile of the scores of the training normals;
    a detector gives these lower scores than new normals, of which more will be over it.

    Exit status 1 where some files cannot be read: the others are scored.
    """
    from benchmark.views.runs.found_runs import find_run, folder_records
    from protocols.text import plural

    record = find_run(run, folder_records(results, note), results)
    paths, others = _images(source)
    if options["output"] is not None:
        check_output(options["output"])
    _refuse_inputs(source, paths, options)
    if math.isnan(options["threshold"]):
        raise BenchError("--threshold nan is no share: give a number from 0 to 1")
    model = _model(record, results, options)
    from benchmark.execution.stores.models.scoring import score_files

    if others:
        note(f"{plural(others, 'file')} passed over, whose endings are no image's")
    for remark in _remarks(model, options["threshold"]):
        note(remark)
    folder = options["heatmaps"]
    scores = score_files(
        model,
        paths,
        None if folder is None else lambda path: folder / f"{_name(path, source)}.png",
        progress=lambda done, total: note(f"{done} of {total} images") if total > model.block else None,
        notify=lambda text: note(f"left out: {text}"),
    )
    threshold = model.threshold(options["threshold"])
    put(_page(scores, source, record, options, threshold), options["output"])
    over = sum(file.score > threshold for file in scores.scored)
    note(f"{plural(len(scores.scored), 'image')} scored, {over} over the threshold {threshold:.6g}")
    if scores.n_beyond:
        hotter = plural(scores.n_beyond, "heat map is", "heat maps are")
        note(f"{hotter} everywhere hotter than any training normal: each has a scale of its own, and shows where alone")
    return 1 if scores.unreadable else 0


def _refuse_inputs(source: "Path", paths: "list[Path]", options: dict[str, Any]) -> None:
    """Raise BenchError where a file that is written would take the place of an image, or be scored by the next call."""
    folder, output = options["heatmaps"], options["output"]
    if output is not None and output.resolve() in {path.resolve() for path in paths}:
        raise BenchError(f"--output {output} is one of the images: name another file")
    if folder is not None and source.is_dir() and folder.resolve().is_relative_to(source.resolve()):
        raise BenchError(f"--heatmaps {folder} lies within --input {source}: name a folder beside it")
    if folder is not None and (folder / f"{_name(paths[0], source)}.png").resolve() == source.resolve():
        raise BenchError(f"--heatmaps {folder} would replace the image {source}: name another folder")


def _images(source: "Path") -> "tuple[list[Path], int]":
    """The images to score, and how many other files lie beside them; raises BenchError where there are no images."""
    from protocols.release.release_files import IMAGE_SUFFIXES, images_below

    if not source.exists():
        raise BenchError(f"--input {source}: there is no such file or folder; give a folder of images, or one image")
    if not source.is_dir():
        return [source], 0
    images, others = images_below(source)
    if not images:
        endings = ", ".join(IMAGE_SUFFIXES)
        raise BenchError(f"--input {source}: the folder holds no image ({endings}); give another, or one image")
    return images, others


def _model(record: "Record", results: "Path | None", options: dict[str, Any]) -> "KeptModel":
    from benchmark.paths import resolve_folders
    from benchmark.views.pages.remaking import refuse_unkept
    from results.store import Store

    folders = resolve_folders(results)
    store = Store(folders.results)
    refuse_unkept(record, store, results)
    from benchmark.execution.stores.models.keeping import open_model  # loads torch

    return open_model(
        store,
        record.fit_key,
        folders,
        weights=options["weights"],
        device=_device(options["device"]),
        threads=options["threads"],
    )


def _device(name: str) -> str:
    from methods.devices import best_device, parse_device

    device = best_device() if name == "auto" else parse_device(name)
    if device.among:
        raise BenchError(f"--device {name}: one device scores, such as {device.kind}:{device.among[0]}")
    if missing := device.missing():
        raise BenchError(f"no device '{name}' on this machine, {missing}: give --device cpu, or score where one is")
    return str(device)


def _remarks(model: "KeptModel", share: float) -> "list[str]":
    """Sentences on what scores and threshold of a model are worth here."""
    from benchmark import numerics
    from benchmark.planning.code_digest import code_digest
    from methods.registry import installed

    facts, context = model.contents.facts, model.context
    count = len(model.contents.train_scores)
    own_class = numerics.numerics_class(device=context.device, precision=facts.fit.precision, threads=context.threads)
    few = f"; {count} are few to tell it from" if count < FEW else ""
    threshold = f"the threshold is such that at least {share:.3g} of the {count} training normals are not over it{few}"
    remarks = [
        f"{threshold}: they score lower than new normals, of which more will be over it, with a memory bank nearly all"
    ]
    if not facts.independent and model.is_by_itself:
        remarks.append(
            f"{facts.method} compares each test batch with references that it draws from the training images; here one "
            "set, drawn when the model was kept, serves all images, so that scores are not quite those of the record"
        )
    elif not facts.independent:
        remarks.append(f"scores of {facts.method} depend on the images beside them in a batch, which are others here")
    if facts.code_digest != code_digest(installed.get(facts.method).module):
        remarks.append(f"the model was made by other code of {facts.method} than is installed now")
    if facts.numerics_class != own_class:
        remarks.append(
            f"the model was made in numerics class {facts.numerics_class}, this is {own_class}: last digits differ"
        )
    return remarks


def _page(scores: "FolderScores", source: "Path", record: "Record", options: dict[str, Any], threshold: float) -> str:
    import json

    from reports.text import csv_text

    rows = [(_name(file.path, source), file.score, file.score > threshold) for file in scores.scored]
    if options["form"] == "csv":
        lines = [(name, repr(score), str(over).lower()) for name, score, over in rows]
        return csv_text([("file", "score", "over"), *lines])
    maps = [None if file.heat_map is None else str(file.heat_map) for file in scores.scored]
    content = {
        "run": record.spec.name,
        "key": record.key,
        "threshold": {"share": options["threshold"], "score": threshold},
        "images": [
            {"file": name, "score": score, "over": over, **({"heat_map": heat} if heat else {})}
            for (name, score, over), heat in zip(rows, maps, strict=True)
        ],
        "unreadable": [{"file": _name(path, source), "reason": text} for path, text in scores.unreadable.items()],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _name(path: "Path", source: "Path") -> str:
    """A file's path below the folder that was given, POSIX; the name of a file that was given itself."""
    return path.name if path == source else path.relative_to(source).as_posix()
