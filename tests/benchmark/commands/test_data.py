"""`bench data`: prepare, adopt, list, show and verify, on made-up datasets that a plug-in offers."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile

import made_up
import numpy as np
import pytest
import releases
from pictures import noise, save_picture
from PIL import Image

from benchmark.cli import status


@pytest.fixture
def bench(made_up_sets, tmp_path, monkeypatch, capsys):
    """`bench data ...` in this process; its exit status, stdout and stderr."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))

    def run(*words):
        code = status(["data", *map(str, words)])
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def plain(tmp_path):
    return made_up.plain_release(tmp_path / "plain_raw")


def shown(bench, name, *words):
    code, out, err = bench("show", name, "--json", *words)
    assert (code, err) == (0, "")
    return json.loads(out)


def test_prepare_says_what_it_made(bench, plain, tmp_path):
    code, out, err = bench("prepare", "plain", "--source", plain, "--jobs", "2")
    assert (code, err) == (0, "")
    counts = "6 training and 2 test normals, 4 anomalies of 1 class"
    assert out == f"plain: 12 images in {tmp_path / 'data' / 'plain'}: {counts}\n"
    assert bench("path", "plain")[1].strip() == str(tmp_path / "data" / "plain")


def test_show_has_the_counts_and_the_duplicates(bench, plain):
    shutil.copy(plain / "bad" / "000.png", plain / "bad" / "003.png")
    bench("prepare", "plain", "--source", plain)
    facts = shown(bench, "plain")
    assert list(facts)[:6] == ["name", "state", "fingerprint", "counts", "published", "duplicates"]
    assert (facts["name"], facts["state"], len(facts["fingerprint"])) == ("plain", "ready", 64)
    assert facts["counts"] == {"normal": {"train": 6, "test": 2}, "defect": {"train": 0, "test": 4}}
    assert facts["published"] == {"train_normal": 6, "test_normal": 2, "anomalies": 4, "classes": 1}
    assert facts["duplicates"] == [["bad/000.png", "bad/003.png"]]
    assert facts["variants"] == {"good_only": "without anomalies"}
    code, out, _ = bench("show", "plain")
    assert code == 0
    assert re.search(r"normal +6 +2\n", out)


def test_show_of_what_is_not_there_has_what_is_known(bench):
    facts = shown(bench, "tiles")
    assert (facts["state"], facts["counts"], facts["fingerprint"], facts["duplicates"]) == ("absent", None, None, None)
    assert facts["differences"] == "one strip has been mended since"
    assert shown(bench, "plain@good_only")["state"] == "absent"
    for name, problem in (
        ("plian", "did you mean 'plain'?"),
        ("plain@good", "plain has no variant 'good': did you mean 'plain@good_only'?"),
        ("shapes", "shapes is a family of datasets: choose one of them, such as circles"),
    ):
        code, out, err = bench("show", name)
        assert (code, out) == (2, "")
        assert problem in err


def test_a_set_of_classes_counts_each_class(bench, tmp_path):
    _, out, _ = bench("prepare", "digits", "--source", made_up.digits_release(tmp_path / "digits"))
    assert "30 training and 30 test images of 10 classes" in out
    facts = shown(bench, "digits")
    assert facts["counts"] == {str(digit): {"train": 3, "test": 3} for digit in range(10)}
    assert facts["published"] is None
    assert bench("verify", "digits")[:2] == (0, "digits: 60 images, 0 differences\n")


def test_list_has_state_counts_licence_source_and_size(bench, plain, tiny_folder):
    bench("prepare", "plain", "--source", plain)
    bench("prepare", "plain@good_only", "--source", plain)
    bench("adopt", tiny_folder, "--name", "mine")
    code, out, err = bench("list")
    assert (code, err) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert lines["plain"].split()[1] == "ready"
    assert lines["plain"].endswith("; 6/2/4/1 measured; 6/2/4/1 published")
    assert f"{lines['plain']}\n{'':25}none; https://example.org/made-up\n" in out
    assert lines["tiles"].split()[1] == "absent"
    assert "10/5/3/1 published" in lines["tiles"]
    assert "14/6/24/2 measured" in lines["mine"]
    assert "plain@good_only" in lines
    rows = {row["name"]: row for row in json.loads(bench("list", "--json")[1])}
    assert set(rows["plain"]) == {
        *("name", "state", "title", "source", "licence", "size", "download", "counts", "published"),
    }
    assert rows["plain"]["counts"] == rows["plain"]["published"]
    assert rows["mine"]["licence"] is None


def test_verify_is_clean_where_the_counts_are_published_or_the_difference_is_declared(bench, plain, tmp_path):
    bench("prepare", "plain", "--source", plain)
    code, out, err = bench("verify", "plain")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "counts as published: 6 training and 2 test normals, 4 anomalies of 1 class",
        "plain: 12 images, 0 differences",
    ]
    bench("prepare", "tiles", "--source", made_up.tiles_release(tmp_path / "tiles_raw", strips=7))
    code, out, _ = bench("verify", "tiles")
    assert code == 0
    assert out.splitlines()[0] == "release recognised by counts, sizes and modes"
    assert out.splitlines()[1] == (
        "counts differ from the published: 13 training and 5 test normals, 3 anomalies of 1 class; published 10 training and "
        "5 test normals, 3 anomalies of 1 class; declared: one strip has been mended since"
    )
    bench("prepare", "plain@good_only", "--source", plain)
    code, out, _ = bench("verify", "plain@good_only")
    assert code == 0
    assert "declared: without anomalies" in out


def test_a_difference_is_declared_for_the_counts_of_the_release_only(bench, tmp_path):
    bench("prepare", "tiles", "--source", made_up.tiles_release(tmp_path / "tiles_raw", strips=6))
    code, out, _ = bench("verify", "tiles")
    assert code == 1
    assert out.splitlines()[:2] == [
        "tiles: release not recognised, since it has 15 images of 'normal' where the release has 18",
        (
            "counts differ from the published: 11 training and 4 test normals, 3 anomalies of 1 class; published 10 training "
            "and 5 test normals, 3 anomalies of 1 class"
        ),
    ]
    assert "declared" not in out


def test_a_part_of_a_release_is_a_difference(bench, tmp_path):
    _, _, err = bench("prepare", "sdd", "--source", releases.sdd_release(tmp_path / "sdd", parts=2))
    told = "sdd: release not recognised, since it has 3 images of 'defect' where the release has 54 (other numbers of 1"
    assert told in err
    code, out, _ = bench("verify", "sdd")
    assert code == 1
    assert told in out
    assert shown(bench, "sdd")["release"].startswith("not recognised, since it has 3 images")


def test_a_release_re_encoded_in_another_format_is_told(bench, tmp_path):
    source = made_up.tiles_release(tmp_path / "tiles_raw", strips=7)
    for path in source.rglob("*.png"):
        Image.open(path).save(path, "JPEG", quality=100)
    assert bench("prepare", "tiles", "--source", source)[2].endswith("files are JPEG where the release has PNG\n")
    code, out, _ = bench("verify", "tiles")
    assert (code, "files are JPEG where the release has PNG" in out) == (1, True)


def test_verify_finds_what_differs(bench, plain, tmp_path):
    bench("prepare", "plain", "--source", made_up.plain_release(tmp_path / "fewer", normals=7))
    (tmp_path / "data" / "plain" / "good" / "001.png").unlink()
    (tmp_path / "data" / "plain" / "good" / "099.png").write_bytes(b"")
    image = tmp_path / "fewer" / "bad" / "002.png"
    image.write_bytes(image.read_bytes()[:-20])
    code, out, _ = bench("verify", "plain")
    assert code == 1
    lines = out.splitlines()
    assert lines[-1] == "plain: 11 images, 4 differences"
    assert "bad/002.png is not a readable image" in lines[0]
    assert "cannot read" in lines[1]
    assert "good/001.png" in lines[1]
    assert lines[2].endswith("good/099.png is not in the manifest")
    assert lines[3].startswith("counts differ from the published: 5 training and 2 test normals")


def test_verify_lists_equal_images_without_calling_them_differences(bench, plain):
    for number in range(1, 4):
        shutil.copy(plain / "bad" / "000.png", plain / "bad" / f"{number:03}.png")
    bench("prepare", "plain", "--source", plain)
    code, out, _ = bench("verify", "plain")
    assert code == 0
    assert "equal content: 1 group, 3 images more than contents\n  bad/000.png = bad/001.png = bad/002.png" in out


def test_a_family_is_prepared_and_verified_together(bench, tmp_path):
    draw = np.random.default_rng(0)
    for shape in ("circles", "squares"):
        for part in ("train/good", "test/good", "test/dot"):
            for number in range(3):
                save_picture(tmp_path / "shapes" / shape / part / f"{number}.png", noise(draw, 8, 8))
    code, _, err = bench("verify", "shapes")
    assert code == 2
    assert "nothing of shapes is in" in err
    code, out, _ = bench("prepare", "shapes", "--source", tmp_path / "shapes")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()] == ["circles", "squares"]
    assert bench("verify", "shapes")[1].count("9 images, 0 differences") == 2


def _archive(tmp_path, plain, extra, data=b""):
    target = tmp_path / "release.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(plain.rglob("*.png")):
            archive.write(path, path.relative_to(plain.parent))
        if extra:
            archive.writestr(extra, data)
    return target


def test_an_archive_with_a_path_that_leads_out_is_refused_whole(bench, plain, tmp_path):
    code, _, err = bench("prepare", "plain", "--source", _archive(tmp_path, plain, "../evil.png"))
    assert code == 2
    assert err.count("\n") == 1
    assert "release.zip holds '../evil.png', a path that leads out of the folder" in err
    assert not (tmp_path / "data").exists()
    code, out, err = bench("prepare", "plain", "--source", _archive(tmp_path, plain, None))
    assert (code, err) == (0, "")
    assert "12 images" in out


def _save(path, image, form):
    image.save(path, form)


ODD = {
    "truncated.png": (
        lambda path: path.write_bytes(path.read_bytes()[:-80]),
        "is not a readable image (it is cut short)",
    ),
    "last_bytes.png": (
        lambda path: path.write_bytes(path.read_bytes()[:-5]),
        "is not a readable image (it is cut short)",
    ),
    "empty.jpg": (lambda path: path.write_bytes(b""), "is empty"),
    "pixel.png": (lambda path: _save(path, Image.new("L", (1, 1)), "PNG"), "is an image of 1 x 1 pixels"),
    "float.tif": (lambda path: _save(path, Image.new("F", (8, 8)), "TIFF"), "has pixels of the mode F"),
    "palette.png": (lambda path: path.write_bytes(b"GIF89a"), "is not a readable image"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_image_that_cannot_be_used_refuses_the_source(bench, plain, tmp_path, name):
    spoil, problem = ODD[name]
    path = plain / "bad" / name
    shutil.copy(plain / "bad" / "000.png", path)
    spoil(path)
    code, out, err = bench("prepare", "plain", "--source", plain)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert f"{path} {problem}" in err
    assert [entry.name for entry in (tmp_path / "data").iterdir()] == [".plain.lock"]


def test_an_image_that_is_converted_is_said_so(bench, plain):
    grey = Image.open(plain / "bad" / "000.png")
    grey.convert("CMYK").save(plain / "bad" / "cmyk.jpg")
    grey.convert("RGBA").save(plain / "bad" / "alpha.png")
    code, _, err = bench("prepare", "plain", "--source", plain)
    assert code == 0
    assert err.splitlines() == [
        "plain: 1 image in CMYK is converted to RGB",
        "plain: 1 image with alpha is stripped of it",
    ]
    out = bench("verify", "plain")[1]
    assert "differ from the published" in out
    assert out.endswith("images, 1 difference\n")


def test_class_folders_are_adopted(bench, plain):
    (plain / "good").rename(plain / "normal")
    code, out, err = bench("adopt", plain, "--layout", "class_folders", "--name", "mine")
    assert (code, err) == (0, "")
    assert out == "mine: 12 images, anomaly classes bad\n"
    assert bench("verify", "mine")[:2] == (0, "mine: 12 images, 0 differences\n")
    code, _, err = bench("adopt", plain, "--layout", "folders", "--name", "mine")
    assert code == 2
    assert "there is no layout 'folders'" in err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("prepare", "plain"), "plain needs its release: get it from https://example.org/made-up"),
        (("prepare", "plian", "--source", "."), "did you mean 'plain'?"),
        (("prepare", "plain", "--source", "gone"), "gone is not there: give the folder or the archive"),
        (("prepare", "plain", "--source", ".", "--download"), "give --source or --download, not both"),
        (("prepare", "plain", "--download"), "plain has no address that is free to fetch from"),
        (("prepare", "plain", "--source", "/dev/null"), "/dev/null is not there"),
        (("prepare", "plain", "--jobs", "0", "--source", "."), "--jobs"),
        (("verify", "plain"), "plain is not in"),
        (("path", "plain"), "plain is not in"),
    ],
)
def test_wrong_input_is_one_line_with_a_next_step(bench, words, problem):
    code, out, err = bench(*words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert problem in err


def test_progress_is_a_bar_on_a_terminal(made_up_sets, plain, tmp_path):
    import pty

    main, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmark", "data", "prepare", "plain", "--source", str(plain)],
        env={**made_up.environment(made_up_sets), "BENCH_DATA": str(tmp_path / "data"), "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=terminal,
    )
    os.close(terminal)
    out, _ = process.communicate(timeout=60)
    drawn = b""
    try:
        while chunk := os.read(main, 65536):
            drawn += chunk
    except OSError:
        pass
    os.close(main)
    assert process.returncode == 0
    assert out.startswith(b"plain: 12 images")
    assert b"100%" in drawn
