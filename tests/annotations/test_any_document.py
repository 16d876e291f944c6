"""Documents that were changed at random: each is read to what may be trusted, or refused with an error of ours."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Coco
from hypothesis import given, settings
from hypothesis import strategies as st

from posegen.annotations import Annotations, read_coco
from posegen.build.ignored import find_ignored
from posegen.build.plan import make_plan
from posegen.config import BuildConfig
from posegen.errors import PosegenError

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, 2, -1, 100, 1000, 1 << 31, 1 << 63, 10**30, 10**4000]),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["../x", "/etc/passwd", "\ud800", "\0", "0", "person", "P" * 40]),
    st.lists(st.integers(-5, 70) | st.floats(), max_size=8),
    st.lists(st.lists(st.floats(), max_size=8), max_size=2),
    st.dictionaries(st.sampled_from(["size", "counts", "id", "keypoints"]), st.integers() | st.text(max_size=3)),
)


def mutate(node: Any, data: st.DataObject) -> None:
    """Walk to a random place in a document and replace, remove or repeat what is there."""
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    if not keys:
        return
    key = data.draw(st.sampled_from(keys))
    if isinstance(node[key], (dict, list)) and data.draw(st.integers(0, 3)):
        mutate(node[key], data)
        return
    action = data.draw(st.sampled_from(["replace", "replace", "remove", "repeat"]))
    if action == "replace":
        node[key] = data.draw(JUNK)
    elif action == "remove":
        del node[key]
    elif isinstance(node, list):
        node.append(copy.deepcopy(node[key]))


class TestFuzz:
    @settings(max_examples=250)
    @given(data=st.data())
    def test_only_our_errors_leave_a_mutated_document(
        self, corpus: Coco, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        document = copy.deepcopy(corpus.document)
        # The images with run lengths, boxes and polygons of ignored people are the first four.
        document["images"] = document["images"][:4]
        kept = {image["id"] for image in document["images"]}
        document["annotations"] = [a for a in document["annotations"] if a["image_id"] in kept]
        for _ in range(data.draw(st.integers(1, 4))):
            mutate(document, data)
        path = tmp_path_factory.getbasetemp() / "mutated.json"
        path.write_text(json.dumps(document))
        config = BuildConfig(skeleton=data.draw(st.sampled_from([None, BuildConfig().skeleton])), keep_empty=True)
        try:
            found = read_coco(path, config)
        except PosegenError:
            return
        self.trust(found)
        plan = make_plan(found, config)
        assert plan.samples == len(found.samples)
        for index in range(len(plan.shards)):
            plan.task(index, directory=Path("out"))

    @staticmethod
    def trust(found: Annotations) -> None:
        """Check what the rest of the program takes for granted."""
        ids = [sample.image_id for sample in found.samples]
        assert len(set(ids)) == len(ids)
        for sample in found.samples:
            assert np.isfinite(sample.keypoints).all()
            assert np.isin(sample.keypoints[..., 2], (0, 1, 2)).all()
            assert (sample.keypoints[..., 2] > 0).any(axis=1).all()
            assert Path("/d", sample.file_name).resolve().is_relative_to("/d")
            if sample.width * sample.height < 1 << 20:
                find_ignored(sample)
