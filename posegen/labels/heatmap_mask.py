"""The loss mask of each heatmap channel: also 0 where nobody knows whether there is something to be seen.

Definition
----------
A channel for each of the heatmap's. All begin as the label `mask` is: 0 on people nobody labelled, on crowds and on
padding. Then, for each keypoint that is unknown:

- of a person, because it is derived from keypoints of which some are labelled and some are not, or belongs to a part
  that is said not to be valid: 0 in the person's box, on this keypoint's channel and on the background;
- because the source does not label it at all, if there are people: 0 everywhere on this keypoint's channel, and on the
  background in the boxes of all people.

At last the channel of a keypoint is 1 on each cell on which one of its Gaussians is drawn, with a value above 0.

A person's box is that of the drawn keypoints, in cells k / s with the stride s = W / w: its shorter side, if less than
half of the longer, is made half of it; around its middle m, with the side a, are round(1.6 a) cells from the cell
round(m - 0.8 a) on. round() takes halves away from 0. A box without cells, as that of a single keypoint, masks nothing.

Storage
-------
Always uint8, 255ths, whatever other labels are stored as: most of it is 0 or 1.

Place of a cell
---------------
As of the label `mask`.

Source
------
OpenPose's training code (openpose_caffe_train, `oPDataTransformer.cpp`: `maskOutIfVisibleIs3`, `fillMaskChannels`).

Known differences
-----------------
OpenPose masks the box after it has drawn: a person whose neck is unknown there hides the necks of others in its box.

Flipped
-------
As the heatmap. Boxes are counted from the left edge of the first pixel: flipped, they can end a cell beside those of
mirrored annotations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from posegen.labels import heatmap
from posegen.labels.base import ArraySpec, Label
from posegen.labels.channel_mask import ChannelMask, ChannelMaskLabel
from posegen.labels.mask import MaskLabel
from posegen.labels.registry import LabelContext


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatmapMaskLabel(ChannelMaskLabel):
    """Where the loss of each heatmap channel counts; this module's docstring defines it.

    Parameters
    ----------
    mask
        What every channel begins as.
    heatmap
        Whose channels: one a keypoint, and after them perhaps the background.
    keypoints
        K, how many there are.
    """

    heatmap: Label
    keypoints: int

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        of = self.heatmap.spec
        return ArraySpec(name="heatmap_mask", channels=of.channels, cells=of.cells, mirror=of.mirror, coarse=True)

    @property
    def _masks(self) -> ChannelMask:
        return _make_masks(self)


def create(context: LabelContext) -> tuple[HeatmapMaskLabel]:
    """Make the label `heatmap_mask`."""
    context.read_options()
    # Of several widths the first, which is the widest as a rule, says where something is drawn.
    drawn, *_ = heatmap.create(context.of("heatmap"))
    mask = MaskLabel(input_size=context.grid.input_size, cells=context.grid.cells)
    return (HeatmapMaskLabel(mask=mask, heatmap=drawn, keypoints=len(context.skeleton.keypoints)),)


@lru_cache(maxsize=64)
def _make_masks(label: HeatmapMaskLabel) -> ChannelMask:
    """Say how masks are drawn: once a label, as it takes longer than most of what is done for some scenes."""
    return ChannelMask(
        mask=label.mask,
        label=label.heatmap,
        units=tuple((k,) for k in range(label.keypoints)),
        background=len(label.heatmap.spec.channels) > label.keypoints,
    )
