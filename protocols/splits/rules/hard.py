"""Hard setting: the labelled anomalies come from one class, and that whole class leaves the test set (spec 11.1)."""

from protocols.datasets.naming import NORMAL
from protocols.errors import DataError
from protocols.splits.draw import steps
from protocols.splits.draw.steps import DrawRequest, SplitLists
from protocols.text import near_miss

COORDINATES = ("known_class", "shots")
SUBSET = "known_class"
OPTIONS = (
    "normal_split",
    "anomaly_draw",
    "deduplicate",
    "leak_guard",
    "one_shot_test",
    "limit_train",
    "limit_test",
    "split_file",
)


def lists(request: DrawRequest) -> SplitLists:
    """Draw the four lists. A class smaller than the shots gives all that it has."""
    dataset, known_class = request.dataset, request.known_class
    if known_class is None or known_class not in dataset.labels:
        step = near_miss(str(known_class), dataset.labels)
        raise DataError(f"{dataset.name} has no anomaly class '{known_class}': {step}")
    train_normal, test_normal = steps.draw_normals(request)
    unknown_ids = tuple(row.id for row in request.rows if row.label not in {NORMAL, known_class})
    if not unknown_ids:
        raise DataError(
            f"{dataset.name} has no anomaly class but '{known_class}', so none is left to test: use the rule general"
        )
    known_ids = tuple(row.id for row in request.rows if row.label == known_class)
    if not known_ids:
        raise DataError(f"every image of '{known_class}' in {dataset.name} repeats another's: do not set deduplicate")
    n_labelled, n_leaving = steps.n_shots(request), steps.n_leaving(request)
    order = request.drawn_anomalies(known_ids, n_leaving)
    drawn = SplitLists(
        train_normal=steps.limit_train(request, train_normal),
        train_anomaly=order[:n_labelled],
        test_normal=test_normal,
        test_anomaly=unknown_ids,
    )
    return steps.limit_test(request, steps.without_leaks(request, order, drawn))
