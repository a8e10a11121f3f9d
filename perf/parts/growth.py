"""Growth with the number of images: of adopting a dataset, of opening it, and of its image store; 1 is linear."""

from perf.houses import new_house
from perf.ratios import MeasurePlan, Ratios, family_seconds, make_ratio
from protocols.catalogue import data_folder
from protocols.images.store import ImageStore

TITLE = "Growth with data"
SAYS = (
    "Processor time an image with so many images, over that with fewer: 1 is linear. Photographs of 64 px, stored at "
    "32 px. Growth with ids, with records and with runs stands under those parts."
)
COUNTS, QUICK_COUNTS = (300, 3_000), (40, 80)
FILE_SIDE, SIDE = 64, 32


def measure_ratios(plan: MeasurePlan) -> Ratios:
    few, many = QUICK_COUNTS if plan.is_quick else COUNTS
    turns = [[seconds_an_image(count) for count in (few, many)] for _ in range(plan.rounds)]
    for name in turns[0][0]:
        rounds = [larger[name] / smaller[name] for smaller, larger in turns]
        yield make_ratio(f"{name}, an image of {many:,}", f"an image of {few:,}", rounds)


def seconds_an_image(count: int) -> dict[str, float]:
    with new_house() as house:
        adopting = family_seconds(lambda: house.adopt_noise(count, FILE_SIDE))
        dataset = data_folder.open_dataset(house.root / "data", "noise")
        opening = family_seconds(lambda: data_folder.open_dataset(house.root / "data", "noise"))
        building = family_seconds(lambda: ImageStore.open(dataset, size=SIDE, cache_dir=house.root / "cache"))
    seconds = {"saving and adopting": adopting, "opening the dataset": opening, "building the store": building}
    return {name: taken / count for name, taken in seconds.items()}
