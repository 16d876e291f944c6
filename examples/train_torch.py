r"""Train a small network on a dataset with PyTorch, measure it on another, draw what it sees.

posegen sample data/train --images 800
posegen sample data/val --images 100 --seed 1
for part in train val; do
    posegen build --coco data/$part --out data/$part-people --unit person --input-size 96x128 --stride 4 \
        --sigma 5 --min-area 3000 --labels heatmap,mask --shard-size 128
done
python examples/train_torch.py data/train-people data/val-people --views scale=0.7-1.2,rotate=30,shift=8,flip=0.5
"""

import argparse
import itertools
import time

import numpy as np
import torch
from evaluation import draw, locate, measure, report
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from posegen.loader.torch import ShardShuffleSampler, TorchPoseDataset, collate


def block(inputs, outputs, stride=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Network(nn.Module):
    """Down to a sixteenth and up to a quarter of the input: (B, 3, H, W) -> (B, channels, H / 4, W / 4)."""

    def __init__(self, channels, widths=(16, 32, 64, 96)):
        super().__init__()
        a, b, c, d = widths
        self.quarter = nn.Sequential(block(3, a, 2), block(a, b, 2), block(b, b))
        self.eighth = nn.Sequential(block(b, c, 2), block(c, c))
        self.sixteenth = nn.Sequential(block(c, d, 2), block(d, d), block(d, d))
        self.up_to_eighth, self.up_to_quarter = nn.Conv2d(d, c, 1), nn.Conv2d(c, b, 1)
        self.mix_eighth, self.mix_quarter = block(c, c), block(b, b)
        self.head = nn.Conv2d(b, channels, 1)
        nn.init.normal_(self.head.weight, std=0.001)

    def forward(self, images):
        quarter = self.quarter(images)
        eighth = self.eighth(quarter)
        up = nn.functional.interpolate(self.up_to_eighth(self.sixteenth(eighth)), scale_factor=2.0)
        eighth = self.mix_eighth(eighth + up)
        up = nn.functional.interpolate(self.up_to_quarter(eighth), scale_factor=2.0)
        return self.head(self.mix_quarter(quarter + up))


def compute_loss(predicted, heatmap, mask):
    """Return the squared error where the mask counts; keypoints weigh more than the wide empty rest."""
    return ((predicted - heatmap) ** 2 * mask * (1 + 9 * heatmap)).mean()


def read_epochs(loader):
    """Read one epoch after the other, without end."""
    for epoch in itertools.count():
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            yield epoch, batch


def train(network, loader, epochs, rate=2e-3, seconds=None):
    """Train for some epochs or, if these are given, for some seconds; return how many epochs that were.

    Seconds are those of processors, the loader's threads included: what else the machine does takes none of them.
    """
    steps, start = 1000 if seconds else epochs * len(loader), time.process_time()
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=max(0.1, 2 / steps))
    network.train()
    with tqdm(total=steps, dynamic_ncols=True) as bar:
        for batches, (epoch, batch) in enumerate(read_epochs(loader), start=1):
            loss = compute_loss(network(batch["image"]), batch["heatmap"], batch["mask"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            # The rate follows the batches, or the clock.
            reached = int(steps * (time.process_time() - start) / seconds) if seconds else batches
            while bar.n < min(reached, steps):
                schedule.step()
                bar.update()
            bar.set_postfix(epoch=epoch, loss=f"{loss.item():.4f}")
            if reached >= steps:
                break
    return batches / len(loader)


@torch.no_grad()
def predict(network, loader):
    """Return the heatmaps of all samples, (N, K + 1, h, w)."""
    network.eval()
    return np.concatenate([network(batch["image"]).numpy() for batch in loader])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", help="the dataset to train on; a sample is a person (--unit person), the stride is 4")
    parser.add_argument("val", help="the dataset to measure on")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--views", help="show every person anew in every epoch; without it they are flipped at random")
    parser.add_argument("--picture", default="predicted.png", help="where to draw true and predicted heatmaps")
    options = parser.parse_args()
    torch.manual_seed(0)

    shown = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
    varied = {"views": options.views} if options.views else {"flip": "random"}
    data = TorchPoseDataset(options.train, fields=["image", "heatmap", "mask"], seed=0, **varied, **shown)
    sampler = ShardShuffleSampler(data)
    loader = DataLoader(data, options.batch, sampler=sampler, num_workers=options.workers, drop_last=True)
    network = Network(channels=data[0]["heatmap"].shape[0])
    train(network, loader, options.epochs)

    held_out = TorchPoseDataset(options.val, fields=["image", "heatmap", "keypoints", "bbox"], **shown)
    heatmaps = predict(network, DataLoader(held_out, options.batch, collate_fn=collate))
    names, stride = held_out.data.skeleton.keypoints, held_out.data.config.stride
    truth = list(held_out.data)
    keypoints, boxes = (np.stack([sample[name][0] for sample in truth]) for name in ("keypoints", "bbox"))
    report(measure(*locate(heatmaps, held_out.data), keypoints, boxes, stride), names)
    pictures, true = (np.stack([sample[name] for sample in truth[:8]]) for name in ("image", "heatmap"))
    draw(options.picture, pictures, true[:, : len(names)], heatmaps[:8, : len(names)])
    print(f"true and predicted heatmaps: {options.picture}")


if __name__ == "__main__":  # workers may import this file
    main()
