"""The tool: from annotations to a dataset on disk, or to none."""

from __future__ import annotations

import os
from pathlib import Path

from posegen.annotations import Sources, find_annotations
from posegen.annotations.audit import Audit, counted
from posegen.annotations.unknown import describe_unknown
from posegen.build.checkpoint import BuildState, open_state
from posegen.build.decoding import decode_all
from posegen.build.executors import Executor, choose_executor
from posegen.build.failures import Allowance, describe_failures, write_failures
from posegen.build.plan import BuildPlan, make_plan
from posegen.build.progress import Notify, Progress, ignore
from posegen.build.run import Run
from posegen.config import BuildConfig
from posegen.errors import BuildError
from posegen.labels.registry import require_labels
from posegen.shards import Manifest, library_versions


def build(
    coco: Sources,
    out: str | os.PathLike[str],
    config: BuildConfig | None = None,
    *,
    split: str | None = None,
    images: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    max_failures: int | str = 0,
    overwrite: bool = False,
    preset: str | None = None,
    description: str = "",
    progress: Progress | None = None,
    notify: Notify | None = None,
) -> Manifest:
    """Build a dataset, or go on building it.

    Shards are written beside their final place and moved there when all are whole; the manifest comes last. So `out`
    has either a complete dataset or none, and a dataset that is replaced stays until its successor stands. Shards that
    an earlier run finished are taken over if all they were made from is unchanged.

    Parameters
    ----------
    coco
        A COCO root or an annotation file; see `posegen.annotations.find_coco`. Or several of them, as paths or as
        `posegen.config.Source`, whose samples become one dataset of `config.skeleton`; their order means nothing.
    out
        The directory of the dataset; made if it does not exist.
    config
        What to build; by default the preset `tf-pose`.
    split, images
        Which split of the root, and where the images are, if that is not obvious.
    workers
        How many processes; by default as many as there are CPUs for this one. They change no byte.
    executor
        What runs the tasks instead of processes on this machine; see `posegen.build.executors`. It changes no byte.
    max_failures
        How many samples may fail: a number, or a share of them as in `"1%"`.
    overwrite
        Whether to replace what was built in `out` with other options.
    preset, description
        For the record: the name of what `config` was laid over, and what the dataset is.
    progress
        Called in this process after every sample.
    notify
        Called in this process with what the user should know meanwhile.

    Returns
    -------
    The dataset's manifest.

    Raises
    ------
    ConfigError
        If an argument is wrong, or `out` holds something else, or was built with other options.
    AnnotationError
        If the annotations are bad.
    BuildError
        If more samples failed than may, workers kept dying, or a file could not be written. What was finished stays for
        the next run.
    """
    config = config or BuildConfig()
    require_labels(config.labels)
    out = Path(out)
    executor = choose_executor(executor, workers)
    allowed = Allowance.parse(max_failures)
    source = find_annotations(coco, split=split, images=images)
    config = source.configure(config)
    state: BuildState | None = None
    try:
        with open_state(out, config, overwrite=overwrite) as state:
            annotations = source.read(config)
            plan = make_plan(annotations, config)
            if not plan.samples:
                raise BuildError(f"{annotations.path}: there is nothing to build: {_why_empty(plan)}")
            origin = source.describe()
            run = Run(plan, state, progress or ignore, notify or ignore, origin["sha256"])
            run.take_over()
            run.announce()
            run.check_files(allowed.of(plan.samples))
            run.build(executor)
            failures = run.failures
            write_failures(out, failures)
            if len(failures) > allowed.of(plan.samples) or not run.records:
                raise BuildError(describe_failures(out, failures, plan.samples))
            manifest = Manifest(
                config=config,
                skeleton=annotations.skeleton,
                source=origin,
                shards=run.records,
                failures=len(failures),
                audit=annotations.audit.to_dict(),
                versions=library_versions(config.labels),
                preset=preset,
                description=description,
            )
            state.publish(manifest)
            return manifest
    except OSError as error:
        rest = "; finished shards stay, run again to go on" if state is not None and state.has_records() else ""
        raise BuildError(f"{error.filename or out}: {error.strerror or error}{rest}") from error


def audit(
    coco: Sources,
    config: BuildConfig | None = None,
    *,
    split: str | None = None,
    images: str | os.PathLike[str] | None = None,
    pictures: bool = False,
    progress: Progress | None = None,
) -> Audit:
    """Read and check annotations as `build` does, without building; raises what it raises for them.

    There need be no images, unless the annotations leave their sizes to them; where there are, those that are missing
    are named.

    Parameters
    ----------
    coco, config, split, images
        As for `build`.
    pictures
        Whether to decode all pictures, too.
    progress
        Called after every picture.
    """
    config = config or BuildConfig()
    require_labels(config.labels)
    source = find_annotations(coco, split=split, images=images, need_images=False)
    config = source.configure(config)
    annotations = source.read(config)
    found = annotations.audit
    if unknown := describe_unknown(annotations.samples, annotations.names, annotations.skeleton):
        found.notes.append(unknown)
    if not annotations.images.is_dir():
        found.notes.append(f"there is no directory {annotations.images}, so no picture was looked for")
        make_plan(annotations, config)
        return found
    found.bad_pictures.update(
        {name: f"{annotations.images / name}: no such file{hint}" for name, hint in annotations.missing.items()}
    )
    if pictures:
        found.bad_pictures.update(decode_all(annotations, config, progress or ignore))
    if not found.bad_pictures:
        decoded = f", and those of all {counted(len(annotations.samples), 'sample')} can be decoded" if pictures else ""
        found.notes.append(f"all {counted(found.images, 'picture')} are there{decoded}")
    make_plan(annotations, config)
    return found


def _why_empty(plan: BuildPlan) -> str:
    found = plan.annotations.audit
    counts = ", ".join(f"{count} left out: {reason}" for reason, count in sorted(found.left_out.items()))
    drawn = "".join(f"; {count} annotations not drawn: {reason}" for reason, count in sorted(found.not_drawn.items()))
    return f"{found.images} images ({counts or 'none'}){drawn}"
