"""How much samples weigh by their sources."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import posegen
from posegen.config import BuildConfig, Source
from posegen.errors import ConfigError
from posegen.loader import PoseDataset
from posegen.loader.weights import weigh_samples

if TYPE_CHECKING:
    from conftest import Coco

CONFIG = BuildConfig(labels=(), input_size=(32, 32), shard_size=3)


@pytest.fixture
def roots(make_coco: type[Coco], tmp_path: Path) -> tuple[Path, Path]:
    """Two images of one source, six of another."""
    made = []
    for name, images in (("few", 2), ("many", 6)):
        coco = make_coco(tmp_path / name)
        for _ in range(images):
            coco.person(coco.image(40, 30))
        made.append(coco.write())
    return made[0], made[1]


def test_samples_weigh_what_their_source_does(roots: tuple[Path, Path], tmp_path: Path) -> None:
    posegen.build([Source(coco=roots[0], weight=3), roots[1]], tmp_path / "out", CONFIG, workers=1)
    data = PoseDataset(tmp_path / "out")
    sources = [sample["source"] for sample in data]
    assert sorted(sources) == ["few"] * 2 + ["many"] * 6
    found = weigh_samples(data)
    assert found.dtype == np.float64
    assert found.tolist() == [{"few": 3.0, "many": 1.0}[source] for source in sources]
    said = weigh_samples(data, {"many": 0.5})
    assert said.tolist() == [{"few": 3.0, "many": 0.5}[source] for source in sources]


def test_what_cannot_be_weighed_is_refused(roots: tuple[Path, Path], tmp_path: Path) -> None:
    posegen.build(list(roots), tmp_path / "out", CONFIG, workers=1)
    posegen.build(roots[0], tmp_path / "alone", CONFIG, workers=1)
    data, alone = PoseDataset(tmp_path / "out"), PoseDataset(tmp_path / "alone")
    assert weigh_samples(alone).tolist() == [1.0] * 2
    for of, weights, message in (
        (data, {"fwe": 2.0}, "no source 'fwe'.*did you mean 'few'.*its sources are few, many"),
        (data, {"few": 0.0}, "the weight of source 'few' must be a number from 1e-06"),
        (alone, {"few": 2.0}, "no source 'few'; it is not of several sources"),
    ):
        with pytest.raises(ConfigError, match=message):
            weigh_samples(of, weights)
