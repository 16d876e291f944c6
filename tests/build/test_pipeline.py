"""Building: the same bytes whatever happens on the way, and never a dataset that only looks whole."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from posegen.build.executors import LocalExecutor, Lost
from posegen.build.pipeline import build
from posegen.config import BuildConfig
from posegen.errors import BuildError, ConfigError
from posegen.files import TEMPORARY_SUFFIX
from posegen.shards.manifest import Manifest
from posegen.synthetic import write_sample_coco

CONFIG = BuildConfig(shard_size=4, input_size=(128, 128))
ANNOTATIONS = Path("annotations/person_keypoints_train2017.json")


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_coco(tmp_path_factory.mktemp("coco") / "sample", images=20, seed=3)


@pytest.fixture(scope="module")
def reference(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The shards of an undisturbed build."""
    out = tmp_path_factory.mktemp("reference") / "out"
    build(coco, out, CONFIG, workers=2)
    return shards(out)


@pytest.fixture
def copy(coco: Path, tmp_path: Path) -> Path:
    """The dataset, to be changed."""
    return Path(shutil.copytree(coco, tmp_path / "copy"))


def shards(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.h5"))}


def files_of(coco: Path) -> list[Path]:
    """The images that become samples: those with a labelled person."""
    document = json.loads((coco / ANNOTATIONS).read_text())
    drawn = {a["image_id"] for a in document["annotations"] if a["num_keypoints"] and not a["iscrowd"]}
    return [coco / "train2017" / i["file_name"] for i in document["images"] if i["id"] in drawn]


def change_annotations(coco: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads((coco / ANNOTATIONS).read_text())
    change(document)
    (coco / ANNOTATIONS).write_text(json.dumps(document))


class Rebuilt:
    """Tells which shards a run wrote, by the times of the files."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.before = self._times()

    def names(self) -> set[str]:
        return {name for name, when in self._times().items() if self.before.get(name) != when}

    def _times(self) -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in self.out.glob("*.h5")}


@pytest.mark.parametrize("workers", [1, 4])
def test_the_number_of_workers_changes_no_byte(
    workers: int, coco: Path, reference: dict[str, bytes], tmp_path: Path
) -> None:
    build(coco, tmp_path / "out", CONFIG, workers=workers)
    assert shards(tmp_path / "out") == reference


def test_progress_ends_at_the_number_of_samples(coco: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    manifest = build(coco, tmp_path / "out", CONFIG, workers=2, progress=lambda *at: seen.append(at))
    assert seen[-1] == (manifest.samples, manifest.samples)


def test_the_second_run_builds_nothing(coco: Path, tmp_path: Path) -> None:
    told: list[str] = []
    first = build(coco, tmp_path / "out", CONFIG, workers=2)
    rebuilt = Rebuilt(tmp_path / "out")
    assert build(coco, tmp_path / "out", CONFIG, workers=2, notify=told.append) == first
    assert rebuilt.names() == set()
    assert f"{len(first.shards)} of {len(first.shards)} shards stand" in told[0]


def test_a_changed_annotation_rebuilds_its_shard_alone(copy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(copy, out, CONFIG, workers=2)
    rebuilt = Rebuilt(out)

    def move_a_joint(document: dict[str, Any]) -> None:
        person = next(a for a in document["annotations"] if a["num_keypoints"])
        first = next(k for k in range(17) if person["keypoints"][3 * k + 2])
        person["keypoints"][3 * first] += 1

    change_annotations(copy, move_a_joint)
    build(copy, out, CONFIG, workers=2)
    assert len(rebuilt.names()) == 1
    build(copy, tmp_path / "fresh", CONFIG, workers=2)
    assert shards(out) == shards(tmp_path / "fresh")


def test_a_changed_picture_rebuilds_its_shard_alone(copy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(copy, out, CONFIG, workers=2)
    rebuilt = Rebuilt(out)
    picture = files_of(copy)[0]
    picture.write_bytes(picture.read_bytes() + b"\0")
    build(copy, out, CONFIG, workers=2)
    assert len(rebuilt.names()) == 1


@pytest.mark.parametrize("harm", ["removed", "truncated", "flipped"])
def test_a_harmed_shard_is_rebuilt_alone(harm: str, coco: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(coco, out, CONFIG, workers=2)
    victim = out / sorted(reference)[1]
    data = bytearray(victim.read_bytes())
    rebuilt = Rebuilt(out)
    if harm == "removed":
        victim.unlink()
    elif harm == "truncated":
        victim.write_bytes(data[:-1])
    else:
        data[len(data) // 2] ^= 1
        victim.write_bytes(data)
    build(coco, out, CONFIG, workers=2)
    assert rebuilt.names() == {victim.name}
    assert shards(out) == reference


def test_a_harmed_commit_record_is_not_believed(coco: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(coco, out, CONFIG, workers=2)
    record = next((out / ".posegen").glob("*/shard-*.json"))
    record.write_text(record.read_text()[:-10])
    build(coco, out, CONFIG, workers=2)
    assert shards(out) == reference


def test_a_changed_option_is_refused_by_name_with_both_values(coco: Path, tmp_path: Path) -> None:
    build(coco, tmp_path / "out", CONFIG, workers=2)
    before = shards(tmp_path / "out")
    other = BuildConfig(shard_size=4, input_size=(128, 128), sigma_px=7.0)
    with pytest.raises(ConfigError, match=r"(?s)sigma_px: was 8.0, is now 7.0.*--overwrite"):
        build(coco, tmp_path / "out", other, workers=2)
    assert shards(tmp_path / "out") == before


def test_other_options_are_refused_while_there_is_no_dataset_yet_but_a_finished_shard(
    coco: Path, tmp_path: Path
) -> None:
    build(coco, tmp_path / "out", CONFIG, workers=2)
    (tmp_path / "out" / "manifest.json").unlink()
    with pytest.raises(ConfigError, match=r"(?s)sigma_px: was 8.0, is now 7.0.*--overwrite"):
        build(coco, tmp_path / "out", BuildConfig(shard_size=4, input_size=(128, 128), sigma_px=7.0), workers=2)


def test_a_build_that_finished_no_shard_does_not_bind_the_next_one_to_its_options(copy: Path, tmp_path: Path) -> None:
    hidden = (copy / "train2017").rename(copy / "elsewhere")
    (copy / "train2017").mkdir()
    with pytest.raises(BuildError):
        build(copy, tmp_path / "out", BuildConfig(shard_size=4, input_size=(128, 128), sigma_px=7.0), workers=2)
    (copy / "train2017").rmdir()
    hidden.rename(copy / "train2017")
    assert build(copy, tmp_path / "out", CONFIG, workers=2).config == CONFIG


def test_overwriting_gives_the_bytes_of_a_fresh_build(coco: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", BuildConfig(shard_size=7, input_size=(128, 128))
    build(coco, out, CONFIG, workers=2)
    build(coco, out, other, workers=2, overwrite=True)
    build(coco, tmp_path / "fresh", other, workers=2)
    assert shards(out) == shards(tmp_path / "fresh")
    assert Manifest.read(out).config == other


def test_a_dataset_stays_while_overwriting_it_fails(copy: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(copy, out, CONFIG, workers=2)
    files_of(copy)[0].unlink()
    other = BuildConfig(shard_size=7, input_size=(128, 128))
    with pytest.raises(BuildError):
        build(copy, out, other, workers=2, overwrite=True)
    assert shards(out) == reference
    assert Manifest.read(out).config == CONFIG


def test_failures_leave_no_dataset_but_a_list(copy: Path, tmp_path: Path) -> None:
    out, bad = tmp_path / "out", files_of(copy)[0]
    bad.write_bytes(bad.read_bytes()[:1000])
    with pytest.raises(BuildError, match=rf"1 of \d+ samples could not be built; there is no dataset(?s:.*){bad.name}"):
        build(copy, out, CONFIG, workers=2)
    assert not (out / "manifest.json").exists()
    (line,) = (out / "failures.jsonl").read_text().splitlines()
    failure = json.loads(line)
    assert failure["file"] == bad.name
    assert "truncated" in failure["reason"]


def test_mended_files_are_built_with_their_shards_alone(
    copy: Path, reference: dict[str, bytes], tmp_path: Path
) -> None:
    out, bad = tmp_path / "out", files_of(copy)[0]
    whole = bad.read_bytes()
    status = bad.stat()
    bad.write_bytes(whole[:1000])
    with pytest.raises(BuildError):
        build(copy, out, CONFIG, workers=2)
    bad.write_bytes(whole)
    os.utime(bad, ns=(status.st_atime_ns, status.st_mtime_ns))
    told: list[str] = []
    build(copy, out, CONFIG, workers=2, notify=told.append)
    assert shards(out) == reference
    assert not (out / "failures.jsonl").exists()
    assert told[0].endswith("building 1")


@pytest.mark.parametrize("allowance", [1, "1", "10%"])
def test_allowed_failures_are_counted_in_the_manifest(allowance: int | str, copy: Path, tmp_path: Path) -> None:
    files_of(copy)[0].unlink()
    manifest = build(copy, tmp_path / "out", CONFIG, workers=2, max_failures=allowance)
    assert manifest.failures == 1
    assert manifest.samples == len(files_of(copy)) - 1


def test_a_dataset_without_a_sample_is_none_however_many_failures_are_allowed(copy: Path, tmp_path: Path) -> None:
    for path in files_of(copy):
        path.unlink()
    with pytest.raises(BuildError, match="there is no dataset"):
        build(copy, tmp_path / "out", CONFIG, workers=2, max_failures="100%")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_picture_that_claims_to_be_huge_is_a_failure_and_takes_no_memory(copy: Path, tmp_path: Path) -> None:
    bad = next(path for path in files_of(copy) if path.suffix == ".png")
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bad.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)))
    run = _limited(_command(copy, tmp_path / "out"), f"-v {2 << 20}")
    assert run.returncode == 1
    assert f"{bad.name}: is 30000x30000 pixels, but its annotation says" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("allowance", ["-1", "some", "101%", "1.5", "%"])
def test_an_allowance_that_is_neither_number_nor_share_is_refused(allowance: str, coco: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="max_failures"):
        build(coco, tmp_path / "out", CONFIG, max_failures=allowance)


def test_a_directory_with_other_files_is_not_touched(coco: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all my work")
    with pytest.raises(ConfigError, match=r"holds thesis\.txt"):
        build(coco, tmp_path, CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_second_build_into_a_directory_is_refused_with_the_firsts_process_id(coco: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / ".posegen").mkdir(parents=True)
    holder = (
        "import fcntl, sys, os\n"
        "lock = open(sys.argv[1], 'a+'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "lock.write(f'{os.getpid()}\\n'); lock.flush()\n"
        "print('held', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", holder, str(out / ".posegen" / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(BuildError, match=f"process {process.pid} is building here"):
            build(coco, out, CONFIG, workers=1)
        process.kill()
    assert build(coco, out, CONFIG, workers=2).samples > 0, "the lock of a dead process holds nobody back"


# What happens to workers


def _deadly(task: Any, report: Callable[[int], None], *, function: Callable[..., Any], image_ids: set[int]) -> Any:
    """Run a task in a worker that dies when the turn of one of some images comes."""
    at = {i for i, s in enumerate(task.samples) if s.image_id in image_ids and s.image_id not in task.quarantined}
    seen = 0

    def watch(units: int) -> None:
        nonlocal seen
        seen += units
        report(units)
        if seen in at:
            os.kill(os.getpid(), signal.SIGKILL)

    return function(task, watch)


class DeadlyExecutor(LocalExecutor):
    """Workers that die of some images, as they would of a decoder that takes all memory."""

    image_ids: ClassVar[set[int]] = set()

    def run(self, function: Any, tasks: Any, on_progress: Any) -> Iterator[Any]:
        deadly = functools.partial(_deadly, function=function, image_ids=self.image_ids)
        return super().run(deadly, tasks, on_progress)


def test_images_that_kill_their_workers_are_left_out_by_name_and_the_rest_is_built(
    coco: Path, reference: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, document = tmp_path / "out", json.loads((coco / ANNOTATIONS).read_text())
    names = {files_of(coco)[i].name for i in (0, 5, 6)}
    monkeypatch.setattr(DeadlyExecutor, "image_ids", {i["id"] for i in document["images"] if i["file_name"] in names})
    manifest = build(coco, out, CONFIG, executor=DeadlyExecutor(2), max_failures=3)
    assert manifest.samples == len(files_of(coco)) - 3
    failures = [json.loads(line) for line in (out / "failures.jsonl").read_text().splitlines()]
    assert {failure["file"] for failure in failures} == names
    assert {failure["image_id"] for failure in failures} == DeadlyExecutor.image_ids
    assert all("SIGKILL" in failure["reason"] for failure in failures)
    build(coco, out, CONFIG, workers=2)
    assert shards(out) == reference, "they are built by a run in which they do no harm"


def test_a_shard_may_have_any_number_of_images_that_kill(
    coco: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = LocalExecutor.run

    def deadly(self: LocalExecutor, function: Any, tasks: Any, on_progress: Any) -> Iterator[Any]:
        for task in tasks:
            left = [i for i, s in enumerate(task.samples) if i % 2 and s.image_id not in task.quarantined]
            if left:
                yield Lost(task, left[0], "was killed by SIGKILL")
            else:
                yield from run(self, function, [task], on_progress)

    monkeypatch.setattr(LocalExecutor, "run", deadly)
    config = dataclasses.replace(CONFIG, shard_size=1024)
    samples = len(files_of(coco))
    manifest = build(coco, tmp_path / "out", config, workers=1, max_failures="50%")
    assert (manifest.samples, manifest.failures) == (samples - samples // 2, samples // 2)
    assert manifest.failures > 6


def test_deaths_by_chance_are_blamed_on_no_image(
    coco: Path, reference: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = LocalExecutor.run
    deaths = iter([0, 2, 0, 2, 0, 2])

    def unlucky(self: LocalExecutor, function: Any, tasks: Any, on_progress: Any) -> Iterator[Any]:
        for outcome in run(self, function, tasks, on_progress):
            at = next(deaths, None) if outcome.task.file_name.startswith("shard-00000") else None
            yield outcome if at is None else Lost(outcome.task, at, "was killed by SIGKILL")

    monkeypatch.setattr(LocalExecutor, "run", unlucky)
    assert build(coco, tmp_path / "out", CONFIG, workers=2).failures == 0
    assert shards(tmp_path / "out") == reference


def test_a_shard_whose_workers_die_again_and_again_at_no_image_ends_the_build(
    coco: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadly(self: LocalExecutor, function: Any, tasks: Any, on_progress: Any) -> Iterator[Any]:
        yield from [Lost(task, None, "was killed by SIGKILL") for task in tasks]

    monkeypatch.setattr(LocalExecutor, "run", deadly)
    with pytest.raises(BuildError, match=r"shard-0000\d-of-0000\d\.h5: its worker died \d+ times; the last was killed"):
        build(coco, tmp_path / "out", CONFIG, workers=2)


def _command(coco: Path, out: Path) -> list[str]:
    options = ["--shard-size", "4", "--input-size", "128x128", "--workers", "2"]
    return [sys.executable, "-m", "posegen", "build", "--coco", str(coco), "--out", str(out), *options]


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.parametrize(
    ("send", "signals", "status"),
    [
        (os.kill, [signal.SIGINT], 130),
        (os.killpg, [signal.SIGINT] * 5, 130),
        (os.kill, [signal.SIGTERM], 143),
        (os.killpg, [signal.SIGHUP], 129),
    ],
    ids=["int", "impatient ctrl-c", "term", "hangup"],
)
def test_a_signal_ends_the_build_cleanly_and_the_command_it_prints_goes_on(
    send: Callable[[int, int], None], signals: list[int], status: int, coco: Path, tmp_path: Path
) -> None:
    out = tmp_path / "it's here"
    with subprocess.Popen(_command(coco, out), stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        while not list(out.glob(".posegen/*/shard-*.json")) and process.poll() is None:
            time.sleep(0.01)
        workers = _children(process.pid)
        for number in signals:
            with contextlib.suppress(ProcessLookupError):
                send(process.pid, number)
            time.sleep(0.03)
        _, errors = process.communicate(timeout=30)
    if process.returncode == 0:
        pytest.skip("the build was done before the signal came")
    assert process.returncode == status
    assert "Traceback" not in errors
    assert not list(out.rglob(f"*{TEMPORARY_SUFFIX}"))
    assert not (out / "manifest.json").exists()
    assert _gone(workers)
    command = errors.splitlines()[-1].removeprefix("To go on: ")
    subprocess.run(command, shell=True, check=True, capture_output=True)
    assert Manifest.read(out).samples == len(files_of(coco))


@pytest.mark.parametrize("wait_s", [0.0, 0.05, 0.2])
def test_ctrl_c_while_the_workers_start_is_no_traceback(wait_s: float, coco: Path, tmp_path: Path) -> None:
    command = _command(coco, tmp_path / "out")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        while not _children(process.pid) and process.poll() is None:
            time.sleep(0.005)
        time.sleep(wait_s)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.splitlines()[-2] == "Interrupted."
    assert "Traceback" not in errors


def test_a_signal_that_is_ignored_stays_so(coco: Path, tmp_path: Path) -> None:
    command = ["nohup", *_command(coco, tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        while not list((tmp_path / "out").glob(".posegen/*/shard-*.json")) and process.poll() is None:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGHUP)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_kills_at_random_moments_end_in_the_same_bytes(coco: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    chance = random.Random(11)
    out = tmp_path / "out"
    kills = 0
    while kills < 12:
        with subprocess.Popen(_command(coco, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            while process.poll() is None:
                time.sleep(chance.uniform(0.05, 0.5))
                victims = [process.pid] if chance.random() < 0.3 else _children(process.pid)
                with contextlib.suppress(ProcessLookupError, IndexError):
                    os.kill(chance.choice(victims), signal.SIGKILL)
                    kills += 1
            assert process.stderr is not None
            errors = process.stderr.read()
        assert process.returncode in {0, -signal.SIGKILL}
        # A worker whose parent is killed while it starts it cannot but say so.
        assert process.returncode != 0 or b"Traceback" not in errors
        if process.returncode == 0:
            assert shards(out) == reference
            assert Manifest.read(out).failures == 0
            shutil.rmtree(out)
    build(coco, out, CONFIG, workers=2)
    assert shards(out) == reference


# What happens to disks


def _mounted(directory: Path, size: str) -> bool:
    directory.mkdir()
    if shutil.which("mount") is None:
        return False
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 kB, if this process may mount one."""
    disk = tmp_path / "disk"
    if not _mounted(disk, "128k"):
        pytest.skip("mounting a file system takes more rights; the file size limit is tested everywhere")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_one_line_and_the_build_goes_on_when_there_is_room(
    small_disk: Path, coco: Path, reference: dict[str, bytes]
) -> None:
    told: list[str] = []
    with pytest.raises(BuildError, match="No space left on device") as caught:
        build(coco, small_disk / "out", CONFIG, workers=1, notify=told.append)
    assert "\n" not in str(caught.value)
    assert "warning" in told[0]
    assert not list(small_disk.rglob(f"*{TEMPORARY_SUFFIX}"))
    kept = {path.name: path.read_bytes() for path in small_disk.rglob("*.h5")}
    assert kept
    assert kept.items() <= reference.items()
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    build(coco, small_disk / "out", CONFIG, workers=1, notify=told.append)
    assert shards(small_disk / "out") == reference


def test_a_read_only_disk_is_one_line(small_disk: Path, coco: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(BuildError, match="Read-only file system"):
        build(coco, small_disk / "out", CONFIG, workers=1)


def test_lost_permissions_are_one_line_and_cost_no_finished_shard(
    coco: Path, reference: dict[str, bytes], tmp_path: Path
) -> None:
    without_rights: list[str] = []
    if os.geteuid() == 0:  # whom permissions do not stop
        if shutil.which("setpriv") is None:
            pytest.skip("root without setpriv cannot give its rights up")
        without_rights = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    out = tmp_path / "out"
    build(coco, out, CONFIG, workers=2)
    victim = sorted(reference)[1]
    (out / victim).unlink()
    (staged,) = out.glob(".posegen/*/shards")
    staged.chmod(0o555)
    run = subprocess.run(
        [*without_rights, *_command(coco, out)], capture_output=True, text=True, timeout=60, check=False
    )
    staged.chmod(0o755)
    assert run.returncode == 1
    assert "Permission denied" in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr
    assert shards(out) == {name: data for name, data in reference.items() if name != victim}
    build(coco, out, CONFIG, workers=2)
    assert shards(out) == reference


def _limited(command: list[str], limit: str) -> subprocess.CompletedProcess[str]:
    """Run a command under a limit of the shell's, which needs no rights."""
    quoted = " ".join(f"'{word}'" for word in command)
    shell = ["bash", "-c", f"ulimit {limit}; exec {quoted}"]
    return subprocess.run(shell, capture_output=True, text=True, timeout=60, check=False)


def test_a_file_that_may_not_grow_ends_the_build_with_one_line(
    coco: Path, reference: dict[str, bytes], tmp_path: Path
) -> None:
    # 16 kB: the records fit, no shard does. Python ignores SIGXFSZ, so the write fails as on a full disk.
    run = _limited(_command(coco, tmp_path / "out"), "-f 16")
    assert run.returncode == 1
    assert os.strerror(errno.EFBIG) in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out" / "manifest.json").exists()
    build(coco, tmp_path / "out", CONFIG, workers=2)
    assert shards(tmp_path / "out") == reference


def test_too_few_open_files_end_the_build_with_one_line(coco: Path, tmp_path: Path) -> None:
    run = _limited(_command(coco, tmp_path / "out"), "-n 10")
    assert run.returncode == 1
    assert os.strerror(errno.EMFILE) in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr


def test_an_output_that_vanishes_ends_the_build_with_one_line(coco: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def vanish(done: int, total: int) -> None:
        if done:
            shutil.rmtree(out, ignore_errors=True)

    with pytest.raises(BuildError, match="No such file or directory") as caught:
        build(coco, out, CONFIG, workers=1, progress=vanish)
    assert "\n" not in str(caught.value)
