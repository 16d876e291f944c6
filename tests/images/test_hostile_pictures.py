"""Pictures that were cut, flipped, spliced or made to lie: each is a failure by name, in little time and memory."""

from __future__ import annotations

import base64
import json
import os
import random
import resource
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import Coco, Run, encode

from posegen.build.executors import Done, LocalExecutor
from posegen.errors import ImageError
from posegen.geometry import fit
from posegen.images.codec import decode
from posegen.images.files import read_file
from posegen.images.warp import warp_fitted

HEIGHT, WIDTH = 12, 16
INPUT = 24, 32
LIMIT_MB = 200
PNG = b"\x89PNG\r\n\x1a\n"

# What no encoder here writes: cyan, magenta, yellow and black.
CMYK = base64.b64decode(
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAQCwwODAoQDg0OEhEQExgoGhgWFhgxIyUdKDozPTw5Mzg3QEhcTkBEV0U3OFBtUVdfYmdoZz5NcXlwZH"
    "hcZWdj/8AAFAgADAAQBEMRAE0RAFkRAEsRAP/EABkAAAMBAQEAAAAAAAAAAAAAAAADBAIBB//EACgQAAAFAwIFBQEAAAAAAAAAAAABAgMEBRES"
    "VNIGE2GToSJRcZGjkv/aAA4EQwBNAFkASwAAPwCF2JQ2MOUh+Tle/KZMsfnK3j2ETsShsYcpD8nK9+UyZY/OVvHsIHY1EYcJLbMmSRlfNpmxF0"
    "9RkfgegBjSKRoJ3aRuDGkUjQTu0jcHNIpGgndpG4AQ1xTI0MH+FbhMXE8lbakpiQ2zURkS0oVdPUrqMvshMXE8lbakpiQ2zURkS0oVdPUrqMvs"
    "gDDVYqWr/FvaMtVipav8W9o41WKlq/xb2gH/2Q=="
)


def pictures() -> list[bytes]:
    """One of each kind, all of one size."""
    chance = np.random.default_rng(0)
    colour = cv2.resize(chance.integers(0, 256, (3, 4, 3), np.uint8), (WIDTH, HEIGHT))
    alpha = np.dstack([colour, colour[..., 0]])
    return [
        CMYK,
        encode(colour, ".jpg"),
        encode(colour, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encode(colour, ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
        encode(colour[..., 0], ".jpg"),
        *(encode(picture.astype(dtype) * factor, ".png")
          for picture in (colour, colour[..., 0], alpha)
          for dtype, factor in ((np.uint8, 1), (np.uint16, 257))),
        *(encode(colour, suffix) for suffix in (".bmp", ".gif", ".tiff", ".webp", ".ppm")),
        encode(colour, ".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
        encode(alpha, ".webp"),
    ]  # fmt: skip


def chunk(kind: bytes, body: bytes, length: int | None = None) -> bytes:
    """Write a chunk of a PNG that may claim another length than it has."""
    size = len(body) if length is None else length
    return struct.pack(">I", size) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    return PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + b"".join(chunks)


def bitmap(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IIIIiiHHIIIIII", 999, 0, 54, 40, width, height, 1, 24, *[0] * 6)


def harm(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """Change a file in one to three ways; a PNG's checksums are mostly made right again, to get beyond them."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 3])):
        at = chance.randrange(len(changed))
        kind = chance.randrange(7)
        if kind == 0:
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            changed[min(at, 63)] = chance.choice([0, 1, 0x7F, 0x80, 0xFF])
        elif kind == 2:
            number = chance.choice([0, 1, 16384, 65535, 100_000, (1 << 31) - 1, (1 << 32) - 1])
            at = min(at, 200)
            changed[at : at + 4] = struct.pack(chance.choice("<>") + "I", number)
        elif kind == 3:
            del changed[at + 1 :]
        elif kind == 4:
            del changed[at : at + chance.randrange(1, 20)]
            changed = changed or bytearray(b"\0")
        elif kind == 5:
            changed[at:] = other[chance.randrange(len(other)) :]
        else:
            changed[at:at] = changed[chance.randrange(len(changed)) :][:40]
        changed = changed or bytearray(b"\0")
    return mend_checksums(bytes(changed)) if changed.startswith(PNG) and chance.random() < 0.8 else bytes(changed)


def mend_checksums(data: bytes) -> bytes:
    mended, at = data[:8], 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            break
        mended += data[at : end - 4] + struct.pack(">I", zlib.crc32(data[at + 4 : end - 4]))
        at = end
    return mended + data[at:]


def decode_harmed(seed: int, report: Callable[[int], None]) -> list[str]:
    """Decode harmed pictures in a worker; returns what ended otherwise than in a picture or a refusal."""
    chance, kinds, wrong = random.Random(seed), pictures(), []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for n in range(400):
        data = harm(chance, chance.choice(kinds), chance.choice(kinds))
        start = time.process_time()
        try:
            picture = decode(data, (HEIGHT, WIDTH), "a")
            if (picture.shape, picture.dtype) != ((HEIGHT, WIDTH, 3), np.uint8):
                wrong.append(f"{n}: {picture.dtype} {picture.shape}")
            warp_fitted(picture, fit((HEIGHT, WIDTH), INPUT, "cover"), INPUT)
        except ImageError:
            pass
        except Exception as error:  # noqa: BLE001 (that is what is looked for)
            wrong.append(f"{n}: {error!r}")
        if time.process_time() - start > 3:
            wrong.append(f"{n}: {time.process_time() - start:.1f} s")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    return [*wrong, *([f"{grown} MB"] if grown > LIMIT_MB else [])]


def refuse_in_little_memory(data: bytes, report: Callable[[int], None]) -> str:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        decode(data, (HEIGHT, WIDTH), "a.png")
    except ImageError as error:
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
        return str(error) if grown < LIMIT_MB else f"{grown} MB"
    return "decoded"


def run_in_worker(function: Callable[..., Any], *tasks: Any) -> list[Any]:
    """Run a function in workers; their death is a failed test, not the end of all tests."""
    outcomes = list(LocalExecutor(2).run(function, tasks, lambda units: None))
    assert all(isinstance(outcome, Done) for outcome in outcomes), outcomes
    return [outcome.result for outcome in outcomes if isinstance(outcome, Done)]


def test_each_kind_of_picture_is_decoded_unharmed() -> None:
    assert len(pictures()) == 18
    for data in pictures():
        assert decode(data, (HEIGHT, WIDTH), "a").shape == (HEIGHT, WIDTH, 3)


def test_harmed_pictures_are_decoded_to_their_size_or_refused() -> None:
    assert run_in_worker(decode_harmed, *range(6)) == [[]] * 6


PIXELS = zlib.compress(bytes(HEIGHT * (1 + 3 * WIDTH)))
HUGE = zlib.compress(bytes(16384 * 4096), 9)
BOMBS = {
    "a chunk of 2 GB in a small PNG": png(WIDTH, HEIGHT, chunk(b"IDAT", PIXELS, length=2_480_000_000)),
    "a chunk of 4 GB before the pixels": png(WIDTH, HEIGHT, chunk(b"tEXt", b"a\0b", length=0xFFFFFFF0)),
    "an end of 4 GB": png(WIDTH, HEIGHT, chunk(b"IDAT", PIXELS), chunk(b"IEND", b"", length=0xFFFFFFFF)),
    "a PNG of 100000x100000": png(100_000, 100_000, chunk(b"IDAT", PIXELS), chunk(b"IEND", b"")),
    "a PNG that unpacks to 800 MB": png(16384, 16384, chunk(b"IDAT", HUGE), chunk(b"IEND", b"")),
    "a PNG of no pixels": png(0, 0, chunk(b"IDAT", PIXELS), chunk(b"IEND", b"")),
    "a bitmap of 100000x100000": bitmap(100_000, 100_000),
    "a bitmap of less than no rows": bitmap(16, -(1 << 31)),
    "a GIF of 65535x65535": b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0xF0, 0, 0) + bytes(6) + b",",
    "a portable map of 100000x100000": b"P6 100000 100000 255\n" + bytes(99),
    "a JPEG of 65535x65535": b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 17, 8, 65535, 65535, 3) + bytes(9),
    "a portable float map": b"Pf\n16 12\n-1.0\n" + bytes(4 * HEIGHT * WIDTH),
}  # fmt: skip


def test_what_claims_to_be_huge_is_refused_before_it_takes_memory() -> None:
    for name, said in zip(BOMBS, run_in_worker(refuse_in_little_memory, *BOMBS.values()), strict=True):
        assert said.startswith("a.png: is "), name


class TestFiles:
    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "a.jpg")
        with pytest.raises(ImageError, match=r"a\.jpg: is no regular file"):
            read_file(tmp_path, "a.jpg")

    def test_a_file_of_terabytes_is_not_read(self, tmp_path: Path) -> None:
        with (tmp_path / "a.jpg").open("wb") as file:
            file.truncate(1 << 40)
        with pytest.raises(ImageError, match=f"a\\.jpg: has {1 << 40} bytes, more than any picture"):
            read_file(tmp_path, "a.jpg")


def test_a_build_of_harmed_pictures_names_each_that_it_leaves_out(run: Run, tmp_path: Path) -> None:
    chance, kinds, coco = random.Random(7), pictures(), Coco(tmp_path / "coco")
    samples = [*BOMBS.values(), *(harm(chance, chance.choice(kinds), chance.choice(kinds)) for _ in range(60)), *kinds]
    for data in samples:
        coco.person(coco.image(WIDTH, HEIGHT, data=data))
    out = tmp_path / "out"
    done = run(
        "build", "--coco", coco.write(), "--out", out, "--input-size", "32x24", "--max-failures", "99%", "--workers", 2
    )
    assert done.status == 0, done.err
    assert "worker" not in done.err
    failures = [json.loads(line) for line in (out / "failures.jsonl").read_text().splitlines()]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["samples"] + len(failures) == len(samples)
    assert manifest["samples"] >= len(kinds)
    assert {failure["image_id"] for failure in failures} >= {i["id"] for i in coco.document["images"][: len(BOMBS)]}
    assert all(failure["reason"].startswith(failure["file"]) for failure in failures)
