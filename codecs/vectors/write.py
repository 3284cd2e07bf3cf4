"""Write the golden vectors: ``python codecs/vectors/write.py --force``.

Every later version must decode these bytes to the same pixels. So existing vectors are rewritten
only with --force, and only while FORMAT.md calls its version a draft.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np

VECTORS = Path(__file__).parent
sys.path[:0] = [str(VECTORS), str(VECTORS.parent / "tests")]

import any_dtype  # noqa: E402
import hybrid_models  # noqa: E402
import lattice_chunks  # noqa: E402
import models  # noqa: E402
import wide_vectors  # noqa: E402
from vector import Vector, cut, discs, masked, ramp, sized  # noqa: E402
from zarrmal_codecs.chunk.chunk import encode_chunk  # noqa: E402
from zarrmal_codecs.chunk.coder import Coder  # noqa: E402
from zarrmal_codecs.chunk.header import MODE_NAMES, parse_header  # noqa: E402
from zarrmal_codecs.silhouette.lattice import expand  # noqa: E402
from zarrmal_codecs.silhouette.silhouettes import Silhouettes  # noqa: E402

DRAFT = "Status: **draft until release**"


def around_128(amplitude: int, n_cells: int = 3) -> np.ndarray:
    """Cells whose residues under models.constant() alternate between +- amplitude."""
    signs = 1 - 2 * (np.arange(n_cells * 12) % 2)
    return (128 + signs * amplitude).astype(np.uint8).reshape(n_cells, 3, 4)


def fallback_vectors() -> list[Vector]:
    """Modes 0 and 1."""
    turned = np.asfortranarray(ramp(4, 5, 6, step=37))
    return [
        Vector("stored-empty", "no pixels: shape (0,)", ramp(0)),
        Vector("stored-no-cells", "no cells of a known shape", ramp(0, 6, 5), models.two_classes()),
        Vector("stored-empty-inside", "a zero between other sizes", ramp(3, 0, 5)),
        Vector("stored-scalar", "rank 0: one pixel", ramp().reshape(())),
        Vector("stored-one-pixel", "rank 3, one pixel", ramp(1, 1, 1) + np.uint8(7)),
        Vector("stored-1d", "rank 1, which deflate cannot make shorter", ramp(11, step=37)),
        Vector("stored-rank-32", "the highest rank", ramp(2, *[1] * 31, step=99)),
        Vector("deflate-1d", "rank 1, constant", np.full(500, 255, np.uint8)),
        Vector("deflate-2d", "rank 2", ramp(20, 30)),
        Vector("deflate-3d-other-shape", "cells that are not the model's", ramp(4, 9, 9) // 16,
               models.two_classes()),
        Vector("deflate-4d", "rank 4", ramp(4, 5, 6, 3) // 8),
        Vector("deflate-5d", "rank 5", ramp(2, 3, 4, 5, 3) // 4),
        Vector("deflate-fortran", "memory in Fortran order, pixels coded in C order",
               np.asfortranarray(ramp(12, 10, 8) // 32)),
        Vector("stored-fortran", "memory in Fortran order, stored", turned),
        Vector("deflate-black", "all zero", np.zeros((16, 16, 16), np.uint8)),
        Vector("deflate-decode-only", "a model without encoders: fallback",
               models.pixels(8, (9, 6, 5)) // 32, models.decode_only()),
    ]  # fmt: skip


def dtype_vectors() -> list[Vector]:
    """Modes 0 and 1 with items of other dtypes, of arbitrary bits."""
    every = [
        Vector(f"dtype-{dtype.name}{'-big' if dtype.str[0] == '>' else ''}", "one of each dtype",
               any_dtype.filled(dtype, (3, 2)))
        for dtype in any_dtype.NUMBERS if dtype != np.uint8
    ]  # fmt: skip
    half, steps = np.dtype("f2"), np.arange(2000, 2600)
    return [
        *every,
        Vector("dtype-nans", "zeros, infinities and NaNs", any_dtype.special_floats(half)),
        Vector("dtype-scalar", "rank 0: one item", np.array(-1.5, "f4")),
        Vector("dtype-empty", "no items", np.zeros((0, 3), "c8")),
        Vector("dtype-deflate", "similar numbers, deflated", steps.astype("<u2").reshape(30, 20)),
        Vector("dtype-deflate-big", "the same in big-endian order",
               steps.astype(">u2").reshape(30, 20)),
        Vector("dtype-fortran-big", "memory in Fortran and in big-endian order",
               any_dtype.filled(np.dtype(">f8"), (3, 2), order="F")),
        Vector("dtype-model", "the shape of the model's cells, another dtype: fallback",
               models.array(3, (2, 6, 5), 0, 4000, "int16"), models.two_classes()),
        Vector("dtype-times", "times: int64", steps[:9].astype("M8[s]").astype("M8[ns]")),
        Vector("dtype-strings", "strings of five bytes", np.array([b"one", b"", b"three"])),
        Vector("dtype-characters", "strings of UTF-32",
               np.array([["größe", "µ"], ["x", "細胞"]], "<U5")),
        Vector("dtype-fields", "a structure of 9 bytes", any_dtype.filled(
            np.dtype(any_dtype.FIELDS), (2, 2))),
    ]  # fmt: skip


def cell_vectors() -> list[Vector]:
    """Mode 2."""
    two, colour = models.two_classes(), models.colour()
    cells = models.pixels(11, (7, 6, 5))
    noise = models.array(12, (4, 6, 5), 0, 255, "uint8")
    padded = np.concatenate([cells[:3], np.zeros((5, 6, 5), np.uint8)])
    rice = [
        Vector(f"cells-rice-{s}", f"Rice parameter {s} from the mean", around_128(a),
               models.constant())
        for s, a in enumerate((1, 2, 4, 8, 16, 32, 64, 127))
    ]  # fmt: skip
    return [
        *rice,
        Vector("cells-rice-8", "Rice parameter 8: no unary part", around_128(127),
               models.constant(), "best"),
        Vector("cells-exact", "every residue is 0", around_128(0), models.constant()),
        Vector("cells-per-cell", "Rice parameter of each cell, 0 to 8",
               np.concatenate([around_128(a, 1) for a in (0, 2, 4, 8, 16, 32, 64, 127)]),
               models.constant(), "best-per-cell"),
        Vector("cells-one", "one cell", cells[:1], models.one_class()),
        Vector("cells-grey", "two classes, chosen by length", cells, two),
        Vector("cells-best", "best Rice parameter of the chunk", noise, two, "best"),
        Vector("cells-unsorted", "class runs that go back and forth", cells, two,
               classes=(1, 0, 0, 1, 0, 1, 1)),
        Vector("cells-second-class", "a class without cells before one with", cells[:3], two,
               classes=(1, 1, 1)),
        Vector("cells-padded", "the last chunk of an axis, padded with blank cells", padded, two,
               classes=(0, 0, 1, 1, 1, 1, 1, 1)),
        Vector("cells-blank-only", "all cells blank: no payload", padded[3:], two),
        Vector("cells-blank-between", "blank cells first and in between",
               np.stack([padded[k] for k in (7, 0, 6, 5, 1)]), two, "best-per-cell"),
        Vector("cells-fortran", "memory in Fortran order", np.asfortranarray(cells), two,
               classes=(0, 1, 0, 1, 0, 1, 0)),
        Vector("cells-colour", "cells of (y, x, channel)", models.pixels(13, (5, 4, 4, 3)), colour,
               "best-per-cell", (0, 0, 1, 1, 1)),
        Vector("cells-line", "cells of rank 1", models.array(14, (6, 7), 0, 255, "uint8"),
               models.line()),
        Vector("cells-one-layer", "one layer", models.pixels(15, (4, 3, 3)), models.one_layer()),
        Vector("cells-extremes", "weights -128, multiplier 65535, shifts 0 and 46",
               models.array(16, (6, 2, 3), 0, 255, "uint8"), models.extremes(),
               classes=(0, 1, 0, 1, 0, 1)),
        Vector("cells-wide", "an encoder of more than one float32 piece",
               models.pixels(17, (2, 30, 37)), models.wide(), "best"),
        Vector("cells-many", "200 cells: varints of two bytes",
               models.pixels(18, (200, 3, 3)), models.one_layer()),
    ]  # fmt: skip


def silhouette_vectors() -> list[Vector]:
    """Mode 2 with silhouettes."""
    grey, colour = hybrid_models.cut_out(), hybrid_models.cut_out_colour()
    masks: list[np.ndarray | None] = [expand(points, 3) for points in discs(6, 6, 5)]
    masks[2] = None
    given = Silhouettes(masks=masks, resampling="triangle")
    cells = cut(models.pixels(51, (6, 7, 5)), given)
    cells[1, 6, 0] = cells[3] = 0
    masks[4] = np.zeros((16, 13), bool)  # contradicted
    sizes_and_zeros = sized(52)
    sizes_and_zeros[1, :2, 4:] = sizes_and_zeros[4, 2:6, :2] = 0
    others = {
        name: Silhouettes(masks=discs(3, 13, 4), resampling=name)
        for name in ("box", "area", "linear", "nearest")
    }
    return [
        Vector("hybrid-silhouettes", "masks on a lattice of 3, triangle; one cell without, "
               "one black, one that contradicts its mask", cells, grey, classes=(0, 1, 0, 1, 0, 1),
               silhouettes=given),
        Vector("hybrid-silhouettes-colour", "masks of the cells' own zeros, three steps",
               masked(models.pixels(53, (4, 5, 4, 3))), colour),
        Vector("hybrid-silhouettes-sizes", "masks of the cells' own zeros and sizes, some latents",
               sizes_and_zeros, grey),
        *[Vector(f"hybrid-silhouettes-{name}", f"masks resampled by {name}, lattice of 1",
                 cut(models.pixels(54 + k, (3, 6, 9)), each), grey, silhouettes=each)
          for k, (name, each) in enumerate(others.items())],
    ]  # fmt: skip


def hybrid_vectors() -> list[Vector]:
    """Mode 2 with models of profile `hybrid`."""
    grey, two, colour = (hybrid_models.HYBRID[n]() for n in ("grey", "grey_latent", "colour"))
    cells = masked(models.pixels(31, (5, 7, 5)))
    noise = models.array(32, (3, 7, 5), 0, 255, "uint8")
    rgb = masked(models.pixels(33, (4, 5, 4, 3)))
    rgb[:2, 1:3, 1:3, 1] = 0  # zero in one channel alone
    padded = np.concatenate([cells[:2], np.zeros((3, 7, 5), np.uint8)])
    return [
        Vector("hybrid-grey", "one step, no prediction", cells, grey),
        Vector("hybrid-noise", "values that the network does not expect", noise, grey),
        Vector("hybrid-extremes", "only 255: the base is clipped",
               np.full((2, 7, 5), 255, np.uint8), grey),
        Vector("hybrid-latent", "two classes with latents, chosen by length", cells, two),
        Vector("hybrid-unsorted", "class runs that go back and forth", cells, two,
               classes=(1, 0, 0, 1, 0)),
        Vector("hybrid-no-encoder", "latents of zero", cells[:3], hybrid_models.no_encoder()),
        Vector("hybrid-shared", "three classes that share tensors",
               masked(models.pixels(34, (6, 6, 6))), hybrid_models.shared(),
               classes=(0, 0, 1, 1, 2, 2)),
        Vector("hybrid-padded", "blank cells at the end", padded, two),
        Vector("hybrid-blank-between", "blank cells first and in between",
               np.stack([padded[k] for k in (4, 0, 3, 2, 1)]), grey),
        Vector("hybrid-blank-only", "no payload", padded[2:], grey),
        Vector("hybrid-fortran", "memory in Fortran order", np.asfortranarray(cells), two),
        Vector("hybrid-other-shape", "cells larger than the model's: no latents",
               masked(models.pixels(35, (3, 9, 11))), two),
        Vector("hybrid-one-row", "cells of one row", models.pixels(36, (3, 1, 8)), two),
        Vector("hybrid-one-pixel", "cells of one pixel", models.pixels(37, (4, 1, 1)), grey),
        Vector("hybrid-colour", "three steps, green first", rgb, colour),
        Vector("hybrid-colour-latent", "three steps and latents", rgb,
               hybrid_models.colour_latent()),
        Vector("hybrid-colour-other-shape", "the model's channels, another size",
               models.pixels(38, (2, 3, 6, 3)), hybrid_models.colour_latent()),
        Vector("hybrid-four-planes", "four channels, all 40 causal neighbours",
               masked(models.pixels(39, (3, 3, 3, 4))), hybrid_models.four_planes()),
        Vector("hybrid-many", "130 cells: varints of two bytes",
               models.pixels(40, (130, 2, 1)), grey),
        Vector("hybrid-sizes", "cells of several sizes, one of them black", sized(36), grey),
        Vector("hybrid-sizes-latent", "some cells have the model's shape, and latents", sized(41),
               two),
        Vector("hybrid-sizes-colour", "three steps", sized(42, 3), hybrid_models.colour_latent()),
        Vector("hybrid-stored", "channels that are not the model's: fallback",
               rgb.transpose(0, 3, 1, 2), colour),
    ]  # fmt: skip


def lattice_vectors() -> list[Vector]:
    """Mode 2 with cells that are JPEG coefficients."""
    return [
        Vector(f"lattice-{name}", case.shows, case.array, case.model, classes=case.classes,
               jpeg=case.jpeg)
        for name, case in lattice_chunks.CASES.items()
    ]  # fmt: skip


def write(folder: Path, *, force: bool) -> None:
    """Write all vectors and their index."""
    index_path = folder / "index.json"
    format_text = (VECTORS.parent / "FORMAT.md").read_text(encoding="utf-8")
    if index_path.exists():
        if DRAFT not in format_text:
            sys.exit("this format version is released: its vectors stay as they are")
        if not force:
            sys.exit("the vectors exist: rewrite them with --force while the format is a draft")
        for name in json.loads(index_path.read_text(encoding="utf-8")):
            shutil.rmtree(folder / name, ignore_errors=True)
    index = {}
    vectors = [*fallback_vectors(), *dtype_vectors(), *cell_vectors(), *hybrid_vectors()]
    vectors += [*silhouette_vectors(), *wide_vectors.vectors(), *wide_vectors.mask_vectors()]
    vectors += lattice_vectors()
    for vector in vectors:
        coder = Coder(vector.model) if vector.model else None
        classes = None if vector.classes is None else np.array(vector.classes)
        fortran_order = vector.array.flags.f_contiguous and not vector.array.flags.c_contiguous
        data = encode_chunk(
            vector.array,
            coder,
            classes=classes,
            rice=vector.rice,
            keep_cells=True,
            fortran_order=fortran_order,
            silhouettes=vector.silhouettes,
            jpeg=vector.jpeg,
        )
        destination = folder / vector.name
        destination.mkdir(parents=True)
        (destination / "chunk.bin").write_bytes(data)
        if vector.model:
            (destination / "model.zmal").write_bytes(vector.model.to_bytes())
        header = parse_header(memoryview(data))
        index[vector.name] = {
            "shows": vector.shows,
            "mode": MODE_NAMES[header.mode],
            "dtype": header.dtype.str,
            "shape": list(vector.array.shape),
            "order": "F" if fortran_order else "C",
            "pixels_sha256": hashlib.sha256(vector.array.tobytes()).hexdigest(),
            "model": vector.model is not None,
            "rice": vector.rice,
            "classes": None if vector.classes is None else list(vector.classes),
        }
    index_path.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--folder", type=Path, default=VECTORS)
    arguments = parser.parse_args()
    write(arguments.folder, force=arguments.force)
