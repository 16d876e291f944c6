"""The table of what can be asked of a build.

`BuildConfig` checks its fields by it, and the command line and TOML files take their options from it, in this order.
Defaults and types stand in `BuildConfig` alone, what is asked of a single run in `posegen.config.options.RunOptions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from posegen.config import choices, kinds, sources, special
from posegen.geometry import FitMode
from posegen.images import ImageEncoding
from posegen.labels.grid import GridKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that can be asked.

    Attributes
    ----------
    name
        The field's name in `BuildConfig`, or in `RunOptions`.
    kind
        What it may be.
    help
        What it is, in a line.
    called
        What the command line calls it, if that is not its name.
    metavar
        What the command line shows for a value, if that is not the choice of words.
    without
        What happens where nothing is asked, if that is not the field's default.
    of_file
        Whether it is asked for in a file alone, and is no option of the command line.
    """

    name: str
    kind: kinds.Kind
    help: str
    called: str = ""
    metavar: str | None = None
    without: str = ""
    of_file: bool = False

    @property
    def option(self) -> str:
        """What the command line and TOML files call it, as in `half-width`."""
        return self.called or self.name.replace("_", "-")

    @property
    def names(self) -> tuple[str, ...]:
        """What a TOML file may call it, with `-` for `_`: as the command line does, or by the field's own name."""
        return tuple(dict.fromkeys((self.option, self.name.replace("_", "-"))))


def _words(literal: object) -> kinds.Word:
    return kinds.Word(words=get_args(literal))


_WIDTH = kinds.Number(low=1e-3, high=1e4)
_SIGMA = kinds.Number(low=1e-3, high=1e4, optional=True)

FIELDS: tuple[Field, ...] = (
    Field(
        name="sources",
        called="source",
        kind=sources.SourceTables(),
        help="Each of several sources, and what is particular to it.",
        of_file=True,
    ),
    Field(
        name="category",
        kind=kinds.Names(),
        help="Category to use; may be repeated.",
        metavar="NAME",
        without="all with keypoints",
    ),
    Field(name="skeleton", kind=special.SkeletonName(), help="Built-in skeleton, or a file.", metavar="NAME|FILE.toml"),
    Field(name="labels", kind=special.LabelNames(), help="Which labels to render, or none.", metavar="NAME,NAME,..."),
    Field(
        name="label_options",
        called="label-option",
        kind=special.LabelOptions(),
        help="An option of one label; may be repeated.",
        metavar="LABEL.OPTION=VALUE",
    ),
    Field(name="input_size", kind=special.InputSize(), help="Size of the network's input in pixels.", metavar="WxH"),
    Field(
        name="stride",
        kind=special.Strides(),
        help="Input pixels a label cell; of several each label has an array.",
        metavar="NUMBER,...",
    ),
    Field(name="grid", kind=_words(GridKind), help="How full-resolution maps become cells."),
    Field(name="heatmap", kind=_words(choices.HeatmapKind), help="How heatmaps are drawn."),
    Field(
        name="sigma_px",
        called="sigma",
        kind=_SIGMA,
        help="Gaussians' standard deviation in input pixels.",
        metavar="PIXELS",
    ),
    Field(name="sigma_cells", kind=_SIGMA, help="Gaussians' standard deviation in cells, instead.", metavar="CELLS"),
    Field(name="sigma_scale", kind=_words(choices.SigmaScale), help="Everybody's sigma, or by the person's area."),
    Field(name="sigma_keypoints", kind=_words(choices.SigmaKeypoints), help="Every keypoint's, or by its OKS sigma."),
    Field(name="paf", kind=_words(choices.PafKind), help="Where part affinity fields are drawn."),
    Field(
        name="half_width_px",
        called="half-width",
        kind=_WIDTH,
        help="How far a field reaches from its limb.",
        metavar="PIXELS",
    ),
    Field(name="unit", kind=_words(choices.Unit), help="What a sample is: an image, or one person cropped out of it."),
    Field(name="crop", kind=_words(choices.Crop), help="How a person's box is mapped into the input."),
    Field(
        name="box_padding",
        kind=kinds.Number(low=0.1, high=100),
        help="Enlarge a person's box by so much.",
        metavar="FACTOR",
    ),
    Field(name="fit", kind=_words(FitMode), help="How a picture is mapped into the input."),
    Field(name="visibility", kind=_words(choices.Visibility), help="Which keypoints to draw."),
    Field(
        name="origin",
        kind=_words(choices.Origin),
        help="What keypoints are that are labelled at exactly 0,0.",
    ),
    Field(name="exif", kind=_words(choices.Exif), help="How pictures with an EXIF orientation are read."),
    Field(
        name="min_keypoints",
        kind=kinds.Whole(low=1, high=1 << 31),
        help="Draw only people with so many labelled keypoints.",
        metavar="N",
    ),
    Field(
        name="min_area",
        kind=kinds.Number(low=0, high=1e12),
        help="Draw only people of such an area in image pixels.",
        metavar="PIXELS",
    ),
    Field(name="keep_empty", kind=kinds.Flag(), help="Keep images on which nobody is drawn."),
    Field(name="label_dtype", kind=_words(choices.LabelDtype), help="How label values are stored."),
    Field(name="layout", kind=_words(choices.Layout), help="Axis order of stored labels."),
    Field(
        name="compression",
        kind=_words(choices.Compression),
        help="Compressor of the labels; gzip reads anywhere, lzf is no longer built.",
    ),
    Field(name="image_encoding", kind=_words(ImageEncoding), help="How pictures are stored."),
    Field(name="jpeg_quality", kind=kinds.Whole(low=1, high=100), help="For JPEG.", metavar="1-100"),
    Field(
        name="picture_size",
        kind=special.InputSize(what="picture size", optional=True),
        help="Store pictures as large as that, for views that enlarge them.",
        metavar="WxH",
        without="the input's size",
    ),
    Field(name="copies", kind=kinds.Whole(low=1, high=1000), help="Views of each image, each a sample.", metavar="N"),
    Field(
        name="augment",
        kind=special.Ranges(),
        help="Draw views from these ranges.",
        metavar="scale=0.5-1.1,rotate=40,shift=40,flip=0.5",
    ),
    Field(name="plain_copy", kind=kinds.Flag(), help="Let the first view be the plain picture."),
    Field(name="shard_size", kind=kinds.Whole(low=1, high=1 << 20), help="Samples a shard.", metavar="N"),
    Field(
        name="seed",
        kind=kinds.Whole(low=0, high=(1 << 63) - 1),
        help="What the order and the views of samples are drawn from.",
        metavar="N",
    ),
    Field(
        name="limit",
        kind=kinds.Whole(low=1, high=1 << 31, optional=True),
        help="Build only the first N samples in that order.",
        metavar="N",
    ),
)
"""The fields of `BuildConfig`."""

RUN_FIELDS: tuple[Field, ...] = (
    Field(
        name="coco",
        kind=sources.Coco(),
        help="COCO root, or one annotation file; archives and URLs, too.",
        metavar="PATH",
    ),
    Field(name="out", kind=kinds.FilePath(), help="Where to write the dataset; a URL, too.", metavar="DIR"),
    Field(
        name="split",
        kind=kinds.Text(),
        help="Split of the COCO root.",
        metavar="NAME",
        without="train2017, or the only one",
    ),
    Field(
        name="images",
        kind=kinds.FilePath(),
        help="Image directory, archive or URL, if it is not where COCO has it.",
        metavar="DIR",
    ),
    Field(
        name="workers",
        kind=kinds.Whole(low=1, high=1 << 16),
        help="Processes.",
        metavar="N",
        without="the CPUs there are for this one",
    ),
    Field(
        name="backend",
        kind=_words(choices.Backend),
        help="Where to work: in processes here, or on the workers of a Dask cluster.",
        without="local",
    ),
    Field(
        name="scheduler",
        kind=kinds.Text(),
        help="Of a Dask cluster that is there; otherwise one is started here.",
        metavar="ADDRESS",
    ),
    Field(name="max_failures", kind=kinds.Allowance(), help="Samples that may fail.", metavar="N|P%", without="0"),
    Field(
        name="pictures_from",
        kind=kinds.FilePath(),
        help="Copy pictures from a dataset, and labels that stay the same.",
        metavar="DATASET",
    ),
    Field(name="description", kind=kinds.Text(), help="What it is, for the manifest.", metavar="TEXT"),
)
"""The fields of `RunOptions`."""


def check_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Check values of `BuildConfig`'s fields, each for itself, and return them as they are held.

    Raises
    ------
    ConfigError
        If one is not what its field may be.
    """
    return {field.name: field.kind.check(field.name, values[field.name]) for field in FIELDS if field.name in values}
