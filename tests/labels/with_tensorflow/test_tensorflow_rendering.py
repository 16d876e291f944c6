"""The heatmap drawn by TensorFlow: the NumPy renderer's, in a graph that does not know how many people will come."""

import numpy as np
import pytest
import tensorflow as tf
from people import SHAPES, scatter

import posegen
from posegen.errors import ConfigError
from posegen.loader.tensorflow import render_heatmap_tf


@pytest.mark.parametrize("grid", ["bilinear", "area", "point"])
@pytest.mark.parametrize(("size", "stride", "sigma"), SHAPES)
@pytest.mark.parametrize("background", [True, False])
def test_a_heatmap_is_what_numpy_draws(grid, size, stride, sigma, background):
    options = {"input_size": size, "stride": stride, "sigma": sigma, "grid": grid, "background": background}
    for people in (0, 1, 6):
        points, drawn = scatter(people, people, 5, size)
        found = render_heatmap_tf(points, drawn, **options)
        assert found.dtype == tf.float32
        expected = posegen.render_heatmap(points, drawn, **options)
        np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-5)


SIGNATURE = [tf.TensorSpec((None, 18, 2), tf.float32), tf.TensorSpec((None, 18), tf.bool)]


@pytest.mark.parametrize("options", [{"input_signature": SIGNATURE}, {"reduce_retracing": True}])
def test_one_trace_serves_any_number_of_people(options):
    traces = []

    @tf.function(**options)
    def render(points, drawn):
        traces.append(points.shape)
        return render_heatmap_tf(points, drawn)

    counts = (2, 5, 0, 1, 17, 3)
    for i, people in enumerate(counts):
        points, drawn = (array.astype(t) for array, t in zip(scatter(i, people, 18, (368, 368)), "f?", strict=True))
        found = render(tf.constant(points), tf.constant(drawn))
        np.testing.assert_allclose(found.numpy(), posegen.render_heatmap(points, drawn), rtol=0, atol=1e-5)
        if i == 1:
            settled = len(traces)
    # Without a signature TensorFlow sees two numbers before it leaves the dimension open.
    assert settled == (1 if "input_signature" in options else 2)
    assert len(traces) == settled


def test_the_graph_has_no_loop_and_leaves_python():
    graph = tf.function(render_heatmap_tf, input_signature=SIGNATURE).get_concrete_function().graph
    kinds = {op.type for op in graph.get_operations()}
    assert not [kind for kind in kinds if "While" in kind or "Map" in kind or "PyFunc" in kind]


def test_the_shape_of_the_heatmap_is_known_before_the_people_are():
    function = tf.function(render_heatmap_tf, input_signature=SIGNATURE).get_concrete_function()
    assert function.output_shapes.as_list() == [19, 46, 46]


def test_it_draws_inside_a_data_pipeline():
    images = [scatter(seed, people, 18, (368, 368)) for seed, people in enumerate((3, 0, 8))]
    specs = tf.TensorSpec((None, 18, 2), tf.float64), tf.TensorSpec((None, 18), tf.bool)
    pipeline = tf.data.Dataset.from_generator(lambda: iter(images), output_signature=specs)
    found = pipeline.map(render_heatmap_tf, num_parallel_calls=2).batch(3)
    assert found.element_spec.shape.as_list() == [None, 19, 46, 46]
    expected = np.stack([posegen.render_heatmap(*image) for image in images])
    np.testing.assert_allclose(next(iter(found)).numpy(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e16])
def test_a_drawn_point_that_is_no_place_is_refused_when_the_graph_runs(value):
    points, drawn = np.full((1, 18, 2), 20.0), np.ones((1, 18), bool)
    points[0, 1, 0] = value
    for render in (render_heatmap_tf, tf.function(render_heatmap_tf)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="not finite"):
            render(tf.constant(points), tf.constant(drawn))
    drawn[0, 1] = False
    render_heatmap_tf(points, drawn)


@pytest.mark.parametrize(
    ("points", "drawn"), [((2, 3, 3), (2, 3)), ((3, 2), (3,)), ((1, 3, 2), (1, 4)), ((1, 0, 2), (1, 0))]
)
def test_shapes_that_do_not_fit_together_are_refused_and_named(points, drawn):
    with pytest.raises(ConfigError, match=r"points must be \(N, K, 2\) and drawn \(N, K\)"):
        render_heatmap_tf(tf.zeros(points), tf.zeros(drawn))


def test_options_are_refused_as_numpy_refuses_them():
    arrays = tf.zeros((1, 1, 2)), tf.ones((1, 1))
    with pytest.raises(ConfigError, match="sigma must be above 0"):
        render_heatmap_tf(*arrays, sigma=0)
    with pytest.raises(ConfigError, match="does not divide"):
        render_heatmap_tf(*arrays, stride=7)
    with pytest.raises(ConfigError, match="bilinear, area, point"):
        render_heatmap_tf(*arrays, grid="cubic")
