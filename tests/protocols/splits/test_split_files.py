"""Splits from files: every form gives the lists that it holds, what no split can be is named, own draws are known."""

import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocols.catalogue.export import split_csv
from protocols.catalogue.split_json import split_json
from protocols.datasets.manifest import Dataset, assemble_dataset
from protocols.errors import DataError
from protocols.splits.draw.ranking import list_fingerprint
from protocols.splits.draw.steps import LIST_NAMES
from protocols.splits.split import Split, draw, draw_from_file, file_remarks, split_statement, validate
from protocols.splits.split_files import read_split_file, release_remark

COUNTS = {"normal": 20, "bent": 15, "cut": 12}

FOREIGN: Mapping[str, list[str]] = {
    "train_normal": ["normal/005.png", "normal/001.png"],
    "train_anomaly": ["cut/003.png", "cut/001.png"],
    "test_normal": ["normal/009.png", "normal/002.png"],
    "test_anomaly": ["cut/002.png", "bent/000.png"],
}


@pytest.fixture
def toy(make_dataset: Callable[..., Dataset]) -> Dataset:
    return make_dataset(COUNTS)


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Write a split file: the foreign lists with changes, or a text."""

    def write(content: str | None = None, name: str = "split.json", **changed: Any) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps({**FOREIGN, **changed}) if content is None else content, encoding="utf-8")
        return path

    return write


def shown(split: Split, dataset: Dataset) -> str:
    """The split as `bench splits show --json` prints it."""
    return json.dumps({**split_statement(split), **{name: getattr(split, name) for name in LIST_NAMES}})


FORMS: Mapping[str, Callable[[Split, Dataset], str]] = {"shown": shown, "arcad": split_json, "csv": split_csv}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("rule", "coordinates"),
    [("general", {"shots": 10}), ("general", {"shots": 1}), ("hard", {"known_class": "cut", "shots": 3})],
)
@pytest.mark.parametrize("seed", [0, 7])
def test_a_split_of_ours_comes_back_as_the_very_draw_that_it_was(
    toy: Dataset, put: Callable[..., Path], form: str, rule: str, coordinates: dict[str, Any], seed: int
) -> None:
    split = draw(toy, rule, split_seed=seed, **coordinates)
    assert draw_from_file(toy, rule, put(FORMS[form](split, toy))) == split


@pytest.mark.parametrize("form", ["shown", "arcad"])
def test_options_that_a_file_states_are_those_of_the_draw(toy: Dataset, put: Callable[..., Path], form: str) -> None:
    split = draw(toy, "general", split_seed=3, shots=2, options={"one_shot_test": "own", "limit_train": 9})
    assert draw_from_file(toy, "general", put(FORMS[form](split, toy))) == split


def test_foreign_lists_are_a_split_of_their_own_named_by_their_fingerprint(
    toy: Dataset, put: Callable[..., Path]
) -> None:
    split = draw_from_file(toy, "general", put())
    assert split.train_anomaly == ("cut/003.png", "cut/001.png")
    assert (split.train_normal, split.test_normal) == (
        ("normal/001.png", "normal/005.png"),
        ("normal/002.png", "normal/009.png"),
    )
    assert split.test_anomaly == ("bent/000.png", "cut/002.png")
    lists = [list_fingerprint(getattr(split, name)) for name in LIST_NAMES]
    assert split.options == {"split_file": list_fingerprint(lists)[:16]}
    assert split.shots == 2
    validate(split, toy)


def test_whoever_writes_the_lists_in_another_order_or_form_writes_the_same_split(
    toy: Dataset, put: Callable[..., Path]
) -> None:
    split = draw_from_file(toy, "general", put())
    turned = {name: FOREIGN[name][::-1] for name in ("train_normal", "test_normal", "test_anomaly")}
    assert draw_from_file(toy, "general", put(**turned)) == split
    lines = "".join(f"{name},{id_},x\n" for name in LIST_NAMES for id_ in FOREIGN[name])
    assert draw_from_file(toy, "general", put(f"\ufefflist,id,other\n{lines}", "split.csv")) == split
    entries = {
        side: [
            {"image": f"toy\\{id_}".replace("/", "\\"), "label": label, "mask": "", "anomaly_class": "x"}
            for label, kind in enumerate(("normal", "anomaly"))
            for id_ in FOREIGN[f"{name}_{kind}"]
        ]
        for side, name in (("labeled", "train"), ("test", "test"))
    }
    assert draw_from_file(toy, "general", put(json.dumps({"meta": {"category": "toy"}, **entries}))) == split


def test_another_seed_of_training_is_no_other_split(toy: Dataset, put: Callable[..., Path]) -> None:
    first, second = (draw_from_file(toy, "general", put(), split_seed=seed) for seed in (0, 1))
    assert (first.fingerprint, first.options) == (second.fingerprint, second.options)


def test_ids_in_another_normal_form_are_found(toy: Dataset, put: Callable[..., Path]) -> None:
    rows = [replace(row, id=row.id.replace("normal/001", "normal/ä")) for row in toy.rows]
    umlaut = assemble_dataset("toy", toy.folder, rows)
    split = draw_from_file(
        umlaut, "general", put(train_normal=[unicodedata.normalize("NFD", "toy/normal/ä.png"), "normal/005.png"])
    )
    assert split.train_normal == ("normal/005.png", "normal/ä.png")


def test_known_anomalies_under_test_and_anomalies_among_normals_are_allowed_and_told(
    toy: Dataset, put: Callable[..., Path]
) -> None:
    split = draw_from_file(toy, "hard", put(train_normal=["normal/001.png", "bent/004.png"]))
    assert (split.known_class, split.shots) == ("cut", 2)
    assert list(file_remarks(split, toy)) == [
        "1 test anomaly of the known class cut",
        "1 anomaly among the training normals",
    ]
    ranked = draw(toy, "general", split_seed=0, shots=1, options={"contamination": 0.3})
    assert list(file_remarks(ranked, toy)) == []


def test_a_file_without_labelled_anomalies_is_for_methods_that_are_given_none(
    toy: Dataset, put: Callable[..., Path]
) -> None:
    path = put(train_anomaly=[])
    split = draw_from_file(toy, "general", path)
    assert split.train_anomaly == ()
    assert draw_from_file(toy, "hard", path, known_class="cut").known_class == "cut"
    with pytest.raises(DataError, match="no labelled anomalies: choose a method that is given none"):
        draw(toy, "general", split_seed=0, shots=10, options={"split_file": str(path)})


def test_another_release_is_told_and_equal_ones_are_not(toy: Dataset, put: Callable[..., Path]) -> None:
    assert release_remark(read_split_file(put()), toy) == ""
    assert release_remark(read_split_file(put(dataset_fingerprint=toy.fingerprint)), toy) == ""
    other = release_remark(read_split_file(put(dataset="toy", dataset_fingerprint="a" * 64)), toy)
    assert f"was drawn from toy aaaaaaaaaaaa, the prepared toy is {toy.fingerprint[:12]}" in other


WRONG: Mapping[str, tuple[dict[str, Any], str]] = {
    "unknown": (
        {"test_normal": ["normal/0009.png", "normal/002.png"]},
        "names images that toy has not: 'normal/0009.png', did you mean 'normal/009.png'?",
    ),
    "many unknown": (
        {"test_normal": ["a", "b", "c", "d", "e"]},
        "'c', 'bench data show toy' describes its ids; and 2 more",
    ),
    "both sides": (
        {"test_anomaly": ["bent/001.png", "cut/003.png"]},
        "has 'cut/003.png' in train_anomaly and again in test_anomaly: leave it in one list",
    ),
    "twice in one": ({"test_anomaly": ["bent/001.png"] * 2}, "in test_anomaly and again in test_anomaly"),
    "empty": ({"test_normal": []}, "has no test normal images"),
    "nothing to train on": ({"train_normal": []}, "has no train normal images"),
    "anomaly as normal": ({"test_normal": ["bent/001.png"]}, "in test_normal, and its label in toy is bent"),
    "normal as anomaly": ({"train_anomaly": ["normal/000.png"]}, "in train_anomaly, and its label in toy is normal"),
    "other dataset": ({"dataset": "elpv"}, "is a split of elpv, not of toy: give --dataset elpv"),
    "changed": ({"fingerprint": "0" * 64}, "states the fingerprint 0000000000000000 and its lists have "),
    "other rule": ({"protocol": "hard"}, "is a split of the rule hard, not general"),
    "another known class": (
        {"known_class": "bent"},
        "states the known class bent, and its labelled anomalies are of cut: correct it",
    ),
    "fewer shots than images": ({"shots": 1}, "has 2 labelled anomalies and states 1 shots"),
    "list missing": ({"test_normal": None}, "is no split (Expected `array`, got `null`"),
}


@pytest.mark.parametrize(("changed", "said"), WRONG.values(), ids=WRONG)
def test_lists_that_are_no_split_are_refused_in_one_sentence(
    toy: Dataset, put: Callable[..., Path], changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError) as told:
        draw_from_file(toy, "general", put(**changed))
    assert said in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"train_normal": [', "is no split (Input data was truncated)"),
        ("[1]", "is no split (Expected `object`, got `array`)"),
        ('{"labeled": [{"image": "a", "label": 2}], "test": []}', "is no split (Invalid enum value 2"),
        ("[" * 100_000, "is no split"),
        ("id;list\n", "lacks the column 'id'"),
        ("id\nx\n", "lacks the column 'list'"),
        ("id,list\nx,train\n", "line 2 puts 'x' into the list 'train': choose one of train_normal"),
        ("id,list\n,train_normal\n", "line 2 puts '' into the list 'train_normal': give the image's id"),
        ("id,list\nx\n", "line 2 puts 'x' into the list ''"),
        ("", "lacks the column 'id'"),
    ],
)
def test_what_is_in_no_form_is_refused_with_its_place(put: Callable[..., Path], content: str, said: str) -> None:
    with pytest.raises(DataError) as told:
        read_split_file(put(content))
    assert said in str(told.value)


def test_bytes_of_no_text_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_bytes(b"id,list\n\xff,train_normal\n")
    with pytest.raises(DataError, match="is no split"):
        read_split_file(path)
    for absent in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(DataError, match=r"there is no split file|is a folder or a device"):
            read_split_file(absent)
    with pytest.raises(DataError, match="is a fingerprint, and records hold no more of a split file"):
        read_split_file(Path("0123456789abcdef"))


def test_coordinates_that_are_not_the_files_and_other_options_are_refused(
    toy: Dataset, put: Callable[..., Path]
) -> None:
    with pytest.raises(DataError, match="has shots 2, not 10"):
        draw_from_file(toy, "general", put(), shots=10)
    with pytest.raises(DataError, match="has known class cut, not bent"):
        draw_from_file(toy, "hard", put(), known_class="bent")
    with pytest.raises(DataError, match="of bent, cut, and the hard rule knows one: take the rule general"):
        draw_from_file(toy, "hard", put(train_anomaly=["cut/003.png", "bent/003.png"]))
    with pytest.raises(DataError, match="split_file gives all four lists: leave out limit_train"):
        draw_from_file(toy, "general", put(), options={"limit_train": 1})
    with pytest.raises(DataError, match="has no split option 'split_file'"):
        draw_from_file(toy, "one_class", put(), normal_class="cut")


def test_options_in_a_file_open_no_other_file(toy: Dataset, put: Callable[..., Path]) -> None:
    options = draw_from_file(toy, "general", put()).options
    other = put(shown(draw(toy, "general", split_seed=0, shots=2), toy), "other.json")
    path = put(protocol="general", seed=0, options={"split_file": str(other)})
    assert draw_from_file(toy, "general", path).options == options
