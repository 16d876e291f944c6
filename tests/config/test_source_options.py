"""Several sources as options name them: on the command line, in a file, and written back to one."""

from pathlib import Path

import pytest
from each import each

from posegen.config import BuildConfig, RunOptions, Source, SourceRules, read_options, read_words, write_options
from posegen.config.sources import name_sources
from posegen.errors import ConfigError

TABLES = """
out = "out"
preset = "openpose-25"
[[source]]
name = "feet"
coco = "feet/train.json"
images = "pictures"
category = "person"
rename = {left_bigtoe = "left_big_toe"}
limit = 5
[[source]]
coco = "/data/coco"
split = "val2017"
"""


def file(tmp_path, text):
    path = tmp_path / "build.toml"
    path.write_text(text)
    return path


def test_a_source_is_called_as_its_directory_or_its_file_and_order_means_nothing(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    given = [Source(coco="/data/zoo"), Source(coco=Path("b/feet.JSON")), Source(coco="."), Source(coco="x", name="a b")]
    named = name_sources(given)
    assert [source.name for source in named] == ["a b", "feet", "here", "zoo"]
    assert name_sources(given[::-1]) == named
    assert [source.coco for source in named] == ["x", Path("b/feet.JSON"), ".", "/data/zoo"]


def test_two_sources_of_one_name_are_refused_with_what_to_do():
    with pytest.raises(ConfigError, match=r"a/train.json and b/train.json would all be the source 'train'.*name = "):
        name_sources([Source(coco="a/train.json"), Source(coco="b/train.json")])


def test_tables_of_a_file_are_sources_with_paths_beside_it(tmp_path):
    options = read_options(file(tmp_path, TABLES))
    coco, feet = options.run.coco
    assert coco == Source(coco=Path("/data/coco"), split="val2017", name="coco")
    assert feet == Source(
        coco=tmp_path / "feet/train.json",
        images=tmp_path / "pictures",
        name="feet",
        category=("person",),
        rename={"left_bigtoe": "left_big_toe"},
        limit=5,
    )
    assert BuildConfig.from_options(options).sources == (coco.rules, feet.rules)
    assert feet.rules == SourceRules(name="feet", category=("person",), rename={"left_bigtoe": "left_big_toe"}, limit=5)


def test_sources_are_written_as_they_are_read(tmp_path):
    options = read_options(file(tmp_path, TABLES))
    config = BuildConfig.from_options(options)
    (tmp_path / "deep").mkdir()
    again = read_options(file(tmp_path / "deep", write_options(config, run=options.run)))
    assert again.run == options.run
    assert BuildConfig.from_options(again) == config


def test_rules_of_sources_alone_are_written_and_read_too(tmp_path):
    config = BuildConfig(sources=(SourceRules(name="b", limit=3), SourceRules(name="a", category=("x", "y"))))
    assert [rules.name for rules in config.sources] == ["a", "b"]
    assert BuildConfig.from_file(file(tmp_path, write_options(config))) == config
    assert BuildConfig.from_dict(config.to_dict()) == config


def test_words_given_several_times_are_sources():
    run = read_words({"coco": (Path("b"), Path("a")), "split": (), "images": ()}).run
    assert run.coco == (Source(coco=Path("a"), name="a"), Source(coco=Path("b"), name="b"))
    words = {"coco": (Path("b"), Path("a")), "split": ("one",), "images": (Path("of b"), Path("of a"))}
    first, second = read_words(words).run.coco
    assert (first.coco, first.split, first.images) == (Path("a"), "one", Path("of a"))
    assert (second.coco, second.split, second.images) == (Path("b"), "one", Path("of b"))
    first, second = read_words({"coco": (Path("b"), Path("a")), "split": ("of b", "of a")}).run.coco
    assert (first.split, second.split) == ("of a", "of b")


def test_words_given_once_are_no_sources():
    options = read_words({"coco": (Path("a"),), "split": ("s",), "images": (Path("i"),)})
    assert options.run == RunOptions(coco=Path("a"), split="s", images=Path("i"))
    assert "sources" not in options.fields


@each(
    "words, message",
    [
        (
            {"coco": ("a", "b"), "split": ("x", "y", "z")},
            "--coco is given 2 times and --split 3 times",
        ),
        ({"coco": ("a", "b"), "images": ("x",)}, "--images 1 times: give --images once for each, in the same order"),
        ({"coco": ("a",), "split": ("x", "y")}, "--split is given 2 times, but takes one value"),
        ({"split": ("x", "y")}, "--split is given 2 times, but takes one value"),
        ({"coco": ("a", "b/a")}, "a and b/a would all be the source 'a'"),
    ],
)
def test_words_that_do_not_go_together_are_refused(words, message):
    paths = {"coco", "images"}
    given = {name: tuple(map(Path, word)) if name in paths else word for name, word in words.items()}
    with pytest.raises(ConfigError, match=message):
        read_words(given)


def test_words_come_before_the_sources_of_a_file_and_a_file_before_nothing(tmp_path):
    of_file = read_options(file(tmp_path, TABLES))
    over = read_words({"coco": (Path("one"),)}).over(of_file)
    assert (over.run.coco, over.fields.get("sources")) == (Path("one"), None)
    over = read_words({"coco": (Path("one"), Path("two"))}).over(of_file)
    assert [rules.name for rules in over.fields["sources"]] == ["one", "two"]
    over = read_words({"seed": 3}).over(of_file)
    assert (over.run, over.fields["sources"]) == (of_file.run, of_file.fields["sources"])


@each(
    "text, message",
    [
        ('coco = "a"\n[[source]]\ncoco = "b"', "'source' and 'coco' say both what to build from"),
        ("source = 3", "sources are tables"),
        ("source = []", "sources are tables"),
        ('[[source]]\nsplit = "x"', "source 1: it needs coco"),
        ('[[source]]\ncoco = "a"\nsplti = "x"', "source 1: 'splti' is nothing that a source has .did you mean 'split'"),
        ("[[source]]\ncoco = 3", "source 1: coco must be text, not 3"),
        ('[[source]]\nname = "a/b"\ncoco = "c"', "name must be text of up to 100 characters without slashes"),
        ('[[source]]\nname = ".."\ncoco = "c"', "name must be text"),
        ('[[source]]\nname = "a"\ncoco = "c"\nlimit = 0', "source 'a': limit must be a whole number from 1"),
        ('[[source]]\nname = "a"\ncoco = "c"\nweight = 0', "source 'a': weight must be a number from 1e-06 to 1e.06"),
        ('[[source]]\nname = "a"\ncoco = "c"\nweight = "2"', "source 'a': weight must be a number"),
        ('[[source]]\nname = "a"\ncoco = "c"\nweight = nan', "source 'a': weight must be a number"),
        ('[[source]]\nname = "a"\ncoco = "c"\nrename = "x"', "source 'a': rename must be a table"),
        ('[[source]]\ncoco = "c"\nrename = {a = "x", b = "x"}', "rename makes several keypoints 'x'"),
        ('[[source]]\ncoco = "c"\ncategory = [1]', "category must be names"),
        ('[[source]]\nname = "a"\ncoco = "c"\n[[source]]\nname = "a"\ncoco = "d"', "would all be the source 'a'"),
    ],
)
def test_mistakes_in_tables_are_refused_with_what_a_source_has(tmp_path, text, message):
    path = file(tmp_path, text)
    with pytest.raises(ConfigError, match=message) as error:
        read_options(path)
    assert str(error.value).startswith(str(path))


def test_a_configuration_of_one_source_is_stored_as_before():
    assert "sources" not in BuildConfig().to_dict()
    assert BuildConfig(sources=(SourceRules(name="a"),)).digest != BuildConfig().digest


def test_a_weight_is_written_and_stored_where_it_says_something(tmp_path):
    text = '[[source]]\nname = "a"\ncoco = "/c"\nweight = 2\n[[source]]\nname = "b"\ncoco = "/d"\nweight = 1\n'
    options = read_options(file(tmp_path, text))
    config = BuildConfig.from_options(options)
    assert [rules.weight for rules in config.sources] == [2.0, 1.0]
    written = write_options(config, run=options.run)
    assert written.count("weight = ") == 1
    assert read_options(file(tmp_path, written)).run == options.run
    assert BuildConfig.from_dict(config.to_dict()) == config
    # The digests of datasets that were built when there were no weights stay.
    plain = BuildConfig(sources=(SourceRules(name="a"), SourceRules(name="b")))
    assert plain.to_dict()["sources"][0] == {"name": "a", "category": [], "rename": {}, "limit": None}
    assert config.digest != plain.digest
