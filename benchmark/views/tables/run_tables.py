"""Tables that a run ends with: the papers', the suite's own, and what selection of the best epoch would be worth."""

import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from benchmark.planning.equivalence import detector_versions, measures, method_titles
from benchmark.planning.installed import InstalledCode
from benchmark.planning.suite import Selection, option_words
from benchmark.planning.types import Plan
from benchmark.terminal.narrow import narrow_text, say_fitting
from benchmark.terminal.options import note, say_page
from benchmark.views.derived import derive_words
from benchmark.views.metric_values import scores_digest, scores_finder
from benchmark.views.runs.small_budget import budget_sentences
from benchmark.views.tables.suites import suite_view, suites_tested_apart
from reports.comparison.selection import render_selection, selection_audits
from reports.layouts.layout import Layout
from reports.pages import page, render
from reports.tables import table, unplaced_runs
from reports.tables.table import Table
from results.store import Store

REPORT_FILTERS = ("method", "dataset", "shots", "gamma")
"""Options of `bench run` that `bench report --suite` has too."""


def print_results(
    planned: Plan, selection: Selection, store: Store, layouts: Sequence[Layout], options: Mapping[str, Any]
) -> None:
    """What the runs of a plan measured: tables, or the gain of selection where it was audited."""
    if planned.audit:
        _print_audits(planned, store)
    else:
        _print_tables(planned, selection, store, layouts, options)


def _print_audits(planned: Plan, store: Store) -> None:
    """The audits of these runs: last epoch, best epoch and the gap."""
    stored = (record for run in planned.runs if run.spec and (record := store.get(run.spec.key)))
    say_page(render_selection(selection_audits(stored), "md"))


def _print_tables(
    planned: Plan, selection: Selection, store: Store, layouts: Sequence[Layout], options: Mapping[str, Any]
) -> None:
    """The papers' tables with what these runs measured, the suite's own with runs that stand in none, what they lack.

    All runs stand in the suite's own where a method was run with several values of a parameter.
    """
    code = InstalledCode(accept=options["accept_stale_code"])
    build = partial(
        table.build_table,
        versions=detector_versions(),
        stale=code.stale,
        remark=code.note,
        scores_digest=partial(scores_digest, scores_finder([store], note)),
    )
    folder = f" --results {options['results']}" if options["results"] else ""

    def say_table(built: Table, asked: str) -> None:
        part = built.measured_part()
        whole = f"The whole table: bench report {asked}{folder} --output table.md"
        say_fitting(render.render_table(part, "md"), partial(narrow_text, page.table_page(part), whole))

    stored = (record for run in planned.runs if run.spec and (record := store.get(run.spec.key)))
    records = derive_words(stored, note)
    others, measured_as = records, measures()
    for chosen in layouts:
        built = build(
            chosen,
            records,
            measures=measured_as,
            added_methods=sorted({run.wanted_run.method for run in planned.runs}),
            titles=method_titles(),
        )
        others = unplaced_runs.unplaced_runs(built, others, measured_as)
        if built.has_measured:
            say_table(built, f"--table {chosen.id}")
    if planned.is_swept:
        others = records
    others = [record for record in others if record.status == "done"]
    filters = {name: text for name, text in selection.options.items() if name in REPORT_FILTERS}
    for suite in (planned.suite, *suites_tested_apart(planned.suite)) if others else ():
        view = suite_view(suite, selection, others)
        chosen_columns = build(view.layout, view.records, measures=view.measures, titles=view.titles)
        if chosen_columns.has_measured:
            name = options["suite"] if suite is planned.suite else suite.id
            say_table(chosen_columns, f"--suite {name}{option_words(filters)}")
    given_options = selection.options
    if options["split_file"]:
        given_options = {name: text for name, text in given_options.items() if name != "split-seed"}
        given_options["split-file"] = shlex.quote(str(options["split_file"]))
    for sentence in budget_sentences(records, options["suite"], option_words(given_options)):
        note(sentence)
