"""The layout of a shard, an HDF5 file: what is in it, write one, read one.

    /image/bytes    uint8 (B,)       the encoded pictures one after the other, or
    /image/pixels   uint8 (N, H, W, 3) R, G, B for the encoding `raw`
    /image/offsets  int64 (N + 1,)   where each picture's bytes start
    /heatmap, /paf, /mask            (N, C, h, w), or (N, h, w, C) for the layout `hwc`; one chunk a sample
    /person/offsets int64 (N + 1,)   where each sample's people start
    /person/keypoints float32 (M, K, 3)   x, y in input pixels, v
    /person/bbox    float32 (M, 4)   x, y, width, height in input pixels; NaN where the annotation has none
    /person/annotation_id int64 (M,)
    /sample/image_id int64, file_name, width, height int32 (N,); affine float64 (N, 2, 3), image pixels to input pixels
    /sample/copy int32 (N,), view float64 (N, 5)   if views are drawn: scale, degrees, shift in x and y, 1 if mirrored

`layout` says how a label is stored and what the manifest says of a shard, `writer` writes one, `reader` reads one.
"""

from posegen.shard.layout import (
    FORMAT,
    FORMAT_VERSION,
    ShardRecord,
    StoredLabel,
    library_versions,
    parse_json,
    read_count,
)
from posegen.shard.reader import SAMPLE_FIELDS, VIEW_FIELDS, ArrayInfo, ShardReader
from posegen.shard.writer import BuiltSample, ShardWriter

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "SAMPLE_FIELDS",
    "VIEW_FIELDS",
    "ArrayInfo",
    "BuiltSample",
    "ShardReader",
    "ShardRecord",
    "ShardWriter",
    "StoredLabel",
    "library_versions",
    "parse_json",
    "read_count",
]
