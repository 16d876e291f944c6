"""Configurations written as files: what is read back is equal, whatever it was."""

import dataclasses
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from other_values import CHANGED, OTHER, WORDS

from posegen.config import PRESETS, BuildConfig, RunOptions, read_options, write_options
from posegen.errors import ConfigError
from posegen.files import load_toml
from posegen.images.augment import Augmentation
from posegen.skeleton import SKELETONS, Skeleton, write_skeleton
from posegen.storage.find import spell

LABELS = ("heatmap", "paf", "mask", "limb", "offset", "center", "weight")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
KEYS = st.one_of(TEXTS, st.text(string.ascii_lowercase + "_", min_size=1))
VALUES = st.one_of(
    st.booleans(), st.integers(-(10**30), 10**30), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)
SIGMAS = st.floats(1e-3, 1e4)
AUGMENTATIONS = st.builds(
    Augmentation,
    scale=st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)).map(lambda ends: tuple(sorted(ends))),
    rotate=st.floats(0, 180),
    shift=st.floats(0, 16384),
    flip=st.floats(0, 1),
)
STRIDES = st.lists(st.sampled_from([1.0, 2.0, 4.0, 8.0, 2.5, 16.0]), min_size=1, max_size=3, unique=True)


@st.composite
def configurations(draw):
    """Draw a configuration, each field from all that it may be."""
    fields = {name: draw(st.sampled_from(words)) for name, words in WORDS.items()}
    labels = tuple(draw(st.lists(st.sampled_from(LABELS), unique=True)))
    options = (
        st.dictionaries(st.sampled_from(labels), st.dictionaries(KEYS, VALUES, max_size=3)) if labels else st.just({})
    )
    if fields["heatmap"] == "megvii":
        fields |= {"sigma_scale": "fixed", "sigma_keypoints": "equal"}
    augment = draw(st.none() | AUGMENTATIONS)
    strides = draw(STRIDES)
    return BuildConfig(
        **fields,
        **draw(st.sampled_from(["sigma_px", "sigma_cells"]).map(lambda unit: {"sigma_px": None, unit: draw(SIGMAS)})),
        skeleton=draw(st.none() | st.sampled_from(list(SKELETONS.values()))),
        category=tuple(draw(st.lists(TEXTS, max_size=2))),
        labels=labels,
        label_options=draw(options),
        input_size=tuple(80 * draw(st.integers(1, 20)) for _ in range(2)),
        stride=strides[0] if len(strides) == 1 else tuple(strides),
        half_width_px=draw(SIGMAS),
        box_padding=draw(st.floats(0.1, 100)),
        min_keypoints=draw(st.integers(1, 1 << 31)),
        min_area=draw(st.floats(0, 1e12)),
        keep_empty=fields["unit"] == "image" and draw(st.booleans()),
        jpeg_quality=draw(st.integers(1, 100)),
        copies=draw(st.integers(1, 1000)) if augment else 1,
        augment=augment,
        plain_copy=augment is not None and draw(st.booleans()),
        shard_size=draw(st.integers(1, 1 << 20)),
        seed=draw(st.integers(0, (1 << 63) - 1)),
        limit=draw(st.none() | st.integers(1, 1 << 31)),
    )


def read_back(text, directory):
    path = directory / "dumped.toml"
    path.write_text(text, encoding="utf-8")
    return BuildConfig.from_file(path)


@given(config=configurations(), every=st.booleans())
def test_any_configuration_is_read_back_equal(config, every, tmp_path_factory):
    directory = tmp_path_factory.getbasetemp()
    again = read_back(write_options(config, every=every), directory)
    assert again == config
    assert again.digest == config.digest


def test_each_preset_and_each_field_is_written_over_each_preset_that_it_can_be_laid_over(tmp_path):
    for config in (*CHANGED.values(), *map(BuildConfig.preset, PRESETS)):
        for preset in PRESETS:
            if config.skeleton is not None or BuildConfig.preset(preset).skeleton is None:
                assert read_back(write_options(config, preset=preset), tmp_path) == config


def test_only_what_differs_from_the_preset_is_written(tmp_path):
    path = tmp_path / "dumped.toml"
    path.write_text(write_options(BuildConfig.preset("udp", seed=3, input_size=(384, 288))))
    assert load_toml(path) == {"preset": "udp", "input-size": "288x384", "seed": 3}
    path.write_text(write_options(BuildConfig(label_options={"mask": {"a b": 1}}, augment=Augmentation(rotate=4.5))))
    assert load_toml(path) == {
        "preset": "tf-pose",
        "augment": {"scale": [1, 1], "rotate": 4.5, "shift": 0, "flip": 0},
        "label-option": {"mask": {"a b": 1}},
    }


def test_every_option_can_be_written_with_what_it_is(tmp_path):
    config = BuildConfig(**OTHER | {"keep_empty": False, "sigma_cells": None, "picture_size": (512, 736)})
    text = write_options(config, preset="tf-pose", every=True)
    assert 'grid = "area"  # How full-resolution maps become cells. One of bilinear, area, point.\n' in text
    (tmp_path / "dumped.toml").write_text(text)
    assert len(load_toml(tmp_path / "dumped.toml")) == len(OTHER)  # the preset stands for the sigma that is not


def test_what_is_asked_of_the_run_is_written_with_paths_that_mean_the_same_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = RunOptions(coco=Path("coco"), out=Path('/data/it\'s "here"'), split="a", workers=2, max_failures="5%")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "dumped.toml").write_text(write_options(BuildConfig(), run=run))
    assert read_options(tmp_path / "deep" / "dumped.toml").run == dataclasses.replace(run, coco=tmp_path / "coco")


def test_a_skeleton_of_a_file_is_written_as_its_path(tmp_path, monkeypatch):
    skeleton = Skeleton(name="two", keypoints=("nose", "left_eye"))
    (tmp_path / "two.toml").write_text(write_skeleton(skeleton))
    monkeypatch.chdir(tmp_path)
    text = write_options(BuildConfig(skeleton=skeleton), skeleton="two.toml")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir("/")
    assert read_back(text, tmp_path / "deep").skeleton == skeleton


def test_what_a_file_cannot_say_is_refused():
    with pytest.raises(ConfigError, match="the skeleton 'mine' is not built in: write it to a file"):
        write_options(BuildConfig(skeleton=Skeleton(name="mine", keypoints=("nose",))))
    with pytest.raises(ConfigError, match="a configuration without a skeleton cannot be laid over 'tf-pose'"):
        write_options(BuildConfig.preset("coco"), preset="tf-pose")
    with pytest.raises(ConfigError, match="there is no preset 'upd'"):
        write_options(BuildConfig(), preset="upd")


def test_urls_are_written_and_read_as_they_are_wherever_the_file_is(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "options.toml"
    path.parent.mkdir()
    path.write_text(
        'coco = "s3://bucket/coco"\nimages = "https://host.org/x/train2017.zip"\nout = "gs://bucket/pose"\n'
    )
    run = read_options(path).run
    assert [spell(str(of)) for of in (run.coco, run.images, run.out)] == [
        "s3://bucket/coco", "https://host.org/x/train2017.zip", "gs://bucket/pose",
    ]  # fmt: skip
    text = write_options(BuildConfig(), preset="tf-pose", run=run)
    assert '"s3://bucket/coco"' in text
    assert '"https://host.org/x/train2017.zip"' in text
