"""Files of options: what they may say and how, what counts where several say it, and what is said of mistakes."""

from pathlib import Path

import pytest
from other_values import FIELDS

from posegen.config import BuildConfig, RunOptions, SourceRules, read_options, read_words
from posegen.errors import ConfigError
from posegen.images.augment import Augmentation
from posegen.skeleton import COCO_17, OPENPOSE_18

# Every option as the command line calls it, ways to say it, and the field that comes of it.
SAID = [
    (
        "source",
        ['[{name = "b", limit = 2}, {name = "a", category = "dog", rename = {x = "nose"}}]'],
        "sources",
        (SourceRules(name="a", category=("dog",), rename={"x": "nose"}), SourceRules(name="b", limit=2)),
    ),
    ("category", ['["person", "dog"]'], "category", ("person", "dog")),
    ("category", ['"dog"'], "category", ("dog",)),
    ("skeleton", ['"coco-17"'], "skeleton", COCO_17),
    ("labels", ['["paf", "mask"]', '"paf,mask"', '"paf, mask"', '" paf ,mask"'], "labels", ("paf", "mask")),
    ("labels", ['"none"', "[]"], "labels", ()),
    (
        "label-option",
        ["{mask = {a = 1, b = true}}", '["mask.a=1", "mask.b=true"]'],
        "label_options",
        {"mask": {"a": 1, "b": True}},
    ),
    ("label-option", ['"mask.a=0.5"'], "label_options", {"mask": {"a": 0.5}}),
    ("input-size", ['"192x256"', '"192X256"'], "input_size", (256, 192)),
    ("stride", ["4", "4.0", "[4]", '"4"'], "stride", 4.0),
    ("stride", ["[4, 8]", '"4,8"', '"4, 8"'], "stride", (4.0, 8.0)),
    ("grid", ['"area"'], "grid", "area"),
    ("heatmap", ['"udp"'], "heatmap", "udp"),
    ("sigma", ["5", "5.0"], "sigma_px", 5.0),
    ("sigma-cells", ["2"], "sigma_cells", 2.0),
    ("sigma-scale", ['"area"'], "sigma_scale", "area"),
    ("sigma-keypoints", ['"oks"'], "sigma_keypoints", "oks"),
    ("paf", ['"cells"'], "paf", "cells"),
    ("half-width", ["4"], "half_width_px", 4.0),
    ("unit", ['"person"'], "unit", "person"),
    ("crop", ['"udp"'], "crop", "udp"),
    ("box-padding", ["1.5"], "box_padding", 1.5),
    ("fit", ['"cover"'], "fit", "cover"),
    ("visibility", ['"visible"'], "visibility", "visible"),
    ("origin", ['"unlabelled"'], "origin", "unlabelled"),
    ("exif", ['"stored"'], "exif", "stored"),
    ("min-keypoints", ["3"], "min_keypoints", 3),
    ("min-area", ["100"], "min_area", 100.0),
    ("keep-empty", ["true"], "keep_empty", True),
    ("label-dtype", ['"uint8"'], "label_dtype", "uint8"),
    ("layout", ['"hwc"'], "layout", "hwc"),
    ("compression", ['"gzip"'], "compression", "gzip"),
    ("image-encoding", ['"png"'], "image_encoding", "png"),
    ("jpeg-quality", ["75"], "jpeg_quality", 75),
    ("picture-size", ['"736x736"'], "picture_size", (736, 736)),
    (
        "augment",
        [
            '"scale=0.5-1.1,rotate=40"',
            '{scale = [0.5, 1.1], rotate = 40}',
            '{scale = "0.5-1.1", rotate = 40.0, flip = 0}',
        ],
        "augment",
        Augmentation(scale=(0.5, 1.1), rotate=40),
    ),
    ("augment", ["{scale = 2}", '"scale=2"'], "augment", Augmentation(scale=(2, 2))),
    ("shard-size", ["7"], "shard_size", 7),
    ("seed", ["3"], "seed", 3),
    ("limit", ["10"], "limit", 10),
]  # fmt: skip
OLD_NAMES = {"sigma": "sigma-px", "half-width": "half-width-px", "label-option": "label-options"}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "build.toml"


def test_every_option_is_read_by_every_name_it_goes_by_and_in_every_form(file):
    for option, forms, field, value in SAID:
        for name in {option, option.replace("-", "_"), OLD_NAMES.get(option, option), field}:
            for form in forms:
                file.write_text(f"{name} = {form}\n")
                options = read_options(file)
                assert options.fields[field] == value, (name, form)
                config = BuildConfig.from_file(file)
                changed = {field for field in FIELDS if getattr(config, field) != getattr(BuildConfig(), field)}
                assert changed <= {field, *(["sigma_px"] if field == "sigma_cells" else [])}, (name, form)
                assert getattr(config, field) == value, (name, form)
    assert {field for _, _, field, _ in SAID} | {"copies", "plain_copy"} == set(FIELDS)


def test_tables_are_read_as_sections(file):
    file.write_text(
        'labels = "heatmap,offset"\ncopies = 2\nplain-copy = true\n'
        "[augment]\nscale = [0.5, 1.1]\nrotate = 40\nshift = 30\nflip = 0.5\n"
        "[label-option.offset]\nradius_factor = 0.08\ncorners = true\n"
    )
    assert BuildConfig.from_file(str(file)) == BuildConfig(
        labels=("heatmap", "offset"),
        copies=2,
        plain_copy=True,
        augment=Augmentation(scale=(0.5, 1.1), rotate=40, shift=30, flip=0.5),
        label_options={"offset": {"radius_factor": 0.08, "corners": True}},
    )


def test_what_is_asked_of_the_run_is_read_beside_the_configuration(file):
    file.write_text(
        'coco = "data/coco"\nout = "/data/pose"\nsplit = "val2017"\nimages = "../pictures"\nworkers = 3\n'
        'max-failures = "5%"\nseed = 4\n'
    )
    assert read_options(file).run == RunOptions(
        coco=file.parent / "data/coco",
        out=Path("/data/pose"),
        split="val2017",
        images=file.parent / "../pictures",
        workers=3,
        max_failures="5%",
    )
    assert BuildConfig.from_file(file) == BuildConfig(seed=4)
    file.write_text("max_failures = 10\n")
    assert read_options(file).run == RunOptions(max_failures=10)


def test_a_file_is_laid_over_its_preset(file):
    file.write_text('preset = "udp"\nsigma = 6\nseed = 2\n')
    assert BuildConfig.from_file(file) == BuildConfig.preset("udp", sigma_px=6, seed=2)


def test_an_empty_file_asks_for_nothing(file):
    file.write_text("# nothing\n")
    assert (read_options(file).fields, read_options(file).run) == ({}, RunOptions())
    assert BuildConfig.from_file(file) == BuildConfig()


def test_a_skeleton_is_found_beside_the_file_whatever_directory_this_is(file, monkeypatch):
    (file.parent / "two.toml").write_text('keypoints = ["nose", "left_eye"]\n')
    monkeypatch.chdir("/")
    for name in ("two.toml", "./two.toml", str(file.parent / "two.toml")):
        file.write_text(f'skeleton = "{name}"\n')
        assert BuildConfig.from_file(file).skeleton.keypoints == ("nose", "left_eye")


def test_what_is_laid_over_counts_option_by_option(file):
    file.write_text(
        'preset = "coco"\nsigma = 5\nseed = 3\nworkers = 2\nout = "there"\n[label-option.mask]\na = 1\nb = 2\n'
    )
    words = {"sigma_cells": 2.0, "seed": None, "workers": 4, "label_options": ("mask.b=3", "paf.c=x"), "category": ()}
    options = read_words(words).over(read_options(file))
    assert (options.preset, options.run) == ("coco", RunOptions(out=file.parent / "there", workers=4))
    assert BuildConfig.from_options(options) == BuildConfig(
        skeleton=None,
        sigma_px=None,
        sigma_cells=2,
        seed=3,
        label_options={"mask": {"a": 1, "b": 3}, "paf": {"c": "x"}},
    )
    assert read_words({"preset": "openpose", "skeleton": "openpose-18"}).over(read_options(file)).preset == "openpose"
    assert BuildConfig.from_options(read_words({"skeleton": "openpose-18"})).skeleton == OPENPOSE_18


def test_a_mistake_is_refused_with_the_file_and_what_may_be_meant(file):
    for text, said in (
        ("sigma-pixels = 1", "'sigma-pixels' is no build option (did you mean 'sigma-px'?)"),
        ("input-sise = 1", "'input-sise' is no build option (did you mean 'input-size'?)"),
        ("preest = 1", "'preest' is no build option (did you mean 'preset'?)"),
        ("halfwidth = 1", "'halfwidth' is no build option (did you mean 'half-width'?)"),
        ("worker = 1", "'worker' is no build option (did you mean 'workers'?)"),
        ("sigma = 3\nsigma_px = 4", "'sigma' and 'sigma_px' are the same option; leave one of them out"),
        ('input-size = "256,192"', "not '256,192' (did you mean 256x192?)"),
        ('input-size = "256 x 192"', "not '256 x 192' (did you mean 256x192?)"),
        ("input-size = 368", "input size must be WIDTHxHEIGHT, as in 368x368, not 368"),
        ('grid = "bilinaer"', "grid must be bilinear, area or point, not 'bilinaer' (did you mean 'bilinear'?)"),
        ("sigma = 0", "sigma_px must be a number from 0.001 to 10000, not 0"),
        ("seed = 1.5", "seed must be a whole number from 0"),
        ('keep-empty = "yes"', "keep_empty must be true or false, not 'yes'"),
        ('skeleton = "coco-18"', "there is no skeleton 'coco-18' (did you mean 'coco-17'?)"),
        ('stride = "a,b"', "stride must be a number or several, as in 4,8, not 'a,b'"),
        ("stride = {a = 1}", "stride must be a number or several, as in 4,8"),
        (
            'label-option = "offset"',
            "a label's option is LABEL.OPTION=VALUE, as in offset.radius_factor=0.08, not 'offset'",
        ),
        ("label-option = {offset = 3}", "label_options must give for each label its options"),
        ("augment = {spin = 1}", "augment has no 'spin'; it has scale, rotate, shift, flip"),
        ("augment = {rotation = 1}", "augment has no 'rotation' (did you mean 'rotate'?)"),
        ("augment = {scale = [1]}", "augment: scale must be a range"),
        ('augment = {scale = ["a", "b"]}', "augment: scale must be a number, or two as in [0.5, 1.1]"),
        ("augment = {rotate = 200}", "augment: rotate must be a number from 0 to 180"),
        ("augment = 3", "augment must be ranges to draw views from, not 3"),
        ('augment = "spin=1"', "augment is written scale=0.5-1.1"),
        ('workers = "many"', "workers must be a whole number from 1 to 65536, not 'many'"),
        ("workers = 0", "workers must be a whole number from 1 to 65536, not 0"),
        ("max-failures = 0.5", "max_failures must be a number, as in 10, or a share, as in 1%, not 0.5"),
        ("coco = 3", "coco must be a path, not 3"),
        ("split = 2017", "split must be text, not 2017"),
        ("stride = ", "is not TOML"),
        ("[stride", "is not TOML"),
        ("stride = 8\nstride = 8", "is not TOML"),
    ):
        file.write_text(text)
        with pytest.raises(ConfigError) as error:
            read_options(file)
        assert str(error.value).startswith(f"{file}: "), text
        assert said in str(error.value), text


def test_an_option_like_no_other_is_refused_without_a_hint(file):
    file.write_text("zzz = 1\n")
    with pytest.raises(ConfigError, match=r"'zzz' is no build option$"):
        read_options(file)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.toml: cannot be read"):
        BuildConfig.from_file(tmp_path / "nothing.toml")
