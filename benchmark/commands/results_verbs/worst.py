"""`bench results worst`: the test images that a run got most wrong."""

from typing import TYPE_CHECKING

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import FilePath, note, put, record_folder_option
from benchmark.views.runs.found_runs import find_run, folder_records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmark.views.runs.worst_images import RankedImage

HEADING = ("kind", "rank", "score", "class", "id")


@click.command("worst")
@click.argument("run")
@click.option("--count", type=click.IntRange(min=1), default=10, show_default=True, help="Images of each kind.")
@click.option("--format", "form", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True)
@click.option("--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write to FILE.")
@record_folder_option
def command(run: str, count: int, form: str, output: "Path | None", results: "Path | None") -> None:
    """Normal images of RUN with the highest scores and anomalies with the lowest.

    RUN is a name, or the beginning of one or of a key. A rank is a place among all test images, 1 the highest score.
    """
    from benchmark.views.metric_values import NO_SCORES, scored_folders, scores_finder
    from benchmark.views.runs.worst_images import worst_images

    record = find_run(run, folder_records(results, note), results)
    scores = scores_finder(scored_folders([] if results is None else [results]), note)(record)
    if scores is None:
        raise BenchError(f"run {record.spec.name}: {NO_SCORES}")
    normals, anomalies = worst_images(scores, count)
    total = f"{record.spec.name}: ranks of {len(scores.ids)} test images"
    put(_rendered(total, {"normal": normals, "anomaly": anomalies}, form), output)


def _rendered(title: str, images: "dict[str, list[RankedImage]]", form: str) -> str:
    import json
    from dataclasses import asdict

    from protocols.text import printable_json
    from reports.text import csv_text

    if form == "json":
        content = {kind: [asdict(image) for image in ranked] for kind, ranked in images.items()}
        return printable_json(json.dumps(content, indent=2, ensure_ascii=False)) + "\n"
    if form == "csv":
        rows = [
            (kind, str(image.rank), repr(image.score), image.image_class, image.id)
            for kind, ranked in images.items()
            for image in ranked
        ]
        return csv_text([HEADING, *rows])
    words = {"normal": "normal images with the highest scores", "anomaly": "anomalies with the lowest scores"}
    sections = [f"\n{words[kind]}\n{_lines(ranked)}" for kind, ranked in images.items()]
    return f"{title}\n" + "".join(sections)


def _lines(images: "Sequence[RankedImage]") -> str:
    from protocols.text import printable_line

    width = max((len(image.image_class) for image in images), default=0)
    lines = (f"{image.rank:6} {image.score:11.4g}  {image.image_class:{width}}  {image.id}" for image in images)
    return "".join(f"{printable_line(line)}\n" for line in lines)
