"""CSI's losses against the vectors of the authors' code and by hand."""

import math

import pytest
import torch

from methods.detectors.csi.losses import anchor_losses, nt_xent, shift_losses, shift_targets, similarity, unit


def float64(values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture
def stated(vectors):
    return vectors("csi")["contrastive"]


@pytest.fixture
def embeddings(stated, close):
    v, k, i = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in (2, 4, 4)), indexing="ij")
    v, k, i = (axis.reshape(-1, 1) for axis in (v, k, i))
    j = torch.arange(8, dtype=torch.float64)
    z = (1 + 0.3 * k) * torch.sin(0.9 * i + 0.35 * v + 0.8 * j + 1.7 * k) + 0.3 * torch.cos(1.1 * i * j + k + 2 * v)
    close("csi embeddings", [z.sum(), z.square().sum()], stated["checksum"], 1e-11)
    return z.requires_grad_()


def test_contrast_equals_the_released_code(embeddings, stated, close):
    losses = nt_xent(embeddings, stated["temperature"])
    losses.mean().backward()
    close("csi float64, loss of each anchor", losses, stated["per_anchor"])
    close("csi float64, contrast", losses.mean(), stated["loss_con"])
    close("csi float64, gradient norms", embeddings.grad.norm(dim=1), stated["gradient_row_norms"], 1e-9, 1e-9)
    close("csi float64, gradient of a row", embeddings.grad[0], stated["gradient_row_0"], 1e-9)
    close("csi float64, similarities", (unit(embeddings) @ unit(embeddings).T)[0], stated["similarity_row_0"])
    for temperature, loss in stated["loss_con_other_temperatures"].items():
        close("csi float64, other temperatures", nt_xent(embeddings, float(temperature)).mean(), loss)


def test_contrast_in_float32_is_near_the_released_code(embeddings, stated, close):
    close("csi float32, contrast", nt_xent(embeddings.float(), 0.5).mean(), stated["loss_con"], 1e-5)


def test_the_shift_classifier_equals_the_released_code(stated, close):
    targets = shift_targets(images=4, shifts=4, views=2, device=torch.device("cpu"))
    assert targets.tolist() == stated["shift_labels"]
    row, column = torch.arange(32, dtype=torch.float64)[:, None], torch.arange(4, dtype=torch.float64)
    logits = 1.5 * torch.sin(0.7 * row + 1.1 * column) + 0.8 * (column == targets[:, None]).double()
    close("csi float64, shift", shift_losses(logits, targets).mean(), stated["loss_cls"], 1e-12)


def test_targets_follow_view_shift_image():
    # Two images, three shifts: a view is images 0, 1 unshifted, then 0, 1 under shift 1, then under shift 2.
    assert shift_targets(2, 3, 2, torch.device("cpu")).tolist() == [0, 0, 1, 1, 2, 2] * 2


def test_an_untrained_classifier_costs_the_logarithm_of_the_number_of_shifts():
    assert shift_losses(torch.zeros(3, 4), torch.tensor([0, 3, 1])).tolist() == pytest.approx([math.log(4)] * 3)


@pytest.mark.parametrize(("temperature", "loss"), [(0.5, 0.2632825), (0.2, 0.0485874)])
def test_one_anchor_one_positive_one_negative_by_hand(temperature, loss):
    # Spec example (a): cosines 3/5 and 0; exp(1.2) = 3.3201, so -log(3.3201 / 4.3201) = 0.2632825 at 0.5.
    anchor, positive, negative = float64([[1, 0]]), float64([[3, 4]]), float64([[0, 2]])
    rows = unit(torch.cat([anchor, positive, negative]))
    losses = anchor_losses(rows @ rows.T, torch.tensor([1, 0, 0]), temperature)
    assert float(losses[0]) == pytest.approx(loss, abs=1e-7)


def test_two_images_in_two_views_by_hand(vectors):
    # Spec example (b): s12 = 0, s13 = .6, s14 = -.6, s23 = .8, s24 = .8, s34 = .28; the positive of 1 is 3, of 2 it is 4.
    views = float64([[1, 0], [0, 1], [0.6, 0.8], [-0.6, 0.8]])
    losses = nt_xent(views, 0.5)
    assert losses.tolist() == pytest.approx([0.3306785, 0.7893190, 1.1049644, 0.3466098], abs=1e-7)
    assert float(losses.sum()) == pytest.approx(2.5715717, abs=1e-7)
    assert float(losses.mean()) == pytest.approx(vectors("csi")["contrastive"]["spec_example_b"], abs=1e-10)
    scales = float64([[5.0], [0.2], [1.0], [40.0]])
    torch.testing.assert_close(nt_xent(views * scales, 0.5), losses, rtol=0, atol=1e-6)


def test_equal_vectors_cost_the_logarithm_of_the_others(vectors):
    losses = nt_xent(torch.ones(8, 5, dtype=torch.float64), 0.5)
    assert losses.tolist() == pytest.approx([vectors("csi")["contrastive"]["all_equal_N_8"]] * 8, abs=1e-7)
    assert losses.tolist() == pytest.approx([math.log(7)] * 8, abs=1e-7)


def test_a_vector_of_zeros_has_a_finite_loss_and_gradient():
    vectors = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], requires_grad=True)
    nt_xent(vectors, 0.5).mean().backward()
    assert torch.isfinite(vectors.grad).all()


def test_similarity_is_a_cosine_of_rows():
    # (1, 0).(3, 4) / 5 = .6 and (0, 2).(0, -1) / 2 = -1.
    assert similarity(float64([[1, 0], [0, 2]]), float64([[3, 4], [0, -1]])).tolist() == pytest.approx([0.6, -1.0])
