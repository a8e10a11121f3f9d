"""Image stores of tasks, checked and built once before any fit.

Files must still be those of the manifest. Decoding shows its progress, damage is reported, and no worker waits.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmark.execution.listeners.progress import RunProgress
from benchmark.planning.types import StoreKey, Task
from protocols.catalogue import data_folder
from protocols.errors import DataError


def build_stores(tasks: Sequence[Task], data: Path, cache: Path, progress: RunProgress) -> dict[StoreKey, str]:
    """Build each store of these tasks that is absent or damaged, all sizes of a dataset from one decoding.

    Returns the stores that failed, with the reason.
    """
    from protocols.catalogue.replaced import refuse_replaced
    from protocols.images.array_file import ArrayForm
    from protocols.images.store import ImageStore
    from protocols.io.parallel import default_jobs

    jobs = default_jobs()
    failed: dict[StoreKey, str] = {}
    by_dataset: dict[str, list[StoreKey]] = {}
    for key in dict.fromkeys(key for task in tasks for key in task.image_stores):
        by_dataset.setdefault(key.dataset, []).append(key)

    def build(keys: Sequence[StoreKey]) -> None:
        name = keys[0].dataset
        dataset = data_folder.open_dataset(data, name)
        refuse_replaced(dataset, cache, jobs=jobs, count=progress.counting(f"checking files of {name}"))
        sizes = " and ".join(dict.fromkeys(str(key.size) for key in keys))
        ImageStore.open_all(
            dataset,
            [ArrayForm(key.size, key.resize) for key in keys],
            cache_dir=cache,
            jobs=jobs,
            every_pixel=True,
            progress=progress.counting(f"decoding {name} at {sizes} px"),
            notify=progress.say,
        )

    def build_each(keys: Sequence[StoreKey]) -> None:
        try:
            build(keys)
        except DataError as error:
            if len(keys) == 1:
                failed[keys[0]] = str(error)
                return
            for key in keys:  # where there is no room for all, there may be for one
                build_each([key])

    for keys in by_dataset.values():
        build_each(keys)
    return failed


def tasks_with_images(tasks: Sequence[Task], data: Path, cache: Path, progress: RunProgress) -> list[Task]:
    """The tasks whose images can be read, and whose source's can; the others end as blocked."""
    failed = build_stores(tasks, data, cache, progress)
    lost: dict[str, str] = {}
    blocked: dict[str, list[Task]] = {}
    ready = []
    for task in tasks:
        reason = next((failed[key] for key in task.image_stores if key in failed), lost.get(task.source_key or ""))
        if reason is None:
            ready.append(task)
        else:
            lost[task.key] = reason
            blocked.setdefault(reason, []).append(task)
    for reason, alike in blocked.items():
        progress.blocked(alike, reason)
    return ready
