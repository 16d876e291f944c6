"""The layout of a shard, an HDF5 file: what is in it, write one, read one.

    /image/bytes    uint8 (B,)       the encoded pictures one after the other, without their padding; or
    /image/pixels   uint8 (N, H, W, 3) R, G, B of whole frames for the encoding `raw`
    /image/offsets  int64 (N + 1,)   where each picture's bytes start
    /image/box      int32 (N, 4)     where a picture lies in its frame: x, y, width, height in pixels, with gray around
                                     it (128); the frame is the input, or of the configuration's `picture_size`
    /heatmap, /paf, /mask            (N, C, h, w), or (N, h, w, C) for the layout `hwc`; one chunk a sample
    /<label>        (M, ...)         of a label by person: the rows of all people one after the other
    /checksum/image, /checksum/<label> uint32 (N,)   CRC-32 of each picture's bytes or pixels, and of each label's chunk
                                     as it is stored, but for HDF5's own checksum, its last 4 bytes
    /ignored/bytes  uint8 (B,)       whatever the labels, what is ignored, by zlib: a bit for the middle of each pixel
                                     of the input, the first the highest, each row in whole bytes; nothing if none is
    /ignored/offsets int64 (N + 1,)  where each of these starts
    /person/offsets int64 (N + 1,)   where each sample's people start
    /person/keypoints float32 (M, K, 3)   x, y in input pixels, v
    /person/bbox    float32 (M, 4)   x, y, width, height in input pixels; NaN where the annotation has none
    /person/annotation_id int64 (M,)
    /person/unknown uint8 (M, K)   if a label reads it: 1 unknown of this person, 2 not labelled by the source, else 0
    /sample/image_id int64, file_name, width, height int32 (N,); affine float64 (N, 2, 3), image pixels to input pixels
    /sample/source  text (N,)        if there are several: which sample is of which, by name; ids are a source's own
    /preview/picture, /preview/<label>   NeXus `NXdata` groups, for viewers of HDF5 such as H5Web: of the shard's first
                                     sample the picture (h, w, 3) uint8, reduced, with the image attributes, and each
                                     label with cells (C, h, w) float32 or whole numbers, with axes in input pixels
    /sample/copy int32 (N,), view float64 (N, 5)   if views are drawn: scale, degrees, shift in x and y, 1 if mirrored

A label's attributes say how to read it: value = stored x `scale`, to within `max_abs_error`, from `low` to `high`;
`layout`, `cells`, `channels`, `axes` and the lengths of the `inner` ones between channels and cells, `dtype` of the
values, whether it is `by_person` and values may be `unknown` (NaN); and `mirror`, JSON of which channel comes to each
place in a mirror (`order`) and which places change their sign (`negated`), or of a text that says why it cannot be
flipped.

The attributes `NX_class` and `default` of the file lead a viewer to the preview. Nothing else reads it.

That is format 3. Earlier ones are read, too. Format 2 has no preview; of format 1 pictures are whole inputs, it has no
`image/box`, `checksum` and `ignored`, and its labels have no `axes`, the oldest no `mirror`.

`schema` is the table of what it tells of samples and people, `codecs` the table of compressions, `quantize` how labels'
values are stored and `mirror` how their channels mirror. `writer` writes a shard, `reader` reads one by way of `hdf5`,
which holds each array against its rule of `rules` and each chunk and picture against its `checksum`; `opening` opens
the file, `header` reads what it says of itself, `outline` the sizes of arrays alone. `ignored` packs bitmaps.
`preview` makes and checks the preview, of arrays as `nexus` writes them.
`record` is what the `manifest` says of a shard, `key` tells a sample from all others; `pool` opens the shards of a
dataset when they are read. `source` finds datasets that lie elsewhere, whose shards `transfer` brings, `cache` keeps
and `ahead` asks for before they are read; `fetch` copies all of one.
"""

from posegen.files import hash_file
from posegen.shards.key import SampleKey
from posegen.shards.manifest import MANIFEST_NAME, Manifest
from posegen.shards.quantize import Storage, Widen, choose_storage
from posegen.shards.reader import ArrayInfo, ShardReader
from posegen.shards.record import ShardRecord, compare_bytes, locate
from posegen.shards.schema import COLUMNS, FORMAT, FORMAT_VERSION, BuiltSample, Column, StoredLabel
from posegen.shards.source import find_dataset
from posegen.shards.versions import library_versions
from posegen.shards.writer import ShardWriter

__all__ = [
    "COLUMNS",
    "FORMAT",
    "FORMAT_VERSION",
    "MANIFEST_NAME",
    "ArrayInfo",
    "BuiltSample",
    "Column",
    "Manifest",
    "SampleKey",
    "ShardReader",
    "ShardRecord",
    "ShardWriter",
    "Storage",
    "StoredLabel",
    "Widen",
    "choose_storage",
    "compare_bytes",
    "find_dataset",
    "hash_file",
    "library_versions",
    "locate",
]
