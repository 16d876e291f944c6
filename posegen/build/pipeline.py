"""The tool: from annotations to a dataset on disk, or to none."""

from __future__ import annotations

import os

from posegen.annotations import Sources, find_annotations
from posegen.annotations.audit import Audit, counted
from posegen.annotations.unknown import describe_unknown
from posegen.build.decoding import decode_all
from posegen.build.executors import Executor, choose_executor
from posegen.build.failures import Allowance
from posegen.build.plan import make_plan
from posegen.build.prepare import prepare
from posegen.build.progress import Notify, Progress, ignore
from posegen.build.relabel import find_old_pictures
from posegen.build.run import Run
from posegen.config import BuildConfig
from posegen.labels.registry import require_labels
from posegen.shards import Manifest
from posegen.storage import Location


def build(
    coco: Sources,
    out: Location,
    config: BuildConfig | None = None,
    *,
    split: str | None = None,
    images: Location | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    max_failures: int | str = 0,
    overwrite: bool = False,
    pictures_from: str | os.PathLike[str] | None = None,
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
        The directory of the dataset, made if it does not exist; or its URL in a bucket. There each shard is one upload,
        of which is asked back what arrived, and no lock keeps builds apart: the one that ends last has the dataset.
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
        Whether to replace what was built in `out` with other options. What its pictures have in common with these is
        copied from there.
    pictures_from
        A dataset whose encoded pictures are copied instead of encoded again, which changes no byte. What determines
        their bytes has to agree: the size, fit or crop, views, encoding, exif and the libraries. Of which the file has
        changed since, or which are not there, are encoded afresh, and counted. Labels of posegen's own that would be
        drawn just the same are copied with them: `posegen.build.unchanged` says which.
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
        If an argument is wrong, or `out` holds something else, or was built with other options; or if pictures were
        encoded with other ones in the dataset that they are to be copied from.
    AnnotationError
        If the annotations are bad.
    BuildError
        If more samples failed than may, workers kept dying, or a file could not be written. What was finished stays for
        the next run.
    """
    executor = choose_executor(executor, workers)
    allowance = Allowance.parse(max_failures)
    with prepare(coco, out, config, split=split, images=images, overwrite=overwrite) as prepared:
        plan, state, sha256 = prepared.plan, prepared.state, prepared.source["sha256"]
        old = find_old_pictures(pictures_from, state.out if overwrite else None, plan.config)
        run = Run(plan, state, progress or ignore, notify or ignore, sha256, old=old)
        run.complete(executor, allowance)
        return prepared.publish(run.records, len(run.failures), preset=preset, description=description)


def audit(
    coco: Sources,
    config: BuildConfig | None = None,
    *,
    split: str | None = None,
    images: Location | None = None,
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
