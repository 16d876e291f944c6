"""What runs of a build begin and end with: the output directory is taken, the plan made, the dataset published."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from posegen.annotations import Sources, find_annotations
from posegen.build.checkpoint import BuildState, open_state
from posegen.build.plan import BuildPlan, make_plan
from posegen.build.store import find_output
from posegen.config import BuildConfig
from posegen.errors import BuildError, ConfigError
from posegen.labels.registry import require_labels
from posegen.shards import Manifest, ShardRecord, library_versions
from posegen.shards.codecs import CODECS
from posegen.storage import Location


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """A build of which nothing is built yet by this run; made by `prepare`.

    Attributes
    ----------
    plan, state
        What to build, and what is there.
    source
        Of what the manifest says where it was built from.
    """

    plan: BuildPlan
    state: BuildState
    source: Mapping[str, str]

    def publish(
        self, records: Sequence[ShardRecord], failures: int, *, preset: str | None, description: str
    ) -> Manifest:
        """Put all shards in their place and write the manifest; raises what `BuildState.publish` does."""
        annotations, config = self.plan.annotations, self.plan.config
        manifest = Manifest(
            config=config,
            skeleton=annotations.skeleton,
            source=self.source,
            shards=tuple(records),
            failures=failures,
            audit=annotations.audit.to_dict(),
            versions=library_versions(config.labels),
            preset=preset,
            description=description,
        )
        self.state.publish(manifest)
        return manifest


@contextlib.contextmanager
def prepare(
    coco: Sources,
    out: Location,
    config: BuildConfig | None,
    *,
    split: str | None,
    images: Location | None,
    overwrite: bool,
    shared: bool = False,
) -> Iterator[Prepared]:
    """Take an output directory and plan what is built in it; what goes wrong with files is told as a `BuildError`.

    Parameters
    ----------
    coco, out, config, split, images, overwrite
        As for `posegen.build.pipeline.build`, which says what is raised, too.
    shared
        Whether others may build there at the same time, who say so, too.
    """
    config = config or BuildConfig()
    require_labels(config.labels)
    out = find_output(out)
    source = find_annotations(coco, split=split, images=images)
    config = source.configure(config)
    _refuse_unstable(config)
    state: BuildState | None = None
    try:
        with open_state(out, config, overwrite=overwrite, shared=shared) as state:
            annotations = source.read(config)
            plan = make_plan(annotations, config)
            if not plan.samples:
                raise BuildError(f"{annotations.path}: there is nothing to build: {_why_empty(plan)}")
            yield Prepared(plan=plan, state=state, source=source.describe())
    except OSError as error:
        rest = "; finished shards stay, run again to go on" if state is not None and state.has_records() else ""
        raise BuildError(f"{error.filename or out}: {error.strerror or error}{rest}") from error


def _refuse_unstable(config: BuildConfig) -> None:
    """Raise `ConfigError` where the same labels would not always have the same bytes."""
    if not CODECS[config.compression].stable:
        stable = ", ".join(name for name, codec in CODECS.items() if codec.stable)
        raise ConfigError(
            f"compression: {config.compression} packs the same labels to other bytes now and then, so no dataset is "
            f"built with it any more, only read; take one of {stable}"
        )


def _why_empty(plan: BuildPlan) -> str:
    found = plan.annotations.audit
    counts = ", ".join(f"{count} left out: {reason}" for reason, count in sorted(found.left_out.items()))
    drawn = "".join(f"; {count} annotations not drawn: {reason}" for reason, count in sorted(found.not_drawn.items()))
    return f"{found.images} images ({counts or 'none'}){drawn}"
