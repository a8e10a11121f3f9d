"""Evidence behind the numbers of a page, handed to it ready: runs with their scores, explanations and commands."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reports.layouts.layout import Layout
from reports.tables.lookup import LookupKey
from results.record import Record

if TYPE_CHECKING:
    from results.scores import Scores


@dataclass(frozen=True, slots=True)
class Picture:
    """A small picture of a test image as a `data:` address, with its id, class and score."""

    address: str
    id: str
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class PictureSheet:
    """The normal images with the highest scores and the anomalies with the lowest, worst first.

    licence: of the images. reason: why there are none, empty where there are.
    """

    normals: tuple[Picture, ...] = ()
    anomalies: tuple[Picture, ...] = ()
    licence: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """A finished run: the lines of `bench results why`, its scores (None: not at hand), pictures where asked for."""

    record: Record
    why: tuple[str, ...]
    scores: "Scores | None" = None
    pictures: PictureSheet | None = None


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """A finished run whose scores are at hand, with the ids of the methods that it measures."""

    methods: Collection[str]
    record: Record
    scores: "Scores"


def _no_command(*_: object) -> str:
    return ""


def _no_records(_: Sequence[LookupKey]) -> Sequence[Record]:
    return ()


def _as_it_is(reason: str) -> str:
    return f"{reason}."


@dataclass(frozen=True, slots=True)
class PageEvidence:
    """Everything that a page says beyond its table.

    runs: by series. runs_at: every run at the places of a cell, also failed ones and those of series that the table
    does not show. scored: runs of any table, for what is seen and unseen. remake: the command that makes runs again.
    fill: that makes the runs of missing cells. explain: the sentence on a reason why runs do not count.
    """

    runs: Mapping[str, Sequence[RunEvidence]] = field(default_factory=dict)
    runs_at: Callable[[Sequence[LookupKey]], Sequence[Record]] = _no_records
    scored: Sequence[ScoredRun] = ()
    remake: Callable[[Sequence[Record]], str] = _no_command
    fill: Callable[[Layout, Sequence[LookupKey]], str] = _no_command
    explain: Callable[[str], str] = _as_it_is


NO_EVIDENCE = PageEvidence()
