"""Pages in a real Chromium: they ask for nothing, filter, sort, go back, save, and can be read without a script."""

import csv
import io
import json
import os
import shutil
from importlib.resources import files
from urllib.parse import parse_qs

import msgspec
import numpy as np
import pytest
from recorded import record
from table_records import make_table_record

from benchmark.cli import status
from benchmark.views.pages.evidence import evidence_source
from reports.layouts.layout import auc_layout
from reports.layouts.suite import SuiteCell, SuiteLayout
from reports.pages.html.output import render_page
from reports.tables import table
from results.metrics import computed_metrics
from results.record import Counts
from results.scores import Scores
from results.store import Store

playwright = pytest.importorskip("playwright.sync_api", reason="the extra browser is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed: apt-get install chromium"),
]
CELL = "hard/elpv/mono/dra/10"


@pytest.fixture(scope="module")
def browser():
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


def run_with_scores(known_class, seed, rule="hard"):
    draw = np.random.default_rng(seed)
    labels = ("normal",) * 60 + tuple(name for name in ("mono", "poly") if name != known_class for _ in range(40))
    values = draw.normal(0, 1, len(labels)) + 0.9 * np.array([label != "normal" for label in labels])
    scores = Scores(tuple(f"images/{number}.png" for number in range(len(labels))), labels, values)
    made = record("mono", seed, 0.7)
    split = msgspec.structs.replace(made.spec.split, rule=rule, known_class=known_class)
    spec = msgspec.structs.replace(made.spec, split=split, test=f"{rule}/{known_class}")
    counts = Counts(train_normal=100, train_anomaly=10, test_normal=60, test_anomaly=len(labels) - 60)
    history = {"loss": [1 / (epoch + 1) for epoch in range(10)]}
    changed = {"spec": spec, "key": spec.key, "series": spec.series, "counts": counts, "history": history}
    return msgspec.structs.replace(made, **changed, metrics=computed_metrics(scores)), scores


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The page of Table 2 with three seeds of DRA on ELPV in two settings."""
    folder = tmp_path_factory.mktemp("page")
    store, records = Store(folder / "runs"), []
    for known_class, rule in (("mono", "hard"), ("poly", "hard"), (None, "general")):
        for seed in range(3):
            run, scores = run_with_scores(known_class, seed, rule)
            store.put(run, scores)
            records.append(run)
    built = table.build_table(auc_layout("2"), records, measures=lambda run: {run.spec.method}, versions={})
    evidence = evidence_source(records, [folder / "runs"], print, pictures=False).of_table(built)
    (folder / "page.html").write_text(render_page(built, evidence), encoding="utf-8")
    return (folder / "page.html").as_uri()


@pytest.fixture
def opened(browser, address):
    """Opens the page with its settings; complains of any error on the console and any request but for the page."""
    contexts, troubles = [], []

    def enter(fragment="", **settings):
        settings = {"viewport": {"width": 1600, "height": 1000}, "reduced_motion": "reduce"} | settings
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: request.url.startswith((address, "blob:")) or troubles.append(request.url))
        page.goto(address + fragment)
        return page

    yield enter
    for context in contexts:
        context.close()
    assert troubles == []


def state(page):
    return {name: values[0] for name, values in parse_qs(page.url.partition("#")[2]).items()}


def rows(page):
    return page.locator(".board tbody tr:not(.group)").filter(visible=True)


def test_filters_are_kept_in_the_address_and_undone_by_going_back(opened):
    page = opened()
    assert rows(page).count() == 72
    page.locator("select[name=dataset]").select_option("elpv")
    assert rows(page).count() == 6
    page.locator("select[name=method]").select_option("dra")
    assert state(page) == {"dataset": "elpv", "method": "dra"}
    assert page.locator(".board thead th").filter(visible=True).all_inner_texts() == ["Dataset, Known class", "DRA"] * 2
    page.get_by_label("measured only").check()
    assert rows(page).count() == 3
    assert page.get_by_role("status").inner_text() == "3 of 396 cells"
    page.go_back()
    assert rows(page).count() == 6
    page.go_back()
    page.go_back()
    assert rows(page).count() == 72
    assert not page.get_by_label("measured only").is_checked()
    page.go_forward()
    assert page.locator("select[name=dataset]").input_value() == "elpv"


def test_an_address_with_filters_opens_as_it_was_sent(opened):
    page = opened("#dataset=elpv&measured=1")
    assert rows(page).count() == 3
    page.get_by_role("button", name="Show all").click()
    assert rows(page).count() == 72
    assert state(page) == {}


def test_a_verdict_narrows_the_table_to_the_cells_that_have_it(opened):
    page = opened()
    choices = page.locator("select[name=verdict]").locator("option").evaluate_all("all => all.map(one => one.value)")
    for name in choices[1:]:
        page.locator("select[name=verdict]").select_option(name)
        assert page.locator(f".board td:not(.out) .chip.{name}").filter(visible=True).count() > 0
        assert page.locator(f".board td:not(.out) .chip:not(.{name})").filter(visible=True).count() == 0


def test_a_column_sorts_by_the_papers_values_then_ours_then_not_at_all(opened):
    page = opened("#shots=10")
    order = rows(page).locator("th").all_inner_texts()
    head = page.locator(".board thead th").filter(visible=True).nth(6)
    head.get_by_role("button").click()
    values = [float(text[:5]) for text in rows(page).locator("td:nth-child(7) .p").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    assert rows(page).locator("th").first.inner_text() == "Metal nut, Bent"
    head.get_by_role("button").click()
    ours = [float(text[:5]) for text in rows(page).locator("td:nth-child(7) .m").all_inner_texts()]
    assert len(ours) == 3
    assert ours == sorted(ours, reverse=True)
    head.get_by_role("button").click()
    assert rows(page).locator("th").all_inner_texts() == order
    assert head.get_attribute("aria-sort") is None


def test_a_cell_opens_its_panel_and_going_back_closes_it(opened):
    page = opened("#dataset=elpv")
    panel = page.locator("details", has=page.locator(f"[id='{CELL}']"))
    page.locator(f".board a[href='#{CELL}']").click()
    assert panel.get_attribute("open") is not None
    assert state(page) == {"dataset": "elpv", "open": CELL}
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    panel.get_by_role("link", name="hard-elpv-mono-dra-10-s0").click()
    assert page.locator("#runs details[open]").count() == 1
    assert page.locator("#runs details[open] svg").filter(visible=True).count() == 3
    page.go_back()
    assert panel.get_attribute("open") is not None
    page.go_back()
    assert panel.get_attribute("open") is None
    assert rows(page).count() == 6


def test_a_panel_that_is_opened_by_hand_is_in_the_address(opened):
    page = opened()
    page.locator("#cells summary").first.click()
    page.wait_for_function("location.hash.startsWith('#open=hard/elpv/')")
    page.reload()
    assert page.locator("#cells details[open]").count() == 1


def test_what_is_shown_is_saved(opened):
    page = opened("#dataset=elpv&method=dra&shots=10")
    texts = {}
    for form in ("CSV", "JSON", "LaTeX"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save as {form}").click()
        texts[download.value.suggested_filename] = download.value.path().read_text(encoding="utf-8")
    lines = list(csv.DictReader(io.StringIO(texts["dra-2.csv"])))
    assert [(line["known_class"], line["published_mean"], line["n"]) for line in lines] == [
        ("mono", "0.731", "3"),
        ("poly", "0.800", "3"),
        ("mean", "0.766", "3"),
    ]
    assert json.loads(texts["dra-2.json"])["cells"] == lines
    latex = texts["dra-2.tex"]
    assert latex.startswith(
        "% ten-shot\n\\begin{tabular}{lc}\n\\toprule\nDataset, Known class & DRA \\\\\n\\midrule\nELPV, Mono & "
    )
    assert latex.count(r"$\pm$") == 6
    assert latex.count(r"\textbf{") == 3


def test_a_suite_is_saved_with_its_best_values_alone_in_bold(browser, tmp_path):
    at = [
        tuple({"dataset": "elpv", "source_dataset": "", "known_class": name, "normal_class": "", "shots": "10", "gamma": ""}.items())
        for name in ("mono", "poly", "other")
    ]  # fmt: skip
    cells = [SuiteCell(method, "hard", split, "hard", split) for split in at for method in ("dra", "devnet", "flos")]
    records = [
        make_table_record(auroc, method=method, known_class=known_class)
        for method, auroc in (("dra", 0.8), ("devnet", 0.7), ("flos", 0.6))
        for known_class in ("mono", "poly")
    ]
    built = table.build_table(
        SuiteLayout("mine", "Mine", cells), records, measures=lambda run: {run.spec.method}, versions={}
    )
    (tmp_path / "page.html").write_text(render_page(built), encoding="utf-8")
    with browser.new_context() as context:
        page = context.new_page()
        page.goto((tmp_path / "page.html").as_uri())
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as LaTeX").click()
        latex = download.value.path().read_text(encoding="utf-8")
        page.locator(".board thead th").nth(1).get_by_role("button").click()
        page.get_by_label("measured only").check()
        assert page.get_by_role("status").inner_text() == "6 of 12 cells"
        page.locator(".board thead th").nth(1).get_by_role("button").wait_for()
        assert "by ours" in page.locator(".board thead th").nth(1).inner_text()
    assert r"elpv, mono & \textbf{0.800} & \underline{0.700} & 0.600 \\" in latex


def test_what_is_shown_is_copied(opened):
    page = opened("#dataset=elpv&method=dra&shots=10", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as CSV").click()
    page.wait_for_function("document.getElementById('count').textContent === 'copied as CSV'")
    assert len(page.evaluate("navigator.clipboard.readText()").splitlines()) == 4


def test_the_keyboard_reaches_the_table_its_filters_and_its_cells(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    page.locator("select[name=dataset]").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert state(page)["dataset"] == "carpet"
    page.get_by_role("button", name="Show all").press("Enter")
    page.locator(f".board a[href='#{CELL}']").press("Enter")
    assert state(page)["open"] == CELL
    page.keyboard.press("Enter")
    page.wait_for_function("!location.hash.includes('open=')")


def test_without_a_script_everything_can_be_read(opened):
    page = opened(java_script_enabled=False)
    assert rows(page).count() == 72
    assert page.locator(".filters").filter(visible=True).count() == 0
    page.locator(f".board a[href='#{CELL}']").click()
    panel = page.locator(f"[id='{CELL}']")
    panel.wait_for(state="visible")
    assert "Made again by" in panel.inner_text()
    page.locator("#short summary").first.click()
    assert "bench run --suite hard" in page.locator("#short").inner_text()


@pytest.mark.parametrize("width", [390, 700, 1600])
def test_no_page_is_wider_than_its_window(opened, width):
    page = opened(f"#open={CELL}", viewport={"width": width, "height": 844})
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_head_of_the_table_and_the_names_of_its_rows_stay_in_sight(opened):
    page = opened(viewport={"width": 390, "height": 844})
    page.evaluate("document.querySelector('.board').scrollTo(200, 500)")
    board, head, name = (
        page.locator(selector).first.bounding_box()
        for selector in (".board", ".board thead th:nth-child(2)", ".board tbody tr:not(.group) th")
    )
    assert head["y"] == pytest.approx(board["y"] + 1, abs=1)
    assert name["x"] == pytest.approx(board["x"] + 1, abs=1)


AXE = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1600])
def test_axe_finds_nothing_of_moderate_weight(opened, scheme, width):
    pytest.importorskip("axe_playwright_python", reason="the extra browser is not installed")
    page = opened(color_scheme=scheme, viewport={"width": width, "height": 1000})
    check_by_axe(page)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    check_by_axe(page)


def check_by_axe(page):
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    grave = [found for found in page.evaluate(AXE) if found["impact"] in {"moderate", "serious", "critical"}]
    assert [(found["id"], [node["html"][:200] for node in found["nodes"][:3]]) for found in grave] == []


def test_pages_of_a_site_are_sound(browser, tmp_path, monkeypatch):
    pytest.importorskip("axe_playwright_python", reason="the extra browser is not installed")
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    assert status(["site", "--output", str(tmp_path / "site"), "--results", "reference"]) == 0
    with browser.new_context() as context:
        for name in ("index", "detectors", "datasets", "dra-5", "agad-5", "csi_gan-1"):
            page, requests = context.new_page(), []
            page.on("request", lambda request, requests=requests: requests.append(request.url))
            page.goto((tmp_path / "site" / f"{name}.html").as_uri())
            check_by_axe(page)
            assert len(requests) == 1
