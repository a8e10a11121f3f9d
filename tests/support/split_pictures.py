"""The picture of `docs/splits.md`: each rule's lists on small made-up datasets, drawn by the rules themselves."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from verdict_pictures import STYLE, drawn

from protocols.datasets.manifest import Dataset, Row
from protocols.splits.split import Split, draw

COLOURS = {
    "normal images to train on": "#56B4E9",
    "labelled anomalies to train on": "#D55E00",
    "normal images of the test": "#CBE5F5",
    "anomalies of the test": "#F3C9A9",
    "left out": "#FFFFFF",
}
DEFECTS = {("normal", ""): 32, ("bent", ""): 14, ("cut", ""): 12}
CLASSES = {(str(index), part): 16 if part == "train" else 8 for index in range(3) for part in ("train", "test")}


def made_up(name: str, counts: dict[tuple[str, str], int]) -> Dataset:
    """A dataset with so many images of each label and part of the release."""
    rows = [
        Row(f"{part}/{label}/{number:02d}", "", label, part, f"{label}{part}{number}", 1, 1, 1)
        for (label, part), count in counts.items()
        for number in range(count)
    ]
    return Dataset(name, Path(), tuple(sorted(rows, key=lambda row: row.id)))


def picture() -> bytes:
    """A square an image and a row a class: what each rule does with it."""
    defects, classes = made_up("parts", DEFECTS), made_up("digits", CLASSES)
    panels = {
        "general, ten-shot": (defects, draw(defects, "general", split_seed=0, shots=10)),
        "general, one-shot: the same test": (defects, draw(defects, "general", split_seed=0, shots=1)),
        "hard, ten-shot, bent known": (defects, draw(defects, "hard", split_seed=0, known_class="bent", shots=10)),
        "one class, 0 normal": (classes, draw(classes, "one_class", split_seed=0, normal_class="0")),
        "labelled share, 0 normal, gamma 0.20": (
            classes,
            draw(classes, "labelled_share", split_seed=0, normal_class="0", gamma="0.20"),
        ),
    }
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 5.2), layout="constrained")
        for place, (title, (dataset, split)) in enumerate(panels.items()):
            _draw_panel(figure.add_subplot(3, 2, place + 1), title, dataset, split)
        handles = [Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor="#777777") for colour in COLOURS.values()]
        figure.legend(handles, list(COLOURS), loc="outside lower center", ncols=3, frameon=False)
        return drawn(figure)


def _draw_panel(axes, title: str, dataset: Dataset, split: Split) -> None:
    labels = list(dict.fromkeys(row.label for row in sorted(dataset.rows, key=lambda row: row.label != "normal")))
    lists = (split.train_normal, split.train_anomaly, split.test_normal, split.test_anomaly)
    uses = {id_: use for use, ids in zip(COLOURS, lists, strict=False) for id_ in ids}
    order = list(COLOURS)
    for y, label in enumerate(labels):
        of_label = [uses.get(row.id, "left out") for row in dataset.rows if row.label == label]
        for x, use in enumerate(sorted(of_label, key=order.index)):
            axes.add_patch(
                Rectangle((x, y + 0.1), 0.8, 0.8, facecolor=COLOURS[use], edgecolor="#777777", linewidth=0.6)
            )
    axes.set(xlim=(-0.5, 33), ylim=(len(labels), 0), title=title)
    axes.set_yticks([y + 0.5 for y in range(len(labels))], labels)
    axes.set_xticks([])
    axes.tick_params(left=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


if __name__ == "__main__":
    path = Path(__file__).parents[2] / "docs" / "figures" / "splits.svg"
    path.write_bytes(picture())
