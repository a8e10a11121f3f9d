"""Images are opened in a fixed list of formats, whatever a file is called; no other program is ever started."""

import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from protocols.catalogue import data_folder, verify
from protocols.errors import DataError
from protocols.images import decode

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
PIXELS = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Ghostscript is there; gives what was started."""
    calls: list[object] = []
    monkeypatch.setattr(EpsImagePlugin, "has_ghostscript", lambda: True)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", "gs")
    monkeypatch.setattr(subprocess, "check_call", lambda *args, **_: calls.append(args))
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **_: calls.append(args))
    return calls


@pytest.mark.parametrize("form", ["BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"])
def test_a_format_of_the_list_is_opened(form: str) -> None:
    file = io.BytesIO()
    PIXELS.save(file, form)
    assert decode.decode_image(file.getvalue(), 3).size == (8, 8)


@pytest.mark.parametrize("form", ["EPS", "PDF", "ICO", "TGA", "SGI", "JPEG2000", "PCX", "ICNS", "DDS"])
def test_any_other_format_is_refused_and_no_program_is_started(form: str, started: list[object]) -> None:
    file = io.BytesIO()
    try:
        PIXELS.save(file, form)
    except OSError:
        PIXELS.resize((16, 16)).convert("RGBA").save(file, form)
    for read in (decode.read_header, lambda data: decode.decode_image(data, 3)):
        with pytest.raises(decode.DecodeError, match=r"is not a readable image \(of none of the formats BMP"):
            read(file.getvalue())
    assert not started


def test_postscript_under_another_name_is_refused_when_adopted_and_when_verified(
    tmp_path: Path, mvtec_folder: Path, started: list[object]
) -> None:
    dataset = data_folder.adopt_dataset(mvtec_folder, "own", tmp_path / "data")
    odd = mvtec_folder / "test/color/000.png"
    odd.write_bytes(POSTSCRIPT)
    assert [line for line in verify.file_differences(dataset) if "000.png is not a readable image" in line]
    with pytest.raises(DataError, match=r"000\.png is not a readable image .*replace or remove the file"):
        data_folder.adopt_dataset(mvtec_folder, "other", tmp_path / "data")
    assert not started


def test_a_file_of_gigabytes_is_not_read(tmp_path: Path, mvtec_folder: Path, save_image: Callable[..., Path]) -> None:
    dataset = data_folder.adopt_dataset(mvtec_folder, "own", tmp_path / "data")
    with (mvtec_folder / "test/color/000.png").open("r+b") as file:
        file.truncate(9 << 30)
    assert [line for line in verify.file_differences(dataset) if "000.png has 9216 MiB" in line]
    with pytest.raises(DataError, match=r"000\.png has 9216 MiB, more than an image file may have: replace or remove"):
        data_folder.adopt_dataset(mvtec_folder, "other", tmp_path / "data")
