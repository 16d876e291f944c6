"""The heatmap drawn by PyTorch: the NumPy renderer's, for a batch."""

import numpy as np
import pytest
import torch
from people import SHAPES, scatter

import posegen
from posegen.errors import ConfigError
from posegen.loader.torch import render_heatmap_torch


@pytest.mark.parametrize("grid", ["bilinear", "area", "point"])
@pytest.mark.parametrize(("size", "stride", "sigma"), SHAPES)
@pytest.mark.parametrize("background", [True, False])
def test_a_batch_is_what_numpy_draws_image_by_image(grid, size, stride, sigma, background):
    options = {"input_size": size, "stride": stride, "sigma": sigma, "grid": grid, "background": background}
    images = [scatter(seed, 4, 5, size) for seed in range(3)]
    points, drawn = (torch.as_tensor(np.stack(arrays)) for arrays in zip(*images, strict=True))
    found = render_heatmap_torch(points, drawn, **options)
    expected = np.stack([posegen.render_heatmap(*image, **options) for image in images])
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-5)


def test_people_that_pad_an_image_draw_nothing():
    counts, (points, drawn) = (3, 0, 1), scatter(0, 9, 18, (368, 368))
    points, drawn = points.reshape(3, 3, 18, 2), drawn.reshape(3, 3, 18)
    for image, count in enumerate(counts):
        drawn[image, count:] = False
    found = render_heatmap_torch(torch.as_tensor(points), torch.as_tensor(drawn))
    for image, count in enumerate(counts):
        expected = posegen.render_heatmap(points[image, :count], drawn[image, :count])
        np.testing.assert_allclose(found[image].numpy(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int64])
def test_points_of_any_type_are_taken_as_they_are(dtype):
    points = torch.tensor([[[[10.5, 12.0], [30.0, 20.25]]]]).to(dtype)
    found = render_heatmap_torch(points, torch.ones(1, 1, 2, dtype=torch.uint8), input_size=(48, 48))
    expected = posegen.render_heatmap(points[0].double().numpy(), np.ones((1, 2)), input_size=(48, 48))
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=0, atol=1e-5)


def test_nobody_and_no_image_leave_the_background():
    found = render_heatmap_torch(torch.zeros(2, 0, 3, 2), torch.zeros(2, 0, 3, dtype=torch.bool))
    assert found.shape == (2, 4, 46, 46)
    assert not found[:, :3].any()
    assert (found[:, 3] == 1).all()
    assert render_heatmap_torch(torch.zeros(0, 2, 3, 2), torch.zeros(0, 2, 3)).shape == (0, 4, 46, 46)


def test_no_gradient_is_kept_and_nothing_passed_is_changed():
    points, drawn = torch.full((1, 1, 1, 2), 20.0, requires_grad=True), torch.ones(1, 1, 1)
    assert not render_heatmap_torch(points, drawn).requires_grad
    assert points.eq(20).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e16])
def test_a_drawn_point_that_is_no_place_is_refused(value):
    points = torch.full((1, 1, 2, 2), 20.0, dtype=torch.float64)
    points[0, 0, 1, 0] = value
    with pytest.raises(ConfigError, match="not finite"):
        render_heatmap_torch(points, torch.ones(1, 1, 2))
    render_heatmap_torch(points, torch.tensor([[[True, False]]]))


@pytest.mark.parametrize(
    ("points", "drawn"),
    [((1, 2, 3, 3), (1, 2, 3)), ((2, 3, 2), (2, 3)), ((1, 2, 3, 2), (1, 2, 4)), ((1, 2, 0, 2), (1, 2, 0))],
)
def test_shapes_that_do_not_fit_together_are_refused_and_named(points, drawn):
    with pytest.raises(ConfigError, match=r"points must be \(B, N, K, 2\) and drawn \(B, N, K\)") as error:
        render_heatmap_torch(torch.zeros(points), torch.zeros(drawn))
    assert str(points) in str(error.value)


def test_options_are_refused_as_numpy_refuses_them():
    arrays = torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1)
    with pytest.raises(ConfigError, match="sigma must be above 0"):
        render_heatmap_torch(*arrays, sigma=0)
    with pytest.raises(ConfigError, match="does not divide"):
        render_heatmap_torch(*arrays, stride=7)
    with pytest.raises(ConfigError, match="bilinear, area, point"):
        render_heatmap_torch(*arrays, grid="cubic")
