"""Cells of 16 bits, and cells with channels first, come back bit for bit (FORMAT 4.3)."""

from __future__ import annotations

import asyncio

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
from masks import masks_of
from stores import CountingStore, FakeGetter, read_rows, spec_of
from zarr.storage import MemoryStore
from zarrmal_codecs import CorruptionError, ZarrmalCodec, array_arguments
from zarrmal_codecs.chunk.chunk import encode_chunk
from zarrmal_codecs.chunk.coder import Coder, coder_for
from zarrmal_codecs.chunk.reduction import reduce
from zarrmal_codecs.constants import BLANK_CLASS, MODE_CELLS
from zarrmal_codecs.hybrid import engine
from zarrmal_codecs.scales import is_codable
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

CODERS = {name: Coder(make()) for name, make in hybrid_models.HYBRID.items()}
DEEP = [name for name, coder in CODERS.items() if coder.depth == 16]
QUICK = settings(max_examples=40, deadline=None, derandomize=True)


def camera(seed: int, shape: tuple[int, ...], noise: int = 90, step: int = 16) -> np.ndarray:
    """uint16 cells with an offset, in steps, with noise of so many steps; some pixels are 0."""
    cells = models.pixels(seed, shape).astype(np.int64) * 3
    cells = 1600 + step * (cells + models.array(seed, shape, 0, noise, "int64"))
    cells[:, : shape[1] // 3] = 0
    return cells.astype(np.uint16)


def check_against_reference(cells: np.ndarray, coder: Coder, **options: object) -> None:
    data = encode_chunk(cells, coder, keep_cells=True, **options)
    parsed = reference_decoder.parse_model(coder.model.to_bytes())
    assert reference_decoder.decode_chunk(data, parsed)[2] == cells.tobytes()


# Reduction


@QUICK
@given(
    hnp.arrays(np.uint16, hnp.array_shapes(min_dims=4, max_dims=4, max_side=4)),
    st.sampled_from([1, 16, 257]),
    st.sampled_from([8, 16]),
)
def test_reductions_give_back_every_item(items, step, depth):
    items = items // step * np.uint16(step)
    reduced = reduce(items, depth)
    n_levels = [len(np.unique(channel[channel > 0])) for channel in np.moveaxis(items, -1, 0)]
    if reduced is None:
        assert depth == 8
        return
    values, reduction = reduced
    np.testing.assert_array_equal(reduction.restore(values), items)
    np.testing.assert_array_equal(values == 0, items == 0)
    assert reduction.suits(depth)
    scales = reduction.scales
    for n_raw, n_bins in zip(scales.n_raw.tolist(), scales.n_bins.tolist(), strict=True):
        assert is_codable(n_raw, n_bins)
        assert depth == 16 or (n_raw, n_bins) == (0, 1)
    levels = scales.levels(np.moveaxis(values, -1, 1))
    assert (levels <= 256 * scales.n_bins[:, None, None].astype(int)).all()
    if depth == 8:
        assert max(n_levels) <= 255


def test_reductions_of_what_cameras_store():
    cells = models.pixels(1, (3, 20, 20, 1)).astype(np.uint16)
    for step, offset in ((257, 0), (16, 0), (16, 100), (1, 4000)):
        values, reduction = reduce(cells * np.uint16(step) + np.uint16(offset), 8)
        assert int(reduction.step[0]) == step
        assert int(values.min()) == 1
        assert int(reduction.least[0]) == step * int(cells.min()) + offset
    assert reduce(camera(2, (3, 20, 20, 1), noise=400), 8) is None
    # Noise of 2,000 and more levels: most of its bits are stored as they are.
    noisy = models.array(3, (2, 30, 30, 1), 20000, 26000, "uint16")
    assert int(reduce(noisy, 16)[1].scales.n_raw[0]) == 8
    smooth = np.arange(20 * 30, dtype=np.uint16).reshape(1, 20, 30, 1) + 1
    assert int(reduce(smooth, 16)[1].scales.n_raw[0]) == 0


# Round trips


@pytest.mark.parametrize("name", CODERS)
def test_few_levels_are_coded_by_every_model(name):
    coder = CODERS[name]
    shape = (4, *coder.model.cell_shape)
    cells = models.pixels(5, shape).astype(np.uint16) * 257
    cells[2] = 0
    header = round_trip(cells, coder, keep_cells=True)
    assert header.mode == MODE_CELLS
    assert header.index.classes[2] == BLANK_CLASS
    assert header.index.reduction.step.tolist() == [257] * (shape[3] if len(shape) == 4 else 1)
    check_against_reference(cells, coder)


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("content", ["ones", "full", "noise", "camera", "uint8", "big"])
def test_contents(name, content):
    coder = CODERS[name]
    shape = (3, *coder.model.cell_shape)
    cells = {
        "ones": np.ones(shape, np.uint16),
        "full": np.full(shape, 65535, np.uint16),
        "noise": models.array(6, shape, 0, 65535, "uint16"),
        "camera": camera(7, shape),
        "uint8": models.pixels(8, shape),
        "big": camera(9, shape).astype(">u2"),
    }[content]
    for view in (cells, np.asfortranarray(cells), cells[::-2]):
        header = round_trip(view, coder, keep_cells=True)
        assert header.mode == MODE_CELLS
        assert (header.index.reduction is None) == (content == "uint8")
    check_against_reference(cells, coder)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (8, 1), (6, 7)], ids=str)
@pytest.mark.parametrize("name", DEEP)
def test_other_sizes(name, size):
    coder = CODERS[name]
    cells = camera(10, (4, *size, *coder.model.cell_shape[2:]))
    assert round_trip(cells, coder, keep_cells=True).mode == MODE_CELLS
    check_against_reference(cells, coder)


@pytest.mark.parametrize("name", ["deep", "deep_colour"])
def test_cells_with_sizes(name):
    coder = CODERS[name]
    channels = coder.model.cell_shape[2:]
    cells = np.zeros((6, 12, 11, *channels), np.uint16)
    for k, (h, w) in enumerate([(12, 3), coder.model.cell_shape[:2], (2, 9), (5, 5), (1, 1)]):
        cells[k, :h, :w] = camera(11 + k, (1, h, w, *channels))[0] + 1
    header = round_trip(cells, coder, keep_cells=True)
    assert header.index.sizes is not None
    check_against_reference(cells, coder)


@pytest.mark.parametrize("resampling", ["same", "triangle", "nearest"])
def test_silhouettes_of_16_bits(resampling):
    coder, size = CODERS["deep"], (7, 5)
    masks = masks_of(12, [size if resampling == "same" else (20, 14)] * 5)
    silhouettes = Silhouettes(masks=masks, resampling=resampling)
    covered = silhouettes.coverage(size).astype(np.int64)
    cells = ((camera(13, (5, *size)) + np.int64(1)) * covered // 255).astype(np.uint16)
    header = round_trip(cells, coder, keep_cells=True, silhouettes=silhouettes)
    assert header.index.outlines is not None
    check_against_reference(cells, coder, silhouettes=silhouettes)


@st.composite
def any_cells(draw: st.DrawFn) -> tuple[Coder, np.ndarray]:
    coder = CODERS[draw(st.sampled_from(DEEP))]
    n, y, x = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    shape = draw(st.sampled_from([(y, x, *coder.model.cell_shape[2:]), coder.model.cell_shape]))
    most = draw(st.sampled_from([255, 3000, 65535]))
    return coder, draw(hnp.arrays(np.uint16, (n, *shape), elements=st.integers(0, most)))


@QUICK
@given(any_cells())
def test_any_cells(case):
    coder, cells = case
    assert round_trip(cells, coder, keep_cells=True).mode == MODE_CELLS


@pytest.mark.parametrize("name", ["six_planes", *DEEP])
def test_every_level_gives_the_same_bytes(name, monkeypatch):
    coder = CODERS[name]
    cells = camera(14, (18, *coder.model.cell_shape))
    cells = cells if coder.depth == 16 else models.pixels(14, cells.shape)
    results = set()
    for level in engine.levels():
        monkeypatch.setenv(engine.VARIABLE, level)
        results.add(encode_chunk(cells, coder, keep_cells=True))
        round_trip(cells, coder, keep_cells=True)
    assert len(results) == 1


def test_deep_cells_in_more_than_one_block(monkeypatch):
    from zarrmal_codecs.hybrid import blocks as hybrid

    coder, cells = CODERS["deep"], camera(15, (11, 7, 5))
    data = encode_chunk(cells, coder)
    monkeypatch.setattr(hybrid, "BLOCK_CELLS", 4)
    assert encode_chunk(cells, coder) == data
    round_trip(cells, coder)


def test_the_class_is_the_shortest():
    coder, cells = CODERS["deep"], camera(16, (9, 7, 5))
    header = round_trip(cells, coder, keep_cells=True)
    bits = coder.bits(cells)
    np.testing.assert_array_equal(header.index.classes, bits.argmin(axis=1))
    np.testing.assert_array_equal(coder.shortest(cells), bits.argmin(axis=1))
    with pytest.raises(ValueError, match="more than 255 levels"):
        CODERS["grey_latent"].bits(camera(17, (9, 7, 5), noise=400))


def test_too_many_levels_for_depth_8_fall_back():
    cells = camera(18, (4, 7, 5), noise=400)
    assert round_trip(cells, CODERS["grey"], keep_cells=True).mode != MODE_CELLS
    # One channel of many is enough.
    rgb = models.pixels(19, (2, 5, 4, 3)).astype(np.uint16)
    rgb[..., 1] = models.array(19, rgb.shape[:3], 0, 65535, "uint16")
    assert round_trip(rgb, CODERS["colour"], keep_cells=True).mode != MODE_CELLS
    assert round_trip(rgb, CODERS["deep_colour"], keep_cells=True).mode == MODE_CELLS


# Channels first


@pytest.mark.parametrize("name", ["colour_latent", "six_planes", "cut_out_colour", "deep_colour"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_channels_first(name, dtype):
    coder = CODERS[name]
    cells = models.pixels(20, (4, *coder.model.cell_shape)).astype(dtype)
    cells[:, :2] = cells[3] = 0
    turned = cells.transpose(0, 3, 1, 2)
    header = round_trip(turned, coder, keep_cells=True)
    assert header.channels_first
    last = round_trip(cells, coder, keep_cells=True)
    np.testing.assert_array_equal(header.index.lengths, last.index.lengths)
    check_against_reference(np.ascontiguousarray(turned), coder)


# zarr


def stored(cells: np.ndarray, name: str, zarr_format: int, chunk_cells: int = 5) -> CountingStore:
    store = CountingStore(MemoryStore())
    array = zarr.create_array(
        store,
        shape=cells.shape,
        chunks=(chunk_cells, *cells.shape[1:]),
        dtype=cells.dtype,
        **array_arguments(hybrid_models.HYBRID[name](), zarr_format=zarr_format),
    )
    array[...] = cells
    return store


ARRAYS = {
    "uint16": ("deep", camera(21, (45, 7, 5))),
    "big-endian": ("deep", camera(21, (45, 7, 5)).astype(">u2")),
    "depth 8": ("grey", models.pixels(22, (45, 7, 5)).astype(np.uint16) * 16),
    "channels first": ("six_planes", models.pixels(23, (45, 6, 4, 3))),
    "uint16, channels first": ("deep_colour", camera(24, (45, 3, 5, 4))),
}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("name", ARRAYS)
def test_zarr_arrays(name, zarr_format):
    model, cells = ARRAYS[name]
    store = stored(cells, model, zarr_format)
    keys = [key for key in store._store._store_dict if key[-1].isdigit()]
    codings = {store._store._store_dict[key].to_bytes()[5] for key in keys}
    assert codings == {MODE_CELLS}
    array = zarr.open_array(store, mode="r")
    assert array.dtype.newbyteorder("=") == cells.dtype.newbyteorder("=")
    np.testing.assert_array_equal(array[:], cells)
    for selection in (np.s_[3], np.s_[44], np.s_[19:21, 1], np.s_[5:40:9, :2], np.s_[7, 2, 1]):
        np.testing.assert_array_equal(array[selection], cells[selection])
    writable = zarr.open_array(store)
    writable[4:6] = cells[:2]
    expected = cells.copy()
    expected[4:6] = cells[:2]
    np.testing.assert_array_equal(zarr.open_array(store, mode="r")[:], expected)


@pytest.mark.parametrize("name", ARRAYS)
def test_requests_of_a_partial_read(name):
    model, cells = hybrid_models.HYBRID[ARRAYS[name][0]](), ARRAYS[name][1]
    getter = FakeGetter(encode_chunk(cells, coder_for(model), keep_cells=True))
    spec = spec_of(cells.shape, cells.dtype.str)
    for rows in ([0], [44], [0, 22, 44]):
        getter.requests.clear()
        selection = (np.array(rows), *[slice(None)] * (cells.ndim - 1))
        reading = ZarrmalCodec.of(model)._decode_partial_single(getter, selection, spec)
        np.testing.assert_array_equal(asyncio.run(reading).as_numpy_array(), cells[rows])
        assert len(getter.requests) <= 1 + len(rows)


def test_a_partial_read_of_another_dtype_is_refused():
    model = hybrid_models.grey()
    cells = models.pixels(25, (8, 7, 5))
    for stored_as, read_as in (("u1", "u2"), ("u2", "u1")):
        data = encode_chunk(cells.astype(stored_as), coder_for(model), keep_cells=True)
        for row in read_rows(ZarrmalCodec.of(model), [data], cells.shape, read_as)[0]:
            assert isinstance(row, CorruptionError)
            assert "metadata say" in str(row)


def test_partial_reads_of_many_channels():
    # Their reductions make the header longer than the cells do.
    one = hybrid_models.hybrid_class(
        1, "many", 64, widths=(2, 2), n_causal=4, n_flags=0, earlier=((),) * 64
    )
    model = hybrid_models.hybrid_model((3, 2, 64), one)
    cells = models.pixels(26, (5, 3, 2, 64)).astype(np.uint16) * 9
    data = encode_chunk(cells, coder_for(model), keep_cells=True)
    assert len(data) > 700
    for row, expected in zip(
        read_rows(ZarrmalCodec.of(model), [data], cells.shape, "u2")[0], cells, strict=True
    ):
        np.testing.assert_array_equal(row[0], expected)


def test_channels_of_the_profile_paper():
    # As many as a reader takes.
    rng = np.random.default_rng(1)
    for n, is_coded in ((64, True), (65, False)):
        layer = models.mirrored(27, "many", 2, 4 * n)
        coder = Coder(models.model_of((2, 2, n), layer))
        cells = rng.integers(0, 255, (2, 2, 2, n)).astype(np.uint16) * 3
        header = round_trip(cells, coder, keep_cells=True)
        assert (header.mode == MODE_CELLS) == is_coded
        assert round_trip(cells.astype(np.uint8), coder, keep_cells=True).mode == MODE_CELLS
