"""Whole files mutated, in a process of its own with little memory and a clock: HDF5 might crash or never come back."""

from __future__ import annotations

import os
import random
import resource
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import pytest
from hostile import COMPRESSIONS, Block, find_blocks, fletcher32, lookup3, read, write

from posegen.errors import PosegenError


def campaign(directory: Path, kind: str, seeds: range) -> None:
    """Read mutated shards; raises or dies at the first that is neither read nor refused as it should be."""
    shards = [write(directory / f"{c}.h5", compression=c) for c in COMPRESSIONS]
    goods = [path.read_bytes() for path in shards]
    truths = [{key: values.tobytes() for key, values in read(path, deep=True).items()} for path in shards]
    pieces: list[list[Block]] = []
    sums: list[dict[int, int]] = []
    for path, good in zip(shards, goods, strict=True):
        sums.append(find_sums(path))
        if kind == "metadata":
            pieces.append(find_blocks(good))
        else:
            with h5py.File(path) as file:
                names = (
                    "heatmap", "paf", "mask", "person/offsets", "person/keypoints", "sample/affine", "image/box",
                    "ignored/offsets",
                )  # fmt: skip
                chunks = [file[n].id.get_chunk_info(i) for n in names for i in range(file[n].id.get_num_chunks())]
            pieces.append([(c.byte_offset, c.byte_offset + c.size - 4) for c in chunks])
    assert all(len(found) > 10 for found in pieces)
    memory = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (memory + (256 << 20),) * 2)
    target = directory / "mutated.h5"
    for seed in seeds:
        source = random.Random(seed)
        which = source.randrange(len(goods))
        target.write_bytes(mutate(source, goods[which], pieces[which], sums[which], kind))
        signal.alarm(20)
        sys.stdout.write(f"{seed}\n")
        sys.stdout.flush()
        try:
            found = read(target, deep=kind != "bits")
        except PosegenError:
            continue
        finally:
            signal.alarm(0)
        if kind == "bits":
            assert {key: values.tobytes() for key, values in found.items()} == truths[which]


def find_sums(path: Path) -> dict[int, int]:
    """Find where the CRC-32 of each label's chunk is, by the chunk's start."""
    found = {}
    with h5py.File(path) as file:
        for name in ("heatmap", "paf", "mask"):
            start = file["checksum"][name].id.get_chunk_info(0).byte_offset
            for i in range(len(file[name])):
                found[file[name].id.get_chunk_info(i).byte_offset] = start + 4 * i
    return found


def mutate(source: random.Random, good: bytes, pieces: list[Block], sums: dict[int, int], kind: str) -> bytes:
    data = bytearray(good)
    if kind == "bits":
        data[source.randrange(len(data))] ^= 1 << source.randrange(8)
        return bytes(data)
    for _ in range(source.choice([1, 1, 2])):
        start, end = source.choice(pieces)
        for _ in range(source.choice([1, 1, 2, 5])):
            at, width = source.randrange(start, end), source.choice([1, 1, 2, 4, 8])
            top = 1 << 8 * width
            value = source.choice([0, 1, top - 1, top // 2, source.randrange(top), source.choice(pieces)[0] % top])
            data[at : at + width] = value.to_bytes(width, "little")
        del data[len(good) :]
        checksum = lookup3 if kind == "metadata" else fletcher32
        struct.pack_into("<I", data, end, checksum(bytes(data[start:end])))
        if kind == "chunks" and start in sums:
            struct.pack_into("<I", data, sums[start], zlib.crc32(data[start:end]))
            first = min(at for at in sums.values() if sums[start] - at in range(0, 12, 4))
            struct.pack_into("<I", data, first + 12, fletcher32(bytes(data[first : first + 12])))
    return bytes(data)


@pytest.mark.parametrize("kind", ["bits", "metadata", "chunks"])
def test_mutated_shards_are_read_right_or_refused(tmp_path: Path, kind: str) -> None:
    """Single bits anywhere; metadata and chunks at will, with their checksums made right."""
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", __file__, str(tmp_path), kind, "0", "160"],
        capture_output=True, text=True, timeout=200, check=False, env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, f"seed {(done.stdout.split() or ['none'])[-1]}: {done.stderr[-2000:]}"
    assert done.stdout.split()[-1] == "159"


if __name__ == "__main__":
    campaign(Path(sys.argv[1]), sys.argv[2], range(int(sys.argv[3]), int(sys.argv[4])))
