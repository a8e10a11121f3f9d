"""Form of a paper's folder: `paper.toml` says how its tables and figures are printed, and names CSV files beside it.

The TOML file says for its paper: `paper` (its id), `unit`, `decimals` (`std_decimals` where the std has others),
`metric`, the kind of `std` (`runs`, `classes`, `none`), the number of `runs` behind a published mean (or `unknown`,
which counts as three), `methods` (printed method = detector or variant that measures it; one that is missing there is
measured by nothing), `labels` by coordinate, `classes` by dataset, `groups` of values, and in papers of this package
`short_forms`, the tables that may be asked for without the paper's id.

What a printed value is stands in `sources`: printed method = `paper` (first measured by this paper; what one that is
missing there is too), `rerun` (another paper's method, run anew) or `quoted` (taken over from the paper `quoted_from`,
if that is known: no evidence of its own). `by` names who measured, where the paper's name says too little.

An entry `[tables.ID]`, or `[figures.ID]` for a figure that holds AUCs, has `file` (and `lines`, the value of its
column `table`, where a file holds several), its `coordinates` in the file's order, the `rule` whose runs measure it
(not needed where `protocol` is a coordinate), the coordinates that name `rows`, `blocks` (one printed block a value)
and `columns`, the `order` of a coordinate's values where it is not the file's, and

- `measured`: `when` these coordinates hold, `method` measures the cell (empty: nothing does), under `rule`, on splits
  that have the coordinates of `split` too; where `history` names a number of a run's history, its last value stands in
  the cell in place of the AUC and gets no verdict;
- `means`, cells that are a mean over subsets: `when` these coordinates hold, the mean is taken `over` a coordinate
  whose values are a `group`, or the dataset's classes (`normal_class`), or those of the other lines of the file, or
  `of` another table. A value of a group may be a mean itself;
- `groups`: the coordinates whose values name the cells that are judged together (not given: `protocol`, `method` and
  the number or share of labelled anomalies, where the table has them);
- `lower_is_better`: values of the coordinate `metric` whose best value is the lowest;
- `class_counts`: the table of facts of this paper whose column `anomaly_classes` a typeset table prints by dataset;
- `quoted`: `when` these coordinates hold, the value is taken over from the paper `of`, whatever `sources` says;
- `data`: `when` these coordinates hold, the paper used the prepared `variant` of the dataset; runs on another are not
  comparable, for this `reason`.

An entry `[facts.ID]` is a table of other facts (`reports.pages.facts`), `[boxes.ID]` a figure of scores
(`reports.figures.boxes`).
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from protocols.text import plural
from reports.errors import ReportError
from reports.layouts.published import Unit
from reports.stats.thresholds import UNKNOWN_RUNS

PAPER_FILE = "paper.toml"
ENTRY_ID = r"\A[a-z0-9_]+\Z"
EntryId = Annotated[str, msgspec.Meta(pattern=ENTRY_ID)]
Decimals = Annotated[int, msgspec.Meta(ge=0)]
SourceKind = Literal["paper", "rerun", "quoted"]


class MeanRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    over: str
    when: dict[str, str] = {}
    group: str = ""
    of: str = ""


class MeasuredBy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    when: dict[str, str] = {}
    method: str | None = None
    rule: str = ""
    split: dict[str, str] = {}
    history: str = ""


class DataRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    when: dict[str, str]
    variant: str
    reason: str


class QuotedCells(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    when: dict[str, str]
    of: str


class TableEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table or figure as its TOML entry says."""

    title: str
    file: str
    coordinates: list[str]
    rows: list[str]
    columns: list[str]
    lines: str = ""
    name: str = ""
    blocks: list[str] = []
    order: dict[str, list[str]] = {}
    rule: str = ""
    means: list[MeanRule] = []
    measured: list[MeasuredBy] = []
    data: list[DataRule] = []
    quoted: list[QuotedCells] = []
    std: Literal["runs", "classes", "none"] | None = None
    metric: str = ""
    groups: list[str] | None = None
    lower_is_better: list[str] = []
    class_counts: str = ""
    notes: list[str] = []


class NetworkSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Networks whose parameters are counted: those of a recipe on a dataset, for images of `side` pixels."""

    recipe: str
    dataset: str
    side: int
    channels: int


class FactEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of facts: `columns` of the file, those of them that can be `measured`, and what names a row.

    `key` is the coordinate by which measured facts are found; the row of a value in `sums` sums those of a group.
    `measured_by` is what is counted: `images` of the prepared dataset in `key`, for the columns `train_normal`,
    `test_normal`, `test_anomaly` and `anomaly_classes`; or `network_parameters` of the method in `key`, built as
    `networks` says, for the column `params_millions`. A column of another name is not measured.
    """

    title: str
    caption: str
    file: str
    coordinates: list[str]
    key: str
    columns: list[str]
    measured: list[str]
    rows: list[str]
    measured_by: Literal["", "images", "network_parameters"] = ""
    networks: NetworkSetting | None = None
    sums: dict[str, str] = {}
    notes: list[str] = []


class BoxEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A figure of scores: of this `method` under `rule`, a colour for each of the `gammas`, a panel a dataset."""

    title: str
    method: str
    rule: str
    gammas: list[str]
    datasets: list[str]
    notes: list[str] = []


class Paper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One folder; `folder`, its path, is filled in when it is read."""

    folder: str
    paper: EntryId
    name: str
    citation: str
    unit: Unit
    decimals: Decimals
    metric: str
    std: Literal["runs", "classes", "none"]
    runs: int | Literal["unknown"]
    by: str = ""
    std_decimals: Decimals | None = None
    short_forms: list[str] = []
    methods: dict[str, str] = {}
    sources: dict[str, SourceKind] = {}
    quoted_from: str = ""
    labels: dict[str, dict[str, str]] = {}
    classes: dict[str, int] = {}
    groups: dict[str, list[str]] = {}
    notes: list[str] = []
    no_results: dict[str, str] = {}
    tables: dict[EntryId, TableEntry] = {}
    facts: dict[EntryId, FactEntry] = {}
    figures: dict[EntryId, TableEntry] = {}
    boxes: dict[EntryId, BoxEntry] = {}

    @property
    def counted_runs(self) -> int:
        """The number of runs that a published mean counts as."""
        return UNKNOWN_RUNS if self.runs == "unknown" else self.runs

    @property
    def runs_text(self) -> str:
        return "an unknown number of runs" if self.runs == "unknown" else plural(self.runs, "run")

    @property
    def measured_by(self) -> str:
        """The people who measured what the paper did not take over."""
        return self.by or self.name

    def label(self, coordinate: str, value: str) -> str:
        """The printed form of a value of a coordinate."""
        labels = self.labels.get(coordinate, {})
        if value in labels:
            return labels[value]
        if coordinate in {"dataset", "source_dataset", "known_class"}:
            return value.replace("_", " ").capitalize()
        return value

    def heading(self, coordinate: str) -> str:
        """The printed form of a coordinate itself."""
        labels = self.labels.get("coordinate", {})
        return labels.get(coordinate, coordinate.replace("_", " ").capitalize())


def read_paper(folder: Path, origin: str) -> Paper:
    """The paper of a folder; `origin` names it in errors.

    Raises:
        ReportError: `paper.toml` cannot be read, or says what a paper cannot.
    """
    try:
        document = tomllib.loads((folder / PAPER_FILE).read_text(encoding="utf-8"))
        return msgspec.convert(document | {"folder": str(folder)}, Paper)
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"{PAPER_FILE} of {origin} cannot be read: {error}") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ReportError(f"{PAPER_FILE} of {origin} is not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ReportError(
            f"{PAPER_FILE} of {origin}: {error}; see those that come with swanbench for the form"
        ) from error
