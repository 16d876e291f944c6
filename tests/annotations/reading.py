"""What the tests of reading share: read a dataset, or say why it is refused."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import pytest
from conftest import Coco

from posegen.annotations import Annotations, read_coco
from posegen.config import BuildConfig
from posegen.errors import AnnotationError

Document = dict[str, Any]
Case = TypeVar("Case")

NOBODY = {"keypoints": [0] * 51, "num_keypoints": 0}


def afresh(dataset: Any, cases: Iterable[Case]) -> Iterator[Case]:
    """Yield cases; before each the dataset's document is again what it was."""
    whole = copy.deepcopy(dataset.document)
    for case in cases:
        dataset.document = copy.deepcopy(whole)
        yield case


def read(coco: Coco, **config: Any) -> Annotations:
    coco.write()
    return read_coco(coco.annotations, BuildConfig(**config))


def people(found: Annotations) -> dict[int, list[int]]:
    return {sample.image_id: sample.annotation_ids.tolist() for sample in found.samples}


def explain(coco: Coco, **config: Any) -> str:
    with pytest.raises(AnnotationError) as caught:
        read(coco, **config)
    return str(caught.value)
