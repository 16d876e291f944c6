"""What a network predicts, or what is stored, as people in the pixels of the original images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.geometry import Affine
from posegen.labels import ArraySpec, Label
from posegen.labels.base import StridedLabel, unwrap
from posegen.labels.decode import FindingLabel, JoiningLabel, LocatingLabel, PeakLabel
from posegen.skeleton import Skeleton

Maps = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class People:
    """The n people of a sample.

    Attributes
    ----------
    keypoints
        (n, K, 3) float64 x, y in pixels of the original image, score; all 0 where there is none.
    scores
        (n,) float64.
    """

    keypoints: NDArray[np.float64]
    scores: NDArray[np.float64]


def decode(
    outputs: Any, affines: NDArray[np.floating], config: BuildConfig, skeleton: Skeleton | None = None
) -> list[People]:
    """Turn what a network predicts into people, as the labels that it was trained on say.

    Each label's docstring tells how, `posegen labels NAME` prints it. Samples of one person have one, scored by the
    mean of its keypoints; samples of images have those whom fields, or ways from centres, join.

    Parameters
    ----------
    outputs
        By the name of the label's array what was predicted for B samples, (B, C, h, w) or, if the dataset's layout is
        `hwc`, (B, h, w, C); or, where one array tells, that alone. NumPy's arrays, PyTorch's or TensorFlow's tensors. A
        heatmap may lack its background. Of several strides the finest that is there is read.
    affines
        (B, 2, 3) the samples' `affine`, from original pixels to input pixels. Of one that mirrors, left and right
        keypoints change places.
    config, skeleton
        Of the dataset that the network was trained on; by default the configuration's own skeleton.

    Returns
    -------
    B people, or what there is of them.

    Raises
    ------
    ConfigError
        If the outputs are not those of the dataset's labels, or do not tell where people are.
    """
    skeleton = skeleton or config.skeleton
    if skeleton is None:
        raise ConfigError(
            "decoding needs the dataset's skeleton, as in PoseDataset.skeleton: its preset takes the file's"
        )
    labels = config.create_labels(skeleton)
    maps = _Outputs.read(outputs, labels, config, len(affines))
    if not len(affines):
        return []
    if config.unit == "person":
        found = maps.locate()
        means = found[..., 2].mean(axis=1)
        people = [(one[None], np.array([score])) for one, score in zip(found, means, strict=True)]
    else:
        people = list(maps.join())
    return [
        People(keypoints=_to_image(keypoints, affine, skeleton), scores=scores)
        for (keypoints, scores), affine in zip(people, affines, strict=True)
    ]


def find_decoder(labels: Sequence[Label], config: BuildConfig) -> tuple[str, ...]:
    """Find the arrays that decoding reads, of the finest stride that has them.

    Raises
    ------
    ConfigError
        If the labels do not tell where people are.
    """
    return _choose(labels, [label.spec.name for label in labels], config)[0]


def find_joiner(labels: Sequence[Label], config: BuildConfig) -> JoiningLabel | None:
    """Find the label that joins people, as `find_decoder`; None where samples are people."""
    made = [unwrap(label) for label in _choose(labels, [label.spec.name for label in labels], config)[1]]
    return next((cast("JoiningLabel", label) for label in made if hasattr(label, "join")), None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Outputs:
    """What was predicted: the labels it is of, and by their names B arrays (C, h, w)."""

    labels: tuple[Label, ...]
    arrays: Mapping[str, Sequence[NDArray[Any]]]

    @classmethod
    def read(cls, outputs: Any, labels: Sequence[Label], config: BuildConfig, count: int) -> _Outputs:
        given = outputs if isinstance(outputs, Mapping) else {find_decoder(labels, config)[0]: outputs}
        names, chosen = _choose(labels, list(given), config)
        arrays: dict[str, Sequence[NDArray[Any]]] = {}
        for name, label in zip(names, chosen, strict=True):
            arrays[unwrap(label).spec.name] = _read_one(name, given[name], unwrap(label), config, count)
        return cls(labels=tuple(map(unwrap, chosen)), arrays=arrays)

    def locate(self) -> NDArray[np.float64]:
        """Locate the keypoints (B, K, 3) of one person a sample."""
        return cast("LocatingLabel", self.labels[0]).locate({name: np.array(of) for name, of in self.arrays.items()})

    def join(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Find people and their scores, sample by sample."""
        if hasattr(self.labels[0], "find_people"):
            finding = cast("FindingLabel", self.labels[0])
            for one in zip(*self.arrays.values(), strict=True):
                yield finding.find_people(dict(zip(self.arrays, one, strict=True)))
            return
        peaking, joining = cast("PeakLabel", self.labels[0]), cast("JoiningLabel", self.labels[1])
        peaks, fields = (self.arrays[label.spec.name] for label in (peaking, joining))
        for maps, field in zip(peaks, fields, strict=True):
            yield joining.join(field, peaking.find_peaks(maps))


def _choose(
    labels: Sequence[Label], names: Sequence[str], config: BuildConfig
) -> tuple[tuple[str, ...], tuple[Label, ...]]:
    """Choose the labels that tell where people are, of those of some names: names and labels, what locates first."""
    there = [label for label in labels if label.spec.name in names]
    for stride in sorted(config.strides):
        same = [label for label in there if not isinstance(label, StridedLabel) or label.stride == stride]
        by_name = {unwrap(label).spec.name: label for label in same}
        for label in same:
            inner = unwrap(label)
            if config.unit == "person" and hasattr(inner, "locate"):
                needed = [by_name.get(name) for name in getattr(inner, "located_with", (inner.spec.name,))]
                if found := tuple(one for one in needed if one is not None and None not in needed):
                    return tuple(one.spec.name for one in found), found
            if config.unit == "image" and hasattr(inner, "find_people"):
                finding = cast("FindingLabel", inner)
                if all(name in by_name for name in finding.found_with):
                    read = (*finding.found_with, *(name for name in finding.drawn_with if name in by_name))
                    return tuple(by_name[name].spec.name for name in read), tuple(by_name[name] for name in read)
            peaking = by_name.get(getattr(inner, "joins", ""))
            if config.unit == "image" and peaking is not None:
                return (peaking.spec.name, label.spec.name), (peaking, label)
    wanted = "a person's keypoints lie" if config.unit == "person" else "people are"
    listed = "heatmap, offset or simcc" if config.unit == "person" else "heatmap and paf, cif and caf, centernet"
    raise ConfigError(
        f"{', '.join(names) or 'nothing'} does not tell where {wanted}; it takes labels that can be decoded, such as "
        f"{listed}, by the names of the dataset's: {', '.join(label.spec.name for label in labels) or 'it has none'}"
    )


def _read_one(name: str, given: Any, label: Label, config: BuildConfig, count: int) -> Sequence[NDArray[Any]]:
    """Read one array of B samples: each (C, h, w), or what was drawn where that is something else."""
    predicted: ArraySpec | None = getattr(label, "predicted", None)
    spec = predicted or label.spec
    if predicted and (isinstance(given, list) or np.shape(given) == (count, *label.spec.shape)):
        return [*map(np.asarray, given)]
    values = _to_numpy(given)
    if config.layout == "hwc" and spec.cells and values.ndim == len(spec.shape) + 1:
        values = np.moveaxis(values, -1, 1)
    _check(name, values, spec, count, several=predicted is not None)
    return [*values]


def _to_numpy(values: Any) -> Maps:
    if hasattr(values, "detach"):
        values = values.detach().float().cpu()
    return np.asarray(values, np.float32)


def _check(name: str, values: Maps, spec: ArraySpec, count: int, *, several: bool = False) -> None:
    """Refuse an output that is not of the label's shape, but for a background; or for `several` times its channels."""
    without = len(spec.channels) - (spec.channels[-1:] == ("background",))
    shapes = [(count, channels, *spec.shape[1:]) for channels in (len(spec.channels), without)]
    if several and values.ndim == len(shapes[0]) and values.shape[1] and not values.shape[1] % len(spec.channels):
        shapes.append((count, values.shape[1], *spec.shape[1:]))
    if values.shape not in shapes:
        raise ConfigError(f"{name}: expected (B, {', '.join(spec.axes)}) = {shapes[0]}, found {values.shape}")


def _to_image(keypoints: NDArray[np.float64], affine: NDArray[np.floating], skeleton: Skeleton) -> NDArray[np.float64]:
    """Map people (n, K, 3) from the input to the original image, and back into their own left and right."""
    found = keypoints.copy()
    found[..., :2] = Affine.from_matrix(affine).inverse().apply(keypoints[..., :2])
    if np.linalg.det(np.asarray(affine, np.float64)[:, :2]) < 0:
        found = found[:, skeleton.mirrored]
    found[~(found[..., 2] > 0)] = 0
    return found


def require_seed(seed: int | None) -> None:
    """Raise `ConfigError` if samples were flipped or seen by chance without a seed: nobody knows how."""
    if seed is None:
        raise ConfigError(
            "how samples were flipped or seen cannot be told without a seed; give PoseDataset one, or "
            "posegen.decode each batch's affine"
        )
