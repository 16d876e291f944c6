"""Read a dataset with Grain and put its batches on a device of JAX: python examples/read_jax.py DATASET.

It needs `pip install grain jax`.
"""

import sys

import grain
import jax
import numpy as np

import posegen


def main(dataset: str) -> None:
    """Print the shapes of a few batches, and how bright the pictures are."""
    # Who reads fields whose number differs from sample to sample, such as keypoints, pads them before batching.
    data = posegen.PoseDataset(dataset, fields=["image", "heatmap", "mask"], flip="random", seed=0)
    batches = grain.MapDataset.source(data).shuffle(seed=0).to_iter_dataset().batch(4, batch_fn=stack)
    brightness = jax.jit(lambda image: image.mean() / 255)
    for batch, _ in zip(batches, range(3), strict=False):
        on_device = jax.device_put(batch)
        shapes = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in on_device.items())
        print(f"{next(iter(on_device['image'].devices()))}: {shapes}; brightness {brightness(on_device['image']):.2f}")


def stack(samples: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Stack samples."""
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


if __name__ == "__main__":  # Grain's workers import this file
    main(sys.argv[1])
