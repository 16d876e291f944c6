"""How many processes a build starts by itself: no more than there is CPU time for."""

from __future__ import annotations

from pathlib import Path

import pytest

from posegen.build.executors import available_cpus, cpus

BOUND = 8


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of eight CPUs whose control groups are files here."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(BOUND)), raising=False)
    monkeypatch.setattr(cpus, "_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cpus, "_MOUNTED", tmp_path / "mounted")
    return tmp_path


def write(groups: Path, named: str, files: dict[str, str]) -> None:
    (groups / "cgroup").write_text(named)
    for name, text in files.items():
        path = groups / "mounted" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_without_control_groups_it_is_what_the_process_is_bound_to(groups: Path) -> None:
    assert available_cpus() == BOUND


def test_a_quota_of_a_container_counts_as_so_many_rounded_up(groups: Path) -> None:
    for quota, expected in (("200000 100000", 2), ("250000 100000", 3), ("1000 100000", 1), ("max 100000", BOUND)):
        write(groups, "0::/\n", {"cpu.max": quota + "\n"})
        assert available_cpus() == expected, quota


def test_the_least_of_the_groups_around_counts(groups: Path) -> None:
    files = {"a/cpu.max": "max 100000", "a/b/cpu.max": "300000 100000", "a/b/c/cpu.max": "max 100000"}
    write(groups, "0::/a/b/c\n", files)
    assert available_cpus() == 3


def test_version_1_is_heard_too(groups: Path) -> None:
    named = "4:memory:/x\n3:cpu,cpuacct:/docker/1\n"
    for place in ("cpu/", "cpu,cpuacct/docker/1/"):
        for quota, expected in (("150000", 2), ("-1", BOUND)):
            files = {f"{place}cpu.cfs_quota_us": quota, f"{place}cpu.cfs_period_us": "100000"}
            write(groups, named, files)
            assert available_cpus() == expected, (place, quota)


def test_what_cannot_be_read_is_no_quota(groups: Path) -> None:
    write(groups, "0::/\n", {"cpu.max": "nonsense"})
    assert available_cpus() == BOUND


def test_more_time_than_cpus_makes_no_more_of_them(groups: Path) -> None:
    write(groups, "0::/\n", {"cpu.max": "6400000 100000"})
    assert available_cpus() == BOUND
