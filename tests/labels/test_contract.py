"""What every label keeps to, whatever it draws."""

import dataclasses
import pickle

import numpy as np
import pytest
from label_oracle import KINDS, LIMBS, make_region, scatter

from posegen.geometry import fit
from posegen.grid import make_grid
from posegen.labels import HeatmapLabel, MaskLabel, PafLabel, Scene, TopDownLabel, WeightLabel
from posegen.labels.topdown import TOP_DOWN_KINDS

SIZES = (((64, 96), (8, 12)), ((50, 60), (18, 23)), ((33, 32), (33, 32)))


def _labels():
    for size, cells in SIZES:
        for kind in KINDS:
            grid = make_grid(kind, size, cells)
            name = f"{kind}-{size[1]}x{size[0]}-{cells[1]}x{cells[0]}"
            yield f"heatmap-{name}", HeatmapLabel(grid=grid, keypoints=tuple("abc"), sigma_px=4.0), size
            yield (
                f"no_background-{name}",
                HeatmapLabel(grid=grid, keypoints=tuple("abc"), sigma_px=4.0, background=False),
                size,
            )
            yield f"paf-{name}", PafLabel(grid=grid, limbs=LIMBS, limb_names=tuple("wxyz"), half_width_px=4.0), size
        yield f"mask-{size[1]}x{size[0]}", MaskLabel(input_size=size, cells=cells), size
        for kind in TOP_DOWN_KINDS:
            heatmap = TopDownLabel(kind=kind, input_size=size, cells=cells, keypoints=tuple("abc"), sigma_cells=2.0)
            yield f"{kind}-{size[1]}x{size[0]}", heatmap, size
            yield f"weight-{kind}-{size[1]}x{size[0]}", WeightLabel(keypoints=tuple("abc"), heatmap=heatmap), size


CASES = {name: (label, size) for name, label, size in _labels()}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def label(case):
    return case[0]


def make_scene(size, people):
    """People in a picture of another shape than the input, with a region to ignore; what is not drawn is no number."""
    image_size = 70, 40
    points, drawn = scatter(np.random.default_rng(people), people, 3, size)
    points[~drawn] = np.nan
    pixels = (np.random.default_rng(1).random((20, 30)) < 0.5).astype(np.uint8)
    return Scene(
        points=points,
        drawn=drawn,
        image_size=image_size,
        affine=fit(image_size, size, "letterbox"),
        ignored=make_region(np.pad(pixels, ((10, 0), (5, 0)))) if people else None,
    )


@pytest.fixture(params=[0, 1, 7], ids="{}_people".format)
def scene(request, case):
    return make_scene(case[1], request.param)


def test_a_label_has_the_shape_that_its_specification_states(label, scene):
    assert label.render(scene).shape == label.spec.shape


def test_a_label_names_each_of_its_channels_once(label):
    assert len(set(label.spec.channels)) == len(label.spec.channels) == label.spec.shape[0]


def test_a_label_is_contiguous_float32(label, scene):
    found = label.render(scene)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous


def test_a_label_is_a_number_in_its_range(label, scene):
    found = label.render(scene)
    # A cell's float32 weights may add up to one unit in the last place more than 1.
    assert -label.spec.signed - 5e-7 <= found.min()
    assert found.max() <= 1 + 5e-7


def test_a_label_of_a_scene_is_always_the_same_and_its_own(label, scene):
    first = label.render(scene)
    kept = first.copy()
    second = label.render(scene)
    np.testing.assert_array_equal(second, kept)
    first[:] = 9
    np.testing.assert_array_equal(second, kept)
    np.testing.assert_array_equal(label.render(scene), kept)


def test_a_label_reads_its_scene_only(label, scene):
    arrays = [scene.points, scene.drawn] + ([scene.ignored.top] if scene.ignored else [])
    kept = [array.copy() for array in arrays]
    for array in arrays:
        array.setflags(write=False)
    label.render(scene)
    for array, before in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_a_label_takes_points_of_any_memory_order(label, scene):
    turned = dataclasses.replace(
        scene, points=np.asfortranarray(scene.points), drawn=np.repeat(scene.drawn, 2, axis=1)[:, ::2]
    )
    np.testing.assert_array_equal(label.render(turned), label.render(scene))


def test_a_pickled_label_draws_the_same(label, scene):
    again = pickle.loads(pickle.dumps(label))
    assert again.spec == label.spec
    np.testing.assert_array_equal(again.render(scene), label.render(scene))


def test_a_label_cannot_be_changed(label):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(label, dataclasses.fields(label)[0].name, None)


def test_it_does_not_matter_in_which_order_people_come(case):
    label, size = case
    scene = make_scene(size, 7)
    turned = dataclasses.replace(scene, points=scene.points[::-1], drawn=scene.drawn[::-1])
    np.testing.assert_allclose(label.render(turned), label.render(scene), rtol=0, atol=1e-6)


def test_people_of_whom_nothing_is_drawn_change_nothing(case):
    label, size = case
    scene = make_scene(size, 7)
    nobody = dataclasses.replace(scene, drawn=np.zeros_like(scene.drawn))
    empty = dataclasses.replace(scene, points=scene.points[:0], drawn=scene.drawn[:0])
    np.testing.assert_array_equal(label.render(nobody), label.render(empty))


def test_an_empty_scene_is_background_without_keypoints_fields_or_anything_to_ignore(case):
    label, size = case
    scene = dataclasses.replace(make_scene(size, 0), image_size=size, affine=fit(size, size, "stretch"))
    for name, channel in zip(label.spec.channels, label.render(scene), strict=True):
        expected = 1 if name in {"background", "mask"} else 0
        np.testing.assert_allclose(channel, np.full(label.spec.cells, expected), rtol=0, atol=1e-6)
