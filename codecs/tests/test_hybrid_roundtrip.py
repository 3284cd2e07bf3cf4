"""Profile `hybrid`: cells of any size are decoded bit for bit (FORMAT 6)."""

from __future__ import annotations

import hashlib
import lzma

import hybrid_models
import models
import numpy as np
import pytest
import reference_decoder
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from law import round_trip
from zarrmal_codecs import Model, ModelError, TruncatedError, ZarrmalCodec, array_arguments
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.chunk.header import MODE_CELLS, MODE_DEFLATE, Header
from zarrmal_codecs.constants import BLANK_CLASS
from zarrmal_codecs.silhouette.coverage import RESAMPLINGS
from zarrmal_codecs.silhouette.lattice import expand
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

CODERS = {name: Coder(make()) for name, make in hybrid_models.HYBRID.items()}
CUT_OUT = [name for name, coder in CODERS.items() if coder.takes_silhouettes]
SIZES = [(1, 1), (1, 7), (7, 3), (2, 2), (13, 1)]


def cells_of(coder: Coder, n: int, *size: int) -> np.ndarray:
    """Cell-like images with the coder's channels, one of them blank."""
    shape = (*(size or coder.model.cell_shape[:2]), *coder.model.cell_shape[2:])
    cells = models.pixels(41, (n, *shape))
    cells[:, : shape[0] // 3] = 0  # as masked cells have it
    if n > 2:
        cells[2] = 0
    return cells


def check_against_reference(cells: np.ndarray, coder: Coder, **options: object) -> None:
    data = encode_chunk(cells, coder, **options)
    parsed = reference_decoder.parse_model(coder.model.to_bytes())
    assert reference_decoder.decode_chunk(data, parsed)[2] == cells.tobytes()


@pytest.mark.parametrize("name", CODERS)
@pytest.mark.parametrize("content", ["zeros", "ones", "full", "noise", "like cells"])
def test_contents(name, content):
    coder = CODERS[name]
    shape = (4, *coder.model.cell_shape)
    cells = {
        "zeros": np.zeros(shape, np.uint8),
        "ones": np.ones(shape, np.uint8),
        "full": np.full(shape, 255, np.uint8),
        "noise": models.array(42, shape, 0, 255, "uint8"),
        "like cells": cells_of(coder, 4),
    }[content]
    for view in (cells, np.asfortranarray(cells), cells[::-2]):
        header = round_trip(view, coder)
        assert header.mode == MODE_CELLS
        assert header.index.checks is None
        blank = ~view.reshape(len(view), -1).any(axis=1)
        np.testing.assert_array_equal(header.index.classes == BLANK_CLASS, blank)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", CODERS)
def test_other_sizes(name, size):
    coder = CODERS[name]
    cells = cells_of(coder, 5, *size)
    assert round_trip(cells, coder).mode == MODE_CELLS
    check_against_reference(cells, coder)


@pytest.mark.parametrize("name", CODERS)
def test_trained_size_through_the_reference_decoder(name):
    coder = CODERS[name]
    check_against_reference(cells_of(coder, 4), coder)


def sized(coder: Coder, n: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells padded to a height and a width, and their own sizes; one is black."""
    channels = coder.model.cell_shape[2:]
    cells = np.zeros((n, height, width, *channels), np.uint8)
    sizes = 1 + models.array(71, (n, 2), 0, 10**6, "int64") % (np.array([height, width]) // 2)
    sizes[0] = height, width
    sizes[1] = coder.model.cell_shape[:2]
    for k, (h, w) in enumerate(sizes.tolist()):
        cells[k, :h, :w] = models.pixels(72 + k, (1, h, w, *channels))[0]
    cells[2] = 0
    return cells, sizes.astype(np.uint16)


@pytest.mark.parametrize("name", CODERS)
def test_padded_cells_are_coded_at_their_own_size(name):
    coder = CODERS[name]
    cells, sizes = sized(coder, 12, 16, 14)
    header = round_trip(cells, coder)
    present = header.index.classes != BLANK_CLASS
    assert not present[2]
    np.testing.assert_array_equal(header.index.sizes[present], sizes[present])
    check_against_reference(cells, coder)
    # The same streams as of the cells alone: latents too, where the size is the model's.
    for k in np.flatnonzero(present).tolist():
        h, w = sizes[k].tolist()
        padded, cell, own = cells[k : k + 1], cells[k : k + 1, :h, :w], sizes[k : k + 1]
        for cut in {False, coder.takes_silhouettes}:
            outlined = (
                (coder.outline(padded, own, None), coder.outline(cell, None, None))
                if cut
                else (None, None)
            )
            alone = coder.cells(0).encode(cell, "mean", None, outlined[1])[1]
            assert coder.cells(0).encode(padded, "mean", own, outlined[0])[1] == alone


def blobs(n: int, rows: int, columns: int, seed: int = 81) -> list[np.ndarray]:
    """Discs that reach beyond the edges here and there, with a hole, bool (rows, columns)."""
    y, x = np.ogrid[:rows, :columns]
    out = []
    for a, b, r in models.array(seed, (n, 3), 0, 99, "int64").tolist():
        distance = (2 * y - a * rows // 50) ** 2 + (2 * x - b * columns // 50) ** 2
        radius = (rows + columns) * (60 + r) // 100
        mask = distance <= radius * radius
        mask[rows // 2, columns // 3 :: 7] = False
        out.append(mask)
    return out


def cut(coder: Coder, silhouettes: Silhouettes, *size: int) -> np.ndarray:
    """Cells of the coder's channels that agree with their silhouettes; some pixels are 0."""
    channels = coder.model.cell_shape[2:]
    cells = models.pixels(82, (len(silhouettes), *size, *channels)).astype(np.int64)
    covered = silhouettes.coverage(size).astype(np.int64)
    return (cells * covered.reshape(*covered.shape, *[1] * len(channels)) // 255).astype(np.uint8)


def has_silhouette(header: Header) -> list[bool]:
    outlines = header.index.outlines
    return [False] * header.shape[0] if outlines is None else (outlines.spacings > 0).tolist()


@pytest.mark.parametrize("name", CUT_OUT)
@pytest.mark.parametrize("resampling", RESAMPLINGS)
def test_given_silhouettes(name, resampling):
    coder = CODERS[name]
    for size, (rows, columns) in (
        (coder.model.cell_shape[:2], (22, 13)),
        ((9, 6), (3, 31)),
        ((4, 11), (4, 11)),
        ((1, 1), (1, 1)),
    ):
        n_rows, n_columns = size if resampling == "same" else (rows, columns)
        masks = [*blobs(4, n_rows, n_columns), np.ones((n_rows, n_columns), bool)]
        silhouettes = Silhouettes(masks=masks, resampling=resampling)
        cells = cut(coder, silhouettes, *size)
        cells[3] = 0
        header = round_trip(cells, coder, silhouettes=silhouettes, keep_cells=True)
        assert has_silhouette(header) == cells.any(axis=tuple(range(1, cells.ndim))).tolist()
        assert header.index.outlines.resampling == resampling
        check_against_reference(cells, coder, silhouettes=silhouettes, keep_cells=True)


@pytest.mark.parametrize("spacing", range(1, 16))
def test_silhouettes_on_lattices(spacing):
    coder = CODERS["cut_out"]
    masks = [expand(points, spacing) for points in blobs(3, 5, 4)]
    silhouettes = Silhouettes(masks=masks, resampling="triangle")
    cells = cut(coder, silhouettes, 7, 5)
    header = round_trip(cells, coder, silhouettes=silhouettes, keep_cells=True)
    np.testing.assert_array_equal(header.index.outlines.spacings, spacing)
    check_against_reference(cells, coder, silhouettes=silhouettes, keep_cells=True)
    same = Silhouettes(masks=masks)
    cells = cut(coder, same, *masks[0].shape)
    header = round_trip(cells, coder, silhouettes=same, keep_cells=True)
    np.testing.assert_array_equal(header.index.outlines.spacings, spacing)
    if spacing < 4:
        check_against_reference(cells, coder, silhouettes=same, keep_cells=True)


@pytest.mark.parametrize("name", CUT_OUT)
def test_cells_without_silhouette_among_others(name):
    coder, size = CODERS[name], CODERS[name].model.cell_shape[:2]
    masks: list = blobs(7, 20, 14)
    silhouettes = Silhouettes(masks=masks, resampling="triangle")
    cells = cut(coder, silhouettes, *size)
    masks[1] = masks[4] = None
    cells[4] = models.pixels(83, (1, *cells.shape[1:]))[0]
    masks[2] = np.zeros((20, 14), bool)  # contradicted by all pixels
    masks[5] = masks[5].copy()
    masks[5][:10] = False  # contradicted by some
    cells[5, :5] |= 1
    given = Silhouettes(masks=masks, resampling="triangle")
    header = round_trip(cells, coder, silhouettes=given, keep_cells=True)
    assert has_silhouette(header) == [True, False, False, True, False, False, True]
    check_against_reference(cells, coder, silhouettes=given, keep_cells=True)
    none = round_trip(
        cells, coder, silhouettes=given.without(np.arange(7) % 3 == 0), keep_cells=True
    )
    assert none.index.outlines is None


@pytest.mark.parametrize("name", CUT_OUT)
def test_silhouettes_of_cells_with_sizes(name):
    coder = CODERS[name]
    cells, sizes = sized(coder, 8, 16, 14)
    masks: list = [cell.any(axis=2) if cell.ndim == 3 else cell > 0 for cell in cells]
    for k, (height, width) in enumerate(sizes.tolist()):
        cells[k, : height // 2, : width // 2] = 0
        masks[k] = masks[k][: height + 2, :width]
        masks[k][: height // 2, : width // 2] = False
    masks[6] = None
    given = Silhouettes(masks=masks)
    header = round_trip(cells, coder, silhouettes=given, keep_cells=True)
    assert header.index.sizes is not None
    assert has_silhouette(header) == [k not in (2, 6) for k in range(8)]
    check_against_reference(cells, coder, silhouettes=given, keep_cells=True)


def test_silhouettes_in_more_than_one_block(monkeypatch):
    from zarrmal_codecs.hybrid import cells as hybrid

    coder = CODERS["cut_out"]
    silhouettes = Silhouettes(masks=blobs(23, 20, 14), resampling="area")
    cells = cut(coder, silhouettes, 7, 5)
    data = encode_chunk(cells, coder, silhouettes=silhouettes, keep_cells=True)
    for name, value in (("BLOCK_CELLS", 7), ("BLOCK_PIXELS", 700), ("LANES", 3)):
        with monkeypatch.context() as patch:
            patch.setattr(hybrid, name, value)
            assert encode_chunk(cells, coder, silhouettes=silhouettes, keep_cells=True) == data
            np.testing.assert_array_equal(decode_chunk(data, coder), cells)


def test_sizes_are_stored_where_they_save_a_tenth_of_the_pixels():
    coder = CODERS["grey"]
    for rows, has_sizes in ((9, True), (10, False)):
        cells = models.pixels(73, (3, 10, 10))
        cells[:, rows:] = 0
        assert (round_trip(cells, coder).index.sizes is not None) == has_sizes
    assert round_trip(np.zeros((3, 10, 10), np.uint8), coder).index.sizes is None


def test_sized_cells_in_more_than_one_block(monkeypatch):
    from zarrmal_codecs.hybrid import cells as hybrid

    coder = CODERS["colour_latent"]
    cells, _ = sized(coder, 40, 12, 11)
    data = encode_chunk(cells, coder)
    for name, value in (("BLOCK_CELLS", 7), ("BLOCK_PIXELS", 600), ("LANES", 3)):
        with monkeypatch.context() as patch:
            patch.setattr(hybrid, name, value)
            assert encode_chunk(cells, coder) == data
            np.testing.assert_array_equal(decode_chunk(data, coder), cells)


def test_the_class_of_a_sized_cell_is_the_shortest():
    coder = CODERS["grey_latent"]
    cells, sizes = sized(coder, 12, 16, 14)
    header = round_trip(cells, coder)
    present = header.index.classes != BLANK_CLASS
    shortest = coder.bits(cells, sizes).argmin(axis=1)
    np.testing.assert_array_equal(header.index.classes[present], shortest[present])


def test_a_real_size():
    coder = CODERS["grey"]
    assert round_trip(cells_of(coder, 3, 50, 50), coder).mode == MODE_CELLS


def test_classes_as_asked():
    for name in ("grey_latent", "shared"):
        coder = CODERS[name]
        n = len(coder.model.classes)
        classes = np.arange(7) % n
        header = round_trip(cells_of(coder, 7), coder, classes=classes)
        kept = header.index.classes != BLANK_CLASS
        np.testing.assert_array_equal(header.index.classes[kept], classes[kept])
        check_against_reference(cells_of(coder, 7), coder, classes=classes)


def test_each_cell_goes_to_its_shortest_class():
    coder = CODERS["grey_latent"]
    cells = models.pixels(43, (9, 7, 5))
    header = round_trip(cells, coder)
    bits = coder.bits(cells)
    np.testing.assert_array_equal(header.index.classes, bits.argmin(axis=1))
    for k in range(2):
        streams = coder.cells(k).encode(cells, "mean")[1]
        lengths = np.array([8 * len(stream) for stream in streams])
        assert (np.abs(lengths - bits[:, k] - 8) <= 10).all()  # half a word, the last state


def test_a_stream_does_not_depend_on_its_neighbours():
    coder = CODERS["colour_latent"].cells(0)
    cells = models.pixels(44, (9, 5, 4, 3))
    together = coder.encode(cells, "mean")[1]
    assert together == [coder.encode(cell[None], "mean")[1][0] for cell in cells]


def test_more_cells_than_a_block(monkeypatch):
    from zarrmal_codecs.hybrid import cells as hybrid

    cells = models.pixels(45, (11, 7, 5))
    data = encode_chunk(cells, CODERS["grey_latent"])
    monkeypatch.setattr(hybrid, "BLOCK_CELLS", 4)
    assert encode_chunk(cells, CODERS["grey_latent"]) == data
    round_trip(cells, CODERS["grey_latent"])


@pytest.mark.parametrize(
    "shape",
    [(0, 7, 5), (3, 0, 5), (3, 7, 0), (7,), (3, 7), (3, 7, 5, 1), (3, 7, 5, 3), ()],
    ids=str,
)
def test_what_is_no_cell_falls_back(shape):
    array = models.array(46, shape, 0, 255, "uint8")
    assert round_trip(array, CODERS["grey"]).mode != MODE_CELLS


def test_channels_first_and_otherwise_transposed_colours():
    cells = cells_of(CODERS["colour"], 4)
    data = encode_chunk(cells, CODERS["colour"])
    for axes in ((0, 3, 1, 2), (3, 1, 2, 0), (1, 2, 3, 0)):
        turned = cells.transpose(axes)
        header = round_trip(turned, CODERS["colour"])
        assert (header.mode == MODE_CELLS) == (axes == (0, 3, 1, 2))
        assert header.channels_first == (axes == (0, 3, 1, 2))
    turned = cells.transpose(0, 3, 1, 2)
    check_against_reference(np.ascontiguousarray(turned), CODERS["colour"])
    # The streams are those of the cells with channels last.
    assert encode_chunk(turned, CODERS["colour"])[-50:] == data[-50:]
    # Where both could be meant, channels are last.
    assert not round_trip(cells_of(CODERS["colour"], 2, 3, 4), CODERS["colour"]).channels_first


def test_a_cell_of_too_many_pixels_falls_back():
    cells = np.zeros((1, 1 << 12, (1 << 10) + 1), np.uint8)
    assert round_trip(cells, CODERS["grey"]).mode != MODE_CELLS


def test_blank_cells_of_the_largest_size():
    cells = np.zeros((64, 1 << 11, 1 << 11), np.uint8)
    assert round_trip(cells[:, :128, :256], CODERS["grey"]).mode == MODE_CELLS
    # More pixels for a byte than a reader believes in cells: deflated.
    assert round_trip(cells[:2], CODERS["grey"]).mode == MODE_DEFLATE


@st.composite
def any_cells(draw: st.DrawFn) -> tuple[Coder, np.ndarray]:
    coder = CODERS[draw(st.sampled_from(sorted(CODERS)))]
    n, y, x = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    shape = draw(st.sampled_from([(y, x, *coder.model.cell_shape[2:]), coder.model.cell_shape]))
    return coder, draw(hnp.arrays(np.uint8, (n, *shape)))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(any_cells())
def test_any_cells(case):
    coder, cells = case
    assert round_trip(cells, coder).mode == MODE_CELLS


def test_shared_tensors_are_stored_once():
    model = hybrid_models.shared()
    alone = [hybrid_models.hybrid_model((6, 6), one) for one in model.classes]
    n_networks = sum(
        layer.weight.nbytes for layers in model.classes[0].networks.values() for layer in layers
    )
    assert model.n_bytes < alone[0].n_bytes + 2 * (n_networks + 700)
    again = Model.from_bytes(model.to_bytes())
    assert again.to_bytes() == model.to_bytes()
    for one, other in zip(model.classes, again.classes, strict=True):
        assert sorted(one.tensors) == sorted(other.tensors)
        for key, tensor in one.tensors.items():
            np.testing.assert_array_equal(other.tensors[key], tensor)
        for layer, twin in zip(one.steps[0].layers, other.steps[0].layers, strict=True):
            np.testing.assert_array_equal(twin.weight, layer.weight)
            np.testing.assert_array_equal(twin.bias, layer.bias)
            np.testing.assert_array_equal(twin.shift, layer.shift)
    a, b = (each.steps[0].layers[0] for each in again.classes[:2])
    assert a.weight is b.weight


def test_steps_share_networks_and_weights():
    model = hybrid_models.six_planes()
    again = Model.from_bytes(model.to_bytes())
    assert again.to_bytes() == model.to_bytes()
    steps = again.classes[0].steps
    for k in range(3):
        assert steps[3].layers[k].weight is steps[2].layers[k].weight
        assert steps[4].layers[k].weight is steps[2].layers[k].weight
    assert steps[3].layers[2].bias is steps[2].layers[2].bias
    assert steps[4].layers[2].bias is not steps[2].layers[2].bias
    assert [(step.plane, step.earlier, step.follows) for step in steps] == [
        (3, (), False), (0, (0,), True), (5, (1, 0), False),
        (1, (0, 2), True), (4, (3, 1), False), (2, (4, 0, 2), True),
    ]  # fmt: skip


def test_the_digest_is_that_of_the_body():
    # So a model has one name, however it is compressed.
    model = hybrid_models.deep()
    body = lzma.decompress(model.to_bytes()[12:])
    plain = model.to_bytes()[:5] + b"\0" + model.to_bytes()[6:12] + body
    again = Model.from_bytes(plain)
    assert again.digest == model.digest == hashlib.sha256(body).hexdigest()
    assert again.to_bytes() == plain
    assert again.depth == 16
    assert Model.from_base64(again.to_base64(), model.digest) == model


def test_without_an_encoder_latents_are_zero():
    coder = CODERS["no_encoder"]
    assert coder.can_encode
    cells = cells_of(coder, 2)
    twin = hybrid_models.hybrid_model((7, 5), hybrid_models.hybrid_class(7, "x", 1, n_latents=3))
    assert Coder(twin).cells(0).encode(cells, "mean")[1] != coder.cells(0).encode(cells, "mean")[1]
    check_against_reference(cells, coder)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_arrays_of_any_size(zarr_format):
    model = hybrid_models.colour_latent()
    for size in ((5, 4), (6, 3)):
        cells = models.pixels(47, (10, *size, 3))
        store = zarr.storage.MemoryStore()
        array = zarr.create_array(
            store,
            shape=cells.shape,
            chunks=(4, *cells.shape[1:]),
            dtype="uint8",
            **array_arguments(model, zarr_format=zarr_format),
        )
        array[:] = cells
        result = zarr.open_array(store, mode="r")
        np.testing.assert_array_equal(result[:], cells)
        for row in range(10):
            np.testing.assert_array_equal(result[row], cells[row])


@pytest.mark.parametrize("n_bytes", [0, 2, 3, 5, 7])
def test_streams_are_a_state_and_whole_words(n_bytes):
    with pytest.raises(TruncatedError, match="whole words"):
        CODERS["grey"].cells(0).decode([memoryview(bytes(n_bytes))], 0, (2, 2))


def test_a_codec_of_a_hybrid_model_says_what_it_is():
    codec = ZarrmalCodec.of(hybrid_models.grey())
    assert codec.configuration.coder().model.profile == "hybrid"
    with pytest.raises(ModelError, match="grid"):
        Coder(hybrid_models.hybrid_model((7, 5), models.one_class().classes[0]))
