"""The description that a dataset is built from: frozen, checked, and with a digest."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from posegen.config.choices import (
    Compression,
    Crop,
    Exif,
    HeatmapKind,
    LabelDtype,
    Layout,
    Origin,
    PafKind,
    SigmaKeypoints,
    SigmaScale,
    Unit,
    Visibility,
)
from posegen.config.fields import check_fields
from posegen.config.options import Options, choose_sigma, read_options
from posegen.config.presets import DEFAULT_PRESET, PRESETS, keep_options
from posegen.config.record import read_record, write_record
from posegen.config.sources import SourceRules
from posegen.config.special import check_frame
from posegen.errors import ConfigError, nearest
from posegen.files import canonical_json
from posegen.geometry import FitMode, Size
from posegen.images import ImageEncoding
from posegen.images.augment import Augmentation, View
from posegen.labels import Label, LabelContext, LabelOption, create_label, needs_ignored
from posegen.labels.base import StridedLabel
from posegen.labels.grid import GridKind, count_cells, make_grid
from posegen.labels.registry import READS_UNKNOWN
from posegen.skeleton import OPENPOSE_18, Skeleton


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildConfig:
    """Everything that changes the bytes of a dataset built from given annotations and images.

    The words and ranges that fields may have are in `posegen.config.fields`, by which they are checked.

    Parameters
    ----------
    skeleton
        Keypoints, limbs and flip pairs of the labels; None takes those of the file's categories.
    sources
        Names and rules of several sources, as `build` finds them in what it is given; none where there is one.
    category
        Names of the COCO categories to use; none takes all that have keypoints, which must be the same.
    unit
        What a sample is: an `image` with all its people, or one `person`, cropped out of its image.
    crop
        Where a person's box is mapped: its edges to the input's size (`msra`), or to the middles of its outermost
        pixels (`udp`); see `posegen.geometry.crop`.
    box_padding
        By how much a person's box is enlarged before it is cropped.
    labels
        Which labels to render, by the names they are registered under; see `posegen.labels.registry`. With none of them
        samples are pictures and keypoints. Whether there are such labels is found out by `create_labels` alone.
    label_options
        What is asked of some labels alone: by label and by option a number, a text or a truth value.
    input_size
        (H, W) of the network's input in pixels.
    stride
        Input pixels a label cell, one number or several; each must divide the input size into whole cells. Of several
        strides each label has an array of its own, such as `heatmap_s4` and `heatmap_s8`.
    grid
        How heatmaps and part affinity fields are sampled; see `posegen.labels.grid`.
    heatmap
        How heatmaps are drawn: a `gaussian` sampled on the grid, or as the top-down networks' own pipelines do; see
        `posegen.labels.topdown`.
    paf
        Whether part affinity fields are drawn on the input's `pixels` and reduced, or on the `cells` as OpenPose does.
    sigma_px, sigma_cells
        Standard deviation of the Gaussians, in input pixels or in cells; the other is None.
    sigma_scale, sigma_keypoints
        Whether that is everybody's or grows with the `area` of the person, and every keypoint's or follows the
        skeleton's sigmas (`oks`); see `posegen.shards.scene`.
    half_width_px
        How far a part affinity field reaches from its limb's line, in input pixels.
    fit
        How a whole picture is mapped into the input; see `posegen.geometry.fit`.
    visibility
        Draw every `labelled` keypoint (v > 0) or only the `visible` ones (v == 2).
    origin
        Whether keypoints that are labelled at exactly 0, 0 are taken for `labelled` or, as some tools write them, for
        `unlabelled`.
    exif
        How pictures with an EXIF orientation are read: as `stored`, which is how COCO counts pixels, unless an entry's
        size shows that its tool turned it; as `shown`, and the entries' sizes with them; or `auto`, which is as stored,
        but refuses annotations that fit only the pictures as shown.
    min_keypoints, min_area
        Who has fewer labelled keypoints, or a smaller `area` in image pixels, is not drawn, and masked.
    keep_empty
        Whether images on which nobody is drawn become samples.
    label_dtype
        How label values are stored; with `uint8` part affinity fields are `int8`.
    layout
        Axis order of a stored label.
    compression
        Of the label chunks. `lzf` is what datasets of before may have; it is read, and none is built with it.
    image_encoding, jpeg_quality
        How pictures are stored.
    picture_size
        (H', W') of the frame they are stored in, larger than the input and of its aspect ratio, for views that enlarge
        them; reading shrinks them to the input. None is the input's size.
    copies, augment, plain_copy
        How many views of each image, or person, become samples, each drawn from what ranges (None: as it fits), and
        whether the first of them is the plain one.
    shard_size
        Samples a shard.
    seed
        What the order of the samples, and their views, are drawn from.
    limit
        Keep only so many samples, the first in that order; None keeps all.

    Raises
    ------
    ConfigError
        If a value is out of its range, or values do not go together.
    """

    skeleton: Skeleton | None = OPENPOSE_18
    sources: tuple[SourceRules, ...] = ()
    category: tuple[str, ...] = ()
    unit: Unit = "image"
    crop: Crop = "msra"
    box_padding: float = 1.25
    labels: tuple[str, ...] = ("heatmap", "paf", "mask")
    label_options: Mapping[str, Mapping[str, LabelOption]] = dataclasses.field(default_factory=dict, hash=False)
    input_size: Size = (368, 368)
    stride: float | tuple[float, ...] = 8
    grid: GridKind = "bilinear"
    heatmap: HeatmapKind = "gaussian"
    paf: PafKind = "pixels"
    sigma_px: float | None = 8.0
    sigma_cells: float | None = None
    sigma_scale: SigmaScale = "fixed"
    sigma_keypoints: SigmaKeypoints = "equal"
    half_width_px: float = 8.0
    fit: FitMode = "letterbox"
    visibility: Visibility = "labelled"
    origin: Origin = "labelled"
    exif: Exif = "auto"
    min_keypoints: int = 1
    min_area: float = 0.0
    keep_empty: bool = False
    label_dtype: LabelDtype = "float16"
    layout: Layout = "chw"
    compression: Compression = "zstd"
    image_encoding: ImageEncoding = "jpeg"
    jpeg_quality: int = 90
    picture_size: Size | None = None
    copies: int = 1
    augment: Augmentation | None = None
    plain_copy: bool = False
    shard_size: int = 1024
    seed: int = 0
    limit: int | None = None

    def __post_init__(self) -> None:
        for name, value in check_fields({name: getattr(self, name) for name in self.__slots__}).items():
            object.__setattr__(self, name, value)
        for name in self.label_options:
            if name not in self.labels:
                raise ConfigError(f"label_options has some for '{name}', which is none of {', '.join(self.labels)}")
        for stride in self.strides:
            count_cells(self.input_size, stride)
        check_frame(self.frame_size, self.input_size)
        if self.unit == "person" and self.keep_empty:
            raise ConfigError("keep_empty goes with the unit image: without people there is nobody to crop")
        if self.augment is None and (self.copies > 1 or self.plain_copy):
            why = "copies of an image would all be the same" if self.copies > 1 else "plain_copy is for views"
            raise ConfigError(f"{why}: say with augment how they vary, as in scale=0.5-1.1,rotate=40,shift=40,flip=0.5")
        if (self.sigma_px is None) == (self.sigma_cells is None):
            given = f"one of them, not {self.sigma_px} and {self.sigma_cells}"
            raise ConfigError(f"sigma must be given in pixels (sigma_px) or in cells (sigma_cells), {given}")
        if self.heatmap == "megvii" and (self.sigma_scale, self.sigma_keypoints) != ("fixed", "equal"):
            raise ConfigError("megvii blurs with one kernel: it goes with sigma_scale fixed and sigma_keypoints equal")

    @classmethod
    def preset(cls, name: str, **changes: Any) -> BuildConfig:
        """Return a preset by name, with fields that are changed, as in `preset("udp", input_size=(384, 288))`.

        A sigma in one unit replaces that in the other, and other labels leave the preset's options of its own behind.

        Raises
        ------
        ConfigError
            If there is no preset of that name or no such field, or a value cannot be.
        """
        if name not in PRESETS:
            raise ConfigError(f"there is no preset '{name}'{nearest(name, PRESETS)}; presets are {', '.join(PRESETS)}")
        for field in changes:
            if field not in cls.__slots__:
                raise ConfigError(f"a configuration has no '{field}'{nearest(field, cls.__slots__)}")
        return cls(**{**keep_options(PRESETS[name].changes, changes.get("labels")), **choose_sigma(changes)})

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> BuildConfig:
        """Read a TOML file of options, as `posegen build --config` does; see `posegen.config.options`.

        What it asks of the run (`coco`, `out`, `workers`, ...) is no part of a configuration; `read_options` has it.

        Raises
        ------
        ConfigError
            If the file cannot be read, or something in it cannot be.
        """
        return cls.from_options(read_options(path))

    @classmethod
    def from_options(cls, options: Options) -> BuildConfig:
        """Lay options over their preset, or over the default one; raises `ConfigError` as `preset` does."""
        return cls.preset(DEFAULT_PRESET if options.preset is None else options.preset, **options.fields)

    @property
    def strides(self) -> tuple[float, ...]:
        """Input pixels a cell, of each grid."""
        return self.stride if isinstance(self.stride, tuple) else (self.stride,)

    @property
    def frame_size(self) -> Size:
        """(H', W') of the frame that pictures are stored in."""
        return self.picture_size or self.input_size

    @property
    def cells(self) -> Size:
        """(h, w) of the label grid, the first of several."""
        return count_cells(self.input_size, self.strides[0])

    @property
    def reads_unknown(self) -> bool:
        """Whether a label reads which keypoints are unknown, so that shards store it."""
        return not READS_UNKNOWN.isdisjoint(self.labels)

    def draw_view(self, image_id: int, annotation_ids: Sequence[int], copy: int, source: str = "") -> View | None:
        """Draw how one copy of an image, or of one person on it, is seen; None if it is as it fits."""
        if self.augment is None or (self.plain_copy and not copy):
            return None
        ids = [image_id, *(annotation_ids if self.unit == "person" else ()), copy]
        return self.augment.draw(self.seed, [source, *ids] if source else ids)

    def create_labels(self, skeleton: Skeleton) -> tuple[Label, ...]:
        """Create the labels to render for people of a skeleton.

        Raises
        ------
        ConfigError
            If there is no such label, or it cannot be made so; see `posegen.labels.registry`. Also if sigmas of the
            skeleton are asked for, and it has none.
        """
        if self.sigma_keypoints == "oks" and not skeleton.sigmas:
            why = f"but the skeleton '{skeleton.name}' has no sigmas; name one that has"
            raise ConfigError(f"sigma_keypoints is oks, {why}")
        return tuple(
            label if len(self.strides) == 1 else StridedLabel(label=label, stride=stride)
            for name in self.labels
            for stride in self.strides
            for label in create_label(name, self._context(name, stride, skeleton))
        )

    def find_undrawable(self, skeleton: Skeleton) -> tuple[str, ...]:
        """Find the labels that a skeleton has nothing for: those of limbs, where it has none."""
        return tuple(name for name, created in self._create_once(skeleton).items() if not created)

    def find_ignoring(self, skeleton: Skeleton) -> tuple[str, ...]:
        """Find the labels that have to know what is ignored in a picture. Raises `ConfigError` as `create_labels`."""
        return tuple(name for name, created in self._create_once(skeleton).items() if any(map(needs_ignored, created)))

    def label_contexts(self, skeleton: Skeleton) -> dict[str, LabelContext]:
        """Return what labels are made from: under '' as this is, under `heatmap=udp` and the like with another kind."""
        context, kinds = self._context("", self.strides[0], skeleton), (("heatmap", HeatmapKind), ("paf", PafKind))
        words = [(name, word) for name, of in kinds for word in get_args(of)]
        return {"": context} | {f"{name}={word}": dataclasses.replace(context, **{name: word}) for name, word in words}

    def _create_once(self, skeleton: Skeleton) -> dict[str, tuple[Label, ...]]:
        """Create the labels on the first grid, by name."""
        return {name: create_label(name, self._context(name, self.strides[0], skeleton)) for name in self.labels}

    def _context(self, label: str, stride: float, skeleton: Skeleton) -> LabelContext:
        return LabelContext(
            grid=make_grid(self.grid, self.input_size, count_cells(self.input_size, stride)),
            skeleton=skeleton,
            sigma_px=(self.sigma_cells or 0) * stride if self.sigma_px is None else self.sigma_px,
            half_width_px=self.half_width_px,
            heatmap=self.heatmap,
            paf=self.paf,
            options=self.label_options.get(label, {}),
            beside={name: self.label_options.get(name, {}) for name in self.labels},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON has, and gives back equal: numbers, texts, truth values, None, lists and dicts of them."""
        record = dataclasses.asdict(dataclasses.replace(self, skeleton=None))
        record["skeleton"] = self.skeleton.to_dict() if self.skeleton else None
        return write_record(record)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> BuildConfig:
        """Read what `to_dict` wrote. Raises `ConfigError` where it is not that."""
        try:
            return cls(**read_record(record))
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"a stored configuration cannot be read: {error!r}") from error

    @property
    def digest(self) -> str:
        """A hash of everything here (sha256, hexadecimal)."""
        return hashlib.sha256(canonical_json(self.to_dict()).encode()).hexdigest()
