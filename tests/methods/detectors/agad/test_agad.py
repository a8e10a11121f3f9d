"""AGAD as a detector: recipe and variants, batches, score, switches, determinism, checkpoints and what it leaves."""

import io
import math

import numpy as np
import pytest
import squares
import torch
from PIL import Image

from benchmark.planning.comparability import of_method
from methods.checks import check_detector, tiny_images
from methods.detector import DeadlineReached, TrainData
from methods.detectors.agad.batch_norm import StreamNorm
from methods.detectors.agad.detector import AGAD, AGADFeed, anomaly_places, reconstruction_distances
from methods.detectors.agad.params import AGADParams
from methods.errors import MethodError
from methods.nn.params import read_params
from methods.nn.training.loop import TrainingLoop
from methods.registry.installed import FOLDER, get, methods
from methods.registry.recipe import RECIPES, parse, resolve

RECIPE = FOLDER / "agad.toml"
OPEN_POINTS = {f"A{number}" for number in range(8, 32)}
"""Of the specification's A1 to A33 those of the detector; the others are of the split, the suite, tables and plots."""
TINY = {
    "generator": "unet",
    "unet.width": 2,
    "discriminator.width": 2,
    "naive.width": 2,
    "unet.pix2pix_width": 2,
    "batch.size": 6,
    "batch.seen": 2,
    "budget.epochs": 2,
    "budget.steps": 2,
    "evaluation.batch": 4,
}
BOTH = {"adv_prop": True, "freeze_bn": True}


@pytest.fixture
def data():
    return TrainData(tiny_images(9), tiny_images(3, anomalous=True), {})


@pytest.fixture
def test_images():
    return tiny_images(5, seed=2).joined(tiny_images(4, anomalous=True, seed=2))


@pytest.fixture
def build(make_params, make_context):
    def detector(changes=None, **context):
        return AGAD(make_params("agad", "quick", **(TINY | (changes or {}))), make_context(**context))

    return detector


@pytest.fixture
def fitted(build, data):
    def fit(changes=None, given=None, **context):
        detector = build(changes, **context)
        detector.fit(given or data)
        return detector

    return fit


# Recipe and variants


def test_every_open_point_of_the_specification_is_a_parameter():
    params = get("agad").params.values()
    assert {row for param in params if param.diff for row in param.diff.split(", ")} == OPEN_POINTS
    assert all(param.note for param in params if param.assumption)


def test_the_recipes_have_the_papers_numbers():
    values = {recipe: resolve(get("agad"), recipe, "cifar10", {}).params for recipe in ("official", "paper")}
    for params in values.values():
        lambdas = [params[f"loss.lambda_{name}"] for name in ("adv", "con", "adcon", "lat")]
        assert lambdas == [1, 50, 15, 5]
        assert (params["batch.size"], params["batch.seen"], params["optim.lr"]) == (256, 32, 2e-4)
        assert (params["img_size"], params["unet.width"], params["budget.epochs"]) == (32, 32, 200)
        assert (params["checkpoint"], params["eval_bn"]) == ("last", "running")
    differing = {name for name, value in values["official"].items() if value != values["paper"][name]}
    assert differing == {"naive.bottleneck", "discriminator.kind"}


def test_the_variants_are_those_of_the_papers_tables():
    unet = {"generator": "unet"}
    assert {name: info.overrides for name, info in methods().items() if info.variant_of == "agad"} == {
        "agad_naive": {"generator": "naive"},
        "agad_unet": unet,
        "agad_unetpp": {"generator": "unetpp"},
        "agad_unet_no_contextual": unet | {"loss.contextual": "off_for_normals"},
        "agad_unet_adv_prop": unet | {"adv_prop": True},
        "agad_unet_freeze_bn": unet | {"freeze_bn": True},
        "agad_unet_adv_prop_freeze_bn": unet | BOTH,
    }


@pytest.mark.parametrize(
    ("method", "dataset", "generators"),
    [
        ("agad", "mnist", ("naive", "naive", "naive")),
        ("agad", "fashion_mnist", ("unetpp", "unetpp", "naive")),
        ("agad_unetpp", "mnist", ("unetpp", "unetpp", "unetpp")),
        ("agad_unet_adv_prop", "mnist", ("unet", "unet", "unet")),
    ],
)
def test_mnist_takes_the_naive_generator_and_a_variant_its_own(method, dataset, generators):
    found = [resolve(get(method), recipe, dataset, {}).params["generator"] for recipe in RECIPES]
    assert tuple(found) == generators


@pytest.mark.parametrize(
    ("size", "changes"),
    [
        (16, BOTH | {"loss.anomaly_pair": "paper_literal", "batch_norm.anomalies": "separate"}),
        (16, {"generator": "naive", "naive.bottleneck": "2x2", "loss.joining": "alternating"}),
        (32, {"eval_bn": "batch"}),
    ],
)
def test_the_battery_passes(size, changes):
    small = {name: value for name, value in TINY.items() if "width" in name or name == "generator"}
    check_detector(get("agad"), overrides=small | changes, size=size)


# Refusals


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"generator": "naive", "unet.style": "pix2pix"}, r"pix2pix goes with agad\.generator = unet, not naive"),
        ({"unetpp.deep_supervision": True}, r"deep_supervision goes with agad\.generator = unetpp, not unet"),
        ({"network.output": "sigmoid"}, r"takes images in \[0, 1\]: --set agad\.images\.scaling=unit"),
        ({"batch.seen": 6}, r"leaves no place for normals in a batch of 6"),
    ],
)
def test_switches_that_do_not_go_together_are_refused(changes, words, fitted):
    with pytest.raises(MethodError, match=words):
        fitted(changes)


def test_freezing_batch_norm_of_anomalies_needs_some(fitted):
    with pytest.raises(MethodError, match=r"freeze_bn has no effect without labelled anomalies: give a gamma above"):
        fitted({"freeze_bn": True}, given=TrainData(tiny_images(9), tiny_images(0), {}))


REFUSED = (
    r"checkpoint = best_test_auc chooses the epoch by test labels, which no fit is given: run agad\.budget\.epochs "
    r"= 1, 2, \.\.\. and take the best, which comes to the same$"
)


def test_choosing_the_epoch_by_test_labels_is_refused_with_the_way_to_see_them():
    with pytest.raises(MethodError, match=rf"^agad\.{REFUSED}"):
        resolve(get("agad"), "official", "cifar10", {"checkpoint": "best_test_auc"})


@pytest.mark.parametrize("line", ['refused = { best_test_auc = "', 'leaking = { batch = "'], ids=["refused", "leaking"])
def test_only_values_of_a_choice_are_refused_or_said_to_leak(line):
    text = RECIPE.read_text(encoding="utf-8")
    assert line in text
    with pytest.raises(
        MethodError, match=r"agad\.toml, \[params\.\"\w+\"\] refused and leaking: name values among its choices"
    ):
        parse(text.replace(line, line.replace("= {", "= { other = 'no',")), "agad.toml")


def variant(overrides):
    """AGAD with other parameters, as a plug-in's file would have it."""
    text = f"id = 'habit'\ntitle = 'Habit'\nvariant_of = 'agad'\n[overrides]\n{overrides}\n"
    return parse(text, "habit.toml", {"agad": get("agad")})


def test_a_variant_may_not_choose_the_epoch_by_test_labels_either():
    with pytest.raises(MethodError, match=rf"^habit\.toml, \[overrides\]: habit\.{REFUSED}"):
        variant("checkpoint = 'best_test_auc'")


@pytest.mark.parametrize("chosen_by", ["variant", "--set"])
def test_batch_statistics_at_evaluation_are_a_deviation_whoever_chose_them(chosen_by):
    info = variant("eval_bn = 'batch'") if chosen_by == "variant" else get("agad")
    resolved = resolve(info, "official", "cifar10", {} if chosen_by == "variant" else {"eval_bn": "batch"})
    leak = "agad.eval_bn = 'batch' normalises a test image by the images beside it"
    assert sum(text.startswith(leak) for text in of_method(info.id, info, resolved)) == 1
    assert info.leaks(resolved.params)
    plain = list(of_method("agad", get("agad"), resolve(get("agad"), "official", "cifar10", {})))
    assert plain == ["AGAD is defined by assumption, the papers say too little"]


def test_a_shorter_fit_is_the_beginning_of_a_longer_one(fitted):
    histories = [fitted({"budget.epochs": epochs}).history for epochs in (1, 3)]
    assert all(values == histories[1][name][:1] for name, values in histories[0].items())


def test_nothing_is_scored_before_a_fit(build, test_images):
    with pytest.raises(MethodError, match="call fit or load first"):
        build().score(test_images)


# Batches


@pytest.mark.parametrize(
    ("n_normal", "n_anomaly", "expected"),
    [(6000, 0, 0), (6000, 61, 32), (6000, 316, 32), (6000, 667, 32), (5000, 1250, 51), (10, 990, 253)],
)
def test_anomalies_have_their_share_of_a_batch_but_at_least_32_places(n_normal, n_anomaly, expected, make_params):
    assert anomaly_places(read_params(AGADParams, make_params("agad")), n_normal, n_anomaly) == expected


def test_on_top_of_a_full_batch_of_normals_there_are_32(make_params):
    assert (
        anomaly_places(read_params(AGADParams, make_params("agad", **{"batch.composition": "on_top"})), 5000, 1250)
        == 32
    )


class Whole:
    """Passes images on as they are stored."""

    def taken(self, images, index, uploads):
        return [images.ids[place] for place in index]


@pytest.fixture
def feed(make_params, make_context):
    def build(n_normal, n_anomaly, **changes):
        given = TrainData(tiny_images(n_normal), tiny_images(n_anomaly, anomalous=True), {})
        return AGADFeed(given, read_params(AGADParams, make_params("agad", **(TINY | changes))), make_context())

    return build


def test_an_epoch_is_a_pass_over_the_normals_without_the_rest(feed):
    own = feed(9, 3, **{"budget.steps": None})
    assert own.steps == 2
    epoch = [own.batch(step, Whole()) for step in range(2)]
    normals = [name for batch in epoch for name in batch["normal"]]
    assert len(set(normals)) == len(normals) == 8
    assert [len(batch["anomaly"]) for batch in epoch] == [2, 2]
    again = own.batch(2, Whole())["normal"]
    assert again != epoch[0]["normal"]
    assert feed(9, 0, **{"budget.steps": None}).batch(0, Whole()).keys() == {"normal"}
    assert feed(3, 0, **{"budget.steps": None}).steps == 1


def test_anomalies_come_once_a_pass_or_with_replacement_where_they_are_too_few(feed):
    drawn = [feed(9, 4).batch(step, Whole())["anomaly"] for step in range(2)]
    assert len(set(drawn[0] + drawn[1])) == 4
    few = feed(9, 1)
    assert few.batch(0, Whole())["anomaly"] == ["anomalous/0-000.png"] * 2
    many = [name for step in range(20) for name in feed(9, 3, **{"batch.seen": 4}).batch(step, Whole())["anomaly"]]
    assert len(set(many)) == 3


def test_on_top_leaves_all_places_to_normals(feed):
    batch = feed(9, 3, **{"batch.composition": "on_top"}).batch(0, Whole())
    assert {name: len(ids) for name, ids in batch.items()} == {"normal": 6, "anomaly": 2}


# Score


def test_the_score_is_the_length_of_the_difference(fitted, test_images):
    detector = fitted()
    scores = detector.score(test_images)
    detector.generator.eval()
    for place in range(len(test_images)):
        pixels = test_images.one(place)
        x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 127.5 - 1
        with torch.no_grad():
            made = detector.generator(x)
        total = 0.0
        for before, after in zip(x.flatten().tolist(), made.flatten().tolist(), strict=True):
            total += (before - after) ** 2
        assert scores[place] == pytest.approx(math.sqrt(total), rel=1e-5)


def test_the_example_of_the_specification_scores_one_half():
    a, b = torch.tensor([[0.5, -0.5, 0, 1]]), torch.tensor([[0.4, -0.3, 0.2, 0.6]])
    assert float(reconstruction_distances(a, b)) == pytest.approx(0.5)


def test_by_batch_statistics_scores_depend_on_the_batch_and_are_not_claimed_to_be_independent(fitted, test_images):
    info = get("agad")
    assert info.scores_independently(resolve(info, "official", "cifar10", {}).params)
    assert not info.scores_independently(resolve(info, "official", "cifar10", {"eval_bn": "batch"}).params)
    order = np.array([0, 5, 1, 6, 2, 7, 3, 8, 4])
    for kind, same in (("running", True), ("batch", False)):
        detector = fitted({"eval_bn": kind})
        scores, mixed = detector.score(test_images), detector.score(test_images.select(order))
        assert np.allclose(scores[order], mixed, rtol=1e-5) == same
        assert np.array_equal(detector.score(test_images), scores)


@pytest.mark.parametrize("wrong", ['"evil_bn" = ["batch"]', '"eval_bn" = ["batches"]', '"adv_prop" = ["true"]'])
def test_a_dependence_on_no_value_of_a_parameter_is_refused(wrong):
    text = RECIPE.read_text(encoding="utf-8")
    parse(text, "agad.toml")
    with pytest.raises(MethodError, match=r"agad\.toml, \[capabilities\] dependent_where '\w+': name a parameter"):
        parse(text.replace('"eval_bn" = ["batch"]', wrong), "agad.toml")


def test_a_state_has_the_generator_alone_and_scores_without_auxiliary_sets(fitted, build, test_images):
    detector = fitted(BOTH)
    state = detector.state()
    assert not any("auxiliary" in name or "discriminator" in name for name in state)
    other = build(BOTH)
    other.load(state)
    assert not any(norm.auxiliary for norm in other.generator.modules() if isinstance(norm, StreamNorm))
    assert np.array_equal(other.score(test_images), detector.score(test_images))


def test_it_learns_to_find_bright_squares(make_params, make_context):
    changes = {"generator": "naive", "naive.width": 4, "budget.epochs": 10, "budget.steps": 5, "optim.lr": 2e-3}
    detector = AGAD(make_params("agad", "quick", **(TINY | changes)), make_context())
    detector.fit(squares.training_data())
    assert squares.auc(detector) > 0.75


# Switches of batch norm


def test_frozen_anomalies_leave_the_statistics_of_a_fit_without_any(fitted, data, monkeypatch):
    """At learning rate zero, with as many normals in a batch."""
    kept, run = [], TrainingLoop.run

    def keeping(training):
        history = run(training)
        kept.append(training._network.state_dict())
        return history

    monkeypatch.setattr(TrainingLoop, "run", keeping)
    still = {"optim.lr": 0.0, "batch.composition": "on_top"}
    fitted(still | {"freeze_bn": True})
    fitted(still, given=TrainData(data.normal, tiny_images(0), {}))
    fitted(still)
    frozen, without, joint = kept
    assert all(torch.equal(value, without[name]) for name, value in frozen.items())
    assert not all(torch.equal(value, without[name]) for name, value in joint.items())


@pytest.mark.parametrize("adv_prop", [False, True])
def test_auxiliary_sets_are_there_where_asked_for_and_learn(adv_prop, fitted):
    names = [name for name in fitted({"adv_prop": adv_prop}).generator.state_dict() if ".auxiliary." in name]
    assert bool(names) == adv_prop


# Determinism, checkpoints, what is left


def test_every_step_can_be_the_last_before_a_stop(fitted, test_images, memory_checkpoint):
    changes = BOTH | {
        "loss.anomaly_pair": "paper_literal",
        "discriminator.delta": 1.0,
        "discriminator.reset": "reset_adam",
    }
    undisturbed = memory_checkpoint(due_at=frozenset({1, 2, 3}))
    detector = fitted(changes, checkpoint=undisturbed)
    assert undisturbed.steps == [1, 2, 3]
    for state in undisturbed.states:
        resumed = fitted(changes, checkpoint=memory_checkpoint(saved=state))
        assert np.array_equal(resumed.score(test_images), detector.score(test_images))
        assert resumed.history == detector.history


def test_a_deadline_stops_the_fit_and_the_next_sitting_ends_in_the_same_bits(fitted, test_images, memory_checkpoint):
    checkpoint, sittings = memory_checkpoint(), 0
    while True:
        try:
            detector = fitted(checkpoint=checkpoint, deadline=0.0)
            break
        except DeadlineReached:
            sittings += 1
    assert sittings == 3
    assert np.array_equal(detector.score(test_images), fitted().score(test_images))


def test_the_seed_decides(fitted, test_images):
    first, again, other = (fitted(seed=seed).score(test_images) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_history_has_every_term_of_both_losses(fitted):
    history = fitted().history
    assert list(history) == [
        "loss",
        "adversarial",
        "contextual",
        "contextual_adversarial",
        "latent",
        "anomaly_adversarial",
        "anomaly_contextual_adversarial",
        "anomaly_latent",
        "discriminator",
        "discriminator_reset",
    ]
    assert all(len(values) == 2 for values in history.values())
    terms = [history[name][0] for name in list(history)[1:8]]
    assert history["loss"][0] == pytest.approx(sum(terms), rel=1e-5)


def test_a_fit_and_a_scoring_leave_grids_of_images_and_reconstructions(fitted, data):
    left = {}
    detector = fitted(artefact=lambda name, content: left.update({name: Image.open(io.BytesIO(content))}))
    assert list(left) == ["training.png"]
    test = tiny_images(15, seed=2).joined(tiny_images(15, anomalous=True, seed=2))
    scores = detector.score(test)
    assert list(left) == ["training.png", "scored.png"]
    # Ten images of 32 pixels, twice as large, with gaps of two; four rows.
    assert {image.size for image in left.values()} == {(10 * 64 + 9 * 2, 4 * 64 + 3 * 2)}
    training, scored = (np.asarray(left[name]) for name in ("training.png", "scored.png"))
    assert np.array_equal(training[:64:2, :64:2, 0], data.normal.one(0)[..., 0])
    assert np.array_equal(training[132:196:2, :64:2, 0], data.anomaly.one(0)[..., 0])
    assert (training[132:196, 3 * 66 :] == 255).all()
    assert np.array_equal(scored[:64:2, :64:2, 0], test.one(int(scores.argmin()))[..., 0])
    assert np.array_equal(scored[132:196:2, -64::2, 0], test.one(int(scores.argmax()))[..., 0])


def test_a_loss_that_is_not_finite_is_refused_in_one_line(fitted):
    with pytest.raises(MethodError, match=r"^the loss is not finite at training step \d"):
        fitted({"optim.lr": 1e38})
