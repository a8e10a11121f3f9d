"""Weights: genuine, custom, absent, random and auto; wrong files of every kind; the download."""

import functools
import hashlib
import http.server
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
import threading

import pytest
import torch
from repository import ROOT
from torchvision.models import resnet18, vgg16

from methods.backbones import content
from methods.backbones import fetch as weights_fetch
from methods.backbones.fetch import fetch
from methods.backbones.find import WeightsFile, WrongWeightsError, find, identify, listing, read
from methods.backbones.table import BACKBONES, GenuineFile, fitting_backbones, genuine_files
from methods.errors import MethodError

REAL = ROOT.parent / "shared" / "data" / "weights"
NOT_GENUINE = "is not the file that its name says, its SHA-256 is "


def network(arch="resnet18"):
    """Without memory, so `load_state_dict` needs `assign=True`."""
    with torch.device("meta"):
        return {"resnet18": resnet18, "vgg16": vgg16}[arch]()


@functools.cache
def trunk_shapes(arch):
    left_out = re.compile(r"fc\.|classifier\.|.*num_batches_tracked")
    return {name: value.shape for name, value in network(arch).state_dict().items() if not left_out.match(name)}


def trunk_state(arch="resnet18", dtype=torch.float16, value=0.5):
    """A complete trunk whose tensors repeat one number, so that its file is small."""
    return {name: torch.full((1,), value, dtype=dtype).expand(shape) for name, shape in trunk_shapes(arch).items()}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def save(tmp_path):
    def write(name, state):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, path)
        return path

    return write


@pytest.fixture
def genuine(save, publish):
    """A file that the table lists: its name carries the first digits of its digest, as torchvision's do."""
    path = save("genuine.pth", trunk_state(value=0.25))
    name = f"resnet18-{digest(path)[:8]}.pth"
    publish("resnet18", GenuineFile(name, f"https://localhost/{name}", digest(path), 0.1))
    return path.rename(path.with_name(name))


@pytest.fixture
def look(tmp_path):
    def run(arch="resnet18", options=(), **changes):
        places = {"env": None, "hub_dir": tmp_path / "hub", "cache_dir": tmp_path / "cache", "allow_auto": False}
        return find(arch, options=options, **(places | changes))

    return run


@pytest.fixture
def no_torch(monkeypatch):
    """From here on nothing may look into a file."""

    def start():
        monkeypatch.setattr(content, "load_state", lambda path: pytest.fail(f"{path} was loaded"))

    return start


# Genuine


def test_a_genuine_file_is_known_by_its_digest_without_being_loaded(genuine, look, no_torch):
    path = genuine
    no_torch()
    expected = WeightsFile("resnet18", path, digest(path), f"genuine:{path.name}")
    assert look(options=[str(path)]) == expected
    assert look(env=str(path)) == expected
    assert look(env=str(path.parent)) == expected


def test_a_genuine_file_under_another_name_is_genuine(genuine, look, publish):
    path = genuine
    other = path.rename(path.with_name("other.pth"))
    assert look(options=[str(other)]).label == f"genuine:{path.name}"
    publish("resnet18", GenuineFile(path.name, "", digest(other)[:8] + "0" * 56, 0.1))
    assert look(options=[str(other)]).label == f"custom:{digest(other)[:8]}"


def test_another_file_of_a_genuine_name_is_refused_wherever_it_is_found(genuine, look, save):
    path = genuine
    other = save("other.pth", trunk_state())
    other.replace(path)
    hub = path.parent / "hub" / "checkpoints" / path.name
    for places in ({"options": [str(path)]}, {"env": str(path)}, {"env": str(path.parent)}):
        with pytest.raises(
            MethodError, match=f"{path} {NOT_GENUINE}{digest(path)} and not .*: rename it .* fetch resnet18"
        ):
            look(**places)
    hub.parent.mkdir(parents=True)
    path.rename(hub)
    with pytest.raises(MethodError, match=NOT_GENUINE):
        look()
    with pytest.raises(MethodError, match="no weights for vgg16"):
        look("vgg16")


def test_the_real_table_refuses_another_file_of_a_real_name(look, save):
    path = save("resnet18-f37072fd.pth", trunk_state())
    with pytest.raises(MethodError, match=NOT_GENUINE):
        look(options=[str(path)])


def test_torch_hubs_cache_is_looked_at_for_genuine_files_alone(genuine, look, save):
    path = genuine
    save("hub/checkpoints/custom.pth", trunk_state())
    with pytest.raises(MethodError, match="no weights for resnet18"):
        look()
    path.rename(path.parent / "hub" / "checkpoints" / path.name)
    assert look().label == f"genuine:{path.name}"


# Custom


def test_a_custom_file_is_recognised_by_its_keys_and_remembered(look, save, no_torch, tmp_path):
    paths = {arch: save(f"{arch}.pt", trunk_state(arch)) for arch in ("resnet18", "vgg16")}
    first = {arch: look(arch, env=str(tmp_path)) for arch in paths}
    for arch, path in paths.items():
        assert first[arch] == WeightsFile(arch, path, digest(path), f"custom:{digest(path)[:8]}")
    no_torch()
    assert {arch: look(arch, env=str(tmp_path)) for arch in paths} == first


def test_what_was_refused_is_remembered_too(look, save, no_torch):
    path = save("other.pth", {"a": torch.zeros(1)})
    with pytest.raises(MethodError, match="holds no network that is known") as first:
        look(options=[str(path)])
    no_torch()
    with pytest.raises(MethodError) as second:
        look(options=[str(path)])
    assert str(first.value) == str(second.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 0, "arch": "vgg16", "problem": ""}', '{"version": 1}'])
def test_a_note_that_cannot_be_used_is_made_anew(look, save, tmp_path, text):
    path = save("mine.pth", trunk_state())
    note = tmp_path / "cache" / "weights" / f"{digest(path)}.json"
    note.parent.mkdir(parents=True)
    note.write_text(text)
    assert look(options=[str(path)]).arch == "resnet18"
    assert '"resnet18"' in note.read_text()
    assert [file.name for file in note.parent.iterdir()] == [note.name]


def test_a_cache_that_takes_no_note_does_no_harm(look, save, tmp_path):
    path = save("mine.pth", trunk_state())
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert look(options=[str(path)]).arch == "resnet18"


def test_the_custom_files_at_hand_are_what_their_readme_says(look):
    if not REAL.is_dir():
        pytest.skip("no real weights beside this repository")
    found = look(env=str(REAL))
    assert found.label == "custom:9400829f"
    assert look("vgg16", env=str(REAL)).label == "custom:8f422f0e"
    state = read(found)
    missing, unexpected = network().load_state_dict(state, strict=False, assign=True)
    assert (sorted(missing), unexpected) == (["fc.bias", "fc.weight"], [])
    assert {tensor.dtype for tensor in state.values()} == {torch.float32, torch.int64}


# Absent, random, auto


def test_absent_weights_are_an_error_with_the_next_step(look):
    with pytest.raises(MethodError) as caught:
        look()
    assert str(caught.value) == (
        "no weights for resnet18: set BENCH_WEIGHTS to a file, or pass --weights FILE, or --weights random for a "
        "smoke test"
    )


def test_random_is_taken_although_a_file_is_there(look, save):
    path = save("mine.pth", trunk_state())
    expected = WeightsFile("resnet18", None, "random", "random")
    assert look(options=["random"], env=str(path)) == expected
    assert look(options=["resnet18=random"], env=str(path)) == expected
    assert look(options=["vgg16=random"], env=str(path)).path == path
    assert look(options=["random", str(path)]).path == path
    assert look("vgg16", options=["random", str(path)]).label == "random"


def test_auto_takes_the_first_found_else_random_and_is_for_quick_alone(look, save):
    path = save("mine.pth", trunk_state())
    for options in ([], ["auto"], ["resnet18=auto"]):
        assert look(options=options, allow_auto=True).label == "random"
        assert look(options=options, env=str(path), allow_auto=True).path == path
    with pytest.raises(MethodError, match="--weights auto is for recipe quick alone"):
        look(options=["auto"], env=str(path))


# Options and places


def test_an_option_beats_the_variable_and_the_variable_the_cache(genuine, look, save):
    path = genuine
    hub = path.parent / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    path.rename(hub / path.name)
    first, second = save("first.pth", trunk_state()), save("second.pth", trunk_state(value=0.75))
    assert look(options=[str(first)], env=str(second)).path == first
    assert look(env=str(second)).path == second
    assert look().path == hub / path.name


def test_a_folder_that_has_two_files_of_a_network_is_refused_as_two_options_are(genuine, look, save):
    path = genuine
    first, others = save("folder/a.pth", trunk_state()), []
    (first.parent / "notes.txt").write_text("no weights")
    save("folder/0.pth", {"epoch": 3})
    save("folder/vgg.pth", trunk_state("vgg16"))
    shutil.copy(first, first.with_name("copy.pth"))
    assert look(env=str(first.parent), notify=others.append).digest == digest(first)
    assert others == []
    path.rename(first.parent / path.name)
    with pytest.raises(
        WrongWeightsError, match=r"BENCH_WEIGHTS names more than one file for resnet18: keep one of .*a.pth"
    ):
        look(env=str(first.parent))
    assert look("vgg16", env=str(first.parent)).path == first.with_name("vgg.pth")


def test_what_is_wrong_with_the_files_of_a_folder_is_told_whatever_is_taken_instead(genuine, look, save, tmp_path):
    path = genuine
    save("folder/nested.pth", {"state_dict": trunk_state(), "epoch": 90})
    said = []
    folder = str(tmp_path / "folder")
    assert look(env=folder, allow_auto=True, notify=said.append).label == "random"
    with pytest.raises(MethodError, match=r"no weights for resnet18: .*nested.pth holds more than tensors"):
        look(env=folder)
    hub = tmp_path / "hub" / "checkpoints" / path.name
    hub.parent.mkdir(parents=True)
    path.rename(hub)
    assert look(env=folder, notify=said.append).path == hub
    assert len(said) == 2
    assert all("nested.pth holds more than tensors" in text and "BENCH_WEIGHTS names" in text for text in said)


def test_a_folder_of_another_network_is_told_where_random_weights_stand_in_and_else_not(genuine, look, save, tmp_path):
    path = genuine
    folder, said = str(save("folder/vgg.pth", trunk_state("vgg16")).parent), []
    assert look(env=folder, allow_auto=True, notify=said.append).label == "random"
    assert "vgg.pth holds vgg16" in said[0]
    hub = tmp_path / "hub" / "checkpoints" / path.name
    hub.parent.mkdir(parents=True)
    path.rename(hub)
    assert look(env=folder, notify=said.append).path == hub
    assert len(said) == 1


def test_a_file_of_another_network_leaves_the_other_places_open(look, save):
    vgg, resnet = save("vgg.pth", trunk_state("vgg16")), save("resnet.pth", trunk_state())
    assert look(options=[str(vgg)], env=str(resnet)).path == resnet
    assert look("vgg16", options=[str(vgg), str(resnet)]).path == vgg
    assert look("resnet18", options=[f"resnet18={resnet}", f"vgg16={vgg}"]).path == resnet


def test_options_that_contradict_or_name_nothing_are_refused(look, save, tmp_path):
    vgg, resnet = save("vgg.pth", trunk_state("vgg16")), save("resnet.pth", trunk_state())
    other = save("other.pth", trunk_state(value=1))
    cases = [
        ([f"resnet18={vgg}"], f"{vgg} holds vgg16, not resnet18"),
        ([f"resnet81={resnet}"], "no network 'resnet81': did you mean 'resnet18'?"),
        ([str(resnet), str(other)], f"--weights names more than one file for resnet18: keep one of {resnet} and"),
        ([str(tmp_path / "gone.pth")], "gone.pth cannot be read: No such file or directory"),
        ([str(tmp_path)], "cannot be read: Is a directory"),
        (["/dev/zero"], "/dev/zero cannot be read: it is a pipe or a device, no file: give another path"),
        ([f"resnet18={resnet}", f"resnet18={other}"], "contradict each other: keep one"),
        ([f"resnet18={resnet}", "resnet18=random"], "contradict each other: keep one"),
        ([f"vgg16={vgg}", "vgg16=random"], "contradict each other: keep one"),
    ]
    for options, text in cases:
        with pytest.raises(WrongWeightsError) as caught:
            look(options=options)
        assert text in str(caught.value)
    with pytest.raises(MethodError, match=r"BENCH_WEIGHTS names .*gone, which is not there: give a file or a folder"):
        look(env=str(tmp_path / "gone"))
    with pytest.raises(MethodError, match=r"no weights are known for 'resnet19': did you mean 'resnet18'\?"):
        look("resnet19")


def test_paths_that_no_system_takes_are_refused_in_one_line(look):
    long = "x" * 5000
    with pytest.raises(MethodError, match="cannot be read: File name too long: give another path"):
        look(options=[long])
    with pytest.raises(MethodError, match="cannot be read: File name too long: give another path"):
        look(options=[f"resnet18={long}"])
    with pytest.raises(MethodError, match=r"BENCH_WEIGHTS names x+, which cannot be read: File name too long"):
        look(env=long)
    with pytest.raises(MethodError, match=r"~nobody_of_this_name/a.pth, which is not there"):
        look(env="~nobody_of_this_name/a.pth")


def test_a_file_with_an_equals_sign_in_its_name_can_be_named(look, save):
    path = save("a=b.pth", trunk_state())
    assert look(options=[str(path)]).path == path


def test_the_same_file_twice_is_one(look, save):
    path = save("mine.pth", trunk_state())
    assert look(options=[str(path), str(path)]).path == path


def test_the_list_shows_every_file_with_its_label_or_its_fault(genuine, save, tmp_path):
    path = genuine
    custom, broken = save("folder/custom.pth", trunk_state()), save("folder/broken.pth", {"a": 1})
    hub = tmp_path / "hub" / "checkpoints" / path.name
    hub.parent.mkdir(parents=True)
    path.rename(hub)
    places = {"env": str(custom.parent), "hub_dir": tmp_path / "hub", "cache_dir": tmp_path / "cache"}
    rows = listing(**places, options=[str(custom), "random", f"vgg16={broken}"])
    found = [(row.source, row.path, row.weights.label if row.weights else None) for row in rows]
    assert found == [
        ("--weights", custom, f"custom:{digest(custom)[:8]}"),
        ("--weights", broken, None),
        ("BENCH_WEIGHTS", broken, None),
        ("BENCH_WEIGHTS", custom, f"custom:{digest(custom)[:8]}"),
        ("torch hub cache", hub, f"genuine:{path.name}"),
    ]
    assert "holds more than tensors ('a')" in rows[1].problem


# Contents


def without(name):
    return {key: value for key, value in trunk_state().items() if key != name}


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (without("layer4.1.conv2.weight"), "is no complete resnet18: 'layer4.1.conv2.weight' is missing"),
        (without("bn1.running_var"), "is no complete resnet18: 'bn1.running_var' is missing"),
        (trunk_state() | {"conv1.weight": torch.zeros(64, 1, 7, 7)}, "'conv1.weight' is 64x1x7x7 instead of 64x3x7x7"),
        (trunk_state() | {"layer5.weight": torch.zeros(1)}, "is no resnet18: unknown tensor 'layer5.weight'"),
        (trunk_state() | {"bn1.bias": torch.zeros(64, dtype=torch.int8)}, "'bn1.bias' holds no plain floats"),
        (trunk_state() | {"bn1.bias": torch.full((64,), torch.nan)}, "'bn1.bias' holds values that are not finite"),
        (trunk_state() | {"bn1.bias": torch.full((64,), 1e300, dtype=torch.float64)}, "values that are not finite"),
        (
            {"weight": torch.zeros(1)},
            "holds no network that is known (resnet18, vgg16, inception_v3, fid_inception_v3, ",
        ),
        ({}, "holds no network that is known"),
        ({"state_dict": trunk_state()}, "holds more than tensors ('state_dict')"),
        ({1: torch.zeros(1)}, "holds more than tensors ('1')"),
        ([torch.zeros(1)], "holds a list, not a state_dict"),
    ],
)
def test_other_contents_are_refused(look, save, state, text):
    path = save("mine.pth", state)
    with pytest.raises(MethodError) as caught:
        look(options=[str(path)])
    assert f"{path} " in str(caught.value)
    assert text in str(caught.value)


class Attack:
    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("kind", ["truncated", "empty", "html", "text", "pickle", "attack", "legacy_attack"])
def test_files_that_are_no_weights_are_refused_and_run_nothing(look, save, tmp_path, kind):
    attack = Attack()
    attack.folder = str(tmp_path / "attacked")
    good = save("good.pth", trunk_state()).read_bytes()
    path = tmp_path / "mine.pth"
    contents = {
        "truncated": good[: len(good) // 2],
        "empty": b"",
        "html": b"\n<!DOCTYPE html><html>404</html>",
        "text": b"no weights",
        "pickle": pickle.dumps({"a": {1, 2}, "b": print}),
        "legacy_attack": pickle.dumps(attack),
    }
    if kind == "attack":
        torch.save({"conv1.weight": attack}, path)
    else:
        path.write_bytes(contents[kind])
    with pytest.raises(MethodError) as caught:
        look(options=[str(path)])
    text = {"empty": "is empty", "html": "is a web page, not weights"}.get(kind, "is cut short, or holds more than")
    assert f"{path} {text}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "attacked").exists()


def test_read_gives_the_whole_trunk_in_float32(look, save):
    state = trunk_state(value=0.1) | {"fc.weight": torch.zeros(3, 512), "fc.bias": torch.zeros(3)}
    found = look(options=[str(save("mine.pth", state))])
    read_back = read(found)
    trunk = network()
    trunk.fc = torch.nn.Identity()
    trunk.load_state_dict(read_back, strict=True, assign=True)
    assert list(read_back) == list(trunk.state_dict())
    assert read_back["conv1.weight"].dtype == torch.float32
    assert read_back["conv1.weight"][0, 0, 0, 0] == torch.tensor(0.1, dtype=torch.float16).float()
    assert read_back["bn1.num_batches_tracked"] == 0


def test_read_keeps_float32_values_and_counters(look, save):
    state = trunk_state(dtype=torch.float32, value=0.1) | {"bn1.num_batches_tracked": torch.tensor(7)}
    read_back = read(look(options=[str(save("mine.pth", state))]))
    assert read_back["conv1.weight"][0, 0, 0, 0] == torch.tensor(0.1)
    assert read_back["bn1.num_batches_tracked"] == 7


def test_a_vgg_trunk_is_its_features(look, save):
    state = trunk_state("vgg16") | {"classifier.6.bias": torch.zeros(10)}
    read_back = read(look("vgg16", options=[str(save("mine.pth", state))]))
    assert len(read_back) == 26
    features = {name.removeprefix("features."): value for name, value in read_back.items()}
    network("vgg16").features.load_state_dict(features, strict=True, assign=True)


def test_a_file_that_changed_or_went_since_it_was_found_is_refused(look, save):
    path = save("mine.pth", trunk_state())
    found = look(options=[str(path)])
    save("mine.pth", trunk_state(value=1))
    with pytest.raises(MethodError, match=r"mine.pth changed since it was found: run the command again"):
        read(found)
    path.unlink()
    with pytest.raises(MethodError, match=r"mine.pth cannot be read: No such file"):
        read(found)


def test_a_genuine_name_on_the_wrong_network_is_refused_when_it_is_read(look, save, publish):
    path = save("vgg.pth", trunk_state("vgg16"))
    publish("resnet18", GenuineFile("resnet18.pth", "", digest(path), 0.1))
    found = look(options=[str(path.rename(path.with_name("resnet18.pth")))])
    with pytest.raises(MethodError, match=r"is no resnet18: unknown tensor 'features\.0\.weight': give another file"):
        read(found)


def test_random_weights_cannot_be_read(look):
    with pytest.raises(MethodError, match="random weights of resnet18 have no file"):
        read(look(options=["random"]))


def test_a_rerun_with_a_custom_file_imports_no_torch(save, tmp_path):
    path = save("mine.pth", trunk_state())
    identify(path, cache_dir=tmp_path / "cache")
    code = (
        "import sys; from pathlib import Path; from methods.backbones.find import identify\n"
        f"print(identify(Path({str(path)!r}), cache_dir=Path({str(tmp_path / 'cache')!r})).label, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"custom:{digest(path)[:8]}", "False"]


# Download


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server for the files of tmp_path/web, and the list of what it was asked for."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    asked = []
    folder = tmp_path / "web"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=folder)

        def log_request(self, code="-", size="-"):
            asked.append((self.path, int(code)))

        def log_error(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}/", folder, asked
        made.shutdown()
        thread.join()


@pytest.fixture
def serve(genuine, publish):
    """Let the genuine file be at another address."""

    def at(base):
        publish("resnet18", GenuineFile(genuine.name, f"{base}{genuine.name}", digest(genuine), 0.1))

    return at


def test_a_fetched_file_lands_in_the_hub_cache_and_is_found(genuine, look, server, serve, tmp_path):
    path = genuine
    url, web, asked = server
    serve(url)
    path.rename(web / path.name)
    seen = []
    target = fetch("resnet18", tmp_path / "hub", progress=lambda *n: seen.append(n))
    assert target == tmp_path / "hub" / "checkpoints" / path.name
    assert seen[-1] == (target.stat().st_size, target.stat().st_size)
    assert look().label == f"genuine:{path.name}"
    assert fetch("resnet18", tmp_path / "hub") == target
    assert asked == [(f"/{path.name}", 200)]


def test_a_fetch_replaces_another_file_of_the_name(genuine, server, serve, tmp_path):
    path = genuine
    url, web, _ = server
    serve(url)
    path.rename(web / path.name)
    target = tmp_path / "hub" / "checkpoints" / path.name
    target.parent.mkdir(parents=True)
    target.write_bytes(b"cut sho")
    fetch("resnet18", tmp_path / "hub")
    assert target.read_bytes() == (web / path.name).read_bytes()


def test_a_download_with_another_digest_is_thrown_away(genuine, server, serve, tmp_path):
    path = genuine
    url, web, _ = server
    serve(url)
    (web / path.name).write_bytes(b"<html>sign in</html>")
    with pytest.raises(MethodError, match=r"sent has the SHA-256 .*: try again, or set BENCH_WEIGHTS"):
        fetch("resnet18", tmp_path / "hub")
    assert list((tmp_path / "hub" / "checkpoints").iterdir()) == []


def test_a_download_that_cannot_be_had_says_why_and_what_else_to_do(genuine, server, serve, tmp_path):
    url, _, _ = server
    hub = tmp_path / "hub"
    (tmp_path / "file").write_text("no folder")
    cases = [
        (url, hub, "HTTP Error 404"),
        ("http://127.0.0.1:1/", hub, "Connection refused"),
        (url, tmp_path / "file", "Not a directory"),
    ]
    for base, folder, reason in cases:
        serve(base)
        with pytest.raises(MethodError) as caught:
            fetch("resnet18", folder)
        assert reason in str(caught.value)
        assert "download it elsewhere and set BENCH_WEIGHTS to the file" in str(caught.value)
    with pytest.raises(MethodError, match="no weights to fetch for 'resnet81': did you mean 'resnet18'"):
        fetch("resnet81", hub)


def test_a_server_that_says_nothing_is_not_waited_for(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(weights_fetch, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        serve(url)
        with pytest.raises(MethodError, match=r"could not be fetched into .* \(timed out\)"):
            fetch("resnet18", tmp_path / "hub")


def test_the_real_table_names_torchvisions_files():
    from torchvision.models import get_model_weights

    listed = {}
    for row, file in genuine_files():
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.url.endswith(f"/{file.name}")
        if row.source == "torchvision":
            assert file.name.removesuffix(".pth").endswith(f"-{file.sha256[:8]}")
            listed[row.id, file.url] = file.mebibytes
    for arch in {*fitting_backbones(), "inception_v3"} - {"dinov2_vits14"}:
        published = get_model_weights(BACKBONES[arch].network).IMAGENET1K_V1
        assert abs(listed[arch, published.url] - published.meta["_file_size"]) <= 0.05
    assert weights_fetch.TIMEOUT == 5
