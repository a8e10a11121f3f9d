"""Test images that a run got most wrong: normal ones with the highest scores, anomalies with the lowest."""

from dataclasses import dataclass

from results.scores import Scores


@dataclass(frozen=True, slots=True)
class RankedImage:
    """A test image with its score; `rank` is its place among all test images, 1 for the highest score.

    Images of equal scores share the best place of them.
    """

    rank: int
    score: float
    image_class: str
    id: str


def worst_images(scores: Scores, count: int) -> tuple[list[RankedImage], list[RankedImage]]:
    """The `count` normal images with the highest scores and the `count` anomalies with the lowest, the worst first."""
    ordered = sorted(scores.values, reverse=True)
    places = {score: place for place, score in reversed(list(enumerate(ordered, 1)))}
    images = [
        RankedImage(places[score], float(score), image_class, id_)
        for score, image_class, id_ in zip(scores.values, scores.classes, scores.ids, strict=True)
    ]
    images.sort(key=lambda image: (image.rank, image.id))
    normals = [image for image in images if image.image_class == "normal"]
    anomalies = [image for image in reversed(images) if image.image_class != "normal"]
    return normals[:count], anomalies[:count]
