"""The option `anomaly_draw` = `released`: picks and rests that the authors' own code made (vectors/dra_split.json)."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocols.datasets.manifest import Dataset, Row, assemble_dataset
from protocols.errors import DataError
from protocols.splits.draw.released import shuffled
from protocols.splits.split import Split, draw

VECTORS = json.loads((Path(__file__).parent / "data" / "dra_split.json").read_text())
LISTING = tuple(VECTORS["pooled_list"])


def of_class(ids: tuple[str, ...], known_class: str) -> tuple[str, ...]:
    return tuple(id_ for id_ in ids if id_.split("/")[1] == known_class)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: "-".join(map(str, list(case.values())[:5])))
def test_the_authors_picks_come_in_their_order_from_their_listing(case: dict[str, Any]) -> None:
    """Their code takes a class that is no folder, such as `Cut`, for the general setting; ours refuses it (D36)."""
    is_hard = case["known_class"] in {"cut", "color", "hole"}
    order = shuffled(of_class(LISTING, case["known_class"]) if is_hard else LISTING, case["seed"])
    n = case["n_anomaly"]
    assert order[:n] == tuple(case["draw_order"])
    tested = [id_ for id_ in LISTING if id_ not in of_class(LISTING, case["known_class"])] if is_hard else None
    assert sorted(tested if tested is not None else order[case["t"] or n :]) == case["test_anomalies"]
    extra = case.get("unlabelled_anomalies_among_training_normals", [])
    assert order[n : n + len(extra)] == tuple(extra)


@pytest.mark.parametrize("seed", [42, 0])
def test_the_stated_shuffle_of_twelve(seed: int) -> None:
    assert shuffled(tuple(f"A{i:02d}" for i in range(12)), seed) == tuple(VECTORS[f"spec_vector_seed_{seed}"])


def carpet() -> Dataset:
    """The vectors' anomalies with twelve normals; rows are sorted by id, whatever the order of the listing."""
    ids = [*LISTING, *(f"train/good/{i}.png" for i in range(8)), *(f"test/good/{i}.png" for i in range(4))]
    rows = [
        Row(
            id_,
            id_,
            "normal" if "good" in id_ else id_.split("/")[1],
            id_.split("/")[0],
            hashlib.sha256(id_.encode()).hexdigest(),
            8,
            8,
            3,
        )
        for id_ in ids
    ]
    return assemble_dataset("toy", Path("nowhere"), rows)


def released(rule: str, seed: int, options: dict[str, Any] | None = None, **coordinates: Any) -> Split:
    options = {"anomaly_draw": "released", **(options or {})}
    return draw(carpet(), rule, split_seed=seed, options=options, **coordinates)


@pytest.mark.parametrize("seed", [0, 42])
def test_a_general_split_takes_the_first_of_the_shuffled_sorted_listing(seed: int) -> None:
    order = sorted(LISTING)
    np.random.RandomState(seed).shuffle(order)
    ten, one = (released("general", seed, shots=shots) for shots in (10, 1))
    assert ten.train_anomaly == tuple(order[:10])
    assert ten.test_anomaly == one.test_anomaly == tuple(sorted(order[10:]))
    assert one.train_anomaly == (order[0],)
    assert ten.options == {"anomaly_draw": "released"}
    own = released("general", seed, {"one_shot_test": "own"}, shots=1)
    assert own.test_anomaly == tuple(sorted(order[1:]))
    ranked = draw(carpet(), "general", split_seed=seed, shots=10)
    assert ranked.train_anomaly != ten.train_anomaly
    assert ranked.train_normal == ten.train_normal


def test_a_hard_split_shuffles_the_known_class_alone() -> None:
    order = sorted(of_class(LISTING, "cut"))
    np.random.RandomState(42).shuffle(order)
    split = released("hard", 42, known_class="cut", shots=5)
    assert split.train_anomaly == tuple(order[:5])
    assert split.test_anomaly == tuple(sorted(set(LISTING) - {*order}))


def test_the_listing_is_by_class_and_then_by_image() -> None:
    rows = [
        Row(f"{i:02d}", f"{i:02d}", label, "", f"{i:064x}", 8, 8, 1)
        for i, label in enumerate(["normal", "b", "a"] * 10)
    ]
    listing = [row.id for label in ("a", "b") for row in rows if row.label == label]
    np.random.RandomState(3).shuffle(listing)
    split = draw(
        assemble_dataset("toy", Path("nowhere"), rows),
        "general",
        split_seed=3,
        shots=4,
        options={"anomaly_draw": "released"},
    )
    assert split.train_anomaly == tuple(listing[:4])


def test_a_seed_that_the_generator_does_not_take_and_a_rule_without_the_draw_are_refused() -> None:
    with pytest.raises(DataError, match="with split seed 4294967296: give one below"):
        released("general", 2**32, shots=1)
    with pytest.raises(DataError, match="has no split option 'anomaly_draw'"):
        released("one_class", 0, normal_class="cut")
    with pytest.raises(DataError, match="anomaly_draw cannot be 'relased': did you mean 'released'"):
        released("general", 0, {"anomaly_draw": "relased"}, shots=1)
