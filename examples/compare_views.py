"""Train one network on frozen views, built copies and fresh views, with the same processor time, and compare them.

`make proof` builds what this needs, and runs it.
"""

import argparse

import numpy as np
import torch
from evaluation import locate, measure
from torch.utils.data import DataLoader
from train_torch import Network, predict, train

from posegen.loader.torch import PoseLoader, TorchPoseDataset


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frozen", help="a dataset as examples/train_torch.py takes it")
    parser.add_argument("copies", help="the same people, some copies of each, built with the views")
    parser.add_argument("val", help="a dataset of others, to measure on")
    parser.add_argument("--views", required=True, help="how fresh views vary, as the copies do")
    parser.add_argument("--seconds", type=float, default=300, help="of processor time, for which each is trained")
    parser.add_argument("--batch", type=int, default=16)
    options = parser.parse_args()
    torch.set_num_threads(1)  # the loader's threads have the other processors

    shown = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
    held_out = TorchPoseDataset(options.val, fields=["image"], **shown)
    truth = list(TorchPoseDataset(options.val, fields=["keypoints", "bbox"]).data)
    keypoints, boxes = (np.stack([sample[name][0] for sample in truth]) for name in ("keypoints", "bbox"))
    print(f"{len(truth)} people held out\n\n| trained on | epochs | PCK@0.2 | PCK@0.05 |\n|---|---|---|---|")
    ways = {
        "frozen views": (options.frozen, None),
        "built copies": (options.copies, None),
        "fresh views": (options.frozen, options.views),
    }
    for name, (path, views) in ways.items():
        torch.manual_seed(0)
        fields = ["image", "heatmap", "mask"]
        loader = PoseLoader(path, batch_size=options.batch, fields=fields, views=views, drop_last=True, **shown)
        network = Network(channels=next(iter(loader))["heatmap"].shape[1])
        epochs = train(network, loader, epochs=None, seconds=options.seconds)
        heatmaps = predict(network, DataLoader(held_out, options.batch))
        found = measure(*locate(heatmaps, held_out.data), keypoints, boxes, held_out.data.config.stride)
        print(f"| {name} | {epochs:.1f} | {found['pck@0.2']:.3f} | {found['pck@0.05']:.3f} |", flush=True)


if __name__ == "__main__":
    main()
