"""How often samples of several sources are to be drawn: by the weights of their sources.

A `[[source]]` table has a `weight`, or it is said when the dataset is read; the dataset has each sample once.

    from torch.utils.data import DataLoader, WeightedRandomSampler

    data = TorchPoseDataset("out/")
    sampler = WeightedRandomSampler(data.sample_weights(), num_samples=len(data))
    loader = DataLoader(data, batch_size=16, sampler=sampler)

Such a sampler reads here and there: of a dataset of more than 64 shards, nearly every sample has its shard opened.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from posegen.config.sources import WEIGHT
from posegen.errors import ConfigError, nearest
from posegen.loader.dataset import PoseDataset


def weigh_samples(data: PoseDataset, weights: Mapping[str, float] | None = None) -> NDArray[np.float64]:
    """Weigh each sample by its source: one of weight 2 is to be drawn twice as often as one of weight 1.

    Whose source says nothing weighs 1, as do all samples of a dataset that is not of several sources.

    Parameters
    ----------
    data
        Whose samples.
    weights
        By source what it weighs instead of what the dataset says.

    Returns
    -------
    (S,) by the samples' numbers.

    Raises
    ------
    ConfigError
        If there is no such source, or a weight is no number above 0.
    ShardError
        If a shard is missing or damaged.
    """
    known = {rules.name: rules.weight for rules in data.config.sources}
    for name, weight in (weights or {}).items():
        if name not in known:
            listed = f"its sources are {', '.join(known)}" if known else "it is not of several sources"
            raise ConfigError(f"{data.path}: has no source '{name}'{nearest(name, known)}; {listed}")
        known[name] = WEIGHT.check(f"the weight of source '{name}'", weight)
    if not known:
        return np.ones(len(data))
    found: list[float] = []
    for shard, size in enumerate(data.shard_sizes):
        with data.pool.use(shard) as reader:
            found += [known[source] for source in reader.column("source", range(size))]
    return np.array(found, np.float64)
