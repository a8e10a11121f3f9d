import dataclasses
import hashlib
import pickle
from collections.abc import Callable

import msgspec
import pytest
from split_sets import COUNTS, by_rank

from protocols.datasets.manifest import Dataset, assemble_dataset
from protocols.errors import DataError
from protocols.splits import split as splits
from protocols.splits.draw.ranking import rank

Make = Callable[..., Dataset]


def test_normals_are_three_to_one_by_a_rank_without_seed(make_dataset: Make) -> None:
    dataset = make_dataset(COUNTS | {"normal": 7})
    order = sorted(
        (row.id for row in dataset.rows if row.label == "normal"), key=lambda id_: rank("toy", "normal", "", id_)
    )
    for seed in (0, 1):
        split = splits.draw(dataset, "general", split_seed=seed, shots=1)
        assert split.train_normal == tuple(sorted(order[:5]))
        assert split.test_normal == tuple(sorted(order[5:]))


def test_the_release_s_own_split_of_normals_is_kept(make_dataset: Make) -> None:
    rows = make_dataset(COUNTS).rows
    fixed = assemble_dataset(
        "toy",
        make_dataset(COUNTS).folder,
        [dataclasses.replace(row, split="train" if row.id.endswith("7.png") else "test") for row in rows],
    )
    split = splits.draw(fixed, "general", split_seed=0, shots=1)
    assert split.train_normal == ("normal/007.png", "normal/017.png")
    assert len(split.test_normal) == 18


def test_mastcam_drops_test_images_with_the_content_of_a_drawn_anomaly_at_one_shot_too(make_dataset: Make) -> None:
    # bent/000.png to bent/011.png repeat as cut/000.png to cut/011.png
    same = {f"cut/{i:03d}.png": f"bent/{i:03d}.png" for i in range(12)}
    dataset = make_dataset(COUNTS, name="mastcam", same=same)
    drawn = by_rank(dataset, "bent")[:10]
    leaked = {id_.replace("bent", "cut") for id_ in drawn}
    ten = splits.draw(dataset, "hard", split_seed=0, known_class="bent", shots=10)
    one = splits.draw(dataset, "hard", split_seed=0, known_class="bent", shots=1)
    assert leaked & {row.id for row in dataset.rows}
    assert not leaked & set(ten.test_anomaly)
    assert one.test_fingerprint == ten.test_fingerprint
    assert ten.options == {}
    off = splits.draw(dataset, "hard", split_seed=0, known_class="bent", shots=10, options={"leak_guard": False})
    assert len(off.test_anomaly) == 12 + 4
    assert off.options == {"leak_guard": False}


def test_leak_guard_drops_equal_normals_too_where_it_is_set(make_dataset: Make) -> None:
    same = {f"normal/{i:03d}.png": "x" for i in range(20)} | {f"bent/{i:03d}.png": "x" for i in range(15)}
    dataset = make_dataset(COUNTS, same=same)
    with pytest.raises(DataError, match="leaves no test normal images of toy"):
        splits.draw(dataset, "hard", split_seed=0, known_class="bent", shots=1, options={"leak_guard": True})
    assert splits.draw(dataset, "hard", split_seed=0, known_class="bent", shots=1).test_normal


def test_deduplicate_keeps_the_first_id_of_equal_content(make_dataset: Make) -> None:
    same = {"bent/001.png": "bent/000.png", "normal/001.png": "normal/000.png"}
    dataset = make_dataset(COUNTS, same=same)
    split = splits.draw(
        dataset, "general", split_seed=0, shots=1, options={"deduplicate": True, "one_shot_test": "own"}
    )
    ids = {*split.train_normal, *split.test_normal, *split.train_anomaly, *split.test_anomaly}
    assert {row.id for row in dataset.rows} - ids == {"bent/001.png", "normal/001.png"}
    assert len(split.train_normal) == 14  # floor(3 * 19 / 4)


def test_limits_keep_the_first_by_rank_sorted_by_id(make_dataset: Make) -> None:
    dataset = make_dataset(COUNTS)
    whole = splits.draw(dataset, "general", split_seed=2, shots=1)
    split = splits.draw(dataset, "general", split_seed=2, shots=1, options={"limit_train": 5, "limit_test": 20})

    def first(ids: tuple[str, ...], n: int) -> list[str]:
        return sorted(sorted(ids, key=lambda id_: rank("toy", "limit", "2", id_))[:n])

    kept = first(whole.test_normal + whole.test_anomaly, 20)
    assert list(split.train_normal) == first(whole.train_normal, 5)
    assert list(split.test_normal) == [id_ for id_ in kept if id_ in whole.test_normal]
    assert list(split.test_anomaly) == [id_ for id_ in kept if id_ in whole.test_anomaly]
    assert split.options == {"limit_train": 5, "limit_test": 20}


def test_a_limit_above_what_is_there_keeps_all(make_dataset: Make) -> None:
    dataset = make_dataset(COUNTS)
    split = splits.draw(dataset, "general", split_seed=0, shots=1, options={"limit_train": 1000})
    assert split.fingerprint == splits.draw(dataset, "general", split_seed=0, shots=1).fingerprint


def test_options_at_their_default_are_no_part_of_the_split(make_dataset: Make) -> None:
    given = {
        "normal_split": "ranked",
        "deduplicate": False,
        "leak_guard": False,
        "contamination": 0,
        "one_shot_test": "ten_shot_set",
        "limit_train": None,
    }
    assert splits.draw(make_dataset(COUNTS), "general", split_seed=0, shots=1, options=given).options == {}


def test_fingerprints_hash_the_lists_in_their_order(make_dataset: Make) -> None:
    split = splits.draw(make_dataset(COUNTS), "general", split_seed=0, shots=10)

    def sha(*texts: str) -> str:
        return hashlib.sha256("".join(f"{text}\n" for text in texts).encode()).hexdigest()

    lists = [split.train_normal, split.train_anomaly, split.test_normal, split.test_anomaly]
    assert list(split.fingerprints.values()) == [sha(*ids) for ids in lists]
    assert split.fingerprint == sha(*(sha(*ids) for ids in lists))
    assert split.test_fingerprint == sha(sha(*split.test_normal), sha(*split.test_anomaly))


def test_a_split_survives_pickling(make_dataset: Make) -> None:
    split = splits.draw(make_dataset(COUNTS), "general", split_seed=0, shots=1, options={"limit_train": 3})
    assert pickle.loads(pickle.dumps(split)) == split


def test_listing_order_is_normals_then_anomalies_by_class_and_id(make_dataset: Make) -> None:
    dataset = make_dataset(COUNTS)
    renamed = assemble_dataset(
        "toy",
        dataset.folder,
        [dataclasses.replace(row, id=hashlib.sha256(row.id.encode()).hexdigest()) for row in dataset.rows],
    )
    split = splits.draw(renamed, "general", split_seed=0, shots=1)
    ids = splits.test_ids(split, renamed, "listing")
    labels = [renamed.row(id_).label for id_ in ids]
    assert ids[: len(split.test_normal)] == split.test_normal
    assert labels[len(split.test_normal) :] == sorted(labels[len(split.test_normal) :])
    anomalies = ids[len(split.test_normal) :]
    assert list(anomalies) == sorted(anomalies, key=lambda id_: (renamed.row(id_).label, id_))
    assert list(anomalies) != sorted(anomalies)


def test_ranked_order_is_by_the_hash_of_the_id_alone(make_dataset: Make) -> None:
    dataset = make_dataset(COUNTS)
    split = splits.draw(dataset, "general", split_seed=0, shots=1)
    ids = splits.test_ids(split, dataset, "ranked")
    assert list(ids) == sorted(
        {*split.test_normal, *split.test_anomaly}, key=lambda id_: hashlib.sha256(id_.encode()).hexdigest()
    )


def test_an_unknown_order_is_refused(make_dataset: Make) -> None:
    dataset = make_dataset(COUNTS)
    split = splits.draw(dataset, "general", split_seed=0, shots=1)
    with pytest.raises(DataError, match="did you mean 'listing'"):
        splits.test_ids(split, dataset, "listings")


HARD = {"known_class": "cut", "shots": 10}


@pytest.mark.parametrize(
    ("rule", "arguments", "problem"),
    [
        ("hart", HARD, "there is no rule 'hart': did you mean 'hard'?"),
        ("hard", HARD | {"known_class": "Cut"}, "toy has no anomaly class 'Cut': did you mean 'cut'?"),
        ("hard", HARD | {"known_class": "normal"}, "toy has no anomaly class 'normal'"),
        ("hard", {"shots": 10}, "the rule hard needs a value for known_class"),
        ("hard", {"known_class": "cut"}, "the rule hard needs a value for shots"),
        ("general", HARD, "the rule general takes no known_class: its coordinates are shots"),
        ("general", {"shots": 1, "gamma": "0.05"}, "the rule general takes no gamma"),
        ("general", {"shots": 0}, "shots cannot be '0': give a whole number from 1"),
        ("general", {"shots": True}, "shots cannot be 'True'"),
        ("general", {"shots": 31}, "toy has 31 anomalies and the general rule takes 31 out"),
        ("general", {"shots": 1, "split_seed": -1}, "the split seed cannot be '-1'"),
        ("general", {"shots": 1, "options": {"contaminaton": 0.1}}, "did you mean 'contamination'?"),
        ("hard", HARD | {"options": {"contamination": 0.1}}, "the rule hard has no split option 'contamination'"),
        ("general", {"shots": 1, "options": {"contamination": 1}}, "a share from 0 up to, not including, 1"),
        ("general", {"shots": 1, "options": {"contamination": float("nan")}}, "a share from 0"),
        ("general", {"shots": 1, "options": {"contamination": True}}, "a share from 0"),
        ("general", {"shots": 1, "options": {"contamination": 0.6}}, "lower the contamination"),
        (
            "general",
            {"shots": 1, "options": {"limit_train": 0}},
            "limit_train cannot be '0': give a whole number from 1",
        ),
        ("general", {"shots": 1, "options": {"limit_test": 2.5}}, "limit_test cannot be '2.5'"),
        ("general", {"shots": 1, "options": {"limit_test": 1}}, "leaves no test .* images of toy: raise limit_test"),
        ("general", {"shots": 1, "options": {"deduplicate": "yes"}}, "deduplicate cannot be 'yes': give true or false"),
        ("general", {"shots": 1, "options": {"normal_split": "release"}}, "did you mean 'released'?"),
        ("general", {"shots": 1, "options": {"normal_split": "released"}}, "the label file's order is not known"),
        ("general", {"shots": 1, "options": {"one_shot_test": 3}}, "one_shot_test cannot be '3'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_next_step(
    make_dataset: Make, rule: str, arguments: dict[str, object], problem: str
) -> None:
    with pytest.raises(DataError, match=problem.replace("?", r"\?")):
        splits.draw(make_dataset(COUNTS), rule, **({"split_seed": 0} | arguments))  # type: ignore[arg-type]


def test_missing_normals_are_refused(make_dataset: Make) -> None:
    with pytest.raises(DataError, match="toy has no normal images"):
        splits.draw(make_dataset({"bent": 20, "cut": 20}), "general", split_seed=0, shots=1)
    with pytest.raises(DataError, match="toy has no training normals"):
        splits.draw(make_dataset(COUNTS | {"normal": 1}), "general", split_seed=0, shots=1)
    with pytest.raises(DataError, match="toy has no test normals"):
        splits.draw(make_dataset(COUNTS, split="train"), "general", split_seed=0, shots=1)


def test_a_release_that_fixes_some_normals_only_is_refused(make_dataset: Make) -> None:
    first, *others = make_dataset(COUNTS).rows
    normal = [row for row in others if row.label == "normal"]
    mixed = assemble_dataset(
        "toy", make_dataset(COUNTS).folder, [first, *normal[1:], dataclasses.replace(normal[0], split="test")]
    )
    with pytest.raises(DataError, match="fixes train or test for some normal images only"):
        splits.draw(mixed, "general", split_seed=0, shots=1)


def test_validate_accepts_what_was_drawn_and_refuses_what_was_not(make_dataset: Make) -> None:
    dataset = make_dataset(COUNTS)
    split = splits.draw(dataset, "hard", split_seed=0, known_class="cut", shots=10, options={"limit_test": 15})
    splits.validate(split, dataset)
    leaking = msgspec.structs.replace(split, test_anomaly=(*split.test_anomaly, split.train_anomaly[0]))
    with pytest.raises(DataError, match="is in train_anomaly and again in test_anomaly"):
        splits.validate(leaking, dataset)
    foreign = msgspec.structs.replace(split, test_anomaly=(*split.test_anomaly, "cut/999.png"))
    with pytest.raises(DataError, match=r"has no image 'cut/999.png'"):
        splits.validate(foreign, dataset)
    with pytest.raises(DataError, match="test_anomaly of the split differ from what the rule hard draws"):
        splits.validate(msgspec.structs.replace(split, test_anomaly=split.test_anomaly[1:]), dataset)
    with pytest.raises(DataError, match="prepare the same release, or draw the split again"):
        splits.validate(split, make_dataset(COUNTS | {"hole": 5}))
