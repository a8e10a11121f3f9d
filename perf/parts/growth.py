"""Growth with the number of images: of adopting a dataset, of its image store, and of a plan; 1 is linear."""

from perf.houses import new_house
from perf.ratios import MeasurePlan, Ratios, children_seconds, family_seconds, make_ratio
from protocols.images.store import ImageStore

TITLE = "Growth with data"
SAYS = (
    "Processor time an image with so many images, over that with fewer: 1 is linear. Photographs of 64 px, stored at "
    "32 px; a plan is of ten runs. Growth with records and with runs stands under those parts."
)
COUNTS, QUICK_COUNTS = (500, 5_000), (40, 80)
FILE_SIDE, SIDE = 64, 32


def measure_ratios(plan: MeasurePlan) -> Ratios:
    few, many = QUICK_COUNTS if plan.is_quick else COUNTS
    turns = [[seconds_an_image(count) for count in (few, many)] for _ in range(plan.rounds)]
    for name in turns[0][0]:
        rounds = [larger[name] / smaller[name] for smaller, larger in turns]
        yield make_ratio(f"{name}, an image of {many:,}", f"an image of {few:,}", rounds)


def seconds_an_image(count: int) -> dict[str, float]:
    with new_house() as house:
        house.install_nothing()
        adopting = family_seconds(lambda: house.adopt_noise(count, FILE_SIDE)) / count
        dataset = house.adopt_noise(0, FILE_SIDE)
        building = family_seconds(lambda: ImageStore.open(dataset, size=SIDE, cache_dir=house.root / "cache"))
        suite = house.write_suite(10)
        planning = children_seconds(lambda: house.bench("run", "--suite", suite, "--plan"))
    return {"saving and adopting": adopting, "building the store": building / count, "planning": planning / count}
