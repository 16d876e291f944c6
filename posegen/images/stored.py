"""A picture as it is stored: without its padding, and with where in its frame it lies."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Box, Size
from posegen.images.codec import decode_input, decode_opaque
from posegen.images.scratch import Scratch
from posegen.images.warp import PADDING

_SCRATCH, _DECODED = Scratch(), Scratch()


@dataclass(slots=True, eq=False)
class StoredPicture:
    """A picture of a file that need not be open any more. It is not frozen only because that takes time.

    Attributes
    ----------
    data
        The encoded picture of the box; or R, G, B of all pixels of the frame, row by row, where the encoding is `raw`.
    box
        Where it lies in the frame.
    frame
        (rows, columns) of the frame, which is the input, or larger by the same factor along both axes.
    is_raw
        Whether the encoding is `raw`.
    name
        What to call it in messages.
    """

    data: bytes
    box: Box
    frame: Size
    is_raw: bool
    name: str

    def decode(self) -> NDArray[np.uint8]:
        """Return what there is of it, (height, width, 4) uint8 R, G, B of the box, and 255.

        It lies in memory that this thread uses again for the next picture.

        Raises
        ------
        ImageError
            If it is no image, is truncated, or has another size.
        """
        out = _DECODED.lend((*self.box.size, 4), np.uint8)
        if self.is_raw:
            pixels = np.frombuffer(self.data, np.uint8).reshape(*self.frame, 3)
            cv2.cvtColor(self.box.cut(pixels), cv2.COLOR_RGB2RGBA, dst=out)
        else:
            decode_opaque(self.data, self.name, out)
        return out

    def fill(self, out: NDArray[np.uint8]) -> None:
        """Write it into the input, with the padding around it.

        It is decoded right there if its rows are whole rows of the input; a larger frame is shrunk by `INTER_AREA`.

        Parameters
        ----------
        out
            (H, W, 3) uint8, contiguous: becomes R, G, B.

        Raises
        ------
        ImageError
            As `decode`.
        """
        if out.shape[:2] != self.frame:
            whole = np.empty((*self.frame, 3), np.uint8)
            self.fill(whole)
            cv2.resize(whole, out.shape[1::-1], dst=out, interpolation=cv2.INTER_AREA)
        elif self.is_raw:
            out[...] = np.frombuffer(self.data, np.uint8).reshape(out.shape)
        else:
            x, y, width, height = self.box
            rows, columns = self.frame
            if width == columns:
                out[:y] = out[y + height :] = PADDING
                decode_input(self.data, self.box.size, self.name, out[y : y + height])
                return
            pixels = decode_input(self.data, self.box.size, self.name, _SCRATCH.lend((height, width, 3), np.uint8))
            edges = y, rows - y - height, x, columns - x - width
            cv2.copyMakeBorder(pixels, *edges, cv2.BORDER_CONSTANT, dst=out, value=(PADDING,) * 3)

    def show(self, size: Size) -> NDArray[np.uint8]:
        """Return it in the input: (H, W, 3) uint8 R, G, B; raises `ImageError` as `decode`."""
        out = np.empty((*size, 3), np.uint8)
        self.fill(out)
        return out
