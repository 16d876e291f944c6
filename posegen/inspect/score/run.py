"""Scoring a dataset: its labels, or predictions in a file, against the annotations."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from posegen.annotations.read import Sources
from posegen.build.progress import Progress, ignore
from posegen.errors import ConfigError
from posegen.inspect.score.errors import ErrorRow, ErrorTable, find_problems
from posegen.inspect.score.evaluation import evaluate
from posegen.inspect.score.picture import draw_pairs
from posegen.inspect.score.results import read_results_file
from posegen.inspect.score.truth import Key, Name, Person, Truth, name_one
from posegen.labels.decode import FieldLabel, JoiningLabel
from posegen.loader import PoseDataset
from posegen.loader.decode import People, find_decoder, find_joiner

_BATCH = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Score:
    """What came of scoring.

    Attributes
    ----------
    samples, people
        How many samples there are, and annotated people on their images.
    of
        What was scored: `labels`, or a file of results.
    coco
        COCO's ten figures by name; -1 where there is nobody of that size.
    rows
        Errors of all keypoints, of each, and of people of each size.
    limbs
        By name how much the fields point along their limbs on average, of 1, and of how many limbs.
    swapped, pairs
        How many pairs of left and right keypoints changed places, of how many.
    lost
        By cause the annotations of people whom nobody matches at an object keypoint similarity of 0.5: their numbers,
        of several sources after their names, as in `feet/17`.
    problems
        What is wrong, in sentences; none if nothing is.
    found
        By image, which is named as annotations are, and copy the people that were found.
    """

    samples: int
    people: int
    of: str
    coco: dict[str, float]
    rows: tuple[ErrorRow, ...]
    limbs: dict[str, tuple[float, int]]
    swapped: int
    pairs: int
    lost: dict[str, list[Name]]
    problems: list[str]
    found: Mapping[Key, People]
    worst: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON has; people who were found are not in it."""
        record = {
            of.name: getattr(self, of.name) for of in dataclasses.fields(self) if of.name not in {"found", "rows"}
        }
        return {**record, "worst": list(self.worst), "rows": [dataclasses.asdict(row) for row in self.rows]}


def score(
    path: str | os.PathLike[str],
    coco: Sources,
    *,
    split: str | None = None,
    results: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Score:
    """Decode the labels of a dataset as if a network had predicted them, and score them against the annotations.

    It proves labels: what they lose, no network gets back. It is no bound for a network, which may do better where
    labels of several people merge.

    Parameters
    ----------
    path
        The dataset.
    coco, split
        What it was built from, as for `posegen.build`; several sources are scored together, each person against the
        annotations of its own.
    results
        A file of results in COCO's format to score instead.
    progress
        Called after every batch with how many samples are done, of how many.

    Raises
    ------
    ConfigError
        If the labels cannot be decoded, or the results are not of this dataset.
    AnnotationError, ShardError
        If the annotations are bad, or the dataset is damaged.
    """
    run = _Run.start(Path(path), coco, split)
    if results is None:
        run.read_labels(progress or ignore)
    else:
        run.read_results(Path(results))
    return run.finish("labels" if results is None else str(results))


def save_score(path: str | os.PathLike[str], result: Score, picture: Path) -> None:
    """Draw the samples of which most was lost, annotated on the left and decoded on the right, to a PNG file.

    Raises what `posegen.inspect.drawing.canvas.write_png` raises.
    """
    draw_pairs(PoseDataset(path, fields=[]), result.worst, result.found, picture)


@dataclass(slots=True, kw_only=True, eq=False)
class _Run:
    """What is known of a dataset that is scored, and what has been found."""

    data: PoseDataset
    labels: tuple[str, ...]
    joiner: JoiningLabel | None
    truth: Truth
    people: dict[Key, list[Person]]
    numbers: dict[Name, int]
    table: ErrorTable
    found: dict[Key, People] = field(default_factory=dict)
    along: list[NDArray[np.float64]] = field(default_factory=list)

    @classmethod
    def start(cls, path: Path, coco: Sources, split: str | None) -> _Run:
        manifest = PoseDataset(path, fields=[]).manifest
        config, skeleton = manifest.config, manifest.skeleton
        labels = config.create_labels(skeleton)
        names = find_decoder(labels, config)
        optional = {"copy": config.copies > 1, "source": bool(config.sources)}
        columns = PoseDataset(
            path, fields=["image_id", "annotation_id", "affine", *(n for n in optional if optional[n])]
        )[:]
        count = len(columns["image_id"])
        sources, copies = columns.get("source", [""] * count), columns.get("copy", np.zeros(count, np.int64)).tolist()
        images = {name_one(*image): image[1] for image in zip(sources, columns["image_id"].tolist(), strict=True)}
        truth = Truth.read(coco, split, manifest, set(images))
        people: dict[Key, list[Person]] = {}
        for number, image_id in enumerate(columns["image_id"].tolist()):
            image = name_one(sources[number], image_id)
            of_image = people.setdefault((image, copies[number]), [])
            for annotation_id in columns["annotation_id"][number].tolist():
                annotation = name_one(sources[number], annotation_id)
                if annotation not in truth.derived:
                    raise ConfigError(f"{coco}: has no annotation {annotation}; {path} was built from another file")
                keypoints = truth.derived[annotation]
                person = Person(
                    annotation_id=annotation,
                    sample=number,
                    affine=columns["affine"][number],
                    keypoints=keypoints,
                    drawn=keypoints[:, 2] > 0 if config.visibility == "labelled" else keypoints[:, 2] == 2,
                    area=truth.area(image, annotation),
                )
                of_image.append(person)
        return cls(
            data=PoseDataset(path, fields=names),
            labels=names,
            joiner=find_joiner(labels, config),
            truth=truth,
            people=people,
            numbers=images,
            table=ErrorTable(skeleton=skeleton, input_size=config.input_size, cell=max(config.strides)),
        )

    def read_labels(self, progress: Progress) -> None:
        """Decode all samples."""
        keys = {person.sample: key for key, people in self.people.items() for person in people}
        alone = self.data.config.unit == "person"
        for start in range(0, len(self.data), _BATCH):
            numbers = range(start, min(start + _BATCH, len(self.data)))
            batch = self.data.batch(numbers)
            for place, (number, people) in enumerate(zip(numbers, self.data.decode(batch, numbers), strict=True)):
                if number not in keys:  # nobody is on it
                    continue
                key = keys[number]
                drawn = [person for person in self.people[key] if person.sample == number]
                self.table.add(drawn, people, alone=alone)
                self.found[key] = _join(self.found.get(key), people)
                if hasattr(self.joiner, "follow"):
                    self._follow(batch[self.labels[1]][place], drawn)
            progress(numbers.stop, len(self.data))

    def read_results(self, path: Path) -> None:
        """Take the people of a file of results."""
        if len({copy for _, copy in self.people}) > 1:
            raise ConfigError(
                "results name images, of which this dataset has several views each; use one of plain ones"
            )
        if len(set(self.numbers.values())) < len(self.numbers):
            raise ConfigError(
                "results name images by numbers, which several sources of this dataset have: build a dataset of each "
                "source, and score its results with that"
            )
        listed = read_results_file(path, self.truth.names, self.data.skeleton)
        if listed.keys().isdisjoint(self.numbers.values()):
            raise ConfigError(f"{path}: has nobody on an image of {self.data.path}")
        nobody = People(keypoints=np.zeros((0, len(self.data.skeleton.keypoints), 3)), scores=np.zeros(0))
        for key, people in self.people.items():
            self.found[key] = listed.get(self.numbers[key[0]], nobody)
            self.table.add(people, self.found[key], alone=False)

    def finish(self, of: str) -> Score:
        """Sum up."""
        stats, lost = evaluate(self.truth, self.found, self.data.skeleton)
        rows = tuple(self.table.rows())
        limbs = self._sum_up_limbs()
        causes: dict[str, list[Name]] = {}
        counts: dict[int, int] = {}
        for key, numbers in lost.items():
            drawn = {person.annotation_id: person for person in self.people[key]}
            for number in numbers:
                causes.setdefault(self._find_cause(drawn.get(number)), []).append(number)
                sample = drawn[number].sample if number in drawn else self.people[key][0].sample
                counts[sample] = counts.get(sample, 0) + 1
        return Score(
            samples=len(self.data),
            people=sum(e["num_keypoints"] > 0 for key in self.found for e in self.truth.images.get(key[0], [])),
            of=of,
            coco=stats,
            rows=rows,
            limbs=limbs,
            swapped=self.table.swapped,
            pairs=self.table.pairs,
            lost=dict(sorted(causes.items(), key=lambda cause: -len(cause[1]))),
            problems=find_problems(rows, self.table, limbs),
            found=self.found,
            worst=tuple(sorted(counts, key=lambda sample: (-counts[sample], sample))),
        )

    def _follow(self, field_: NDArray[np.float32], people: Sequence[Person]) -> None:
        """Measure how much a sample's field (2E, h, w) points along the limbs of its people."""
        if not people:
            return
        config, skeleton = self.data.config, self.data.skeleton
        values = np.moveaxis(field_, -1, 0) if config.layout == "hwc" else field_
        points, drawn = np.array([p.points for p in people]), np.array([p.drawn for p in people])
        inside = np.asarray(((points >= 0) & (points <= np.array(config.input_size[::-1]) - 1)).all(axis=2))
        if np.linalg.det(people[0].affine[:, :2]) < 0:
            order = list(skeleton.mirrored)
            points, drawn, inside = points[:, order], drawn[:, order], inside[:, order]
        self.along.append(cast("FieldLabel", self.joiner).follow(values, points, drawn & inside))

    def _sum_up_limbs(self) -> dict[str, tuple[float, int]]:
        if not self.along:
            return {}
        along = np.concatenate(self.along)
        counts = (~np.isnan(along)).sum(axis=0)
        means = np.nansum(along, axis=0) / np.maximum(counts, 1)
        listed = zip(self.data.skeleton.limb_names, means.tolist(), counts.tolist(), strict=True)
        return {name: (round(mean, 4), count) for name, mean, count in listed}

    def _find_cause(self, person: Person | None) -> str:
        """Say why nobody matches a person; None is who is not in the dataset."""
        if person is None:
            return "left out of the dataset"
        if not person.drawn.any():
            return "no keypoint of it is drawn"
        within = (person.points >= 0) & (person.points < np.array(self.data.config.input_size[::-1]))
        inside = person.drawn & within.all(axis=1)
        if not inside.any():
            return "outside the input"
        if self.joiner is not None and not self.joiner.joinable(inside[None]).all():
            return "nothing joins enough of its keypoints"
        if self.joiner is None:
            return "not near enough"
        return "not found, or mixed with others"


def _join(before: People | None, people: People) -> People:
    if before is None:
        return people
    return People(
        keypoints=np.concatenate([before.keypoints, people.keypoints]),
        scores=np.concatenate([before.scores, people.scores]),
    )
