"""Steps that the rules share: from a request for a split to lists of ids."""

import functools
from dataclasses import dataclass, fields, replace

from protocols.coordinates import Coordinates
from protocols.datasets.manifest import Dataset, Row
from protocols.datasets.naming import NORMAL
from protocols.errors import DataError
from protocols.splits.draw import released
from protocols.splits.draw.options import LARGEST_ONE_SHOT_DRAW, Options
from protocols.splits.draw.ranking import divided_ids, first_ids

Ids = tuple[str, ...]


@dataclass(frozen=True)
class SplitLists:
    """The four lists of a split."""

    train_normal: Ids
    train_anomaly: Ids
    test_normal: Ids
    test_anomaly: Ids


LIST_NAMES = tuple(field.name for field in fields(SplitLists))


class DrawRequest(Coordinates, frozen=True, kw_only=True, dict=True):
    """A dataset, a seed, the options of a split and the coordinates that its rule has: all that a rule draws by.

    is_labelled: False where the method is given no labelled anomalies, so that none has to leave the test set.
    """

    dataset: Dataset
    split_seed: int
    options: Options
    is_labelled: bool = True

    @functools.cached_property
    def rows(self) -> tuple[Row, ...]:
        """The dataset's rows that may be drawn: all, or after `deduplicate` the first of equal content."""
        return _distinct(self.dataset.rows) if self.options.deduplicate else self.dataset.rows

    def drawn_anomalies(self, ids: Ids, count: int) -> Ids:
        """The first `count` of these anomalies with this request's split seed, first drawn first: by rank, or as
        `anomaly_draw` has it.
        """
        if self.options.anomaly_draw == "released":
            listing = tuple(sorted(ids, key=lambda id_: (self.dataset.row(id_).label, id_)))
            return released.shuffled(listing, self.split_seed)[:count]
        return tuple(first_ids(self.dataset.name, "anomaly", str(self.split_seed), ids, count))


def draw_normals(request: DrawRequest) -> tuple[Ids, Ids]:
    """Training and test normals: the release's own split where it has one, else three to one by rank, seedless.

    Raises:
        DataError: there are none, on a side or at all, or the release fixes the side of some only.
    """
    cache: dict[tuple[str, ...], tuple[Ids, Ids]] = request.dataset.rule_cache
    key = ("normals", request.options.normal_split, str(request.options.deduplicate))
    if key not in cache:
        cache[key] = _normals(request)
    return cache[key]


def _normals(request: DrawRequest) -> tuple[Ids, Ids]:
    name = request.dataset.name
    rows = [row for row in request.rows if row.label == NORMAL]
    if not rows:
        raise DataError(
            f"{name} has no normal images: use the rule one_class for a set of classes, or give its manifest rows of "
            f"the label '{NORMAL}'"
        )
    parts = {row.split for row in rows}
    if request.options.normal_split == "released":
        train, test = released.drawn_normals(request.dataset.name, parts, tuple(row.id for row in rows))
    elif parts == {""}:
        train, test = divided_ids(name, NORMAL, "", [row.id for row in rows], 3 * len(rows) // 4)
    elif "" in parts:
        raise DataError(
            f"{name} fixes train or test for some normal images only: fill the column 'split' of its manifest"
        )
    else:
        train = tuple(row.id for row in rows if row.split == "train")
        test = tuple(row.id for row in rows if row.split == "test")
    if not train or not test:
        missing = "test" if train else "training"
        raise DataError(f"{name} has no {missing} normals: prepare it from a source that has more normal images")
    return train, test


def n_shots(request: DrawRequest) -> int:
    """The number of labelled anomalies asked for, at least one."""
    if not isinstance(request.shots, int) or isinstance(request.shots, bool) or request.shots < 1:
        raise DataError(f"shots cannot be '{request.shots}': give a whole number from 1, such as 1 or 10")
    return request.shots


def n_leaving(request: DrawRequest) -> int:
    """Drawn anomalies that leave the test set with n shots: max(10, n), or as `one_shot_test` has it.

    That is max(m, n) where it is a number m, and n where it is `own`.
    """
    n, test = n_shots(request), request.options.one_shot_test
    if test == "own":
        return n
    return max(test if isinstance(test, int) else LARGEST_ONE_SHOT_DRAW, n)


def without_leaks(request: DrawRequest, drawn: Ids, lists: SplitLists) -> SplitLists:
    """`lists` without the test images that have the content of one of the `drawn` anomalies, if `leak_guard` is on."""
    if not request.options.leak_guard:
        return lists
    row = request.dataset.row
    drawn_contents = {row(id_).sha256 for id_ in drawn}
    normal = tuple(id_ for id_ in lists.test_normal if row(id_).sha256 not in drawn_contents)
    anomaly = tuple(id_ for id_ in lists.test_anomaly if row(id_).sha256 not in drawn_contents)
    return replace(lists, test_normal=normal, test_anomaly=anomaly)


def limit_train(request: DrawRequest, train_normal: Ids) -> Ids:
    """The first `limit_train` training normals by rank, in the order given (sorted by id)."""
    return _first(request, train_normal, request.options.limit_train)


def limit_test(request: DrawRequest, lists: SplitLists) -> SplitLists:
    """`lists` with the first `limit_test` test images by rank, both test lists taken together."""
    if request.options.limit_test is None:
        return lists
    limited = set(_first(request, lists.test_normal + lists.test_anomaly, request.options.limit_test))
    normal = tuple(id_ for id_ in lists.test_normal if id_ in limited)
    anomaly = tuple(id_ for id_ in lists.test_anomaly if id_ in limited)
    return replace(lists, test_normal=normal, test_anomaly=anomaly)


def _first(request: DrawRequest, ids: Ids, limit: int | None) -> Ids:
    if limit is None or limit >= len(ids):
        return ids
    return divided_ids(request.dataset.name, "limit", str(request.split_seed), ids, limit)[0]


def _distinct(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row.sha256, row)
    return tuple(first.values())
