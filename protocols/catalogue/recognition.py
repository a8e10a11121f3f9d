"""Recognition of a prepared dataset as the release that it is named after, as far as its manifest tells."""

from collections import Counter
from collections.abc import Iterator, Mapping

from protocols.datasets.info import DatasetInfo, KnownRelease
from protocols.datasets.manifest import Dataset, Row
from protocols.datasets.naming import NORMAL, base_id
from protocols.splits.fingerprints import ids_fingerprint, pinned_fingerprints

UNKNOWN = "release not recognised"

_REST = "*"


def release_doubts(info: DatasetInfo, dataset: Dataset) -> tuple[str, ...]:
    """Signs that a dataset is none of the known releases, each as the end of a sentence.

    None where it is one of them, or no release of that dataset is known. A variant that is none of the dataset's own is
    compared with the dataset itself.
    """
    doubts = [tuple(_doubts(release, dataset)) for release in _known_releases(info, dataset.name)]
    return min(doubts, key=len, default=())


def recognition_text(info: DatasetInfo, dataset: Dataset) -> str:
    """The way in which a dataset without doubts was recognised; empty where no release of it is known."""
    releases = _known_releases(info, dataset.name)
    if any(release.fingerprint == dataset.fingerprint for release in releases):
        return "release recognised by its fingerprint"
    return "release recognised by counts, sizes and modes" if releases else ""


def counts_are_known(info: DatasetInfo, dataset: Dataset) -> bool:
    """True where a dataset has as many images of each class, and in each half, as a known release."""
    return any(_counted(dataset, release.counts) == release.counts for release in _known_releases(info, dataset.name))


def doubts_sentence(dataset: Dataset, doubts: tuple[str, ...]) -> str:
    """The doubts of `release_doubts` as one sentence."""
    return f"{dataset.name}: {UNKNOWN}, since {', '.join(doubts)}"


def may_be_known(info: DatasetInfo, name: str, fingerprint: str) -> bool:
    """True where a manifest may be that of a known release: it is, or a release has no known fingerprint."""
    fingerprints = {release.fingerprint for release in _known_releases(info, name)}
    return not fingerprints or "" in fingerprints or fingerprint in fingerprints


def _known_releases(info: DatasetInfo, name: str) -> tuple[KnownRelease, ...]:
    variant = name.removeprefix(base_id(name)).removeprefix("@")
    return info.releases.get(variant if variant in info.variants else "", ())


def _doubts(release: KnownRelease, dataset: Dataset) -> Iterator[str]:
    if release.fingerprint == dataset.fingerprint:
        return
    counts = _counted(dataset, release.counts)
    differing = sorted(label for label in {*counts, *release.counts} if counts[label] != release.counts.get(label, 0))
    if differing:
        first = differing[0]
        more = f" (other numbers of {len(differing) - 1} more)" if differing[1:] else ""
        yield f"it has {counts[first]} images of '{first}' where the release has {release.counts.get(first, 0)}{more}"
    yield from _looks(release, dataset)
    from protocols.catalogue.publish import image_formats

    other_forms = image_formats(dataset.folder) - {release.form}
    if release.form and other_forms:
        yield f"files are {' and '.join(sorted(other_forms))} where the release has {release.form}"
    pinned = pinned_fingerprints(dataset.name)
    if pinned is not None and not differing and ids_fingerprint(dataset) != pinned.ids:
        yield "its ids or labels are not the release's"
    if release.fingerprint:
        yield f"its manifest is {dataset.fingerprint[:8]}, the release's {release.fingerprint[:8]}"


def _looks(release: KnownRelease, dataset: Dataset) -> Iterator[str]:
    sides = {side for row in dataset.rows for side in (row.width, row.height)}
    least, greatest = release.sides
    if min(sides) < least or max(sides) > greatest:
        yield f"sides are {_span(min(sides), max(sides))} pixels where the release's are {_span(least, greatest)}"
    elif max(sides) < release.reaches:
        yield f"no side is above {max(sides)} pixels where the release's reach {release.reaches}"
    elif release.is_mixed and len({(row.width, row.height) for row in dataset.rows}) == 1:
        yield f"all images are {dataset.rows[0].width} x {dataset.rows[0].height} where the release's differ in size"
    others = sum(row.channels != release.channels for row in dataset.rows)
    if release.channels and others:
        mode, expected = ("in colour", "grey") if release.channels == 1 else ("grey", "in colour")
        yield f"{others} images are {mode} where the release's are {expected}"


def _counted(dataset: Dataset, counts: Mapping[str, int]) -> Counter[str]:
    """Number of images by the keys of `counts`; classes without a key there by their own."""
    return Counter(_key(row, counts) for row in dataset.rows)


def _key(row: Row, counts: Mapping[str, int]) -> str:
    half = f"{row.split}/" if row.split else ""
    key = f"{half}{row.label}"
    return f"{half}{_REST}" if key not in counts and row.label != NORMAL and f"{half}{_REST}" in counts else key


def _span(least: int, greatest: int) -> str:
    return str(least) if least == greatest else f"{least} to {greatest}"
