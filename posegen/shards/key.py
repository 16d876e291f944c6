"""What tells one sample of a dataset from all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from posegen.config import BuildConfig


@dataclass(frozen=True, slots=True, order=True)
class SampleKey:
    """What tells one sample of a dataset from all others; `str` of it is its name for people.

    Attributes
    ----------
    image_id
        Of its image.
    annotation_id
        Of its person, where samples are people; None where they are images.
    copy
        Which of the image's copies it is, from 0, where there are several; None where there is one.
    source
        Which of several sources it is of, by name, where there are several: each counts its images for itself.
    """

    image_id: int
    annotation_id: int | None = None
    copy: int | None = None
    source: str | None = None

    @classmethod
    def of(
        cls, config: BuildConfig, image_id: int, annotation_ids: Sequence[int], copy: int, source: str = ""
    ) -> SampleKey:
        """Return the key of a sample of a configuration, in which the people of `annotation_ids` are."""
        return cls(
            image_id,
            int(annotation_ids[0]) if config.unit == "person" else None,
            copy if config.copies > 1 else None,
            source if config.sources else None,
        )

    @property
    def parts(self) -> dict[str, int | str]:
        """By name, of `source`, `image`, `person` and `copy`, those that tell samples apart."""
        parts = {"source": self.source, "image": self.image_id, "person": self.annotation_id, "copy": self.copy}
        return {name: part for name, part in parts.items() if part is not None}

    def __str__(self) -> str:
        return ", ".join(f"{name} {part}" for name, part in self.parts.items())
