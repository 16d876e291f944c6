"""The part affinity fields drawn by PyTorch: the NumPy renderer's, for a batch."""

import numpy as np
import pytest
import torch
from people import SHAPES, scatter

import posegen
from posegen.errors import ConfigError
from posegen.loader.torch import render_paf_torch

LIMBS = ((0, 1), (1, 2), (3, 4), (2, 0))


def test_fields_are_what_numpy_draws_image_by_image():
    for size, stride, half_width in SHAPES:
        for grid in ("bilinear", "area", "point"):
            options = {"input_size": size, "stride": stride, "half_width": half_width, "grid": grid}
            images = [scatter(seed, 4, 5, size) for seed in range(3)]
            points, drawn = (torch.as_tensor(np.stack(arrays)) for arrays in zip(*images, strict=True))
            found = render_paf_torch(points, drawn, LIMBS, **options)
            expected = np.stack([posegen.render_paf(*image, LIMBS, **options) for image in images])
            assert found.dtype == torch.float32
            assert np.abs(expected).max() > 0.5
            np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-5)


def test_fields_of_nobody_are_empty_and_mistakes_are_refused():
    nobody = torch.zeros(2, 0, 3, 2), torch.zeros(2, 0, 3)
    found = render_paf_torch(*nobody, ((0, 1),))
    assert found.shape == (2, 2, 46, 46)
    assert not found.any()
    point = torch.full((1, 1, 2, 2), torch.nan), torch.ones(1, 1, 2)
    for arguments, options, message in (
        ((*nobody, ((0, 3),)), {}, "limb 0-3 must join two of the keypoints 0..2"),
        ((*nobody, ((0, 1),)), {"half_width": 0.0}, "half_width must be above 0"),
        ((*point, ((0, 1),)), {}, "not finite"),
    ):
        with pytest.raises(ConfigError, match=message):
            render_paf_torch(*arguments, **options)
