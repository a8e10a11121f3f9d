"""`bench results attest` and `bench results verify BUNDLE`: somebody's runs in one file, verified without training."""

import json
import zipfile

import msgspec
import pytest

from benchmark.execution.worker import execute
from protocols.catalogue.data_folder import open_dataset
from protocols.splits.split import draw
from results.maintenance.bundles import bundle_bytes, read_bundle
from results.spec import EMPTY_LIST

HEAD = """
id = "attested"
title = "Runs to attest"
recipe = "official"
"""
GENERAL = 'rule = "general"\nmethods = ["drift"]\nshots = [1, 10]\nseeds = [0, 1]\n[datasets]\ndark = []\n'
SUITES = {
    "general": GENERAL,
    "hard": 'rule = "hard"\nmethods = ["drift"]\nshots = [10]\nseeds = [0]\n[datasets]\ndark = ["cut"]\n',
    "cross_domain": 'rule = "cross_domain"\nmethods = ["drift_normal", "drift"]\nshots = [10]\nseeds = [0]\n'
    '[datasets]\ndark = ["light"]\n',
    "one_class": 'rule = "one_class"\nmethods = ["drift_normal"]\nseeds = [0]\n[datasets]\ndigits = ["0", "1"]\n',
    "labelled_share": 'rule = "labelled_share"\nmethods = ["drift"]\ngammas = ["0.00", "0.50"]\nseeds = [0]\n'
    '[datasets]\ndigits = ["0"]\n',
}


@pytest.fixture
def make(drifting, rows):
    """Makes the runs of a suite by the made-up detectors, with keywords of `RunRequest`; gives their records."""
    drifting.prepare(
        "dark", [*rows["texture"](20, 40), *[(f"test/hole/{n}", "hole", "test", 90 + n) for n in range(5)]]
    )
    drifting.prepare("light", rows["texture"](160, 30))
    drifting.prepare("digits", rows["class_set"]())

    def make(suite, **request):
        for task in drifting.plan(drifting.suite(HEAD + suite), **request).tasks({"missing"}):
            assert execute(task, drifting.machine).state == "done"
        return sorted(drifting.store.records(), key=lambda record: record.key)

    return make


@pytest.fixture
def bench(drifting, calls_in):
    return calls_in(drifting.house.root, **drifting.house.env)


@pytest.fixture
def records(make):
    return make(GENERAL.replace("[1, 10]", "[10]"))


def attest(bench, *words, by="A Person", output="mine.zip"):
    return bench("results", "attest", "--by", by, "--output", output, *words)


def verify(bench, *words):
    """Exit status, and the lines on stdout, of verifying the bundle."""
    code, out, err = bench("results", "verify", "mine.zip", *words)
    assert err == ""
    return code, out.splitlines()


def tree(root):
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def bundle_of(records, store, path):
    """A bundle that says of these records what they say, true or not."""
    scores = [store.scores_path(record.key).read_bytes() for record in store.records()]
    path.write_bytes(bundle_bytes("A Person", zip(records, scores, strict=True)))


def test_attested_runs_are_verified_and_nothing_is_changed(bench, records, drifting):
    before = tree(drifting.store.root)
    code, out, err = attest(bench)
    assert (code, err) == (0, "")
    assert out.startswith("mine.zip: 2 runs by A Person on 1 machine, ")
    code, lines = verify(bench)
    assert code == 0
    told = [
        f"{record.spec.name}: AUC {record.metrics.auroc:.4f} as its scores give it, lists as the rule draws them"
        for record in records
    ]
    assert lines[:-1] == told
    assert lines[-1].startswith("mine.zip: 2 runs by A Person on 1 machine, 2 as attested; SHA-256 ")
    assert lines[-1].rpartition(" ")[2] == out.split()[-1]
    assert tree(drifting.store.root) == before


@pytest.mark.parametrize("rule", SUITES)
def test_the_lists_of_every_rule_are_drawn_again(rule, bench, make):
    made = make(SUITES[rule])
    assert attest(bench)[0] == 0
    code, lines = verify(bench)
    assert (code, len(lines)) == (0, len(made) + 1)
    assert all("lists as the rule draws them" in line for line in lines[:-1])


def test_the_lists_of_other_options_are_drawn_again(bench, make):
    make(GENERAL, split_options={"limit_train": 3, "limit_test": 30, "one_shot_test": "own"})
    assert attest(bench)[0] == 0
    code, lines = verify(bench)
    assert code == 0
    assert sum("lists as the rule draws them" in line for line in lines) == 4


def forged(record, **changes):
    """A record whose spec says other lists, with keys that fit."""
    spec = msgspec.structs.replace(record.spec, fit=msgspec.structs.replace(record.spec.fit, **changes))
    return msgspec.structs.replace(record, spec=spec, key=spec.key, fit_key=spec.fit.fit_key, series=spec.series)


def test_the_lists_of_a_file_are_told_and_are_no_difference(bench, make, drifting):
    split = draw(open_dataset(drifting.house.root / "data", "dark"), "general", split_seed=0, shots=10)
    lists = {name: getattr(split, name) for name in split.fingerprints} | {"train_anomaly": split.train_anomaly[1::-1]}
    path = drifting.house.root / "foreign.json"
    path.write_text(json.dumps(lists))
    for record in make(GENERAL.replace("[1, 10]", "[2]"), split_options={"split_file": str(path)}):
        (option,) = record.spec.split.options.values()
        assert f"split option split_file = {option}" in record.spec.deviations
        assert (record.counts.train_anomaly, record.counts.test_anomaly) == (2, len(split.test_anomaly))
    attest(bench)
    code, lines = verify(bench)
    assert code == 0
    assert (
        sum("lists not drawn again, since its split is from a file, and no rule draws it" in text for text in lines)
        == 2
    )


def test_lists_that_the_rule_does_not_draw_are_found(bench, records, drifting):
    path = drifting.house.root / "mine.zip"
    for changes, said in (
        ({"train_normal": "a" * 64}, "its list of training normals of dark is not the one that the rule general draws"),
        ({"train_anomaly": "a" * 64}, "its list of training anomalies of dark is not"),
    ):
        bundle_of([forged(records[0], **changes), records[1]], drifting.store, path)
        code, lines = verify(bench)
        assert (code, [said in line for line in lines].count(True)) == (1, 1)
        assert "1 as attested" in lines[-1]
    spec = msgspec.structs.replace(records[0].spec, split_seed=7)
    bundle_of([msgspec.structs.replace(records[0], spec=spec), records[1]], drifting.store, path)
    code, lines = verify(bench)
    assert code == 1
    assert sum("its test list is not the one that the rule general draws" in line for line in lines) == 1


def test_a_source_that_its_rule_does_not_draw_is_found(bench, make, drifting):
    records = make(SUITES["cross_domain"])
    at, record = next((at, record) for at, record in enumerate(records) if record.spec.source)
    source = msgspec.structs.replace(record.spec.source, train_anomaly=EMPTY_LIST)
    spec = msgspec.structs.replace(record.spec, source=source)
    records[at] = forged(msgspec.structs.replace(record, spec=spec), source=source.fit_key)
    bundle_of(records, drifting.store, drifting.house.root / "mine.zip")
    code, lines = verify(bench)
    assert code == 1
    assert sum("its list of training anomalies of light is not" in line for line in lines) == 1


def test_a_split_that_cannot_be_drawn_is_found(bench, records, drifting):
    split = msgspec.structs.replace(records[0].spec.split, rule="hard", known_class="scratch")
    spec = msgspec.structs.replace(records[0].spec, split=split)
    changed = msgspec.structs.replace(records[0], spec=spec, series=spec.series)
    bundle_of([changed, records[1]], drifting.store, drifting.house.root / "mine.zip")
    code, lines = verify(bench)
    assert code == 1
    assert any("its split cannot be drawn" in line and "scratch" in line for line in lines)


def test_where_the_data_are_not_here_that_is_said_and_is_no_difference(bench, records, drifting, rows):
    assert attest(bench)[0] == 0
    (drifting.data / "dark").rename(drifting.data / ".away")
    code, lines = verify(bench)
    assert code == 0
    assert sum("lists not drawn again, since dark is not prepared here" in line for line in lines) == 2
    drifting.prepare("dark", rows["texture"](21, 40))
    code, lines = verify(bench)
    assert code == 0
    assert sum("since dark is another release here, with manifest" in line for line in lines) == 2


def test_programs_read_what_was_found(bench, records):
    assert attest(bench)[0] == 0
    code, lines = verify(bench, "--json")
    found = json.loads("\n".join(lines))
    assert code == 0
    assert [(row["from"], row["by"], row["state"]) for row in found] == [("mine.zip", "A Person", "verified")] * 2
    assert [row["name"] for row in found] == [record.spec.name for record in records]


def test_named_runs_alone_are_attested_in_whatever_order(bench, records, drifting):
    names = [record.spec.name for record in records]
    assert attest(bench, names[0])[0] == 0
    bundle = read_bundle(drifting.house.root / "mine.zip")
    assert [run.name for run in bundle.attestation.runs] == names[:1]
    assert attest(bench, names[1], records[0].key[:8], names[1], output="one.zip")[0] == 0
    assert attest(bench, output="all.zip")[0] == 0
    one, every = ((drifting.house.root / f"{name}.zip").read_bytes() for name in ("one", "all"))
    assert one == every


def test_an_unzipped_bundle_is_a_results_folder(bench, records, drifting):
    assert attest(bench)[0] == 0
    with zipfile.ZipFile(drifting.house.root / "mine.zip") as file:
        file.extractall(drifting.house.root / "theirs")
    code, out, _ = bench("results", "verify", "--results", "theirs", "--require-scores")
    assert (code, out) == (0, "2 records: 2 what their scores give\n")


def test_what_has_no_number_or_no_scores_is_left_out_and_refused_by_name(bench, records, drifting):
    store, (first, second) = drifting.store, records
    store.scores_path(first.key).unlink()
    code, out, err = attest(bench)
    assert (code, out.startswith("mine.zip: 1 run by A Person")) == (0, True)
    assert f"{first.spec.name} has no scores beside it" in err
    assert attest(bench, first.key[:8])[0] == 2
    store.put(msgspec.structs.replace(second, status="failed", metrics=None, error="an error"))
    (drifting.house.root / "mine.zip").unlink()
    code, _, err = attest(bench)
    assert code == 2
    assert f"{second.spec.name} failed" in err
    assert "there is no finished run with scores in" in err
    code, _, err = attest(bench, second.spec.name)
    assert (code, "leave it out, or run it again with --force" in err) == (2, True)
    assert not (drifting.house.root / "mine.zip").exists()


def test_a_run_whose_number_is_not_that_of_its_scores_is_not_attested(bench, records, drifting):
    record = records[0]
    false = msgspec.structs.replace(record.metrics, average_precision=0.123)
    drifting.store.put(msgspec.structs.replace(record, metrics=false))
    code, out, err = attest(bench)
    assert (code, out) == (2, "")
    assert f"1 run cannot be attested: {record.spec.name}: it says average precision 0.123" in err
    assert not (drifting.house.root / "mine.zip").exists()
    assert attest(bench, records[1].spec.name)[0] == 0


def test_a_record_that_cannot_be_read_is_left_out_and_stays(bench, records, drifting):
    path = drifting.store.record_path(records[0].key)
    path.write_text("{")
    code, out, err = attest(bench)
    assert (code, out.startswith("mine.zip: 1 run ")) == (0, True)
    assert str(path.name) in err
    assert path.read_text() == "{"
    scores = drifting.store.scores_path(records[1].key)
    scores.write_bytes(b"PK")
    code, _, err = attest(bench)
    assert (code, "its scores cannot be read" in err) == (2, True)
    scores.unlink()
    scores.mkdir()
    code, _, err = attest(bench)
    assert (code, "cannot read the scores" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing-like-it"], "no run 'nothing-like-it'"),
        (["general-dark-drift"], "is the beginning of 2 runs"),
        (["--results", "gone"], "no such folder"),
        (["--results", "empty"], "no finished run with scores"),
        (["--results", "reference"], "has no scores to attest"),
        (["--output", "gone/mine.zip"], "make it first"),
        (["--output", "empty"], "--output empty"),
        (["--by", " "], "is no name of a person or group"),
    ],
)
def test_a_call_that_cannot_be_done_is_one_sentence(words, said, bench, records, drifting):
    (drifting.house.root / "empty").mkdir()
    code, out, err = attest(bench, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_a_call_says_who_and_where_to(bench):
    for words, said in ((("--by", "me"), "--output"), (("--output", "mine.zip"), "--by")):
        code, _, err = bench("results", "attest", *words)
        assert (code, f"Missing option '{said}'" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gone.zip"], "cannot read gone.zip"),
        (["runs"], "a results folder goes with --results"),
        (["made.toml"], "made.toml is no bundle, or was cut short"),
        (["--results", "mine.zip"], "a bundle is given without --results"),
        (["mine.zip", "--results", "runs"], "leave out --results"),
        (["mine.zip", "--require-scores"], "leave out --results and --require-scores"),
        (["mine.zip", "gone.zip"], "cannot read gone.zip"),
    ],
)
def test_what_is_no_bundle_is_one_sentence(words, said, bench, records):
    assert attest(bench)[0] == 0
    code, out, err = bench("results", "verify", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_a_bundle_of_a_newer_version_is_one_sentence(bench, records, drifting):
    assert attest(bench)[0] == 0
    path = drifting.house.root / "mine.zip"
    with zipfile.ZipFile(path) as file:
        contents = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, content in contents.items():
            file.writestr(name, content.replace(b'"schema": 1', b'"schema": 2', 1))
    code, out, err = bench("results", "verify", "mine.zip")
    assert (code, out) == (2, "")
    assert err == "bench: mine.zip has schema 2, this version reads up to 1: upgrade swanbench to read it\n"
