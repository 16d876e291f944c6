"""Pictures: read, decoded, checked against their annotation, mapped into the input, encoded.

`files` reads them, `header` tells a size without decoding, `codec` decodes and encodes, `warp` maps them into the
input, `augment` draws the random views that they are seen in.
"""

from typing import Literal

ImageEncoding = Literal["jpeg", "png", "raw"]
"""How a picture is stored: encoded, or as its pixels."""
