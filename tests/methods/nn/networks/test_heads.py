"""Top-K pooling, the heads and the pyramid."""

import pytest
import torch

from methods.nn.networks.heads import CompositeHead, HolisticHead, TopK, TopKHead
from methods.nn.networks.pyramid import Pyramid, nearest


def stated_map(height, width):
    n = torch.arange(height * width, dtype=torch.float64)
    return (3 * torch.sin(1.9 * n + 0.4) - 0.5 * torch.cos(0.31 * n * n)).reshape(1, 1, height, width)


def test_topk_on_stated_maps_equals_the_released_code(vectors, close):
    for case in vectors("dra_topk_pyramid")["topk"]["maps"]:
        values = stated_map(case["H"], case["W"]).requires_grad_()
        pool = TopK(case["rate"])
        assert pool.count(values.numel()) == case["K"]
        score = pool(values)
        score.backward()
        chosen = values.grad.flatten().nonzero().flatten()
        assert chosen.tolist() == case["selected_flat_positions"]
        close("topk float64, scores", score[0], case["score"])
        close("topk float64, gradients", values.grad.flatten()[chosen], case["gradient_at_them"])
        close(
            "topk float64, scores without abs", TopK(case["rate"], absolute=False)(values)[0], case["score_without_abs"]
        )


def test_count_is_the_integer_part_of_the_float_product(vectors):
    stated = vectors("dra_topk_pyramid")["topk"]["K_at_rate_0_1"]
    assert {n: TopK(0.1).count(int(n)) for n in stated} == stated
    assert TopK(0.29).count(100) == 28  # 0.29 * 100 is 28.999999999999996


@pytest.mark.parametrize(
    ("rounding", "counts"), [("floor", [1, 1, 2, 4]), ("round", [1, 2, 2, 5]), ("ceil", [1, 2, 3, 5])]
)
def test_roundings(rounding, counts):
    # 0.1 of 4, 16, 25, 49 positions is 0.4, 1.6, 2.5 (half to even: 2), 4.9.
    assert [TopK(0.1, rounding).count(n) for n in (4, 16, 25, 49)] == counts


def test_worked_examples_of_the_paper_reading():
    values = torch.tensor([-5, 1, 2, -3, 0.5, 4, *[0] * 8]).reshape(1, 1, 2, 7)
    assert TopK()(values).item() == 5.0
    assert TopK(absolute=False)(values).item() == 4.0
    assert TopK(0.0)(values).item() == pytest.approx(-0.5 / 14)
    twenty = torch.tensor([-5, 4, *[0] * 18]).float().reshape(1, 1, 4, 5)
    assert TopK()(twenty).item() == 4.5


def test_heads_have_the_parameters_of_the_paper():
    def count(head):
        return sum(p.numel() for p in head.parameters())

    # 512 * 512 * 9 + 512 + 2 * 512 + 513 and 512 * 256 + 256 + 257.
    assert count(TopKHead(512, TopK())) == 513
    assert count(CompositeHead(512, TopK())) == 2_361_345
    assert count(HolisticHead(512, absolute=True)) == 131_585


def test_holistic_head_by_hand():
    head = HolisticHead(2, absolute=True)
    with torch.no_grad():
        head.fc1.weight.zero_()
        head.fc1.weight[0] = torch.tensor([1.0, -2.0])
        head.fc1.bias.zero_()
        head.fc2.weight.fill_(-3.0)
        head.fc2.bias.fill_(1.0)
    # Channel means 4 and 1: relu(4 - 2) = 2; 1 - 3 * 2 = -5.
    maps = torch.tensor([[[[2.0, 6.0]], [[0.0, 2.0]]]])
    assert head(maps).item() == 5.0
    head.absolute = False
    assert head(maps).item() == -5.0


def test_nearest_rows_equal_the_released_code(vectors):
    for sizes, stated in vectors("dra_topk_pyramid")["nearest_pyramid"].items():
        size, target = map(int, sizes.split("->"))
        image = torch.arange(size)[:, None] * 1000 + torch.arange(size)
        resized = nearest(image.double()[None, None], target)[0, 0]
        rows = torch.tensor(stated["source_rows"])
        assert torch.equal(resized, (rows[:, None] * 1000 + rows).double())


def test_third_level_comes_from_the_full_size_image():
    # 30 -> 7 takes row 17 for row 4; by way of 15 it would be 2 * floor(4 * 15 / 7) = 16.
    image = torch.arange(30.0)[:, None].expand(30, 30)[None, None]
    levels = Pyramid(3, "nearest").levels(image)
    assert [level.shape[-1] for level in levels] == [30, 15, 7]
    assert levels[2][0, 0, :, 0].tolist() == [0, 4, 8, 12, 17, 21, 25]


def test_resampling_variants_differ_as_they_should():
    # Rows 0..7; half size. Nearest: 0, 2, 4, 6. Bilinear: means of pairs. Antialias: a wider triangle, mirrored ends cut.
    image = torch.arange(8.0)[:, None].expand(8, 8)[None, None]
    rows = {kind: Pyramid(2, kind).levels(image)[1][0, 0, :, 0] for kind in ("nearest", "bilinear", "antialias")}
    assert rows["nearest"].tolist() == [0, 2, 4, 6]
    assert rows["bilinear"].tolist() == [0.5, 2.5, 4.5, 6.5]
    # Weights 3, 3, 1 of rows 0, 1, 2 over 7 at the border; 1, 3, 3, 1 over 8 inside.
    assert rows["antialias"].tolist() == pytest.approx([5 / 7, 2.5, 4.5, 7 - 5 / 7])
