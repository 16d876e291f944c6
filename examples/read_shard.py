"""Read a dataset with nothing but h5py: python examples/read_shard.py DATASET."""

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
        offsets = file["image/offsets"][:]
        for i in range(shard["samples"]):
            jpeg = file["image/bytes"][offsets[i] : offsets[i + 1]]
            image = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[..., ::-1]  # (H, W, 3) R, G, B
            labels = {k: file[k][i] * np.float32(file[k].attrs["scale"]) for k in json.loads(file.attrs["labels"])}
        shapes = ", ".join(f"{name} {label.shape}" for name, label in labels.items())
        print(f"{shard['file']}: {shard['samples']} samples, the last: image {image.shape}, {shapes}")
