"""Read a dataset with nothing but h5py: python examples/read_shard.py DATASET.

It is one with pictures as large as the input, JPEG or PNG; labels that have a row a person are left out.
"""

import json
import sys
from pathlib import Path

import cv2
import h5py
import hdf5plugin  # noqa: F401 (registers zstd; not needed with --compression gzip)
import numpy as np

dataset = Path(sys.argv[1])
for shard in json.loads((dataset / "manifest.json").read_text())["shards"]:
    with h5py.File(dataset / shard["file"]) as file:
        offsets, boxes, size = (
            file["image/offsets"][:],
            file["image/box"][:],
            json.loads(file.attrs["config"])["input_size"],
        )
        names = [name for name in json.loads(file.attrs["labels"]) if not file[name].attrs["by_person"]]
        for i in range(shard["samples"]):
            jpeg = file["image/bytes"][offsets[i] : offsets[i + 1]]
            x, y, width, height = boxes[i]
            image = np.full((*size, 3), 128, np.uint8)  # (H, W, 3) R, G, B, gray where there is no picture
            image[y : y + height, x : x + width] = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[..., ::-1]
            labels = {name: file[name][i] * np.float32(file[name].attrs["scale"]) for name in names}
        shapes = ", ".join(f"{name} {label.shape}" for name, label in labels.items())
        print(f"{shard['file']}: {shard['samples']} samples, the last: image {image.shape}, {shapes}")
