"""The numbers of the format, each defined once, with its section of FORMAT.md."""

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
MAX_JSON_DEPTH: Final = 64  # FORMAT 1.6: arrays and objects inside each other
MAX_CLASSES: Final = 64
MAX_TENSOR_RANK: Final = 8
MAX_LARGE_TENSOR_USES: Final = 2  # once as it is, once transposed
MAX_SMALL_TENSOR: Final = 1 << 16  # items of a tensor that layers may use any number of times
MAX_LAYERS: Final = 32  # of a network
MAX_LAYER_WIDTH: Final = 1 << 20
DEPTHS: Final = (8, 16)  # bits of the values that networks see
TENSOR_DTYPES: Final = ("int8", "uint8", "int16", "uint16", "int32")

# FORMAT 3: integer layers
MAX_MULTIPLIER: Final = (1 << 16) - 1
MAX_SHIFT: Final = 46
MAX_ACCUMULATOR: Final = (1 << 30) - 1
MAX_EXACT_FLOAT32: Final = (1 << 24) - 1
INPUT_RANGES: Final = {"int8": (-128, 127), "uint7": (0, 127), "uint8": (0, 255)}
OUTPUT_RANGES: Final = INPUT_RANGES | {"int32": (-(1 << 31), (1 << 31) - 1)}

# FORMAT 4: chunk layout
CHUNK_MAGIC: Final = b"ZMAC"
CHUNK_PRELUDE_BYTES: Final = 24
MODE_STORED: Final = 0
MODE_DEFLATE: Final = 1
MODE_CELLS: Final = 2
MODE_MASKS: Final = 3
DTYPE_UINT8: Final = 1
DTYPE_BOOL: Final = 2
DTYPE_UINT16: Final = 7
DTYPE_CODES: Final = {  # of NumPy's names: kind and bytes
    "u1": DTYPE_UINT8,
    "b1": DTYPE_BOOL,
    "i1": 3,
    "i2": 4,
    "i4": 5,
    "i8": 6,
    "u2": DTYPE_UINT16,
    "u4": 8,
    "u8": 9,
    "f2": 10,
    "f4": 11,
    "f8": 12,
    "c8": 13,
    "c16": 14,
}
DTYPE_OTHER: Final = 15  # items of any other kind, whose size is in the header
FLAG_FORTRAN_ORDER: Final = 1
FLAG_WORD_STREAMS: Final = 2  # FORMAT 4.3: lengths in 16-bit words, no checks
FLAG_BIG_ENDIAN: Final = 4
FLAG_SIZES: Final = 8  # FORMAT 4.3: each cell has a height and a width
FLAG_SILHOUETTES: Final = 16  # FORMAT 4.3: cells have silhouettes
FLAG_CHANNELS_FIRST: Final = 32  # FORMAT 4.3: cells are (channel, y, x)
FLAG_LATTICE: Final = 64  # FORMAT-lattice 9: some cells are coded as coefficients
WORD_BYTES: Final = 2
MAX_RANK: Final = 32
MAX_CHUNK_PIXELS: Final = (1 << 31) - 1  # of one byte: bytes of all items
DIGEST_PREFIX_BYTES: Final = 8
CELL_PIXELS_PER_BYTE: Final = 1 << 16  # FORMAT 1.6: a blank cell costs one bit
BLANK_CLASS: Final = 255  # FORMAT 4.3: a cell of zeros, without a stream
CHECK_INITIAL: Final = 0xFFFF  # FORMAT 1.7: CRC-16/IBM-3740, polynomial 0x1021
DEFLATE_MAX_RATIO: Final = 1032  # the most bytes that RFC 1951 can give for one

# FORMAT 4.5: streams of the profile `paper`
PROFILE_PAPER: Final = "paper"
MAX_RICE_PARAMETER: Final = 8
RICE_PER_CELL: Final = 0xFF

# FORMAT 6: streams of the profile `hybrid`
PROFILE_HYBRID: Final = "hybrid"
MAX_PLANES: Final = 64
MAX_EARLIER: Final = 3  # planes that a step sees
MAX_HYBRID_CELL_PIXELS: Final = 1 << 22
MAX_HYBRID_CELL_SIDE: Final = 1 << 12  # working memory is 13 times as large for one long row
HYBRID_PIXELS_PER_BYTE: Final = 4096  # an upper bound for any stream
REACH: Final = 6  # largest distance of a neighbour, in rows or columns
MAX_CAUSAL: Final = 40
MIN_CAUSAL: Final = 4
MAX_FULL: Final = 24
MAX_LATENTS: Final = 256
MAX_COMPONENTS: Final = 4
MAX_CONTEXT_INPUTS: Final = 255
MAX_CONTEXT_WIDTH: Final = 256
MAX_CONTEXT_SHIFT: Final = 24
ACTIVATION_MAX: Final = 127
ACTIVATION_ZERO: Final = 64  # the input for a difference of 0
LATENT_GAIN: Final = 8  # latents are small, and their weights have the scale of the others
MIDDLE_GREY: Final = 128
N_KNOTS: Final = 65
KNOT_TOTAL: Final = 1 << 15
N_SLOPES: Final = 128
BLANK_LIMIT: Final = 255
LOCATION_LIMIT: Final = 4096  # sixteenths of a grey level
FREQUENCY_TOTAL: Final = 1 << 16
LEVEL_BIN: Final = 256  # FORMAT 6.3.2: levels of one high part
DEEP_LOCATION_LIMIT: Final = 32768  # the same for models of depth 16
MAX_LEVEL: Final = (1 << 16) - 1
RANS_LOWEST: Final = 1 << 16
RANS_STATE_BYTES: Final = 4

# FORMAT 4.7: silhouettes
MAX_LATTICE_SPACING: Final = 15
MAX_TEMPLATE: Final = 16  # pixels of the mask that are the context of the next one
MASK_POINTS_PER_BYTE: Final = 1 << 17  # an upper bound for any stream
MAX_SILHOUETTE_PIXELS: Final = 1 << 22
MAX_SILHOUETTE_SIDE: Final = 1 << 12
MAX_COVERAGE_INPUTS: Final = 25
LEAST_COVERAGE: Final = 16  # of a pixel that tells something about the brightness of others

# FORMAT-lattice: cells as the coefficients of JPEG pictures
LATTICE_KINDS: Final = 3  # of planes that have weights of their own: first, second, third
MAX_CAMERAS: Final = 1 << 12  # of a chunk
CAMERA_BYTES: Final = 391  # of each camera before they are deflated
MAX_LEAST_VISIBLE: Final = 64  # limits from which on blocks are coded, in 64ths of a block
