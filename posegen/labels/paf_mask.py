"""The loss mask of each channel of the part affinity fields: also 0 where nobody knows whether there is a limb.

Definition
----------
Two channels a limb, which are the same: the mask of limb e is 2e and 2e + 1. All begin as the label `mask` is. A limb
is as unknown as the less known of its ends: where one of them is unknown of a person its channels are 0 in the person's
box, where the source does not label one they are 0 everywhere, if there are people; boxes are those of the label
`heatmap_mask`. At last they are 1 on each cell on which the limb is drawn for somebody.

Storage
-------
Always uint8, 255ths, whatever other labels are stored as: most of it is 0 or 1.

Place of a cell
---------------
As of the label `mask`.

Source
------
OpenPose's training code, as for the label `heatmap_mask`.

Known differences
-----------------
As of the label `heatmap_mask`.

Flipped
-------
As the fields, without a change of sign. Boxes can end a cell beside those of mirrored annotations.
"""

from __future__ import annotations

from dataclasses import dataclass

from posegen.labels import paf
from posegen.labels.base import ArraySpec, Label
from posegen.labels.channel_mask import ChannelMask, ChannelMaskLabel
from posegen.labels.mask import MaskLabel
from posegen.labels.mirror import ChannelMirror
from posegen.labels.registry import LabelContext


@dataclass(frozen=True, slots=True, kw_only=True)
class PafMaskLabel(ChannelMaskLabel):
    """Where the loss of each channel of the fields counts; this module's docstring defines it.

    Parameters
    ----------
    mask
        What every channel begins as.
    paf
        Whose channels, two a limb.
    limbs
        E pairs of keypoint indices.
    """

    paf: Label
    limbs: tuple[tuple[int, int], ...]

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        of = self.paf.spec
        mirror = ChannelMirror(order=of.mirror.order) if isinstance(of.mirror, ChannelMirror) else of.mirror
        return ArraySpec(name="paf_mask", channels=of.channels, cells=of.cells, mirror=mirror, coarse=True)

    @property
    def _masks(self) -> ChannelMask:
        return ChannelMask(mask=self.mask, label=self.paf, units=self.limbs, channels=2)


def create(context: LabelContext) -> tuple[PafMaskLabel, ...]:
    """Make the label `paf_mask`, unless there are no limbs."""
    context.read_options()
    fields = paf.create(context.of("paf"))
    mask = MaskLabel(input_size=context.grid.input_size, cells=context.grid.cells)
    return tuple(PafMaskLabel(mask=mask, paf=of_limbs, limbs=context.skeleton.limbs) for of_limbs in fields)
