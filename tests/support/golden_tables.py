"""Five tables on a few made-up runs, in each format: `python tests/support/golden_tables.py` writes them anew.

Look at `git diff tests/reports/golden` then: it is what a change means for readers. A format is an entry of
`GOLDEN_FORMATS`, and a reader of its cells in `tests/reports/test_golden.py`.
"""

import json
import re

from repository import ROOT
from table_records import make_table_record

from reports.layouts import layout
from reports.pages import render
from reports.tables import table

GOLDEN_TABLES = ("dra:2", "dra:1", "agad:5", "csi_gan:1", "ahl:4")
GOLDEN_FORMATS = ("md", "latex", "html", "csv", "json")
GOLDEN_FOLDER = ROOT / "tests" / "reports" / "golden"


def golden_records():
    """Runs that reproduce, that differ, that cannot be compared, that failed, and of a method that no paper prints."""
    hard = [
        make_table_record(mean + step, known_class=known_class, method=method, shots=shots, seed=seed)
        for known_class, method, shots, mean in (
            ("mono", "dra", 10, 0.731),
            ("poly", "dra", 10, 0.660),
            ("poly", "saoe", 1, 0.655),
            ("mono", "kdad", None, 0.794),
            ("mono", "mine", 10, 0.760),
            ("poly", "mine", 10, 0.770),
        )
        for seed, step in enumerate((-0.011, 0.002, 0.009))
    ]
    hard.append(make_table_record(0.7, dataset="carpet", known_class="cut", weights="random"))
    hard.append(make_table_record(dataset="carpet", known_class="hole", failed="MemoryError: made up"))
    general = [
        make_table_record(
            mean + seed / 500, rule="general", known_class=None, dataset=dataset, method=method, shots=shots, seed=seed
        )
        for dataset, method, shots, mean in (
            ("carpet", "dra", 10, 0.9),
            ("sdd", "dra", 1, 0.86),
            ("elpv", "kdad", None, 0.742),
        )
        for seed in range(3)
    ]
    classes = [
        make_table_record(
            0.9 + index / 200,
            rule=rule,
            known_class=None,
            shots=None,
            normal_class=str(index),
            dataset="cifar10",
            method=method,
            gamma=gamma,
        )
        for rule, method, gamma in (("labelled_share", "agad_unet_adv_prop", "0.01"), ("one_class", "csi", None))
        for index in range(10)
    ]
    return [*hard, *general, *classes]


def golden_table(name):
    return table.build_table(
        layout.auc_layout(name),
        golden_records(),
        measures=lambda record: {record.spec.method},
        versions={},
        added_methods=["mine"],
        titles={"mine": "Mine"},
    )


def golden_text(name, form):
    """The page; numbers of JSON to nine decimals, since the last digits are the machine's.

    JSON has the measured part, HTML neither style nor script, which are templates of their own.
    """
    built = golden_table(name)
    if form == "html":
        page = render.render_table(built, form)
        return re.sub(r"<(style|script)([^>]*)>.*?</\1>", r"<\1\2></\1>", page, flags=re.DOTALL)
    if form != "json":
        return render.render_table(built, form)
    content = json.loads(
        render.render_table(built.measured_part(), form), parse_float=lambda text: round(float(text), 9)
    )
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def golden_file(name, form):
    return GOLDEN_FOLDER / f"{name.replace(':', '-')}.{form}"


if __name__ == "__main__":
    GOLDEN_FOLDER.mkdir(exist_ok=True)
    for table_name in GOLDEN_TABLES:
        for table_form in GOLDEN_FORMATS:
            golden_file(table_name, table_form).write_text(golden_text(table_name, table_form), encoding="utf-8")
