"""KDAD against the vectors of the authors' code, its formulas by hand, and its switches."""

import itertools

import numpy as np
import pytest
import squares
import torch
from torch import nn

from methods.backbones.find import RANDOM, WeightsFile
from methods.checks import check_detector
from methods.detector import TrainData
from methods.detectors import kdad
from methods.detectors.kdad import (
    KDAD,
    STUDENT_CHANNELS,
    TAPPED_POOLS,
    KDADNetwork,
    KDADParams,
    Student,
    direction,
    value,
)
from methods.errors import MethodError
from methods.nn.params import read_params
from methods.nn.training.supervised import TrainSettings, minimiser
from methods.registry.installed import get

RANDOM_VGG = {"vgg16": WeightsFile("vgg16", None, RANDOM, RANDOM)}
LAMBDAS = {"0.5": 0.5, "0.01": 0.01, "direction_only": 0.0}


class SmallTeacher(nn.Module):
    """VGG-16's channels after each pool, from one 1x1 convolution a block."""

    def __init__(self):
        super().__init__()
        widths = [3, 8, *(STUDENT_CHANNELS["equal"][pool - 1][-1] for pool in TAPPED_POOLS)]
        blocks = [(nn.Conv2d(a, b, 1), nn.ReLU(), nn.MaxPool2d(2)) for a, b in itertools.pairwise(widths)]
        self.features = nn.Sequential(*(layer for block in blocks for layer in block))

    def forward(self, images):
        return self.features(images)


@pytest.fixture
def small_teacher(replace_backbone):
    replace_backbone("vgg16", SmallTeacher, {f"features.{3 * pool - 1}": 0 for pool in range(1, 6)})


@pytest.fixture
def context(make_context):
    return lambda **changes: make_context(**({"weights": RANDOM_VGG} | changes))


@pytest.fixture
def params(make_params):
    """Official parameters with a budget that takes no time."""
    small = {"budget.epochs": 2, "budget.extra_epoch": False, "batch.size": 4}
    return lambda **changes: make_params("kdad", **(small | changes))


@pytest.fixture
def data(toy_data, array_images):
    """Nine normal and three anomalous images of 32 pixels."""
    parts = toy_data()
    return TrainData(*(array_images(part.pixels[:, ::2, ::2]) for part in (parts.normal, parts.anomaly)), {})


@pytest.fixture
def fitted(small_teacher, params, context, data):
    def build(given=None, seed=0, **changes):
        detector = KDAD(params(**changes), context(seed=seed))
        detector.fit(given or data)
        return detector

    return build


# The released code


def in_order(network):
    """The vectors' names of a network's tensors: convolutions and batch norms, counted from 1."""
    kinds = {nn.Conv2d: "conv", nn.BatchNorm2d: "bn"}
    counts, names = dict.fromkeys(kinds.values(), 0), {}
    for path, module in network.named_modules():
        if type(module) in kinds:
            kind = kinds[type(module)]
            counts[kind] += 1
            names |= {f"{kind}{counts[kind]}.{name}": f"{path}.{name}" for name in module.state_dict()}
    return lambda name: names[name.partition(".")[2]]


@pytest.fixture
def network(make_params, context, vectors, fill_network):
    own, fill = KDADNetwork(read_params(KDADParams, make_params("kdad")), context()).double(), vectors("kdad")["fill"]
    for part in ("teacher", "student"):
        fill_network(getattr(own, part), fill[part], in_order(getattr(own, part)))
    return own


@pytest.fixture
def images(vectors, vector_images):
    inputs = vectors("kdad")["inputs"]
    return vector_images(inputs["k"], inputs["S"])


def score(network, images, weight, pools=(3, 4, 5)):
    with torch.inference_mode():
        maps = network.student_maps(images), network.teacher_maps(images)
        return direction(*maps, pools) + weight * value(*maps, pools)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_evaluation_equals_the_released_code(dtype, atol, network, images, vectors, close):
    expected, label = vectors("kdad")["eval_mode"], f"kdad eval_mode {str(dtype)[6:]}"
    network.eval().to(dtype)
    with torch.inference_mode():
        maps = network.student_maps(images.to(dtype)), network.teacher_maps(images.to(dtype))
    for pool, terms in zip(TAPPED_POOLS, expected["terms_per_image_per_tap"], strict=True):
        assert terms["tap"] == f"pool{pool}"
        close(f"{label}, direction terms", direction(*maps, [pool]), terms["dir"], atol)
        close(f"{label}, value terms", value(*maps, [pool]), terms["mse"], atol)
    for name, weight in LAMBDAS.items():
        close(f"{label}, scores", score(network, images.to(dtype), weight), expected["scores"][name], atol)


def test_a_training_step_equals_the_released_code(network, images, vectors, make_params, check_state, close):
    stated, student = vectors("kdad"), network.student
    expected, losses = stated["train_mode"], []

    def terms(step):
        maps = network.student_maps(images), network.teacher_maps(images)
        for kind, own in zip(("student", "teacher"), maps, strict=True):
            for pool, tap in zip(TAPPED_POOLS, expected["taps"][kind], strict=True):
                assert list(own[pool].shape) == tap["shape"]
                close("kdad train_mode float64, tap sums", own[pool].sum(), tap["sum"], 1e-8)
                close("kdad train_mode float64, tap sums of squares", own[pool].square().sum(), tap["sumsq"], 0, 1e-9)
        for pool, numbers in zip(TAPPED_POOLS, expected["terms_per_tap"], strict=True):
            close("kdad train_mode float64, direction terms", direction(*maps, [pool]).mean(), numbers["dir"])
            close("kdad train_mode float64, value terms", value(*maps, [pool]).mean(), numbers["mse"])
        parts = direction(*maps, TAPPED_POOLS).mean(), value(*maps, TAPPED_POOLS).mean()
        losses.extend(parts[0] + weight * parts[1] for weight in LAMBDAS.values())
        return {"direction": parts[0], "value": 0.5 * parts[1]}

    settings = TrainSettings.from_params(read_params(KDADParams, make_params("kdad")), 1)
    _, train_step = minimiser(student.train(), terms, settings)
    train_step(0)
    close("kdad train_mode float64, losses", losses, [expected["loss"][name] for name in LAMBDAS])
    gradient, own_name = expected["gradient_lambda_0_5"], in_order(student)
    total = torch.stack([parameter.grad.norm() for parameter in student.parameters()]).norm()
    close("kdad train_mode float64, total norm", total, gradient["total_norm"], 0, 1e-9)
    own = dict(student.named_parameters())
    assert {own_name(name) for name in gradient["norm_per_tensor"]} == set(own)
    for name, norm in gradient["norm_per_tensor"].items():
        grad = own[own_name(name)].grad
        close("kdad train_mode float64, gradient norms", grad.norm(), norm, 0, 1e-9)
        close("kdad train_mode float64, gradient sums", grad.sum(), gradient["sum_per_tensor"][name], 1e-8)
    after = stated["after_one_adam_step"]
    assert (settings.lr, settings.weight_decay, settings.clip_norm) == (after["lr"], after["weight_decay"], None)
    check_state("kdad after_one_adam_step float64", student, after["state"], own_name)
    network.eval()
    close("kdad after_one_adam_step float64, scores", score(network, images, 0.5), after["scores_lambda_0_5"])


# By hand


def test_the_recipe_holds_the_differences_and_the_released_settings(make_params):
    table = {"img_size": "D51", "lambda": "D51", "norm": "D51", "max_steps": "D52"}
    info = get("kdad")
    assert {name: param.diff for name, param in info.params.items() if name in table} == table
    assert all(info.params[name].assumption and info.params[name].note for name in table)
    official, paper, quick = (make_params("kdad", recipe) for recipe in ("official", "paper", "quick"))
    assert official == paper
    assert (official["img_size"], official["lambda"], official["norm"], official["max_steps"]) == (
        128,
        0.5,
        "none",
        5000,
    )
    assert (official["budget.epochs"], official["batch.size"], official["optim.lr"]) == (601, 64, 1e-3)
    assert (quick["img_size"], quick["max_steps"], quick["batch.size"]) == (128, 60, 24)
    assert not info.anomalies
    assert info.backbones(official) == ("vgg16",)


def test_one_tap_by_hand():
    # Spec 7.4: t = (1, 0), s = (0, 1): cosine 0, so direction 1; squares (1, 1), mean 1: 1 + 0.5 * 1 = 1.5.
    # t = (2, 0), s = (1, 0): cosine 1, direction 0; squares (1, 0), mean 0.5: 0 + 0.5 * 0.5 = 0.25.
    teacher = {3: torch.tensor([[1.0, 0.0], [2.0, 0.0]]).reshape(2, 1, 1, 2)}
    student = {3: torch.tensor([[0.0, 1.0], [1.0, 0.0]]).reshape(2, 1, 1, 2)}
    assert direction(student, teacher, [3]).tolist() == [1.0, 0.0]
    assert value(student, teacher, [3]).tolist() == [1.0, 0.5]
    total = direction(student, teacher, [3]) + 0.5 * value(student, teacher, [3])
    assert total.tolist() == [1.5, 0.25]


def test_taps_add_up_and_those_of_the_score_are_not_those_of_training(make_params):
    one = {pool: torch.tensor([[1.0, 0.0]]).reshape(1, 1, 1, 2) for pool in TAPPED_POOLS}
    other = {pool: torch.tensor([[0.0, 1.0]]).reshape(1, 1, 1, 2) for pool in TAPPED_POOLS}
    params = read_params(KDADParams, make_params("kdad"))
    assert (params.taps_train, params.taps_score) == ((2, 3, 4, 5), (3, 4, 5))
    assert [direction(one, other, pools).item() for pools in ((2, 3, 4, 5), (3, 4, 5))] == [4.0, 3.0]


def test_parameter_counts(make_params, context, vectors):
    # Spec 7.2: small convolutions of 9 (3*16 + 16*16 + 16*16 + 16*128 + 128*16 + 16*16 + 16*256 + 256*16 + 16*16
    # + 16*512 + 512*16 + 16*16 + 16*512) = 343,728 weights; 8 batch norms of 2 * 16.
    network = KDADNetwork(read_params(KDADParams, make_params("kdad")), context())
    count = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    assert count == {"teacher": vectors("kdad")["parameter_counts"]["teacher"], "student": 343_984}
    layers = list(network.student.features)
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert sum(layer.weight.numel() for layer in convolutions) == 343_728
    assert all(layer.bias is None for layer in convolutions)
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in layers) == 8


@pytest.mark.parametrize(("width", "size"), [("small", 100), ("equal", 40)])
def test_the_students_maps_have_the_shapes_of_the_teachers(width, size, make_params, context):
    network = KDADNetwork(read_params(KDADParams, make_params("kdad", **{"student.width": width})), context()).eval()
    images = torch.rand(1, 3, size, size)
    shapes = {pool: maps.shape for pool, maps in network.teacher_maps(images).items()}
    assert {pool: maps.shape for pool, maps in network.student_maps(images).items()} == shapes
    assert shapes[5] == (1, 512, size // 32, size // 32)


def test_the_last_convolution_of_a_block_has_no_batch_norm():
    kinds = [type(layer).__name__[:4] for layer in Student(STUDENT_CHANNELS["small"]).features]
    short, long = ["Conv", "Batc", "ReLU", "Conv", "ReLU", "MaxP"], ["Conv", "Batc", "ReLU"]
    assert kinds == short * 2 + (long + short) * 3


# The teacher


def test_the_teacher_gets_no_gradient_and_does_not_change(fitted, context):
    detector = fitted()
    network = detector.network
    before = KDADNetwork(detector.params, context()).teacher.state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.teacher.state_dict().items())
    assert all(p.grad is None and not p.requires_grad for p in network.teacher.parameters())
    assert all(p.grad is not None for p in network.student.parameters())
    network.train()
    assert not network.teacher.training
    assert not any(maps.requires_grad for maps in network.teacher_maps(torch.rand(1, 3, 32, 32)).values())


def test_a_checkpoint_holds_the_student_alone(small_teacher, params, context, memory_checkpoint, data):
    checkpoint = memory_checkpoint(due_at=frozenset({1}))
    detector = KDAD(params(), context(checkpoint=checkpoint))
    detector.fit(data)
    assert set(checkpoint.saved["model"]) == set(detector.network.student.state_dict())


def test_kept_teacher_maps_change_no_score_beyond_rounding(fitted, data):
    kept, anew = (fitted(**{"teacher.cache_mib": limit}).score(data.anomaly) for limit in (2048, 0))
    np.testing.assert_allclose(kept, anew, rtol=1e-3)


@pytest.mark.parametrize(
    ("limit", "wanted", "calls"), [(2**30, 9, 3), (2**30, 8, 1), (9 * 14848 * 4, 9, 3), (9 * 14848 * 4 - 1, 9, 1)]
)
def test_teacher_maps_are_kept_where_they_fit_and_are_used(limit, wanted, calls, data):
    # A 32-pixel image: 128 * 8^2 + 256 * 4^2 + 512 * 2^2 + 512 = 14,848 floats.
    images, seen = data.normal, []

    def maps(index):
        seen.append(len(index))
        return {pool: torch.zeros(len(index), 1) for pool in TAPPED_POOLS}

    teacher = kdad.TeacherMaps(images, maps, batch=4, limit=limit, uses=wanted)
    teacher(np.array([3]))
    assert seen == ([4, 4, 1] if calls == 3 else [1])


def test_tap_mean_gives_every_tap_a_mean_of_one_over_the_normals(fitted, data):
    maps = fitted(data, **{"teacher.scale": "tap_mean"})._teacher_maps(torch.tensor(data.normal.pixels))
    assert [level.mean().item() for level in maps.values()] == pytest.approx([1.0] * 4, rel=1e-5)


# The fit


def test_history_counts_images_and_shows_the_cap(fitted):
    # Nine normals in batches of 4, 4, 1: three steps an epoch. Five steps are one epoch and two batches of four.
    history = fitted(**{"budget.epochs": 3}).history
    assert history["images"] == [9.0, 18.0, 27.0]
    capped = fitted(**{"budget.epochs": 3, "max_steps": 5}).history
    assert capped["images"] == [9.0, 17.0]
    assert set(capped) == {"loss", "direction", "value", "images"}
    assert capped["loss"][0] == history["loss"][0]
    longer = fitted(**{"budget.epochs": 3, "budget.extra_epoch": True, "max_steps": None}).history
    assert longer["images"][-1] == 36.0


def test_labelled_anomalies_are_not_looked_at(fitted, data, array_images):
    none = TrainData(data.normal, array_images(np.empty((0, 32, 32, 1), np.uint8)), {})
    np.testing.assert_array_equal(fitted(data).score(data.normal), fitted(none).score(data.normal))


def test_no_normal_image_is_refused_in_one_line(fitted, array_images):
    none = array_images(np.empty((0, 32, 32, 1), np.uint8))
    with pytest.raises(MethodError, match="there are no training images"):
        fitted(TrainData(none, none, {}))


def test_grey_images_score_as_their_colour_copies(fitted, data, array_images):
    grey = data
    colour = TrainData(*(array_images(part.pixels.repeat(3, axis=3)) for part in (grey.normal, grey.anomaly)), {})
    np.testing.assert_allclose(fitted(grey).score(grey.anomaly), fitted(colour).score(colour.anomaly), rtol=1e-4)


def test_scores_do_not_depend_on_the_batch_and_survive_loading(fitted, params, context, data):
    detector = fitted()
    scores = detector.score(data.normal)
    order = np.arange(9)[::-1]
    np.testing.assert_allclose(detector.score(data.normal.select(order))[order], scores, rtol=1e-5)
    loaded = KDAD(params(), context(seed=3))
    loaded.load(detector.state())
    np.testing.assert_array_equal(loaded.score(data.normal), scores)


def test_same_seed_same_scores_other_seed_other_scores(fitted, data):
    images = data.normal
    first, again, other = (fitted(seed=seed).score(images) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


SWITCHES = {
    "taps.train": "3,4,5",
    "taps.score": "5",
    "lambda": 0.01,
    "batch.size": 9,
    "optim.lr": 1e-4,
    "optim.weight_decay": 0.1,
    "optim.clip_norm": 0.01,
    "budget.epochs": 1,
    "budget.extra_epoch": True,
    "max_steps": 1,
    "norm": "imagenet",
    "teacher.scale": "tap_mean",
}


PLAIN = []


@pytest.mark.parametrize("name", SWITCHES)
def test_every_switch_changes_the_scores(name, fitted, data):
    if not PLAIN:
        PLAIN.append(fitted().score(data.anomaly))
    switched = fitted(**{name: SWITCHES[name]}).score(data.anomaly)
    assert np.isfinite(switched).all()
    assert not np.allclose(PLAIN[0], switched, rtol=1e-5, atol=0)


def test_bf16_stays_near_fp32(make_params, context):
    exact, rounded = (
        KDADNetwork(read_params(KDADParams, make_params("kdad")), context(precision=p)).eval() for p in ("fp32", "bf16")
    )
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    scores = [score(network, images, 0.5) for network in (exact, rounded)]
    assert scores[1].dtype == torch.float32
    assert not torch.equal(*scores)
    torch.testing.assert_close(scores[1], scores[0], rtol=0.02, atol=0)


def test_the_battery_passes(small_teacher):
    check_detector(get("kdad"))


def test_it_learns_to_find_bright_squares(small_teacher, make_params, context):
    detector = KDAD(make_params("kdad", "quick", max_steps=40), context())
    detector.fit(squares.training_data())
    assert detector.history["loss"][-1] < 0.8 * detector.history["loss"][0]
    assert squares.auc(detector) > 0.75
