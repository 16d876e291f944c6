"""Draw single mistakes into a copy of the code, and see which the tests catch: `make mutants`.

mutmut makes the mistakes (another comparison, a dropped argument, a constant one off, ...). Its own runner is left out:
it cannot draw a sample, it runs all tests first to learn which function each reaches (minutes, before every session),
and it puts a trampoline into each function, which pickles, frozen dataclasses and spawned workers do not stand.
So this script draws lines at random and one mistake in each, writes it into a copy of the project that is thrown away,
and runs the tests of the module's room, and of others that are about it, those first that are named as the module is.

A mistake is caught if a test fails, or if the tests take far longer than without it. What survives is printed as a
difference: either a test is missing, or the mistake changes nothing that can be seen.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import os
import queue
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import unified_diff
from functools import partial
from itertools import islice
from pathlib import Path

from libcst import CSTNode
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.file_mutation import create_mutations

ROOT = Path(__file__).parents[1]
COPIED = ("posegen", "tests", "examples", "pyproject.toml", "README.md")
ELSEWHERE = {
    "annotations": ("build/test_several_sources.py", "build/test_packed_sources.py", "images/test_exif.py"),
    "labels": ("build/test_uneven_strides.py", "loader/test_decoding.py"),
    "loader": ("labels/test_centernet.py", "labels/test_composite.py"),
    "shards": ("build/test_first_format.py", "build/test_format_2.py", "loader/test_damaged_datasets.py"),
}
"""Tests of a room's modules that lie in other rooms, as they build or decode by them."""

TESTS = {
    room: (f"tests/{room}", *(f"tests/{file}" for file in ELSEWHERE.get(room, ())), "tests/test_public.py")
    for room in ("labels", "annotations", "shards", "build", "loader")
}
"""Which tests are run for a room's modules."""

# Their tests need the frameworks, which `make test` does without.
LEFT_OUT = ("online/torch/", "online/tensorflow.py", "loader/torch/", "loader/tensorflow/", "/dask.py", "/remote.py")

IDLE = (
    # Types that only annotations name, which nobody evaluates; what Literal lists may be asked for its words.
    (re.compile(r"(?m)^(_?[A-Z][a-z]\w*) = (?!Literal)(?:.|\n(?=[ \])]))*"), r"\1"),
    # What is cast to is told to mypy alone.
    (re.compile(r"""\bcast\((?:"[^"]*"|None),"""), "cast("),
    (re.compile(r"\.astype\((?:np\.float64|None)\)"), ".astype()"),  # NumPy takes None for float64
    (re.compile(r"(\breshape\((?:[^()]|\([^()]*\))*-)\d"), r"\g<1>1"),  # and any number below 0 for -1
    # That two lists are as long as each other is asserted, and so they are.
    (re.compile(r",\s*strict=\w+"), ""),
    (re.compile(r",\s*\)"), ")"),
)
"""What can be told by its text to change nothing, and what it becomes before a mistake is compared with the code."""

# mutmut passes over decorated functions; under this mark it sees none.
DECORATOR, MARKED = re.compile(r"(?m)^( *)@(?=\w)"), re.compile(r"(?m)^( *)# decorator: @")
VERDICT = re.compile(r"(?m)^(?:SUBFAILED.*?|FAILED|ERROR) (tests/.+?)(?: - (.*))?$")
RUNNING: set[subprocess.Popen[str]] = set()
"""The tests that are running, to be ended with this script."""
ASSERTED = re.compile(r"assert|AssertionError|Failed: |posegen\.errors\.ContractError")


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One mistake: where it is, and the module's text with it."""

    path: str
    line: int
    before: str
    after: str

    @property
    def room(self) -> str:
        return self.path.split("/")[1]

    @property
    def is_idle(self) -> bool:
        """Whether its text alone tells that it changes nothing."""
        texts = [self.before, self.after]
        for found, put in IDLE:
            texts = [found.sub(put, text) for text in texts]
        return texts[0] == texts[1]

    def __str__(self) -> str:
        lines = unified_diff(
            self.before.splitlines(), self.after.splitlines(), f"{self.path}:{self.line}", "mutant", n=1, lineterm=""
        )
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the tests made of a mutant: `survived`, or caught `by assertion`, `by crash`, `by time`."""

    kind: str
    seconds: float
    test: str = ""


def main() -> None:
    """Draw, try, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=100, help="how many are drawn")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws others")
    parser.add_argument("--rooms", default=",".join(TESTS), help="of which rooms")
    parser.add_argument("--minutes", type=float, default=60, help="after which no further one is tried")
    parser.add_argument("--jobs", type=int, default=2, help="how many are tried at a time, each in one process")
    parser.add_argument(
        "--usual",
        type=float,
        help="seconds that no room's tests take longer than; they have passed, and are not run first",
    )
    parser.add_argument("--only", help="FILE:LINE, to try all mistakes in a line")
    options = parser.parse_args()
    rooms = options.rooms.split(",")
    if unknown := set(rooms) - set(TESTS):
        parser.error(f"there are tests for {', '.join(TESTS)}, not for {', '.join(sorted(unknown))}")
    if options.only:
        rooms = [options.only.split("/")[1]]
    os.chdir(ROOT)  # where mutmut looks for its settings
    drawn = draw(rooms, options.mutants, options.seed, options.only)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.ExitStack() as stack:
        copies = [stack.enter_context(copied()) for _ in range(options.jobs)]
        found = try_all(drawn, copies, 60 * options.minutes, options.usual)
    report(drawn, found)


def draw(rooms: list[str], count: int, seed: int, only: str | None) -> list[Mutant]:
    """Draw lines of code, each as likely as another, and one mistake in each.

    Calls can be got wrong in many ways, most of them crashes that any test catches; so first the kind of code is drawn.
    """
    lines = {}
    for room in rooms:
        for file in sorted((ROOT / "posegen" / room).rglob("*.py")):
            path = file.relative_to(ROOT).as_posix()
            if not any(part in path for part in LEFT_OUT):
                lines |= {(path, line): made for line, made in find_mistakes(path, file.read_text("utf-8")).items()}
    if only:
        path, line = only.split(":")
        made = (make() for kind in lines[path, int(line)].values() for make in kind)
        return [mutant for mutant in made if not mutant.is_idle]
    chance = random.Random(seed)
    order = chance.sample(sorted(lines), len(lines))
    made = (chance.choice(lines[key][chance.choice(sorted(lines[key]))])() for key in order)
    return list(islice((mutant for mutant in made if not mutant.is_idle), count))


def find_mistakes(path: str, code: str) -> dict[int, dict[str, list[Callable[[], Mutant]]]]:
    """Find all mistakes that can be made in each line of a module, by the kind of code that they are made in."""
    module, mutations, _, _ = create_mutations(path, DECORATOR.sub(r"\1# decorator: @", code))
    places = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)

    def make(original: CSTNode, mutated: CSTNode) -> Mutant:
        after = MARKED.sub(r"\1@", module.deep_replace(original, mutated).code)
        return Mutant(path=path, line=places[original].start.line, before=code, after=after)

    found: dict[int, dict[str, list[Callable[[], Mutant]]]] = defaultdict(lambda: defaultdict(list))
    for mutation in mutations:
        line, kind = places[mutation.original_node].start.line, type(mutation.original_node).__name__
        found[line][kind].append(partial(make, mutation.original_node, mutation.mutated_node))
    return found


@contextlib.contextmanager
def copied() -> Iterator[Path]:
    """Copy what the tests need to where mistakes may be made in it."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        for name in COPIED:
            source, target = ROOT / name, Path(directory, name)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        yield Path(directory)


def try_all(drawn: list[Mutant], copies: list[Path], seconds: float, most_usual: float | None) -> list[Outcome | None]:
    """Try mutants in copies of the project, as many at a time as there are copies; None if the time was up."""
    free: queue.Queue[Path] = queue.Queue()
    for copy in copies:
        free.put(copy)
    end, done = time.monotonic() + seconds, Counter[str]()

    def measure(room: str) -> float:
        copy = free.get()
        try:
            return time_tests(copy, room)
        finally:
            free.put(copy)

    def attempt(mutant: Mutant) -> Outcome | None:
        copy = free.get()
        try:
            if time.monotonic() > end:
                return None
            outcome = try_one(copy, mutant, 3 * usual[mutant.room] + 60)
        finally:
            free.put(copy)
        done["tried"] += 1
        where = f"{mutant.path}:{mutant.line}"
        how = f"{outcome.kind:12}  {outcome.seconds:4.0f} s"
        print(f"{done['tried']:4}  {how}  {where:40}  {outcome.test}", flush=True)
        if outcome.kind == "survived":
            print(f"{mutant}\n", flush=True)
        return outcome

    pool = concurrent.futures.ThreadPoolExecutor(len(copies))
    try:
        rooms = sorted({mutant.room for mutant in drawn})
        usual = dict.fromkeys(rooms, most_usual or 0.0)
        if most_usual is None:
            usual = dict(zip(rooms, pool.map(measure, rooms), strict=True))
            print(", ".join(f"{room} {usual[room]:.0f} s" for room in rooms), "without a mistake", flush=True)
        return list(pool.map(attempt, drawn))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(RUNNING):
            kill(process)
        pool.shutdown()


def time_tests(copy: Path, room: str) -> float:
    """Run a room's tests without a mistake, which they have to pass."""
    begun = time.monotonic()
    status, output = run_tests(copy, TESTS[room], 1800)
    if status != 0:
        raise SystemExit(f"{output}\nthe tests of {room} fail without a mistake")
    return time.monotonic() - begun


def try_one(copy: Path, mutant: Mutant, most_seconds: float) -> Outcome:
    """Write a mutant into a copy of the project, run its tests, and take it out again."""
    file = copy / mutant.path
    name = file.parent.name if file.stem == "__init__" else file.stem
    tests = TESTS[mutant.room]
    first = [str(p.relative_to(copy)) for root in tests for p in sorted((copy / root).glob(f"test_*{name}*.py"))]
    if file.stem == "__init__":
        first = [tests[-1], *first]
    begun = time.monotonic()
    try:
        write(file, mutant.after)
        status, output = run_tests(copy, (*first, *tests), most_seconds)
    finally:
        write(file, mutant.before)
    seconds = time.monotonic() - begun
    if not status:
        return Outcome(kind="by time" if status is None else "survived", seconds=seconds)
    test, reason = found.groups(default="") if (found := VERDICT.search(output)) else ("", "")
    kind = "by assertion" if ASSERTED.match(reason) else "by crash"
    return Outcome(kind=kind, seconds=seconds, test=f"{test.rpartition('::')[2]} {reason}"[:110])


def write(file: Path, text: str) -> None:
    """Write a module and forget its bytecode, which looks up to date to Python if it is of this second and length."""
    file.write_text(text, "utf-8")
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        compiled.unlink(missing_ok=True)


def run_tests(copy: Path, tests: tuple[str, ...], most_seconds: float) -> tuple[int | None, str]:
    """Run tests of a copy until the first fails; the exit status is None if they take too long."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(copy), "COLUMNS": "250"}
    # A session of its own, so that workers which a test left running end with it.
    with subprocess.Popen(
        command, cwd=copy, env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as process:  # fmt: skip
        RUNNING.add(process)
        try:
            output, _ = process.communicate(timeout=most_seconds)
        except subprocess.TimeoutExpired:
            return None, ""
        finally:
            kill(process)
            RUNNING.discard(process)
    return process.returncode, output


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process and those that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def report(drawn: list[Mutant], found: list[Outcome | None]) -> None:
    """Print a table of what was caught."""
    tried = [(mutant, outcome) for mutant, outcome in zip(drawn, found, strict=True) if outcome]
    kinds = ("by assertion", "by crash", "by time", "survived")
    print("\n" + f"{'room':14}{'tried':>8}" + "".join(f"{kind:>14}" for kind in kinds) + f"{'caught':>10}")
    for room in (*TESTS, "all"):
        counts = Counter(outcome.kind for mutant, outcome in tried if room in ("all", mutant.room))
        if total := counts.total():
            caught = 100 * (total - counts["survived"]) / total
            print(f"{room:14}{total:8}" + "".join(f"{counts[kind]:14}" for kind in kinds) + f"{caught:8.1f} %")
    if len(tried) < len(drawn):
        print(f"{len(drawn) - len(tried)} of {len(drawn)} were not tried: the time was up")


if __name__ == "__main__":
    main()
