"""Read a dataset with nothing but h5py: python examples/read_shard.py DATASET.

It is one of format 2 with pictures in JPEG or PNG; labels that have a row a person are left out.
"""

import json
import sys
import zlib
from pathlib import Path

import cv2
import h5py
import hdf5plugin  # noqa: F401 (registers zstd; not needed with --compression gzip)
import numpy as np

dataset = Path(sys.argv[1])
for shard in json.loads((dataset / "manifest.json").read_text())["shards"]:
    with h5py.File(dataset / shard["file"]) as file:
        config = json.loads(file.attrs["config"])
        size = config["input_size"]  # (H, W)
        frame = config.get("picture_size") or size  # pictures may be stored larger, for views that enlarge them
        starts, boxes, checksums = (file[name][:] for name in ("image/offsets", "image/box", "checksum/image"))
        bitmaps = file["ignored/offsets"][:]
        names = [name for name in json.loads(file.attrs["labels"]) if not file[name].attrs["by_person"]]
        for i in range(shard["samples"]):
            encoded = file["image/bytes"][starts[i] : starts[i + 1]]
            if zlib.crc32(encoded) != checksums[i]:
                sys.exit(f"{shard['file']}: the picture of sample {i} is damaged")
            x, y, width, height = boxes[i]
            image = np.full((*frame, 3), 128, np.uint8)  # R, G, B, gray where there is no picture
            image[y : y + height, x : x + width] = cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1]
            image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)  # (H, W, 3)
            ignored = np.zeros(size, np.uint8)  # (H, W): 1 where the loss must not count
            if bitmap := file["ignored/bytes"][bitmaps[i] : bitmaps[i + 1]].tobytes():
                rows = np.frombuffer(zlib.decompress(bitmap), np.uint8).reshape(size[0], -1)
                ignored = np.unpackbits(rows, axis=1, count=size[1])
            labels = {name: file[name][i] * np.float32(file[name].attrs["scale"]) for name in names}
        shapes = ", ".join(f"{name} {label.shape}" for name, label in labels.items())
        print(
            f"{shard['file']}: {shard['samples']} samples, the last: image {image.shape}, "
            f"ignored {ignored.mean():.0%}, {shapes}"
        )
