"""What is stored is read back to within the stated error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from posegen.errors import ConfigError
from posegen.labels import ArraySpec
from posegen.shards.quantize import choose_storage

WIDE = ArraySpec(name="wide", channels=("a",), cells=(2, 3), low=-46.0, high=30.0)
TALL = ArraySpec(name="tall", channels=("a",), cells=(2, 3), low=0.0, high=255.0)
UNSIGNED = ArraySpec(name="heatmap", channels=("a",), cells=(2, 3))
SIGNED = ArraySpec(name="paf", channels=("a:x", "a:y"), cells=(2, 3), low=-1.0)
CASES = [(dtype, spec) for dtype in ("float16", "float32", "uint8") for spec in (UNSIGNED, SIGNED, WIDE, TALL)]


def bounds(spec):
    return spec.low, spec.high


def test_values_are_stored_as_the_type_that_was_asked_for_with_a_sign_where_they_have_one():
    for dtype, spec, stored in (
        ("float16", UNSIGNED, "float16"),
        ("float16", SIGNED, "float16"),
        ("float32", UNSIGNED, "float32"),
        ("float32", SIGNED, "float32"),
        ("uint8", UNSIGNED, "uint8"),
        ("uint8", SIGNED, "int8"),
    ):
        storage = choose_storage(dtype, spec)
        assert storage.dtype == stored
        assert storage.encode(np.zeros((2, 3), np.float32)).dtype == stored
        assert storage.decode(np.zeros((2, 3), stored)).dtype == np.float32


@settings(max_examples=1200)
@given(case=st.sampled_from(CASES), data=st.data())
def test_any_value_is_read_back_to_within_the_stated_error(case, data):
    dtype, spec = case
    low, high = bounds(spec)
    elements = st.floats(low, high, width=32, allow_subnormal=False)
    values = data.draw(arrays(np.float32, (2, 3), elements=elements))
    storage = choose_storage(dtype, spec)
    found = storage.decode(storage.encode(values))
    assert abs(found.astype(np.float64) - values).max() <= storage.max_abs_error


def test_the_whole_range_is_read_back_to_within_the_stated_error():
    for dtype, spec in CASES:
        low, high = bounds(spec)
        values = np.linspace(low, high, 1_000_003, dtype=np.float32)
        storage = choose_storage(dtype, spec)
        error = abs(storage.decode(storage.encode(values)).astype(np.float64) - values).max()
        assert error <= storage.max_abs_error
        # The bound is the bound of this type and not of a worse one.
        assert error >= 0.95 * storage.max_abs_error


def test_zero_and_the_value_farthest_from_it_are_read_back_exactly():
    for dtype, spec in CASES:
        low, high = bounds(spec)
        values = np.array([0.0, max(low, high, key=abs)], np.float32)
        storage = choose_storage(dtype, spec)
        np.testing.assert_array_equal(storage.decode(storage.encode(values)), values)


def test_whole_numbers_are_the_rounded_value_times_255_or_127():
    values = np.array([0, 0.3, 0.5019, 0.999, 1], np.float32)
    assert choose_storage("uint8", UNSIGNED).encode(values).tolist() == [0, 76, 128, 255, 255]
    assert choose_storage("uint8", SIGNED).encode(-values).tolist() == [0, -38, -64, -127, -127]


def test_a_value_is_what_is_stored_times_the_scale():
    for dtype, spec in CASES:
        storage = choose_storage(dtype, spec)
        stored = np.array([0, 1], storage.dtype) if storage.scale == 1 else np.arange(0, 128).astype(storage.dtype)
        np.testing.assert_allclose(storage.decode(stored), stored * storage.scale, rtol=2**-22, atol=0)


def test_rounding_of_a_renderer_beyond_the_range_does_not_wrap_around():
    for spec in (UNSIGNED, SIGNED):
        low, high = bounds(spec)
        beyond = np.array([low - 3e-7, high + 3e-7], np.float32)
        storage = choose_storage("uint8", spec)
        np.testing.assert_array_equal(storage.decode(storage.encode(beyond)), np.array([low, high], np.float32))


def test_encoding_and_decoding_leave_their_input_alone():
    for dtype, spec in CASES:
        values = np.array([0.25, 0.7], np.float32)
        storage = choose_storage(dtype, spec)
        stored = storage.encode(values)
        kept = stored.copy()
        decoded = storage.decode(stored)
        decoded *= 2
        np.testing.assert_array_equal(stored, kept)
        assert values.tolist() == np.array([0.25, 0.7], np.float32).tolist()


def test_values_that_half_precision_does_not_reach_are_refused():
    far = ArraySpec(name="far", channels=("a",), cells=(2, 3), high=65505.0)
    with pytest.raises(ConfigError, match="far has values up to 65505; float16 ends at 65504: use float32"):
        choose_storage("float16", far)
    assert choose_storage("float32", far).max_abs_error == 0
