from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.errors import ConfigError
from posegen.files import canonical_json, load_toml, refuse_target, write_atomically


class TestWriteAtomically:
    def test_a_new_file_has_the_data_and_nothing_else_is_left(self, tmp_path: Path) -> None:
        write_atomically(tmp_path / "a.bin", b"\0data")
        assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
        assert (tmp_path / "a.bin").read_bytes() == b"\0data"

    def test_an_old_file_is_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "a.bin"
        path.write_bytes(b"much longer than what follows")
        write_atomically(path, b"short")
        assert path.read_bytes() == b"short"

    def test_a_reader_of_the_old_file_keeps_it(self, tmp_path: Path) -> None:
        path = tmp_path / "a.bin"
        path.write_bytes(b"old")
        with path.open("rb") as reader:
            write_atomically(path, b"new")
            assert reader.read() == b"old"

    @pytest.mark.parametrize("step", [(os, "fsync"), (Path, "replace")])
    def test_a_failure_leaves_the_old_file_and_no_other(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: tuple[object, str]
    ) -> None:
        path = tmp_path / "a.bin"
        path.write_bytes(b"old")

        def fail(*arguments: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(*step, fail)
        with pytest.raises(OSError, match="No space left"):
            write_atomically(path, b"new")
        assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
        assert path.read_bytes() == b"old"

    def test_an_interrupt_leaves_the_old_file_and_no_other(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "a.bin"
        path.write_bytes(b"old")

        def interrupt(descriptor: int) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_atomically(path, b"new")
        assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
        assert path.read_bytes() == b"old"

    def test_data_is_on_the_disk_before_the_name_is(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        steps = []
        fsync, replace = os.fsync, Path.replace

        def note_fsync(descriptor: int) -> None:
            steps.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "data")
            fsync(descriptor)

        def note_replace(source: Path, target: Path) -> Path:
            steps.append("name")
            return replace(source, target)

        monkeypatch.setattr(os, "fsync", note_fsync)
        monkeypatch.setattr(Path, "replace", note_replace)
        write_atomically(tmp_path / "a.bin", b"data")
        assert steps == ["data", "name", "directory"]

    def test_a_missing_directory_is_the_callers_to_handle(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            write_atomically(tmp_path / "missing" / "a.bin", b"data")


class TestCanonicalJson:
    def test_keys_are_sorted_and_there_are_no_spaces(self) -> None:
        assert canonical_json({"b": [1, 2.5, None], "a": {"d": "é", "c": True}}) == (
            '{"a":{"c":true,"d":"\\u00e9"},"b":[1,2.5,null]}'
        )

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_what_is_no_json_is_refused(self, value: float) -> None:
        with pytest.raises(ValueError, match="JSON"):
            canonical_json([value])

    @given(record=st.dictionaries(st.text(), st.integers() | st.floats(allow_nan=False, allow_infinity=False)))
    def test_the_order_of_keys_does_not_matter_and_nothing_is_lost(self, record: dict[str, float]) -> None:
        turned = dict(reversed(record.items()))
        assert canonical_json(record) == canonical_json(turned)
        assert json.loads(canonical_json(record)) == record


class TestLoadToml:
    def test_tables_and_values_are_read(self, tmp_path: Path) -> None:
        path = tmp_path / "a.toml"
        path.write_text('name = "größe"\n[table]\nnumbers = [1, 2.5]\n', encoding="utf-8")
        assert load_toml(path) == {"name": "größe", "table": {"numbers": [1, 2.5]}}

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file or directory"):
            load_toml(tmp_path / "nowhere.toml")

    def test_a_directory_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
            load_toml(tmp_path)

    @pytest.mark.parametrize("data", [b"a = ", b"= 1", b"\xff\xfe", b"a = 1\na = 2", b'{"a": 1}'])
    def test_what_is_not_toml_is_named(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "a.toml"
        path.write_bytes(data)
        with pytest.raises(ConfigError, match=r"a\.toml: is not TOML: "):
            load_toml(path)


def test_a_result_takes_the_place_of_its_own_kind_of_file_alone(tmp_path: Path) -> None:
    for data in (b"", b"{", b"{}", b"{ "):
        (tmp_path / "there").write_bytes(data)
        refuse_target(tmp_path / "there", b"{")
    refuse_target(tmp_path / "not there", b"{")
    refuse_target(tmp_path, b"{")  # which writing says
    (tmp_path / "other").write_bytes(b"\x89HDF")
    os.mkfifo(tmp_path / "pipe")
    for name, why in (
        ("other", "is another kind of file, which is not replaced; choose another name"),
        ("pipe", "is no file; choose another name"),
        ("no/where", f"cannot be written: there is no directory {tmp_path}/no; create it first"),
    ):
        with pytest.raises(ConfigError) as caught:
            refuse_target(tmp_path / name, b"{")
        assert str(caught.value) == f"{tmp_path / name}: {why}"
