"""What a person asks for and cannot be is refused when it is planned, by `--plan` as by a run; nothing is guessed."""

import pytest
import torch
from torchvision.models import resnet18

RUN = ("run", "--suite", "tiny.toml", "--method", "devnet")

WRONG = {
    "split option of no rule": (("--split", "nonsense=1"), "has no split option 'nonsense'"),
    "split option of another rule": (("--split", "contamination=0.1"), "has no split option 'contamination'"),
    "split option of a wrong value": (("--split", "limit_train=no"), "limit_train cannot be 'no'"),
    "split option that the data has not": (("--split", "normal_split=released"), "normal_split"),
    "split option twice": (("--split", "limit_test=3", "--split", "limit_test=4"), "limit_test twice, 3 and 4"),
    "deduplicate and not": (("--split", "deduplicate=false", "--deduplicate"), "deduplicate twice"),
    "weights not there": (("--weights", "none.pth"), "none.pth"),
    "weights of no network": (("--weights", "resnet81=random"), "did you mean 'resnet18'?"),
    "weights twice": (("--weights", "resnet18=random", "--weights", "resnet18=auto"), "contradict each other"),
    "weights that are none": (("--weights", "tiny.toml"), "tiny.toml"),
    "parameter twice": (
        ("--set", "devnet.batch.size=30", "--set", "devnet.batch.size=20"),
        "batch.size twice, 30 and 20",
    ),
    "parameter of no method": (("--set", "dvnet.batch.size=8"), "did you mean 'devnet'?"),
    "parameter of a method not asked for": (("--set", "dra.batch.size=8"), "no run of dra is asked for"),
    "no parameter": (("--set", "devnet.bacth.size=8"), "did you mean 'batch.size'?"),
}


@pytest.mark.parametrize("plan", [("--plan",), ()], ids=["plan", "run"])
@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG)
def test_wrong_input_is_refused_whether_planned_or_run(bench, house, words, said, plan):
    code, out, err = bench(*RUN, *words, *plan)
    lines = [line for line in err.splitlines() if not line.startswith("weights of ")]
    assert code == 2
    assert out == ""
    assert len(lines) == 1, err
    assert said in lines[0]
    assert not house.results.exists()


@pytest.mark.parametrize(
    "words",
    [
        (
            "splits",
            "show",
            "--protocol",
            "general",
            "--dataset",
            "tiny",
            "--split",
            "limit_test=3",
            "--split",
            "limit_test=4",
        ),
        ("report", "--table", "2", "--where", "batch.size=3", "--where", "batch.size=4"),
    ],
    ids=["splits", "report"],
)
def test_other_verbs_take_no_two_values_either(bench, words):
    code, out, err = bench(*words)
    assert (code, out) == (2, "")
    assert "twice, 3 and 4: give it once" in err


def test_an_option_that_one_of_the_rules_has_is_kept(bench, house):
    text = house.suite.read_text().replace("shots = [10]", 'shots = [10]\nalso = ["general"]')
    house.suite.write_text(text)
    code, out, err = bench(*RUN, "--dataset", "tiny", "--split", "contamination=0.1", "--plan")
    assert code == 2  # the suite general lists no such dataset, so that its rule is not asked
    assert "contamination" in err
    code, out, err = bench(
        "run", "--suite", "general", "--dataset", "tiny", "--method", "devnet", "--split", "contamination=0.1", "--plan"
    )
    assert code == 0
    assert "missing" in out


def saved(path, state):
    path.parent.mkdir(exist_ok=True)
    torch.save(state, path)


@pytest.fixture(scope="module")
def trunks():
    torch.manual_seed(0)
    return [resnet18(weights=None).state_dict() for _ in range(2)]


@pytest.mark.parametrize("recipe", ["quick", "official"])
@pytest.mark.parametrize("plan", [("--plan",), ()], ids=["plan", "run"])
def test_bench_weights_that_are_not_there_or_ambiguous_are_wrong_input(bench, house, monkeypatch, trunks, recipe, plan):
    monkeypatch.setenv("BENCH_WEIGHTS", "weihgts")
    code, out, err = bench(*RUN, "--recipe", recipe, *plan)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "BENCH_WEIGHTS names weihgts, which is not there" in err
    for name, state in zip(("a.pth", "b.pth"), trunks, strict=True):
        saved(house.root / "two" / name, state)
    monkeypatch.setenv("BENCH_WEIGHTS", "two")
    code, out, err = bench(*RUN, "--recipe", recipe, *plan)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "two/a.pth and two/b.pth" in err
    assert not house.results.exists()


UNUSABLE = {
    "wrapped": ("resnet18.pth", lambda net: {"state_dict": net, "epoch": 90}, "holds more than tensors"),
    "parallel": ("resnet18.pth", lambda net: {f"module.{name}": value for name, value in net.items()}, "resnet18.pth"),
    "cut": ("resnet18.pth", lambda net: {k: v for k, v in net.items() if "layer4" not in k}, "is no complete resnet18"),
    "no ending": ("model_best.pth.tar", lambda net: net, "no file there ends in .pth or .pt"),
}


@pytest.mark.parametrize(("name", "changed", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_bench_weights_without_anything_usable_are_named_with_the_reason(
    bench, house, monkeypatch, trunks, name, changed, reason
):
    saved(house.root / "mine" / name, changed(trunks[0]))
    monkeypatch.setenv("BENCH_WEIGHTS", "mine")
    for recipe in ("quick", "official"):
        code, _, err = bench(*RUN, "--recipe", recipe, "--plan")
        (said,) = (line for line in err.splitlines() if "BENCH_WEIGHTS names mine" in line)
        assert code == 0
        assert reason in said


def test_the_doctor_names_weights_that_are_ambiguous(bench, house, monkeypatch, trunks):
    for name, state in zip(("a.pth", "b.pth"), trunks, strict=True):
        saved(house.root / "two" / name, state)
    monkeypatch.setenv("BENCH_WEIGHTS", "two")
    code, out, _ = bench("doctor", "--deep")
    assert code == 1
    assert "hinders: BENCH_WEIGHTS names more than one file for resnet18" in out
