"""General setting: the labelled anomalies are drawn over all classes and leave the test set (spec 11.1)."""

from protocols.datasets.naming import NORMAL
from protocols.errors import DataError
from protocols.splits.draw import steps
from protocols.splits.draw.steps import DrawRequest, SplitLists

COORDINATES = ("shots",)
SUBSET = None
DRAW_OPTIONS = (
    "normal_split",
    "anomaly_draw",
    "deduplicate",
    "leak_guard",
    "contamination",
    "one_shot_test",
    "limit_train",
    "limit_test",
)
OPTIONS = (*DRAW_OPTIONS, "split_file")


def lists(request: DrawRequest) -> SplitLists:
    """Draw the four lists.

    Under `contamination` the unlabelled anomalies are the next by rank after those that leave the test set anyway, so
    that one shot and ten shots keep one test set; they leave it too and join the training normals.

    A method without labelled anomalies has the same test set; where the dataset has too few anomalies for the ten-shot
    one, all of them are tested.
    """
    train_normal, test_normal = steps.draw_normals(request)
    train_normal = steps.limit_train(request, train_normal)
    anomalies = tuple(row.id for row in request.rows if row.label != NORMAL)
    n_labelled, n_leaving = steps.n_shots(request), steps.n_leaving(request)
    n_extra = _n_extra(len(train_normal), request.options.contamination)
    is_asked_for = isinstance(request.options.one_shot_test, int)
    if not request.is_labelled and not is_asked_for and n_leaving + n_extra >= len(anomalies):
        n_labelled, n_leaving = 0, 0
    n_gone = n_leaving + n_extra
    if n_gone >= len(anomalies):
        raise DataError(_too_few(request, len(anomalies), n_gone, n_extra))
    order = request.drawn_anomalies(anomalies, n_gone)
    drawn_ids = frozenset(order)
    drawn = SplitLists(
        train_normal=tuple(sorted((*train_normal, *order[n_leaving:]))) if n_extra else train_normal,
        train_anomaly=order[:n_labelled],
        test_normal=test_normal,
        test_anomaly=tuple(id_ for id_ in anomalies if id_ not in drawn_ids),
    )
    return steps.limit_test(request, steps.without_leaks(request, order, drawn))


def _n_extra(n_normal: int, share: float) -> int:
    return int(n_normal / (1 - share) * share)


def _too_few(request: DrawRequest, n_anomalies: int, n_gone: int, n_extra: int) -> str:
    options = request.options
    if n_extra:
        step = "lower the contamination"
    elif isinstance(options.one_shot_test, int) and options.one_shot_test >= n_anomalies:
        step = f"set the split option one_shot_test to less than {n_anomalies}, or leave it out"
    elif options.one_shot_test != "own" and n_anomalies > steps.n_shots(request):
        step = "set the split option one_shot_test to own"
    else:
        step = "ask for fewer shots"
    return (
        f"{request.dataset.name} has {n_anomalies} anomalies and the general rule takes {n_gone} out of the test set, "
        f"so none is left: {step}"
    )
