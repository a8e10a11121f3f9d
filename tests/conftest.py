import tempfile
from pathlib import Path

import made_up
import numpy as np
import pytest
from hypothesis import settings
from pictures import save_picture

from protocols.datasets import registry

settings.register_profile("no clock", deadline=None)  # a busy machine is no fault
settings.load_profile("no clock")


@pytest.fixture(autouse=True)
def known_datasets():
    """Each test reads anew which datasets are installed."""
    registry.discover_datasets.cache_clear()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A folder in the layout of MVTec AD: 16 x 16 stripes as normals, dots and bars as anomalies; 40 images in all."""
    root = tmp_path_factory.mktemp("tiny_raw")
    draw = np.random.default_rng(0)

    def save(folder, count, mark):
        for number in range(count):
            pixels = np.tile(np.where(np.arange(16) % 4 < 2, 90, 160), (16, 1)) + draw.integers(-20, 20, (16, 16))
            if mark == "dot":
                pixels[5:9, 5:9] = 255
            if mark == "bar":
                pixels[:, 10] = 0
            image = np.stack([pixels, pixels, np.roll(pixels, 1)], axis=-1).astype(np.uint8)
            save_picture(root / folder / f"{number:03}.png", image)

    save("train/good", 14, None)
    save("test/good", 6, None)
    save("test/dot", 12, "dot")
    save("test/bar", 12, "bar")
    return root


@pytest.fixture
def made_up_sets(tmp_path, monkeypatch):
    """The made-up datasets are known; gives the folder that makes them known to other processes too."""
    folder = made_up.install(tmp_path / "installed")
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture
def open_folder():
    """A folder that other users can enter.

    It lies outside of pytest's own base folder, which each pytest that starts on the machine closes to others.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
