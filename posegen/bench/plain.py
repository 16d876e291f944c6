"""The least that any program does to a dataset's pictures, by OpenCV alone: what a build is measured against."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from posegen.geometry import Size

_PADDING = 128


def run_plain_loop(pictures: Sequence[Path], out: Path, input_size: Size, quality: int, workers: int) -> None:
    """Read, decode, resize, pad and encode pictures, and append them to a file for each process.

    The JPEG files have Huffman tables of their own, as those of a build have.

    Parameters
    ----------
    pictures
        Of any size.
    out
        The directory of the files; it must not exist.
    input_size
        (H, W) that pictures are fitted into.
    quality
        Of the JPEG files.
    workers
        How many processes.
    """
    out.mkdir()
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        shares = [
            pool.submit(append_pictures, pictures[n::workers], out / f"{n}.bin", input_size, quality)
            for n in range(workers)
        ]
        for share in shares:
            share.result()


def append_pictures(pictures: Sequence[Path], file: Path, input_size: Size, quality: int) -> None:
    """Do so in this process."""
    cv2.setNumThreads(1)
    parameters = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    height, width = input_size
    with file.open("wb") as out:
        for path in pictures:
            picture = np.asarray(cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR))
            scale = min(height / picture.shape[0], width / picture.shape[1])
            rows, columns = (max(1, round(side * scale)) for side in picture.shape[:2])
            resized = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)
            top, left = (height - rows) // 2, (width - columns) // 2
            edges = top, height - rows - top, left, width - columns - left
            padded = cv2.copyMakeBorder(resized, *edges, cv2.BORDER_CONSTANT, value=(_PADDING,) * 3)
            out.write(cv2.imencode(".jpg", padded, parameters)[1].tobytes())
