"""External pools: which images a detector is given besides, what the key holds of them, and what leaks never."""

import pytest

from benchmark.execution.worker import execute

SUITE = """
id = "pooled"
title = "With a pool"
rule = "general"
recipe = "official"
methods = ["drift"]
shots = [10]
seeds = [0]
[datasets]
carpet = []
"""


@pytest.fixture
def categories(drifting, rows):
    """Three categories of MVTec AD, one of them in colour, and AITEX."""
    for name, shade in (("carpet", 10), ("grid", 40), ("aitex", 70)):
        drifting.prepare(name, rows["texture"](shade))
    colour = [(id_, label, split, (value, 5, 250)) for id_, label, split, value in rows["texture"](100)]
    drifting.prepare("leather", colour)
    return drifting


def plan(house, suite=SUITE, pool="mvtec_ad", **sets):
    return house.plan(house.suite(suite), sets={"drift": {"pool": pool, **sets}}).runs[0]


def test_the_pool_of_mvtec_ad_is_the_training_normals_of_the_other_categories_at_hand(categories):
    run = plan(categories)
    assert run.state == "missing", run.reason
    parts = run.fit.pools["mvtec_ad"]
    assert [part.dataset for part in parts] == ["grid", "leather"]
    assert all(part.ids == tuple(f"train/good/{i:03}" for i in range(6)) for part in parts)
    assert [part.dataset for part in run.spec.fit.pools["mvtec_ad"]] == ["grid", "leather"]
    assert "pool mvtec_ad has 2 of 14 categories" in run.spec.deviations


def test_the_detector_sees_one_sequence_of_one_size_and_the_record_notes_it(categories):
    (task,) = categories.plan(categories.suite(SUITE), sets={"drift": {"pool": "mvtec_ad", "img_size": 16}}).tasks(
        {"missing"}
    )
    assert execute(task, categories.machine).state == "done"
    (fit,) = categories.fits
    assert fit["pools"]["mvtec_ad"][0] == "grid/train/good/000"
    assert fit["pools"]["mvtec_ad"][-1] == "leather/train/good/005"
    assert fit["pool_shape"] == [[12, 16, 16, 3]]
    (record,) = categories.store.records()
    assert record.notes == ["pool mvtec_ad: 12 images of grid, leather"]


def test_the_key_holds_what_is_in_the_pool(categories, rows):
    before = plan(categories).spec
    categories.prepare("tile", rows["texture"](200))
    after = plan(categories).spec
    assert [part.dataset for part in after.fit.pools["mvtec_ad"]] == ["grid", "leather", "tile"]
    assert after.key != before.key
    assert after.series != before.series


def test_related_categories_are_left_out_where_it_is_asked_for(categories):
    aitex = SUITE.replace("carpet", "aitex")
    assert [part.dataset for part in plan(categories, aitex).fit.pools["mvtec_ad"]] == ["carpet", "grid", "leather"]
    related = plan(categories, aitex, **{"pool.exclude": "related"})
    assert [part.dataset for part in related.fit.pools["mvtec_ad"]] == ["grid", "leather"]


def test_images_that_the_target_has_too_leave_the_pool(categories, rows):
    leaking = [("train/good/000", "normal", "train", 18)]  # equal to carpet's test/good/000
    leaking += [("train/good/001", "normal", "train", 251)]
    categories.prepare("wood", leaking)
    shared = (categories.data / "carpet" / "test" / "good" / "000.png").read_bytes()
    assert shared == (categories.data / "wood" / "train" / "good" / "000.png").read_bytes()
    parts = {part.dataset: part.ids for part in plan(categories).fit.pools["mvtec_ad"]}
    assert parts["wood"] == ("train/good/001",)


def test_without_any_other_category_the_run_is_blocked_with_the_next_step(drifting, rows):
    drifting.prepare("carpet", rows["texture"](10))
    run = plan(drifting)
    assert run.state == "blocked"
    assert "no image of the pool 'mvtec_ad' is at hand for carpet: get it from https://www.mvtec.com" in run.reason
    assert "bench data prepare mvtec_ad --source DIR" in run.reason


def test_lag_gives_the_classes_that_are_asked_for(categories):
    images = [(f"non_glaucoma/image/{i}", "non_glaucoma", "", 210 + i) for i in range(3)]
    images += [(f"suspicious_glaucoma/image/{i}", "suspicious", "", 230 + i) for i in range(2)]
    assert plan(categories, pool="lag").state == "blocked"
    categories.prepare("lag", images)
    counts = {
        chosen: len(plan(categories, pool="lag", **{"lag.classes": chosen}).fit.pools["lag"][0].ids)
        for chosen in ("both", "non_glaucoma", "suspicious")
    }
    assert counts == {"both": 5, "non_glaucoma": 3, "suspicious": 2}
    assert set(plan(categories, pool="lag").spec.deviations) == {
        "drift.pool = 'lag' (recipe: 'none')",
        (
            "lag: release not recognised, since it has 3 images of 'non_glaucoma' where the release has 3143 (other "
            "numbers of 1 more), sides are 8 pixels where the release's are 500, 5 images are grey where the release's "
            "are in colour"
        ),
        *plan(categories, pool="none").spec.deviations,
    }


def test_without_a_pool_nothing_is_opened_or_noted(categories):
    run = plan(categories, pool="none")
    assert (run.fit.pools, run.fit.notes, run.spec.fit.pools) == ({}, (), {})


def test_another_release_of_the_planned_dataset_deviates(categories):
    deviations = plan(categories, pool="none").spec.deviations
    (text,) = [each for each in deviations if each.startswith("carpet: release not recognised, since ")]
    assert "sides are 8 pixels where the release's are 1024" in text
