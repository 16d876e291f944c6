"""Parts that are built at the same time, twice, by different splits, and are killed at random."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from builds import CONFIG, shards, write_source
from executors import InProcess

import posegen
from posegen.shards.manifest import Manifest

HERD = """
import contextlib, errno, fcntl, os, random, signal, sys, time
from pathlib import Path

sys.path[:0] = {tests!r}
from builds import CONFIG
from executors import InProcess
from posegen.build.parts import build_part, finish_parts
from posegen.errors import UnfinishedError

coco, out, locks, seed, kills = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
if locks == "none":
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")
    fcntl.flock = flock

def start(work):
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except UnfinishedError:
        status = 2
    except BaseException as error:
        print(type(error).__name__, error, file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(status)

def build(part):
    return lambda: build_part(coco, out, CONFIG, part=part, executor=InProcess(), finish=part.endswith("/3"))

def finish():
    finish_parts(coco, out, CONFIG)

drawn = random.Random(seed)
killed = 0
while True:
    splits = [f"{{k}}/{{n}}" for n in (2, 3) for k in range(1, n + 1)]
    work = [build(part) for part in splits + drawn.sample(splits, 2)]
    drawn.shuffle(work)
    children = [start(one) for one in work] + [start(finish)]
    victims = children[:]
    while victims and killed < kills:
        time.sleep(drawn.uniform(0, 0.05))
        victim = victims.pop(drawn.randrange(len(victims)))
        os.kill(victim, signal.SIGKILL)
        killed += 1
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert set(ends[:-1]) <= {{0, -signal.SIGKILL}}, ends
    assert ends[-1] in {{0, 2, -signal.SIGKILL}}, ends
    print(ends, (out / "manifest.json").exists())
    if killed >= kills:
        break
for child in [start(build(part)) for part in ("1/2", "2/2")]:
    os.waitpid(child, 0)
children = [start(finish) for _ in range(4)]
ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
assert ends == [0] * 4, ends
"""


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("coco") / "source")


@pytest.mark.parametrize("locks", ["some", "none"])
def test_whatever_they_do_at_the_same_time_the_bytes_are_those_of_a_build_at_once(
    locks: str, coco: Path, tmp_path: Path
) -> None:
    posegen.build(coco, tmp_path / "whole", CONFIG, executor=InProcess())
    script, out = tmp_path / "herd.py", tmp_path / "out"
    script.write_text(HERD.format(tests=[str(Path(__file__).parent), str(Path(__file__).parents[1])]))
    command = [sys.executable, script, coco, out, locks, "7", "20"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert shards(out) == shards(tmp_path / "whole")
    assert Manifest.read(out) == Manifest.read(tmp_path / "whole")
    if locks == "some":
        assert not list(out.rglob("*.partial"))
