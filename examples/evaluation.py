"""What both training examples need: keypoints from heatmaps, how many are right, and a picture of them."""

import cv2
import numpy as np

import posegen


def locate(heatmaps, data):
    """Find the keypoints that a network sees, in input pixels.

    heatmaps (B, K, h, w) of the dataset `data` -> points (B, K, 2) x, y and heights (B, K). `posegen.decode` takes them
    back to the original images by the samples' affine maps; what is measured here stays in the input.
    """
    stay = np.tile(np.eye(2, 3), (len(heatmaps), 1, 1))
    people = posegen.decode(heatmaps, stay, data.config, data.skeleton)
    found = np.concatenate([one.keypoints for one in people])
    return found[..., :2], found[..., 2]


def measure(points, heights, truth, boxes, stride):
    """Compare predicted with true keypoints.

    points (B, K, 2), heights (B, K), truth (B, K, 3) x, y, v, boxes (B, 4) x, y, width, height. A keypoint is right if
    its peak is above 0.1 and no farther from where it is than a share of the longer side of the person's box (PCK).
    Returns how many of the labelled keypoints are, for the shares 0.2 and 0.05, by keypoint (K,) and over all, and
    the median offset (x, y) in cells of those within 0.2: labels that are shifted by half a cell make it nearly a half.
    """
    labelled = truth[..., 2] > 0
    offset = points - truth[..., :2]
    distance = np.hypot(*np.moveaxis(offset, -1, 0)) / boxes[:, None, 2:].max(axis=2)
    found = {}
    for limit in (0.2, 0.05):
        right = labelled & (heights > 0.1) & (distance <= limit)
        found[f"pck@{limit} by keypoint"] = right.sum(axis=0) / np.maximum(labelled.sum(axis=0), 1)
        found[f"pck@{limit}"] = right.sum() / max(labelled.sum(), 1)
    near = labelled & (heights > 0.1) & (distance <= 0.2)
    found["offset"] = np.median((offset / stride)[near], axis=0) if near.any() else np.zeros(2)
    return found


def report(found, names):
    """Say what `measure` found."""
    for name, wide, narrow in zip(names, found["pck@0.2 by keypoint"], found["pck@0.05 by keypoint"], strict=True):
        print(f"{name:>16}  PCK@0.2 {wide:.2f}  PCK@0.05 {narrow:.2f}")
    x, y = found["offset"]
    print(f"PCK@0.2 {found['pck@0.2']:.3f}  PCK@0.05 {found['pck@0.05']:.3f}  median offset {x:+.2f}, {y:+.2f} cells")


def draw(path, images, true, predicted):
    """Save a picture: a row a sample, its picture, and the true and the predicted heatmaps' maximum over keypoints.

    images (B, H, W, 3) uint8 R, G, B; true and predicted (B, K, h, w) from 0 to 1.
    """
    rows = []
    for image, *heatmaps in zip(images, true, predicted, strict=True):
        picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        row = [picture]
        for heatmap in heatmaps:
            heat = cv2.resize(heatmap.max(axis=0).clip(0, 1), picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            colours = cv2.applyColorMap(np.uint8(255 * heat), cv2.COLORMAP_INFERNO)
            row.append(cv2.addWeighted(picture, 0.4, colours, 0.8, 0))
        rows.append(np.hstack(row))
    cv2.imwrite(str(path), np.vstack(rows))
