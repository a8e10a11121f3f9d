"""Kept models: files that say when they were changed, and the same scores, thresholds and maps from them as in a run."""

import csv
import io
import json
import os
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import torch
from pictures import save_picture
from PIL import Image
from repository import ROOT

import swanbench
from benchmark.errors import BenchError
from benchmark.execution.stores.models import keeping
from benchmark.execution.stores.models.kept_model import HELD_IMAGES, KeptModel, blocks
from benchmark.execution.stores.models.model_files import read_model, write_model
from benchmark.execution.stores.models.pictures import heat_picture, is_beyond
from benchmark.execution.stores.models.scoring import score_files
from benchmark.paths import Folders
from methods.errors import MethodError
from methods.in_memory import ArrayImages
from protocols.errors import DataError
from results.errors import ResultsError
from results.store import Store


@pytest.fixture(scope="module")
def kept(new_house):
    """A house in which DevNet and DRA were fitted once, and their models kept; for reading only."""
    house = new_house("kept")
    house.first = house.run("--threads", "1", "--known-class", "dot", "--keep-models")
    assert house.first.returncode == 0, house.first.stderr
    house.store = Store(house.results)
    house.records = {record.spec.method: record for record in house.store.records()}
    return house


@pytest.fixture
def score(kept, calls_in, tiny_folder):
    """Calls `bench score` on the raw images of the made-up set, or others."""
    call = calls_in(kept.root, **kept.env)

    def of(method, *words, source=tiny_folder):
        return call("score", "--run", kept.records[method].key, "--input", source, *words)

    return of


@pytest.fixture(scope="module")
def model(kept):
    return opened(kept, "devnet")


def opened(house, method, **options):
    folders = Folders(house.root / "data", house.root / "cache", house.results, None, house.root / "hub")
    return keeping.open_model(house.store, house.records[method].fit_key, folders, weights=(), device="cpu", **options)


def contents_of(house, method):
    return read_model(house.store.model_path(house.records[method].fit_key))


def numbers(text):
    return {image["file"]: image["score"] for image in json.loads(text)["images"]}


def test_images_of_the_test_set_have_the_very_scores_of_the_record(kept, score):
    stored = kept.store.scores(kept.records["devnet"].key)
    code, out, err = score("devnet", "--format", "json")
    assert code == 0
    assert "44 images scored" in err
    assert [numbers(out)[id_] for id_ in stored.ids] == stored.values.tolist()
    code, out, _ = score("devnet")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {row["file"]: float(row["score"]) for row in rows}.items() >= dict(
        zip(stored.ids, stored.values, strict=True)
    ).items()


def test_a_method_that_draws_references_says_so_and_gives_an_image_one_score(kept, score, tiny_folder):
    code, out, err = score("dra", "--format", "json")
    assert code == 0
    assert "compares each test batch with references" in err
    one = tiny_folder / "test" / "dot" / "003.png"
    code, alone, _ = score("dra", "--format", "json", source=one)
    assert numbers(alone)["003.png"] == numbers(out)["test/dot/003.png"]
    stored = kept.store.scores(kept.records["dra"].key)
    found = np.array([numbers(out)[id_] for id_ in stored.ids])
    assert np.corrcoef(found, stored.values)[0, 1] > 0.9


def test_a_broken_file_costs_itself_alone(score, tmp_path, tiny_folder):
    shutil.copytree(tiny_folder / "test" / "dot", tmp_path / "mine" / "deep")
    (tmp_path / "mine" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    (tmp_path / "mine" / "notes.txt").write_text("seen")
    (tmp_path / "mine" / ".hidden.png").write_bytes(b"")
    code, out, err = score("devnet", "--format", "json", source=tmp_path / "mine")
    assert code == 1
    assert "broken.png is not a readable image" in err
    assert "1 file passed over" in err
    assert [each["file"] for each in json.loads(out)["unreadable"]] == ["broken.png"]
    assert list(numbers(out)) == [f"deep/{number:03}.png" for number in range(12)]
    whole = numbers(score("devnet", "--format", "json", source=tiny_folder / "test" / "dot")[1])
    assert list(numbers(out).values()) == list(whole.values())


def test_nothing_that_is_scored_is_ever_written_over(score, tmp_path, tiny_folder):
    shutil.copytree(tiny_folder / "test" / "dot", tmp_path / "mine")
    one = tmp_path / "mine" / "000.png"
    shutil.copy(one, tmp_path / "000.png.png")
    before = {path: path.read_bytes() for path in (tmp_path).rglob("*.png")}
    for words, source, said in (
        (("--output", one), one, "is one of the images"),
        (("--output", one), tmp_path / "mine", "is one of the images"),
        (("--heatmaps", tmp_path / "mine"), tmp_path / "mine", "lies within --input"),
        (("--heatmaps", tmp_path / "mine" / "maps"), tmp_path / "mine", "lies within --input"),
    ):
        code, out, err = score("devnet", *words, source=source)
        assert (code, out) == (2, "")
        assert said in err
    assert {path: path.read_bytes() for path in (tmp_path).rglob("*.png")} == before


def test_a_pipe_or_a_device_is_left_out_and_never_waited_for(score, tmp_path, tiny_folder):
    shutil.copytree(tiny_folder / "test" / "dot", tmp_path / "mine")
    os.mkfifo(tmp_path / "mine" / "pipe.png")
    (tmp_path / "mine" / "zeros.png").symlink_to("/dev/zero")
    code, _, err = score("devnet", source=tmp_path / "mine")
    assert code == 1
    assert "pipe.png" in err
    assert "zeros.png" in err
    assert "12 images scored" in err


def test_a_threshold_that_is_no_number_is_refused(score):
    code, out, err = score("devnet", "--threshold", "nan")
    assert (code, out) == (2, "")
    assert "--threshold nan is no share" in err


@pytest.mark.parametrize(
    "scores", [[], [float("nan")], [[0.5]], torch.zeros(2)], ids=["none", "no number", "a table", "float32"]
)
def test_scores_of_training_normals_that_are_none_are_refused(kept, tmp_path, scores):
    contents = contents_of(kept, "devnet")
    path = tmp_path / f"{contents.facts.fit.fit_key}.safetensors"
    values = scores if isinstance(scores, torch.Tensor) else torch.tensor(scores, dtype=torch.float64)
    write_model(path, replace(contents, train_scores=values))
    with pytest.raises(ResultsError, match="was changed since it was written"):
        read_model(path)


def test_over_the_threshold_are_the_scores_above_the_quantile_of_the_training_normals(score, model, tiny_folder):
    scores = np.sort(model.score(tiny_folder / "train"))
    assert len(scores) == 14
    assert model.thresholds == {0.95: scores[13], 0.99: scores[13]}
    assert model.threshold(0.5) == scores[6]
    code, out, err = score("devnet", "--threshold", "0.5")
    assert code == 0
    assert "0.5 of the 14 training normals are not over it; 14 are few" in err
    over = {row["file"] for row in csv.DictReader(io.StringIO(out)) if row["over"] == "true"}
    assert {name for name in over if name.startswith("train/")} == {
        f"train/good/{number:03}.png"
        for number, value in enumerate(model.score(tiny_folder / "train"))
        if value > scores[6]
    }


def test_a_heat_map_is_a_picture_beside_each_score(score, model, tmp_path, tiny_folder):
    code, out, _ = score("devnet", "--heatmaps", tmp_path / "maps", "--format", "json", source=tiny_folder / "test")
    assert code == 0
    images = json.loads(out)["images"]
    assert len(images) == 30
    assert {image["heat_map"] for image in images} == {str(path) for path in (tmp_path / "maps").rglob("*.png")}
    with Image.open(images[0]["heat_map"]) as picture:
        assert (picture.size, picture.mode) == ((32, 32), "RGB")
    maps = model.maps(tiny_folder / "test")
    assert maps.shape == (30, 32, 32)
    assert model.contents.facts.map_range == (
        model.maps(tiny_folder / "train").min(),
        model.maps(tiny_folder / "train").max(),
    )


def test_the_colours_of_a_heat_map_are_on_the_scale_of_the_training_normals():
    pixels = np.zeros((1, 5, 3), np.uint8)
    heat = np.array([[-1.0, 0.0, 1.0, 2.0, 9.0]], np.float32)
    assert not is_beyond(heat, (0.0, 1.0))
    assert is_beyond(heat + 2.5, (0.0, 1.0))
    with Image.open(io.BytesIO(heat_picture(pixels, heat + 2.5, (0.0, 1.0)))) as picture:
        seen = np.asarray(picture).sum(axis=2)
    assert seen[heat == heat.min()].max() < seen[heat == heat.max()].min()
    with Image.open(io.BytesIO(heat_picture(pixels, heat, (0.0, 1.0)))) as picture:
        colours = np.asarray(picture)[0]
    assert colours.tolist() == [[0, 0, 0], [0, 0, 0], [153, 76, 0], [153, 153, 153], [153, 153, 153]]


def test_a_model_without_maps_says_so(kept, model):
    bare = KeptModel(
        replace(model.contents, facts=msgspec.structs.replace(model.contents.facts, map_range=None)), model.context
    )
    with pytest.raises(MethodError, match="devnet has no heat maps with the parameters of this run"):
        score_files(bare, [], lambda path: path, progress=print, notify=print)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--input", "nowhere"), "--input nowhere: there is no such file or folder"),
        (("--input", "empty"), "--input empty: the folder holds no image (.bmp, .jpeg"),
        (("--run", "hard-tiny-dot-dre"), "no run 'hard-tiny-dot-dre' in"),
        (("--run", ""), "no run '' in"),
        (("--threshold", "95"), "95.0 is not in the range 0<=x<=1"),
        (("--output", "nowhere/scores.csv"), "the folder nowhere is not there; make it first"),
        (("--device", "gpu"), "unknown device 'gpu': give cpu"),
        (("--device", "cuda:0,cuda:1"), "one device scores, such as cuda:0"),
    ],
)
def test_what_cannot_be_is_one_sentence(kept, calls_in, words, sentence):
    (kept.root / "empty").mkdir(exist_ok=True)
    usual = {"--run": kept.records["devnet"].key, "--input": kept.root / "data", **dict([words])}
    code, out, err = calls_in(kept.root, **kept.env)("score", *(word for pair in usual.items() for word in pair))
    assert (code, out) == (2, "")
    assert sentence in err
    assert len(err.splitlines()) == 1


def test_a_run_without_a_model_names_the_command_that_keeps_one(kept, calls_in, tmp_path):
    other = Store(tmp_path / "bare runs")
    other.put(kept.records["devnet"])
    failed = msgspec.structs.replace(kept.records["dra"], status="failed", metrics=None, counts=None, error="it broke")
    other.put(failed)
    call = calls_in(kept.root, **kept.env)
    code, _, err = call("score", "--run", "hard-tiny-dot-devnet", "--input", "data", "--results", other.root)
    assert code == 2
    assert "'bench run --suite hard --method devnet --dataset tiny --known-class dot" in err
    assert f"--keep-models --results '{other.root}'' makes its fit again" in err
    with pytest.raises(BenchError, match=r"hard-tiny-dot-dra\S+ failed, so that it has no model: bench results why"):
        swanbench.load("hard-tiny-dot-dra", other.root)


def test_a_loaded_model_scores_paths_and_arrays_alike(kept, model, monkeypatch, tiny_folder, tmp_path):
    for name, value in kept.env.items():
        monkeypatch.setenv(name, value)
    loaded = swanbench.load("hard-tiny-dot-devnet", kept.results)
    paths = sorted((tiny_folder / "test" / "bar").iterdir())
    arrays = np.stack([np.asarray(Image.open(path)) for path in paths])
    threads = torch.get_num_threads()
    expected = loaded.score(tiny_folder / "test" / "bar")
    for images in (paths, [str(path) for path in paths], arrays, list(arrays)):
        assert loaded.score(images).tolist() == expected.tolist()
    assert loaded.score(paths[0]).tolist() == loaded.score(arrays[0]).tolist() == [expected[0]]
    assert loaded.score([]).shape == (0,)
    assert torch.get_num_threads() == threads
    assert loaded.spec.fit_key == kept.records["devnet"].fit_key
    with pytest.raises(DataError, match=r"there is no nowhere\.png"):
        loaded.score("nowhere.png")
    with pytest.raises(DataError, match="3 is no image: give a file, a folder"):
        loaded.score(3)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty holds no image: give another folder"):
        loaded.score(tmp_path / "empty")


def test_images_of_many_blocks_have_the_scores_of_one(model, tiny_folder):
    images = np.stack([np.asarray(Image.open(path)) for path in sorted((tiny_folder / "test" / "dot").iterdir())])
    assert model.block % model.contents.facts.batch == 0
    assert model.block >= HELD_IMAGES
    formed = [model.formed(image) for image in images]
    parts = [model.stored_scores(block) for block in blocks(formed, 11)]
    assert [len(part) for part in parts] == [11, 1]
    assert np.concatenate(parts).tolist() == model.score(images).tolist()
    assert [float(model.score(image)[0]) for image in images[:2]] == model.score(images)[:2].tolist()
    shapes = [np.zeros(shape, np.uint8) for shape in ((2, 3, 1), (2, 3, 1), (3, 2, 1), (2, 3, 1))]
    assert [len(block) for block in blocks(shapes, 9)] == [2, 1, 1]


@pytest.mark.parametrize(
    ("place", "sentence"),
    [(-1, "was changed since it was written"), (40, "is damaged or none of swanbench"), (3, "is damaged or none")],
)
def test_a_file_in_which_a_byte_was_changed_is_refused(kept, tmp_path, place, sentence):
    data = bytearray(kept.store.model_path(kept.records["devnet"].fit_key).read_bytes())
    data[place] ^= 0xFF
    path = tmp_path / f"{kept.records['devnet'].fit_key}.safetensors"
    path.write_bytes(data)
    with pytest.raises(ResultsError, match=sentence):
        read_model(path)


def test_a_file_under_another_name_or_of_a_newer_version_is_refused(kept, tmp_path, monkeypatch):
    contents = contents_of(kept, "devnet")
    small = replace(contents, state={"level": torch.zeros(2)})
    write_model(tmp_path / f"{'0' * 64}.safetensors", small)
    with pytest.raises(ResultsError, match="was changed since it was written: remove it"):
        read_model(tmp_path / f"{'0' * 64}.safetensors")
    path = tmp_path / f"{contents.facts.fit.fit_key}.safetensors"
    write_model(path, replace(small, facts=msgspec.structs.replace(contents.facts, schema=2)))
    with pytest.raises(ResultsError, match="is of a newer version: upgrade swanbench"):
        read_model(path)
    path.write_bytes(b"")
    with pytest.raises(ResultsError, match="is damaged or none of swanbench"):
        read_model(path)
    with pytest.raises(ResultsError, match="cannot read the kept model"):
        read_model(tmp_path / "gone.safetensors")


def test_tensors_of_any_kind_come_back_as_they_were(kept, tmp_path):
    contents = contents_of(kept, "devnet")
    shared = torch.arange(6.0).reshape(2, 3)
    state = {
        "shared": shared.T,
        "view": shared[1],
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "none": torch.empty(0, 3),
        "half": torch.ones(2, dtype=torch.bfloat16),
        "whole": torch.tensor([2**40]),
        "state.state.": torch.tensor([True, False]),
    }
    path = tmp_path / f"{contents.facts.fit.fit_key}.safetensors"
    write_model(path, replace(contents, state=state))
    read = read_model(path)
    assert read.state.keys() == state.keys()
    assert all(
        torch.equal(read.state[name], value) and read.state[name].dtype == value.dtype for name, value in state.items()
    )
    assert torch.equal(read.train_scores, contents.train_scores)


def test_a_model_has_the_same_bytes_whenever_it_is_written(kept, tmp_path):
    contents = contents_of(kept, "devnet")
    paths = [tmp_path / f"{number}.safetensors" for number in range(8)]
    for path in paths:
        write_model(path, contents)
    assert {path.read_bytes() for path in paths} == {kept.store.model_path(kept.records["devnet"].fit_key).read_bytes()}


def test_a_merge_names_a_damaged_model_and_leaves_its_record(kept, calls_in, tmp_path):
    source = shutil.copytree(kept.results, tmp_path / "source")
    model = Store(source).model_path(kept.records["dra"].fit_key)
    model.write_bytes(model.read_bytes()[:-1] + b"!")
    call = calls_in(tmp_path, **kept.env)
    for words in (("--dry-run",), ()):
        code, out, err = call("results", "merge", source, "--results", "here", *words)
        assert code == 1
        assert f"the kept model {model} was changed since it was written: remove it" in err
        assert "1 left, since they cannot be read" in out
    assert [record.spec.method for record in Store(tmp_path / "here").records()] == ["devnet"]
    assert Store(tmp_path / "here").kept_models().keys() == {kept.records["devnet"].fit_key}
    model.unlink()
    assert call("results", "merge", source, "--results", "here")[0] == 0


def test_other_weights_than_those_of_the_fit_are_refused(kept, model, tmp_path):
    facts = msgspec.structs.replace(
        model.contents.facts, fit=msgspec.structs.replace(model.contents.facts.fit, weights={"resnet18": "f" * 64})
    )
    store = Store(tmp_path)
    write_model(store.model_path(facts.fit.fit_key), replace(model.contents, facts=facts))
    file = tmp_path / "other.pth"
    torch.save(model.context.backbone("resnet18").state_dict(), file)
    folders = Folders(tmp_path, tmp_path, tmp_path, None, tmp_path)
    with pytest.raises(MethodError, match=r"made on the weights random of resnet18, and custom:\w{8} are here: give"):
        keeping.open_model(store, facts.fit.fit_key, folders, weights=[str(file)], device="cpu")


def test_weights_for_a_model_that_needs_none_are_refused(score):
    code, _, err = score("devnet", "--weights", "nosuch.pth")
    assert code == 2
    assert "this model of devnet was made without a file of weights: leave --weights out" in err


def test_a_state_that_its_detector_does_not_take_is_one_sentence(model):
    odd = KeptModel(replace(model.contents, state={"other": torch.zeros(1)}), model.context)
    with pytest.raises(MethodError, match="does not fit its detector as it is installed, version 1"):
        odd.score(np.zeros((16, 16, 3), np.uint8))


@pytest.mark.parametrize(
    ("state", "reason"),
    [({"bank": [1, 2]}, "holds more than tensors: 'bank'"), (RuntimeError("no state"), "RuntimeError: no state")],
)
def test_what_cannot_be_kept_costs_the_model_alone(kept, model, tmp_path, state, reason):
    def give():
        if isinstance(state, Exception):
            raise state
        return state

    said = []
    fit = SimpleNamespace(name="fit-odd", method="devnet")
    keeping.keep_model(
        SimpleNamespace(fit=fit, keep=None),
        None,
        SimpleNamespace(state=give),
        model.context,
        ArrayImages(np.zeros((2, 4, 4, 3), np.uint8)),
        said.append,
    )
    assert len(said) == 1
    assert said[0].startswith("the model of fit-odd is not kept: ")
    assert reason in said[0]


def test_colour_where_the_training_images_are_grey_is_refused_by_name(kept, model, tmp_path):
    grey = KeptModel(
        replace(model.contents, facts=msgspec.structs.replace(model.contents.facts, channels=1)), model.context
    )
    path = save_picture(tmp_path / "colour.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(DataError, match=r"colour\.png is in colour, where the training images are grey"):
        grey.formed(path)


def test_a_plan_says_what_keeping_models_costs(kept, calls_in, tmp_path):
    for record in kept.records.values():
        Store(tmp_path).put(record)
    call = calls_in(kept.root, **kept.env)
    words = ("run", "--suite", kept.suite, *kept.small, "--known-class", "dot", "--plan", "--results", tmp_path)
    assert "made again" not in call(*words)[2]
    assert "made again" not in call(*words[:-2], "--keep-models")[2]
    assert (
        "2 fits of stored runs are made again to keep a model, the records stay: tiny; devnet, dra"
        in call(*words, "--keep-models")[2]
    )


@pytest.mark.slow
def test_a_stored_run_gets_its_model_by_a_second_fit_and_keeps_its_record(kept, new_house):
    house = new_house("again")
    shutil.copytree(kept.results, house.results)
    path = house.results / kept.store.model_path(kept.records["devnet"].fit_key).relative_to(kept.results)
    before, model = {each: each.read_bytes() for each in house.results.glob("records/*/*")}, path.read_bytes()
    path.unlink()
    again = house.run("--threads", "1", "--known-class", "dot", "--keep-models")
    assert again.returncode == 0, again.stderr
    assert "1 fit of stored runs is made again to keep a model, the records stay: tiny; devnet" in again.stderr
    assert "2 runs: all cached, 0 to run" in again.stderr
    assert {each: each.read_bytes() for each in house.results.glob("records/*/*")} == before
    assert path.read_bytes() == model


def test_the_python_of_the_page_counts_the_images_over_the_threshold(kept, monkeypatch, tmp_path, tiny_folder, capsys):
    page = (ROOT / "docs" / "use_a_detector.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    for name, value in kept.env.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "photos").symlink_to(tiny_folder / "test")
    (tmp_path / "runs").symlink_to(kept.results)
    monkeypatch.chdir(tmp_path)
    exec(snippet.replace("hard-elpv-mono-devnet", "hard-tiny-dot-devnet"), {})
    model = opened(kept, "devnet")
    scores, limit = model.score(tiny_folder / "test"), model.thresholds[0.95]
    assert capsys.readouterr().out == f"{sum(scores > limit)} of 30 images are over {limit:.3f}\n"
