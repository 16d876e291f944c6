"""Sentences that are seldom said: how a worker ended, what a record was built from, which limbs are missing."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builds import CONFIG, write_source
from conftest import Coco
from executors import InProcess

import posegen
from posegen.annotations import read_annotations
from posegen.build import parts, prepare, relabel, repair
from posegen.build.executors import process
from posegen.build.executors.local import choose_executor
from posegen.build.executors.process import WorkerProcess
from posegen.build.plan import make_plan
from posegen.config import BuildConfig
from posegen.errors import BuildError, ConfigError, UnfinishedError
from posegen.shards import Manifest


def end_with(code: int | None, *, started: bool = True) -> str:
    worker: Any = object.__new__(WorkerProcess)
    joined: list[float] = []
    worker.process = SimpleNamespace(exitcode=code, join=lambda timeout: joined.insert(0, timeout))
    worker.started, worker.stop = started, lambda: joined.append(-1)
    try:
        return WorkerProcess.find_end(worker)
    finally:
        assert joined == [5.0, -1]


def test_how_a_worker_ended_is_told() -> None:
    for code, said in (
        (-9, "was killed by SIGKILL (out of memory?)"), (-11, "was killed by SIGSEGV"), (-15, "was killed by SIGTERM"),
        (0, "ended with status 0"), (3, "ended with status 3"), (1, "ended with status 1"),
        (None, "ended with status None"),
    ):  # fmt: skip
        assert end_with(code) == said
    assert end_with(2, started=False) == "ended with status 2"
    with pytest.raises(BuildError, match=r"^a worker process ended with status 1 before its first task; "):
        end_with(1, started=False)


def test_what_a_record_was_built_from_is_told_by_all_that_is_other(tmp_path: Path) -> None:
    coco, out = write_source(tmp_path / "coco"), tmp_path / "out"
    parts.build_part(coco, out, CONFIG, part="1/1", executor=InProcess())
    (record,) = out.glob(".posegen/*/shard-00001*.json")
    whole = json.loads(record.read_text())
    named = {
        "task": "annotations", "pictures": "pictures (their sizes or times)", "format": "format",
        "versions": "libraries",
    }  # fmt: skip
    assert named.keys() <= whole["of"].keys()
    for keys in (["task"], ["pictures"], ["format"], ["versions"], ["task", "versions"], [*named]):
        changed = {**whole, "of": {**whole["of"], **dict.fromkeys(keys, "other")}}
        record.write_text(json.dumps(changed))
        with pytest.raises(UnfinishedError) as caught:
            parts.finish_parts(coco, out, CONFIG)
        others = " and other ".join(named[key] for key in keys)
        assert str(caught.value).splitlines()[:2] == [
            f"{out}: 1 of 4 shards are missing, so there is no dataset",
            f"  shard-00001-of-00004.h5 (part 1/1) was built from other {others}",
        ]
    for text in ("{", "[]", "{}", '{"of": 5}', "\xff"):
        record.write_text(text)
        with pytest.raises(UnfinishedError, match=r"\(part 1/1\) has a record that cannot be read"):
            parts.finish_parts(coco, out, CONFIG)
    record.write_text(json.dumps(whole))
    assert parts.finish_parts(coco, out, CONFIG).samples == 16


def test_of_many_missing_shards_ten_are_named(tmp_path: Path) -> None:
    coco = write_source(tmp_path / "coco")
    for size, count in ((2, 8), (1, 16)):
        config, out = dataclasses.replace(CONFIG, shard_size=size), tmp_path / f"out-{size}"
        with pytest.raises(UnfinishedError) as caught:
            parts.finish_parts(coco, out, config)
        lines = str(caught.value).splitlines()
        named = [f"  shard-{i:05d}-of-{count:05d}.h5 was not built" for i in range(min(count, 10))]
        assert lines[: len(named) + 1] == [
            f"{out}: {count} of {count} shards are missing, so there is no dataset",
            *named,
        ]
        assert [line for line in lines if line.startswith("  ...")] == (["  ... and 6 more"] if count > 10 else [])


def test_labels_of_limbs_that_are_left_out_are_refused_if_they_were_asked_for(coco: Coco) -> None:
    coco.document["categories"][0]["skeleton"] = [[1, 99]]
    coco.write()
    for labels, refused in ((BuildConfig().labels, False), (("heatmap", "paf"), True)):
        config = BuildConfig.preset("coco", labels=labels)
        found = read_annotations(coco.root, config)
        if not refused:
            notes = make_plan(found, config).annotations.audit.notes
            assert "paf is left out: skeleton 'person' has no limbs" in notes
            continue
        with pytest.raises(ConfigError) as caught:
            make_plan(found, config)
        assert str(caught.value) == (
            f"{coco.annotations}: paf was asked for, but its limbs are left out, as if there were none: 'skeleton' "
            "must be a list of pairs of keypoint numbers 1..17, but has [1, 99]; mend them, or take other limbs with "
            "--skeleton NAME or FILE.toml"
        )
    only = BuildConfig.preset("coco", labels=("paf",))
    with pytest.raises(ConfigError) as none:
        make_plan(read_annotations(coco.root, only), only)
    assert str(none.value) == (
        "skeleton 'person' has no limbs, and so no paf; give it limbs with --skeleton NAME or FILE.toml"
    )


def test_shards_of_an_older_format_are_repaired_by_the_version_that_wrote_them(dataset: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    manifest = Manifest.read(copy)
    repair._refuse_older(copy, manifest, ["a.h5"])
    for versions, said in (({}, "of before"), ({"posegen": "0.0.9"}, "0.0.9")):
        older = dataclasses.replace(manifest, format_version=1, versions=versions)
        with pytest.raises(BuildError) as caught:
            repair._refuse_older(copy, older, ["a.h5", "b.h5"])
        assert str(caught.value) == (
            f"{copy}: a.h5, b.h5 cannot be built as recorded: they have format version 1, and this posegen writes "
            f"{manifest.format_version}\nrepair with posegen {said}, or build the dataset anew: posegen build "
            "--overwrite"
        )


def test_what_went_wrong_is_told_also_where_it_cannot_be_looked_what_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coco, out = write_source(tmp_path / "coco"), tmp_path / "out"
    parts.build_part(coco, out, CONFIG, part="1/1", executor=InProcess())

    def lose(*_: Any) -> Any:
        raise OSError(5, "Input/output error", "/far/away")

    def said() -> str:
        with pytest.raises(BuildError) as caught, prepare.prepare(
            coco, out, CONFIG, split=None, images=None, overwrite=False
        ):  # fmt: skip
            pass
        return str(caught.value)

    monkeypatch.setattr(prepare, "make_plan", lose)
    assert said() == "/far/away: Input/output error; finished shards stay, run again to go on"
    look = Path.glob
    monkeypatch.setattr(Path, "glob", lambda path, what: lose() if what.startswith("shard-") else look(path, what))
    assert said() == "/far/away: Input/output error"


def test_what_does_not_go_with_a_build_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError) as several:
        choose_executor(InProcess(), 2)
    assert str(several.value) == "workers are those of this machine; an executor that is given has its own"
    assert choose_executor(InProcess(), None).__class__ is InProcess
    found = read_annotations(write_source(tmp_path / "coco"), CONFIG)
    with pytest.raises(ConfigError) as sources:
        make_plan(dataclasses.replace(found, sources=("a", "b")), CONFIG)
    assert str(sources.value) == (
        "annotations of several sources need a configuration that has them: see JoinedSource.configure"
    )
    monkeypatch.setattr(sys.modules["__main__"], "__file__", __file__, raising=False)
    said = "a script that builds a dataset must do so under if __name__ == '__main__':, because workers import it"
    assert process._explain_import() == said
    monkeypatch.delattr(sys.modules["__main__"], "__file__")
    assert process._explain_import() == said
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "<stdin>", raising=False)
    assert process._explain_import() == (
        "workers import the program that starts them, and there is no file <stdin>; save a script that is read from "
        "standard input to a file, and build under if __name__ == '__main__': in it"
    )


def test_other_options_and_other_annotations_are_told_line_by_line(tmp_path: Path) -> None:
    coco, out = write_source(tmp_path / "coco"), tmp_path / "out"
    posegen.build(coco, out, CONFIG, executor=InProcess())
    other = dataclasses.replace(CONFIG, sigma_px=5.0)
    with pytest.raises(ConfigError) as options:
        posegen.build(coco, out, other, executor=InProcess())
    first, line, last = str(options.value).split("\n")
    assert first == f"{out}: was built with other options"
    assert line.startswith("  sigma_px")
    assert last == (
        "use the same options to go on, another directory, or --overwrite to replace what is there: it stays until its "
        "successor is whole, and pictures and labels that stay the same are copied from it"
    )
    manifest = Manifest.read(out)
    plan = make_plan(read_annotations(coco, CONFIG), CONFIG)
    record = dataclasses.replace(manifest.shards[0], file="odd.h5")
    odd = dataclasses.replace(manifest, shards=(record,))
    with pytest.raises(BuildError) as bad:
        repair._Repairing(out, odd, plan, ["odd.h5"]).run(InProcess(), tmp_path, None)
    assert str(bad.value) == (
        f"{out}: 1 of 1 bad shards cannot be built as they were\n"
        "  odd.h5: the annotations do not give such a shard: they are others\n"
        "repair with what the dataset was built from, or build it anew: posegen build --overwrite"
    )
    with pytest.raises(ConfigError) as pictures:
        relabel._refuse_others(out, manifest, dataclasses.replace(CONFIG, input_size=(64, 64)))
    first, *lines, last = str(pictures.value).split("\n")
    assert first == f"{out}: its pictures have other bytes than these would have"
    assert lines
    assert all(line.startswith("  ") for line in lines)
    assert last == "take the same options, or leave --pictures-from out to encode all pictures afresh"
