"""Every number of the format, once, with the section of FORMAT.md that defines it."""

from __future__ import annotations

from typing import Final

FORMAT_VERSION: Final = 1  # FORMAT 1.3: shared by chunk, model and configuration
CODEC_NAME: Final = "zarrmal"  # FORMAT 5: name in zarr.json, id in .zarray

# FORMAT 2: model layout
MODEL_MAGIC: Final = b"ZMAM"
MODEL_HEADER_BYTES: Final = 12
MODEL_COMPRESSOR_NONE: Final = 0
MODEL_COMPRESSOR_ZLIB: Final = 1
MODEL_COMPRESSOR_XZ: Final = 2
MAX_MODEL_BODY_BYTES: Final = 1 << 26
MAX_MODEL_JSON_BYTES: Final = 1 << 20
MAX_CLASSES: Final = 64
MAX_TENSOR_RANK: Final = 8
MAX_TENSOR_USES: Final = 2  # once as it is, once transposed
TENSOR_DTYPES: Final = ("int8", "uint8", "int16", "uint16", "int32")

# FORMAT 3: integer layers
MAX_MULTIPLIER: Final = (1 << 16) - 1
MAX_SHIFT: Final = 46
MAX_ACCUMULATOR: Final = (1 << 31) - 1
MAX_EXACT_FLOAT32: Final = (1 << 24) - 1
RANGES: Final = {"int8": (-128, 127), "uint8": (0, 255)}

# FORMAT 4: chunk layout
CHUNK_MAGIC: Final = b"ZMAC"
CHUNK_PRELUDE_BYTES: Final = 24
MODE_STORED: Final = 0
MODE_DEFLATE: Final = 1
MODE_CELLS: Final = 2
DTYPE_UINT8: Final = 1
FLAG_FORTRAN_ORDER: Final = 1
MAX_RANK: Final = 32
MAX_CHUNK_PIXELS: Final = (1 << 31) - 1
DIGEST_PREFIX_BYTES: Final = 8
BLANK_CLASS: Final = 255  # FORMAT 4.3: a cell of zeros, without a stream
CHECK_INITIAL: Final = 0xFFFF  # FORMAT 4.4: CRC-16/IBM-3740, polynomial 0x1021
DEFLATE_MAX_RATIO: Final = 1032  # RFC 1951 cannot expand one byte to more

# FORMAT 4.5: streams of the profile `paper`
PROFILE_PAPER: Final = "paper"
MAX_RICE_PARAMETER: Final = 8
RICE_PER_CELL: Final = 0xFF
