"""Whether a prepared dataset is told from the release that it is named after."""

from dataclasses import replace
from pathlib import Path

import pytest
from preparing import prepared, raw

from protocols.catalogue import recognition
from protocols.datasets.info import DatasetInfo, KnownRelease
from protocols.datasets.manifest import Dataset, Row, assemble_dataset
from protocols.datasets.naming import NORMAL
from protocols.datasets.registry import dataset_info, dataset_infos

VARIANTS = [(info, variant) for info in dataset_infos().values() for variant in ("", *info.variants)]
NAMES = [f"{info.id}@{variant}" if variant else info.id for info, variant in VARIANTS]


def whole(info: DatasetInfo, variant: str, release: KnownRelease) -> Dataset:
    """Rows with the counts, sides and channels of a known release."""
    least, greatest = release.sides
    rows = []
    for key, count in release.counts.items():
        half, _, label = f"/{key}".rpartition("/")
        split, label = half.removeprefix("/"), label.replace("*", "defect")
        rows += [
            Row(
                f"{key}/{i}",
                f"{key}/{i}.png",
                label,
                split,
                "0" * 64,
                greatest if i else least,
                least,
                release.channels,
            )
            for i in range(count)
        ]
    return assemble_dataset(f"{info.id}@{variant}" if variant else info.id, Path("absent"), rows)


def doubts(dataset: Dataset) -> tuple[str, ...]:
    info = dataset_info(dataset.name)
    assert info is not None
    return recognition.release_doubts(info, dataset)


@pytest.mark.parametrize(("info", "variant"), VARIANTS, ids=NAMES)
def test_the_releases_of_every_dataset_and_variant_are_known(info: DatasetInfo, variant: str) -> None:
    assert info.releases[variant]
    for release in info.releases[variant]:
        counts = release.counts
        normals = sum(count for key, count in counts.items() if key.endswith(NORMAL))
        published = info.published
        if not variant and published and not info.differences:
            assert normals == published.train_normal + published.test_normal
            assert sum(counts.values()) - normals == published.anomalies


UNPINNED = {
    name: pair
    for name, pair in zip(NAMES, VARIANTS, strict=True)
    for release in pair[0].releases[pair[1]][:1]
    if not release.fingerprint and name not in {"head_ct", "screw"} and sum(release.counts.values()) < 20_000
}


@pytest.mark.parametrize(("info", "variant"), UNPINNED.values(), ids=UNPINNED.keys())
def test_counts_sizes_and_modes_tell_where_no_release_was_hashed(info: DatasetInfo, variant: str) -> None:
    release = info.releases[variant][-1]
    dataset = whole(info, variant, release)
    assert doubts(dataset) == ()
    fewer = replace(dataset, rows=dataset.rows[1:])
    assert "where the release has" in doubts(fewer)[0]
    smaller = replace(dataset, rows=tuple(replace(row, width=8, height=8) for row in dataset.rows))
    assert any(text.startswith("sides are 8 pixels") for text in doubts(smaller))
    if release.channels:
        other = tuple(replace(row, channels=4 - release.channels) for row in dataset.rows)
        assert any(text.startswith(f"{len(other)} images are") for text in doubts(replace(dataset, rows=other)))
    if release.is_mixed:
        size = release.sides[1]
        equal = tuple(replace(row, width=size, height=size) for row in dataset.rows)
        assert doubts(replace(dataset, rows=equal)) == (
            f"all images are {size} x {size} where the release's differ in size",
        )


def test_the_right_counts_under_other_names_are_not_the_release() -> None:
    info = dataset_infos()["head_ct"]
    dataset = whole(info, "", info.releases[""][0])
    assert doubts(dataset) == ("its ids or labels are not the release's",)
    named = [replace(row, id=f"{place:03d}.png", label="") for place, row in enumerate(dataset.rows)]
    real = [replace(row, label="defect" if place < 100 else NORMAL) for place, row in enumerate(named)]
    assert doubts(replace(dataset, rows=tuple(real))) == ()


def test_a_fingerprint_decides_alone() -> None:
    info = dataset_infos()["elpv"]
    release = info.releases[""][0]
    dataset = whole(info, "", release)
    assert f"its manifest is {dataset.fingerprint[:8]}, the release's {release.fingerprint[:8]}" in doubts(dataset)


def test_one_of_several_known_releases_is_enough() -> None:
    info = dataset_infos()["lag"]
    assert len(info.releases[""]) == 3
    assert [doubts(whole(info, "", release)) for release in info.releases[""]] == [(), (), ()]


def test_an_adopted_copy_under_a_variant_of_its_own_is_compared_with_the_dataset() -> None:
    info = dataset_infos()["carpet"]
    dataset = whole(info, "", info.releases[""][0])
    assert doubts(replace(dataset, name="carpet@mine")) == ()
    assert doubts(replace(dataset, name="carpet@mine", rows=dataset.rows[1:]))


def test_the_real_releases_are_recognised_and_the_reduced_copies_are_not(tmp_path: Path) -> None:
    for name in ("brain_mri", "brain_mri@released_loader"):
        assert doubts(prepared(name, raw("BrainMRI"), tmp_path / name)) == ()
    assert doubts(prepared("head_ct", raw("HeadCT"), tmp_path / "head_ct")) == (
        "no side is above 256 pixels where the release's reach 957",
        "200 images are grey where the release's are in colour",
    )
    assert doubts(prepared("screw", raw("mvtec_anomaly_detection"), tmp_path / "screw")) == (
        "sides are 448 pixels where the release's are 1024",
    )
