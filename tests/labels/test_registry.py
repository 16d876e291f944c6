"""Labels by name: ours, and those that other packages bring by an entry point."""

import itertools
import json
import pickle
import shutil
import subprocess
import sys
import textwrap
from importlib import metadata

import h5py
import hdf5plugin  # noqa: F401 (registers the compressor)
import numpy as np
import pytest
from each import each

from posegen.build.pipeline import build
from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.inspect.summary import describe
from posegen.inspect.verify import verify
from posegen.labels import LabelContext, create_label, list_labels, registry
from posegen.labels.grid import make_grid
from posegen.shards import ShardReader, library_versions
from posegen.skeleton import COCO_17

LABEL = '''
from dataclasses import dataclass

import numpy as np

from posegen.labels import ArraySpec


@dataclass(frozen=True)
class Count:
    """In every cell how many keypoints are drawn, times a factor."""

    cells: tuple
    factor: float

    @property
    def spec(self):
        return ArraySpec(name="count", channels=("keypoints",), cells=self.cells, high=100.0)

    def render(self, scene):
        return np.full((1, *self.cells), self.factor * scene.drawn.sum(), np.float32)


def create(context):
    return (Count(context.grid.cells, context.read_options(factor=0.5)["factor"]),)
'''

CONTEXT = LabelContext(grid=make_grid("bilinear", (64, 64), (8, 8)), skeleton=COCO_17)


@each(name=[*registry.BUILT_IN])
def test_our_own_labels_are_made_by_name(name):
    several = {
        "center": ["center", "center_offset", "center_weight", "center_heatmap_weights"],
        "centernet": [
            *("centernet_" + part for part in ("hm", "hm_hp", "wh", "reg", "ind", "reg_mask", "hps", "hps_mask")),
            *("centernet_" + part for part in ("hp_offset", "hp_ind", "hp_mask", "left_out")),
        ],
        "simcc": ["simcc_x", "simcc_y"],
        "visibility": ["visibility", "visibility_weight"],
    }
    assert [label.spec.name for label in create_label(name, CONTEXT)] == several.get(name, [name])
    assert list_labels()[name] == "posegen"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_foreign_label_is_built_inspected_and_verified_like_any_other(corpus, install, tmp_path, workers):
    install("pose-count", LABEL, count="pose_count:create")
    assert list_labels()["count"] == "pose-count 1.0"
    out = tmp_path / "out"
    config = BuildConfig(labels=("count", "mask"), label_options={"count": {"factor": 0.25}}, shard_size=3)
    build(corpus.root, out, config, workers=workers)
    assert verify(out, deep=True, coco=corpus.root, workers=workers) == []
    assert describe(out)["arrays"]["count"]["shape"] == [8, 1, 46, 46]
    for path in out.glob("*.h5"):
        with h5py.File(path) as file:
            offsets, keypoints = file["person/offsets"][:], file["person/keypoints"][:]
            drawn = [(keypoints[a:b, :, 2] > 0).sum() for a, b in itertools.pairwise(offsets)]
            np.testing.assert_array_equal(file["count"][:, 0, 5, 7], 0.25 * np.array(drawn))
            assert json.loads(file.attrs["versions"])["pose-count"] == "1.0"


def test_a_dataset_can_be_read_without_the_package_that_made_it(corpus, install, tmp_path, run):
    install("pose-count", LABEL, count="pose_count:create")
    build(corpus.root, tmp_path / "out", BuildConfig(labels=("count",), shard_size=100), workers=1)
    code = f"""
        from pathlib import Path
        from posegen.shards import ShardReader
        with ShardReader(next(Path({str(tmp_path / "out")!r}).glob("*.h5"))) as reader:
            print(reader.labels[0].spec.name, float(reader.label(reader.labels[0], 0).max()) > 0)
    """
    shown = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert shown.stdout.split() == ["count", "True"], shown.stderr


def test_a_foreign_label_says_its_range_in_the_shard(corpus, install, tmp_path):
    install("pose-count", LABEL, count="pose_count:create")
    build(corpus.root, tmp_path / "out", BuildConfig(labels=("count",), shard_size=100, label_dtype="uint8"), workers=1)
    with ShardReader(next((tmp_path / "out").glob("*.h5"))) as reader:
        (label,) = reader.labels
        assert (label.spec.low, label.spec.high, label.storage.scale) == (0, 100, 100 / 255)
        drawn = (reader.sample(0)["keypoints"][..., 2] > 0).sum()
        np.testing.assert_allclose(reader.label(label, 0), drawn / 2, rtol=0, atol=label.storage.max_abs_error)


def test_a_package_of_another_version_makes_another_dataset(install):
    install("pose-count", LABEL, version="2.5", count="pose_count:create")
    assert library_versions(("heatmap", "count")) == library_versions() | {"pose-count": "2.5"}


def test_a_name_that_nobody_brings_is_refused_with_the_nearest(install):
    install("pose-count", LABEL, count="pose_count:create")
    with pytest.raises(ConfigError, match=r"no label 'cuont' \(did you mean 'count'\?\); labels are heatmap, .*count"):
        create_label("cuont", CONTEXT)


def test_a_build_of_an_unknown_label_ends_before_anything_is_read_or_written(tmp_path, run, corpus):
    outcome = run("build", "--coco", corpus.root, "--out", tmp_path / "out", "--labels", "heatmpa,paf")
    assert (outcome.status, outcome.out) == (2, "")
    assert "there is no label 'heatmpa' (did you mean 'heatmap'?)" in outcome.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import nothing_of_that_name", "of pose-bad 1.0 cannot be loaded from pose_bad:create: ModuleNotFoundError"),
        ("created = 1", "of pose-bad 1.0 cannot be loaded from pose_bad:create: AttributeError"),
        ("1 / 0", "of pose-bad 1.0 cannot be loaded from pose_bad:create: ZeroDivisionError"),
        ("create = 3", "pose_bad:create must be a function, not 3"),
        ("create = lambda context: 1 / 0", "of pose-bad 1.0 cannot be made: ZeroDivisionError"),
        ("create = lambda context: None", "of pose-bad 1.0 cannot be made: TypeError"),
        (LABEL, "label 'bad' makes an array 'count'; its name must be bad, or begin with bad_"),
    ],
)
def test_a_broken_package_is_named_with_what_is_wrong_in_it(install, code, message, monkeypatch):
    install("pose-bad", code, bad="pose_bad:create")
    monkeypatch.delitem(sys.modules, "pose_bad", raising=False)
    with pytest.raises(ConfigError) as error:
        create_label("bad", CONTEXT)
    assert "label 'bad'" in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("rendered", "message"),
    [
        ("1 / 0", "label 'count' cannot be drawn for image [0-9]+: ZeroDivisionError: division by zero"),
        (
            "np.zeros((1, 2, 2), np.float32)",
            "drawn as float32 .1, 2, 2., but its specification says float32",
        ),
        ("np.zeros((1, *self.cells))", "drawn as float64"),
    ],
)
def test_a_label_that_fails_in_a_worker_ends_the_build_with_its_name(install, corpus, tmp_path, rendered, message):
    code = LABEL.replace("np.full((1, *self.cells), self.factor * scene.drawn.sum(), np.float32)", rendered)
    install("pose-count", code, count="pose_count:create")
    config = BuildConfig(labels=("count",), limit=1)
    with pytest.raises(Exception, match=message) as error:
        build(corpus.root, tmp_path / "out", config, workers=1)
    assert type(error.value).__module__ == "posegen.errors"


def test_a_label_that_fails_when_it_is_verified_is_a_problem_of_the_shard(install, corpus, tmp_path):
    install("pose-count", LABEL, count="pose_count:create")
    build(corpus.root, tmp_path / "out", BuildConfig(labels=("count",), limit=1), workers=1)
    module = tmp_path / "site" / "pose_count.py"
    module.write_text(module.read_text().replace("return np.full(", "return [][0](", 1))
    shutil.rmtree(tmp_path / "site" / "__pycache__", ignore_errors=True)
    (problem,) = verify(tmp_path / "out", deep=True, workers=1)
    assert problem.what == "count of sample 0 cannot be rendered: IndexError: list index out of range"


def test_two_packages_with_one_name_are_both_named(install):
    install("pose-one", LABEL, count="pose_one:create")
    install("pose-two", LABEL, count="pose_two:create")
    with pytest.raises(ConfigError, match=r"'count' is brought by pose-one 1\.0 and pose-two 1\.0; uninstall one"):
        create_label("count", CONTEXT)


def test_nobody_can_take_the_place_of_our_labels(install):
    install("pose-evil", LABEL, heatmap="pose_evil:create")
    assert list_labels()["heatmap"] == "posegen"
    assert type(create_label("heatmap", CONTEXT)[0]).__module__ == "posegen.labels.heatmap"


def test_our_labels_are_made_without_a_look_at_other_packages(monkeypatch):
    monkeypatch.setattr(metadata, "entry_points", lambda **_: pytest.fail("looked"))
    registry._entries.cache_clear()
    BuildConfig(labels=("heatmap", "paf", "mask")).create_labels(COCO_17)
    library_versions(("heatmap", "paf", "mask"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factr": 1.0}, r"no option 'factr' \(did you mean 'factor'\?\); it has factor"),
        ({"factor": "x"}, "option 'factor' must be a float, not 'x'"),
        ({"factor": True}, "option 'factor' must be a float, not True"),
    ],
)
def test_an_option_that_a_label_does_not_have_is_refused(install, options, message):
    install("pose-count", LABEL, count="pose_count:create")
    with pytest.raises(ConfigError, match=message):
        BuildConfig(labels=("count",), label_options={"count": options}).create_labels(COCO_17)


@each(name=["Count", "9a", "a b", "a/b", "", ".", "image", "person", "sample", 3, None])
def test_a_label_cannot_be_called_what_is_no_name_or_taken(name):
    with pytest.raises(ConfigError, match="labels must be names of small letters"):
        BuildConfig(labels=(name,))


@each(options=[3, {"heatmap": 3}, {"heatmap": {"a": None}}, {"heatmap": {"a": [1]}}, {"heatmap": {"a": float("nan")}}])
def test_options_that_are_none_are_refused(options):
    with pytest.raises(ConfigError, match="label_options"):
        BuildConfig(label_options=options)


def test_options_of_a_label_that_is_not_rendered_are_refused():
    with pytest.raises(ConfigError, match="some for 'count', which is none of heatmap, paf, mask"):
        BuildConfig(label_options={"count": {"factor": 1.0}})


def test_options_cannot_be_changed_from_outside_and_travel_to_workers():
    options = {"mask": {"a": 1}}
    config = BuildConfig(label_options=options)
    options["mask"]["a"] = 2
    assert config.label_options == {"mask": {"a": 1}}
    again = pickle.loads(pickle.dumps(config))
    assert (again, hash(again)) == (config, hash(config))
