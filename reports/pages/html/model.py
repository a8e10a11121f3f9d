"""The page of a table as templates read it: texts, and pictures that are drawn already."""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from reports.pages.html.evidence import Picture
from reports.pages.page import CellDetail, GridCell


@dataclass(frozen=True, slots=True)
class ShownVerdict:
    """A verdict in three ways: `name` chooses the colour, `mark` and `words` say it; all are empty where none is."""

    name: str = ""
    mark: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class BoardCell:
    """A place of the table: texts, verdict, its number in the data of the page, and the anchor of its panel or none."""

    texts: GridCell
    verdict: ShownVerdict
    number: int | None
    anchor: str


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A row of a group; `name` is what tells it from the others."""

    name: str
    cells: tuple[BoardCell, ...]


@dataclass(frozen=True, slots=True)
class BoardGroup:
    """Rows of one data set, or whatever the first labels of rows say; `name` is empty where rows have one label."""

    name: str
    rows: tuple[BoardRow, ...]


@dataclass(frozen=True, slots=True)
class BoardBlock:
    """A block of the table."""

    title: str
    heading: str
    columns: tuple[str, ...]
    groups: tuple[BoardGroup, ...]


@dataclass(frozen=True, slots=True)
class FilterChoice:
    """A coordinate by which the table can be narrowed: values with their labels."""

    coordinate: str
    heading: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """Verdicts of a group's comparable cells: for each shown word the count, and that expected if all were equal."""

    group: str
    cells: int
    measured: int
    comparable: int
    counts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MissingCells:
    """Cells of a group that nothing fills yet, and the command that makes their runs."""

    group: str
    missing: int
    cells: int
    command: str


@dataclass(frozen=True, slots=True)
class MachineLine:
    """Code and machine behind some of the runs of a page."""

    runs: int
    code: str
    machine: str
    libraries: str


@dataclass(frozen=True, slots=True)
class ForestLine:
    """A measured cell beside its published values, on the axis of its data set."""

    name: str
    anchor: str
    plot: Markup
    published: str
    measured: str
    verdict: ShownVerdict


@dataclass(frozen=True, slots=True)
class Forest:
    """The measured cells of one data set on one axis."""

    title: str
    axis: Markup
    lines: tuple[ForestLine, ...]


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run of a cell: its seeds, value, name and key; `anchor` of its panel, or none.

    remark: why the table does not count it, empty where it does.
    """

    seeds: str
    value: str
    name: str
    key: str
    anchor: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class CellPanel:
    """Everything that is known of a measured, failed or stale cell."""

    anchor: str
    id: str
    title: str
    verdict: ShownVerdict
    numbers: tuple[tuple[str, str], ...]
    sentences: tuple[str, ...]
    runs: tuple[RunLine, ...]
    command: str


@dataclass(frozen=True, slots=True)
class ClassLine:
    """AUC and average precision of one anomaly class against the normal images, with its number of images."""

    label: str
    kind: str
    images: int
    auroc: str
    average_precision: str


@dataclass(frozen=True, slots=True)
class RunPanel:
    """One run: pictures of its scores (empty where they are not at hand), numbers by class, and what made it.

    own: lines of `bench results why` that this run alone has; the others stand in the panel at `settings`.
    """

    anchor: str
    name: str
    key: str
    value: str
    numbers: tuple[tuple[str, str], ...]
    roc: Markup
    histogram: Markup
    losses: Markup
    classes: tuple[ClassLine, ...]
    normals: tuple[Picture, ...]
    anomalies: tuple[Picture, ...]
    remarks: tuple[str, ...]
    own: tuple[str, ...]
    settings: str


@dataclass(frozen=True, slots=True)
class SettingsPanel:
    """Lines of `bench results why` that all runs of a method and recipe on the page share."""

    anchor: str
    title: str
    runs: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SlopeChart:
    """AUC of a method on anomaly classes where they are seen in training and where they are not."""

    title: str
    picture: Markup
    sentence: str
    lines: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class RankChart:
    """Mean ranks of methods with the critical difference, and how often each is ahead of each other one."""

    title: str
    picture: Markup
    sentence: str
    methods: tuple[str, ...]
    ranks: tuple[str, ...]
    wins: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class ResultPage:
    """The whole page.

    notes: with their numbers, those of cells that have no panel. tests: against the baseline of a suite. data: JSON of
    the cells for the script.
    """

    title: str
    caption: str
    citation: str
    verdicts: tuple[str, ...]
    count_words: tuple[str, ...]
    counts: tuple[VerdictCounts, ...]
    missing: tuple[MissingCells, ...]
    machines: tuple[MachineLine, ...]
    forests: tuple[Forest, ...]
    forest_legend: str
    filters: tuple[FilterChoice, ...]
    shown_verdicts: tuple[ShownVerdict, ...]
    blocks: tuple[BoardBlock, ...]
    is_published: bool
    has_measured: bool
    legend: tuple[str, ...]
    notes: tuple[tuple[int, str], ...]
    remarks: tuple[str, ...]
    errata: tuple[str, ...]
    tests: tuple[CellDetail, ...]
    test_headings: tuple[str, ...]
    cells: tuple[CellPanel, ...]
    runs: tuple[RunPanel, ...]
    settings: tuple[SettingsPanel, ...]
    slopes: tuple[SlopeChart, ...]
    slopes_remark: str
    rankings: tuple[RankChart, ...]
    data: Markup
