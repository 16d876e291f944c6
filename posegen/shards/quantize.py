"""How label values are stored: as they are, as half precision, or as whole numbers with a scale."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.labels.base import ArraySpec

LabelDtype = Literal["float16", "float32", "uint8"]

Widen = Callable[[NDArray[np.float16], NDArray[np.float32]], None]
"""Writes float16 values as float32 values; both arrays are contiguous."""

_SIGN_AND_HALF = np.int32(-0x70000001)
"""The bits of a float32 that a half can set: the three below the sign repeat it when a half is widened."""

_BIAS = np.float32(2.0**112)

_LARGEST_HALF = 65504


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """One way to store the values of one label: value = stored * scale, to within `max_abs_error`.

    Attributes
    ----------
    dtype
        `float16`, `float32`, `uint8` (values that have no sign) or `int8` (values that have one); of whole numbers
        theirs.
    scale
        What a stored 1 means.
    max_abs_error
        The most by which a value read back differs from the one that was rendered.
    whole
        Whether the values are whole numbers, which are stored as they are.
    unknown
        Whether NaN is among the values.
    """

    dtype: str
    scale: float
    max_abs_error: float
    whole: bool = False
    unknown: bool = False

    @property
    def read_dtype(self) -> str:
        """The dtype of what `decode` gives: `float32`, or that of whole numbers."""
        return self.dtype if self.whole else "float32"

    def encode(self, values: NDArray[Any]) -> NDArray[Any]:
        """Turn values of any shape, float32 or whole numbers, into what is stored."""
        if self.whole:
            return values
        if self.dtype == "float16":
            # NumPy converts halves one by one, which takes longer than drawing them; most values are 0.
            flat, stored = values.reshape(-1), np.zeros(values.size, np.float16)
            drawn = np.flatnonzero(flat != 0)
            stored[drawn] = flat[drawn]
            return stored.reshape(values.shape)
        if self.dtype == "float32":
            return values
        return np.rint(values * np.float32(1 / self.scale)).astype(self.dtype)

    def decode(self, stored: NDArray[Any], out: NDArray[Any] | None = None, widen: Widen | None = None) -> NDArray[Any]:
        """Turn what is stored into values of `read_dtype`, in an array of the same shape that is given or made.

        `widen` is what turns float16 into float32, if it is not `widen_halves`.
        """
        values = np.empty(stored.shape, self.read_dtype) if out is None else out
        if self.dtype == "float16":
            (widen or widen_halves)(stored, values)
            if self.unknown:
                values[np.abs(values) > _LARGEST_HALF] = np.nan
            return values
        values[...] = stored
        if self.scale != 1.0:
            values *= np.float32(self.scale)
        return values


def widen_halves(stored: NDArray[np.float16], out: NDArray[np.float32]) -> None:
    """Write float16 values as float32 values; both arrays are contiguous.

    NumPy converts halves one by one, in more time than all the rest of reading takes. A half's exponent and fraction
    are a float32's with another bias: at its place they are the value times 2^-112, subnormal or not. What is no number
    becomes one above 65504, which is as far from a label.
    """
    bits = out.view(np.int32)
    bits[...] = stored.view(np.int16)
    bits <<= 13
    bits &= _SIGN_AND_HALF
    out *= _BIAS


def choose_storage(dtype: LabelDtype, spec: ArraySpec) -> Storage:
    """Choose how to store a label.

    Whole numbers are stored as they are, and what has no cells as `float32`. `uint8` becomes `int8` where values are
    signed, and `float16` where they may be unknown, or `float32` if they are too large for that.

    A label that says so is stored as `uint8` whatever the others are.

    Raises
    ------
    ConfigError
        If its values are too large for half precision, which was asked for.
    """
    largest = max(abs(spec.low), abs(spec.high))
    if spec.is_whole:
        return Storage(dtype=spec.dtype, scale=1.0, max_abs_error=0.0, whole=True)
    if spec.unknown and dtype == "uint8":
        dtype = "float16" if largest <= _LARGEST_HALF else "float32"
    dtype = "uint8" if spec.coarse else dtype
    if dtype == "float32" or not spec.cells:
        return Storage(dtype="float32", scale=1.0, max_abs_error=0.0, unknown=spec.unknown)
    if dtype == "float16":
        if largest > _LARGEST_HALF:
            raise ConfigError(f"{spec.name} has values up to {largest:g}; float16 ends at {_LARGEST_HALF}: use float32")
        # Half a unit in the last place of values up to the largest.
        error = 2.0 ** (math.ceil(math.log2(largest)) - 12)
        return Storage(dtype="float16", scale=1.0, max_abs_error=error, unknown=spec.unknown)
    steps = 127 if spec.signed else 255
    # Half a step, and what float32 rounds on the way there and back.
    error = (0.5 / steps + 2.0**-22) * largest
    return Storage(dtype="int8" if spec.signed else "uint8", scale=largest / steps, max_abs_error=error)
