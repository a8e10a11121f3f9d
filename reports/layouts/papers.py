"""Papers: a folder of `reports/papers` each, and those that other packages offer by entry point `package:folder`."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from protocols import plugins
from protocols.plugins import PluginError
from reports.errors import ReportError
from reports.layouts.paper import PAPER_FILE, Paper, read_paper
from reports.layouts.paper_check import check_paper

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

PAPERS_GROUP = "swanbench.papers"
PAPERS_FOLDER = Path(__file__).parents[1] / "papers"


@functools.cache
def our_papers() -> tuple[Paper, ...]:
    """Papers of this package; those with short forms first, in the order of these."""
    papers = [read_paper(path.parent, path.parent.name) for path in PAPERS_FOLDER.glob(f"*/{PAPER_FILE}")]
    return tuple(sorted(papers, key=lambda paper: (not paper.short_forms, paper.short_forms, paper.paper)))


def every_paper() -> list[Paper]:
    """Papers of this package, then those of usable plug-ins by name."""
    return [*our_papers(), *_offered()[0]]


def broken_papers() -> dict[str, str]:
    """Plug-ins that cannot be used, by entry point name, with the reason."""
    return _offered()[1]


def find_paper(id_: str) -> Paper | None:
    """The paper of this id; None where nobody offers one.

    Raises:
        ReportError: the plug-in that offers it cannot be used.
    """
    ours = next((paper for paper in our_papers() if paper.paper == id_), None)
    if ours:
        return ours
    same = plugins.points_by_name(PAPERS_GROUP).get(id_)
    try:
        return _read(same) if same else None
    except PluginError as error:
        raise ReportError(f"the plug-in '{id_}' cannot be used: {error}") from error


def paper_of_short_form(table: str) -> Paper | None:
    """The paper of this package that has this short form of a table."""
    return next((paper for paper in our_papers() if table in paper.short_forms), None)


def short_forms() -> dict[str, list[str]]:
    """Short forms of tables that hold results, by name of the paper."""
    return {
        paper.name: [form for form in paper.short_forms if form not in paper.no_results]
        for paper in our_papers()
        if paper.short_forms
    }


def _offered() -> tuple[list[Paper], dict[str, str]]:
    """Papers of usable plug-ins by name, and the reasons of those that cannot be used."""
    papers, problems = [], {}
    for name, same in plugins.points_by_name(PAPERS_GROUP).items():
        try:
            papers.append(_read(same))
        except PluginError as error:
            problems[name] = str(error)
    return papers, problems


def _read(same: "Sequence[EntryPoint]") -> Paper:
    """The paper of the entry points of one name, of which there should be one; raises PluginError otherwise."""
    point = plugins.only_point(same, {paper.paper for paper in our_papers()}, "paper")
    with plugins.guest_code():
        try:
            paper = read_paper(plugins.plugin_folder(point.value, "paper's folder"), point.value)
            check_paper(paper, point.name)
        except ReportError as error:
            raise PluginError(str(error)) from error
    return paper
