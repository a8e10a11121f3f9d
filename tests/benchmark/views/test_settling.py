"""Which cells further seeds can settle, what is chosen of them, and how it is printed."""

import io

import loud as loud_suite
import pytest
from plugins import forget_installed
from records import make_provenance, make_record
from selecting import select

from benchmark.paths import Folders
from benchmark.planning import plan as planning
from benchmark.planning.costs.forecast import Span, TaskForecast
from benchmark.planning.installed import InstalledCode
from benchmark.planning.suite import Selection, load_suite, with_more_seeds
from benchmark.planning.types import RunRequest
from benchmark.views.settling import page
from benchmark.views.settling.choice import Budget, choose_runs
from benchmark.views.settling.outlook import plan_outlooks
from reports.layouts import layout
from results.record import Counts
from results.store import Store

HOUR = 3600.0
SUITE = loud_suite.SUITE.replace("shots = [10]", "shots = [1, 10]")
VALUES = """dataset,known_class,method,shots,mean,std
tiny,bar,noisy,1,0.800,0.030
tiny,bar,noisy,10,0.800,0.030
tiny,dot,noisy,1,0.800,0.500
tiny,dot,noisy,10,0.800,
"""
BAR_1, BAR_10, DOT_1, DOT_10 = (f"hard/tiny/{known}/noisy/{shots}" for known in ("bar", "dot") for shots in (1, 10))


class Cells:
    """Plans of four cells with made-up runs: AUCs by known class and shots, one a seed."""

    def __init__(self, house):
        self.house = house
        self.store = Store(house.results)
        self.folders = Folders(house.root / "data", house.root / "cache", house.results, None, house.root / "torch")
        (house.root / "loud.toml").write_text(SUITE)

    def plan(self, seeds=range(10), **request):
        return planning.plan(
            load_suite(str(self.house.root / "loud.toml")),
            select(seeds=tuple(seeds)),
            RunRequest(**request),
            folders=self.folders,
            store=self.store,
        )

    def hold(self, **aurocs):
        """Runs of `bar_10=[0.8, 0.81]`, a seed each."""
        for run in self.plan().runs:
            assert run.fit, run.reason
            values = aurocs.get(f"{run.wanted_run.known_class}_{run.wanted_run.shots}", [])
            if run.wanted_run.seed < len(values):
                counts = Counts(train_normal=14, train_anomaly=run.wanted_run.shots, test_normal=6, test_anomaly=12)
                provenance = make_provenance(code_digest=run.fit.code)
                auroc = values[run.wanted_run.seed]
                self.store.put(make_record(run.spec, auroc, counts=counts, provenance=provenance, drew_all=False))

    def outlooks(self, plan):
        code = InstalledCode(accept=False)
        return plan_outlooks(plan, [layout.auc_layout("loud:1")], self.store, code, pytest.fail)

    def choose(self, hours=None, *, settle=True, hours_a_fit=1.0, plan=None, jobs=1):
        plan = plan or self.plan()
        forecasts = {
            task.key: TaskForecast(
                Span(0.5 * HOUR, HOUR * hours_a_fit), {run.spec.key: 0.0 for run in task.runs}, 500.0, "from a test"
            )
            for task in plan.tasks({"missing"})
        }
        budget = Budget(None if hours is None else hours * HOUR, jobs, is_settling=settle)
        return choose_runs(plan, self.outlooks(plan), forecasts, budget)


@pytest.fixture
def cells(house, monkeypatch):
    (house.root / "site").mkdir()
    loud_suite.install(house.root / "site", VALUES)
    monkeypatch.syspath_prepend(house.root / "site")
    monkeypatch.setenv("BENCH_CACHE", str(house.root / "cache"))
    forget_installed()
    yield Cells(house)
    forget_installed()


def states(choice):
    return {row.outlook.id: (row.outlook.prospect.state, row.note) for row in choice.rows}


def test_cells_are_decided_open_or_out_of_reach(cells):
    cells.hold(bar_1=[0.80, 0.801, 0.80, 0.799] * 2, bar_10=[0.78, 0.84], dot_1=[0.5, 0.9])
    found = states(cells.choose(hours=0.5))
    assert found[BAR_1] == ("decided", "consistent")
    assert found[BAR_10] == ("open", "the time is not enough")
    assert found[DOT_1][0] == "never"
    assert "1000 runs of ours would hardly settle it: the paper's 3 leave ±0.843" in found[DOT_1][1]
    assert found[DOT_10][0] == "open"


def test_the_std_of_a_cell_is_its_own_and_the_papers_or_that_of_like_cells(cells):
    """0.06 apart is a std of 0.0424; with 0.030 at two degrees (0.0018 + 2 * 0.0009) / 3 is 0.0346 squared."""
    cells.hold(bar_10=[0.78, 0.84])
    by_id = {row.outlook.id: row.outlook.prospect for row in cells.choose().rows}
    assert (by_id[BAR_10].spread_from, by_id[BAR_10].spread.std) == (
        "own and published",
        pytest.approx(0.0346, abs=1e-4),
    )
    assert (by_id[BAR_1].spread_from, by_id[BAR_1].spread.std) == ("published", 0.03)
    assert by_id[DOT_10].spread_from == "pooled (1 cell)"
    assert (by_id[DOT_10].spread.std, by_id[DOT_10].spread.freedom) == (pytest.approx(0.0424, abs=1e-4), 1.0)


def test_without_any_std_a_cell_is_named_and_not_chosen(cells):
    choice = cells.choose(plan=cells.plan(seeds=range(3)))
    row = next(row for row in choice.rows if row.outlook.id == DOT_10)
    assert (row.seeds, row.chance) == ((), None)
    assert row.note == "no std is known, neither published nor of runs like it: two seeds of it tell one"


def test_what_is_not_comparable_says_why_before_and_after_its_runs(cells):
    plan = cells.plan(sets={"noisy": {"img_size": 32}})
    reasons = states(cells.choose(plan=plan))
    assert reasons[BAR_10][0] == "never"
    assert reasons[BAR_10][1].startswith("not comparable (noisy.img_size = 32 (recipe: 16)")
    assert cells.choose(plan=plan).runs == 0


@pytest.mark.parametrize("settle", [True, False])
@pytest.mark.parametrize("hours", [0.9, 1, 2.5, 7, 16, 100])
def test_forecasts_never_exceed_the_budget_and_more_time_decides_no_less(cells, hours, settle):
    cells.hold(bar_10=[0.78, 0.84, 0.80])
    less, more = (cells.choose(hours=time, settle=settle) for time in (hours, hours + 3))
    assert less.seconds <= hours * HOUR
    assert less.expected <= more.expected + 1e-9
    again = cells.choose(hours=hours, settle=settle)
    assert [row.seeds for row in less.rows] == [row.seeds for row in again.rows]
    missing = [run for run in less.plan.runs if run.state == "missing"]
    assert len(missing) == less.runs == int(less.seconds // HOUR)
    if not settle:
        assert less.runs == min(int(hours), 37), "whatever fits is run: all but the three that are there"


def test_two_at_a_time_have_twice_the_time_but_no_fit_longer_than_the_call(cells):
    cells.hold(bar_10=[0.78, 0.84])
    assert cells.choose(hours=2, settle=False).runs == 2
    assert cells.choose(hours=2, settle=False, jobs=2).runs == 4
    assert cells.choose(hours=2, settle=False, jobs=4, hours_a_fit=3.0).runs == 0


def test_only_missing_runs_are_left_out_of_the_plan(cells):
    cells.hold(bar_10=[0.78, 0.84])
    choice = cells.choose(hours=1)
    assert [run.state for run in choice.plan.runs].count("cached") == 2
    assert choice.runs + choice.left == 38


@pytest.mark.parametrize("width", [80, 100, None])
def test_every_line_fits_the_terminal(cells, width):
    cells.hold(bar_10=[0.78, 0.84])
    lines = list(page.choice_lines(cells.choose(hours=12.5), width))
    if width:
        assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    for words in ("cell n std std from a seed seeds chance time".replace("cell ", ""), BAR_10, "12 h 30 min"):
        assert words in text


def test_a_pipe_has_no_width():
    assert page.terminal_width(io.StringIO()) is None


def test_json_has_every_cell(cells):
    cells.hold(bar_10=[0.78, 0.84])
    choice = cells.choose(hours=4)
    fields = page.choice_fields(choice)
    assert [cell["cell"] for cell in fields["cells"]] == [BAR_1, BAR_10, DOT_1, DOT_10]
    assert fields["seconds"] == choice.seconds <= fields["budget_seconds"] == 4 * HOUR
    assert {cell["state"] for cell in fields["cells"]} <= {"open", "decided", "never"}


def test_more_seeds_keep_those_that_were_asked_for(cells):
    suite = load_suite(str(cells.house.root / "loud.toml"))
    assert with_more_seeds(suite, Selection(), 4).seeds == (0, 1, 2, 3)
    assert with_more_seeds(suite, Selection(seeds=(7,)), 4).seeds == (7,)
