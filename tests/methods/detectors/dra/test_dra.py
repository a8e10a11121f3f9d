"""DRA against the vectors of the authors' code, and its switches."""

import numpy as np
import pytest
import torch

from methods.detectors.dra.detector import DRA, DRANetwork, DRAParams, head_losses, total_score
from methods.errors import MethodError
from methods.nn.params import read_params
from methods.nn.training.losses import Criterion
from methods.nn.training.supervised import TrainSettings, minimiser

N_REFERENCES = 5


@pytest.fixture
def network(make_params, make_context, vectors, fill_network):
    return fill_network(
        DRANetwork(read_params(DRAParams, make_params("dra")), make_context()), vectors("dra")["fill"]["tensors"]
    )


@pytest.fixture
def images(vectors, vector_images):
    """References, then the images under a key of the vectors' inputs."""

    def build(numbers, size):
        return vector_images([*vectors("dra")["inputs"]["reference_k"], *numbers], size)

    return build


def check_heads(close, label, scores, expected, atol):
    for letter, levels in scores.items():
        close(f"{label}, level scores", levels, expected["per_level"][f"g_{letter}"], atol)


class StatedReference(Criterion):
    """The deviation loss with the vectors' stand-in for the normal draws, which differs by head."""

    vector_moments = None

    def moments(self, step, head):
        return self.vector_moments("nspr".index(head))


@pytest.fixture
def criterion(make_params, make_context, vector_moments):
    params = read_params(DRAParams, make_params("dra"))
    stated = StatedReference(params.loss, params.focal, make_context())
    stated.vector_moments = vector_moments
    return stated


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_evaluation_equals_the_released_code(dtype, atol, network, images, vectors, close):
    network.eval().to(dtype)
    for key, numbers in (("eval_mode", [0, 1, 2, 3, 4, 5]), ("eval_mode_K2", [0, 1, 2])):
        expected = vectors("dra")[key]
        with torch.inference_mode():
            scores = network(images(numbers, expected.get("S", 96)).to(dtype), N_REFERENCES)
        label = f"dra {key} {str(dtype)[6:]}"
        check_heads(close, label, scores, expected, atol)
        for letter, levels in scores.items():
            close(f"{label}, head means", levels.mean(0), expected["mean"][f"g_{letter}"], atol)
        close(f"{label}, scores", total_score(scores), expected["score"], atol)


def test_inner_activations_equal_the_released_code(network, images, vectors, close):
    """The feature extractor calls no stage as a whole: its output is that of the second call of its last ReLU."""
    expected = vectors("dra")["eval_mode"]["activations"]
    ends = {name: f"{name}.1.relu" for name in expected if name.startswith("trunk.layer")}
    seen = {name: [] for name in expected}
    for name, layers in seen.items():
        network.get_submodule(ends.get(name, name)).register_forward_hook(
            lambda _module, _inputs, output, layers=layers: layers.append(output.clone())
        )
    network.eval()
    with torch.inference_mode():
        network(images([0, 1, 2, 3, 4, 5], 96), N_REFERENCES)
    for name, levels in expected.items():
        outputs = seen[name][1::2] if name in ends else seen[name]
        for output, numbers in zip(outputs, levels, strict=True):
            assert list(output.shape) == numbers["shape"]
            close(
                "dra eval_mode float64, activation sums of squares", output.square().sum(), numbers["sumsq"], 0, 1e-11
            )
            close("dra eval_mode float64, activation sums", output.sum(), numbers["sum"], 1e-7)


@pytest.mark.slow
def test_three_training_steps_equal_the_released_code(
    network, images, vectors, criterion, make_params, clip_log, check_state, close
):
    """The loop's own step, three times on one batch: losses, gradients before clipping, Adam, then scores."""
    stated = vectors("dra")
    batch, labels = images(stated["inputs"]["train_k"], 96), np.array(stated["inputs"]["train_labels"])
    losses = []

    def terms(step):
        scores = network(batch, N_REFERENCES)
        if step == 0:
            chosen = {"n": labels >= 0, "s": labels != 2, "p": labels != 1, "r": labels >= 0}
            kept = {letter: levels[:, torch.from_numpy(chosen[letter])] for letter, levels in scores.items()}
            check_heads(close, "dra train_mode float64", kept, stated["train_mode"], 1e-9)
        losses.append(head_losses(scores, labels, criterion, step))
        return losses[-1]

    _, train_step = minimiser(
        network.train(), terms, TrainSettings.from_params(read_params(DRAParams, make_params("dra")))
    )
    train_step(0)
    expected, log = stated["train_mode"], clip_log[0]
    close(
        "dra train_mode float64, losses", [losses[0][f"g_{h}"] for h in "nspr"], list(expected["head_losses"].values())
    )
    close("dra train_mode float64, total loss", sum(losses[0].values()), expected["total_loss"])
    gradient = expected["gradient"]
    assert log["limit"] == gradient["clip_max_norm"]
    close("dra train_mode float64, total norm", log["total"], gradient["total_norm_before_clip"], 0, 1e-9)
    for (name, _), norm, total in zip(network.named_parameters(), log["norms"], log["sums"], strict=True):
        close("dra train_mode float64, gradient norms", norm, gradient["norm_per_tensor"][name], 1e-14, 1e-9)
        close("dra train_mode float64, gradient sums", total, gradient["sum_per_tensor"][name], 1e-8)
    check_state("dra after_step_1 float64", network, stated["after_step_1"]["state"])
    train_step(1)
    train_step(2)
    later = stated["steps_2_3"]
    for own, other in zip(losses[1:], later["head_losses"], strict=True):
        close("dra steps_2_3 float64, losses", [own[name] for name in other], list(other.values()))
    close(
        "dra steps_2_3 float64, total norms",
        [entry["total"] for entry in clip_log[1:]],
        later["total_norm_before_clip"],
        0,
        1e-9,
    )
    check_state("dra after_step_3 float64", network, stated["after_step_3"]["state"])
    network.eval()
    with torch.inference_mode():
        scores = network(images([0, 1, 2, 3, 4, 5], 96), N_REFERENCES)
    check_heads(close, "dra after_step_3 float64", scores, stated["after_step_3"]["eval_mode"], 1e-9)
    close("dra after_step_3 float64, scores", total_score(scores), stated["after_step_3"]["eval_mode"]["score"])


def test_training_forward_in_float32_is_near_the_released_code(network, images, vectors, criterion, close):
    stated = vectors("dra")
    labels = np.array(stated["inputs"]["train_labels"])
    scores = network.train().float()(images(stated["inputs"]["train_k"], 96).float(), N_REFERENCES)
    expected = stated["train_mode"]
    check_heads(close, "dra train_mode float32", {h: scores[h] for h in "nr"}, expected, 2e-4)
    losses = head_losses(scores, labels, criterion, 0)
    close(
        "dra train_mode float32, losses",
        [losses[f"g_{h}"] for h in "nspr"],
        list(expected["head_losses"].values()),
        1e-4,
    )


def test_score_adds_s_p_r_and_subtracts_n():
    # Spec 2.7: levels of (n, s, p, r) (4, 1, 2, 3) and (2, 3, 0, 1) -> means (3, 2, 1, 2) -> 2 + 1 + 2 - 3 = 2.
    levels = {"n": [4, 2], "s": [1, 3], "p": [2, 0], "r": [3, 1]}
    assert total_score({h: torch.tensor(v).float()[:, None] for h, v in levels.items()}).tolist() == [2.0]
    assert total_score({h: torch.tensor(levels[h]).float()[:, None] for h in "spn"}).tolist() == [0.0]


def test_parameter_counts(make_params, make_context):
    # Spec 2.1: heads 131,585 + 513 + 513 + 2,361,345 on a trunk of 11,176,512.
    network = DRANetwork(read_params(DRAParams, make_params("dra")), make_context())
    counts = {name: sum(p.numel() for p in child.parameters()) for name, child in network.named_children()}
    assert counts == {"trunk": 11_176_512, "g_n": 131_585, "g_s": 513, "g_p": 513, "g_r": 2_361_345}
    plain = DRANetwork(read_params(DRAParams, make_params("dra", **{"g_r.conv_block": False})), make_context())
    assert sum(p.numel() for p in plain.head("r").parameters()) == 513


def test_each_head_learns_from_its_own_labels(criterion):
    """Spec 2.4, with the deviation's moments of exactly (0, 1) replaced by equal scores: only counts and targets matter."""
    labels = np.array([0, 0, 1, 2, 2, 2])
    seen = {}

    def record(scores, targets, step, head):
        seen[head] = (len(scores), targets.int().tolist(), step)
        return scores.sum()

    head_losses({h: torch.rand(2, 6) for h in "nspr"}, labels, record, 4)
    assert seen == {
        "n": (6, [1, 1, 0, 0, 0, 0], 4),
        "s": (3, [0, 0, 1], 4),
        "p": (5, [0, 0, 1, 1, 1], 4),
        "r": (6, [0, 0, 1, 1, 1, 1], 4),
    }
    assert list(seen) == ["n", "s", "p", "r"]


def test_a_head_without_samples_adds_nothing(make_params, make_context):
    params = read_params(DRAParams, make_params("dra"))
    criterion = Criterion(params.loss, params.focal, make_context())
    scores = {"s": torch.rand(2, 3, requires_grad=True), "n": torch.rand(2, 3, requires_grad=True)}
    losses = head_losses(scores, np.array([2, 2, 2]), criterion, 0)
    assert losses["g_s"].item() == 0.0
    sum(losses.values()).backward()
    assert not scores["s"].grad.any()
    assert scores["n"].grad.any()


def fitted(make_params, make_context, tiny, data, **changes):
    detector = DRA(make_params("dra", **(tiny | changes)), make_context())
    detector.fit(data)
    return detector


PLAIN = {}


@pytest.fixture
def scores_with_and_without(make_params, make_context, tiny, toy_data):
    """Scores of a fit with parameters `base`, and of one with `changes` besides; the first is made once a base."""

    def build(base, changes):
        data = toy_data(pools=["lag"])
        key = tuple(base.items())
        if key not in PLAIN:
            PLAIN[key] = fitted(make_params, make_context, tiny, data, **base).score(data.anomaly)
        assert any(make_params("dra", **(tiny | base))[name] != value for name, value in changes.items())
        return PLAIN[key], fitted(make_params, make_context, tiny, data, **(base | changes)).score(data.anomaly)

    return build


@pytest.mark.parametrize(
    ("heads", "names"),
    [("s", []), ("s,p,n", ["g_n", "g_s", "g_p"]), ("r,s,p", ["g_s", "g_p", "g_r"])],
)
def test_absent_heads_are_not_there(heads, names, make_params, make_context, tiny, toy_data):
    data = toy_data()
    detector = fitted(make_params, make_context, tiny, data, heads=heads)
    assert {name.split(".")[0] for name in detector.state()} == {"trunk", *(names or ["g_s"])}
    assert set(detector.history) == {"loss", *names}
    assert np.isfinite(detector.score(data.anomaly)).all()


SWITCHES = {
    "head.abs": False,
    "g_n.abs": False,
    "g_r.conv_block": False,
    "topk.rate": 0.6,
    "pyramid.n_scales": 1,
    "pyramid.resample": "bilinear",
    "loss.kind": "focal",
    "loss.reference": "exact",
    "loss.margin": 0.1,
    "batch.size": 7,
    "batch.seen": 3,
    "batch.pseudo_prob": 0.0,
    "optim.lr": 1e-3,
    "optim.weight_decay": 1e-1,
    "optim.clip_norm": None,
    "augment.rotation": 0.0,
    "cutmix.area_min": 0.12,
    "cutmix.area_max": 0.5,
    "cutmix.aspect_min": 0.9,
    "cutmix.jitter": 0.3,
    "pseudo.source": "lag",
    "pseudo.resample_source": False,
    "reference.size": 2,
    "reference.mode": "fixed",
    "reference.pseudo": "normal",
    "reference.augment": "test",
    "reference.detach": True,
    "reference.joint_forward": False,
    "reference.test_mode": "fixed_after_training",
    "evaluation.batch": 1,
}


@pytest.mark.parametrize("name", SWITCHES)
def test_every_switch_changes_the_scores(name, scores_with_and_without):
    plain, switched = scores_with_and_without({"optim.lr": 1e-2}, {name: SWITCHES[name]})
    assert np.isfinite(switched).all()
    assert not np.allclose(plain, switched, rtol=1e-7, atol=0)


@pytest.mark.parametrize(
    ("base", "name", "value"),
    [
        ({"loss.kind": "focal"}, "focal.gamma", 1.0),
        ({"loss.kind": "focal"}, "focal.alpha", 0.5),
        ({"loss.kind": "focal"}, "loss.kind", "bce"),
        ({"topk.rate": 0.6}, "topk.rounding", "ceil"),
        ({"topk.rate": 0.45}, "topk.rounding", "round"),
        ({"pyramid.resample": "bilinear"}, "pyramid.resample", "antialias"),
        ({"loss.reference": "redraw"}, "loss.reference", "fixed_once"),
        ({"budget.epochs": 11}, "optim.schedule", "constant"),
        ({"budget.epochs": 11}, "optim.schedule", "step10_end"),
        ({"reference.test_mode": "mean_of_R_draws"}, "reference.draws", 2),
    ],
)
def test_a_switch_of_a_switch_changes_the_scores(base, name, value, scores_with_and_without):
    plain, switched = scores_with_and_without(base, {name: value})
    assert not np.allclose(plain, switched, rtol=1e-7, atol=0)


def test_references_of_a_test_batch_depend_on_its_number_alone(make_params, make_context, tiny, toy_data):
    data = toy_data()
    detector = fitted(make_params, make_context, tiny, data)
    scores = detector.score(data.normal)
    assert np.array_equal(scores, detector.score(data.normal))
    moved = detector.score(data.normal.select(np.array([4, 5, 6, 7, 0, 1, 2, 3, 8])))
    assert not np.allclose(moved[4:8], scores[:4], atol=1e-6)


@pytest.mark.parametrize("mode", ["fixed_after_training", "mean_of_R_draws"])
def test_kept_references_make_scores_independent_and_survive_loading(mode, make_params, make_context, tiny, toy_data):
    data, changes = toy_data(), {"reference.test_mode": mode, "reference.draws": 3}
    detector = fitted(make_params, make_context, tiny, data, **changes)
    scores = detector.score(data.normal)
    moved = detector.score(data.normal.select(np.array([4, 5, 6, 7, 0, 1, 2, 3, 8])))
    np.testing.assert_allclose(moved[4:8], scores[:4], atol=1e-5)
    images = detector.state()["reference.images"]
    assert images.shape == ((1 if mode == "fixed_after_training" else 3), 5, 64, 64, 1)
    loaded = DRA(make_params("dra", **(tiny | changes)), make_context(seed=99))
    loaded.load(detector.state())
    np.testing.assert_array_equal(loaded.score(data.normal), scores)


def test_the_fixed_set_of_training_is_the_one_of_the_test(make_params, make_context, tiny, toy_data):
    changes = {"reference.mode": "fixed", "reference.test_mode": "fixed_after_training"}
    detector = fitted(make_params, make_context, tiny, toy_data(), **changes)
    assert torch.equal(detector._references.for_step(3), detector.state()["reference.images"][0])


def test_mean_of_draws_is_the_mean_of_the_scores_against_each(make_params, make_context, tiny, toy_data):
    data = toy_data()
    detector = fitted(
        make_params, make_context, tiny, data, **{"reference.test_mode": "mean_of_R_draws", "reference.draws": 3}
    )
    state, scores = detector.state(), detector.score(data.anomaly)
    single = []
    for number in range(3):
        detector.load(state | {"reference.images": state["reference.images"][number : number + 1]})
        single.append(detector.score(data.anomaly))
    np.testing.assert_allclose(np.mean(single, axis=0), scores, atol=1e-5)


def test_a_loaded_detector_that_needs_new_references_says_so(make_params, make_context, tiny, toy_data):
    data = toy_data()
    detector = fitted(make_params, make_context, tiny, data)
    detector.load(detector.state())
    with pytest.raises(MethodError, match=r"call fit, or set reference\.test_mode to fixed_after_training"):
        detector.score(data.normal)


def test_scoring_before_fit_is_refused(make_params, make_context, toy_data):
    with pytest.raises(MethodError, match="DRA has nothing to score with yet: call fit or load first"):
        DRA(make_params("dra"), make_context()).score(toy_data().normal)


def test_same_seed_same_scores_other_seed_other_scores(make_params, make_context, tiny, toy_data):
    data = toy_data()
    first, second = (fitted(make_params, make_context, tiny, data) for _ in range(2))
    np.testing.assert_array_equal(first.score(data.normal), second.score(data.normal))
    other = DRA(make_params("dra", **tiny), make_context(seed=1))
    other.fit(data)
    assert not np.allclose(other.score(data.normal), first.score(data.normal))


def test_fine_tuning_starts_from_the_source_without_anomalies(make_params, make_context, tiny, toy_data, array_images):
    source = fitted(make_params, make_context, tiny, toy_data(), **{"reference.test_mode": "fixed_after_training"})
    none = array_images(np.empty((0, 64, 64, 1), np.uint8))
    target = toy_data(init=source.state())
    target = type(target)(target.normal, none, {}, target.init)
    tuned = DRA(make_params("dra", **(tiny | {"optim.lr": 1e-12})), make_context(seed=5))
    tuned.fit(target)
    own, start = tuned.state(), source.state()
    torch.testing.assert_close(own["g_r.conv.weight"], start["g_r.conv.weight"], atol=1e-9, rtol=0)
    assert np.isfinite(tuned.score(target.normal)).all()


def test_bf16_stays_near_fp32(make_params, make_context, toy_data):
    """Only the trunk and g_r's convolution are rounded; heads and scores are float32."""
    data = toy_data()
    params = read_params(DRAParams, make_params("dra", **{"reference.test_mode": "fixed_after_training"}))
    networks = [DRANetwork(params, make_context(precision=precision)).eval() for precision in ("fp32", "bf16")]
    images = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        exact, rounded = (network(images, 3) for network in networks)
    assert {levels.dtype for levels in rounded.values()} == {torch.float32}
    for letter, levels in exact.items():
        assert not torch.equal(levels, rounded[letter])
        torch.testing.assert_close(rounded[letter], levels, atol=0.02, rtol=0.05)
    assert len(data.normal) == 9
