"""Box plots of anomaly scores by Tukey's rule, for each normal class (AGAD Fig. 4, spec AGAD 8)."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from reports.errors import ReportError
from reports.layouts.layout import BoxLayout, Source
from reports.tables.lookup import Lookup, MeasuredIds
from reports.tables.measured import Stale, never_stale
from results.record import Record

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from results.scores import Scores

BOX_COLUMNS = (
    "dataset", "normal_class", "gamma", "method", "recipe", "seed", "images", "n", "removed", "low", "q1", "median",
    "q3", "high",
)  # fmt: skip
_FENCE = 1.5


@dataclass(frozen=True, slots=True)
class Box:
    """The `n` scores within the fences: their least and greatest, quartiles and median; `removed` lie outside."""

    low: float
    q1: float
    median: float
    q3: float
    high: float
    n: int
    removed: int


@dataclass(frozen=True, slots=True)
class BoxGroup:
    """The box of one side of a run's test images."""

    record: Record
    images: Literal["normal", "anomalous"]
    box: Box


@dataclass(frozen=True, slots=True)
class BoxPlot:
    """All boxes of a figure: panels of groups by dataset as printed, sorted by normal class, gamma and side."""

    title: str
    method: str
    gammas: tuple[str, ...]
    panels: Mapping[str, tuple[BoxGroup, ...]]


def tukey_box(scores: "npt.NDArray[np.float64]") -> Box:
    """The box of the scores (n,), n at least 1, that lie within [Q1 - 1.5 IQR, Q3 + 1.5 IQR], bounds included.

    Quartiles by linear interpolation (type 7), for the fences of all scores, for the box of those kept.
    """
    import numpy as np

    q1, q3 = np.quantile(scores, [0.25, 0.75])
    reach = _FENCE * (q3 - q1)
    inliers = scores[(scores >= q1 - reach) & (scores <= q3 + reach)]
    low, first, median, third, high = np.quantile(inliers, [0, 0.25, 0.5, 0.75, 1]).tolist()
    return Box(low, first, median, third, high, n=len(inliers), removed=len(scores) - len(inliers))


def collect_boxes(
    layout: BoxLayout,
    records: Iterable[Record],
    *,
    scores: Callable[[Record], "Scores"],
    measures: MeasuredIds,
    versions: Mapping[str, int],
    stale: Stale = never_stale,
    method: str | None = None,
    gammas: Collection[str] = (),
) -> BoxPlot:
    """The boxes of a figure: of each dataset, normal class and gamma the first seed of the series to show first.

    Args:
        layout: the figure.
        records: of any method; others are passed over.
        scores: the scores behind a record.
        measures: the ids of the detectors and variants that a record measures.
        versions: current version by detector.
        stale: what else makes a record stale.
        method: None for the figure's own.
        gammas: none for the figure's own.

    Raises:
        ReportError: there is no such record.
    """
    source = Source(method or layout.entry.method, layout.entry.rule, {})
    shares = tuple(gammas) or tuple(layout.entry.gammas)
    lookup = Lookup(records, measures, versions, stale)
    measured = lookup.values(source, "dataset")
    datasets = [
        *(name for name in layout.entry.datasets if name in measured),
        *sorted({*measured} - {*layout.entry.datasets}),
    ]
    panels = {}
    for dataset in datasets:
        runs = _runs(lookup, source, dataset, shares)
        groups = tuple(group for record in runs for group in _groups(record, scores(record)))
        if groups:
            panels[layout.paper.label("dataset", dataset)] = groups
    if not panels:
        raise ReportError(
            f"no finished run of {source.method} with gamma {' or '.join(shares)}: run bench run --suite {source.rule} "
            f"--method {source.method} --gamma {','.join(shares)} first"
        )
    return BoxPlot(layout.title, source.method, shares, panels)


def box_rows(plot: BoxPlot) -> Iterator[Sequence[str]]:
    """The numbers of a box plot as lines of fields, a heading first; scores in full."""
    yield BOX_COLUMNS
    for groups in plot.panels.values():
        for group in groups:
            spec, box = group.record.spec, group.box
            yield (
                spec.split.dataset,
                spec.split.normal_class or "",
                spec.split.gamma or "",
                plot.method,
                spec.recipe,
                str(spec.fit.seed),
                group.images,
                str(box.n),
                str(box.removed),
                *(str(number) for number in (box.low, box.q1, box.median, box.q3, box.high)),
            )


def _runs(lookup: Lookup, source: Source, dataset: str, gammas: Sequence[str]) -> Iterator[Record]:
    for normal_class in lookup.values(source, "normal_class"):
        for gamma in gammas:
            at = {"dataset": dataset, "normal_class": normal_class, "gamma": gamma}
            series = next((series for series in lookup.series(source, at) if series.runs), None)
            if series:
                yield series.runs[min(series.runs)]


def _groups(record: Record, scores: "Scores") -> Iterator[BoxGroup]:
    for label in (0, 1):
        values = scores.values[scores.labels == label]
        if len(values):
            yield BoxGroup(record, "anomalous" if label else "normal", tukey_box(values))
