"""The table of a suite without a paper: of an adopted folder, in every format, and with settings as columns."""

import csv
import json
import re
from io import StringIO

import pytest

from results.store import Store


def rows(text):
    return list(csv.DictReader(StringIO(text)))


def shown(values):
    return [f"{value:.3f}" for value in values]


@pytest.mark.parametrize("form", ["md", "html", "latex", "csv", "json"])
def test_an_adopted_folder_s_suite_in_every_format(finished, form):
    done = finished.bench("report", "--suite", finished.suite, "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    aucs = {(row["known_class"], row["method"]): row["auroc"] for row in finished.listed()}
    means = {method: (aucs["bar", method] + aucs["dot", method]) / 2 for method in ("devnet", "dra")}
    if form == "csv":
        table = {(row["known_class"], row["method"]): row["mean"] for row in rows(done.stdout)}
        assert table == {
            **{at: f"{value:.3f}" for at, value in aucs.items()},
            **{("mean", method): f"{value:.3f}" for method, value in means.items()},
        }
    elif form == "json":
        content = json.loads(done.stdout)
        assert content["suite"] == "tiny"
        assert [cell["measured"]["mean"] for cell in content["cells"]] == pytest.approx(
            [*aucs.values(), *means.values()]
        )
        assert [group["ranking"]["methods"] for group in content["groups"]] == [2, 2]
    else:
        for text in (*shown([*aucs.values(), *means.values()]), "DevNet", "DRA", "bar", "dot", "Mean", "My own parts"):
            assert text in done.stdout
        assert "mean rank" in done.stdout
        assert "published" not in re.sub("<(style|script).*?</", "", done.stdout, flags=re.DOTALL)


def test_columns_rows_and_records_can_be_chosen(finished):
    def cells(*words):
        done = finished.bench("report", "--suite", finished.suite, "--format", "csv", *words)
        assert done.returncode == 0, done.stderr
        return {(row["dataset"], row["known_class"], row["method"]) for row in rows(done.stdout)}

    assert cells("--method", "dra") == {("tiny", name, "dra") for name in ("bar", "dot", "mean")}
    assert ("tiny", "bar", "flos") in cells("--add", "flos")
    assert ("tiny", "bar", "flos") not in cells("--add", "flos", "--measured-only")
    assert ("elpv", "mono", "dra") in cells("--dataset", "tiny,elpv")
    assert {method for *_, method in cells("--where", "img_size=32", "--where", "weights=random")} == {"devnet", "dra"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--where", "img_size=64"), "no run of suite tiny that is asked for is measured: bench run --suite"),
        (("--where", "img_sise=64"), "no record has a hyper-parameter, split option or fact 'img_sise': did you mean"),
        (("--dataset", "elpv", "--shots", "1"), "tiny.toml --dataset elpv --shots 1 makes them"),
        (("--dataset", "tniy"), "did you mean 'tiny'?"),
        (("--method", "devnte"), "unknown method 'devnte': did you mean 'devnet'?"),
        (("--baseline", "drx"), "--baseline drx: no measured column of Suite tiny: My own parts: did you mean 'dra'?"),
        (("--baseline", "dra", "--method", "dra"), "no other column of Suite tiny: My own parts has runs on the same"),
        (("--format", "png"), "--format png is for figures"),
    ],
)
def test_what_leaves_nothing_is_one_sentence_and_exit_2(finished, words, said):
    done = finished.bench("report", "--suite", finished.suite, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_runs_beside_a_suite_are_named_where_it_has_none(finished):
    done = finished.bench("report", "--suite", "hard")
    assert (done.returncode, done.stdout) == (2, "")
    assert "bench run --suite hard makes them; --dataset tiny shows what was run beside it\n" in done.stderr
    assert finished.bench("report", "--suite", "hard", "--dataset", "tiny").returncode == 0


def test_another_metric_has_its_own_best_and_its_name_in_the_columns(finished):
    words = ("report", "--suite", finished.suite, "--metric", "fpr_at_95_tpr")
    lines = rows(finished.bench(*words, "--format", "csv").stdout)
    for known_class in ("bar", "dot", "mean"):
        row = [line for line in lines if line["known_class"] == known_class]
        least = min(float(line["fpr_at_95_tpr_mean"]) for line in row)
        assert [line["place"] for line in row] == [
            "1" if float(line["fpr_at_95_tpr_mean"]) == least else "" for line in row
        ]
    page = finished.bench(*words, "--baseline", "devnet").stdout
    assert "lower is better" in page
    assert "published" not in page


def test_a_baseline_has_delong_s_test_of_single_runs(finished):
    done = finished.bench("report", "--suite", finished.suite, "--baseline", "devnet", "--format", "json")
    tests = [cell["test"] for cell in json.loads(done.stdout)["cells"] if cell["test"]]
    assert [test["test"] for test in tests] == ["DeLong", "DeLong"]
    assert all(test["low"] < test["difference"] < test["high"] for test in tests)


@pytest.mark.slow
def test_each_swept_value_is_a_run_and_a_column(house):
    sweep = ("--method", "dra", "--known-class", "dot", "--threads", "1", "--set", "dra.optim.lr=0.01,0.02")
    planned = house.run(*sweep, "--plan")
    assert "2 runs of suite tiny, recipe quick: 0 cached, 2 missing" in planned.stdout
    assert all(f"-optim.lr={value}-" in planned.stdout for value in ("0.01", "0.02"))
    done = house.run(*sweep)
    assert done.returncode == 0, done.stderr
    assert "DRA, optim.lr = 0.01" in done.stdout
    assert "DRA, optim.lr = 0.02" in done.stdout
    printed = house.bench("report", "--suite", house.suite, "--format", "csv", "--measured-only")
    measured = {row["method"]: row["mean"] for row in rows(printed.stdout) if row["known_class"] == "dot"}
    by_rate = {row["name"].partition("optim.lr=")[2][:4]: f"{row['auroc']:.3f}" for row in house.listed()}
    assert measured == {f"dra[optim.lr={rate}]": value for rate, value in by_rate.items()}
    assert set(by_rate) == {"0.01", "0.02"}


def test_a_run_on_two_test_sets_trains_once_and_ends_with_a_table_of_each(new_house):
    house = new_house("two_tests")
    text = 'title = "T"\nrule = "general"\nrecipe = "quick"\nmethods = ["devnet"]\nshots = [1]\nseeds = [0]\n'
    ten, twelve = house.root / "ten.toml", house.root / "twelve.toml"
    ten.write_text(f'id = "ten"\n{text}[options]\none_shot_test = "ten_shot_set"\n[datasets]\ntiny = []\n')
    twelve.write_text(f'id = "twelve"\n{text}also = ["{ten}"]\n[options]\none_shot_test = 12\n[datasets]\ntiny = []\n')
    small = [word for at, word in enumerate(house.small) if "devnet" in house.small[at + (word == "--set")]]
    done = house.bench("run", "--suite", twelve, "--weights", "random", "--threads", "1", *small)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^# Suite (\w+)", done.stdout, re.MULTILINE) == ["twelve", "ten"]
    records = list(Store(house.results).records())
    assert len({record.fit_key for record in records}) == 1
    for suite, options in ((twelve, {"one_shot_test": 12}), (ten, {})):
        (auroc,) = [record.metrics.auroc for record in records if record.spec.split.options == options]
        (row,) = rows(house.bench("report", "--suite", suite, "--format", "csv").stdout)
        assert row["mean"] == f"{auroc:.3f}"
