"""What a sample of a dataset has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posegen.config import BuildConfig
from posegen.errors import ConfigError, nearest
from posegen.shards.schema import StoredLabel, list_columns


@dataclass(frozen=True, slots=True)
class Field:
    """What a field of a sample is.

    Attributes
    ----------
    shape
        Of one sample; None for the people, whose number differs from sample to sample.
    dtype
        Its NumPy dtype; `str` for text.
    """

    shape: tuple[int | None, ...]
    dtype: str

    def stack(self, count: int) -> tuple[int, ...]:
        """Return the shape of the array of so many samples; people have none, because their number differs."""
        return (count, *(side or 0 for side in self.shape))

    @property
    def is_stacked(self) -> bool:
        """Whether a batch has it in one array: people and text come as lists."""
        return self.dtype != "str" and not self.is_padded

    @property
    def is_padded(self) -> bool:
        """Whether it has a row a person, so that samples are padded to be put into one array."""
        return None in self.shape


def describe_fields(
    config: BuildConfig, keypoints: int, labels: Sequence[StoredLabel], *, raw: bool
) -> dict[str, Field]:
    """List what a sample has, by name.

    Parameters
    ----------
    config
        What the dataset was built with.
    keypoints
        How many a person has.
    labels
        The labels that are stored.
    raw
        Whether they come as they are stored.
    """
    fields = {"image": Field((*config.input_size, 3), "uint8")}
    for label in labels:
        people = (None,) if label.spec.by_person else ()
        dtype = label.storage.dtype if raw else label.storage.read_dtype
        fields[label.spec.name] = Field((*people, *label.shape), dtype)
    for column in list_columns(config):
        people = (None,) if column.of == "person" else ()
        fields[column.name] = Field((*people, *column.element(keypoints)), column.read_dtype)
    return fields


def list_padded() -> frozenset[str]:
    """List the fields that have a row a person in every dataset, which batches of tensors pad; labels may, too."""
    return frozenset(column.name for column in list_columns() if column.of == "person")


def select_fields(fields: Mapping[str, Field], wanted: Sequence[str] | None) -> dict[str, Field]:
    """Keep the fields that are wanted, in their order; None wants all.

    Raises
    ------
    ConfigError
        If there is no such field; the message names the nearest.
    """
    if wanted is None:
        return dict(fields)
    if isinstance(wanted, str):
        raise ConfigError(f"fields must be a list of names, as in [{wanted!r}]")
    for name in wanted:
        if name not in fields:
            raise ConfigError(f"a sample has no '{name}'{nearest(name, fields)}; it has {', '.join(fields)}")
    return {name: fields[name] for name in fields if name in wanted}


def list_plain(fields: Mapping[str, Field]) -> list[str]:
    """List the fields that are read if none is asked for: picture, labels and `image_id`, which need no padding."""
    columns = {column.name for column in list_columns()} - {"image_id"}
    return [name for name, field in fields.items() if name not in columns and not field.is_padded]
